/** Who may be told of a lock. */
export interface LockHolder {
  locked(id: string): void;
  stolen(id: string): void;
}

/** The locks of a server (RFC 7047 §4.1.8): for each a queue, its first is the owner. */
export class Locks {
  readonly #queues = new Map<string, LockHolder[]>();

  owner(id: string): LockHolder | undefined {
    return this.#queues.get(id)?.[0];
  }

  /** Joins the queue, with steal at its head. Gives whether the lock is owned now; undefined when it was asked for before. */
  join(id: string, holder: LockHolder, steal: boolean): boolean | undefined {
    const queue = this.#queues.get(id) ?? [];
    if (queue.includes(holder)) return undefined;
    this.#queues.set(id, queue);
    const victim = queue[0];
    if (!steal) {
      queue.push(holder);
      return queue[0] === holder;
    }
    queue.unshift(holder);
    victim?.stolen(id);
    return true;
  }

  /** Leaves the queue; false when the holder was not in it. */
  leave(id: string, holder: LockHolder): boolean {
    const queue = this.#queues.get(id);
    const at = queue?.indexOf(holder) ?? -1;
    if (queue === undefined || at < 0) return false;
    queue.splice(at, 1);
    if (queue.length === 0) this.#queues.delete(id);
    else if (at === 0) queue[0]?.locked(id);
    return true;
  }

  /** Leaves all queues. */
  leaveAll(holder: LockHolder): void {
    for (const id of [...this.#queues.keys()]) this.leave(id, holder);
  }
}
