import { NotationError } from '../errors.js';
import { expectObject, isObject, type JsonObject } from '../notation/json.js';
import type { Uuid } from '../notation/uuid.js';
import { applyDifference, decodeValue, sameValue, type Value } from '../notation/value.js';
import { JsonText } from '../rpc/json-text.js';
import type { PlannedTable } from './plan.js';
import type { CachedRow, CachedTable } from './table.js';

/** One row to replace: undefined before means new, undefined after means gone. */
export interface RowEdit {
  readonly table: CachedTable;
  readonly uuid: Uuid;
  readonly before: CachedRow | undefined;
  readonly after: CachedRow | undefined;
}

/** The plan and rows that updates are read against. */
export interface EditContext {
  readonly plan: ReadonlyMap<string, PlannedTable>;
  readonly tables: ReadonlyMap<string, CachedTable>;
}

type MutableRow = { _uuid: Uuid; [column: string]: Value };

/** A whole row; columns that the update leaves out hold their default (ovsdb-server(7) §4.1.14). */
function wholeRow(plan: PlannedTable, uuid: Uuid, wire: JsonObject): CachedRow {
  const row: MutableRow = { ...plan.emptyRow, _uuid: uuid };
  for (const name of Object.keys(wire)) {
    const column = plan.columnByName.get(name);
    if (column !== undefined) row[name] = decodeValue(column.type, wire[name], name);
  }
  return row;
}

function patchedRow(plan: PlannedTable, before: CachedRow, wire: JsonObject, isDifference: boolean): CachedRow {
  const row: MutableRow = { ...before };
  for (const name of Object.keys(wire)) {
    const column = plan.columnByName.get(name);
    if (column === undefined) continue;
    const value = decodeValue(
      column.type.max > 1 && isDifference ? { ...column.type, min: 0 } : column.type,
      wire[name],
      name,
    );
    row[name] = isDifference ? applyDifference(column.type, before[name], value) : value;
  }
  return row;
}

function editOfUpdate2(plan: PlannedTable, table: CachedTable, uuid: Uuid, update: JsonObject): RowEdit {
  const before = table.get(uuid);
  if (isObject(update.insert)) return { table, uuid, before, after: wholeRow(plan, uuid, update.insert) };
  if (isObject(update.initial)) return { table, uuid, before, after: wholeRow(plan, uuid, update.initial) };
  if (isObject(update.modify)) {
    if (before === undefined) throw new NotationError(`${plan.name}.${uuid}`, 'modify of an unknown row');
    return { table, uuid, before, after: patchedRow(plan, before, update.modify, true) };
  }
  if ('delete' in update) return { table, uuid, before, after: undefined };
  throw new NotationError(`${plan.name}.${uuid}`, 'no initial, insert, modify or delete');
}

function editOfUpdate1(plan: PlannedTable, table: CachedTable, uuid: Uuid, update: JsonObject): RowEdit {
  const before = table.get(uuid);
  if (!isObject(update.new)) return { table, uuid, before, after: undefined };
  const after = before === undefined ? wholeRow(plan, uuid, update.new) : patchedRow(plan, before, update.new, false);
  return { table, uuid, before, after };
}

/**
 * Reads `<table-updates>` (RFC 7047 §4.1.6, version 1) or `<table-updates2>` (ovsdb-server(7) §4.1.14, version 2) without
 * touching the tables, so that a faulty update changes nothing. Throws NotationError.
 */
export function readEdits(context: EditContext, updates: unknown, version: 1 | 2): RowEdit[] {
  const edits: RowEdit[] = [];
  const read = version === 1 ? editOfUpdate1 : editOfUpdate2;
  for (const [name, rows] of Object.entries(expectObject(updates, 'table-updates'))) {
    const plan = context.plan.get(name);
    const table = context.tables.get(name);
    if (plan === undefined || table === undefined) throw new NotationError(name, 'update of a table not monitored');
    for (const [uuid, update] of Object.entries(expectObject(rows, name))) {
      edits.push(read(plan, table, uuid as Uuid, expectObject(update, `${name}.${uuid}`)));
    }
  }
  return edits;
}

function sameRow(plan: PlannedTable, a: CachedRow, b: CachedRow): boolean {
  return plan.columns.every(({ name }) => sameValue(a[name], b[name]));
}

type Entries = Iterable<readonly [string, unknown]>;

/** The members of an object that may still be text. */
function entriesOf(value: unknown, path: string): Entries {
  return value instanceof JsonText ? value.entries() : Object.entries(expectObject(value, path));
}

/**
 * Reads a fresh snapshot, parsed or as text, as the edits that lead from the rows we have to it. Rows that are the same
 * stay the same objects. Throws NotationError.
 */
export function readSnapshot(
  plan: ReadonlyMap<string, PlannedTable>,
  current: ReadonlyMap<string, CachedTable>,
  updates: unknown,
  version: 1 | 2,
): RowEdit[] {
  const member = version === 1 ? 'new' : 'initial';
  const edits: RowEdit[] = [];
  const gone = new Map([...current.values()].map((table) => [table, new Set(table.rows.keys())]));
  for (const [name, rows] of entriesOf(updates, 'table-updates')) {
    const planned = plan.get(name);
    const table = current.get(name);
    if (planned === undefined || table === undefined)
      throw new NotationError(name, 'snapshot of a table not monitored');
    for (const [key, raw] of entriesOf(rows, name)) {
      const uuid = key as Uuid;
      const update = expectObject(raw instanceof JsonText ? raw.parse() : raw, `${name}.${uuid}`);
      const wire = expectObject(update[member] ?? update.insert, `${name}.${uuid}.${member}`);
      const before = table.get(uuid);
      const after = wholeRow(planned, uuid, wire);
      gone.get(table)?.delete(uuid);
      if (before === undefined || !sameRow(planned, before, after)) edits.push({ table, uuid, before, after });
    }
  }
  for (const [table, uuids] of gone) {
    for (const uuid of uuids) edits.push({ table, uuid, before: table.get(uuid), after: undefined });
  }
  return edits;
}
