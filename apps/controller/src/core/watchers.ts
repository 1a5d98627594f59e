import type { Clock } from '../clock.js';

/** Lets callers wait until something about the running system is true. */
export class Watchers {
  private readonly waiting = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** Something changed: every waiter looks again. */
  changed(): void {
    for (const look of [...this.waiting]) look();
  }

  /** Resolves with true as soon as the predicate holds, with false after `timeoutMs` or when the signal aborts. */
  until(predicate: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (predicate()) return Promise.resolve(true);
    if (timeoutMs <= 0 || signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (result: boolean) => {
        stop();
        this.waiting.delete(look);
        signal?.removeEventListener('abort', abort);
        resolve(result);
      };
      const look = () => {
        if (predicate()) finish(true);
      };
      const abort = () => finish(false);
      const stop = this.clock.after(timeoutMs, () => finish(predicate()));
      signal?.addEventListener('abort', abort);
      this.waiting.add(look);
    });
  }
}
