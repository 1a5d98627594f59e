import type { Clock } from '../clock.js';

/** What one packet was told of, in the words of people. */
export interface Verdict {
  readonly verdict: 'allowed' | 'denied';
  readonly direction: 'ingress' | 'egress';
  readonly node: string;
  /** NAMESPACE/POD, `node NAME`, or an address. */
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  /** Destination port; null for protocols without. */
  readonly port: number | null;
  /** Policies that decided: NAMESPACE/NAME, or the name of a cluster policy. */
  readonly policies: readonly string[];
  /** Place of the rule in its list; null: no rule of these policies allowed it. */
  readonly rule: number | null;
}

/** Equal verdicts within a window. */
export interface VerdictEvent extends Verdict {
  /** Rises by one from event to event, from 1 at each start. */
  readonly seq: number;
  /** When the first of them came, ISO 8601. */
  readonly time: string;
  /** Packets (first packets of connections, where they are allowed) that were told of. */
  readonly count: number;
}

export interface VerdictLogOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Writes the lines. */
  readonly write: (event: VerdictEvent) => void;
  /** So many packets of a node were left out, as there were too many different ones. */
  readonly suppressed: (node: string, count: number) => void;
  /** Equal verdicts within this time are one event. Default 5000. */
  readonly windowMs?: number | undefined;
  /** Different verdicts of one node that begin within a second. Default 100. */
  readonly maxPerSecond?: number | undefined;
  /** Newest events that are kept. Default 2000. */
  readonly capacity?: number | undefined;
}

interface Open {
  readonly verdict: Verdict;
  readonly openedAt: number;
  readonly time: string;
  count: number;
}

interface Allowance {
  since: number;
  begun: number;
  suppressed: number;
}

/** Equal verdicts become one event with a count; events are written, and the newest are kept. */
export class VerdictLog {
  readonly #windowMs: number;
  readonly #maxPerSecond: number;
  readonly #capacity: number;
  /** In the order in which they were opened. */
  readonly #open = new Map<string, Open>();
  readonly #nodes = new Map<string, Allowance>();
  #events: VerdictEvent[] = [];
  #newest = 0;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(private readonly options: VerdictLogOptions) {
    this.#windowMs = options.windowMs ?? 5_000;
    this.#maxPerSecond = options.maxPerSecond ?? 100;
    this.#capacity = options.capacity ?? 2_000;
  }

  /** Number of the newest event; 0 if there was none. */
  get newest(): number {
    return this.#newest;
  }

  /** @param key equal for equal verdicts @param describe is asked for the first of them */
  take(node: string, key: string, describe: () => Verdict | undefined): void {
    const known = this.#open.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const now = this.options.clock.now();
    if (this.#stopped || !this.#mayBegin(node, now)) return;
    const verdict = describe();
    if (verdict === undefined) return;
    const time = new Date(this.options.wallClock()).toISOString();
    this.#open.set(key, { verdict, openedAt: now, time, count: 1 });
    this.#schedule(this.#windowMs);
  }

  /** Newest events that a filter takes, oldest first. */
  events(filter: (event: VerdictEvent) => boolean, limit: number): readonly VerdictEvent[] {
    const found: VerdictEvent[] = [];
    for (let i = this.#events.length - 1; i >= 0 && found.length < limit; i--) {
      const event = this.#events[i] as VerdictEvent;
      if (filter(event)) found.push(event);
    }
    return found.reverse();
  }

  /** Writes what is open. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#close(Number.POSITIVE_INFINITY);
  }

  #mayBegin(node: string, now: number): boolean {
    let allowance = this.#nodes.get(node);
    if (allowance === undefined) {
      allowance = { since: now, begun: 0, suppressed: 0 };
      this.#nodes.set(node, allowance);
    }
    if (now - allowance.since >= 1_000) {
      allowance.since = now;
      allowance.begun = 0;
    }
    if (allowance.begun < this.#maxPerSecond) {
      allowance.begun++;
      return true;
    }
    allowance.suppressed++;
    this.#schedule(this.#windowMs);
    return false;
  }

  #schedule(ms: number): void {
    if (this.#cancel !== undefined || this.#stopped) return;
    this.#cancel = this.options.clock.after(ms, () => {
      this.#cancel = undefined;
      this.#close(this.options.clock.now());
      const [next] = this.#open.values();
      if (next !== undefined) this.#schedule(Math.max(1, next.openedAt + this.#windowMs - this.options.clock.now()));
    });
  }

  #close(now: number): void {
    for (const [key, { verdict, openedAt, time, count }] of this.#open) {
      if (openedAt + this.#windowMs > now) break;
      this.#open.delete(key);
      const event: VerdictEvent = { ...verdict, seq: ++this.#newest, time, count };
      this.#events.push(event);
      this.options.write(event);
    }
    if (this.#events.length > 2 * this.#capacity) this.#events = this.#events.slice(-this.#capacity);
    for (const [node, allowance] of this.#nodes) {
      if (allowance.suppressed > 0) this.options.suppressed(node, allowance.suppressed);
      if (now - allowance.since >= 1_000) this.#nodes.delete(node);
      else allowance.suppressed = 0;
    }
  }
}
