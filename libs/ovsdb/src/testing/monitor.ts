import { isObject } from '../notation/json.js';
import { type Uuid, ZERO_UUID } from '../notation/uuid.js';
import { type Atom, compareAtoms, sameValue } from '../notation/value.js';
import type { ColumnType, TableSchema } from '../schema/types.js';
import { type Clause, readClauses } from './engine/condition.js';
import type { EngineDatabase } from './engine/database.js';
import { type Datum, defaultDatum, writeDatum } from './engine/datum.js';
import { OperationError } from './engine/operation-error.js';
import { columnDatum, columnTypeIn, type EngineRow, writeColumns } from './engine/row.js';
import type { EngineChange, EngineTable } from './engine/table.js';

type Kind = 'initial' | 'insert' | 'delete' | 'modify';
const KINDS: readonly Kind[] = ['initial', 'insert', 'delete', 'modify'];

interface WatchedTable {
  /** For each kind of change, the columns that want to hear of it. */
  readonly columns: { readonly [K in Kind]: readonly string[] };
  /** A row is seen when one of them holds; undefined: every row. */
  readonly clauses: readonly Clause[] | undefined;
}

/** `<table-updates>` or `<table-updates2>`; undefined when nothing is to be told. */
export type Updates = { readonly [table: string]: { readonly [uuid: string]: object } };

const noNames = (): Uuid => ZERO_UUID as Uuid;

function readWhere(table: EngineTable, where: unknown): readonly Clause[] | undefined {
  if (where === undefined || (Array.isArray(where) && where.length === 0)) return undefined;
  return readClauses(table.name, table.schema, where, noNames);
}

const MEMBER_TYPES: { readonly [member: string]: (value: unknown) => boolean } = {
  columns: Array.isArray,
  select: isObject,
  where: Array.isArray,
};

function readTable(table: EngineTable, json: unknown): WatchedTable {
  const columns: { [K in Kind]: string[] } = { initial: [], insert: [], delete: [], modify: [] };
  let where: unknown;
  for (const request of Array.isArray(json) ? json : [json]) {
    if (!isObject(request)) throw new OperationError('syntax error', 'object expected', json);
    const mistyped = Object.entries(MEMBER_TYPES).find(
      ([member, fits]) => request[member] !== undefined && !fits(request[member]),
    );
    if (mistyped !== undefined) {
      const details = `Parsing table ${table.name} failed: Type mismatch for member '${mistyped[0]}'.`;
      throw new OperationError('syntax error', details, request);
    }
    const select = isObject(request.select) ? request.select : {};
    const named = Array.isArray(request.columns) ? request.columns.map(String) : [...table.schema.columns.keys()];
    for (const name of named) {
      if (columnTypeIn(table.schema, name) === undefined) {
        throw new OperationError('syntax error', `${name} is not a valid column name`, request);
      }
    }
    const unknown = Object.keys(select).find((kind) => !KINDS.includes(kind as Kind));
    if (unknown !== undefined) {
      const details = `Parsing table ${table.name} select failed: Member '${unknown}' is present but not allowed here.`;
      throw new OperationError('syntax error', details, select);
    }
    const twice = named.find((name, i) => named.indexOf(name) !== i);
    if (twice !== undefined)
      throw new OperationError('syntax error', `column ${twice} mentioned more than once`, request);
    for (const kind of KINDS) if (select[kind] !== false) columns[kind].push(...named);
    if (request.where !== undefined) where = request.where;
  }
  return { columns, clauses: readWhere(table, where) };
}

function difference(type: ColumnType, before: Datum, after: Datum): Datum {
  if (type.max === 1) return after;
  if (after instanceof Map) {
    const old = before as ReadonlyMap<Atom, Atom>;
    const gone = [...old].filter(([key]) => !after.has(key));
    const set = [...after].filter(([key, item]) => old.get(key) !== item);
    return new Map([...gone, ...set]);
  }
  const [a, b] = [new Set(before as readonly Atom[]), new Set(after as readonly Atom[])];
  return [...[...a].filter((atom) => !b.has(atom)), ...[...b].filter((atom) => !a.has(atom))].sort(compareAtoms);
}

function changedColumns(columns: readonly string[], before: EngineRow, after: EngineRow): readonly string[] {
  return columns.filter((column) => !sameValue(columnDatum(before, column), columnDatum(after, column)));
}

function update1(
  schema: TableSchema,
  watched: WatchedTable,
  kind: Kind,
  before: EngineRow | undefined,
  after: EngineRow | undefined,
): object | undefined {
  const columns = watched.columns[kind];
  if (columns.length === 0 && kind !== 'delete') return undefined;
  if (after === undefined) return before === undefined ? undefined : { old: writeColumns(schema, before, columns) };
  if (before === undefined) return { new: writeColumns(schema, after, columns) };
  const changed = changedColumns(columns, before, after);
  if (changed.length === 0) return undefined;
  return { old: writeColumns(schema, before, changed), new: writeColumns(schema, after, columns) };
}

