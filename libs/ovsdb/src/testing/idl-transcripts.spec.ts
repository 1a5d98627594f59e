import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MergedChanges, type PlainChange } from '../cache/change.js';
import type { ReplicaCore } from '../cache/replica.js';
import type { CachedRow } from '../cache/table.js';
import { parseJson } from '../notation/json.js';
import { type Atom, sameValue } from '../notation/value.js';
import { ClientCore } from '../session/client.js';
import { connectOvsdb } from '../session/dial.js';
import { startTestServer } from './index.js';

const scalar = (type: string) => ({ type });
const set = (key: string | object, max: number | 'unlimited' = 'unlimited') => ({ type: { key, min: 0, max } });
const ref = (refTable: string, refType: 'strong' | 'weak' = 'strong') => ({ type: 'uuid', refTable, refType });
const map = (key: string, value: string) => ({ type: { key, value, min: 0, max: 'unlimited' } });
const root = (columns: object, more: object = {}) => ({ isRoot: true, columns, ...more });

/** The tables that the IDL cases of the Open vSwitch tests use, as their expected output shows them. */
const IDL_SCHEMA = {
  name: 'idltest',
  version: '1.2.3',
  tables: {
    simple: root({
      ...{ i: scalar('integer'), r: scalar('real'), b: scalar('boolean'), s: scalar('string'), u: scalar('uuid') },
      ...{ ia: set('integer'), ra: set('real'), ba: set('boolean', 2), sa: set('string'), ua: set('uuid') },
    }),
    simple2: root({ name: scalar('string'), smap: map('string', 'string'), imap: map('integer', 'string') }),
    simple3: root({ name: scalar('string'), uset: set('uuid'), uref: set(ref('simple4')) }),
    simple4: { isRoot: false, columns: { name: scalar('string') } },
    simple6: root({ name: scalar('string'), weak_ref: set(ref('simple', 'weak')) }),
    link1: root({
      ...{ i: scalar('integer'), k: { type: { key: ref('link1') } }, ka: set(ref('link1')), l2: set(ref('link2'), 1) },
    }),
    link2: root({ i: scalar('integer'), l1: set(ref('link1'), 1) }),
    indexed: root({ i: scalar('integer') }, { indexes: [['i']] }),
  },
};

const file = new URL('../../../../../shared/ovsdb/transcripts/', import.meta.url).pathname;
const failures = new URL('../../known-failures.txt', import.meta.url).pathname;
const present = existsSync(file);
if (!present) console.log(`skipped: no transcripts in ${file}`);

interface IdlCase {
  readonly macro: string;
  readonly title: string;
  readonly args: readonly string[];
}
const read = (name: string): IdlCase[] =>
  present ? (parseJson(readFileSync(`${file}${name}`, 'utf8')) as { cases: IdlCase[] }).cases : [];

const MACROS = /^OVSDB_CHECK_IDL(_TRACK|_WO_MONITOR_COND|_NOTIFY)?$/;
// Commands of the test program that stand for nothing in this library.
const FOREIGN = /^\+?(set-remote|partial|getrec|fetch)|\$/;

/** Words in single quotes of a shell command; what stands outside of quotes separates them. */
const shellWords = (text: string): string[] => [...text.matchAll(/'([^']*)'/g)].map(([, word]) => word ?? '');

interface Script {
  readonly title: string;
  readonly track: boolean;
  readonly initial: readonly string[];
  readonly steps: readonly string[];
  readonly blocks: readonly (readonly string[])[];
}

function scriptOf({ macro, title, args }: IdlCase): Script | undefined {
  if (!MACROS.test(macro) || title.includes('$')) return undefined;
  const expectedAt = args.findIndex((each) => /^000: /.test(each));
  if (expectedAt < 1) return undefined;
  const given = args.slice(0, expectedAt).map(shellWords);
  const steps = given.at(-1) ?? [];
  if (steps.some((step) => FOREIGN.test(step))) return undefined;
  const blocks: string[][] = [];
  for (const line of (args[expectedAt] ?? '').trim().split('\n')) {
    const [, number, text] = /^(\d{3}): (.*)$/.exec(line) ?? [];
    if (number === undefined || text === undefined || text === 'done') continue;
    if (blocks[Number(number)] === undefined) blocks[Number(number)] = [];
    blocks[Number(number)]?.push(text);
  }
  return { title, track: macro.endsWith('TRACK'), initial: given.length > 1 ? (given[0] ?? []) : [], steps, blocks };
}

