import type {
  ColumnName,
  DatabaseTypes,
  InsertRow,
  Mutation,
  RowOf,
  TableName,
  UpdateRow,
  Where,
} from '../model/tables.js';
import type { Ref, Uuid } from '../notation/uuid.js';
import type { OperationResult } from '../notation/wire.js';

declare const rowOf: unique symbol;

/** Names an operation whose answer is a count. */
export interface CountHandle {
  readonly kind: 'count';
  readonly operation: number;
}

/** Names a select. */
export interface RowsHandle<Row> {
  readonly kind: 'rows';
  readonly operation: number;
  readonly [rowOf]?: Row;
}

/** Deadline, abort and kind of a commit. */
export interface CommitOptions {
  /** For the answer of the server and, where asked for, of ovs-vswitchd: 30 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The server answers only when the change is on disk (RFC 7047 §5.2.7). */
  readonly durable?: boolean;
  /**
   * Only for Open_vSwitch: raises next_cfg in the same transaction and resolves when ovs-vswitchd has applied it
   * (cur_cfg reached that value). Rejects with InterfaceError when an inserted Interface was not realized.
   */
  readonly waitForVswitchd?: boolean;
}

/** Answers of a committed transaction. */
export interface CommitResult {
  /** One answer for each operation, in the order of the calls. */
  readonly operations: readonly OperationResult[];
  /** The UUID that an inserted row got. */
  uuid<K extends string>(ref: Ref<K>): Uuid<K>;
  /** How many rows an update, mutate or delete matched. */
  count(handle: CountHandle): number;
  /** Rows of a select. */
  rows<Row>(handle: RowsHandle<Row>): readonly Row[];
  /** The value that cur_cfg reached; undefined without waitForVswitchd. */
  readonly cfg: number | undefined;
}

/** A wait operation: the transaction goes on when the columns of the matching rows are (or are not) exactly these rows. */
export interface WaitRequest<T extends DatabaseTypes, K extends TableName<T>> {
  readonly where: Where<T, K>;
  readonly columns: readonly ColumnName<T, K>[];
  readonly until: '==' | '!=';
  readonly rows: readonly InsertRow<T, K>[];
  /** 0, the default, fails at once with code `timed out`. */
  readonly timeoutMs?: number;
}

/** Collects the operations of one transaction; nothing is sent before commit. */
export interface Transaction<T extends DatabaseTypes> {
  /**
   * Inserts a row. The Ref stands for its UUID in later and earlier operations of this transaction. The server chooses the
   * UUID unless one is given, which ovsdb-server takes from version 3.1 on.
   */
  insert<K extends TableName<T>>(
    table: K,
    row: InsertRow<T, NoInfer<K>>,
    options?: { readonly uuid?: Uuid<NoInfer<K>> },
  ): Ref<K>;
  update<K extends TableName<T>>(table: K, where: Where<T, NoInfer<K>>, row: UpdateRow<T, NoInfer<K>>): CountHandle;
  mutate<K extends TableName<T>>(
    table: K,
    where: Where<T, NoInfer<K>>,
    mutations: readonly Mutation<T, NoInfer<K>>[],
  ): CountHandle;
  delete<K extends TableName<T>>(table: K, where: Where<T, NoInfer<K>>): CountHandle;
  select<K extends TableName<T>, C extends ColumnName<T, K> = ColumnName<T, K>>(
    table: K,
    where: Where<T, NoInfer<K>>,
    columns?: readonly C[],
  ): RowsHandle<Pick<RowOf<T, K>, Extract<C | '_uuid', keyof RowOf<T, K>>>>;
  wait<K extends TableName<T>>(table: K, request: WaitRequest<T, NoInfer<K>>): void;
  /** Fails the transaction with code `timed out` unless the columns of this row still have these values (optimistic concurrency). */
  verify<K extends TableName<T>>(
    table: K,
    row: { readonly _uuid: Uuid<NoInfer<K>> },
    columns: readonly ColumnName<T, NoInfer<K>>[],
  ): void;
  /** A remark for the server's log of transactions. */
  comment(text: string): void;
  /** Fails the transaction with code `not owner` unless this connection holds the lock. */
  assert(lock: string): void;
  /** Fails the transaction with code `aborted`; for trying out the rest. */
  abort(): void;
  /** Sends the transaction. A Transaction commits once. */
  commit(options?: CommitOptions): Promise<CommitResult>;
}
