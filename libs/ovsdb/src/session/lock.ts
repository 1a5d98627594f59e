import { ConnectionError } from '../errors.js';
import { Listeners } from '../listeners.js';
import type { CallOptions } from '../rpc/connection.js';
import type { OvsdbLock } from './types.js';

/** What a lock needs of its client. */
export interface LockPort {
  waitFor(what: string, holds: () => boolean, listeners: Listeners<[boolean]>, options: CallOptions): Promise<void>;
  unlock(id: string): Promise<void>;
}

/** One lock of a client; see OvsdbLock. */
export class Lock implements OvsdbLock {
  readonly id: string;
  readonly steal: boolean;
  readonly #port: LockPort;
  readonly #changes = new Listeners<[boolean]>();
  #owned = false;
  #released = false;

  constructor(id: string, steal: boolean, port: LockPort) {
    this.id = id;
    this.steal = steal;
    this.#port = port;
  }

  get owned(): boolean {
    return this.#owned;
  }

  onChange(listener: (owned: boolean) => void): () => void {
    return this.#changes.add(listener);
  }

  acquired(options: CallOptions = {}): Promise<void> {
    if (this.#released) return Promise.reject(new ConnectionError(`lock ${this.id} was released`));
    return this.#port.waitFor(`lock ${this.id}`, () => this.#owned, this.#changes, options);
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.set(false);
    await this.#port.unlock(this.id);
  }

  /** Told by the server, or by the loss of the connection. */
  set(owned: boolean): void {
    if (this.#owned === owned) return;
    this.#owned = owned;
    this.#changes.emit(owned);
  }
}
