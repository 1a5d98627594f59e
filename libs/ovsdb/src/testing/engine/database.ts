import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject } from '../../notation/json.js';
import { isUuid, type Uuid } from '../../notation/uuid.js';
import type { DatabaseSchema, TableSchema } from '../../schema/types.js';
import { commitTables } from './commit.js';
import { type Clause, readClauses } from './condition.js';
import { checkConstraints, datumKey, type Symbols } from './datum.js';
import { readMutations } from './mutation.js';
import { Blocked, OperationError } from './operation-error.js';
import { columnDatum, columnTypeIn, defaultValues, type EngineRow, readValues, writeColumns } from './row.js';
import { type EngineChange, EngineTable } from './table.js';
import { ID } from './wire-syntax.js';

/** What a transaction may ask of its session. */
export interface TransactionContext {
  /** Milliseconds since the transaction first arrived. */
  readonly elapsedMs: number;
  ownsLock(id: string): boolean;
}

/** The answer of a transaction, and what it changed. */
export interface TransactionOutcome {
  readonly results: readonly unknown[];
  readonly changes: readonly EngineChange[];
}

type Executor = (operation: JsonObject, run: Run) => JsonObject;

interface Run {
  readonly database: EngineDatabase;
  readonly context: TransactionContext;
  readonly symbols: Symbols;
  readonly created: Set<string>;
  /** Gives the UUID of an insert to its name; throws when the name was used before. */
  name(name: string, uuid: Uuid | undefined): Uuid;
}

const MEMBERS: { readonly [op: string]: readonly string[] } = {
  insert: ['table', 'row', 'uuid', 'uuid-name'],
  select: ['table', 'where', 'columns', 'sort'],
  update: ['table', 'where', 'row'],
  mutate: ['table', 'where', 'mutations'],
  delete: ['table', 'where'],
  wait: ['timeout', 'table', 'where', 'columns', 'until', 'rows'],
  commit: ['durable'],
  abort: [],
  comment: ['comment'],
  assert: ['lock'],
};
const isArray = (value: unknown): boolean => Array.isArray(value);
const isString = (value: unknown): boolean => typeof value === 'string';
const isId = (value: unknown): boolean => typeof value === 'string' && ID.test(value);
const MEMBER_TYPES: { readonly [member: string]: (value: unknown) => boolean } = {
  ...{ table: isId, row: isObject, uuid: isString, 'uuid-name': isId, where: isArray, columns: isArray, sort: isArray },
  ...{ mutations: isArray, until: isString, rows: isArray, comment: isString, lock: isId },
  timeout: (value) => typeof value === 'number' || typeof value === 'bigint',
  durable: (value) => typeof value === 'boolean',
};
const OPTIONAL: ReadonlySet<string> = new Set(['uuid', 'uuid-name', 'columns', 'sort', 'timeout']);

function newUuid(): Uuid {
  return randomUUID() as string as Uuid;
}

/** One database in memory. Transactions run one after another and to their end. */
export class EngineDatabase {
  readonly schema: DatabaseSchema;
  readonly tables: ReadonlyMap<string, EngineTable>;

  constructor(schema: DatabaseSchema) {
    this.schema = schema;
    this.tables = new Map([...schema.tables].map(([name, table]) => [name, new EngineTable(name, table)]));
  }

  /** Runs operations in wire notation. Throws Blocked when a `wait` does not hold yet; nothing has happened then. */
  transact(operations: readonly unknown[], context: TransactionContext): TransactionOutcome {
    const results: unknown[] = [];
    const names = new Map<string, Uuid>();
    const created = new Set<string>();
    const symbols: Symbols = (name) => {
      const uuid = names.get(name) ?? newUuid();
      names.set(name, uuid);
      return uuid;
    };
    const run: Run = {
      database: this,
      context,
      symbols,
      created,
      name: (name, uuid) => {
        if (created.has(name)) {
          const details = 'This "uuid-name" appeared on an earlier "insert" operation.';
          throw new OperationError('duplicate uuid-name', details, name);
        }
        created.add(name);
        if (uuid !== undefined) names.set(name, uuid);
        return symbols(name);
      },
    };
    try {
      operations.forEach((operation, i) => {
        results.push(this.#execute(operation, `ovsdb operation ${i + 1} of ${operations.length}`, run));
      });
    } catch (error) {
      this.#rollback();
      if (!(error instanceof OperationError)) throw error;
      results.push(error.toWire());
      while (results.length < operations.length) results.push(null);
      return { results, changes: [] };
    }
    try {
      return { results, changes: commitTables(this.tables, newUuid) };
    } catch (error) {
      this.#rollback();
      if (!(error instanceof OperationError)) throw error;
      return { results: [...results, error.toWire()], changes: [] };
    }
  }

  /** The table, or undefined. */
  table(name: string): EngineTable | undefined {
    return this.tables.get(name);
  }

  #rollback(): void {
    for (const table of this.tables.values()) table.rollback();
  }

