import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type Clock,
  ConnectionError,
  connectOvsdb,
  listenOvsdb,
  type OvsdbClient,
  systemClock,
  TimeoutError,
} from 'ovsdb-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

describe.skipIf(!hasOvs)('sessions with ovsdb-server', () => {
  let sandbox: OvsSandbox;
  const closers: (() => Promise<void>)[] = [];

  beforeEach(() => {
    sandbox = new OvsSandbox();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await sandbox.close();
  });
  const connect = (options: Partial<Parameters<typeof connectOvsdb>[0]> = {}): OvsdbClient => {
    const client = connectOvsdb({ target: sandbox.target, reconnect: { minMs: 20, maxMs: 200 }, ...options });
    closers.push(() => client.close());
    return client;
  };

  test('a server that dials in becomes a client, and comes back after its restart', async () => {
    const arrived: OvsdbClient[] = [];
    let wake: () => void = () => {};
    const listener = listenOvsdb({
      listen: ['tcp:127.0.0.1:0'],
      onClient: (client) => {
        arrived.push(client);
        wake();
      },
    });
    closers.push(() => listener.close());
    const nextClient = (): Promise<void> => new Promise((resolve) => (wake = resolve));
    await listener.ready;
    const first = nextClient();
    sandbox.startServer(undefined, [`--remote=${listener.addresses[0]}`]);
    await first;
    expect(await arrived[0]?.listDbs()).toContain('Open_vSwitch');
    expect(arrived[0]?.peer.target).toMatch(/^tcp:127\.0\.0\.1:\d+$/);

    const second = nextClient();
    await sandbox.stop('ovsdb', 'SIGKILL');
    expect(await arrived[0]?.closed).toMatchObject({ kind: expect.stringMatching(/lost|peer-closed/) });
    sandbox.startServer(undefined, [`--remote=${listener.addresses[0]}`]);
    await second;
    expect(await arrived[1]?.listDbs()).toContain('Open_vSwitch');
    expect([...listener.clients]).toEqual([arrived[1]]);
  });

  test('ovs-vsctl set-manager makes the server dial in', async () => {
    const listener = listenOvsdb({ listen: ['tcp:127.0.0.1:0'], onClient: (client) => found(client) });
    closers.push(() => listener.close());
    let found: (client: OvsdbClient) => void = () => {};
    const arrived = new Promise<OvsdbClient>((resolve) => (found = resolve));
    await listener.ready;
    sandbox.startServer(undefined, ['--remote=db:Open_vSwitch,Open_vSwitch,manager_options']);
    sandbox.vsctl('--no-wait', 'init');
    sandbox.vsctl('--no-wait', 'set-manager', listener.addresses[0] ?? '');
    const client = await arrived;
    const replica = await client.monitor('Open_vSwitch', { Manager: {} });
    await replica.waitFor((r) => [...r.table('Manager').rows.values()].some((row) => row.is_connected));
  });

  test('after kill -9 and restart of the server consumers see only the rows that changed', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const client = connect();
    const tx = client.transaction('Open_vSwitch');
    const bridges = Array.from({ length: 10_000 }, (_, i) => tx.insert('Bridge', { name: `b${i}` }));
    tx.update('Open_vSwitch', [], { bridges });
    await tx.commit({ durable: true });

    const replica = await client.monitor('Open_vSwitch', { Bridge: { columns: ['name', 'fail_mode'] } });
    const before = new Map(replica.table('Bridge').rows);
    const changes: unknown[] = [];
    const states: string[] = [];
    replica.onChange((change) => changes.push(change));
    replica.onState((state) => states.push(state));

    await sandbox.stop('ovsdb', 'SIGKILL');
    await replica.waitFor((r) => r.state === 'stale');
    expect(replica.table('Bridge').rows.size).toBe(10_000);
    // Changed while nobody looks: one row modified, one gone, one new.
    const gone = replica.table('Bridge').byName('b3');
    sandbox.transactOffline(
      { op: 'update', table: 'Bridge', where: [['name', '==', 'b7']], row: { fail_mode: 'secure' } },
      { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'delete', ['uuid', gone?._uuid]]] },
      { op: 'insert', table: 'Bridge', row: { name: 'fresh' }, 'uuid-name': 'fresh' },
      { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'insert', ['named-uuid', 'fresh']]] },
    );
    sandbox.startServer();
    await replica.waitFor((r) => r.state === 'synced');
    expect(changes).toEqual([
      {
        cause: 'resync',
        tables: {
          Bridge: {
            added: [expect.objectContaining({ name: 'fresh' })],
            changed: [
              {
                before: expect.objectContaining({ name: 'b7', fail_mode: undefined }),
                after: expect.objectContaining({ name: 'b7', fail_mode: 'secure' }),
              },
            ],
            removed: [gone],
          },
        },
      },
    ]);
    expect(states).toEqual(['stale', 'synced']);
    // Rows that did not change are the same objects.
    const b100 = replica.table('Bridge').byName('b100');
    expect([...before.values()].filter((row) => replica.table('Bridge').get(row._uuid) === row)).toHaveLength(9_998);
    expect([...before.values()]).toContain(b100);
  });

  test('memory does not grow with a consumer that does not read', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const client = connect();
    const replica = await client.monitor('Open_vSwitch', { Open_vSwitch: { columns: ['external_ids'] } });
    const slow = replica.changes();
    const first = slow.next();
    const ballast = 'x'.repeat(10_000);
    let written = 0;
    const write = async (count: number): Promise<void> => {
      const calls = Array.from({ length: count }, () => {
        const tx = client.transaction('Open_vSwitch');
        tx.update('Open_vSwitch', [], { external_ids: { n: String(written++), ballast: `${written}${ballast}` } });
        return tx.commit();
      });
      await Promise.all(calls);
    };
    const held = (): number => {
      setFlagsFromString('--expose-gc');
      runInNewContext('gc')();
      return process.memoryUsage().heapUsed;
    };
    await write(100);
    await first;
    await write(200);
    const before = held();
    // 30 MB go by; kept one by one they would stay.
    for (let i = 0; i < 15; i++) await write(200);
    expect(held() - before).toBeLessThan(5_000_000);
    const { value } = await slow.next();
    expect(value?.tables.Open_vSwitch?.changed).toHaveLength(1);
    expect(value?.tables.Open_vSwitch?.changed[0]?.after.external_ids.get('n')).toBe(String(written - 1));
    await slow.return?.();
  });

  test('calls wait for a server that is not there yet, and end by their deadline', async () => {
    const client = connect();
    const early = client.listDbs({ timeoutMs: 100 });
    await expect(early).rejects.toBeInstanceOf(TimeoutError);
    await expect(early).rejects.toMatchObject({ outcome: 'not-sent' });
    const later = client.listDbs({ timeoutMs: 30_000 });
    sandbox.startServer();
    expect(await later).toContain('Open_vSwitch');
  });

  test('a signal ends a wait, and the blocked transaction is canceled at the server', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const client = connect();
    await client.ready;
    const abort = new AbortController();
    const blocked = client.transact(
      'Open_vSwitch',
      [
        { op: 'wait', table: 'Open_vSwitch', where: [], columns: ['next_cfg'], until: '==', rows: [{ next_cfg: 9 }] },
        { op: 'update', table: 'Open_vSwitch', where: [], row: { cur_cfg: 5 } },
      ],
      { signal: abort.signal },
    );
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await expect(blocked).rejects.toThrow('enough');
    await client.transact('Open_vSwitch', [{ op: 'update', table: 'Open_vSwitch', where: [], row: { next_cfg: 9 } }]);
    await client.echo();
    expect(sandbox.vsctl('get', 'open', '.', 'cur_cfg')).toBe('0');
  });

  test('a program that is busy for longer than the probes allow keeps its connection', async () => {
    sandbox.startServer();
    let turns = 0;
    const busy = (): void => {
      turns++;
      const until = performance.now() + 60;
      while (performance.now() < until);
    };
    // The program gets busy right after each probe was sent, until the answer is overdue.
    const clock: Clock = {
      now: systemClock.now,
      schedule: (ms, run, options) => {
        const timed = (): void => {
          run();
          if (ms <= 20) process.nextTick(() => process.nextTick(busy));
        };
        return systemClock.schedule(ms, timed, options);
      },
    };
    const client = connect({ probeIntervalMs: 20, reconnect: false, clock });
    await client.ready;
    while (turns < 10 && client.state === 'connected') await new Promise((resolve) => setTimeout(resolve, 5));
    expect(client.state).toBe('connected');
  });

  test('a call in flight when the connection is lost says that its outcome is unknown', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const client = connect({ reconnect: false });
    await client.ready;
    const blocked = client.transact('Open_vSwitch', [
      { op: 'wait', table: 'Open_vSwitch', where: [], columns: ['next_cfg'], until: '==', rows: [{ next_cfg: 9 }] },
    ]);
    const settled = expect(blocked).rejects.toMatchObject({ code: 'OVSDB_CONNECTION', outcome: 'unknown' });
    await client.echo();
    await sandbox.stop('ovsdb', 'SIGKILL');
    await settled;
    await client.closed;
    await expect(client.listDbs()).rejects.toBeInstanceOf(ConnectionError);
  });

  test('two clients take turns with a lock; steal takes it at once; assert holds a transaction to it', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const [one, two] = [connect(), connect()];
    const first = await one.lock('writer');
    expect(first.owned).toBe(true);
    const second = await two.lock('writer');
    expect(second.owned).toBe(false);
    const write = (client: OvsdbClient): Promise<unknown> => {
      const tx = client.transaction('Open_vSwitch');
      tx.assert('writer');
      tx.update('Open_vSwitch', [], { external_ids: { by: 'test' } });
      return tx.commit();
    };
    await write(one);
    await expect(write(two)).rejects.toMatchObject({ code: 'not owner', operation: 0 });
    await first.release();
    await second.acquired({ timeoutMs: 30_000 });
    await write(two);
    const lost = new Promise((resolve) => second.onChange(resolve));
    const stolen = await one.lock('writer', { steal: true });
    expect(stolen.owned).toBe(true);
    expect(await lost).toBe(false);
  });

  test('retryTransaction repeats what a verify refused, until it has the row as it is', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const clients = Array.from({ length: 4 }, () => connect());
    await Promise.all(
      clients.map(async (client) => {
        const replica = await client.monitor('Open_vSwitch', { Open_vSwitch: { columns: ['next_cfg'] } });
        for (let i = 0; i < 25; i++) {
          let last: number | undefined;
          const result = await client.retryTransaction(
            'Open_vSwitch',
            async (tx) => {
              // After a refusal the replica may still lag; a new look is worth while only once it moved.
              if (last !== undefined)
                await replica.waitFor((r) => [...r.table('Open_vSwitch').rows.values()][0]?.next_cfg !== last);
              const [row] = [...replica.table('Open_vSwitch').rows.values()];
              if (row === undefined) throw new Error('no root row');
              last = row.next_cfg;
              tx.verify('Open_vSwitch', row, ['next_cfg']);
              tx.update('Open_vSwitch', row._uuid, { next_cfg: row.next_cfg + 1 });
            },
            { attempts: 1000 },
          );
          expect(result.operations).toHaveLength(2);
          const mine = last ?? 0;
          await replica.waitFor((r) => ([...r.table('Open_vSwitch').rows.values()][0]?.next_cfg ?? 0) > mine);
        }
      }),
    );
    expect(sandbox.vsctl('get', 'open', '.', 'next_cfg')).toBe('100');
  });

  test('conditions select rows, and setWhere changes which', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    for (const name of ['b1', 'b2', 'b3']) sandbox.vsctl('--no-wait', 'add-br', name);
    const client = connect();
    const replica = await client.monitor('Open_vSwitch', {
      Bridge: { columns: ['name'], where: [['name', '==', 'b1']] },
    });
    const names = (): string[] => [...replica.table('Bridge').rows.values()].map((row) => row.name).sort();
    expect(names()).toEqual(['b1']);
    await replica.setWhere({
      Bridge: [
        ['name', '==', 'b2'],
        ['name', '==', 'b3'],
      ],
    });
    await replica.waitFor(() => names().join() === 'b2,b3');
    await sandbox.stop('ovsdb');
    await replica.waitFor((r) => r.state === 'stale');
    sandbox.startServer();
    await replica.waitFor((r) => r.state === 'synced');
    expect(names()).toEqual(['b2', 'b3']);
  });

  test.each([false, true])(
    'a converted database is replicated with its new columns (dbChangeAware: %s)',
    async (dbChangeAware) => {
      const write = (columns: object): string => {
        const file = join(sandbox.dir, 'case.ovsschema');
        const tables = { T: { isRoot: true, columns: { name: { type: 'string' }, ...columns } } };
        writeFileSync(file, JSON.stringify({ name: 'Case', version: '1.0.0', tables }));
        return file;
      };
      sandbox.startServer(write({}));
      const client = connect({ dbChangeAware });
      let lost = 0;
      client.on('disconnected', () => lost++);
      await client.transact('Case', [{ op: 'insert', table: 'T', row: { name: 'a' } }]);
      const replica = await client.monitor('Case', { T: {} });
      expect(replica.table('T').byName('a')).not.toHaveProperty('size');
      const states: string[] = [];
      replica.onState((state) => states.push(state));
      execFileSync('ovsdb-client', ['convert', sandbox.target, write({ size: { type: 'integer' } })], {
        stdio: 'pipe',
      });
      const row = await replica.waitFor((r) => {
        const found = r.table('T').byName('a');
        return found?.size === undefined ? undefined : found;
      });
      expect(row).toMatchObject({ name: 'a', size: 0 });
      expect(states).toEqual(['stale', 'synced']);
      expect(replica.table('T').index('size').get(0)).toBe(row);
      // A client that says that it knows of conversions keeps its connection.
      expect(lost).toBe(dbChangeAware ? 0 : 1);
    },
  );

  test('a slow reader of changes gets several transactions as one', async () => {
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    const client = connect();
    const replica = await client.monitor('Open_vSwitch', { Open_vSwitch: { columns: ['next_cfg'] } });
    const abort = new AbortController();
    const reader = replica.changes({ signal: abort.signal });
    const first = reader.next();
    const bump = (): Promise<unknown> => {
      const tx = client.transaction('Open_vSwitch');
      tx.mutate('Open_vSwitch', [], [['next_cfg', '+=', 1]]);
      return tx.commit();
    };
    await bump();
    await first;
    for (let i = 0; i < 5; i++) await bump();
    await replica.waitFor((r) => [...r.table('Open_vSwitch').rows.values()][0]?.next_cfg === 6);
    const { value } = await reader.next();
    expect(value?.tables.Open_vSwitch?.changed).toEqual([
      { before: expect.objectContaining({ next_cfg: 1 }), after: expect.objectContaining({ next_cfg: 6 }) },
    ]);
    const last = reader.next();
    abort.abort(new Error('done'));
    await expect(last).rejects.toThrow('done');
  });
});
