import type { Uuid } from '../../notation/uuid.js';
import { type Atom, sameValue } from '../../notation/value.js';
import type { BaseType } from '../../schema/types.js';
import { type Datum, keysOf, sizeOf } from './datum.js';
import { OperationError } from './operation-error.js';
import { columnDatum, type EngineRow } from './row.js';
import type { EngineChange, EngineTable } from './table.js';

type Tables = ReadonlyMap<string, EngineTable>;

interface Reference {
  readonly column: string;
  readonly table: string;
  readonly uuid: Uuid;
}

function refsOfBase(
  base: BaseType | undefined,
  kind: 'strong' | 'weak',
  atoms: Iterable<Atom>,
): readonly [string, Uuid][] {
  if (base?.refTable === undefined || base.refType !== kind) return [];
  const table = base.refTable;
  return [...atoms].map((atom) => [table, atom as Uuid]);
}

function referencesOf(table: EngineTable, row: EngineRow | undefined, kind: 'strong' | 'weak'): readonly Reference[] {
  if (row === undefined) return [];
  const found: Reference[] = [];
  for (const [column, { type }] of table.schema.columns) {
    const datum = columnDatum(row, column);
    const values = datum instanceof Map ? datum.values() : [];
    for (const [target, uuid] of [
      ...refsOfBase(type.key, kind, keysOf(datum)),
      ...refsOfBase(type.value, kind, values),
    ]) {
      // A row does not keep itself alive.
      if (kind === 'weak' || uuid !== row.uuid) found.push({ column, table: target, uuid });
    }
  }
  return found;
}

function sameRow(a: EngineRow, b: EngineRow): boolean {
  return Object.keys(a.values).every((column) => sameValue(columnDatum(a, column), columnDatum(b, column)));
}

/** Changes of the counts of strong references, kept apart until the commit is sure. */
class ReferenceCounts {
  readonly #tables: Tables;
  readonly #changes = new Map<string, Map<Uuid, number>>();

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  count(table: string, uuid: Uuid): number {
    return (this.#tables.get(table)?.references.get(uuid) ?? 0) + (this.#changes.get(table)?.get(uuid) ?? 0);
  }

  add(table: string, uuid: Uuid, delta: number): void {
    let changes = this.#changes.get(table);
    if (changes === undefined) {
      changes = new Map();
      this.#changes.set(table, changes);
    }
    changes.set(uuid, (changes.get(uuid) ?? 0) + delta);
  }

  *changed(): Iterable<readonly [EngineTable, Uuid]> {
    for (const [name, changes] of this.#changes) {
      const table = this.#tables.get(name);
      if (table !== undefined) for (const uuid of changes.keys()) yield [table, uuid];
    }
  }

  keep(): void {
    for (const [table, uuid] of this.changed()) {
      const count = this.count(table.name, uuid);
      if (count === 0) table.references.delete(uuid);
      else table.references.set(uuid, count);
    }
  }
}

function* touchedRows(
  tables: Tables,
): Iterable<{ table: EngineTable; uuid: Uuid; before: EngineRow | undefined; after: EngineRow | undefined }> {
  for (const table of tables.values()) {
    for (const [uuid, before] of table.touched) yield { table, uuid, before, after: table.rows.get(uuid) };
  }
}

function dropUnchanged(tables: Tables): void {
  for (const { table, uuid, before, after } of [...touchedRows(tables)]) {
    const same = before === undefined || after === undefined ? before === after : sameRow(before, after);
    if (!same) continue;
    if (before !== undefined) table.rows.set(uuid, before);
    table.touched.delete(uuid);
  }
}

function countReferences(tables: Tables, counts: ReferenceCounts): void {
  for (const { table, uuid, before, after } of [...touchedRows(tables)]) {
    for (const ref of referencesOf(table, before, 'strong')) counts.add(ref.table, ref.uuid, -1);
    for (const ref of referencesOf(table, after, 'strong')) {
      const target = tables.get(ref.table);
      // A row deleted in this transaction is reported below, by the references that remain.
      if (target?.rows.has(ref.uuid) !== true && target?.touched.has(ref.uuid) !== true) {
        throw new OperationError(
          'referential integrity violation',
          `Table ${table.name} column ${ref.column} row ${uuid} references nonexistent row ${ref.uuid} in table ${ref.table}.`,
        );
      }
      counts.add(ref.table, ref.uuid, 1);
    }
  }
  for (const { table, uuid, after } of touchedRows(tables)) checkNotReferenced(counts, table, uuid, after);
  for (const [table, uuid] of counts.changed()) checkNotReferenced(counts, table, uuid, table.rows.get(uuid));
}

function checkNotReferenced(
  counts: ReferenceCounts,
  table: EngineTable,
  uuid: Uuid,
  after: EngineRow | undefined,
): void {
  const count = counts.count(table.name, uuid);
  if (after !== undefined || count === 0) return;
  throw new OperationError(
    'referential integrity violation',
    `cannot delete ${table.name} row ${uuid} because of ${count} remaining reference(s)`,
  );
}

function collectGarbage(tables: Tables, counts: ReferenceCounts): void {
  const queue: (readonly [EngineTable, Uuid])[] = [
    ...[...touchedRows(tables)].map(({ table, uuid }) => [table, uuid] as const),
    ...counts.changed(),
  ];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [table, uuid] = next;
    const row = table.rows.get(uuid);
    if (row === undefined || table.schema.isRoot || counts.count(table.name, uuid) > 0) continue;
    table.put(uuid, undefined);
    for (const ref of referencesOf(table, row, 'strong')) {
      counts.add(ref.table, ref.uuid, -1);
      const target = tables.get(ref.table);
      if (target !== undefined) queue.push([target, ref.uuid]);
    }
  }
}

