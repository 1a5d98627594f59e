import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ApiClient, NodeView, ROUTES, StatusView } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { makeCertificates, type TestIdentity } from '../support/certificates.js';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const ROOT = resolve(import.meta.dirname, '../..');
const BUILT = ['controller', 'cli'].every((app) => existsSync(join(ROOT, 'apps', app, 'dist/main.js')));
const POD = 'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: x }\nspec: { containers: [{ name: c }] }\n';
const TOKEN = 'a-token-of-the-tests';
const API = 'https://127.0.0.1:8443';

describe.skipIf(!canRunNodes() || !BUILT)('a cluster that speaks TLS only', () => {
  let certificates: ReturnType<typeof makeCertificates> | undefined;
  let [controllers, node1, operator]: (TestIdentity | undefined)[] = [];
  const files = (of: TestIdentity | undefined = node1) => ({
    ...{ HEDDLE_TLS_KEY: of?.key ?? '', HEDDLE_TLS_CERT: of?.cert ?? '', HEDDLE_TLS_CA: of?.ca ?? '' },
  });
  let folder: TestFolder;
  let node: TestNode;
  let controller: ChildProcess;
  /** Over the unix socket, for what the tests want to know. */
  let local: ApiClient;
  const tokenFile = () => join(folder.path, 'token');

  beforeAll(async () => {
    const names = ['controller', 'node1', 'operator'];
    const made = makeCertificates(names);
    certificates = made;
    [controllers, node1, operator] = names.map((n) => made.identity(n));
    folder = new TestFolder();
    folder.write('pod.yaml', POD);
    folder.write('../token', TOKEN);
    node = await startNode();
    // In the node's network namespace, so that the certificates' 127.0.0.1 is the controller.
    const program = join(ROOT, 'apps/controller/bin/heddle-controller');
    controller = spawn('ip', ['netns', 'exec', node.netns, 'setpriv', '--pdeathsig', 'KILL', program], {
      env: {
        PATH: process.env.PATH,
        HEDDLE_SOURCE: `manifests:${folder.manifests}`,
        HEDDLE_DATABASE_URL: `sqlite:${join(folder.path, 'db')}`,
        HEDDLE_OPENFLOW_LISTEN: 'ssl:127.0.0.1:6653',
        HEDDLE_OVSDB_LISTEN: 'ssl:127.0.0.1:6640',
        HEDDLE_API_LISTEN: `ssl:127.0.0.1:8443,unix:${folder.socket}`,
        HEDDLE_API_TOKEN_FILE: tokenFile(),
        ...files(controllers),
      },
      stdio: 'inherit',
    });
    local = new ApiClient({ url: `unix:${folder.socket}` });
    await vi.waitFor(() => local.text('GET', ROUTES.health), { timeout: 20_000, interval: 50 });
    await node.startAgent({ HEDDLE_CONTROLLER_URL: API, HEDDLE_API_TOKEN_FILE: tokenFile(), ...files() });
  }, 60_000);
  afterAll(async () => {
    await node?.stop();
    if (controller?.exitCode === null) {
      const gone = once(controller, 'exit');
      controller.kill('SIGKILL');
      await gone;
    }
    folder?.remove();
    if (certificates !== undefined) await rm(certificates.dir, { recursive: true });
  });

  it('attaches a pod, and has both connections of the switch', async () => {
    const netns = await node.addPodNetns('a');
    const added = await node.cni({ command: 'ADD', containerId: 'c1', netns, args: podArgs('x', 'a') });
    expect(added).toMatchObject({ status: 0, json: { ips: [{ address: '10.244.0.2/32' }, {}] } });
    const nodes = () => local.get(ROUTES.nodes, z.array(NodeView));
    await expect
      .poll(nodes)
      .toMatchObject([{ name: 'node1', pods: 1, openflow: { connected: true }, ovsdb: { connected: true } }]);
    expect(await node.vsctl('get-controller', 'br-int')).toBe('ssl:127.0.0.1:6653\n');
  });

  it('has the files in the SSL row, and mends the row', async () => {
    const row = async () => (await node.vsctl('get-ssl')).split('\n').slice(0, 4);
    const right = [
      `Private key: ${node1?.key}`,
      `Certificate: ${node1?.cert}`,
      `CA Certificate: ${node1?.ca}`,
      'Bootstrap: false',
    ];
    expect(await row()).toEqual(right);
    await node.vsctl(
      '--no-wait',
      '--',
      '--bootstrap',
      'set-ssl',
      node1?.key ?? '',
      operator?.cert ?? '',
      '/tmp/other-ca',
    );
    await expect.poll(row).toEqual(right);
    await node.vsctl('--no-wait', 'del-ssl');
    await expect.poll(row).toEqual(right);
  });

  async function heddle(env: Readonly<Record<string, string>>) {
    const child = spawn(
      'ip',
      ['netns', 'exec', node.netns, join(ROOT, 'apps/cli/bin/heddle'), 'status', '-o', 'json'],
      {
        env: { PATH: process.env.PATH, HEDDLE_CONTROLLER_URL: API, HEDDLE_API_TOKEN_FILE: tokenFile(), ...env },
      },
    );
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (part) => (stdout += part));
    child.stderr.on('data', (part) => (stderr += part));
    const [code] = (await once(child, 'close')) as [number];
    return { code, stdout, stderr };
  }

  it('answers somebody with certificate and token', async () => {
    const { stdout } = await heddle(files(operator));
    expect(StatusView.parse(JSON.parse(stdout)).nodes.total).toBe(1);
  });

  it.each<[name: string, env: () => Record<string, string>, stderr: RegExp]>([
    [
      'no certificate',
      () => ({ HEDDLE_TLS_CA: operator?.ca ?? '' }),
      /: tlsv13 alert certificate required\nHEDDLE_TLS_CA names/,
    ],
    ['another authority', () => ({ ...files(operator), HEDDLE_TLS_CA: '' }), /certificate.*\nHEDDLE_TLS_CA names/],
    ['no token', () => ({ ...files(operator), HEDDLE_API_TOKEN_FILE: '' }), /no or wrong bearer token/],
  ])('refuses the API to somebody with %s', async (_, env, stderr) => {
    const { code, stdout, stderr: said } = await heddle(env());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(said).toMatch(stderr);
  });

  it.each([
    ['OpenFlow', '6653'],
    ['OVSDB', '6640'],
  ])('refuses %s to somebody without certificate', async (_, port) => {
    // TLS 1.2, where the refusal is part of the handshake.
    const dial = node.exec(
      'openssl',
      's_client',
      '-tls1_2',
      '-connect',
      `127.0.0.1:${port}`,
      '-CAfile',
      node1?.ca ?? '',
    );
    await expect(dial).rejects.toThrow(/alert/);
  });

  it('an agent without files says what is missing, and goes on once it has them', async () => {
    await node.endAgent('SIGKILL');
    const agent = node.startAgent({ HEDDLE_CONTROLLER_URL: `unix:${folder.socket}` });
    const failed = expect(agent).rejects.toThrow('the agent ended');
    await expect.poll(() => node.agentLog()).toMatch(/set_up_failed/);
    const log = readFileSync(join(node.dir, 'agent.log'), 'utf8');
    expect(log).toMatch(
      /wants the switch to dial ssl:127.0.0.1:6653, but this node has no certificate: set HEDDLE_TLS_KEY/,
    );
    await node.endAgent('SIGTERM');
    await failed;
    await node.startAgent({ HEDDLE_CONTROLLER_URL: API, HEDDLE_API_TOKEN_FILE: tokenFile(), ...files() });
  });

  it.each<[name: string, env: () => Record<string, string>]>([
    ['reads the same files', () => ({})],
    ['has copies of its own', () => ({ HEDDLE_SWITCH_TLS_DIR: join(node.dir, 'switch-tls') })],
  ])('goes on when everything is renewed, the authority too, and the switch %s', async (_, env) => {
    await node.endAgent('SIGTERM');
    await node.startAgent({ HEDDLE_CONTROLLER_URL: API, HEDDLE_API_TOKEN_FILE: tokenFile(), ...files(), ...env() });
    const connections = async () => (await local.get(ROUTES.nodes, z.array(NodeView)))[0];
    const remote = async () => (await connections())?.openflow.remote;
    await expect.poll(connections).toMatchObject({
      openflow: { connected: true },
      ovsdb: { connected: true },
    });
    const before = await remote();
    const former = mkdtempSync(join(tmpdir(), 'heddle-former-'));
    const formerFile = (path: string | undefined) => join(former, path?.split('/').at(-1) ?? '');
    const renewed = makeCertificates(['controller', 'node1', 'operator']);
    try {
      // The key last, as Open vSwitch needs it.
      for (const name of ['controller', 'node1', 'operator'])
        for (const part of ['ca', 'cert', 'key'] as const) {
          const [to, from] = [certificates?.identity(name)[part] ?? '', renewed.identity(name)[part]];
          if (!existsSync(formerFile(to))) copyFileSync(to, formerFile(to));
          copyFileSync(from, `${to}.new`);
          renameSync(`${to}.new`, to);
        }
      const old = { ...files(operator) };
      for (const [name, path] of Object.entries(old)) old[name as keyof typeof old] = formerFile(path);
      // The controller has the new authority as soon as it refuses somebody of the old one.
      await expect.poll(async () => (await heddle(old)).code).toBe(1);
      expect((await heddle(files(operator))).code).toBe(0);
      expect(await remote()).toBe(before);
      // The agent asks with its new certificate.
      const netns = await node.addPodNetns('renewed');
      const call = { containerId: 'c9', netns, args: podArgs('x', 'a') };
      expect(await node.cni({ command: 'ADD', ...call })).toMatchObject({ status: 0 });
      expect(await node.cni({ command: 'DEL', ...call })).toMatchObject({ status: 0 });
      await node.removePodNetns('renewed');
      // Both daemons of the switch dial anew, without having been restarted.
      const pid = node.vswitchdPid();
      await node.vsctl('--no-wait', 'del-controller', 'br-int');
      await node.vsctl('--no-wait', 'del-manager');
      await expect.poll(remote).not.toBe(before);
      await expect.poll(connections).toMatchObject({
        openflow: { connected: true, remote: expect.stringMatching(/^ssl:/) },
        ovsdb: { connected: true },
      });
      expect(node.vswitchdPid()).toBe(pid);
    } finally {
      await Promise.all([former, renewed.dir].map((dir) => rm(dir, { recursive: true })));
    }
  });
});
