// npm run bench:compiler -- [--sizes 1000,10000,100000] [--nodes 100] [--rounds 20] [--tables]
// What the compiler alone costs: everything from nothing, then one change at a time. Prints one JSON object.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import {
  cidr,
  createCompiler,
  type FactChange,
  type IdKind,
  type IdSource,
  ip,
  mac,
  type NetworkPolicyFact,
  nodeName,
  ofport,
  type PodFact,
  portKey,
  vpc,
} from '@heddle/compiler';

/** Pods of a namespace; the sizes of Antrea's published benchmark are 4 pods and 3 policies for each namespace. */
const PODS = 4;
const POLICIES = 3;

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000,100000' },
    nodes: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '20' },
    /** Also assemble the flow tables of every node. */
    tables: { type: 'boolean', default: false },
    /** One size in this process, for a profiler. */
    single: { type: 'boolean', default: false },
  },
});

function countingIds(): IdSource {
  const given: Record<IdKind, Map<string, number>> = {
    identity: new Map(),
    group: new Map(),
    conjunction: new Map(),
    object: new Map(),
  };
  return {
    number(kind, key) {
      let n = given[kind].get(key);
      if (n === undefined) {
        n = given[kind].size + (kind === 'identity' ? 256 : 1);
        given[kind].set(key, n);
      }
      return n;
    },
  };
}

const hex = (n: number) => n.toString(16).padStart(2, '0');

class Cluster {
  constructor(
    private readonly pods: number,
    private readonly nodes: number,
  ) {}

  *facts(): Iterable<FactChange> {
    yield {
      kind: 'config',
      key: 'config',
      value: {
        clusterCidrs: [cidr('10.0.0.0/8')],
        serviceCidrs: [cidr('172.30.0.0/16')],
        encap: 'geneve',
        routerMac: mac('0a:58:00:00:00:01'),
        families: [4],
      },
    };
    for (let n = 0; n < this.nodes; n++) {
      const name = nodeName(`node${n}`);
      const gateway = { mac: mac(`0a:58:00:01:${hex(n >> 8)}:${hex(n & 255)}`), ips: [], ofport: ofport(2) };
      const encapIp = ip(`192.168.${n >> 8}.${n & 255}`);
      yield {
        kind: 'node',
        key: name,
        value: { name, encapIp, addresses: [encapIp], gateway, tunnelOfport: ofport(1) },
      };
      // Room for 4096 pods each.
      const block = cidr(`10.${n >> 4}.${(n & 15) << 4}.0/20`);
      yield { kind: 'block', key: block, value: { cidr: block, node: name, vpc: vpc(1) } };
    }
    for (let i = 0; i < this.pods / PODS; i++) {
      const name = `ns-${i}`;
      yield { kind: 'namespace', key: name, value: { name, labels: { tenant: `t${i % 1000}` } } };
      for (let j = 0; j < POLICIES; j++) yield this.policy(i, j);
    }
    for (let i = 0; i < this.pods; i++) yield* this.pod(i);
  }

  pod(i: number, change: Partial<PodFact> = {}): FactChange[] {
    const namespace = `ns-${Math.floor(i / PODS) % (this.pods / PODS)}`;
    const pod = `pod-${i}`;
    const key = `${namespace}/${pod}`;
    const n = i % this.nodes;
    const host = Math.floor(i / this.nodes) + 2;
    const address = ip(`10.${n >> 4}.${((n & 15) << 4) | (host >> 8)}.${host & 255}`);
    const labels = { app: `app-${i % 2}`, tier: 'any' };
    return [
      {
        kind: 'pod',
        key,
        value: {
          namespace,
          name: pod,
          labels,
          serviceAccount: 'default',
          hostNetwork: false,
          namedPorts: [],
          ...change,
        },
      },
      {
        kind: 'attachment',
        key,
        value: {
          namespace,
          pod,
          node: nodeName(`node${n}`),
          portKey: portKey(i + 1),
          ofport: ofport(256 + host),
          mac: mac(`0a:58:0a:${hex(n)}:${hex(host >> 8)}:${hex(host & 255)}`),
          ips: [address],
          vpc: vpc(1),
        },
      },
    ];
  }

