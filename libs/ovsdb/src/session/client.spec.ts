import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../clock.js';
import { ConnectionError, InterfaceError, OvsdbError } from '../errors.js';
import { uuid } from '../notation/uuid.js';
import { openVSwitchSchema } from '../testing/index.js';
import { listenOvsdb } from './listen.js';
import { car, Garage } from './testing/cars.js';
import type { OvsdbClient } from './types.js';

const garage = new Garage();
const { start, connect, closers } = garage;
afterEach(() => garage.close());

describe('connection', () => {
  test('a silent server is probed, then left', async () => {
    const received: string[] = [];
    const sockets: Socket[] = [];
    const silent = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (data) => received.push(data.toString()));
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closers.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => silent.close(resolve));
    });
    const { port } = silent.address() as { port: number };
    const client = connect(`tcp:127.0.0.1:${port}`, { probeIntervalMs: 30, reconnect: false });
    expect(await client.closed).toMatchObject({ kind: 'probe-timeout' });
    expect(received.join('')).toContain('"echo"');
  });

  test('a server that answers probes is kept', async () => {
    const server = await start();
    const client = connect(server.target, { probeIntervalMs: 10, reconnect: false });
    await client.ready;
    await sleep(100);
    expect(client.state).toBe('connected');
  });

  test.each([
    ['bytes that are no JSON', 'HTTP/1.1 400 Bad Request\r\n'],
    ['a message over the bound', `{"x":"${'y'.repeat(5000)}"}`],
    ['a request without params', '{"method":"update","id":null}'],
  ])('a peer that sends %s is left', async (_name, text) => {
    const rude = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(text);
    });
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => rude.close(() => resolve())));
    const { port } = rude.address() as { port: number };
    const client = connect(`tcp:127.0.0.1:${port}`, { maxMessageBytes: 4096, reconnect: false });
    expect(await client.closed).toMatchObject({ kind: 'protocol-error' });
  });

  test('pauses grow from minMs to maxMs, shortened at random by up to a half', async () => {
    const pauses: number[] = [];
    const clock = {
      now: systemClock.now,
      schedule: (ms: number, run: () => void, options?: { keepAlive?: boolean }) => {
        if (options?.keepAlive === true) pauses.push(ms);
        return systemClock.schedule(options?.keepAlive === true ? 1 : ms, run, options);
      },
    };
    connect('unix:/nowhere/db.sock', { clock, reconnect: { minMs: 100, maxMs: 1000 }, random: () => 0.5 });
    while (pauses.length < 6) await sleep(5);
    expect(pauses.slice(0, 6)).toEqual([75, 150, 300, 600, 750, 750]);
  });

  test('a wait without deadline waits', async () => {
    const server = await start();
    const replica = await connect(server.target).monitor('Cars', { Car: {} }, { timeoutMs: Number.POSITIVE_INFINITY });
    const found = replica.waitFor((r) => r.table('Car').byName('a'), { timeoutMs: Number.POSITIVE_INFINITY });
    await sleep(20);
    server.transact('Cars', car('a'));
    expect(await found).toMatchObject({ name: 'a' });
  });

  test('without reconnect one failure is the end', async () => {
    const client = connect('unix:/nowhere/db.sock', { reconnect: false });
    await expect(client.ready).rejects.toBeInstanceOf(ConnectionError);
    expect(await client.closed).toMatchObject({ kind: 'lost', error: { code: 'OVSDB_CONNECTION' } });
  });

  test('a signal closes the client and what waits in it', async () => {
    const abort = new AbortController();
    const client = connect('unix:/nowhere/db.sock', { signal: abort.signal });
    const call = client.listDbs();
    abort.abort();
    await expect(call).rejects.toBeInstanceOf(ConnectionError);
    expect(client.state).toBe('closed');
    expect(await client.closed).toMatchObject({ kind: 'closed' });
  });

  test('of several servers the next is tried at once', async () => {
    const server = await start();
    const client = connect(['unix:/nowhere/db.sock', server.target], { reconnect: { minMs: 60_000, maxMs: 60_000 } });
    expect(await client.listDbs()).toContain('Cars');
    expect(client.peer.target).toBe(server.target);
  });

  test('with leaderOnly a follower is left for the leader, and a leader when it stops to lead', async () => {
    const [one, two] = [await start(), await start()];
    one.setStanding('Cars', { model: 'clustered', leader: false, connected: true, index: 5 });
    two.setStanding('Cars', { model: 'clustered', leader: true, connected: true, index: 5 });
    const client = connect([one.target, two.target], { leaderOnly: 'Cars' });
    await client.ready;
    expect(client.peer.target).toBe(two.target);
    const lost = new Promise((resolve) => client.on('disconnected', resolve));
    two.setStanding('Cars', { leader: false, index: 6 });
    one.setStanding('Cars', { leader: true, index: 6 });
    await lost;
    await client.echo();
    expect(client.peer.target).toBe(one.target);
  });

  test('with leaderOnly a server whose log is behind is stale', async () => {
    const [one, two] = [await start(), await start()];
    one.setStanding('Cars', { model: 'clustered', leader: true, connected: true, index: 9 });
    two.setStanding('Cars', { model: 'clustered', leader: true, connected: true, index: 3 });
    const client = connect([one.target, two.target], { leaderOnly: 'Cars' });
    await client.ready;
    const left = new Promise((resolve) => client.on('disconnected', resolve));
    await one.stop();
    await left;
    await expect(client.echo({ timeoutMs: 200 })).rejects.toMatchObject({ outcome: 'not-sent' });
    two.setStanding('Cars', { index: 9 });
    await client.echo();
    expect(client.peer.target).toBe(two.target);
  });

  test('a server that dials in is a client until it leaves', async () => {
    const arrived: OvsdbClient[] = [];
    const listener = listenOvsdb({ listen: ['tcp:127.0.0.1:0'], onClient: (client) => arrived.push(client) });
    closers.push(() => listener.close());
    await listener.ready;
    const server = await start({ dial: listener.addresses });
    while (arrived.length === 0) await sleep(5);
    expect(await arrived[0]?.listDbs()).toContain('Cars');
    server.cutAll();
    await arrived[0]?.closed;
    while (arrived.length === 1) await sleep(5);
    expect(await arrived[1]?.listDbs()).toContain('Cars');
    expect([...listener.clients]).toEqual([arrived[1]]);
  });
});

