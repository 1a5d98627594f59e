export type {
  MonitorRequest,
  Replica,
  ReplicaChange,
  ReplicaIndex,
  ReplicaRow,
  ReplicaState,
  ReplicaTable,
  ReplicatedTable,
  RowChange,
  TableChange,
  TableRequest,
  WaitOptions,
} from './cache/types.js';
export { type Clock, systemClock } from './clock.js';
export {
  ConnectionError,
  type FailedInterface,
  InterfaceError,
  NotationError,
  type Outcome,
  OvsdbError,
  type OvsdbErrorCode,
  TimeoutError,
} from './errors.js';
export { emitTypes } from './generate/emit.js';
export * from './generated/open-vswitch.js';
export {
  type AnyRow,
  type AnyTables,
  type AnyValue,
  type ColumnName,
  type Condition,
  type DatabaseRef,
  type DatabaseTypes,
  defineDatabase,
  type InsertRow,
  type Mutation,
  type RowOf,
  type TableName,
  type TableTypes,
  type UpdateRow,
  type Where,
  type Writable,
} from './model/tables.js';
export { formatJson, parseJson } from './notation/json.js';
export { isUuid, Ref, type Uuid, uuid, ZERO_UUID } from './notation/uuid.js';
export {
  type Atom,
  applyDifference,
  compareAtoms,
  decodeValue,
  defaultValue,
  encodeValue,
  sameValue,
  type Value,
} from './notation/value.js';
export type {
  ConditionFunction,
  Mutator,
  Operation,
  OperationResult,
  WireAtom,
  WireCondition,
  WireMutation,
  WireRow,
  WireValue,
} from './notation/wire.js';
export type { CallOptions, CloseReason } from './rpc/connection.js';
export { JsonStream, type JsonStreamLimits } from './rpc/json-stream.js';
export {
  parseBaseType,
  parseColumnSchema,
  parseColumnType,
  parseDatabaseSchema,
  parseTableSchema,
} from './schema/parse.js';
export type { AtomicType, BaseType, ColumnSchema, ColumnType, DatabaseSchema, TableSchema } from './schema/types.js';
export { connectOvsdb } from './session/dial.js';
export { listenOvsdb } from './session/listen.js';
export type {
  ClientEvents,
  ClientState,
  ConnectOptions,
  ListenOptions,
  OvsdbClient,
  OvsdbListener,
  OvsdbLock,
  Peer,
  ReconnectOptions,
  RequestOf,
  SessionOptions,
  TablesOf,
  TlsOptions,
} from './session/types.js';
export type {
  CommitOptions,
  CommitResult,
  CountHandle,
  RowsHandle,
  Transaction,
  WaitRequest,
} from './transaction/types.js';