  policy(namespace: number, j: number): FactChange {
    const app = (n: number) => ({ matchLabels: { app: `app-${n % 2}` } });
    const ports = [{ protocol: 'TCP' as const, port: 80 }];
    const spec: Pick<NetworkPolicyFact, 'podSelector' | 'ingress' | 'egress'> =
      j === 0
        ? { podSelector: {}, ingress: [] }
        : j % 2 === 1
          ? { podSelector: app(0), ingress: [{ peers: [{ podSelector: app(1) }], ports }] }
          : { podSelector: app(1), egress: [{ peers: [{ podSelector: app(0) }], ports }] };
    const value = { namespace: `ns-${namespace}`, name: `policy-${j}`, ...spec };
    return { kind: 'policy', key: `${value.namespace}/${value.name}`, value };
  }
}

const round = (n: number, digits = 2) => Number(n.toFixed(digits));
const figures = (list: readonly number[]) => {
  const sorted = [...list].sort((a, b) => a - b);
  return { p50: round(sorted[sorted.length >> 1] ?? Number.NaN), max: round(sorted.at(-1) ?? Number.NaN) };
};
const megabytes = (bytes: number) => Math.round(bytes / 1e6);

function measure(pods: number, nodes: number, rounds: number, tables: boolean) {
  const cluster = new Cluster(pods, nodes);
  const compiler = createCompiler(countingIds());
  const facts = [...cluster.facts()];
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const timed = (changes: readonly FactChange[]): number => {
    const startedAt = performance.now();
    compiler.apply(changes);
    return performance.now() - startedAt;
  };
  const cpuBefore = process.cpuUsage();
  const fullMs = timed(facts);
  const cpu = process.cpuUsage(cpuBefore);
  const assembleStartedAt = performance.now();
  let flows = 0;
  if (tables) for (const name of compiler.nodes()) flows += compiler.node(name)?.flows.size ?? 0;
  const assembleMs = performance.now() - assembleStartedAt;
  const maxRss = process.resourceUsage().maxRSS * 1024;
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  // The nodes that the changes are on have their tables, as connected switches do.
  for (let n = 0; n < Math.min(nodes, 2 * rounds); n++) compiler.node(nodeName(`node${n}`));
  const added: number[] = [];
  const relabelled: number[] = [];
  const policies: number[] = [];
  for (let i = 0; i < rounds; i++) {
    added.push(timed(cluster.pod(pods + i)));
    relabelled.push(timed(cluster.pod(i * PODS, { labels: { app: 'app-1', tier: `new-${i}` } }).slice(0, 1)));
    policies.push(timed([cluster.policy(i * 7, POLICIES)]));
  }
  const stats = compiler.stats();
  return {
    pods,
    namespaces: pods / PODS,
    policies: (pods / PODS) * POLICIES,
    nodes,
    fullCompileMs: round(fullMs, 0),
    /** Of all threads, those that collect garbage included: what stays the same while others use the machine. */
    fullCompileCpuMs: { user: round(cpu.user / 1000, 0), system: round(cpu.system / 1000, 0) },
    ...(tables ? { assembleTablesMs: round(assembleMs, 0), flows } : {}),
    maxRssMb: megabytes(maxRss),
    factsHeapMb: megabytes(before),
    heapMb: megabytes(heap),
    identities: stats.identities,
    podAddedMs: figures(added),
    labelChangedMs: figures(relabelled),
    policyAddedMs: figures(policies),
  };
}

async function inOwnProcess(size: number): Promise<unknown> {
  const args = ['--single', '--sizes', String(size), '--nodes', values.nodes, '--rounds', values.rounds];
  if (values.tables) args.push('--tables');
  const child: ChildProcess = spawn(
    process.execPath,
    ['--expose-gc', new URL('run.mjs', import.meta.url).pathname, 'compiler', ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  child.stdout?.on('data', (part) => (out += part));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`size ${size} ended with ${code}`);
  return JSON.parse(out);
}

const sizes = values.sizes.split(',').map(Number);
if (values.single)
  console.log(JSON.stringify(measure(sizes[0] as number, Number(values.nodes), Number(values.rounds), values.tables)));
else {
  const curve: unknown[] = [];
  for (const size of sizes) curve.push(await inOwnProcess(size));
  console.log(
    JSON.stringify(
      { benchmark: 'compiler alone, no switches', goal: 'full 6 s, 1500 MB; changes 5 ms', curve },
      null,
      2,
    ),
  );
}
