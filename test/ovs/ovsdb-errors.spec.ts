import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectOvsdb, type OvsdbClient, OvsdbError } from 'ovsdb-client';
import { startTestServer, type TestServer } from 'ovsdb-client/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

// Everything that can be wrong with a request, sent to ovsdb-server and to the server for tests: the same errors, word for
// word. Left out: "monitor" with two parameters, which ends ovsdb-server 3.1.0.

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

const SCHEMA = {
  name: 'e',
  version: '1.0.0',
  tables: {
    t: {
      columns: {
        i: { type: 'integer' },
        r: { type: 'real' },
        b: { type: 'boolean' },
        s: { type: 'string' },
        u: { type: 'uuid' },
        ie: { type: { key: { type: 'integer', enum: ['set', [1, 6, 8]] } } },
        se: { type: { key: { type: 'string', enum: ['set', ['a', 'b c']] }, min: 0 } },
        re: { type: { key: { type: 'real', minReal: 1.5, maxReal: 2.5 }, min: 0 } },
        i1: { type: { key: { type: 'integer', minInteger: 5 }, min: 0 } },
        i2: { type: { key: { type: 'integer', maxInteger: 5 }, min: 0 } },
        set: { type: { key: 'integer', min: 0, max: 3 } },
        set1: { type: { key: 'integer', min: 1, max: 3 } },
        m: { type: { key: 'string', value: 'integer', min: 0, max: 'unlimited' } },
        m2: { type: { key: 'string', value: 'integer', min: 1, max: 2 } },
        len: { type: { key: { type: 'string', minLength: 2, maxLength: 4 }, min: 0 } },
        im: { type: 'integer', mutable: false },
        ref: { type: { key: { type: 'uuid', refTable: 't' }, min: 0, max: 'unlimited' } },
      },
      isRoot: true,
      indexes: [['i']],
      maxRows: 3,
    },
  },
};
const insert = (row: object, more = {}) => [
  { op: 'insert', table: 't', row: { ie: 1, set1: 1, m2: ['map', [['a', 1]]], ...row }, ...more },
];
const TRANSACTIONS: object[][] = [
  ...[
    0.5,
    'x',
    true,
    ['set', []],
    ['set', [1, 2]],
    ['set', ['a']],
    ['uuid', 'x'],
    ['set'],
    ['map', []],
    {},
    null,
    1e30,
  ].map((i) => insert({ i })),
  ...['x', true, ['set', []]].map((r) => insert({ r })),
  ...[1, 'true'].map((b) => insert({ b })),
  ...[1, true, ['set', ['a', 'b']]].map((s) => insert({ s })),
  ...['x', ['uuid'], ['uuid', 1], ['uuid', 'x'], ['named-uuid', '1x'], ['named-uuid', 'nope'], ['foo', 'x']].map((u) =>
    insert({ u }),
  ),
  ...[0, 'x'].map((ie) => insert({ ie })),
  ...['c', 'd e'].map((se) => insert({ se })),
  ...[1, 3, 2.75].map((re) => insert({ re })),
  insert({ i1: 4 }),
  insert({ i2: 6 }),
  ...[
    ['set', [1, 1]],
    ['set', [1, 2, 3, 4]],
    ['set', [1, 'a']],
    ['set', 1],
    ['foo', [1]],
  ].map((set) => insert({ set })),
  insert({ set1: ['set', []] }),
  insert({ set1: ['set', [1, 2, 3, 4]] }),
  ...[
    [
      'map',
      [
        ['a', 1],
        ['a', 2],
      ],
    ],
    ['map', [['a']]],
    ['map', [1]],
    ['map', [['a', 'b']]],
    ['map', [[1, 1]]],
    ['set', [1]],
    5,
    ['map', 5],
  ].map((m) => insert({ m })),
  insert({ m2: ['map', []] }),
  insert({
    m2: [
      'map',
      [
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ],
    ],
  }),
  insert({ len: 'a' }),
  insert({ len: 'abcde' }),
  insert({ nope: 1 }),
  insert({ _uuid: ['uuid', '00000000-0000-0000-0000-000000000001'] }),
  [{ op: 'insert', table: 'nope', row: {} }],
  [{ op: 'insert', row: {} }],
  [{ op: 'insert', table: 't' }],
  [{ op: 'insert', table: 5, row: {} }],
  [{ op: 'insert', table: 't', row: [] }],
  [{ op: 'foo' }],
  [{}],
  [5 as unknown as object],
  [{ op: 'insert', table: 't', row: {}, extra: 1 }],
  insert({}, { 'uuid-name': '1bad' }),
  insert({}, { 'uuid-name': 5 }),
  insert({}, { uuid: 'x' }),
  ...[
    [['i', 'foo', 1]],
    [['i', '==']],
    [['nope', '==', 1]],
    [['i', '==', 'x']],
    [['s', '<', 'x']],
    [['m', '<', 1]],
    [['set', '<', 1]],
    [5],
    ['x'],
    [['i', 5, 1]],
    [[5, '==', 1]],
    5,
    [['i', '<', ['set', []]]],
    [['m', 'includes', ['map', [['a', 'b']]]]],
    [['set', 'includes', ['set', [1, 2, 3, 4]]]],
  ].map((where) => [{ op: 'select', table: 't', where }]),
  [{ op: 'select', table: 't', where: [], columns: ['nope'] }],
  [{ op: 'select', table: 't', where: [], columns: 5 }],
  [{ op: 'select', table: 't', where: [], columns: ['i', 'i'] }],
  [{ op: 'select', table: 't', where: [], columns: [5] }],
  insert({ i: 1 }),
  insert({ i: 1 }),
  insert({ i: 7 }),
  ...[
    [['i', 'foo', 1]],
    [['i', '+=']],
    [['nope', '+=', 1]],
    [['i', '+=', 'x']],
    [['s', '+=', 'x']],
    [['i', '/=', 0]],
    [['i', '%=', 0]],
    [['r', '/=', 0]],
    [['r', '%=', 1]],
    [['i', 'insert', 1]],
    [['b', '+=', 1]],
    [['im', '+=', 1]],
    [['u', '+=', 1]],
    [['set', 'insert', ['set', [1, 2, 3, 4]]]],
    [['set1', 'delete', ['set', [1]]]],
    [['m', 'delete', ['set', ['a']]]],
    [['m', 'delete', ['set', [1]]]],
    [['m', '+=', 1]],
    [['i', '+=', '7']],
    [['i', '*=', 1e30]],
    [['ie', '+=', 1]],
    [['_uuid', '+=', 1]],
    5,
    [5],
    [['i', '+=', ['set', [1, 2]]]],
  ].map((mutations) => [{ op: 'mutate', table: 't', where: [], mutations }]),
  [{ op: 'update', table: 't', where: [], row: { im: 4 } }],
  [{ op: 'update', table: 't', where: [], row: { _uuid: ['uuid', '00000000-0000-0000-0000-000000000001'] } }],
  [{ op: 'update', table: 't', where: [], row: { i: 5 } }],
  [{ op: 'wait', table: 't', where: [], columns: ['i'], until: 'foo', rows: [] }],
  [{ op: 'wait', table: 't', where: [], columns: ['i'], until: '==', rows: [], timeout: -1 }],
  [{ op: 'wait', table: 't', where: [], columns: ['i'], until: '==', rows: [{ s: 'a' }], timeout: 0 }],
  [{ op: 'wait', timeout: 0, table: 't', where: [], columns: ['i'], until: '==', rows: [{ i: 99 }] }],
  [{ op: 'wait', timeout: 'x', table: 't', where: [], columns: ['i'], until: '==', rows: [] }],
  [{ op: 'abort' }],
  [{ op: 'comment' }],
  [{ op: 'comment', comment: 5 }],
  [{ op: 'assert', lock: 'x' }],
  [{ op: 'assert', lock: 5 }],
  [{ op: 'assert', lock: '1 x' }],
  [{ op: 'commit', durable: 'x' }],
  [{ op: 'commit' }],
  insert({ i: 50, ref: ['uuid', '00000000-0000-0000-0000-0000000000aa'] }),
  insert({ i: 51, ref: ['named-uuid', 'nope'] }),
  [{ op: 'delete', table: 't', where: [['i', '==', 1]] }],
  [...insert({ i: 100 }), ...insert({ i: 101 }), ...insert({ i: 102 }), ...insert({ i: 103 })],
];
const CALLS: [string, unknown[]][] = [
  ['transact', []],
  ['transact', ['nodb']],
  ['transact', [5]],
  ['get_schema', []],
  ['get_schema', ['nodb']],
  ['get_schema', [5]],
  ['list_dbs', [1]],
  ['foo', []],
  ['monitor', []],
  ['monitor', ['e', 1, 5]],
  ['monitor', ['e', 1, { nope: {} }]],
  ['monitor', ['e', 1, { t: { columns: ['nope'] } }]],
  ['monitor', ['e', 1, { t: { columns: ['i', 'i'] } }]],
  ['monitor', ['e', 1, { t: { select: 5 } }]],
  ['monitor', ['e', 1, { t: { select: { foo: true } } }]],
  ['monitor', ['e', 1, { t: [] }]],
  ['monitor', ['e', 1, { t: {} }]],
  ['monitor_cancel', [99]],
  ['lock', []],
  ['lock', [5]],
  ['lock', ['1x']],
  ['unlock', ['zz']],
  ['steal', ['q']],
  ['lock', ['q']],
  ['unlock', ['q']],
  ['unlock', ['q']],
  ['monitor_cond', ['e', 2, { t: { where: [['i', 'foo', 1]] } }]],
  ['monitor_cond', ['e', 2, { t: { where: 5 } }]],
  ['monitor_cond_change', [77, 77, {}]],
  ['monitor_cond_change', [1, 1, { nope: [{ where: [] }] }]],
  ['monitor_cond_since', ['e', 3, { t: {} }]],
  ['monitor_cond_since', ['e', 3, { t: {} }, 'x']],
  ['set_db_change_aware', [5]],
  ['set_db_change_aware', [true]],
  ['set_db_change_aware', []],
  ['echo', [1, 2]],
  ['get_server_id', []],
  ['cancel', [1]],
  ['wait', []],
];

