import { NotationError } from '../errors.js';
import { columnTypeOf, encodeMutations, encodeRow, encodeWhere, tableOf } from '../model/encode.js';
import type { AnyRow } from '../model/tables.js';
import { Ref, type Uuid } from '../notation/uuid.js';
import { decodeValue } from '../notation/value.js';
import type { Operation, OperationResult, WireRow } from '../notation/wire.js';
import type { DatabaseSchema } from '../schema/types.js';
import type { CommitOptions, CommitResult, CountHandle, RowsHandle } from './types.js';

type Encoder = (schema: DatabaseSchema) => Operation;

/** What a commit needs of the connection. */
export type Committer = (draft: TransactionDraft, options: CommitOptions) => Promise<CommitResult>;

/** An inserted row, for what comes after the commit. */
export interface InsertedRow {
  readonly ref: Ref;
  readonly operation: number;
}

/** Transaction without types; see Transaction for the meaning of its members. */
export class TransactionDraft {
  readonly database: string;
  readonly #commit: Committer;
  readonly #encoders: Encoder[] = [];
  readonly #selects = new Map<number, { readonly table: string; readonly columns: readonly string[] | undefined }>();
  readonly #inserted: InsertedRow[] = [];
  #committed = false;

  constructor(database: string, commit: Committer) {
    this.database = database;
    this.#commit = commit;
  }

  get inserted(): readonly InsertedRow[] {
    return this.#inserted;
  }

  get size(): number {
    return this.#encoders.length;
  }

  insert(table: string, row: object, options: { readonly uuid?: Uuid } = {}): Ref {
    // Tables may have any <id> as name, so the name alone could clash with nothing but another row of ours.
    const ref = new Ref(table, `row${this.#encoders.length}`);
    const operation = this.#add((schema) => {
      tableOf(schema, table);
      return { op: 'insert', table, row: encodeRow(schema, table, row), 'uuid-name': ref.name, ...options };
    });
    this.#inserted.push({ ref, operation });
    return ref;
  }

  update(table: string, where: unknown, row: object): CountHandle {
    return this.#count((schema) => ({
      op: 'update',
      table,
      where: encodeWhere(schema, table, where),
      row: encodeRow(schema, table, row),
    }));
  }

  mutate(table: string, where: unknown, mutations: readonly unknown[]): CountHandle {
    return this.#count((schema) => ({
      op: 'mutate',
      table,
      where: encodeWhere(schema, table, where),
      mutations: encodeMutations(schema, table, mutations),
    }));
  }

  delete(table: string, where: unknown): CountHandle {
    return this.#count((schema) => ({ op: 'delete', table, where: encodeWhere(schema, table, where) }));
  }

  select(table: string, where: unknown, columns?: readonly string[]): RowsHandle<AnyRow> {
    const operation = this.#add((schema) => {
      const named = columns === undefined ? {} : { columns: [...new Set(['_uuid', ...columns])] };
      return { op: 'select', table, where: encodeWhere(schema, table, where), ...named };
    });
    this.#selects.set(operation, { table, columns });
    return { kind: 'rows', operation };
  }

  wait(
    table: string,
    request: {
      readonly where: unknown;
      readonly columns: readonly string[];
      readonly until: '==' | '!=';
      readonly rows: readonly object[];
      readonly timeoutMs?: number;
    },
  ): void {
    this.#add((schema) => ({
      op: 'wait',
      table,
      where: encodeWhere(schema, table, request.where),
      columns: request.columns,
      until: request.until,
      rows: request.rows.map((row) => encodeRow(schema, table, row)),
      timeout: request.timeoutMs ?? 0,
    }));
  }

  verify(table: string, row: { readonly _uuid: Uuid }, columns: readonly string[]): void {
    const values = row as unknown as AnyRow;
    const expected = Object.fromEntries(columns.map((column) => [column, values[column]]));
    this.wait(table, { where: row._uuid, columns, until: '==', rows: [expected] });
  }

  comment(text: string): void {
    this.#add(() => ({ op: 'comment', comment: text }));
  }

  assert(lock: string): void {
    this.#add(() => ({ op: 'assert', lock }));
  }

  abort(): void {
    this.#add(() => ({ op: 'abort' }));
  }

  commit(options: CommitOptions = {}): Promise<CommitResult> {
    if (this.#committed) return Promise.reject(new NotationError('transaction', 'was committed already'));
    this.#committed = true;
    return this.#commit(this, options);
  }

  /** The operations in wire notation. Throws NotationError where a name or value does not fit the schema. */
  encode(schema: DatabaseSchema): Operation[] {
    return this.#encoders.map((encoder) => encoder(schema));
  }

  /** Makes the answers readable by handle. */
  result(schema: DatabaseSchema, operations: readonly OperationResult[], cfg: number | undefined): CommitResult {
    const uuids = new Map(this.#inserted.map(({ ref, operation }) => [ref as Ref, operations[operation]?.uuid?.[1]]));
    const rows = (handle: RowsHandle<unknown>): readonly AnyRow[] => {
      const select = this.#selects.get(handle.operation);
      if (select === undefined) throw new NotationError('transaction', `operation ${handle.operation} is no select`);
      return (operations[handle.operation]?.rows ?? []).map((row) => decodeRow(schema, select.table, row));
    };
    return {
      operations,
      cfg,
      uuid: (ref) => {
        const found = uuids.get(ref);
        if (found === undefined)
          throw new NotationError('transaction', `${ref.name} was not inserted by this transaction`);
        return found as never;
      },
      count: (handle) => operations[handle.operation]?.count ?? 0,
      rows: rows as CommitResult['rows'],
    };
  }

  #add(encoder: Encoder): number {
    if (this.#committed) throw new NotationError('transaction', 'was committed already');
    return this.#encoders.push(encoder) - 1;
  }

  #count(encoder: Encoder): CountHandle {
    return { kind: 'count', operation: this.#add(encoder) };
  }
}

/** Reads a row that a select answered. Throws NotationError. */
export function decodeRow(schema: DatabaseSchema, table: string, row: WireRow): AnyRow {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      decodeValue(columnTypeOf(schema, table, column), value, `${table}.${column}`),
    ]),
  ) as AnyRow;
}
