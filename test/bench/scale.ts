// npm run bench:scale -- [--nodes 20] [--pods 50] [--policies 200] [--services 500] [--rounds 10] [--ovn]
// The real controller and N real ovs-vswitchd (dummy datapath): how long a change takes from its source to the last switch's
// acknowledgement, and from nothing; where the time goes; what the switches alone need. With --ovn OVN does the same work
// afterwards, and the ratios are printed. Prints one JSON object. Needs `npm run build` and Open vSwitch.
//
// A change begins right before it is made here. It ends when the controller's log line about the last switch's acknowledgement is
// read, which is a little later than the acknowledgement. The line says how long before its compilation began.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ApiClient, Attachment, NodeConfig, path, ROUTES } from '@heddle/api';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { freePort } from '../support/ports.js';
import { besideOvn } from './scale-ovn.js';
import { switchAlone } from './switch-alone.js';

const ROOT = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '20' },
    pods: { type: 'string', default: '50' },
    policies: { type: 'string', default: '200' },
    services: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '10' },
    /** OVN does the same work afterwards. */
    ovn: { type: 'boolean', default: false },
    /** The controller logs every switch's part, as it does not by default; the figures have it in them. */
    debug: { type: 'boolean', default: false },
    /** Writes a CPU profile of the controller into this folder. */
    profile: { type: 'string' },
  },
});
const size = (name: 'nodes' | 'pods' | 'policies' | 'services' | 'rounds') => Number(values[name]);
const [NODES, PODS, POLICIES, SERVICES, ROUNDS] = [
  size('nodes'),
  size('pods'),
  size('policies'),
  size('services'),
  size('rounds'),
];
/** Nothing has come for so long: what a change caused is over. No time that is measured contains it. */
const QUIET_MS = 100;
const COLD_QUIET_MS = 800;
const TIMEOUT_MS = 60_000;

const round = (ms: number) => Math.round(ms * 10) / 10;
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const figures = (list: readonly number[]) => ({ p50: round(median(list)), max: round(Math.max(...list)) });
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** What the controller's log said about one change, in milliseconds. */
interface Seen {
  readonly total: number;
  /** From the change until the compiler had it, without the compiler. */
  readonly source: number;
  readonly compile: number;
  /** From the first compilation until the last switch had acknowledged the last. */
  readonly realize: number;
  readonly generations: number;
  /** Switches that something was changed on, for each generation, together. */
  readonly bundles: number;
}

/** One kind of change, made several times. */
interface Rounds {
  readonly list: readonly Seen[];
  /** Flow and group mods of a change, on all switches together, on the average. */
  readonly mods: number;
}

interface LogLine {
  readonly event?: string;
  readonly level?: string;
  readonly generation?: number;
  readonly durationMs?: number;
  readonly latencyMs?: number;
  readonly nodes?: number;
}

interface Compiled {
  readonly generation: number;
  /** At the latest. */
  readonly startedAt: number;
  readonly ms: number;
  readonly nodes: number;
}

/** Listens to the controller's log, which says when a generation was compiled and when the last switch had it. */
class Progress {
  private compiled: Compiled[] = [];
  private acknowledged = { generation: 0, latencyMs: 0, at: 0 };
  private lastAt = 0;
  private heard: () => void = () => undefined;
  readonly mistakes: string[] = [];

  constructor(controller: ChildProcess) {
    if (controller.stderr === null) throw new Error('the controller has no log');
    createInterface({ input: controller.stderr }).on('line', (line) => this.take(line));
  }

  private take(line: string): void {
    const at = performance.now();
    const { event, generation = 0, durationMs = 0, latencyMs = 0, nodes = 0, level }: LogLine = JSON.parse(line);
    if (level === 'error') this.mistakes.push(line);
    if (event === 'compiled') this.compiled.push({ generation, startedAt: at - durationMs, ms: durationMs, nodes });
    else if (event === 'acknowledged') this.acknowledged = { generation, latencyMs, at };
    else return;
    this.lastAt = at;
    this.heard();
  }

