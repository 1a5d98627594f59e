import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withLock } from './lock.js';
import { type LabPaths, labPaths, MARKER } from './paths.js';
import { end, findProcesses, isAlive, processId, running, start } from './processes.js';
import { sleep, waitFor } from './run.js';

let paths: LabPaths;
beforeAll(async () => {
  paths = { ...labPaths({}), stateDir: await mkdtemp(join(tmpdir(), 'hdlab-')) };
});
afterAll(() => rm(paths.stateDir, { recursive: true }));

describe('processes of the lab', () => {
  it('are recorded with their start time, found, and ended', async () => {
    const record = await start(paths, {
      name: 'sleeper',
      argv: ['sleep', '300'],
      netns: null,
      env: {},
      logFile: join(paths.stateDir, 'sleeper.log'),
    });
    expect(await running(paths, 'sleeper')).toEqual(record);
    expect(await findProcesses(paths, [])).toMatchObject([{ pid: record.pid, ours: true }]);
    expect(await end([record])).toEqual([]);
    expect(await running(paths, 'sleeper')).toBeUndefined();
  });

  it('with a pid that somebody else has by now are not ours: another start time is left alone', async () => {
    const other = spawn('sleep', ['300']);
    const id = await waitFor('it runs', 30_000, () => processId(other.pid ?? 0));
    expect(await end([{ pid: id.pid, startTime: '1' }])).toEqual([]);
    expect(await isAlive(id)).toBe(true);
    other.kill('SIGKILL');
    await waitFor('it ended', 30_000, async () => ((await isAlive(id)) ? undefined : true));
  });

  it('are found by their environment when no record was written', async () => {
    const lost = spawn('sleep', ['300'], { env: { PATH: process.env.PATH, [MARKER]: paths.stateDir } });
    const found = await waitFor('it is found', 30_000, async () => {
      const list = await findProcesses(paths, []);
      return list.length > 0 ? list : undefined;
    });
    expect(found).toMatchObject([{ pid: lost.pid, ours: true }]);
    expect(await end(found)).toEqual([]);
  });

  it('that do not hear SIGTERM are ended all the same', async () => {
    const record = await start(paths, {
      name: 'deaf',
      argv: ['sh', '-c', "trap '' TERM; while :; do sleep 0.05; done"],
      netns: null,
      env: {},
      logFile: join(paths.stateDir, 'deaf.log'),
    });
    await sleep(100);
    expect(await end([record], 200)).toEqual([]);
    expect(await isAlive(record)).toBe(false);
  });
});

describe('the lock', () => {
  it('lets one command in at a time and takes over from a dead one', async () => {
    const file = join(paths.stateDir, 'lock');
    const order: string[] = [];
    const begun = Promise.withResolvers<void>();
    const one = withLock(file, 5_000, async () => {
      order.push('one begins');
      begun.resolve();
      await sleep(300);
      order.push('one ends');
    });
    await begun.promise;
    await expect(withLock(file, 0, async () => undefined)).rejects.toThrow(`process ${process.pid}`);
    await Promise.all([one, withLock(file, 5_000, async () => void order.push('two'))]);
    expect(order).toEqual(['one begins', 'one ends', 'two']);

    const { writeFile } = await import('node:fs/promises');
    await writeFile(file, JSON.stringify({ pid: process.pid, startTime: '1' }));
    await withLock(file, 1_000, async () => void order.push('three'));
    expect(order.at(-1)).toBe('three');
  });
});
