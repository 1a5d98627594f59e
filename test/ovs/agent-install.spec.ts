import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const ROOT = resolve(import.meta.dirname, '../..');

describe.skipIf(!canRunNodes())('an agent that announces its network', () => {
  const bundle = join(ROOT, `node_modules/.cache/agent-install-${process.pid}.mjs`);
  let node: TestNode;
  let conf: string;
  const agent = (...args: readonly string[]) =>
    node.exec(
      ...(['env', `HEDDLE_OVSDB=unix:${node.dir}/db.sock`, `HEDDLE_STATE_DIR=${node.dir}/state`] as const),
      ...[`HEDDLE_AGENT_SOCKET=${node.socket}`, `HEDDLE_CNI_CONF_DIR=${conf}`, process.execPath, bundle, ...args],
    );
  const files = () => (existsSync(conf) ? readdirSync(conf) : []);

  beforeAll(async () => {
    await build({
      entryPoints: [join(ROOT, 'apps/node-agent/src/main.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['source'],
      external: ['pino', 'zod'],
      logLevel: 'warning',
    });
    node = await startNode();
    conf = join(node.dir, 'net.d');
  });
  afterAll(async () => {
    await node?.stop();
    rmSync(bundle, { force: true });
  });

  it('writes the network configuration only when its switch has every flow', async () => {
    node.controller.behaviour.refuseRealized = { status: 504, code: 'timeout', message: 'not acknowledged' };
    await node.startAgent({ HEDDLE_CNI_CONF_DIR: conf });
    await expect.poll(() => node.agentLog()).toContain('network_not_announced_yet');
    expect(files()).toEqual([]);
    node.controller.behaviour.refuseRealized = undefined;
    await expect.poll(files).toEqual(['10-heddle.conflist']);
    expect(JSON.parse(readFileSync(join(conf, '10-heddle.conflist'), 'utf8'))).toMatchObject({
      cniVersion: '1.0.0',
      plugins: [{ type: 'heddle-cni', socket: node.socket }, { type: 'portmap' }],
    });
  });

  it('says by its probe whether ADD can be served, and still leaves the file alone when it cannot', async () => {
    await agent('health');
    await node.controller.down();
    await expect.poll(() => agent('health').catch((e) => e.stdout)).toMatch(/cannot reach the controller/);
    await agent('health', '--live');
    expect(files()).toEqual(['10-heddle.conflist']);
    await node.controller.up();
    await expect
      .poll(
        () =>
          agent('health').then(
            () => 'ready',
            () => 'not',
          ),
        { timeout: 20_000 },
      )
      .toBe('ready');
  });

  it('is taken away on demand, but not from pods that are attached', async () => {
    const [bin, runtime] = [join(node.dir, 'bin'), join(node.dir, 'runtime')];
    for (const [dir, name] of [
      [bin, 'heddle-cni'],
      [runtime, 'node'],
    ] as const) {
      mkdirSync(dir);
      writeFileSync(join(dir, name), '');
    }
    writeFileSync(join(bin, 'portmap'), 'of others');
    const leave = (...more: readonly string[]) =>
      agent('uninstall', '--bin-dir', bin, '--runtime-dir', runtime, ...more);
    const netns = await node.addPodNetns('a');
    expect(await node.cni({ command: 'ADD', containerId: 'c1', netns, args: podArgs('x', 'a') })).toMatchObject({
      status: 0,
    });
    await node.endAgent('SIGTERM');
    await expect(leave()).rejects.toThrow(/1 pod is attached to this node \(x\/a\): drain it first/);
    expect(files()).toEqual(['10-heddle.conflist']);
    await leave('--force');
    expect([files(), readdirSync(bin), readdirSync(runtime)]).toEqual([[], ['portmap'], []]);
    expect(await node.left()).toMatchObject({ ports: [], links: [] });
    expect(await node.vsctl('list-br')).toBe('');
    expect(await node.vsctl('get-manager')).toBe('');
    expect(await node.exec('nft', 'list', 'tables')).not.toContain('heddle');
    expect(await node.exec('ip', '-br', 'link')).not.toMatch(/heddle0|br-int/);
    // The machine itself is still reachable, also when its switch ends.
    const [routes, links] = [await node.exec('ip', 'route'), await node.exec('ip', '-br', 'addr')];
    expect(routes).toMatch(/^default via 172.31.99.254 dev eth0/m);
    expect(links).toMatch(/^eth0\S+ +UP +172.31.99.1\/24 .*fd00:31:99::1\/64/m);
    expect(links).not.toContain('br-phy');
    await expect
      .poll(() => node.exec('ping', '-c', '1', '-W', '2', '172.31.99.254').catch((e) => e.stdout))
      .toContain('1 received');
    await leave();
  });
});
