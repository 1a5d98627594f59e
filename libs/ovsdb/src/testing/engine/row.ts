import type { Uuid } from '../../notation/uuid.js';
import type { WireRow } from '../../notation/wire.js';
import type { ColumnType, TableSchema } from '../../schema/types.js';
import { type Datum, defaultDatum, readDatum, type Symbols, writeDatum } from './datum.js';
import { OperationError } from './operation-error.js';

/** A row of the engine; replaced, never changed. */
export interface EngineRow {
  readonly uuid: Uuid;
  /** Changes with every commit that changes the row. */
  readonly version: Uuid;
  readonly values: { readonly [column: string]: Datum };
}

const UUID_TYPE: ColumnType = { key: { type: 'uuid' }, min: 1, max: 1 };

/** The type of a column, `_uuid` and `_version` included. */
export function columnTypeIn(schema: TableSchema, column: string): ColumnType | undefined {
  return column === '_uuid' || column === '_version' ? UUID_TYPE : schema.columns.get(column)?.type;
}

/** The value of a column, `_uuid` and `_version` included. */
export function columnDatum(row: EngineRow, column: string): Datum {
  if (column === '_uuid') return [row.uuid];
  if (column === '_version') return [row.version];
  const datum = row.values[column];
  if (datum === undefined) throw new OperationError('internal error', `row without column ${column}`);
  return datum;
}

/** The columns of a schema in their defaults. */
export function defaultValues(schema: TableSchema): { [column: string]: Datum } {
  return Object.fromEntries([...schema.columns].map(([name, { type }]) => [name, defaultDatum(type)]));
}

/** Reads the columns that a `<row>` names. Throws OperationError. */
export function readValues(
  table: string,
  schema: TableSchema,
  json: unknown,
  symbols: Symbols,
): { [column: string]: Datum } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new OperationError('syntax error', 'row must be JSON object', json);
  }
  return Object.fromEntries(
    Object.entries(json).map(([column, wire]) => {
      const type = columnTypeIn(schema, column);
      if (type === undefined)
        throw new OperationError('unknown column', `No column ${column} in table ${table}.`, json);
      return [column, readDatum(type, wire, symbols)];
    }),
  );
}

/** Writes some columns of a row. */
export function writeColumns(schema: TableSchema, row: EngineRow, columns: Iterable<string>): WireRow {
  return Object.fromEntries(
    [...columns].map((column) => {
      const type = columnTypeIn(schema, column);
      if (type === undefined) throw new OperationError('internal error', `no column ${column}`);
      return [column, writeDatum(type, columnDatum(row, column))];
    }),
  );
}