// Which of the rows with the same index values are named, and in which order, depends on their random UUIDs.
const comparable = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value) ?? 'null', (_name, item) =>
    typeof item === 'string'
      ? item
          .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<>')
          .replace(/(First|Second) row/g, 'Row')
          .replace(/before the transaction: \d+/g, 'before the transaction')
          .split(/ {2}(?=Row)/)
          .sort()
          .join(' ')
      : item,
  );

async function ask(client: OvsdbClient, method: string, params: readonly unknown[]): Promise<unknown> {
  try {
    return comparable(await client.request(method, params, { timeoutMs: 5_000 }));
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    return comparable({ code: error.code, details: error.details });
  }
}

describe.skipIf(!hasOvs)('errors of ovsdb-server and of the server for tests', () => {
  const sandbox = new OvsSandbox();
  let server: TestServer;
  let clients: readonly [OvsdbClient, OvsdbClient];
  beforeAll(async () => {
    const file = join(sandbox.dir, 'errors.ovsschema');
    writeFileSync(file, JSON.stringify(SCHEMA));
    sandbox.startServer(file);
    server = await startTestServer({ schemas: [SCHEMA] });
    clients = [connectOvsdb({ target: sandbox.target }), connectOvsdb({ target: server.target })];
  });
  afterAll(async () => {
    for (const client of clients) await client.close();
    await server.close();
    await sandbox.close();
  });

  // In order: later ones count on what earlier ones have stored.
  test.each(TRANSACTIONS.map((operations) => [JSON.stringify(operations), operations] as const))(
    'transact %s',
    async (_text, operations) => {
      const [theirs, ours] = await Promise.all(clients.map((client) => ask(client, 'transact', ['e', ...operations])));
      expect(ours).toEqual(theirs);
    },
  );

  test.each(CALLS.map(([method, params]) => [method, JSON.stringify(params), params] as const))(
    '%s %s',
    async (method, _text, params) => {
      const [theirs, ours] = await Promise.all(clients.map((client) => ask(client, method, params)));
      // Databases and rows come in no order.
      const sorted = (value: unknown): unknown => (Array.isArray(value) ? [...value].sort() : value);
      expect(sorted(ours)).toEqual(sorted(theirs));
    },
  );
});
