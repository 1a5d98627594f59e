import type { Clock } from './clock.js';
import { OpenFlowTimeoutError } from './errors.js';

export interface WaitOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The outcome of `work`, or a rejection when the time is up (OpenFlowTimeoutError) or the signal fires (its reason).
 * `onGiveUp` lets the caller forget what it waits for.
 */
export function withDeadline<T>(
  work: Promise<T>,
  what: string,
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
  onGiveUp?: () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const giveUp = (error: unknown) => {
      finish();
      onGiveUp?.();
      reject(error);
    };
    const aborted = () => giveUp(signal?.reason);
    const cancel = clock.schedule(timeoutMs, () => giveUp(new OpenFlowTimeoutError(what, timeoutMs)));
    const finish = () => {
      cancel();
      signal?.removeEventListener('abort', aborted);
    };
    work.then(
      (value) => {
        finish();
        resolve(value);
      },
      (error) => {
        finish();
        reject(error);
      },
    );
    if (signal?.aborted) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
  });
}
