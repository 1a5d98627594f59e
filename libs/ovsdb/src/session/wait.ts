import type { Clock } from '../clock.js';
import { ConnectionError, TimeoutError } from '../errors.js';
import type { CallOptions, CloseReason, RpcConnection } from '../rpc/connection.js';

/** Waits for a time, or until the returned promise's stop function is called. */
export function pause(clock: Clock, ms: number, onStop: (stop: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(ms, resolve, { keepAlive: true });
    onStop(() => {
      cancel();
      resolve();
    });
  });
}

interface Waiter {
  up(connection: RpcConnection): void;
  ended(error: Error): void;
}

/** The current connection of a client, and those who wait for one. */
export class Link {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #current: RpcConnection | undefined;
  #ended: CloseReason | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get current(): RpcConnection | undefined {
    return this.#current;
  }

  up(connection: RpcConnection): void {
    this.#current = connection;
    for (const waiter of [...this.#waiters]) waiter.up(connection);
  }

  down(): void {
    this.#current = undefined;
  }

  end(reason: CloseReason): void {
    this.#current = undefined;
    this.#ended = reason;
    for (const waiter of [...this.#waiters]) waiter.ended(this.#endError(reason));
  }

  /** The connection, now or when there is one; within the deadline. Nothing was sent when this rejects. */
  whenUp(what: string, { timeoutMs, signal }: CallOptions): Promise<RpcConnection> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    if (this.#ended !== undefined) return Promise.reject(this.#endError(this.#ended));
    return new Promise((resolve, reject) => {
      let stopTimer: (() => void) | undefined;
      const finish = (settle: () => void): void => {
        this.#waiters.delete(waiter);
        stopTimer?.();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const waiter: Waiter = {
        up: (connection) => finish(() => resolve(connection)),
        ended: (error) => finish(() => reject(error)),
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (timeoutMs !== undefined) {
        stopTimer = this.#clock.schedule(timeoutMs, () =>
          finish(() => reject(new TimeoutError(`${what} (not connected)`, timeoutMs, 'not-sent'))),
        );
      }
    });
  }

  #endError(reason: CloseReason): ConnectionError {
    return new ConnectionError(`client has ended (${reason.kind})`, 'not-sent', { cause: reason.error });
  }
}
