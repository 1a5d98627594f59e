import type { SouthboundClock } from './desired.js';

const RETRY_MS = { first: 500, last: 30_000 } as const;
/** While the desired state is not whole, nobody may tell us when it is. */
const SYNC_POLL_MS = 100;

/** When a driver rests: until the desired state is whole, or before another attempt, each time longer. */
export class Pauses {
  #why: 'sync' | 'retry' | undefined;
  #cancel: () => void = () => undefined;
  #retryMs: number = RETRY_MS.first;

  constructor(
    private readonly clock: SouthboundClock,
    /** A pause is over by itself. */
    private readonly over: () => void,
  ) {}

  get isOn(): boolean {
    return this.#why !== undefined;
  }

  /** Until the desired state may be whole. */
  forSync(): void {
    this.#begin('sync', SYNC_POLL_MS);
  }

  /** Before the next attempt. */
  forRetry(): void {
    this.#begin('retry', this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.last);
  }

  /** Something was compiled; `concerns` says whether it changes what was refused. */
  compiled(concerns: boolean): void {
    if (this.#why === 'sync') this.end();
    else if (this.#why === 'retry' && concerns && this.#retryMs > RETRY_MS.first) {
      // What was refused may be right now; one early attempt, so that frequent changes do not put it off for ever.
      this.end();
      this.#retryMs = RETRY_MS.first;
      this.#begin('retry', RETRY_MS.first);
    }
  }

  /** The next failure is the first again. */
  succeeded(): void {
    this.#retryMs = RETRY_MS.first;
  }

  end(): void {
    this.#cancel();
    this.#why = undefined;
  }

  #begin(why: 'sync' | 'retry', ms: number): void {
    this.#why = why;
    this.#cancel = this.clock.after(ms, () => {
      this.#why = undefined;
      this.over();
    });
  }
}