function checkMaxRows(tables: Tables): void {
  for (const { name, rows, schema, touched } of tables.values()) {
    if (touched.size === 0 || rows.size <= schema.maxRows) continue;
    throw new OperationError(
      'constraint violation',
      `transaction causes "${name}" table to contain ${rows.size} rows, greater than the schema-defined limit of ${schema.maxRows} row(s)`,
    );
  }
}

function withoutDangling(table: EngineTable, row: EngineRow, column: string, tables: Tables): Datum {
  const type = table.schema.columns.get(column)?.type;
  const datum = columnDatum(row, column);
  const lives = (base: BaseType | undefined, atom: Atom): boolean =>
    base?.refType !== 'weak' || tables.get(base.refTable ?? '')?.rows.has(atom as Uuid) === true;
  if (datum instanceof Map) {
    return new Map(
      [...(datum as ReadonlyMap<Atom, Atom>)].filter(([k, v]) => lives(type?.key, k) && lives(type?.value, v)),
    );
  }
  return (datum as readonly Atom[]).filter((atom) => lives(type?.key, atom));
}

function dropWeakReferences(tables: Tables): void {
  const someDeleted = [...touchedRows(tables)].some(({ after }) => after === undefined);
  for (const table of tables.values()) {
    const columns = [...table.schema.columns].filter(
      ([, { type }]) => type.key.refType === 'weak' || type.value?.refType === 'weak',
    );
    if (columns.length === 0) continue;
    for (const [uuid, row] of [...table.rows]) {
      if (!someDeleted && !table.touched.has(uuid)) continue;
      const values = { ...row.values };
      let changed = false;
      for (const [column, { type }] of columns) {
        const datum = withoutDangling(table, row, column, tables);
        const lost = sizeOf(columnDatum(row, column)) - sizeOf(datum);
        if (lost === 0) continue;
        if (sizeOf(datum) < type.min) {
          throw new OperationError(
            'constraint violation',
            `Deletion of ${lost} weak reference(s) to deleted (or never-existing) rows from column "${column}" in "${table.name}" row ${uuid} ${table.touched.get(uuid) === undefined && table.touched.has(uuid) ? '(inserted within this transaction) ' : ''}caused this column to become empty, but constraints on this column disallow an empty column.`,
          );
        }
        values[column] = datum;
        changed = true;
      }
      if (changed) table.put(uuid, { ...row, values });
    }
  }
}

const valuesText = (key: string): string => key.replaceAll('\n', ', ');

function originOf(table: EngineTable, index: number, uuid: Uuid): string {
  if (!table.touched.has(uuid))
    return 'existed in the database before this transaction and was not modified by the transaction';
  const before = table.touched.get(uuid);
  if (before === undefined) return 'was inserted by this transaction';
  const after = table.rows.get(uuid);
  const key = table.indexKey(index, before);
  return after !== undefined && table.indexKey(index, after) === key
    ? "existed in the database before this transaction, which modified some of the row's columns but not any columns in this index"
    : `had the following index values before the transaction: ${valuesText(key)}`;
}

function checkIndexes(tables: Tables): void {
  for (const table of tables.values()) {
    table.schema.indexes.forEach((columns, i) => {
      const mine = new Map<string, Uuid>();
      for (const uuid of table.touched.keys()) {
        const row = table.rows.get(uuid);
        if (row === undefined) continue;
        const key = table.indexKey(i, row);
        const other = mine.get(key) ?? table.indexes[i]?.get(key);
        // A row of the index that this transaction touched too has had its own turn.
        if (other !== undefined && other !== uuid && (mine.has(key) || !table.touched.has(other))) {
          const names =
            columns.length === 1 ? `column "${columns[0]}"` : `columns ${columns.map((c) => `"${c}"`).join(' and ')}`;
          throw new OperationError(
            'constraint violation',
            `Transaction causes multiple rows in "${table.name}" table to have identical values (${valuesText(key)}) for index on ${names}.  First row, with UUID ${other}, ${originOf(table, i, other)}.  Second row, with UUID ${uuid}, ${originOf(table, i, uuid)}.`,
          );
        }
        mine.set(key, uuid);
      }
    });
  }
}

function keepIndexes(table: EngineTable): void {
  table.indexes.forEach((index, i) => {
    for (const [uuid, before] of table.touched) {
      if (before !== undefined && index.get(table.indexKey(i, before)) === uuid)
        index.delete(table.indexKey(i, before));
    }
    for (const uuid of table.touched.keys()) {
      const row = table.rows.get(uuid);
      if (row !== undefined) index.set(table.indexKey(i, row), uuid);
    }
  });
}

/**
 * Ends the open transaction as RFC 7047 §4.1.3 asks: references, garbage collection of non-root tables, row limits, weak
 * references, indexes, in that order. Throws OperationError; the transaction must then be rolled back.
 */
export function commitTables(tables: Tables, newVersion: () => Uuid): readonly EngineChange[] {
  dropUnchanged(tables);
  const counts = new ReferenceCounts(tables);
  countReferences(tables, counts);
  collectGarbage(tables, counts);
  checkMaxRows(tables);
  dropWeakReferences(tables);
  dropUnchanged(tables);
  checkIndexes(tables);
  const changes: EngineChange[] = [];
  for (const table of tables.values()) {
    for (const [uuid, before] of table.touched) {
      const row = table.rows.get(uuid);
      if (row === undefined && before === undefined) continue;
      const after = row === undefined || before === undefined ? row : { ...row, version: newVersion() };
      if (after !== undefined) table.rows.set(uuid, after);
      changes.push({ table: table.name, uuid, before, after });
    }
    keepIndexes(table);
    table.touched.clear();
  }
  counts.keep();
  return changes;
}
