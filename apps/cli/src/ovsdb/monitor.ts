import {
  type AnyTables,
  type DatabaseSchema,
  type ReplicaChange,
  sameValue,
  type TableChange,
  type Value,
} from 'ovsdb-client';
import { cellsOf, type LooseRow } from './dump.js';
import type { Entry, Grid } from './print.js';

/** A table to watch. */
export interface Watched {
  readonly table: string;
  readonly columns: readonly string[];
}

type Line = readonly [uuid: string, action: string, row: LooseRow, shown: (column: string) => boolean];

function grid(schema: DatabaseSchema, { table, columns }: Watched, caption: boolean, lines: readonly Line[]): Grid {
  const rows = lines.map(([uuid, action, row, shown]): Entry[] => {
    const cells = cellsOf(schema, table, columns, row);
    return [uuid, action, ...columns.map((column, i) => (shown(column) ? cells[i] : undefined))];
  });
  return { ...(caption ? { caption: table } : {}), headings: ['row', 'action', ...columns], rows };
}

const all = () => true;

/** The rows that are there at first; nothing for a table without. */
export function initialGrid(
  schema: DatabaseSchema,
  watched: Watched,
  caption: boolean,
  rows: Iterable<LooseRow>,
): Grid | undefined {
  const lines = [...rows].map((row): Line => [String(row._uuid), 'initial', row, all]);
  return lines.length === 0 ? undefined : grid(schema, watched, caption, lines);
}

function linesOf({ added, changed, removed }: TableChange<LooseRow>): Line[] {
  return [
    ...removed.map((row): Line => [String(row._uuid), 'delete', row, all]),
    ...changed.flatMap(({ before, after }): Line[] => [
      [String(after._uuid), 'old', before, (column) => !sameValue(before[column] as Value, after[column] as Value)],
      ['', 'new', after, all],
    ]),
    ...added.map((row): Line => [String(row._uuid), 'insert', row, all]),
  ];
}

/** What one change did to the watched tables, as ovsdb-client tells it: of "old" rows only the columns that changed. */
export function changeGrids(
  schema: DatabaseSchema,
  watched: readonly Watched[],
  caption: boolean,
  change: ReplicaChange<AnyTables, { readonly [table: string]: { readonly columns: readonly string[] } }>,
): Grid[] {
  return watched.flatMap((each) => {
    const changed = change.tables[each.table];
    return changed === undefined ? [] : [grid(schema, each, caption, linesOf(changed as TableChange<LooseRow>))];
  });
}
