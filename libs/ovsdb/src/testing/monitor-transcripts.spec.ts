import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../clock.js';
import { parseJson } from '../notation/json.js';
import { RpcConnection } from '../rpc/connection.js';
import { startTestServer } from './index.js';

const folder = new URL('../../../../../shared/ovsdb/transcripts/', import.meta.url).pathname;
const present = existsSync(folder);
if (!present) console.log(`skipped: no transcripts in ${folder}`);

interface MonitorCase {
  readonly macro: string;
  readonly title: string;
  readonly args: readonly string[];
}
const read = (name: string): { cases: MonitorCase[]; schemas: { readonly [name: string]: unknown } } =>
  present ? (parseJson(readFileSync(`${folder}/${name}`, 'utf8')) as never) : { cases: [], schemas: {} };

// Macros that the test suite expands elsewhere are not among the data.
const usable = (each: MonitorCase): boolean =>
  /^OVSDB_CHECK_MONITOR(_COND)?$/.test(each.macro) && !each.args[1]?.startsWith('OVSDB_');
const all = read('ovsdb-monitor.json').cases;
const cases = all.filter(usable);
if (present) console.log(`not replayed: ${all.length - cases.length} monitor cases that need macros or an IDL`);

type Row = { readonly [column: string]: unknown };
interface Update {
  readonly old?: Row;
  readonly new?: Row;
  readonly initial?: Row;
  readonly insert?: Row;
  readonly modify?: Row;
  readonly delete?: null;
}

/** The lines that ovsdb-client prints of one update, UUIDs left out. */
function lines(updates: unknown, table: string, columns: readonly string[], isInitial: boolean): string[] {
  const rows = Object.values((updates as { [table: string]: { [uuid: string]: Update } })[table] ?? {});
  const line = (action: string, row: Row | null | undefined): string =>
    [action, ...columns.map((column) => (row?.[column] === undefined ? '' : JSON.stringify(row[column])))].join(' ');
  return rows.flatMap((update) => {
    if (update.new !== undefined && update.old !== undefined) return [line('old', update.old), line('new', update.new)];
    if (update.new !== undefined) return [line(isInitial ? 'initial' : 'insert', update.new)];
    if (update.old !== undefined) return [line('delete', update.old)];
    for (const action of ['initial', 'insert', 'modify'] as const) {
      if (update[action] !== undefined) return [line(action, update[action])];
    }
    return [line('delete', null)];
  });
}

const withoutUuids = (text: string): string => text.replace(/<\d+>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<>');
const block = (texts: readonly string[]): string[] => texts.map(withoutUuids).sort();

/** The blocks of CSV that the test suite expects, in the form of lines(). */
function expectedBlocks(csv: string): { columns: readonly string[]; blocks: string[][] } {
  const blocks = csv.trim().split(/\n\n/);
  const [, , ...columns] = (blocks[0]?.split('\n')[0] ?? '').split(',');
  const cell = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
  const cells = (line: string): string[] =>
    [...`,${line}`.matchAll(/,("(?:[^"]|"")*"|[^,]*)/g)].map(([, text]) => cell(text ?? ''));
  return {
    columns,
    blocks: blocks.map((each) =>
      block(
        each
          .split('\n')
          .slice(1)
          .map((line) => cells(line).slice(1).join(' ')),
      ),
    ),
  };
}

describe.skipIf(!present)('monitors of the Open vSwitch tests', () => {
  const { schemas } = read('ovsdb-execution.json');
  test.each(cases.map((each) => [each.title, each] as const))('%s', async (_title, { macro, args }) => {
    const conditional = macro.endsWith('_COND');
    const [schema = '', initial = '', database = '', table = '', transactions = '', csv = ''] = args;
    const [where, request, changes] = conditional ? args.slice(6) : [undefined, args[6], undefined];
    const server = await startTestServer({ schemas: [schemas[schema]] });
    const socket = connect(server.target.slice('unix:'.length));
    const notified: unknown[] = [];
    const connection = new RpcConnection(
      socket,
      { notification: (_method, params) => notified.push(params[1]), closed: () => {} },
      { clock: systemClock, probeIntervalMs: 0 },
    );
    try {
      const { columns, blocks } = expectedBlocks(csv);
      // The argument of ovsdb-client names columns, and kinds of changes to leave out.
      const select = Object.fromEntries([...(request ?? '').matchAll(/!(\w+)/g)].map(([, kind]) => [kind, false]));
      const conditions = where ? { where: parseJson(`[${where}]`) } : {};
      const watch = { [table]: [{ columns, select, ...(conditional ? conditions : {}) }] };
      const run = async (text: string): Promise<void> => {
        if (text === '') return;
        for (const params of parseJson(text) as unknown[][]) await connection.request('transact', params);
      };
      await run(initial);
      const first = await connection.request(conditional ? 'monitor_cond' : 'monitor', [database, 'm', watch]);
      await run(transactions);
      for (const [clauses] of changes ? (parseJson(`[${changes}]`) as unknown[][]) : []) {
        await connection.request('monitor_cond_change', ['m', 'm', { [table]: [{ where: clauses }] }]);
      }
      const shown = [lines(first, table, columns, true), ...notified.map((each) => lines(each, table, columns, false))];
      expect(shown.map(block).filter((each) => each.length > 0)).toEqual(blocks);
    } finally {
      connection.close();
      await server.close();
    }
  });
});
