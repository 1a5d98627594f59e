import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApiClient, Attachment, NodeConfig, path, ROUTES } from '@heddle/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';

const ROOT = resolve(import.meta.dirname, '../..');
const BUILT = existsSync(join(ROOT, 'apps/controller/dist/main.js'));
const POD = 'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: x }\nspec: { containers: [{ name: c }] }\n';

describe.skipIf(!BUILT)('the process heddle-controller', () => {
  let folder: TestFolder;
  let running: ChildProcess | undefined;

  beforeEach(() => {
    folder = new TestFolder();
    folder.write('pod.yaml', POD);
  });
  afterEach(async () => {
    await kill();
    folder.remove();
  });

  const environment = () => ({
    HEDDLE_SOURCE: `manifests:${folder.manifests}`,
    HEDDLE_DATABASE_URL: `sqlite:${join(folder.path, 'db')}`,
    HEDDLE_OPENFLOW_LISTEN: `unix:${join(folder.path, 'openflow.sock')}`,
    HEDDLE_OVSDB_LISTEN: `unix:${join(folder.path, 'ovsdb.sock')}`,
    HEDDLE_API_LISTEN: `unix:${folder.socket}`,
  });
  function launch(args: readonly string[], env: Readonly<Record<string, string>> = environment()): ChildProcess {
    running = spawn(join(ROOT, 'apps/controller/bin/heddle-controller'), args, {
      cwd: folder.path,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return running;
  }
  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return null;
    const gone = once(running, 'exit');
    running.kill(signal);
    const [code] = (await gone) as [number | null];
    return code;
  }
  /** Runs to its end. */
  async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = launch(args, env);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (part) => (stdout += part));
    child.stderr?.on('data', (part) => (stderr += part));
    const [code] = (await once(child, 'close')) as [number];
    return { code, stdout, stderr };
  }
  /** Milliseconds until the API answers. */
  async function ready(): Promise<number> {
    const startedAt = performance.now();
    const client = new ApiClient({ url: `unix:${folder.socket}` });
    for (;;) {
      const answered = await client.text('GET', ROUTES.health).catch(() => undefined);
      if (answered !== undefined) return performance.now() - startedAt;
      if (performance.now() - startedAt > 50_000) throw new Error('the controller does not start');
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  it.each<[name: string, args: string[], code: number, stdout: RegExp, stderr: RegExp]>([
    ['prints its help', ['--help'], 0, /HEDDLE_SOURCE +where Kubernetes objects/, /^$/],
    ['prints its version', ['--version'], 0, /^heddle-controller \d+\.\d+\.\d+\n$/, /^$/],
    ['refuses an unknown argument', ['--what'], 2, /^$/, /unknown argument "--what"/],
    [
      'lists what is missing',
      [],
      1,
      /^$/,
      /3 mistakes:\n.*HEDDLE_SOURCE: is missing.*\n.*HEDDLE_OPENFLOW_LISTEN.*\n.*HEDDLE_OVSDB_LISTEN/,
    ],
  ])('%s', async (_, args, code, stdout, stderr) => {
    const ended = await run(args);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toMatch(stdout);
    expect(ended.stderr).toMatch(stderr);
  });

  it('says when a listener is taken, and exits 1', async () => {
    launch([]);
    await ready();
    const other = {
      ...environment(),
      HEDDLE_DATABASE_URL: 'sqlite::memory:',
      HEDDLE_OPENFLOW_LISTEN: `unix:${join(folder.path, 'other-openflow.sock')}`,
      HEDDLE_OVSDB_LISTEN: `unix:${join(folder.path, 'other-ovsdb.sock')}`,
    };
    const first = running;
    const ended = await run([], other);
    running = first;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/cannot listen on unix:.*api\.sock: another process listens there/);
  });

  it('tells how long it took to start, and stops with 0 and without its socket on SIGTERM', async () => {
    launch([]);
    const startMs = await ready();
    console.log(`controller start to first answer: ${Math.round(startMs)} ms`);
    expect(await kill('SIGTERM')).toBe(0);
    expect(existsSync(folder.socket)).toBe(false);
  });

  it('knows after SIGKILL everything that it had answered', async () => {
    launch([]);
    await ready();
    const client = new ApiClient({ url: `unix:${folder.socket}` });
    const body = { encapIp: '172.31.99.1', addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
    const config = await client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body });
    const add = { node: 'node1', containerId: 'c1', ifname: 'eth0', namespace: 'x', pod: 'a' };
    const attachment = await client.post(ROUTES.agentAttach, Attachment, { body: add });
    await kill('SIGKILL');
    launch([]);
    await ready();
    expect(await client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body })).toEqual(config);
    expect(await client.post(ROUTES.agentAttach, Attachment, { body: add })).toEqual(attachment);
  });
});
