import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { connectOvsdb, type OvsdbClient } from 'ovsdb-client';
import { startTestServer, type TestServer } from 'ovsdb-client/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

const SCHEMA = {
  name: 'Mix',
  version: '1.0.0',
  tables: {
    Root: {
      isRoot: true,
      maxRows: 5,
      columns: {
        name: { type: 'string' },
        n: { type: { key: { type: 'integer', minInteger: -5, maxInteger: 9 } } },
        opt: { type: { key: 'integer', min: 0, max: 1 } },
        real: { type: 'real' },
        set: { type: { key: 'integer', min: 0, max: 4 } },
        some: { type: { key: { type: 'string', enum: ['set', ['', 'a', 'b']] }, min: 1, max: 2 } },
        map: { type: { key: 'string', value: 'integer', min: 0, max: 'unlimited' } },
        leaf: { type: { key: { type: 'uuid', refTable: 'Leaf' }, min: 0, max: 1 } },
        leaves: { type: { key: { type: 'uuid', refTable: 'Leaf' }, min: 0, max: 'unlimited' } },
        weak: { type: { key: { type: 'uuid', refTable: 'Leaf', refType: 'weak' }, min: 0, max: 'unlimited' } },
        fixed: { type: 'integer', mutable: false },
      },
      indexes: [['name'], ['n', 'opt']],
    },
    Leaf: {
      columns: {
        v: { type: 'integer' },
        next: { type: { key: { type: 'uuid', refTable: 'Leaf' }, min: 0, max: 1 } },
        byKey: { type: { key: 'string', value: { type: 'uuid', refTable: 'Root', refType: 'weak' }, min: 0, max: 3 } },
      },
    },
  },
};

const ROOTS = Array.from({ length: 6 }, (_, i) => `aaaaaaaa-0000-4000-8000-00000000000${i}`);
const LEAVES = Array.from({ length: 6 }, (_, i) => `bbbbbbbb-0000-4000-8000-00000000000${i}`);

const root = fc.constantFrom(...ROOTS).map((uuid) => ['uuid', uuid]);
const leaf = fc.constantFrom(...LEAVES).map((uuid) => ['uuid', uuid]);
const small = fc.integer({ min: -6, max: 10 });
const word = fc.constantFrom('', 'a', 'b', 'c');
const setOf = (atom: fc.Arbitrary<unknown>, maxLength: number): fc.Arbitrary<unknown> =>
  fc.array(atom, { maxLength }).map((atoms) => ['set', atoms]);
const mapOf = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.dictionary(word, value, { maxKeys: 4 }).map((pairs) => ['map', Object.entries(pairs)]);

const COLUMNS = {
  Root: {
    name: word,
    n: small,
    opt: fc.oneof(small, setOf(small, 2)),
    real: fc.constantFrom(0, 0.5, -1.5, 3),
    set: fc.oneof(small, setOf(small, 5)),
    some: fc.oneof(word, setOf(word, 3)),
    map: mapOf(small),
    leaf: fc.oneof(leaf, setOf(leaf, 2)),
    leaves: setOf(leaf, 3),
    weak: setOf(leaf, 3),
    fixed: small,
  },
  Leaf: { v: small, next: fc.oneof(leaf, setOf(leaf, 1)), byKey: mapOf(root) },
} as const;
type Table = keyof typeof COLUMNS;
const table = fc.constantFrom<Table>('Root', 'Root', 'Leaf');

const rowOf = (name: Table): fc.Arbitrary<object> =>
  fc.record(COLUMNS[name] as { [column: string]: fc.Arbitrary<unknown> }, { requiredKeys: [] });
const columnOf = (name: Table): fc.Arbitrary<readonly [string, fc.Arbitrary<unknown>]> =>
  fc.constantFrom(...Object.entries(COLUMNS[name] as { [column: string]: fc.Arbitrary<unknown> }));
const functions = fc.constantFrom('==', '!=', 'includes', 'excludes', '<', '<=', '>', '>=');
const conditionOf = (name: Table): fc.Arbitrary<unknown> =>
  fc.oneof(
    columnOf(name).chain(([column, value]) => fc.tuple(fc.constant(column), functions, value)),
    fc.tuple(fc.constant('_uuid'), fc.constantFrom('==', '!='), name === 'Root' ? root : leaf),
  );
const whereOf = (name: Table): fc.Arbitrary<unknown[]> => fc.array(conditionOf(name), { maxLength: 2 });
const mutators = fc.constantFrom('+=', '-=', '*=', '/=', '%=', 'insert', 'delete', 'insert', 'delete');
const mutationOf = (name: Table): fc.Arbitrary<unknown> =>
  columnOf(name).chain(([column, value]) =>
    fc.tuple(fc.constant(column), mutators, fc.oneof(value, small, setOf(word, 2))),
  );

