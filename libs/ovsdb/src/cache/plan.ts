import { NotationError } from '../errors.js';
import { encodeWhere } from '../model/encode.js';
import { defaultValue, shapeOf, type Value } from '../notation/value.js';
import type { WireCondition } from '../notation/wire.js';
import type { ColumnType, DatabaseSchema } from '../schema/types.js';

/** A column to replicate. */
export interface PlannedColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly fallback: Value;
}

/** A table to replicate, its request resolved against the server's schema. */
export interface PlannedTable {
  readonly name: string;
  readonly columns: readonly PlannedColumn[];
  readonly columnByName: ReadonlyMap<string, PlannedColumn>;
  readonly where: readonly WireCondition[] | undefined;
}

/** A monitor request of which the types are gone. */
export type PlainRequest = {
  readonly [table: string]: { readonly columns?: readonly string[]; readonly where?: readonly unknown[] } | undefined;
};

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
      return { name: column, type: found.type, fallback: defaultValue(found.type) };
    });
    plan.set(name, {
      name,
      columns,
      columnByName: new Map(columns.map((column) => [column.name, column])),
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
