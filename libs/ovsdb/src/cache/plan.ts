import { NotationError } from '../errors.js';
import { encodeWhere } from '../model/encode.js';
import { defaultValue, shapeOf, type Value } from '../notation/value.js';
import type { WireCondition } from '../notation/wire.js';
import type { ColumnType, DatabaseSchema } from '../schema/types.js';

/** A column to replicate. */
export interface PlannedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** A table to replicate, its request resolved against the server's schema. */
export interface PlannedTable {
  readonly name: string;
  readonly columns: readonly PlannedColumn[];
  readonly columnByName: ReadonlyMap<string, PlannedColumn>;
  /** A row with every column at its default, to be copied. */
  readonly emptyRow: { readonly [column: string]: Value };
  readonly where: readonly WireCondition[] | undefined;
}

/** A monitor request of which the types are gone. */
export type PlainRequest = {
  readonly [table: string]: { readonly columns?: readonly string[]; readonly where?: readonly unknown[] } | undefined;
};

/**
 * Objects that grow one computed name after another become hash tables, five times as large as those with a fixed layout;
 * JSON.parse gives a fixed layout, and copies keep it.
 */
function emptyRow(columns: readonly PlannedColumn[]): { readonly [column: string]: Value } {
  const row = JSON.parse(
    JSON.stringify(Object.fromEntries(['_uuid', ...columns.map(({ name }) => name)].map((name) => [name, null]))),
  );
  for (const { name, type } of columns) row[name] = defaultValue(type);
  return row;
}

/** Resolves a request against a schema. Throws NotationError for a table or column that the server does not have. */
export function planMonitor(schema: DatabaseSchema, request: PlainRequest): ReadonlyMap<string, PlannedTable> {
  const plan = new Map<string, PlannedTable>();
  for (const [name, wanted] of Object.entries(request)) {
    if (wanted === undefined) continue;
    const table = schema.tables.get(name);
    if (table === undefined) throw new NotationError(`${schema.name}.${name}`, 'the server has no such table');
    const names = (wanted.columns ?? [...table.columns.keys()]).filter((column) => column !== '_uuid');
    const columns = names.map((column) => {
      const found = table.columns.get(column);
      if (found === undefined)
        throw new NotationError(`${schema.name}.${name}.${column}`, 'the server has no such column');
      return { name: column, type: found.type };
    });
    plan.set(name, {
      name,
      columns,
      columnByName: new Map(columns.map((column) => [column.name, column])),
      emptyRow: emptyRow(columns),
      where: wanted.where === undefined ? undefined : encodeWhere(schema, name, wanted.where),
    });
  }
  return plan;
}

/** The `<monitor-cond-requests>` of a plan; `withConditions` false gives RFC 7047's `<monitor-requests>`. */
export function monitorRequests(plan: ReadonlyMap<string, PlannedTable>, withConditions: boolean): object {
  return Object.fromEntries(
    [...plan.values()].map(({ name, columns, where }) => {
      if (where !== undefined && !withConditions)
        throw new NotationError(name, 'the server has no conditional monitors');
      return [name, [{ columns: columns.map((column) => column.name), ...(where === undefined ? {} : { where }) }]];
    }),
  );
}

/** Whether an index can be kept over a column: at most one atom a row. */
export function isScalar(column: PlannedColumn): boolean {
  const shape = shapeOf(column.type);
  return shape === 'scalar' || shape === 'optional';
}
