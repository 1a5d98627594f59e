import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { bundleCni } from '../../apps/node-agent/bundle.mjs';
import type { NodeConfig } from '../../libs/api/src/index.js';
import { type FakeController, startFakeController } from './fake-controller.js';
import { FROM_DATABASE } from './ovs.js';

const runFile = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Node, ip, Open vSwitch and the right to make network namespaces. */
export const canRunNodes = (): boolean =>
  process.getuid?.() === 0 && existsSync(SCHEMA) && existsSync('/usr/sbin/ovs-vswitchd') && existsSync('/usr/sbin/nft');

export interface CniCall {
  readonly command: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  /** Members that replace those of the usual network configuration; a string replaces it whole. */
  readonly config?: object | string;
  readonly env?: Readonly<Record<string, string>>;
  /** Kills the executable; the call then rejects. */
  readonly signal?: AbortSignal;
}

export interface CniOutcome {
  readonly status: number;
  readonly stdout: string;
  /** stdout as JSON, undefined if empty. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into results of several versions
  readonly json: any;
  readonly ms: number;
}

/** A node: a network namespace with its own Open vSwitch (userspace datapath), a real agent, and a fake controller. */
export interface TestNode {
  readonly netns: string;
  /** Namespace at the other end of the node's eth0, 172.31.99.254; the node is 172.31.99.1. */
  readonly underlay: string;
  readonly dir: string;
  readonly controller: FakeController;
  readonly socket: string;
  agentPid(): number;
  /** Starts the agent and waits until it serves; `env` replaces variables. */
  startAgent(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Ends the agent by a signal and waits for its end; gives its exit status. */
  endAgent(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
  agentLog(): string;
  /** Makes a network namespace for a pod, and gives its path. */
  addPodNetns(name: string): Promise<string>;
  removePodNetns(name: string): Promise<void>;
  cni(call: CniCall): Promise<CniOutcome>;
  vsctl(...args: readonly string[]): Promise<string>;
  ofctl(...args: readonly string[]): Promise<string>;
  /** Runs a program in the node's namespace, or in a pod's. */
  exec(program: string, ...args: readonly string[]): Promise<string>;
  podExec(pod: string, program: string, ...args: readonly string[]): Promise<string>;
  vswitchdPid(): number;
  /** Kills ovs-vswitchd and starts it again. */
  restartVswitchd(): Promise<void>;
  /** Ends ovs-vswitchd and ovsdb-server for good, as the end of their pod does. */
  endSwitch(): Promise<void>;
  /** Names of pods' ports, host links and leases that are there now, for tests of leaks. */
  left(): Promise<{ ports: string[]; links: string[]; leases: string[] }>;
  stop(): Promise<void>;
}

async function until(what: string, ready: () => boolean, log: () => string, timeoutMs = 30_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !ready(); ) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}\n${log()}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** Bundles the agent from its sources, so that tests need no build. Kept below node_modules, where its imports resolve. */
async function bundleAgent(name: string): Promise<string> {
  const outfile = join(ROOT, 'node_modules/.cache', name, 'agent.mjs');
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(ROOT, 'apps/node-agent/src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['pino', 'zod'],
    logLevel: 'warning',
  });
  return outfile;
}

export const nodeConfig = (overrides: Partial<NodeConfig> = {}): NodeConfig => ({
  generation: 1,
  node: 'node1',
  datapathId: '0000000000000101',
  encap: 'geneve',
  podMtu: 1450,
  clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'],
  serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
  routerMac: '0a:58:00:00:00:01',
  routerIps: ['169.254.1.1', 'fe80::1'],
  gateway: { mac: '0a:58:0a:f4:00:01', ips: ['10.244.0.1', 'fd00:10:244::1'], ofport: 2 },
  tunnelOfport: 1,
  openflowTargets: ['tcp:127.0.0.1:6653'],
  ovsdbTargets: [],
  peers: [{ name: 'node2', encapIp: '172.31.99.2' }],
  ...overrides,
});

/** Starts namespace, switch and fake controller; the agent is started by `startAgent`. The caller must `stop()`. */
export async function startNode(config: NodeConfig = nodeConfig()): Promise<TestNode> {
  const tag = `hdagent-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
  const dir = await mkdtemp(join(tmpdir(), 'hdagent-'));
  const netns = tag;
  const underlay = `${tag}-ul`;
  const pods = new Set<string>();
  const children = new Map<string, ChildProcess>();
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir, OVS_DBDIR: dir, OVS_SYSCONFDIR: dir };
  const socket = join(dir, 'agent.sock');
  const ovsdb = `unix:${dir}/db.sock`;
  const bundleName = tag;

  const cleanUp = () => {
    for (const child of children.values()) child.kill('SIGKILL');
    for (const ns of [...pods, netns, underlay])
      try {
        execFileSync('ip', ['netns', 'del', ns], { stdio: 'ignore' });
      } catch {
        // Not made, or gone already.
      }
    rmSync(dir, { recursive: true, force: true });
    rmSync(join(ROOT, 'node_modules/.cache', bundleName), { recursive: true, force: true });
  };
  process.once('exit', cleanUp);

  const tool = async (program: string, ...args: readonly string[]): Promise<string> =>
    (await runFile(program, [...args], { env, maxBuffer: 64 * 1024 * 1024 })).stdout;
  const exec = (program: string, ...args: readonly string[]) =>
    tool('nsenter', `--net=/var/run/netns/${netns}`, program, ...args);
  const logOf = (name: string) =>
    existsSync(join(dir, `${name}.log`)) ? readFileSync(join(dir, `${name}.log`), 'utf8') : '';
  const log = () => ['ovs-vswitchd', 'agent'].map((n) => logOf(n).split('\n').slice(-30).join('\n')).join('\n--\n');
  const daemon = (
    name: string,
    program: string,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ) => {
    const out = openSync(join(dir, `${name}.log`), 'a');
    const child = spawn('ip', ['netns', 'exec', netns, 'setpriv', '--pdeathsig', 'KILL', program, ...args], {
      env: { ...env, ...more },
      stdio: ['ignore', out, out],
    });
    children.set(name, child);
    return child;
  };
  const end = async (name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    const child = children.get(name);
    if (child === undefined) return null;
    children.delete(name);
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill(signal);
      await gone;
    }
    return child.exitCode;
  };

  const startVswitchd = async () => {
    rmSync(`${dir}/vswitchd.pid`, { force: true });
    daemon('ovs-vswitchd', 'ovs-vswitchd', [ovsdb, `--unixctl=${dir}/vswitchd.ctl`, `--pidfile=${dir}/vswitchd.pid`]);
    await until('ovs-vswitchd', () => existsSync(`${dir}/vswitchd.pid`), log);
  };

  let agentFile: string;
  let cniFile: string;
  let controller: FakeController;
  try {
    [agentFile, cniFile] = await Promise.all([bundleAgent(bundleName), bundleCni(join(dir, 'heddle-cni'))]);
    controller = await startFakeController(join(dir, 'controller.sock'), config);
    await tool('ip', 'netns', 'add', underlay);
    await tool('ip', 'netns', 'add', netns);
    await tool('ip', '-n', netns, 'link', 'set', 'lo', 'up');
    await tool(
      ...(['ip', 'link', 'add', 'name', 'eth0', 'netns', netns, 'type', 'veth'] as const),
      ...['peer', 'name', 'u1', 'netns', underlay],
    );
    await tool('ip', '-n', underlay, 'addr', 'add', '172.31.99.254/24', 'dev', 'u1');
    await tool('ip', '-n', underlay, 'link', 'set', 'u1', 'up');
    await tool('ip', '-n', netns, 'link', 'set', 'eth0', 'up');
    await tool('ip', '-n', netns, 'addr', 'add', '172.31.99.1/24', 'dev', 'eth0');
    await tool('ip', '-n', netns, 'addr', 'add', 'fd00:31:99::1/64', 'dev', 'eth0', 'nodad');
    await tool('ip', '-n', netns, 'route', 'add', 'default', 'via', '172.31.99.254');
    await tool('ovsdb-tool', 'create', `${dir}/conf.db`, SCHEMA);
    daemon('ovsdb-server', 'ovsdb-server', [
      `${dir}/conf.db`,
      `--remote=p${ovsdb}`,
      ...FROM_DATABASE,
      `--unixctl=${dir}/ovsdb.ctl`,
      `--pidfile=${dir}/ovsdb.pid`,
    ]);
    await until('ovsdb-server', () => existsSync(`${dir}/db.sock`), log);
    await tool('ovs-vsctl', `--db=${ovsdb}`, '--no-wait', 'init');
    await startVswitchd();
  } catch (e) {
    cleanUp();
    throw e;
  }

  const podOf = (name: string) => `${tag}-${name}`;
  return {
    netns,
    underlay,
    dir,
    controller,
    socket,
    agentPid: () => children.get('agent')?.pid ?? Number.NaN,
    vswitchdPid: () => children.get('ovs-vswitchd')?.pid ?? Number.NaN,
    async startAgent(more = {}) {
      const before = logOf('agent').length;
      const child = daemon('agent', process.execPath, [agentFile], {
        HEDDLE_NODE_NAME: 'node1',
        HEDDLE_CONTROLLER_URL: controller.url,
        HEDDLE_OVSDB: ovsdb,
        HEDDLE_ENCAP_IP: '172.31.99.1',
        HEDDLE_DATAPATH_TYPE: 'netdev',
        HEDDLE_UPLINK: 'eth0',
        HEDDLE_AGENT_SOCKET: socket,
        HEDDLE_STATE_DIR: join(dir, 'state'),
        HEDDLE_LOG_LEVEL: 'debug',
        ...more,
      });
      await until(
        'the agent to be ready',
        () => child.exitCode !== null || logOf('agent').slice(before).includes('"msg":"ready"'),
        log,
      );
      if (child.exitCode !== null) throw new Error(`the agent ended with status ${child.exitCode}\n${log()}`);
    },
    endAgent: (signal) => end('agent', signal),
    async restartVswitchd() {
      await end('ovs-vswitchd', 'SIGKILL');
      await startVswitchd();
    },
    async endSwitch() {
      for (const name of ['ovs-vswitchd', 'ovsdb-server']) await end(name, 'SIGTERM');
    },
    agentLog: () => logOf('agent'),
    async addPodNetns(name) {
      pods.add(podOf(name));
      await tool('ip', 'netns', 'add', podOf(name));
      return `/var/run/netns/${podOf(name)}`;
    },
    async removePodNetns(name) {
      pods.delete(podOf(name));
      await tool('ip', 'netns', 'del', podOf(name));
    },
    cni: (call) => callCni(cniFile, socket, call),
    vsctl: (...args) => tool('ovs-vsctl', `--db=${ovsdb}`, '--timeout=30', ...args),
    ofctl: (...args) =>
      tool('ovs-ofctl', '-O', 'OpenFlow15', ...args.map((a) => (a === 'br-int' ? `unix:${dir}/br-int.mgmt` : a))),
    exec,
    podExec: (pod, program, ...args) => tool('nsenter', `--net=/var/run/netns/${podOf(pod)}`, program, ...args),
    async left() {
      const ports = await tool(
        'ovs-vsctl',
        `--db=${ovsdb}`,
        '--no-wait',
        '--bare',
        '--columns=name',
        'list',
        'Interface',
      );
      const links = await exec('ip', '-br', 'link', 'show');
      const ours = (text: string) =>
        text
          .split(/\s+/)
          .flatMap((word) => /^(hd[0-9a-f]{13})/.exec(word)?.[1] ?? [])
          .sort();
      return { ports: ours(ports), links: ours(links), leases: [...controller.attachments.keys()].sort() };
    },
    async stop() {
      await end('agent', 'SIGKILL');
      await controller.down().catch(() => undefined);
      process.off('exit', cleanUp);
      cleanUp();
    },
  };
}

function callCni(file: string, socket: string, call: CniCall): Promise<CniOutcome> {
  const variables = {
    CNI_COMMAND: call.command,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.netns,
    CNI_IFNAME: call.ifname ?? 'eth0',
    CNI_ARGS: call.args,
    CNI_PATH: dirname(file),
  };
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, ...call.env };
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) env[name] = value;
  const config =
    typeof call.config === 'string'
      ? call.config
      : JSON.stringify({ cniVersion: '1.1.0', name: 'heddle', type: 'heddle-cni', socket, ...call.config });
  return new Promise((done, reject) => {
    const from = performance.now();
    const { signal } = call;
    const child = spawn(file, {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
      ...(signal && { signal, killSignal: 'SIGKILL' as const }),
    });
    let stdout = '';
    child.stdout.on('data', (part) => {
      stdout += part;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      const ms = performance.now() - from;
      done({ status: status ?? -1, stdout, json: stdout.trim() === '' ? undefined : JSON.parse(stdout), ms });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(config);
  });
}

/** CNI_ARGS as kubelet gives it. */
export const podArgs = (namespace: string, pod: string, uid = `u-${pod}`): string =>
  `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${pod};K8S_POD_INFRA_CONTAINER_ID=x;K8S_POD_UID=${uid}`;