describe('locks', () => {
  test('are asked for again after a reconnection, and wait their turn', async () => {
    const server = await start();
    const [one, two] = [connect(server.target), connect(server.target)];
    const first = await one.lock('l');
    const second = await two.lock('l');
    expect([first.owned, second.owned]).toEqual([true, false]);
    const changes: boolean[] = [];
    first.onChange((owned) => changes.push(owned));
    const lost = [one, two].map((client) => new Promise((resolve) => client.on('disconnected', resolve)));
    server.cutAll();
    await Promise.all(lost);
    await Promise.race([first.acquired(), second.acquired()]);
    await one.echo();
    await two.echo();
    expect([first.owned, second.owned].filter(Boolean)).toHaveLength(1);
    expect(changes[0]).toBe(false);
  });
});

describe('transactions', () => {
  test('give an answer for each operation, and real UUIDs for Refs', async () => {
    const server = await start();
    const client = connect(server.target);
    const tx = client.transaction('Cars');
    const wheel = tx.insert('Wheel', { size: 16 });
    const ref = tx.insert('Car', { name: 'a', wheels: [wheel], notes: { k: 'v' } });
    const updated = tx.update('Car', ref, { doors: 4 });
    const mutated = tx.mutate('Car', ref, [['tags', 'insert', ['t']]]);
    const none = tx.delete('Car', [['name', '==', 'nobody']]);
    const found = tx.select('Car', [['doors', '>=', 4]], ['name', 'tags', 'notes']);
    const result = await tx.commit();
    expect([updated, mutated, none].map((handle) => result.count(handle))).toEqual([1, 1, 0]);
    expect(result.rows(found)).toEqual([
      { _uuid: result.uuid(ref), name: 'a', tags: ['t'], notes: new Map([['k', 'v']]) },
    ]);
    expect(server.rows('Cars', 'Wheel')).toEqual([{ _uuid: result.uuid(wheel), size: 16 }]);
    await expect(tx.commit()).rejects.toThrow('committed already');
  });

  test('insert rows with the UUIDs that were chosen for them', async () => {
    const server = await start();
    const tx = connect(server.target).transaction('Cars');
    const chosen = uuid<'Wheel'>('d7f2845f-2e8d-46a9-8330-f6d0b7d2ca36');
    const wheel = tx.insert('Wheel', { size: 17 }, { uuid: chosen });
    const car = tx.insert('Car', { name: 'b', wheels: [wheel] });
    const result = await tx.commit();
    expect(result.uuid(wheel)).toBe(chosen);
    const found = server.rows('Cars', 'Car').find((row) => row._uuid === result.uuid(car));
    expect(found?.wheels).toEqual([chosen]);
  });

  test('happen wholly or not at all', async () => {
    const server = await start();
    server.transact('Cars', car('a'));
    const client = connect(server.target);
    const tx = client.transaction('Cars');
    tx.insert('Car', { name: 'b' });
    tx.insert('Car', { name: 'a' });
    const failed = tx.commit();
    await expect(failed).rejects.toBeInstanceOf(OvsdbError);
    await expect(failed).rejects.toMatchObject({ code: 'constraint violation', operation: 2 });
    expect(server.rows('Cars', 'Car').map((row) => row.name)).toEqual(['a']);
  });

  test('are refused before they are sent where a table, column or value does not fit the schema', async () => {
    const server = await start();
    const client = connect(server.target);
    const bad = [
      { table: 'Boat', row: {}, path: 'Cars.Boat' },
      { table: 'Car', row: { wings: 2 }, path: 'Cars.Car.wings' },
      { table: 'Car', row: { doors: 'four' }, path: 'Car.doors' },
      { table: 'Car', row: { tags: 'one' }, path: 'Car.tags' },
    ];
    for (const { table, row, path } of bad) {
      const tx = client.transaction('Cars');
      tx.insert(table, row);
      await expect(tx.commit()).rejects.toMatchObject({ code: 'OVSDB_NOTATION', path });
    }
  });
});