const operation: fc.Arbitrary<object> = table.chain((name) => {
  const where = whereOf(name);
  const uuid = fc.constantFrom(...(name === 'Root' ? ROOTS : LEAVES));
  const of = (op: string, members: { [member: string]: fc.Arbitrary<unknown> }): fc.Arbitrary<object> =>
    fc.record({ op: fc.constant(op), table: fc.constant(name), ...members });
  const columns = fc.shuffledSubarray(Object.keys(COLUMNS[name]), { minLength: 1 });
  return fc.oneof(
    { arbitrary: of('insert', { uuid, row: rowOf(name) }), weight: 5 },
    { arbitrary: of('update', { where, row: rowOf(name) }), weight: 2 },
    { arbitrary: of('mutate', { where, mutations: fc.array(mutationOf(name), { maxLength: 2 }) }), weight: 3 },
    { arbitrary: of('delete', { where }), weight: 1 },
    { arbitrary: of('select', { where, columns }), weight: 1 },
    {
      arbitrary: of('wait', {
        where,
        columns,
        until: fc.constantFrom('==', '!='),
        rows: fc.array(rowOf(name), { maxLength: 2 }),
        timeout: fc.constant(0),
      }),
      weight: 1,
    },
  );
});
// Alone, most inserts would be collected as garbage or refused; a whole object keeps the database filled.
const planted = fc.record({ r: fc.nat(5), l: fc.nat(5), row: rowOf('Root') }).map(({ r, l, row }) => [
  { op: 'insert', table: 'Leaf', uuid: LEAVES[l], row: { v: l } },
  { op: 'insert', table: 'Root', uuid: ROOTS[r], row: { ...row, some: 'a', name: `r${r}`, leaf: ['uuid', LEAVES[l]] } },
]);
const transaction = fc.oneof(planted, fc.array(operation, { minLength: 1, maxLength: 4 }));

interface Side {
  readonly client: OvsdbClient;
  readonly updates: unknown[];
}

// Columns are looked at in no certain order, so which of several faults is told is left open; one alone must be the same.
function canHaveOneFaultOnly(operations: readonly object[]): boolean {
  const [operation] = operations as readonly {
    row?: object;
    where?: unknown[];
    mutations?: unknown[];
    rows?: unknown[];
  }[];
  if (operation === undefined || operations.length > 1 || operation.rows !== undefined) return false;
  const { row = {}, where = [], mutations = [] } = operation;
  return Object.keys(row).length + where.length + mutations.length <= 1;
}

// The wording of errors is not what is compared, nor the order of rows in a select.
function comparable(value: unknown, tags: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, tags));
  if (typeof value !== 'object' || value === null) return value;
  const item = value as { readonly [member: string]: unknown };
  if (typeof item.error === 'string') return { error: tags ? item.error : 'some' };
  if (Array.isArray(item.rows)) return { rows: item.rows.map((row) => JSON.stringify(comparable(row, tags))).sort() };
  return Object.fromEntries(
    Object.entries(item)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, comparable(v, tags)]),
  );
}

describe.skipIf(!hasOvs)('the in-memory server beside ovsdb-server', () => {
  let sandbox: OvsSandbox;
  let server: TestServer;
  const sides: Side[] = [];

  beforeAll(async () => {
    sandbox = new OvsSandbox();
    const file = join(sandbox.dir, 'mix.ovsschema');
    writeFileSync(file, JSON.stringify(SCHEMA));
    sandbox.startServer(file);
    server = await startTestServer({ schemas: [SCHEMA] });
    for (const target of [sandbox.target, server.target]) {
      const client = connectOvsdb({ target });
      const replica = await client.monitor('Mix', { Root: {}, Leaf: {} });
      const updates: unknown[] = [];
      replica.onChange(({ tables }) => updates.push(tables));
      sides.push({ client, updates });
    }
  });
  afterAll(async () => {
    for (const { client } of sides) await client.close();
    await server.close();
    await sandbox.close();
  });

  const both = async (operations: readonly object[]): Promise<unknown[]> =>
    Promise.all(
      sides.map(async ({ client, updates }) => {
        updates.length = 0;
        const results = await client.request('transact', ['Mix', ...operations]);
        await client.echo();
        return { results: comparable(results, canHaveOneFaultOnly(operations)), updates: updates.map(byTable) };
      }),
    );

  test('gives the same answers and the same updates to generated transactions', async () => {
    let committed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(transaction, { minLength: 1, maxLength: 12 }), async (transactions) => {
        await both([
          { op: 'delete', table: 'Root', where: [] },
          { op: 'delete', table: 'Leaf', where: [] },
        ]);
        for (const operations of transactions) {
          const [real, ours] = await both(operations);
          expect(ours).toEqual(real);
          if ((real as { updates: unknown[] }).updates.length > 0) committed++;
        }
      }),
      { numRuns: Number(process.env.OVSDB_DIFFERENTIAL_RUNS ?? 150) },
    );
    // The comparison would be empty if nearly everything was refused.
    expect(committed).toBeGreaterThan(40);
  }, 120_000);
});

function byTable(tables: unknown): unknown {
  const order = (rows: readonly unknown[]): unknown[] =>
    [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return Object.fromEntries(
    Object.entries(tables as { [table: string]: { [kind: string]: readonly unknown[] } })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, change]) => [
        name,
        Object.fromEntries(Object.entries(change).map(([kind, rows]) => [kind, order(rows)])),
      ]),
  );
}
