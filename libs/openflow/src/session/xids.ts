/** What waits for the answer to one xid. */
export interface Waiter<M> {
  /** Takes one message; true when nothing more is expected. */
  take(message: M): boolean;
  /** Takes the bytes of one message in place of the message; undefined: it must be decoded. */
  takeBytes?(bytes: Uint8Array): boolean | undefined;
  fail(error: Error): void;
}

interface Range<M> {
  readonly first: number;
  readonly count: number;
  readonly take: (index: number, message: M) => void;
}

const LAST_XID = 0xffff_ffff;

/**
 * Matches answers to requests. An xid that is still waited for is never given out again; 0 is left to messages that
 * nobody waits for.
 */
export class XidTable<M> {
  readonly #waiters = new Map<number, Waiter<M>>();
  readonly #ranges = new Set<Range<M>>();
  #next: number;

  constructor(first = 1) {
    this.#next = first;
  }

  get pending(): number {
    return this.#waiters.size;
  }

  /** A fresh xid. */
  allocate(): number {
    return this.allocateRange(1);
  }

  /** The first of `count` fresh consecutive xids. */
  allocateRange(count: number): number {
    for (;;) {
      if (this.#next + count - 1 > LAST_XID) this.#next = 1;
      const first = this.#next;
      const blocked = this.#blockedUntil(first, count);
      if (blocked === undefined) {
        this.#next = first + count;
        return first;
      }
      this.#next = blocked + 1;
    }
  }

  wait(xid: number, waiter: Waiter<M>): void {
    this.#waiters.set(xid, waiter);
  }

  forget(xid: number): void {
    this.#waiters.delete(xid);
  }

  /** Messages for `first` .. `first + count - 1` go to `take` with their index. The returned function ends it. */
  watch(first: number, count: number, take: (index: number, message: M) => void): () => void {
    const range: Range<M> = { first, count, take };
    this.#ranges.add(range);
    return () => this.#ranges.delete(range);
  }

  /** False if nobody waits for this xid. */
  deliver(xid: number, message: M): boolean {
    const waiter = this.#waiters.get(xid);
    if (waiter !== undefined) {
      if (waiter.take(message)) this.#waiters.delete(xid);
      return true;
    }
    for (const { first, count, take } of this.#ranges)
      if (xid >= first && xid < first + count) {
        take(xid - first, message);
        return true;
      }
    return false;
  }

  /** True if somebody waited for the bytes under this xid and has taken them. */
  deliverBytes(xid: number, bytes: Uint8Array): boolean {
    const done = this.#waiters.get(xid)?.takeBytes?.(bytes);
    if (done === true) this.#waiters.delete(xid);
    return done !== undefined;
  }

  /** Fails the one that waits for this xid; false if nobody does. */
  fail(xid: number, error: Error): boolean {
    const waiter = this.#waiters.get(xid);
    this.#waiters.delete(xid);
    waiter?.fail(error);
    return waiter !== undefined;
  }

  /** Fails everybody. */
  failAll(error: Error): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    this.#ranges.clear();
    for (const waiter of waiters) waiter.fail(error);
  }

  /** The last xid of something that overlaps the wanted numbers. */
  #blockedUntil(first: number, count: number): number | undefined {
    for (const r of this.#ranges)
      if (first < r.first + r.count && r.first < first + count) return r.first + r.count - 1;
    if (count > this.#waiters.size) {
      for (const xid of this.#waiters.keys()) if (xid >= first && xid < first + count) return xid;
      return undefined;
    }
    for (let xid = first; xid < first + count; xid++) if (this.#waiters.has(xid)) return xid;
    return undefined;
  }
}