function update2(
  schema: TableSchema,
  watched: WatchedTable,
  kind: Kind,
  before: EngineRow | undefined,
  after: EngineRow | undefined,
): object | undefined {
  const columns = watched.columns[kind];
  if (after === undefined) return before === undefined ? undefined : { delete: null };
  if (before === undefined) {
    const named = columns.filter((column) => {
      const type = columnTypeIn(schema, column);
      return type === undefined || !sameValue(columnDatum(after, column), defaultDatum(type));
    });
    return { [kind === 'initial' ? 'initial' : 'insert']: writeColumns(schema, after, named) };
  }
  const changed = changedColumns(columns, before, after);
  if (changed.length === 0) return undefined;
  return {
    modify: Object.fromEntries(
      changed.map((column) => {
        const type = columnTypeIn(schema, column) as ColumnType;
        const datum = difference(type, columnDatum(before, column), columnDatum(after, column));
        return [column, writeDatum(type.max > 1 ? { ...type, min: 0 } : type, datum)];
      }),
    ),
  };
}

/** One monitor of a session (RFC 7047 §4.1.5, ovsdb-server(7) §4.1.12 to §4.1.15). */
export class Monitor {
  readonly id: unknown;
  readonly database: string;
  /** 1: `update`, 2: `update2`, 3: `update3`. */
  readonly version: 1 | 2 | 3;
  readonly #engine: EngineDatabase;
  readonly #tables = new Map<string, WatchedTable>();

  constructor(id: unknown, version: 1 | 2 | 3, engine: EngineDatabase, requests: unknown) {
    this.id = id;
    this.version = version;
    this.database = engine.schema.name;
    this.#engine = engine;
    if (!isObject(requests)) throw new OperationError('syntax error', 'monitor-requests must be object', requests);
    for (const [name, json] of Object.entries(requests)) {
      const table = engine.table(name);
      if (table === undefined) throw new OperationError('syntax error', `no table named ${name}`, requests);
      this.#tables.set(name, readTable(table, json));
    }
  }

  /** All rows as they are. */
  initial(): Updates {
    const changes = [...this.#tables.keys()].flatMap((table) =>
      [...(this.#engine.table(table)?.rows.values() ?? [])].map((row) => ({
        table,
        uuid: row.uuid,
        before: undefined,
        after: row,
      })),
    );
    return this.updates(changes, 'initial') ?? {};
  }

  /** What this monitor is to be told of changes. */
  updates(changes: Iterable<EngineChange>, insertKind: 'initial' | 'insert' = 'insert'): Updates | undefined {
    const updates: { [table: string]: { [uuid: string]: object } } = {};
    for (const { table, uuid, before, after } of changes) {
      const watched = this.#tables.get(table);
      if (watched === undefined) continue;
      const sees = (row: EngineRow | undefined): EngineRow | undefined =>
        row !== undefined && (watched.clauses === undefined || watched.clauses.some((holds) => holds(row)))
          ? row
          : undefined;
      this.#put(updates, table, uuid, watched, insertKind, sees(before), sees(after));
    }
    return Object.keys(updates).length === 0 ? undefined : updates;
  }

  /** Takes other conditions; gives the rows that come and go with them. */
  changeConditions(requests: unknown): Updates | undefined {
    if (!isObject(requests)) throw new OperationError('syntax error', 'monitor-requests must be object', requests);
    const updates: { [table: string]: { [uuid: string]: object } } = {};
    for (const [name, json] of Object.entries(requests)) {
      const watched = this.#tables.get(name);
      const table = this.#engine.table(name);
      if (watched === undefined || table === undefined) {
        throw new OperationError('syntax error', `no table named ${name}`, requests);
      }
      const [request] = Array.isArray(json) ? json : [json];
      const clauses = readWhere(table, isObject(request) ? request.where : undefined);
      const saw = watched.clauses;
      const next: WatchedTable = { columns: watched.columns, clauses };
      this.#tables.set(name, next);
      for (const row of table.rows.values()) {
        const before = saw === undefined || saw.some((holds) => holds(row)) ? row : undefined;
        const after = clauses === undefined || clauses.some((holds) => holds(row)) ? row : undefined;
        if ((before === undefined) !== (after === undefined))
          this.#put(updates, name, row.uuid, next, 'insert', before, after);
      }
    }
    return Object.keys(updates).length === 0 ? undefined : updates;
  }

  #put(
    updates: { [table: string]: { [uuid: string]: object } },
    table: string,
    uuid: Uuid,
    watched: WatchedTable,
    insertKind: 'initial' | 'insert',
    before: EngineRow | undefined,
    after: EngineRow | undefined,
  ): void {
    const schema = this.#engine.table(table)?.schema;
    if (schema === undefined) return;
    const kind: Kind = before === undefined ? insertKind : after === undefined ? 'delete' : 'modify';
    const compose = this.version === 1 ? update1 : update2;
    const wanted = watched.columns[kind].length > 0 || (before === undefined && after === undefined);
    const update = wanted ? compose(schema, watched, kind, before, after) : undefined;
    if (update === undefined) return;
    updates[table] ??= {};
    (updates[table] as { [uuid: string]: object })[uuid] = update;
  }
}
