import type { Uuid } from '../notation/uuid.js';
import type { Atom, Value } from '../notation/value.js';
import { isScalar, type PlannedTable } from './plan.js';
import type { ReplicaIndex, ReplicaTable } from './types.js';

/** A row of the cache, whatever its columns. */
export type CachedRow = { readonly _uuid: Uuid; readonly [column: string]: Value };

type IndexKey = Atom | undefined;

class ColumnIndex implements ReplicaIndex<CachedRow> {
  readonly #columns: readonly string[];
  readonly #byKey = new Map<IndexKey, CachedRow | Map<Uuid, CachedRow>>();

  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  get(...values: readonly unknown[]): CachedRow | undefined {
    const found = this.#byKey.get(this.#keyOf(values as Atom[]));
    return found instanceof Map ? found.values().next().value : found;
  }

  all(...values: readonly unknown[]): readonly CachedRow[] {
    const found = this.#byKey.get(this.#keyOf(values as Atom[]));
    if (found === undefined) return [];
    return found instanceof Map ? [...found.values()] : [found];
  }

  add(row: CachedRow): void {
    const key = this.#keyOfRow(row);
    const found = this.#byKey.get(key);
    if (found === undefined) this.#byKey.set(key, row);
    else if (found instanceof Map) found.set(row._uuid, row);
    else this.#byKey.set(key, new Map([found, row].map((each) => [each._uuid, each])));
  }

  remove(row: CachedRow): void {
    const key = this.#keyOfRow(row);
    const found = this.#byKey.get(key);
    if (!(found instanceof Map)) {
      this.#byKey.delete(key);
      return;
    }
    found.delete(row._uuid);
    if (found.size === 0) this.#byKey.delete(key);
  }

  #keyOfRow(row: CachedRow): IndexKey {
    return this.#keyOf(this.#columns.map((column) => row[column]) as IndexKey[]);
  }

  #keyOf(values: readonly IndexKey[]): IndexKey {
    if (values.length === 1) return values[0];
    return JSON.stringify(values.map((value) => (typeof value === 'bigint' ? `${value}n` : (value ?? null))));
  }
}

/** The rows of one replicated table and the indexes over them. */
export class CachedTable implements ReplicaTable<CachedRow> {
  readonly name: string;
  #plan: PlannedTable;
  readonly #rows = new Map<Uuid, CachedRow>();
  readonly #indexes = new Map<string, ColumnIndex>();

  constructor(plan: PlannedTable) {
    this.name = plan.name;
    this.#plan = plan;
  }

  /** Takes the columns of another server, or of the same one after an upgrade. */
  follow(plan: PlannedTable): void {
    this.#plan = plan;
  }

  get rows(): ReadonlyMap<Uuid, CachedRow> {
    return this.#rows;
  }

  get(uuid: Uuid): CachedRow | undefined {
    return this.#rows.get(uuid);
  }

  resolve(uuids: readonly Uuid[] | Uuid | undefined): readonly CachedRow[] {
    if (uuids === undefined) return [];
    return (typeof uuids === 'string' ? [uuids] : uuids).flatMap((uuid) => this.#rows.get(uuid) ?? []);
  }

  index(...columns: readonly string[]): ReplicaIndex<CachedRow> {
    const key = columns.join(',');
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    if (columns.length === 0) throw new RangeError(`${this.name}: an index needs a column`);
    for (const column of columns) {
      if (column === '_uuid') continue;
      const planned = this.#plan.columnByName.get(column);
      if (planned === undefined) throw new RangeError(`${this.name}.${column} is not replicated`);
      if (!isScalar(planned)) throw new RangeError(`${this.name}.${column} is a set or a map`);
    }
    const index = new ColumnIndex(columns);
    for (const row of this.#rows.values()) index.add(row);
    this.#indexes.set(key, index);
    return index;
  }

  byName(name: string): CachedRow | undefined {
    return this.index('name').get(name);
  }

  /** Replaces one row: undefined before means new, undefined after means gone. */
  put(uuid: Uuid, before: CachedRow | undefined, after: CachedRow | undefined): void {
    for (const index of this.#indexes.values()) if (before !== undefined) index.remove(before);
    if (after === undefined) this.#rows.delete(uuid);
    else this.#rows.set(uuid, after);
    for (const index of this.#indexes.values()) if (after !== undefined) index.add(after);
  }
}
