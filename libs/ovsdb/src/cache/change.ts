import type { Uuid } from '../notation/uuid.js';
import type { RowEdit } from './edits.js';
import type { CachedRow } from './table.js';
import type { TableChange } from './types.js';

/** A change of which the types are gone. */
export interface PlainChange {
  readonly cause: 'update' | 'resync';
  readonly tables: { readonly [table: string]: TableChange<CachedRow> };
}

interface Building {
  added: CachedRow[];
  changed: { before: CachedRow; after: CachedRow }[];
  removed: CachedRow[];
}

/** Sorts edits by table and kind. */
export function changeOf(
  cause: 'update' | 'resync',
  edits: Iterable<Omit<RowEdit, 'table'> & { readonly table: { readonly name: string } }>,
): PlainChange {
  const tables: { [table: string]: Building } = {};
  for (const { table, before, after } of edits) {
    if (before === undefined && after === undefined) continue;
    tables[table.name] ??= { added: [], changed: [], removed: [] };
    const building = tables[table.name] as Building;
    if (before === undefined) building.added.push(after as CachedRow);
    else if (after === undefined) building.removed.push(before);
    else building.changed.push({ before, after });
  }
  return { cause, tables };
}

interface Net {
  before: CachedRow | undefined;
  after: CachedRow | undefined;
}

/** Merges changes until they are read: what is kept is at most one entry a row, however many transactions go by. */
export class MergedChanges {
  readonly #tables = new Map<string, Map<Uuid, Net>>();
  #cause: 'update' | 'resync' = 'update';

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  add(change: PlainChange): void {
    if (change.cause === 'resync') this.#cause = 'resync';
    for (const [name, { added, changed, removed }] of Object.entries(change.tables)) {
      for (const row of removed) this.#merge(name, row, undefined);
      for (const { before, after } of changed) this.#merge(name, before, after);
      for (const row of added) this.#merge(name, undefined, row);
    }
  }

  /** The merged change; afterwards nothing is kept. Undefined when it comes to nothing. */
  take(): PlainChange | undefined {
    const edits = [...this.#tables].flatMap(([name, rows]) =>
      [...rows].map(([uuid, net]) => ({ table: { name }, uuid, before: net.before, after: net.after })),
    );
    const change = changeOf(this.#cause, edits);
    this.#tables.clear();
    this.#cause = 'update';
    return Object.keys(change.tables).length === 0 ? undefined : change;
  }

  #merge(table: string, before: CachedRow | undefined, after: CachedRow | undefined): void {
    let rows = this.#tables.get(table);
    if (rows === undefined) {
      rows = new Map();
      this.#tables.set(table, rows);
    }
    const uuid = (before ?? after)?._uuid as Uuid;
    const net = rows.get(uuid);
    if (net === undefined) {
      rows.set(uuid, { before, after });
      return;
    }
    net.after = after;
    if (net.before === undefined && after === undefined) {
      rows.delete(uuid);
      if (rows.size === 0) this.#tables.delete(table);
    }
  }
}
