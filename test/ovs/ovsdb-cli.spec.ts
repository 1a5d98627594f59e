import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

// `heddle ovsdb`, beside Debian's ovsdb-client on the same server: the same output.

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

describe.skipIf(!hasOvs)('heddle ovsdb', () => {
  const sandbox = new OvsSandbox();
  const main = new URL(`../../apps/cli/.main.${process.pid}.mjs`, import.meta.url).pathname;
  const { target } = sandbox;
  const heddle = (...args: readonly string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, 'ovsdb', ...args], { encoding: 'utf8', timeout: 40_000 });
  const ovsdbClient = (...args: readonly string[]): string =>
    execFileSync('ovsdb-client', [...args], { encoding: 'utf8', timeout: 40_000 });

  beforeAll(async () => {
    await build({
      entryPoints: [new URL('../../apps/cli/src/main.ts', import.meta.url).pathname],
      outfile: main,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['source'],
      // Whole, so that each of the many calls starts quickly.
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'error',
    });
    sandbox.startServer();
    sandbox.vsctl('--no-wait', 'init');
    sandbox.vsctl('--no-wait', 'add-br', 'br0', '--', 'add-port', 'br0', 'a,"b', '--', 'add-port', 'br0', 'true');
    sandbox.vsctl(
      '--no-wait',
      'set',
      'bridge',
      'br0',
      'fail_mode=secure',
      'flood_vlans=4,3',
      'external_ids:a="q\\"y z"',
    );
    sandbox.vsctl('--no-wait', 'add-br', 'br€1', '--', 'set', 'bridge', 'br€1', 'other_config:x=1');
    sandbox.vsctl('--no-wait', 'set', 'interface', 'true', 'mtu_request=1400', 'options:key="7"');
  });
  afterAll(async () => {
    rmSync(main, { force: true });
    await sandbox.close();
  });

  test.each([
    [[]],
    [['Open_vSwitch']],
    [['Open_vSwitch', 'Bridge', 'name', 'fail_mode', 'flood_vlans', 'external_ids', '_uuid']],
    [['Open_vSwitch', 'Interface']],
    [['Open_vSwitch', 'AutoAttach']],
    [['_Server']],
  ])('dumps what ovsdb-client dumps: %j', (args) => {
    for (const format of ['table', 'json']) {
      const ours = heddle('dump', target, ...args, '-f', format);
      expect(ours.stderr).toBe('');
      expect(ours.stdout).toBe(ovsdbClient(`--format=${format}`, 'dump', target, ...args));
      expect(ours.status).toBe(0);
    }
  });

  test('prints the schema that ovsdb-client prints', () => {
    expect(heddle('schema', target).stdout).toBe(ovsdbClient('get-schema', target));
    expect(heddle('schema', target, '_Server').stdout).toBe(ovsdbClient('get-schema', target, '_Server'));
  });

  test('answers a transaction as ovsdb-client does, and exits with 2 when an operation fails', () => {
    const select = ['Open_vSwitch', { op: 'select', table: 'Bridge', where: [['name', '==', 'br0']] }];
    const ours = heddle('transact', target, JSON.stringify(select));
    expect(ours.stdout).toBe(ovsdbClient('transact', target, JSON.stringify(select)));
    expect(ours.status).toBe(0);
    const faulty = JSON.stringify(['Open_vSwitch', { op: 'select', table: 'Nothing', where: [] }]);
    const failed = heddle('transact', target, faulty);
    expect(failed.stdout).toBe(ovsdbClient('transact', target, faulty));
    expect(failed.status).toBe(2);
  });

  test('watches as ovsdb-client does', async () => {
    const watch = ['Open_vSwitch', 'Bridge', 'name,other_config', 'flood_vlans'];
    const run = (program: string, args: readonly string[]) => {
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      return { child, text: () => text };
    };
    for (const format of ['table', 'json']) {
      const both = [
        run(process.execPath, [main, 'ovsdb', 'monitor', target, ...watch, '-f', format]),
        run('ovsdb-client', [`--format=${format}`, 'monitor', target, ...watch]),
      ] as const;
      const settled = (part: string) =>
        expect.poll(() => both.map((each) => each.text())).toEqual(both.map(() => expect.stringContaining(part)));
      // The first rows come in the order of the server's hash table there.
      const blocks = (text: string) => text.split('\n\n').map((block) => block.trim().split('\n').sort());
      const unordered = (text: string) => text.replace(/("data":)(.*initial.*)(,"headings")/, '$1$3');
      const comparable = format === 'table' ? blocks : unordered;
      try {
        await settled('br0');
        sandbox.vsctl('--no-wait', 'set', 'bridge', 'br0', `other_config:now=${format}`);
        sandbox.vsctl('--no-wait', 'add-br', 'extra');
        sandbox.vsctl('--no-wait', 'del-br', 'extra');
        await settled('delete');
        // Of its last words either may have written a part.
        await vi.waitFor(() => expect(comparable(both[0].text())).toEqual(comparable(both[1].text())), 30_000);
      } finally {
        for (const { child } of both) child.kill();
      }
    }
  });

  test('says what is wrong, with exit code 1', () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['dump', `unix:${sandbox.dir}/nobody.sock`], /cannot connect to unix:.*nobody\.sock.*ENOENT/],
      [['dump', 'nowhere'], /"nowhere" is not unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT/],
      [['dump', target, 'Nothing'], /no database "Nothing".*Open_vSwitch, _Server/],
      [['dump', target, 'Open_vSwitch', 'Nothing'], /no table "Nothing".*Bridge/],
      [['dump', target, 'Open_vSwitch', 'Bridge', 'nothing'], /no column "nothing"/],
      [['monitor', target, 'Open_vSwitch', 'Nothing'], /no table "Nothing"/],
      [['transact', target, 'not json'], /not JSON/],
      [['transact', target, '{}'], /not \[DATABASE, OPERATION/],
      [['dump', 'ssl:127.0.0.1:1'], /key, cert and ca/],
    ];
    for (const [args, message] of cases) {
      const { status, stderr, stdout } = heddle(...args);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect([status, stdout]).toEqual([1, '']);
    }
  });

  test.each(['dump', 'monitor', 'transact', 'schema'])('%s --help has examples', (command) => {
    const { status, stdout } = heddle(command, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/Exit codes?:/);
    expect(stdout).toMatch(new RegExp(`Examples:\\n  heddle ovsdb ${command} `));
  });

  test('reads a transaction from standard input', () => {
    const file = join(sandbox.dir, 'none');
    const input = JSON.stringify(['Open_vSwitch', { op: 'comment', comment: file }]);
    const { stdout } = spawnSync(process.execPath, [main, 'ovsdb', 'transact', target, '-'], {
      encoding: 'utf8',
      input,
    });
    expect(stdout).toBe('[{}]\n');
  });
});
