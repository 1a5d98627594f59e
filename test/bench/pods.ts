import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isStatus, KubeClient } from '../../apps/lab/src/kube/client.js';
import { readKubeconfig } from '../../apps/lab/src/kube/kubeconfig.js';
import { isReady, type KubePod } from '../../apps/lab/src/kube/objects.js';
import { type Traces, traces } from '../e2e/suites/kubelet.js';
import { type ApiHandle, startKubeApi, startRealKubeApi, whyNoRealKubeApi } from '../support/kube-api/index.js';
import { TestLab, until } from '../support/lab.js';

// Pods created at once in a three-node lab of an API server: until all are attached and ready, whether an address was given twice, and what is left when
// they are deleted. Pods are pauses (a network namespace and nothing else), except every 50th, which is the echo program.
//   node test/bench/run.mjs pods [COUNT] [--real]

const COUNT = Number(process.argv.slice(2).find((a) => /^\d+$/.test(a)) ?? 1000);
const REAL = process.argv.includes('--real');
const NAMESPACE = 'life';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const PATIENCE_MS = 1_800_000;
const lab = new TestLab();
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'));

const seconds = (ms: number) => Math.round(ms / 100) / 10;
const figures = (list: readonly number[]) => {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { min: at(0), p50: at(0.5), p99: at(0.99), max: at(1) };
};

async function inParallel<T>(items: readonly T[], task: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await task(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

async function controllerMegabytes(): Promise<number> {
  const status = await lab.lab('status', '-o', 'json');
  const { controller } = JSON.parse(status.stdout) as { controller: { pid: number } };
  const text = readFileSync(`/proc/${controller.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) / 1024);
}

/** Blocks of addresses that each node holds. */
const blocks = async () => (await lab.nodes()).map((n) => ({ node: n.name, count: n.blocks.length }));
type Blocks = Awaited<ReturnType<typeof blocks>>;

/** Nodes keep the blocks that they once got, and every other node has one route to each. */
function withBlocks(before: Traces, had: Blocks, has: Blocks): Traces {
  const more = has.map(({ node, count }) => count - (had.find((h) => h.node === node)?.count ?? 0));
  const total = more.reduce((a, b) => a + b, 0);
  return { ...before, flows: before.flows.map((n, i) => n + total - (more[i] ?? 0)) };
}

async function main(): Promise<void> {
  const missing = whyNoRealKubeApi();
  if (REAL && missing !== undefined) throw new Error(`--real: ${missing}`);
  const server: ApiHandle = REAL ? await startRealKubeApi() : await startKubeApi();
  try {
    const kubeconfig = await server.kubeconfigFile(folder);
    const kube = new KubeClient(readKubeconfig(kubeconfig));
    await lab.up(undefined, '--kubeconfig', kubeconfig);
    await kube.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    const account = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`;
    await until('the namespace has its service account', async () => (await kube.find(account)) !== undefined);
    const before = await traces(lab);
    const had = await blocks();
    const names = Array.from({ length: COUNT }, (_, i) => `many-${i}`);

    const start = performance.now();
    await inParallel(names, (name) =>
      kube.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: NAMESPACE, name, labels: { app: 'many' } },
        spec: { containers: [{ name: 'c', image: Number(name.slice(5)) % 50 === 0 ? 'heddle/echo' : 'pause' }] },
      }),
    );
    const created = performance.now();
    let pods: readonly KubePod[] = [];
    let said = 0;
    await until(
      `${COUNT} pods are ready`,
      async () => {
        await new Promise((done) => setTimeout(done, 500));
        pods = (await kube.list<KubePod>(PODS)).items;
        const ready = pods.filter(isReady).length;
        if (ready >= said + 100) console.error(`${ready} ready after ${seconds(performance.now() - start)} s`);
        if (ready >= said + 100) said = ready;
        return ready === COUNT;
      },
      PATIENCE_MS,
    );
    const ready = performance.now();
    await lab.realized();
    const realized = performance.now();
    const ips = pods.flatMap((p) => p.status?.podIPs?.map((x) => x.ip) ?? []);
    const during = await traces(lab);
    const records = await lab.pods();
    const echoes = records.filter((r) => Number(r.name.slice(5)) % 50 === 0);
    const [first] = echoes;
    const reached = await Promise.all(
      echoes.slice(1).map(async (r) => {
        const probe = { protocol: 'tcp', address: r.ips[0] ?? '', port: 8080, timeoutMs: 10_000 } as const;
        return (await lab.probe(`${NAMESPACE}/${first?.name}`, [probe]))[0]?.outcome === 'ok';
      }),
    );
    const megabytes = await controllerMegabytes();

    const deleting = performance.now();
    await inParallel(names, (name) =>
      kube.delete(`${PODS}/${name}`).catch((e: unknown) => {
        if (!isStatus(e, 404)) throw e;
      }),
    );
    await until(
      'all pods are gone',
      async () => {
        await new Promise((done) => setTimeout(done, 500));
        return (await kube.list<KubePod>(PODS)).items.length === 0;
      },
      PATIENCE_MS,
    );
    const gone = performance.now();
    await lab.realized();
    const after = await traces(lab);
    const has = await blocks();
    const leaked = JSON.stringify(after) !== JSON.stringify(withBlocks(before, had, has));
    console.log(
      JSON.stringify(
        {
          apiServer: REAL ? 'kube-apiserver' : 'small',
          pods: COUNT,
          createdSeconds: seconds(created - start),
          readySeconds: seconds(ready - start),
          acknowledgedSeconds: seconds(realized - start),
          cniAddMs: figures(records.map((r) => r.cniAddMs ?? 0)),
          addresses: ips.length,
          addressesGivenTwice: ips.length - new Set(ips).size,
          during,
          probesOk: reached.filter(Boolean).length,
          probes: reached.length,
          controllerMegabytes: megabytes,
          goneSeconds: seconds(gone - deleting),
          before,
          left: after,
          blocks: { before: had, after: has },
          leaked,
        },
        null,
        2,
      ),
    );
    kube.close();
    if (ips.length !== 2 * COUNT || new Set(ips).size !== ips.length || leaked) process.exitCode = 1;
  } finally {
    await lab.down();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
