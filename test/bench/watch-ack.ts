// npm run bench:watch-ack -- [--nodes 3] [--pods 30] [--policies 100] [--services 100] [--rounds 50] [--burst 2000]
// API server, controller process and real ovs-vswitchd (dummy datapath): the time from the moment at which the API server has
// an object to the last switch's acknowledgement of what it caused, for labels of pods, policies and endpoints; and for a
// burst of policies at once. Prints one JSON object. Needs `npm run build` and Open vSwitch.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ApiClient, Attachment, NodeConfig, path, ROUTES } from '@heddle/api';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { freePort } from '../support/ports.js';

const ROOT = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '3' },
    pods: { type: 'string', default: '30' },
    policies: { type: 'string', default: '100' },
    services: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '50' },
    burst: { type: 'string', default: '2000' },
  },
});
const number = (name: keyof typeof values) => Number(values[name]);
const [NODES, PODS, ROUNDS] = [number('nodes'), number('pods'), number('rounds')];
/** Nothing has come for so long: what a change caused is over. No time that is measured contains it. */
const QUIET_MS = 150;
const BURST_QUIET_MS = 1_500;
const TIMEOUT_MS = 120_000;

const round = (value: number) => Math.round(value * 10) / 10;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
const figures = (list: readonly number[]) => {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (q: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
};

interface LogLine {
  readonly event?: string;
  readonly generation?: number;
  readonly node?: string;
  readonly level?: string;
}

/** What the controller's log says of generations: when each was compiled, and acknowledged by each switch. */
class Progress {
  private generation = 0;
  private compiledAt: number[] = [];
  private readonly realized = new Map<string, { generation: number; at: number }>();
  private lastAt = 0;

  constructor(controller: ChildProcess) {
    if (controller.stderr === null) throw new Error('the controller has no log');
    createInterface(controller.stderr).on('line', (line) => this.take(line));
  }

  private take(line: string): void {
    const at = performance.now();
    const { event, generation = 0, node = '', level }: LogLine = JSON.parse(line);
    if (level === 'error') process.stderr.write(`${line}\n`);
    if (event === 'compiled') {
      this.generation = generation;
      this.compiledAt.push(at);
    } else if (event === 'realized') this.realized.set(node, { generation, at });
    else return;
    this.lastAt = at;
  }

  /** Makes a change; milliseconds until it was compiled first, and until every switch had everything that it caused. */
  async of(
    change: () => unknown,
    quietMs = QUIET_MS,
  ): Promise<{ compiled: number; acknowledged: number; generations: number }> {
    this.compiledAt = [];
    const startedAt = performance.now();
    await change();
    const done = () =>
      this.compiledAt.length > 0 &&
      this.realized.size === NODES &&
      [...this.realized.values()].every((r) => r.generation >= this.generation) &&
      performance.now() - this.lastAt > quietMs;
    while (!done()) {
      if (performance.now() - startedAt > TIMEOUT_MS) throw new Error(`not acknowledged in ${TIMEOUT_MS} ms`);
      await pause(5);
    }
    const end = Math.max(...[...this.realized.values()].map((r) => r.at));
    return {
      compiled: (this.compiledAt[0] ?? Number.NaN) - startedAt,
      acknowledged: end - startedAt,
      generations: this.compiledAt.length,
    };
  }
}

const metadata = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  name,
  namespace: 'bench',
  labels,
});
const pod = (name: string, app: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: metadata(name, { app }),
  spec: { containers: [{ name: 'c', image: 'none' }] },
});
const policy = (name: string, k: number) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: metadata(name),
  spec: {
    podSelector: { matchLabels: { app: `app-${k % PODS}` } },
    ingress: [
      {
        from: [{ podSelector: { matchLabels: { app: `app-${(k + 1) % PODS}` } } }],
        ports: [{ port: 80 + (k % 1_000), protocol: 'TCP' }],
      },
    ],
  },
});
const slice = (k: number, addresses: readonly string[]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: metadata(`s${k}`, { 'kubernetes.io/service-name': `s${k}` }),
  addressType: 'IPv4',
  ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  endpoints: addresses.map((a) => ({ addresses: [a], conditions: { ready: true } })),
});

const folder = mkdtempSync(join(tmpdir(), 'heddle-ack-'));
const switches: TestSwitch[] = [];
let controller: ChildProcess | undefined;

