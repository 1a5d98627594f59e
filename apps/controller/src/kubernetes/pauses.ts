import type { Clock } from '../clock.js';

/** Waits of one loop, that a stop cuts short. */
export class Pauses {
  private ended = false;
  private wakeUp: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  /** Resolves after this time, or when waiting has ended. */
  wait(ms: number): Promise<void> {
    if (ms <= 0 || this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.clock.after(ms, resolve);
      this.wakeUp = () => {
        stop();
        resolve();
      };
    });
  }

  /** Ends the wait that is under way; those that come end at once. */
  end(): void {
    this.ended = true;
    this.wakeUp?.();
  }
}
