import { randomUUID } from 'node:crypto';
import { type Uuid, ZERO_UUID } from '../notation/uuid.js';
import type { EngineChange } from './engine/table.js';

/** The last transactions of a database, as clustered servers keep them for monitor_cond_since. */
export class History {
  readonly #limit: number;
  readonly #entries: { readonly id: Uuid; readonly changes: readonly EngineChange[] }[] = [];
  #last: Uuid = ZERO_UUID;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Id of the last transaction. */
  get last(): Uuid {
    return this.#last;
  }

  add(changes: readonly EngineChange[]): Uuid {
    // A standalone server has no transaction ids: every answer carries the zero UUID.
    if (this.#limit === 0) return this.#last;
    this.#last = randomUUID() as string as Uuid;
    this.#entries.push({ id: this.#last, changes });
    if (this.#entries.length > this.#limit) this.#entries.shift();
    return this.#last;
  }

  /** What has changed since a transaction, one change a row; undefined when that is not known any more. */
  since(id: string): readonly EngineChange[] | undefined {
    const at = this.#entries.findIndex((entry) => entry.id === id);
    if (at < 0) return undefined;
    const net = new Map<string, EngineChange>();
    for (const { changes } of this.#entries.slice(at + 1)) {
      for (const change of changes) {
        const key = `${change.table} ${change.uuid}`;
        const first = net.get(key);
        net.set(key, first === undefined ? change : { ...change, before: first.before });
      }
    }
    return [...net.values()].filter(({ before, after }) => before !== after);
  }
}