  /** Makes a change and waits until all switches have everything that it caused. */
  async of(change: () => unknown, quietMs = QUIET_MS): Promise<Seen> {
    this.compiled = [];
    const startedAt = performance.now();
    await change();
    // One that changes nothing on any switch is not acknowledged.
    const last = () => this.compiled.findLast((c) => c.nodes > 0);
    for (;;) {
      const quiet = performance.now() - this.lastAt;
      const wanted = last();
      const done = wanted !== undefined && this.acknowledged.generation >= wanted.generation;
      if (done && quiet >= quietMs) break;
      if (performance.now() - startedAt > TIMEOUT_MS)
        throw new Error(`not realized in ${TIMEOUT_MS} ms\n${this.mistakes.slice(0, 5).join('\n')}`);
      const line = new Promise<void>((resolve) => {
        this.heard = resolve;
      });
      await Promise.race([line, pause(done ? quietMs - quiet + 1 : 1_000)]);
    }
    const [first] = this.compiled;
    if (first === undefined) throw new Error('nothing was compiled');
    const { at: end, latencyMs } = this.acknowledged;
    // The line of a compilation is written when the switches have their messages.
    const began = Math.min(first.startedAt, end - latencyMs);
    return {
      total: end - startedAt,
      source: began - startedAt,
      compile: this.compiled.reduce((sum, c) => sum + c.ms, 0),
      realize: end - began - first.ms,
      generations: this.compiled.length,
      bundles: this.compiled.reduce((sum, c) => sum + c.nodes, 0),
    };
  }
}

const folder = mkdtempSync(join(tmpdir(), 'hdscale-'));
const manifests = join(folder, 'manifests');

/** Puts a file in place as a whole, as git-sync and careful editors do. */
function write(file: string, documents: readonly object[]): void {
  const target = join(manifests, file);
  mkdirSync(join(target, '..'), { recursive: true });
  const temporary = join(folder, 'next');
  writeFileSync(temporary, documents.map((d) => JSON.stringify(d)).join('\n---\n'));
  renameSync(temporary, target);
}

const podName = (n: number, p: number) => `p${n}-${p}`;
const pod = (name: string, app: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'bench', labels: { app } },
  spec: { containers: [{ name: 'c', image: 'none' }] },
});
const APPS = Math.max(1, Math.floor((NODES * PODS) / 10));
/** The ten pods of an application, on different nodes. */
const members = (app: number) =>
  Array.from({ length: 10 }, (_, j) => app * 10 + j).map((i) => [i % NODES, Math.floor(i / NODES) % PODS] as const);
const policy = (k: number) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: `policy-${k}`, namespace: 'bench' },
  spec: {
    podSelector: { matchLabels: { app: `app-${k % APPS}` } },
    policyTypes: ['Ingress'],
    ingress: [
      {
        from: [{ podSelector: { matchLabels: { app: `app-${(k + 1) % APPS}` } } }],
        ports: [
          { protocol: 'TCP', port: 80 },
          { protocol: 'TCP', port: 443 },
        ],
      },
    ],
  },
});
const service = (k: number) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `s${k}`, namespace: 'bench' },
  spec: { ports: [{ port: 80, targetPort: 8080 }] },
});
const slice = (k: number, addresses: readonly string[]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `s${k}`, namespace: 'bench', labels: { 'kubernetes.io/service-name': `s${k}` } },
  addressType: 'IPv4',
  ports: [{ port: 8080, protocol: 'TCP' }],
  endpoints: addresses.map((a) => ({ addresses: [a], conditions: { ready: true } })),
});

