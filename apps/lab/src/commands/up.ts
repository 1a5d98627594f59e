import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeView, PodView, ROUTES, ServiceView, StatusView, table } from '@heddle/api';
import { z } from 'zod';
import { controllerClient, programs } from '../host/controller.js';
import { putManifests, readManifests } from '../host/manifests.js';
import { nodeNetns } from '../host/netns.js';
import { ensureOvs } from '../host/ovs.js';
import type { LabPaths } from '../host/paths.js';
import type { Progress } from '../host/progress.js';
import { run, waitFor } from '../host/run.js';
import { agentReady, controllerReady, startAgent, startController, startKubelet } from '../host/services.js';
import { type LabNode, type LabOptions, readLabState, writeLabState } from '../host/state.js';
import { ensureNodeLink, ensureUnderlay, nodeAddresses } from '../host/underlay.js';
import type { KubeClient } from '../kube/client.js';
import { NODES } from '../kube/nodes.js';
import type { KubeNode } from '../kube/objects.js';
import { readCluster } from '../probe/cluster.js';
import {
  differences,
  type Expectation,
  formatMatrix,
  type Matrix,
  measure,
  parseExpectation,
  wholeTable,
} from '../probe/matrix.js';
import { kubeClient, waitForCluster } from './cluster.js';
import { apply } from './manifests.js';
import { waitForPods } from './settle.js';
import { whatToTry } from './try.js';

/** Beside the manifests: the table of who may reach whom, which `up` compares with what it measures. */
const EXPECTATION = 'reachability.txt';
const PODS_TIMEOUT_MS = 60_000;
const REALIZED_TIMEOUT_MS = 30_000;
const PROBE_TIMEOUT_MS = 2_000;
/** A matrix of all pods is for people; above this many pods only an expected table is measured. */
const MAX_MATRIX_PODS = 16;

export interface UpOptions extends LabOptions {
  readonly matrix: boolean;
}

