import {
  type AnyTables,
  type AnyValue,
  type ColumnType,
  type DatabaseSchema,
  defineDatabase,
  type OvsdbClient,
  type Value,
} from 'ovsdb-client';
import { type Cell, compareCells } from './cells.js';
import type { Grid } from './print.js';

const UUID: ColumnType = { key: { type: 'uuid' }, min: 1, max: 1 };

/** Type of a column; `_uuid` and `_version` stand in every table. @throws RangeError where there is no such column */
export function typeOfColumn(schema: DatabaseSchema, table: string, column: string): ColumnType {
  if (column === '_uuid' || column === '_version') return UUID;
  const found = schema.tables.get(table)?.columns.get(column);
  if (found === undefined) throw new RangeError(`Table ${table} in ${schema.name} has no column "${column}"`);
  return found.type;
}

/** Names of columns of a table, sorted. @throws RangeError where there is no such table */
export function columnNames(schema: DatabaseSchema, table: string): readonly string[] {
  const found = schema.tables.get(table);
  if (found === undefined) {
    const known = [...schema.tables.keys()].sort().join(', ');
    throw new RangeError(`${schema.name} has no table "${table}"; it has ${known}`);
  }
  return [...found.columns.keys()].sort();
}

/** A row of which only the columns asked for are there. */
export type LooseRow = { readonly [column: string]: AnyValue };

/** Cells of a row. */
export const cellsOf = (schema: DatabaseSchema, table: string, columns: readonly string[], row: LooseRow): Cell[] =>
  columns.map((column) => ({ type: typeOfColumn(schema, table, column), value: row[column] as Value }));

const isRandom = ({ type }: Cell): boolean => type.key.type === 'uuid' || type.value?.type === 'uuid';

/** By the columns from left to right; UUIDs, being random, decide last. */
function compareRows(a: readonly Cell[], b: readonly Cell[]): number {
  for (const random of [false, true]) {
    for (const [i, cell] of a.entries()) {
      const order = isRandom(cell) === random ? compareCells(cell, b[i] as Cell) : 0;
      if (order !== 0) return order;
    }
  }
  return 0;
}

/** Tables of a database as one transaction sees them: all, or one with all or some of its columns. */
export async function dump(
  client: OvsdbClient,
  schema: DatabaseSchema,
  table: string | undefined,
  columns: readonly string[],
): Promise<Grid[]> {
  const names = table === undefined ? [...schema.tables.keys()].sort() : [table];
  const wanted = names.map((name) => {
    const all = columnNames(schema, name);
    for (const column of columns) typeOfColumn(schema, name, column);
    return { name, columns: columns.length > 0 ? [...columns].sort() : ['_uuid', ...all] };
  });
  const transaction = client.transaction(defineDatabase<AnyTables>(schema.name));
  const selects = wanted.map((each) => transaction.select(each.name, [], each.columns));
  const result = await transaction.commit();
  return wanted.map(({ name, columns }, i) => {
    const handle = selects[i];
    const rows = handle === undefined ? [] : result.rows(handle);
    return {
      caption: `${name} table`,
      headings: columns,
      rows: rows.map((row) => cellsOf(schema, name, columns, row)).sort(compareRows),
    };
  });
}