function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
/** User and system time of a process so far, in seconds. */
function cpuS(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const switches: TestSwitch[] = [];
let controller: ChildProcess | undefined;

async function main(): Promise<object> {
  mkdirSync(manifests);
  const api = `unix:${join(folder, 'api.sock')}`;
  const openflow = `tcp:127.0.0.1:${await freePort()}`;
  const started = spawn(join(ROOT, 'apps/controller/bin/heddle-controller'), [], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HEDDLE_SOURCE: `manifests:${manifests}`,
      HEDDLE_DATABASE_URL: `sqlite:${join(folder, 'db')}`,
      HEDDLE_OPENFLOW_LISTEN: openflow,
      HEDDLE_OVSDB_LISTEN: `unix:${join(folder, 'ovsdb.sock')}`,
      HEDDLE_API_LISTEN: api,
      HEDDLE_CLUSTER_CIDR: '10.244.0.0/16',
      HEDDLE_SERVICE_CIDR: '10.96.0.0/16',
      ...(values.debug ? { HEDDLE_LOG_LEVEL: 'debug' } : {}),
      ...(process.env.NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS: process.env.NODE_OPTIONS }),
      ...(values.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(values.profile)}` }),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  controller = started;
  const progress = new Progress(started);
  const client = new ApiClient({ url: api });
  for (let i = 0; (await client.text('GET', ROUTES.health).catch(() => undefined)) === undefined; i++) {
    if (i > 500) throw new Error('the controller does not start');
    await pause(20);
  }
  const pid = started.pid ?? 0;

  for (let n = 0; n < NODES; n++) {
    const body = { encapIp: `127.0.1.${n + 1}`, addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
    const config = await client.put(path(ROUTES.agentNode, `n${n}`), NodeConfig, { body });
    const one = await startSwitch({ datapathId: BigInt(`0x${config.datapathId}`) });
    switches.push(one);
    await one.vsctl('set-controller', 'br-int', openflow);
  }
  write('namespace.yaml', [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench', labels: {} } }]);
  await pause(500);
  const ips = new Map<string, string>();
  const attach = async (n: number, name: string): Promise<Attachment> => {
    const body = { node: `n${n}`, containerId: name, ifname: 'eth0', namespace: 'bench', pod: name };
    const answer = await client.post(ROUTES.agentAttach, Attachment, { body });
    ips.set(name, answer.ips[0] ?? '');
    return answer;
  };

  const coldPods = await progress.of(async () => {
    for (let k = 0; k < APPS; k++)
      write(
        `pods/app-${k}.yaml`,
        members(k).map(([n, p]) => pod(podName(n, p), `app-${k}`)),
      );
    await Promise.all(
      Array.from({ length: NODES }, async (_, n) => {
        for (let p = 0; p < PODS; p++) await attach(n, podName(n, p));
      }),
    );
  }, COLD_QUIET_MS);
  const backends = (k: number, count: number, step: number) =>
    Array.from({ length: count }, (_, i) => ips.get(podName((k + i) % NODES, (k * step + i) % PODS)) ?? '');
  const coldServices = await progress.of(() => {
    for (let k = 0; k < SERVICES; k++) write(`services/s${k}.yaml`, [service(k), slice(k, backends(k, 5, 7))]);
  }, COLD_QUIET_MS);
  const coldPolicies = await progress.of(() => {
    for (let k = 0; k < POLICIES; k++) write(`policies/${k}.yaml`, [policy(k)]);
  }, COLD_QUIET_MS);
  const flows = await Promise.all(
    switches.map(async (s) => Number(/flow_count=(\d+)/.exec(await s.ofctl('dump-aggregate', 'br-int'))?.[1])),
  );

  // Pods for the rounds: those that will be relabelled, and those that will be attached.
  for (let i = 0; i < ROUNDS; i++)
    write(`spare/${i}.yaml`, [pod(`spare-${i}`, 'spare'), pod(podName(i % NODES, PODS + i), 'late')]);
  for (let i = 0; i < ROUNDS; i++) await attach(i % NODES, `spare-${i}`);
  await pause(1_000);
  const cpuBefore = cpuS(pid);
  const switchCpu = () => switches.reduce((sum, s) => sum + cpuS(s.vswitchdPid), 0);
  const switchCpuBefore = switchCpu();
  const churnStartedAt = performance.now();
  const modsSent = async () => {
    const text = await client.text('GET', ROUTES.metrics);
    return [...text.matchAll(/^heddle_node_mods_sent\{.*\} (\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  const rounds = async (change: (i: number) => unknown): Promise<Rounds> => {
    const list: Seen[] = [];
    const before = await modsSent();
    for (let i = 0; i < ROUNDS; i++) list.push(await progress.of(() => change(i)));
    return { list, mods: Math.round(((await modsSent()) - before) / ROUNDS) };
  };
  const results = {
    policy_add_ms: await rounds((i) => write(`policies/${POLICIES + i}.yaml`, [policy(POLICIES + i)])),
    peer_add_ms: await rounds((i) =>
      write(`spare/${i}.yaml`, [
        pod(`spare-${i}`, `app-${((i % Math.max(1, POLICIES)) + 1) % APPS}`),
        pod(podName(i % NODES, PODS + i), 'late'),
      ]),
    ),
    endpoint_change_ms: await rounds((i) => write(`services/s${i}.yaml`, [service(i), slice(i, backends(i, 6, 3))])),
    pod_add_ms: await rounds((i) => attach(i % NODES, podName(i % NODES, PODS + i))),
  };
  const parts = (list: readonly Seen[]) => ({
    source: figures(list.map((s) => s.source)),
    compile: figures(list.map((s) => s.compile)),
    realize: figures(list.map((s) => s.realize)),
    generations: median(list.map((s) => s.generations)),
    bundles: median(list.map((s) => s.bundles)),
  });
  const each = (figure: (rounds: Rounds) => object) =>
    Object.fromEntries(Object.entries(results).map(([name, given]) => [name, figure(given)]));
  const alone = async ({ list, mods }: Rounds) => {
    const bundles = Math.min(NODES, Math.max(1, median(list.map((s) => s.bundles))));
    const cost = await switchAlone(switches.slice(0, bundles), Math.max(1, Math.round(mods / bundles)), ROUNDS);
    return Object.fromEntries(Object.entries(cost).map(([name, ms]) => [name, round(ms)]));
  };
  return {
    nodes: NODES,
    pods_per_node: PODS,
    policies: POLICIES,
    services: SERVICES,
    cold_pods_s: Math.round(coldPods.total) / 1000,
    cold_services_s: Math.round(coldServices.total) / 1000,
    cold_policies_s: Math.round(coldPolicies.total) / 1000,
    flows_per_node: Math.round(flows.reduce((a, b) => a + b, 0) / NODES),
    ...each(({ list }) => figures(list.map((s) => s.total))),
    churn_cpu_s: { controller: round(cpuS(pid) - cpuBefore), 'ovs-vswitchd': round(switchCpu() - switchCpuBefore) },
    churn_wall_s: round((performance.now() - churnStartedAt) / 1000),
    rss_mb: {
      controller: round(rssMb(pid)),
      'ovs-vswitchd': round(switches.reduce((sum, s) => sum + rssMb(s.vswitchdPid), 0) / NODES),
    },
    parts_ms: each(({ list, mods }) => ({ ...parts(list), mods })),
    switch_alone_ms: {
      policy_add_ms: await alone(results.policy_add_ms),
      peer_add_ms: await alone(results.peer_add_ms),
      endpoint_change_ms: await alone(results.endpoint_change_ms),
      pod_add_ms: await alone(results.pod_add_ms),
    },
    cold_parts_ms: {
      pods: parts([coldPods]),
      services: parts([coldServices]),
      policies: parts([coldPolicies]),
    },
    mistakes: progress.mistakes.length,
  };
}

if (!hasOvs()) {
  console.error('Open vSwitch is not installed: openvswitch-switch');
  process.exitCode = 1;
} else
  try {
    const ours = await main().finally(cleanUp);
    const sizes = { nodes: NODES, pods: PODS, policies: POLICIES, services: SERVICES, rounds: ROUNDS };
    console.log(JSON.stringify(values.ovn ? besideOvn(ours, sizes) : ours, null, 1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

async function cleanUp(): Promise<void> {
  const running = controller;
  if (running !== undefined && running.exitCode === null) {
    const gone = new Promise((done) => running.once('exit', done));
    running.kill('SIGTERM');
    await gone;
  }
  await Promise.all(switches.map((s) => s.stop()));
}