/** Starts what does not run yet. Returns false if the measured matrix is not the expected one. */
export async function up(paths: LabPaths, options: UpOptions, progress: Progress): Promise<boolean> {
  const built = programs();
  await requireTools();
  const { matrix, ...labOptions } = options;
  const manifests = options.manifests === '' ? [] : await readManifests(options.manifests);
  const expected = options.manifests === '' ? undefined : await readExpectation(options.manifests);
  const before = await readLabState(paths);
  if (before !== undefined) checkSame(before.options, labOptions);
  progress.say(
    before === undefined
      ? `starting a lab of ${options.nodes} nodes`
      : 'the lab has been started before; starting what does not run',
  );

  const nodes: LabNode[] = Array.from({ length: options.nodes }, (_, i) => ({
    name: `node${i + 1}`,
    netns: nodeNetns(paths, `node${i + 1}`),
    ips: nodeAddresses(i + 1, options.ipv6),
  }));
  await mkdir(paths.stateDir, { recursive: true, mode: 0o755 });
  const state = { options: labOptions, nodes };
  const kube = kubeClient(state);
  const version = await kube?.get<{ gitVersion?: string }>('/version').catch((e: unknown) => {
    throw new Error(`the API server at ${kube.server} does not answer: ${e instanceof Error ? e.message : e}`, {
      cause: e,
    });
  });
  if (kube !== undefined) progress.say(`kubelets of the API server at ${kube.server}, ${version?.gitVersion ?? '?'}`);
  await writeLabState(paths, state);
  const underlay = await ensureUnderlay(paths, options.ipv6);
  if (kube === undefined) {
    const changed = await putManifests(paths, manifests);
    progress.say(`manifests: ${manifests.length} files, ${changed.length} new or changed`);
  }
  const controller = await startController(paths, built, labOptions);
  await Promise.all(
    nodes.map(async (node, i) => {
      await ensureNodeLink(underlay, node.netns, i + 1, options.ipv6);
      await ensureOvs(paths, node.name, node.netns);
      progress.say(`${node.name}: Open vSwitch runs in namespace ${node.netns}, underlay ${node.ips.join(' ')}`);
    }),
  );
  await controllerReady(paths, controller);
  progress.say(`controller runs (process ${controller.pid}), API on unix:${paths.apiSocket}`);
  await Promise.all(
    nodes.map(async (node) => {
      await agentReady(paths, node, await startAgent(paths, built, node));
      progress.say(`${node.name}: agent ready`);
    }),
  );
  const api = controllerClient(paths);
  await waitFor(
    'not all switches are connected to the controller; see: heddle-lab logs controller',
    REALIZED_TIMEOUT_MS,
    async () => {
      const views = await api.get(ROUTES.nodes, z.array(NodeView));
      return nodes.every((n) => views.some((v) => v.name === n.name && v.openflow.connected)) ? true : undefined;
    },
  );
  progress.say('all switches are connected');
  await startKubelet(paths, built);
  if (kube === undefined) await waitForPods(paths, api, PODS_TIMEOUT_MS, (text) => progress.say(text));
  else {
    await nodesRegistered(kube, nodes);
    progress.say(`${nodes.length} nodes are registered`);
    if (options.manifests !== '') await apply(paths, options.manifests, PODS_TIMEOUT_MS, progress);
    else await waitForCluster(paths, state, kube, api, PODS_TIMEOUT_MS, (text) => progress.say(text));
  }
  const status = await api.get(ROUTES.status, StatusView, {
    query: { waitMs: REALIZED_TIMEOUT_MS },
    timeoutMs: REALIZED_TIMEOUT_MS + 10_000,
  });
  if (!status.realized) throw new Error(`not everything is realized: ${status.waitingFor.join('; ')}`);
  progress.say(`${status.counts.attached} pods attached, ${status.counts.flows} flows acknowledged`);
  if (status.source.problems > 0)
    progress.say(
      `the controller reports ${status.source.problems} problems in the manifests; see: bin/heddle problems`,
    );
  await overview(paths, nodes);
  const measured = matrix ? await reachability(paths, expected, options.manifests, progress) : undefined;
  for (const line of whatToTry(paths, await readCluster(paths, api), measured?.matrix)) print(line);
  return measured?.asExpected ?? true;
}

async function nodesRegistered(kube: KubeClient, nodes: readonly LabNode[]): Promise<void> {
  await waitFor('not all nodes are registered; see: heddle-lab logs kubelet', REALIZED_TIMEOUT_MS, async () => {
    const { items } = await kube.list<KubeNode>(NODES);
    const ready = (name: string) => items.find((n) => n.metadata.name === name)?.status?.conditions !== undefined;
    return nodes.every((n) => ready(n.name)) ? true : undefined;
  });
}

const TOOLS: readonly (readonly [tool: string, debianPackage: string])[] = [
  ['ip', 'iproute2'],
  ['nsenter', 'util-linux'],
  ['ethtool', 'ethtool'],
  ['nft', 'nftables'],
  ['ovs-vswitchd', 'openvswitch-switch'],
  ['ovsdb-server', 'openvswitch-switch'],
  ['ovsdb-tool', 'openvswitch-common'],
];

async function requireTools(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('the lab makes network namespaces: run it as root');
  const found = await Promise.all(
    TOOLS.map(([tool]) =>
      run(['sh', '-c', `command -v ${tool}`]).then(
        () => true,
        () => false,
      ),
    ),
  );
  const missing = [...new Set(TOOLS.filter((_, i) => !found[i]).map(([, pkg]) => pkg))];
  if (missing.length > 0)
    throw new Error(`missing programs; run: apt-get install ${missing.join(' ')}  (or: make lab)`);
}

