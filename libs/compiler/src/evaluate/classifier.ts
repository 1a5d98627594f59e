import type { Flow } from '../model/output.js';
import { EvaluateError } from './errors.js';
import { type FieldValue, fieldRow, readField, type Slots } from './fields.js';

/** Table lookup as Open vSwitch does it, conjunctive match (ovs-fields(7), "Conjunctive match fields") included. */

interface Test {
  readonly field: string;
  readonly value: FieldValue;
  /** Absent for an exact match. */
  readonly mask: FieldValue | undefined;
}

interface Clause {
  readonly id: number;
  readonly clause: number;
  readonly of: number;
}

interface Entry {
  readonly flow: Flow;
  readonly tests: readonly Test[];
  readonly conjId: number | undefined;
  /** Clauses that the flow gives instead of actions; undefined for an ordinary flow. */
  readonly clauses: readonly Clause[] | undefined;
}

/** Flows of one table, highest priority first. */
export type Table = readonly Entry[];

export interface Found {
  readonly flow: Flow;
  /** The flows whose clauses together gave the conj_id that `flow` matches; empty otherwise. */
  readonly conjunction: readonly Flow[];
}

const isMasked = (v: unknown): v is readonly [FieldValue, FieldValue] => Array.isArray(v);

function compileTests(flow: Flow): { tests: Test[]; conjId: number | undefined } {
  const tests: Test[] = [];
  let conjId: number | undefined;
  for (const [field, wanted] of Object.entries(flow.match) as [
    string,
    FieldValue | readonly [FieldValue, FieldValue],
  ][]) {
    // tlvBytes is a matter of encoding, not of matching.
    if (wanted === undefined || field === 'tlvBytes') continue;
    const [value, mask] = isMasked(wanted) ? wanted : [wanted, undefined];
    if (field === 'conj_id') conjId = Number(value);
    else {
      fieldRow(field);
      tests.push({ field, value, mask });
    }
  }
  return { tests, conjId };
}

function compileClauses(flow: Flow): readonly Clause[] | undefined {
  const clauses: Clause[] = [];
  let others = 0;
  for (const instruction of flow.instructions) {
    if (instruction.kind !== 'apply_actions') others++;
    else
      for (const action of instruction.actions) {
        if (action.kind === 'conjunction') clauses.push({ id: action.id, clause: action.clause, of: action.of });
        else others++;
      }
  }
  if (clauses.length === 0) return undefined;
  // ofp-actions(7): "conjunction" may stand beside nothing but "note".
  if (others > 0)
    throw new EvaluateError(`table ${flow.tableId}`, `flow ${flow.key} mixes conjunction with other actions`);
  return clauses;
}

/** Some ten megabytes of entries; a large cluster has millions of flows. */
const MAX_KNOWN = 20_000;
let known = new WeakMap<Flow, Entry>();
let knownCount = 0;

/** Flows are never changed, and those that are equal on many nodes exist once: whoever evaluates again need not look into them again. */
function entryOf(flow: Flow): Entry {
  const found = known.get(flow);
  if (found !== undefined) return found;
  const entry = { flow, ...compileTests(flow), clauses: compileClauses(flow) };
  if (++knownCount > MAX_KNOWN) [known, knownCount] = [new WeakMap(), 1];
  known.set(flow, entry);
  return entry;
}

/** The tables of a flow set, each made ready when a packet first comes there. */
export class Tables {
  readonly #flows = new Map<number, Flow[]>();
  readonly #ready = new Map<number, Table>();

  constructor(flows: Iterable<Flow>) {
    for (const flow of flows) {
      const table = this.#flows.get(flow.tableId);
      if (table === undefined) this.#flows.set(flow.tableId, [flow]);
      else table.push(flow);
    }
  }

  /** @throws EvaluateError for matches that are not modelled. */
  get(tableId: number): Table {
    const ready = this.#ready.get(tableId);
    if (ready !== undefined) return ready;
    const table = (this.#flows.get(tableId) ?? []).map(entryOf).sort((a, b) => b.flow.priority - a.flow.priority);
    this.#ready.set(tableId, table);
    return table;
  }
}

function passes(slots: Slots, test: Test): boolean {
  const got = readField(slots, test.field);
  if (test.mask === undefined) return got === test.value;
  if (typeof got === 'number' && typeof test.mask === 'number' && typeof test.value === 'number')
    return ((got & test.mask) ^ (test.value & test.mask)) === 0;
  const mask = BigInt(test.mask);
  return (BigInt(got) & mask) === (BigInt(test.value) & mask);
}

const matches = (slots: Slots, entry: Entry): boolean => entry.tests.every((t) => passes(slots, t));

/** The flow that the packet hits, or undefined on a table miss. */
export function lookup(table: Table, slots: Slots): Found | undefined {
  for (let from = 0; from < table.length; ) {
    const priority = table[from]?.flow.priority;
    let to = from;
    const hard: Entry[] = [];
    const soft: Entry[] = [];
    for (; to < table.length && table[to]?.flow.priority === priority; to++) {
      const entry = table[to];
      if (entry === undefined || !matches(slots, entry)) continue;
      if (entry.clauses !== undefined) soft.push(entry);
      else if (entry.conjId === undefined) hard.push(entry);
    }
    // An ordinary flow beats clauses of its own priority.
    if (hard.length > 0) return { flow: single(hard), conjunction: [] };
    for (const id of completeIds(soft)) {
      const found = lookupConjId(table, slots, id);
      if (found !== undefined)
        return { flow: found, conjunction: soft.filter((e) => e.clauses?.some((c) => c.id === id)).map((e) => e.flow) };
    }
    from = to;
  }
  return undefined;
}

/** Second lookup, with conj_id set: ordinary flows and those that match the id, clauses left out. */
function lookupConjId(table: Table, slots: Slots, id: number): Flow | undefined {
  const hits = table.filter(
    (e) => e.clauses === undefined && (e.conjId === undefined || e.conjId === id) && matches(slots, e),
  );
  const best = hits.filter((e) => e.flow.priority === hits[0]?.flow.priority);
  return best.length === 0 ? undefined : single(best);
}

/** Ids of which every clause is there, lowest first (OVS takes any one of them). */
function completeIds(soft: readonly Entry[]): number[] {
  const seen = new Map<number, { of: number; clauses: Set<number> }>();
  for (const { clauses } of soft)
    for (const { id, clause, of } of clauses ?? []) {
      const known = seen.get(id);
      if (known === undefined) seen.set(id, { of, clauses: new Set([clause]) });
      else known.clauses.add(clause);
    }
  return [...seen]
    .filter(([, { of, clauses }]) => clauses.size === of)
    .map(([id]) => id)
    .sort((a, b) => a - b);
}

const text = (value: unknown): string => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));

/** Which of several flows of one priority OVS takes is undefined: an error, unless all of them do the same. */
function single(entries: readonly Entry[]): Flow {
  const [first, ...rest] = entries as [Entry, ...Entry[]];
  const other = rest.find((e) => text(e.flow.instructions) !== text(first.flow.instructions));
  if (other !== undefined)
    throw new EvaluateError(
      `table ${first.flow.tableId}`,
      `flows of one priority match the same packet and differ: ${first.flow.key} and ${other.flow.key}`,
    );
  return first.flow;
}