const plain = (text: string): string =>
  text.replace(/<\d+>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<>').replace(/"([^"]*)"/g, '$1');
// The members of an object have no order.
const sortMembers = (text: string): string => (text.startsWith('{') ? [...text].sort().join('') : text);
const comparable = (lines: readonly string[]): string[] => lines.map((line) => sortMembers(plain(line))).sort();

const COLUMNS = new Map(Object.entries(IDL_SCHEMA.tables).map(([name, { columns }]) => [name, Object.keys(columns)]));

/** A row as the test program prints it: a link as the number of the row it points to. */
function rowText(replica: ReplicaCore, table: string, row: CachedRow): string {
  const atom = (column: string, value: Atom): string => {
    const isLink = table.startsWith('link') && column !== 'i';
    if (!isLink) return String(value);
    const target = replica.table(column.startsWith('k') || column === 'l1' ? 'link1' : 'link2').get(value as never);
    return String(target?.i ?? '');
  };
  const present = (column: string, value: Atom): boolean =>
    column !== 'uref' || replica.table('simple4').get(value as never) !== undefined;
  const cells = (COLUMNS.get(table) ?? []).map((column) => {
    const value = row[column];
    if (!Array.isArray(value)) return `${column}=${value === undefined ? '' : atom(column, value as Atom)}`;
    const atoms = (value as Atom[]).filter((each) => present(column, each)).map((each) => atom(column, each));
    return `${column}=[${atoms.sort().join(' ')}]`;
  });
  return `${[...cells, `uuid=${row._uuid}`].join(' ')}`;
}

function stateText(replica: ReplicaCore): string[] {
  const lines = [...COLUMNS.keys()].flatMap((table) =>
    [...replica.table(table).rows.values()].map((row) => `table ${table}: ${rowText(replica, table, row)}`),
  );
  return lines.length === 0 ? ['empty'] : lines;
}

/** What a change tracker is told: rows that came and went, and the columns that changed. */
function changeText(replica: ReplicaCore, changes: readonly PlainChange[]): string[] {
  return changes.flatMap(({ tables }) =>
    Object.entries(tables).flatMap(([table, { added, changed, removed }]) => [
      ...added.map((row) => `table ${table}: inserted row: ${rowText(replica, table, row)}`),
      ...removed.map((row) => `table ${table}: deleted row: ${rowText(replica, table, row)}`),
      ...changed.map(({ before, after }) => {
        const columns = (COLUMNS.get(table) ?? []).filter((column) => !sameValue(before[column], after[column]));
        return `table ${table}: updated columns: ${columns.sort().join(' ')}`;
      }),
    ]),
  );
}

/** One `set …, insert …, verify …` command as a transaction on rows in the order of `i`. */
async function runCommands(client: ClientCore, replica: ReplicaCore, text: string): Promise<string> {
  const draft = client.transaction('idltest');
  const find = (i: string | undefined): CachedRow => {
    const row = [...replica.table('simple').rows.values()].find((each) => each.i === Number(i));
    if (row === undefined) throw new Error(`no row with i=${i}`);
    return row;
  };
  // Rows inserted by an earlier command of the same transaction.
  const inserted = new Map<string, ReturnType<typeof draft.insert>>();
  let increment: number | undefined;
  let ending = 'success';
  for (const command of text.split(',').map((each) => each.trim())) {
    const [verb, i = '', column = '', raw = ''] = command.split(/ (?=(?:[^"]*"[^"]*")*[^"]*$)/);
    const target = () => inserted.get(i) ?? find(i)._uuid;
    if (verb === 'set') {
      const value = { b: raw === '1' || raw === 'true', s: raw, i: Number(raw), r: Number(raw) }[column];
      draft.update('simple', target(), { [column]: value });
    } else if (verb === 'insert') inserted.set(i, draft.insert('simple', { i: Number(i) }));
    else if (verb === 'delete') draft.delete('simple', target());
    else if (verb === 'verify') {
      // A row of this very transaction has nothing to be compared with.
      if (!inserted.has(i)) draft.verify('simple', find(i), [column]);
    } else if (verb === 'increment') {
      draft.mutate('simple', target(), [['i', '+=', 1]]);
      increment = Number(i) + 1;
    } else if (verb === 'abort') {
      draft.abort();
      ending = 'aborted';
    } else if (verb === 'destroy') return 'destroy';
    else throw new Error(`unknown command ${command}`);
  }
  await draft.commit().catch((error) => {
    if (ending !== 'aborted' || error.code !== 'aborted') throw error;
  });
  return `commit, status=${ending}${increment === undefined ? '' : `, increment=${increment}`}`;
}

async function play({ track, initial, steps, blocks }: Script): Promise<void> {
  const server = await startTestServer({ schemas: [IDL_SCHEMA] });
  const client = connectOvsdb({ target: server.target, reconnect: { minMs: 1, maxMs: 5 } }) as unknown as ClientCore;
  try {
    for (const text of initial) await client.request('transact', parseJson(text) as unknown[]);
    // Conditions given first hold from the start.
    const request: { [table: string]: { where?: unknown[] } } = Object.fromEntries(
      [...COLUMNS.keys()].map((t) => [t, {}]),
    );
    const conditions = (text: string) =>
      text.split(';').map((each) => {
        const [, table = '', where = ''] = /^(?:condition )?(\w+) (.*)$/.exec(each.trim()) ?? [];
        const clauses = parseJson(where) as unknown[];
        return [table, clauses.length === 0 ? [false] : clauses] as const;
      });
    const first = steps[0]?.startsWith('condition ') ? steps[0] : undefined;
    const changes: PlainChange[] = [];
    if (first !== undefined) for (const [table, where] of conditions(first)) request[table] = { where };
    const replica = await client.monitor('idltest', request);
    replica.onChange((change) => changes.push(change));
    const uuids: string[] = [];
    let number = 0;
    let reconnected = false;
    const check = (lines: readonly string[], what: string): void => {
      expect(comparable(lines), `${String(number).padStart(3, '0')} ${what}`).toEqual(comparable(blocks[number] ?? []));
      number++;
    };
    // Deliveries are in order: what the server sent before this answer has been applied.
    const settle = () => client.echo();
    const checkState = (): void => {
      if (!track) {
        const [notified, rows] = [true, false].map((wanted) =>
          (blocks[number] ?? []).filter((line) => line.startsWith('event:') === wanted),
        ) as [string[], string[]];
        // Python's IDL tells every row again after a reconnection; a replica tells what is different: nothing here.
        if (reconnected) expect(changes).toEqual([]);
        else expect(notified.filter((line) => !eventHappened(line, changes))).toEqual([]);
        expect(comparable(stateText(replica))).toEqual(comparable(rows));
        number++;
        reconnected = false;
        changes.length = 0;
        return;
      }
      // Rows that came and went between two looks are nothing to a consumer, nor is a change of one that goes.
      const merged = new MergedChanges();
      for (const change of changes) merged.add(change);
      const net = merged.take();
      const told = comparable(changeText(replica, net === undefined ? [] : [net]));
      const wanted = (blocks[number] ?? []).filter((line) => / (inserted|deleted) row: /.test(line));
      // What a condition given first brings is there from the start.
      if (number > 0 && !(first !== undefined && number === 1))
        expect(told).toEqual(expect.arrayContaining(comparable(wanted)));
      changes.length = 0;
      number++;
    };
    const remaining = first === undefined ? steps : steps.slice(1);
    if (first !== undefined) number++;
    if (!remaining[0]?.startsWith('+')) checkState();
    for (const [k, step] of remaining.entries()) {
      const text = step.replace(/^\+/, '').replaceAll(/#(\d+)#/g, (_all, n) => uuids[Number(n)] ?? '');
      if (text === 'track-notify') continue;
      if (text === 'sleep') {
        await settle();
        number++;
      } else if (text === 'reconnect') {
        const synced = new Promise<void>((resolve) => {
          replica.onState((state) => state === 'synced' && resolve());
        });
        server.cutAll();
        await synced;
        reconnected = true;
        number++;
        if (track) return;
      } else if (text.startsWith('condition ')) {
        await replica.setWhere(Object.fromEntries(conditions(text)));
        await settle();
        number++;
      } else if (text.startsWith('[')) {
        const result = (await client.request('transact', parseJson(text) as unknown[])) as {
          uuid?: [string, string];
        }[];
        for (const each of result) if (each?.uuid !== undefined) uuids.push(each.uuid[1]);
        check([JSON.stringify({ error: null, result })], step);
      } else {
        check([await runCommands(client, replica, text)], step);
      }
      await settle();
      if (!remaining[k + 1]?.startsWith('+') && number < blocks.length) checkState();
    }
    expect(number).toBe(blocks.length);
  } finally {
    await client.close();
    await server.close();
  }
}

/** Whether `event:KIND, row={…}` is among what the replica told. */
function eventHappened(line: string, changes: readonly PlainChange[]): boolean {
  const kind = { create: 'added', update: 'changed', delete: 'removed' }[/^event:(\w+)/.exec(line)?.[1] ?? ''];
  const i = /row=\{(?:.*, )?i=(-?\d+)/.exec(line)?.[1];
  return changes.some(({ tables }) =>
    Object.values(tables).some((table) =>
      kind === 'changed'
        ? table.changed.some(({ after }) => String(after.i) === i)
        : (kind === 'added' ? table.added : table.removed).some((row) => String(row.i) === i),
    ),
  );
}

const all = [...read('ovsdb-idl.json'), ...read('ovsdb-monitor.json').filter(({ macro }) => macro.includes('IDL'))];
const scripts = all.map((each) => ({ each, script: scriptOf(each) }));

describe.skipIf(!present)('IDL cases of the Open vSwitch tests, on replicas', () => {
  test.each(scripts.flatMap(({ script }) => (script === undefined ? [] : [[script.title, script] as const])))(
    '%s',
    (_title, script) => play(script),
  );

  test('known-failures.txt says why each other case is not replayed', () => {
    const listed = readFileSync(failures, 'utf8');
    for (const { each, script } of scripts) {
      if (script === undefined) expect(listed).toContain(`${each.macro} | ${each.title}`);
    }
  });
});
