import type { Uuid } from '../../notation/uuid.js';
import type { TableSchema } from '../../schema/types.js';
import { datumKey } from './datum.js';
import { columnDatum, type EngineRow } from './row.js';

/** One row before and after a transaction. */
export interface EngineChange {
  readonly table: string;
  readonly uuid: Uuid;
  readonly before: EngineRow | undefined;
  readonly after: EngineRow | undefined;
}

/** The rows of one table, with what the open transaction has done to them. */
export class EngineTable {
  readonly name: string;
  readonly schema: TableSchema;
  readonly rows = new Map<Uuid, EngineRow>();
  /** Strong references to each row from other rows, as of the last commit. */
  readonly references = new Map<Uuid, number>();
  /** For each index of the schema: its values to the row that has them, as of the last commit. */
  readonly indexes: readonly Map<string, Uuid>[];
  /** The rows that the open transaction touched, as they were before; undefined where there was none. */
  readonly touched = new Map<Uuid, EngineRow | undefined>();

  constructor(name: string, schema: TableSchema) {
    this.name = name;
    this.schema = schema;
    this.indexes = schema.indexes.map(() => new Map());
  }

  /** Replaces or deletes a row within the open transaction. */
  put(uuid: Uuid, row: EngineRow | undefined): void {
    if (!this.touched.has(uuid)) this.touched.set(uuid, this.rows.get(uuid));
    if (row === undefined) this.rows.delete(uuid);
    else this.rows.set(uuid, row);
  }

  /** Takes back what the open transaction did. */
  rollback(): void {
    for (const [uuid, before] of this.touched) {
      if (before === undefined) this.rows.delete(uuid);
      else this.rows.set(uuid, before);
    }
    this.touched.clear();
  }

  /** The values of a row in one index. */
  indexKey(index: number, row: EngineRow): string {
    return (this.schema.indexes[index] ?? []).map((column) => datumKey(columnDatum(row, column))).join('\n');
  }
}