describe('with a played ovs-vswitchd', () => {
  async function addPort(client: OvsdbClient, name: string, type: string): Promise<number | undefined> {
    const tx = client.transaction('Open_vSwitch');
    const iface = tx.insert('Interface', { name, type, ofport_request: 9 });
    const port = tx.insert('Port', { name, interfaces: [iface] });
    const bridge = tx.insert('Bridge', { name: `br-${name}`, ports: [port] });
    tx.mutate('Open_vSwitch', [], [['bridges', 'insert', [bridge]]]);
    return (await tx.commit({ waitForVswitchd: true, timeoutMs: 20_000 })).cfg;
  }

  test("waitForVswitchd resolves when cur_cfg has followed, and rejects with the interface's error", async () => {
    const failInterface = (name: string): string | undefined => (name === 'bad' ? 'no such device' : undefined);
    const server = await start({ schemas: [openVSwitchSchema], vswitchd: { failInterface } });
    const client = connect(server.target);
    expect(await addPort(client, 'good', 'internal')).toBe(1);
    expect(server.rows('Open_vSwitch', 'Interface')).toMatchObject([{ name: 'good', ofport: 9 }]);
    const failed = addPort(client, 'bad', 'internal');
    await expect(failed).rejects.toBeInstanceOf(InterfaceError);
    await expect(failed).rejects.toMatchObject({ interfaces: [{ name: 'bad', error: 'no such device' }] });
  });

  test('without ovs-vswitchd the deadline ends the wait, and says that the change is committed', async () => {
    const server = await start({ schemas: [openVSwitchSchema] });
    server.transact('Open_vSwitch', { op: 'insert', table: 'Open_vSwitch', row: {} });
    const client = connect(server.target);
    const tx = client.transaction('Open_vSwitch');
    tx.comment('nothing');
    await expect(tx.commit({ waitForVswitchd: true, timeoutMs: 400 })).rejects.toMatchObject({
      code: 'OVSDB_TIMEOUT',
      outcome: 'committed',
    });
  });
});
