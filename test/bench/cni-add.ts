import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KUBELET } from '../../apps/lab/src/host/services.js';
import { ROOT, TestLab, until } from '../support/lab.js';

// CNI ADD in a three-node lab, one after another, as kubelet calls it: what it takes in all and where the time goes.
// Beside it, in turn, the CNI project's own `ptp` plugin with `host-local`, which makes a veth pair and no policies (Debian:
// containernetworking-plugins; left out where it is not installed).

const ROUNDS = Number(process.argv[2] ?? 30);
const PTP = '/usr/lib/cni/ptp';
const CNI_DIR = join(ROOT, 'apps/node-agent/dist');
const lab = new TestLab();
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'));
const timings = join(folder, 'timings.json');

const median = (list: readonly number[]) => {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
const round = (ms: number) => Math.round(ms * 10) / 10;
const figures = (list: readonly number[]) => ({
  min: round(Math.min(...list)),
  median: round(median(list)),
  max: round(Math.max(...list)),
});

interface Call {
  readonly plugin: string;
  readonly cniPath: string;
  readonly conf: object;
  readonly env: Record<string, string>;
}

/** Milliseconds from starting the executable to its end. */
function call(command: 'ADD' | 'DEL', c: Call): number {
  const start = performance.now();
  const r = spawnSync(c.plugin, {
    input: JSON.stringify(c.conf),
    env: { PATH: process.env.PATH ?? '', CNI_COMMAND: command, CNI_IFNAME: 'eth0', CNI_PATH: c.cniPath, ...c.env },
    encoding: 'utf8',
  });
  const ms = performance.now() - start;
  if (r.status !== 0) throw new Error(`${c.plugin} ${command} ended with ${r.status}: ${r.stdout}${r.stderr}`);
  return ms;
}

const pod = (i: number) => `
apiVersion: v1
kind: Pod
metadata: { name: p${i}, namespace: bench, labels: { app: bench } }
spec: { nodeName: node1, containers: [{ name: c, image: none }] }
`;
const policy = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: only-each-other, namespace: bench }
spec:
  podSelector: {}
  ingress: [{ from: [{ podSelector: { matchLabels: { app: bench } } }], ports: [{ port: 80 }] }]
`;

async function main(): Promise<void> {
  await lab.up(join(ROOT, 'apps/lab/examples/shop'));
  // The pods of this benchmark are ours to attach, not the lab's kubelet's.
  await lab.kill(KUBELET, 'SIGTERM');
  const indexes = Array.from({ length: ROUNDS }, (_, i) => i);
  lab.writeManifest('bench.yaml', [policy, ...indexes.map(pod)].join('\n---\n'));
  await until(
    'the pods are known',
    async () => (await lab.podViews()).filter((p) => p.namespace === 'bench').length === ROUNDS,
  );
  await lab.realized();

  const spare = (i: number) => `${lab.paths.prefix}bench${i}`;
  const total: number[] = [];
  const peer: number[] = [];
  for (const i of indexes) {
    execFileSync('ip', ['netns', 'add', spare(i)]);
    execFileSync('ip', ['netns', 'add', `${spare(i)}p`]);
    const ours: Call = {
      plugin: join(CNI_DIR, 'heddle-cni'),
      cniPath: CNI_DIR,
      conf: {
        cniVersion: '1.0.0',
        name: 'heddle',
        type: 'heddle-cni',
        socket: join(lab.nodeDir('node1'), 'agent.sock'),
      },
      env: {
        CNI_CONTAINERID: `bench-${i}`,
        CNI_NETNS: `/run/netns/${spare(i)}`,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=p${i};K8S_POD_INFRA_CONTAINER_ID=bench-${i}`,
        HEDDLE_CNI_TIMINGS: timings,
      },
    };
    total.push(call('ADD', ours));
    if (existsSync(PTP)) {
      const theirs: Call = {
        plugin: PTP,
        cniPath: '/usr/lib/cni',
        conf: {
          cniVersion: '1.0.0',
          name: 'peer',
          type: 'ptp',
          ipam: { type: 'host-local', subnet: '10.99.0.0/16', dataDir: join(folder, 'ipam') },
        },
        env: { CNI_CONTAINERID: `peer-${i}`, CNI_NETNS: `/run/netns/${spare(i)}p` },
      };
      peer.push(call('ADD', theirs));
      call('DEL', theirs);
    }
    call('DEL', ours);
    execFileSync('ip', ['netns', 'del', spare(i)]);
    execFileSync('ip', ['netns', 'del', `${spare(i)}p`]);
  }
  const parts: Record<string, number[]> = {};
  for (const line of readFileSync(timings, 'utf8').trim().split('\n')) {
    const { command, ...rest } = JSON.parse(line) as { command: string } & Record<string, unknown>;
    if (command !== 'ADD') continue;
    for (const [key, value] of Object.entries(rest))
      if (typeof value === 'number' && key !== 'exit') parts[key] = [...(parts[key] ?? []), value];
  }
  const result = {
    benchmark: 'CNI ADD, three-node lab, one after another',
    rounds: ROUNDS,
    addMs: figures(total),
    partsMedianMs: Object.fromEntries(Object.entries(parts).map(([k, v]) => [k, round(median(v))])),
    peer:
      peer.length === 0
        ? 'not installed: containernetworking-plugins'
        : { plugin: 'ptp + host-local', addMs: figures(peer) },
    ratioToPeer: peer.length === 0 ? null : round(median(total) / median(peer)),
  };
  console.log(JSON.stringify(result, null, 2));
}

try {
  await main();
} finally {
  await lab.down();
  rmSync(folder, { recursive: true, force: true });
}
