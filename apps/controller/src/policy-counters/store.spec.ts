import { cookie, nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CountedFlow } from '../core/ports.js';
import { Database } from '../persistence/database.js';
import { Deciders } from '../policy-log/deciders.js';
import { Accumulator } from './accumulator.js';
import { CounterStore } from './store.js';

const RULE = 'policy/x/p/ingress/0';
const NODE = nodeName('node1');
let database: Database;
let store: CounterStore;

beforeEach(async () => {
  database = await Database.open('sqlite::memory:');
  store = new CounterStore(database);
});
afterEach(() => database.close());

async function fresh(): Promise<Accumulator> {
  const compiler = { fact: () => undefined } as unknown as ConstructorParameters<typeof Deciders>[0];
  const deciders = new Deciders(compiler, { keyOf: () => RULE });
  const accumulator = new Accumulator(
    deciders,
    () => 42,
    () => undefined,
  );
  await store.load(accumulator);
  return accumulator;
}
const count = (packets: number): CountedFlow => ({
  ...{ key: '\u0000\u00ff place', cookie: cookie('policy', 1), tableId: 61, priority: 300, leaves: false },
  ...{ packets, bytes: packets * 100 },
});
const take = (accumulator: Accumulator, ...counts: readonly CountedFlow[]) =>
  accumulator.take({ node: NODE, kind: 'all', counts, leaving: [], version: 'OF1.5' });

it('another process goes on where the one before wrote last', async () => {
  const first = await fresh();
  take(first, count(5));
  await store.save(first);
  take(first, count(8));
  // It ends here without writing; the switch still has what came since.
  const second = await fresh();
  take(second, count(9));
  expect(second.totals.get(RULE)).toEqual({ packets: 9, bytes: 900, since: 42 });
});
it('what could not be written is written the next time', async () => {
  const accumulator = await fresh();
  take(accumulator, count(5));
  const failing = new CounterStore({
    transaction: () => Promise.reject(new Error('disk full')),
  } as unknown as Database);
  await expect(failing.save(accumulator)).rejects.toThrow('disk full');
  await store.save(accumulator);
  expect((await fresh()).totals.get(RULE)?.packets).toBe(5);
});
it('what a node counted that is gone stays, and the node is not known any more', async () => {
  const accumulator = await fresh();
  take(accumulator, count(5));
  await store.save(accumulator);
  accumulator.forget(NODE);
  await store.save(accumulator);
  const later = await fresh();
  expect([later.baselines.size, later.totals.get(RULE)?.packets]).toEqual([0, 5]);
});
it('totals that are removed are gone', async () => {
  const accumulator = await fresh();
  take(accumulator, count(5));
  await store.save(accumulator);
  await store.remove([RULE]);
  expect((await fresh()).totals.size).toBe(0);
});
