import type { AnyTables, ColumnName, Condition, DatabaseTypes, RowOf, TableName } from '../model/tables.js';
import type { Uuid } from '../notation/uuid.js';
import type { DatabaseSchema } from '../schema/types.js';

/** What to monitor in one table. */
export interface TableRequest<T extends DatabaseTypes, K extends keyof T> {
  /** Columns to replicate; all of the server's schema unless told. */
  readonly columns?: readonly ColumnName<T, K>[];
  /**
   * Rows to replicate: those that meet ANY of these conditions (ovsdb-server(7) §4.1.12). Without, or with an empty list,
   * all; `[false]` is none, for a table whose rows are asked for later by setWhere.
   */
  readonly where?: readonly (Condition<RowOf<T, K>> | boolean)[];
}

/** What to monitor: table name to TableRequest. */
export type MonitorRequest<T extends DatabaseTypes> = { readonly [K in TableName<T>]?: TableRequest<T, K> };

/** A row of a replica: all columns, or those that the request names, and `_uuid`. */
export type ReplicaRow<T extends DatabaseTypes, R, K extends keyof T> = K extends keyof R
  ? R[K] extends { readonly columns: readonly (infer C)[] }
    ? Pick<RowOf<T, K>, Extract<C | '_uuid', keyof RowOf<T, K>>>
    : RowOf<T, K>
  : RowOf<T, K>;

/** One row before and after a change. Rows are never changed in place. */
export interface RowChange<Row> {
  readonly before: Row;
  readonly after: Row;
}

/** What changed in one table. */
export interface TableChange<Row> {
  readonly added: readonly Row[];
  readonly changed: readonly RowChange<Row>[];
  readonly removed: readonly Row[];
}

/** Names of the replicated tables. */
export type ReplicatedTable<T extends DatabaseTypes, R> = keyof T & keyof R & string;

/** One transaction of the server, or the difference that a reconnection brought. */
export interface ReplicaChange<T extends DatabaseTypes, R> {
  /** `update`: one transaction. `resync`: the connection was lost, this is what is different since. */
  readonly cause: 'update' | 'resync';
  /** Tables with changes only. */
  readonly tables: { readonly [K in ReplicatedTable<T, R>]?: TableChange<ReplicaRow<T, R, K>> };
}

/** Finds rows by the values of some columns, without a scan. */
export interface ReplicaIndex<Row> {
  /** The row with these values; the first inserted where several have them. */
  get(...values: readonly unknown[]): Row | undefined;
  /** All rows with these values. */
  all(...values: readonly unknown[]): readonly Row[];
}

/** One replicated table. */
export interface ReplicaTable<Row, K extends string = string> {
  /** The current rows; a live view that moves from transaction to transaction. */
  readonly rows: ReadonlyMap<Uuid<K>, Row>;
  get(uuid: Uuid<K>): Row | undefined;
  /** The rows that references point to; those absent (weak references, conditions) are left out. */
  resolve(uuids: readonly Uuid<K>[] | Uuid<K> | undefined): readonly Row[];
  /** An index over scalar columns, kept up to date from now on. The same columns give the same index. */
  index(...columns: readonly (keyof Row & string)[]): ReplicaIndex<Row>;
  /** The row whose `name` column has this value. */
  byName(name: string): Row | undefined;
}

/** Deadline and abort of a wait. */
export interface WaitOptions {
  /** 30 s unless told; Infinity for ever. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Whether a replica follows the server. `stale`: the connection is lost, the rows are the last known. */
export type ReplicaState = 'synced' | 'stale' | 'closed';

/** A copy of a part of a database, moved forward a whole transaction at a time, over reconnections too. */
export interface Replica<T extends DatabaseTypes = AnyTables, R = MonitorRequest<T>> {
  readonly database: string;
  readonly state: ReplicaState;
  /** The server's schema, as of the last (re)connection. */
  readonly schema: DatabaseSchema;
  /** A replicated table. Throws RangeError for one that was not requested. */
  table<K extends ReplicatedTable<T, R>>(name: K): ReplicaTable<ReplicaRow<T, R, K>, K>;
  /** Calls back after every change, rows already moved. Returns the function that stops it. */
  onChange(listener: (change: ReplicaChange<T, R>) => void): () => void;
  /** Calls back when the replica becomes synced, stale or closed. Returns the function that stops it. */
  onState(listener: (state: ReplicaState) => void): () => void;
  /** Resolves with the predicate's first answer that is neither undefined, null nor false; asks now and after every change. */
  waitFor<V>(predicate: (replica: Replica<T, R>) => V | undefined | null | false, options?: WaitOptions): Promise<V>;
  /** Changes one after another. A reader that is slow gets several transactions merged, so memory stays bounded by the database. */
  changes(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<ReplicaChange<T, R>>;
  /**
   * Changes the conditions of tables (ovsdb-server(7) §4.1.13); rows come and go as changes. Resolves when the server has
   * taken them, the changes applied; at once while there is no connection, as the next one asks with the new conditions.
   */
  setWhere(where: { readonly [K in ReplicatedTable<T, R>]?: TableRequest<T, K>['where'] }): Promise<void>;
  /** Ends the monitor. The rows stay readable. */
  close(): void;
}