  #execute(operation: unknown, title: string, run: Run): JsonObject {
    const fail = (details: string): OperationError =>
      new OperationError('syntax error', `Parsing ${title} failed: ${details}`, operation);
    if (!isObject(operation)) throw new OperationError('syntax error', `Parsing ${title} failed: Object expected.`);
    const op = operation.op;
    if (typeof op !== 'string') throw fail("Required 'op' member is missing.");
    const members = MEMBERS[op];
    const executor = EXECUTORS[op];
    if (members === undefined || executor === undefined) throw fail(`No operation "${op}"`);
    for (const member of members) {
      if (operation[member] !== undefined && MEMBER_TYPES[member]?.(operation[member]) === false)
        throw fail(`Type mismatch for member '${member}'.`);
    }
    if ('table' in operation && this.tables.get(String(operation.table)) === undefined) {
      throw fail(`No table named ${String(operation.table)}.`);
    }
    for (const member of members) {
      if (operation[member] === undefined && !OPTIONAL.has(member))
        throw fail(`Required '${member}' member is missing.`);
    }
    for (const member of Object.keys(operation)) {
      if (member !== 'op' && !members.includes(member))
        throw fail(`Member '${member}' is present but not allowed here.`);
    }
    return executor(operation, run);
  }
}

function tableOf(operation: JsonObject, run: Run): EngineTable {
  const table = run.database.table(String(operation.table));
  if (table === undefined) throw new OperationError('syntax error', `No table named ${String(operation.table)}.`);
  return table;
}

function clausesOf(operation: JsonObject, table: EngineTable, run: Run): readonly Clause[] {
  return readClauses(table.name, table.schema, operation.where, run.symbols);
}

/** Rows that meet all conditions; a condition on `_uuid` alone needs no scan. */
function matching(operation: JsonObject, table: EngineTable, run: Run): EngineRow[] {
  const clauses = clausesOf(operation, table, run);
  const [first] = operation.where as readonly unknown[];
  let candidates: Iterable<EngineRow> = table.rows.values();
  if (Array.isArray(first) && first[0] === '_uuid' && first[1] === '==' && Array.isArray(first[2])) {
    const uuid = first[2][0] === 'named-uuid' ? run.symbols(String(first[2][1])) : first[2][1];
    const row = table.rows.get(uuid);
    candidates = row === undefined ? [] : [row];
  }
  return [...candidates].filter((row) => clauses.every((holds) => holds(row)));
}

function columnsOf(json: unknown, schema: TableSchema): readonly string[] {
  if (json === undefined) return ['_uuid', '_version', ...schema.columns.keys()];
  if (!Array.isArray(json) || json.some((name) => typeof name !== 'string') || new Set(json).size !== json.length) {
    throw new OperationError('syntax error', 'array of distinct column names expected', json);
  }
  for (const name of json) {
    if (columnTypeIn(schema, name) === undefined) {
      throw new OperationError('syntax error', `${name} is not a valid column name`, json);
    }
  }
  return json as string[];
}

function rowKey(row: EngineRow, columns: readonly string[]): string {
  return columns.map((column) => datumKey(columnDatum(row, column))).join('\n');
}

function insertUuid(operation: JsonObject, table: EngineTable, run: Run): Uuid {
  let uuid: Uuid | undefined;
  if (operation.uuid !== undefined) {
    if (typeof operation.uuid !== 'string' || !isUuid(operation.uuid)) {
      throw new OperationError('syntax error', 'bad uuid', operation.uuid);
    }
    uuid = operation.uuid;
    if (table.rows.has(uuid) || table.touched.get(uuid) !== undefined) {
      throw new OperationError(
        'duplicate uuid',
        `This UUID would duplicate a UUID already present within the "${table.name}" table or deleted from this table within the same transaction.`,
        uuid,
      );
    }
  }
  const name = operation['uuid-name'];
  return typeof name === 'string' ? run.name(name, uuid) : (uuid ?? newUuid());
}

function sortRows(rows: EngineRow[], json: unknown, table: EngineTable): EngineRow[] {
  if (json === undefined) return rows;
  const columns = columnsOf(json, table.schema);
  const order = (a: EngineRow, b: EngineRow): number => {
    for (const column of columns) {
      const [x, y] = [columnDatum(a, column), columnDatum(b, column)];
      const [i, j] = [[...x.values()][0], [...y.values()][0]];
      if (i !== undefined && j !== undefined && i !== j) return i < j ? -1 : 1;
    }
    return 0;
  };
  return rows.sort(order);
}

