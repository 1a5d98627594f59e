import { afterEach, describe, expect, test } from 'vitest';
import { car, Garage } from './testing/cars.js';

const garage = new Garage();
const { start, connect } = garage;
afterEach(() => garage.close());

describe('replica', () => {
  test.each([
    ['monitor_cond_since', []],
    ['monitor_cond', ['monitor_cond_since']],
    ['monitor', ['monitor_cond_since', 'monitor_cond']],
  ])('follows a server by %s', async (_method, without) => {
    const server = await start({ without });
    server.transact('Cars', car('a', { doors: 4, tags: ['set', ['x', 'y']] }), car('gone'));
    const replica = await connect(server.target).monitor('Cars', { Car: {} });
    const cars = replica.table('Car');
    expect(cars.byName('a')).toMatchObject({ doors: 4, tags: ['x', 'y'], notes: new Map(), wheels: [] });
    const seen: unknown[] = [];
    replica.onChange(({ cause, tables }) => seen.push([cause, tables.Car]));
    const before = cars.byName('a');
    server.transact(
      'Cars',
      {
        op: 'update',
        table: 'Car',
        where: [['name', '==', 'a']],
        row: { doors: ['set', []], tags: ['set', ['y', 'z']], notes: ['map', [['k', 'v']]] },
      },
      { op: 'delete', table: 'Car', where: [['name', '==', 'gone']] },
      car('b'),
    );
    await replica.waitFor(() => seen.length > 0);
    const after = cars.byName('a');
    expect(after).toMatchObject({ doors: undefined, tags: ['y', 'z'], notes: new Map([['k', 'v']]) });
    expect(seen).toEqual([
      [
        'update',
        {
          added: [expect.objectContaining({ name: 'b' })],
          changed: [{ before, after }],
          removed: [expect.objectContaining({ name: 'gone' })],
        },
      ],
    ]);
    expect(before).toMatchObject({ doors: 4, tags: ['x', 'y'] });
  });

  test.each([
    ['the server kept them (found)', 100],
    ['the server forgot them (not found)', 0],
  ])('tells the changes missed while disconnected as one, whether %s', async (_name, history) => {
    const server = await start({ history });
    server.transact('Cars', car('same'), car('edited'), car('gone'));
    const client = connect(server.target);
    const replica = await client.monitor('Cars', { Car: { columns: ['name', 'doors'] } });
    const same = replica.table('Car').byName('same');
    server.transact('Cars', car('late'));
    await replica.waitFor((r) => r.table('Car').byName('late'));
    const seen: unknown[] = [];
    replica.onChange((change) => seen.push(change));
    await server.stop();
    await replica.waitFor((r) => r.state === 'stale');
    const where = [['name', '==', 'edited']];
    server.transact('Cars', { op: 'update', table: 'Car', where, row: { doors: 2 } }, car('brief'));
    server.transact('Cars', { op: 'update', table: 'Car', where, row: { doors: 3 } }, car('new'));
    server.transact('Cars', { op: 'delete', table: 'Car', where: [['name', '==', 'gone']] });
    server.transact('Cars', { op: 'delete', table: 'Car', where: [['name', '==', 'brief']] });
    await server.restart();
    await replica.waitFor((r) => r.state === 'synced');
    expect(seen).toEqual([
      {
        cause: 'resync',
        tables: {
          Car: {
            added: [expect.objectContaining({ name: 'new' })],
            changed: [
              { before: expect.objectContaining({ doors: undefined }), after: expect.objectContaining({ doors: 3 }) },
            ],
            removed: [expect.objectContaining({ name: 'gone' })],
          },
        },
      },
    ]);
    expect(replica.table('Car').byName('same')).toBe(same);
  });

  test('an index finds rows by several columns and follows their changes', async () => {
    const server = await start();
    server.transact('Cars', car('a', { doors: 2 }), car('b', { doors: 2 }), car('c'));
    const replica = await connect(server.target).monitor('Cars', { Car: { columns: ['name', 'doors'] } });
    const cars = replica.table('Car');
    const byDoors = cars.index('doors');
    const byBoth = cars.index('name', 'doors');
    const names = (rows: readonly { readonly name?: unknown }[]): unknown[] => rows.map((row) => row.name).sort();
    expect(names(byDoors.all(2))).toEqual(['a', 'b']);
    expect(names(byDoors.all(undefined))).toEqual(['c']);
    expect(byBoth.get('b', 2)?.name).toBe('b');
    server.transact('Cars', { op: 'update', table: 'Car', where: [['name', '==', 'b']], row: { doors: 5 } });
    await replica.waitFor(() => byDoors.get(5));
    expect(names(byDoors.all(2))).toEqual(['a']);
    expect(byBoth.get('b', 2)).toBe(undefined);
    expect(() => cars.index('tags' as never)).toThrow(RangeError);
    expect(() => cars.index('name', 'nope' as never)).toThrow(RangeError);
  });

  test('a listener that throws stops neither the others nor the connection', async () => {
    const server = await start();
    const client = connect(server.target);
    const replica = await client.monitor('Cars', { Car: {} });
    const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
    const others = process.listeners('uncaughtException').slice(0, -1);
    for (const other of others) process.off('uncaughtException', other);
    replica.onChange(() => {
      throw new Error('listener');
    });
    let told = 0;
    replica.onChange(() => told++);
    server.transact('Cars', car('a'));
    expect(await uncaught).toMatchObject({ message: 'listener' });
    for (const other of others) process.on('uncaughtException', other);
    expect(told).toBe(1);
    expect(client.state).toBe('connected');
  });

  test('refuses tables and columns that the server does not have', async () => {
    const server = await start();
    const client = connect(server.target);
    await expect(client.monitor('Cars', { Boat: {} })).rejects.toMatchObject({ code: 'OVSDB_NOTATION' });
    await expect(client.monitor('Cars', { Car: { columns: ['wings'] } })).rejects.toMatchObject({
      path: 'Cars.Car.wings',
    });
    await expect(client.monitor('Boats', { Boat: {} })).rejects.toMatchObject({ code: 'unknown database' });
  });

  test('a first download that is cut off goes on with the next connection', async () => {
    const server = await start();
    server.transact('Cars', car('a'));
    const client = connect(server.target);
    await client.ready;
    const first = client.monitor('Cars', { Car: {} });
    server.cutAll();
    expect((await first).table('Car').byName('a')).toMatchObject({ name: 'a' });
  });

  test('two replicas do not touch each other over a reconnection', async () => {
    const server = await start();
    server.transact('Cars', car('a'));
    const client = connect(server.target);
    const [one, two] = [
      await client.monitor('Cars', { Car: {} }),
      await client.monitor('Cars', { Car: {}, Wheel: {} }),
    ];
    const row = one.table('Car').byName('a');
    server.cutAll();
    await one.waitFor((r) => r.state === 'stale');
    await Promise.all([one, two].map((each) => each.waitFor((r) => r.state === 'synced')));
    expect(one.table('Car').byName('a')).toBe(row);
    two.close();
    server.transact('Cars', car('b'));
    await one.waitFor((r) => r.table('Car').byName('b'));
    expect(two.table('Car').rows.size).toBe(1);
    expect(two.state).toBe('closed');
  });
});
