import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectionError, connectOvsdb, type OvsdbClient, OvsdbError, TimeoutError } from 'ovsdb-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../support/ports.js';
import { hasOvs } from './ovsdb-sandbox.js';

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

const SCHEMA = {
  name: 'Tally',
  version: '1.0.0',
  tables: { Entry: { isRoot: true, columns: { n: { type: 'integer' } }, indexes: [['n']] } },
};
const TRANSACTIONS = 1000;

describe.skipIf(!hasOvs)('a RAFT cluster of three ovsdb-servers', () => {
  let dir: string;
  const clients: OvsdbClient[] = [];
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 40_000 });
  const socket = (i: number): string => `unix:${dir}/${i}.sock`;
  const pid = (i: number): number => Number(readFileSync(join(dir, `${i}.pid`), 'utf8'));

  const startMember = (i: number): void => {
    run(
      'ovsdb-server',
      join(dir, `${i}.db`),
      '--no-chdir',
      `--remote=punix:${dir}/${i}.sock`,
      `--unixctl=${dir}/${i}.ctl`,
      `--pidfile=${dir}/${i}.pid`,
      '--detach',
      '-vconsole:off',
      `--log-file=${dir}/${i}.log`,
    );
  };

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hdovsdb-raft-'));
    const schema = join(dir, 'tally.ovsschema');
    writeFileSync(schema, JSON.stringify(SCHEMA));
    const [first, ...others] = await Promise.all([0, 1, 2].map(async () => `tcp:127.0.0.1:${await freePort()}`));
    run('ovsdb-tool', 'create-cluster', join(dir, '0.db'), schema, first ?? '');
    others.forEach((address, i) => {
      run('ovsdb-tool', 'join-cluster', join(dir, `${i + 1}.db`), SCHEMA.name, address, first ?? '');
    });
    for (const i of [0, 1, 2]) startMember(i);
    for (const i of [0, 1, 2]) run('ovsdb-client', '--timeout=30', 'wait', socket(i), SCHEMA.name, 'connected');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
    for (const i of [0, 1, 2]) {
      const file = join(dir, `${i}.pid`);
      if (existsSync(file) && existsSync(`/proc/${pid(i)}`)) process.kill(pid(i), 'SIGKILL');
    }
    rmSync(dir, { recursive: true, force: true });
  });
  const connect = (options: Partial<Parameters<typeof connectOvsdb>[0]> = {}): OvsdbClient => {
    const client = connectOvsdb({
      target: [0, 1, 2].map(socket),
      leaderOnly: SCHEMA.name,
      reconnect: { minMs: 20, maxMs: 200 },
      ...options,
    });
    clients.push(client);
    return client;
  };

  // What an application has to do: where the outcome is unknown, look before doing it again.
  async function insertOnce(client: OvsdbClient, n: number): Promise<'first try' | 'found' | 'repeated'> {
    let tried = false;
    while (true) {
      try {
        if (tried) {
          const tx = client.transaction('Tally');
          const rows = tx.select('Entry', [['n', '==', n]], ['n']);
          if ((await tx.commit({ timeoutMs: 5_000 })).rows(rows).length > 0) return 'found';
        }
        const tx = client.transaction('Tally');
        tx.insert('Entry', { n });
        await tx.commit({ timeoutMs: 5_000 });
        return tried ? 'repeated' : 'first try';
      } catch (error) {
        const lost = error instanceof ConnectionError || error instanceof TimeoutError;
        if (!lost && !(error instanceof OvsdbError && error.code === 'not leader')) throw error;
        tried = true;
      }
    }
  }

  test('killing the leader in the middle loses no transaction and repeats none', async () => {
    const client = connect();
    await client.ready;
    const watched = await connect().monitor('Tally', { Entry: { columns: ['n'] } });
    const told = new Map<unknown, number>();
    watched.onChange(({ tables }) => {
      for (const row of tables.Entry?.added ?? []) told.set(row.n, (told.get(row.n) ?? 0) + 1);
      expect(tables.Entry?.removed ?? []).toEqual([]);
    });
    const leader = Number(/(\d)\.sock$/.exec(client.peer.target)?.[1]);
    const outcomes: string[] = [];
    const window = 50;
    for (let from = 0; from < TRANSACTIONS; from += window) {
      const batch = Array.from({ length: window }, (_, i) => insertOnce(client, from + i));
      if (from === TRANSACTIONS / 2) process.kill(pid(leader), 'SIGKILL');
      outcomes.push(...(await Promise.all(batch)));
    }
    expect(outcomes).toHaveLength(TRANSACTIONS);
    expect(client.peer.target).not.toBe(socket(leader));
    // Else nothing was in flight when the leader died.
    expect(outcomes.filter((outcome) => outcome !== 'first try').length).toBeGreaterThan(0);
    const all = Array.from({ length: TRANSACTIONS }, (_, n) => n);
    await watched.waitFor((r) => r.table('Entry').rows.size === TRANSACTIONS);
    expect([...watched.table('Entry').rows.values()].map((row) => row.n as number).sort((a, b) => a - b)).toEqual(all);
    // The watcher went through the same change of leader, and was told of each row once.
    expect([...told.values()].every((times) => times === 1)).toBe(true);
    expect(told.size).toBe(TRANSACTIONS);
  }, 120_000);

  test('without a quorum a call ends by its own deadline, and its outcome is said to be unknown', async () => {
    const client = connect({ leaderOnly: undefined as never, target: socket(0), probeIntervalMs: 0 });
    await client.ready;
    for (const i of [1, 2]) process.kill(pid(i), 'SIGKILL');
    const tx = client.transaction('Tally');
    tx.insert('Entry', { n: 1 });
    const started = performance.now();
    await expect(tx.commit({ timeoutMs: 500 })).rejects.toMatchObject({ outcome: 'unknown' });
    // By its own and not by the usual one of half a minute.
    expect(performance.now() - started).toBeLessThan(10_000);
  }, 60_000);
});