const EXECUTORS: { readonly [op: string]: Executor } = {
  insert: (operation, run) => {
    const table = tableOf(operation, run);
    const uuid = insertUuid(operation, table, run);
    const values = {
      ...defaultValues(table.schema),
      ...readValues(table.name, table.schema, operation.row, run.symbols),
    };
    // A default may break the constraints of its own column.
    for (const [column, { type }] of table.schema.columns) {
      const datum = values[column];
      if (datum !== undefined) checkConstraints(type, datum);
    }
    table.put(uuid, { uuid, version: newUuid(), values });
    return { uuid: ['uuid', uuid] };
  },
  select: (operation, run) => {
    const table = tableOf(operation, run);
    const rows = matching(operation, table, run);
    const columns = columnsOf(operation.columns, table.schema);
    const distinct = new Map(rows.map((row) => [rowKey(row, columns), row]));
    const sorted = sortRows([...distinct.values()], operation.sort, table);
    return { rows: sorted.map((row) => writeColumns(table.schema, row, columns)) };
  },
  update: (operation, run) => {
    const table = tableOf(operation, run);
    const values = readValues(table.name, table.schema, operation.row, run.symbols);
    for (const column of Object.keys(values)) {
      if (table.schema.columns.get(column)?.mutable !== true) {
        const details = `Cannot update immutable column ${column} in table ${table.name}.`;
        throw new OperationError('constraint violation', details, operation);
      }
    }
    const rows = matching(operation, table, run);
    for (const row of rows) table.put(row.uuid, { ...row, values: { ...row.values, ...values } });
    return { count: rows.length };
  },
  mutate: (operation, run) => {
    const table = tableOf(operation, run);
    const mutations = readMutations(table.name, table.schema, operation.mutations, run.symbols);
    const rows = matching(operation, table, run);
    for (const row of rows) {
      const values = { ...row.values };
      for (const { column, apply } of mutations) values[column] = apply(columnDatum({ ...row, values }, column));
      table.put(row.uuid, { ...row, values });
    }
    return { count: rows.length };
  },
  delete: (operation, run) => {
    const table = tableOf(operation, run);
    const rows = matching(operation, table, run);
    for (const { uuid } of rows) table.put(uuid, undefined);
    return { count: rows.length };
  },
  wait: (operation, run) => {
    const table = tableOf(operation, run);
    const columns = columnsOf(operation.columns, table.schema);
    const { until, rows, timeout } = operation;
    if (until !== '==' && until !== '!=')
      throw new OperationError('syntax error', '"until" must be "==" or "!="', until);
    if (!Array.isArray(rows)) throw new OperationError('syntax error', 'array expected', rows);
    if (typeof timeout === 'number' && timeout < 0)
      throw new OperationError('syntax error', 'timeout must be nonnegative', timeout);
    const blank: EngineRow = { uuid: newUuid(), version: newUuid(), values: defaultValues(table.schema) };
    const wanted = new Set(
      rows.map((row) => {
        const { _uuid, _version, ...values } = readValues(table.name, table.schema, row, run.symbols);
        const [uuid, version] = [keyAtom(_uuid) ?? blank.uuid, keyAtom(_version) ?? blank.version];
        return rowKey({ uuid, version, values: { ...blank.values, ...values } }, columns);
      }),
    );
    const actual = new Set(matching(operation, table, run).map((row) => rowKey(row, columns)));
    const equal = wanted.size === actual.size && [...wanted].every((key) => actual.has(key));
    if ((until === '==') === equal) return {};
    const timeoutMs = typeof timeout === 'number' ? timeout : Number.POSITIVE_INFINITY;
    const { elapsedMs } = run.context;
    if (elapsedMs < timeoutMs) throw new Blocked(timeoutMs);
    const details = timeoutMs > 0 ? `"wait" timed out after ${Math.round(elapsedMs)} ms` : '"where" clause test failed';
    throw new OperationError('timed out', details);
  },
  commit: () => ({}),
  abort: () => {
    throw new OperationError('aborted', 'aborted by request');
  },
  comment: () => ({}),
  assert: (operation, run) => {
    const lock = String(operation.lock);
    if (!run.context.ownsLock(lock)) throw new OperationError('not owner', `Asserted lock ${lock} not held.`);
    return {};
  },
};

function keyAtom(datum: unknown): Uuid | undefined {
  return Array.isArray(datum) ? (datum[0] as Uuid) : undefined;
}
