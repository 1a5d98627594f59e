import { NotationError } from '../errors.js';
import { isUuid, Ref } from '../notation/uuid.js';
import { encodeValue } from '../notation/value.js';
import type { ConditionFunction, Mutator, WireCondition, WireMutation, WireRow, WireValue } from '../notation/wire.js';
import type { ColumnType, DatabaseSchema, TableSchema } from '../schema/types.js';

const UUID_TYPE: ColumnType = { key: { type: 'uuid' }, min: 1, max: 1 };

/** The table's schema. Throws NotationError when there is none. */
export function tableOf(schema: DatabaseSchema, table: string): TableSchema {
  const found = schema.tables.get(table);
  if (found === undefined) throw new NotationError(`${schema.name}.${table}`, 'no such table');
  return found;
}

/** The column's type; `_uuid` and `_version` stand in every table (RFC 7047 §3.2). Throws NotationError when there is none. */
export function columnTypeOf(schema: DatabaseSchema, table: string, column: string): ColumnType {
  if (column === '_uuid' || column === '_version') return UUID_TYPE;
  const found = tableOf(schema, table).columns.get(column);
  if (found === undefined) throw new NotationError(`${schema.name}.${table}.${column}`, 'no such column');
  return found.type;
}

/** Writes a row. `undefined` stands for "empty" in optional columns, and is refused in others. */
export function encodeRow(schema: DatabaseSchema, table: string, row: object): WireRow {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      encodeValue(columnTypeOf(schema, table, column), value, `${table}.${column}`),
    ]),
  );
}

const ORDERING: ReadonlySet<ConditionFunction> = new Set<ConditionFunction>(['<', '<=', '>=', '>']);

function encodeCondition(schema: DatabaseSchema, table: string, raw: unknown): WireCondition {
  if (typeof raw === 'boolean') return raw;
  const [column, fn, value] = raw as readonly [string, ConditionFunction, unknown];
  const type = columnTypeOf(schema, table, column);
  const path = `${table}.${column}`;
  if (ORDERING.has(fn)) return [column, fn, encodeValue({ ...type, min: 1, max: 1 }, value, path)];
  // "includes" and "excludes" may name fewer elements than the column must hold (RFC 7047 §5.1).
  return [column, fn, encodeValue(fn === '==' || fn === '!=' ? type : { ...type, min: 0 }, value, path)];
}

/** Writes the conditions of `where`: a UUID, a Ref, or a list of conditions. */
export function encodeWhere(schema: DatabaseSchema, table: string, where: unknown): readonly WireCondition[] {
  tableOf(schema, table);
  if (where instanceof Ref) return [['_uuid', '==', ['named-uuid', where.name]]];
  if (typeof where === 'string') {
    if (!isUuid(where)) throw new NotationError(`${table}._uuid`, `${JSON.stringify(where)} is not a UUID`);
    return [['_uuid', '==', ['uuid', where]]];
  }
  if (!Array.isArray(where)) throw new NotationError(table, 'where needs a UUID, a Ref or a list of conditions');
  return where.map((condition) => encodeCondition(schema, table, condition));
}

function encodeOperand(type: ColumnType, mutator: Mutator, value: unknown, path: string): WireValue {
  if (mutator === 'insert') return encodeValue({ ...type, min: 0, max: Number.POSITIVE_INFINITY }, value, path);
  if (mutator === 'delete') {
    // A map loses pairs, or keys whatever their values (RFC 7047 §5.1).
    const keysOnly = type.value !== undefined && Array.isArray(value);
    const operand: ColumnType = { key: type.key, min: 0, max: Number.POSITIVE_INFINITY };
    return encodeValue(keysOnly || type.value === undefined ? operand : { ...operand, value: type.value }, value, path);
  }
  return encodeValue({ key: type.key, min: 1, max: 1 }, value, path);
}

/** Writes mutations. */
export function encodeMutations(
  schema: DatabaseSchema,
  table: string,
  mutations: readonly unknown[],
): readonly WireMutation[] {
  return mutations.map((raw) => {
    const [column, mutator, value] = raw as readonly [string, Mutator, unknown];
    const type = columnTypeOf(schema, table, column);
    return [column, mutator, encodeOperand(type, mutator, value, `${table}.${column}`)] as const;
  });
}