async function main(kube: KubeApi): Promise<object> {
  const api = `unix:${join(folder, 'api.sock')}`;
  const openflow = `tcp:127.0.0.1:${await freePort()}`;
  kube.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } });
  controller = spawn(join(ROOT, 'apps/controller/bin/heddle-controller'), [], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      KUBECONFIG: await kube.kubeconfigFile(folder),
      HEDDLE_SOURCE: 'kubernetes',
      HEDDLE_DATABASE_URL: `sqlite:${join(folder, 'db')}`,
      HEDDLE_OPENFLOW_LISTEN: openflow,
      HEDDLE_OVSDB_LISTEN: `unix:${join(folder, 'ovsdb.sock')}`,
      HEDDLE_API_LISTEN: api,
      HEDDLE_LOG_LEVEL: 'debug',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const progress = new Progress(controller);
  const client = new ApiClient({ url: api });
  for (let i = 0; (await client.text('GET', ROUTES.health).catch(() => undefined)) === undefined; i++) {
    if (i > 1_000) throw new Error('the controller does not start');
    await pause(20);
  }
  for (let n = 0; n < NODES; n++) {
    kube.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: `n${n}` } });
    const body = { encapIp: `127.0.1.${n + 1}`, addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
    const config = await client.put(path(ROUTES.agentNode, `n${n}`), NodeConfig, { body });
    const one = await startSwitch({ datapathId: BigInt(`0x${config.datapathId}`) });
    switches.push(one);
    await one.vsctl('set-controller', 'br-int', openflow);
  }
  const ips: string[] = [];
  await progress.of(async () => {
    for (let i = 0; i < NODES * PODS; i++) kube.put(pod(`p${i}`, `app-${i % PODS}`));
    for (let i = 0; i < NODES * PODS; i++) {
      const body = { node: `n${i % NODES}`, containerId: `c${i}`, ifname: 'eth0', namespace: 'bench', pod: `p${i}` };
      ips.push((await client.post(ROUTES.agentAttach, Attachment, { body: { ...body, waitMs: 10_000 } })).ips[0] ?? '');
    }
  }, BURST_QUIET_MS);
  const backends = (k: number, count: number) =>
    Array.from({ length: count }, (_, i) => ips[(k + i) % ips.length] ?? '');
  await progress.of(() => {
    for (let k = 0; k < number('services'); k++) {
      kube.put({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata(`s${k}`),
        spec: { ports: [{ port: 80, targetPort: 8080 }] },
      });
      kube.put(slice(k, backends(k, 5)));
    }
    for (let k = 0; k < number('policies'); k++) kube.put(policy(`policy-${k}`, k));
  }, BURST_QUIET_MS);

  const rounds = async (change: (i: number) => unknown) => {
    const seen = [];
    for (let i = 0; i < ROUNDS; i++) seen.push(await progress.of(() => change(i)));
    return {
      compiledMs: figures(seen.map((s) => s.compiled)),
      acknowledgedMs: figures(seen.map((s) => s.acknowledged)),
      generations: round(seen.reduce((sum, s) => sum + s.generations, 0) / ROUNDS),
    };
  };
  const labels = await rounds((i) => kube.put(pod(`p${i % (NODES * PODS)}`, `app-${(i + 7) % PODS}`)));
  const policies = await rounds((i) => kube.put(policy(`round-${i}`, i)));
  const endpoints = await rounds((i) => kube.put(slice(i % number('services'), backends(i, 6 + (i % 2)))));
  const burst = await progress.of(() => {
    for (let k = 0; k < number('burst'); k++) kube.put(policy(`burst-${k}`, k));
  }, BURST_QUIET_MS);
  return {
    nodes: NODES,
    pods: NODES * PODS,
    policies: number('policies'),
    services: number('services'),
    rounds: ROUNDS,
    /** Includes the second generation, in which a pod takes up its new identity. */
    labels,
    policies_added: policies,
    endpoints,
    burst: {
      policies: number('burst'),
      acknowledgedSeconds: round(burst.acknowledged / 1_000),
      generations: burst.generations,
    },
    machine: { load: round(loadavg()[0] ?? Number.NaN), processors: availableParallelism() },
  };
}

if (!hasOvs()) {
  console.error('Open vSwitch is not installed');
  process.exit(1);
}
const kube = await startKubeApi({ endpointSlices: false });
try {
  console.log(JSON.stringify(await main(kube), null, 2));
} finally {
  if (controller !== undefined && controller.exitCode === null) {
    controller.kill('SIGKILL');
    await once(controller, 'exit');
  }
  await Promise.all(switches.map((s) => s.stop()));
  await kube.stop();
  rmSync(folder, { recursive: true, force: true });
}