function checkSame(old: LabOptions, wanted: LabOptions): void {
  const changes = (['nodes', 'ipv6', 'encap', 'kubeconfig', 'endpointSlices'] as const).filter(
    (k) => old[k] !== wanted[k],
  );
  if (changes.length === 0) return;
  const text = changes.map((k) => `${k} is ${old[k]}, not ${wanted[k]}`).join('; ');
  throw new Error(`the lab runs with other options (${text}); run 'heddle-lab down' first`);
}

async function readExpectation(directory: string): Promise<Expectation | undefined> {
  const file = join(directory, EXPECTATION);
  if (!existsSync(file)) return undefined;
  try {
    return parseExpectation(await readFile(file, 'utf8'));
  } catch (e) {
    throw new Error(`${file}: ${e instanceof Error ? e.message : e}`, { cause: e });
  }
}

async function overview(paths: LabPaths, nodes: readonly LabNode[]): Promise<void> {
  const api = controllerClient(paths);
  const [nodeViews, podViews, services] = await Promise.all([
    api.get(ROUTES.nodes, z.array(NodeView)),
    api.get(ROUTES.pods, z.array(PodView)),
    api.get(ROUTES.services, z.array(ServiceView)),
  ]);
  const nodeRows = nodeViews.map((n) => [
    n.name,
    nodes.find((l) => l.name === n.name)?.ips.join(' ') ?? n.encapIp,
    n.blocks.join(' '),
    String(n.pods),
    String(n.flows),
  ]);
  const podRows = podViews.map((p) => [
    p.namespace,
    p.name,
    p.attachment?.node ?? '-',
    p.attachment?.ips.join(' ') ?? '-',
  ]);
  const serviceRows = services.flatMap((s) =>
    s.ports.map((p) => [
      s.namespace,
      s.name,
      s.clusterIps.join(' '),
      `${p.port}/${p.protocol}`,
      p.endpoints.join(' ') || 'none',
    ]),
  );
  print(`\nNodes\n${table(['NODE', 'UNDERLAY', 'POD BLOCKS', 'PODS', 'FLOWS'], nodeRows)}`);
  print(`\nPods\n${table(['NAMESPACE', 'NAME', 'NODE', 'ADDRESSES'], podRows)}`);
  print(`\nServices\n${table(['NAMESPACE', 'NAME', 'CLUSTER IPS', 'PORT', 'ENDPOINTS'], serviceRows)}`);
}

interface Reachability {
  readonly matrix: Matrix;
  readonly asExpected: boolean;
}

/** Measures and prints the matrix, if there is something to measure. */
async function reachability(
  paths: LabPaths,
  expected: Expectation | undefined,
  directory: string,
  progress: Progress,
): Promise<Reachability | undefined> {
  const cluster = await readCluster(paths, controllerClient(paths));
  if (expected === undefined && cluster.pods.length > MAX_MATRIX_PODS) {
    progress.say(`no matrix: ${cluster.pods.length} pods and no ${EXPECTATION} beside the manifests`);
    return undefined;
  }
  const whole = wholeTable(cluster);
  const from = expected?.rows.map((r) => r.from) ?? whole.from;
  const columns = expected?.columns ?? whole.columns;
  if (from.length === 0 || columns.length === 0) return undefined;
  progress.say('measuring who reaches whom');
  const matrix = await measure(cluster, from, columns, PROBE_TIMEOUT_MS, expected);
  print(`\nWho reaches whom (${matrix.connections} real connections in ${(matrix.ms / 1000).toFixed(1)} s)\n`);
  print(formatMatrix(matrix, expected));
  for (const note of matrix.notes) print(`  ${note}`);
  if (expected === undefined) return { matrix, asExpected: true };
  const file = join(directory, EXPECTATION);
  const wrong = differences(expected, matrix);
  if (wrong.length === 0) print(`\nAs expected: every cell is equal to ${file}`);
  else
    print([`\nNOT AS EXPECTED: ${wrong.length} cells differ from ${file}`, ...wrong.map((l) => `  ${l}`)].join('\n'));
  return { matrix, asExpected: wrong.length === 0 };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
