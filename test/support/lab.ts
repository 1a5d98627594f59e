import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ApiClient, NodeConfig, NodeView, PodView, path, ROUTES, ServiceView, StatusView } from '@heddle/api';
import { z } from 'zod';
import { down } from '../../apps/lab/src/commands/down.js';
import * as manifests from '../../apps/lab/src/commands/manifests.js';
import { programs } from '../../apps/lab/src/host/controller.js';
import { withLock } from '../../apps/lab/src/host/lock.js';
import { ensureOvs, vswitchdProcess } from '../../apps/lab/src/host/ovs.js';
import { labPaths, nodeDir } from '../../apps/lab/src/host/paths.js';
import { running } from '../../apps/lab/src/host/processes.js';
import { Progress } from '../../apps/lab/src/host/progress.js';
import {
  agentLog,
  agentProcess,
  CONTROLLER,
  controllerReady,
  startController,
} from '../../apps/lab/src/host/services.js';
import { type PodRecord, readPods, requireLabState } from '../../apps/lab/src/host/state.js';
import type { Probe, ProbeResult } from '../../apps/lab/src/pod/protocol.js';
import { askPod } from '../../apps/lab/src/probe/ask.js';
import { parseNextHops } from '../../apps/node-agent/src/ovs/next-hops.js';
import { purgeDecisions } from '../../apps/node-agent/src/ovs/policy-purge.js';
import { mayKeepDecisions } from '../../apps/node-agent/src/ovs/stale-decisions.js';

const exec = promisify(execFile);
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The executable. */
export const HEDDLE_LAB = join(ROOT, 'apps/lab/bin/heddle-lab');
const HEDDLE = join(ROOT, 'apps/cli/bin/heddle');

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The lab of the end-to-end tests: its own name, so that one started by hand is left alone. */
const LAB_NAME = process.env.HEDDLE_E2E_LAB ?? 'e2e';

/** How long `heddle-lab apply` waits when it is not told. */
const SETTLE_MS = 60_000;

/** A lab whose source are manifests; with `up(..., '--kubeconfig', FILE)` it is an API server. */
export class TestLab {
  readonly paths = labPaths({ HEDDLE_LAB_NAME: LAB_NAME });
  private readonly env = {
    ...process.env,
    HEDDLE_LAB_NAME: LAB_NAME,
    HEDDLE_CONTROLLER_URL: `unix:${this.paths.apiSocket}`,
  };
  readonly api = new ApiClient({ url: `unix:${this.paths.apiSocket}` });

  /** Starts the lab anew with the manifests of a folder. */
  async up(manifests: string | undefined, ...args: readonly string[]): Promise<string> {
    await this.down();
    const what = manifests === undefined ? [] : ['--manifests', manifests];
    const { stdout } = await this.must(HEDDLE_LAB, ['up', '--no-matrix', ...what, ...args]);
    for (const { name } of await this.nodes()) await this.nextHopsKnown(name);
    return stdout;
  }
  down(): Promise<void> {
    return this.asCommand('down', (say) => down(this.paths, say));
  }
  lab(...args: readonly string[]): Promise<Outcome> {
    return this.run(HEDDLE_LAB, args);
  }
  heddle(...args: readonly string[]): Promise<Outcome> {
    return this.run(HEDDLE, args);
  }
  /** @throws Error with what the command printed */
  async must(command: string, args: readonly string[]): Promise<Outcome> {
    const r = await this.run(command, args);
    if (r.code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${r.code}\n${r.stdout}\n${r.stderr}`);
    return r;
  }
  /** Runs a command of the machine (ip, nft ...). */
  async run(command: string, args: readonly string[]): Promise<Outcome> {
    try {
      const { stdout, stderr } = await exec(command, [...args], { env: this.env, maxBuffer: 1 << 28 });
      return { code: 0, stdout, stderr };
    } catch (e) {
      const failed = e as { code?: number | string; stdout?: string; stderr?: string };
      if (typeof failed.code !== 'number') throw e;
      return { code: failed.code, stdout: failed.stdout ?? '', stderr: failed.stderr ?? '' };
    }
  }

  /** A file for `heddle-lab apply`, by its path. */
  manifestFile(file: string, yaml: string): string {
    const local = join(this.paths.stateDir, 'applied', file);
    mkdirSync(dirname(local), { recursive: true });
    writeFileSync(local, yaml);
    return local;
  }
  private applied = 0;
  /** Does what `heddle-lab apply` does: replaces one file of the watched directory (or what it held at the API server) and waits until pods, flows and this file's objects are in place. */
  async apply(file: string, yaml: string): Promise<void> {
    // Objects that were there before do not tell that their change has been read; a new one beside them does.
    const marker = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'default', name: `applied-${++this.applied}` },
      spec: { podSelector: { matchLabels: { no: 'pod' } } },
    };
    const local = this.manifestFile(file, `${yaml}\n---\n${JSON.stringify(marker)}\n`);
    await this.asCommand(`apply ${file}`, (say) => manifests.apply(this.paths, local, SETTLE_MS, say));
    await this.purge();
  }
  async delete(file: string): Promise<void> {
    await this.asCommand(`delete ${file}`, (say) => manifests.remove(this.paths, file, SETTLE_MS, say));
    await this.purge();
  }
  /** A command of the lab without a process of its own. @throws Error with what it said */
  private async asCommand(what: string, command: (say: Progress) => Promise<void>): Promise<void> {
    const said: string[] = [];
    const progress = new Progress((line) => said.push(line));
    try {
      await withLock(`${this.paths.stateDir}.lock`, SETTLE_MS, () => command(progress));
    } catch (e) {
      throw new Error(`${what}: ${e instanceof Error ? e.message : e}\n${said.join('\n')}`, { cause: e });
    }
  }
  /** Writes straight into the watched directory, as an editor would, and waits for nothing. */
  writeManifest(file: string, text: string): void {
    writeFileSync(join(this.paths.manifests, file), text);
  }
  removeManifest(file: string): void {
    rmSync(join(this.paths.manifests, file), { force: true });
  }

  async pod(name: string): Promise<PodRecord> {
    const found = (await readPods(this.paths)).find((p) => `${p.namespace}/${p.name}` === name);
    if (found === undefined) throw new Error(`the lab has no pod ${name}`);
    return found;
  }
  pods(): Promise<PodRecord[]> {
    return readPods(this.paths);
  }
  async probe(from: string, probes: readonly Probe[]): Promise<readonly ProbeResult[]> {
    return askPod(from, (await this.pod(from)).probeSocket, probes);
  }
  /** One probe of each address family of a pod; `what` names the target in messages. */
  async probeOne(from: string, probe: Omit<Probe, 'timeoutMs'> & { timeoutMs?: number }): Promise<ProbeResult> {
    const [result] = await this.probe(from, [{ timeoutMs: 10_000, ...probe }]);
    if (result === undefined) throw new Error('no result');
    return result;
  }
  podViews(): Promise<z.infer<typeof PodView>[]> {
    return this.api.get(ROUTES.pods, z.array(PodView));
  }
  async service(name: string): Promise<z.infer<typeof ServiceView>> {
    const all = await this.api.get(ROUTES.services, z.array(ServiceView));
    const found = all.find((s) => `${s.namespace}/${s.name}` === name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  }
  nodes(): Promise<z.infer<typeof NodeView>[]> {
    return this.api.get(ROUTES.nodes, z.array(NodeView));
  }
  status(waitMs?: number): Promise<z.infer<typeof StatusView>> {
    return this.api.get(ROUTES.status, StatusView, {
      ...(waitMs === undefined ? {} : { query: { waitMs } }),
      timeoutMs: 60_000,
    });
  }
  /** Waits until every switch has acknowledged everything. */
  async acknowledged(): Promise<void> {
    const s = await this.status(30_000);
    if (!s.realized) throw new Error(`not realized: ${s.waitingFor.join('; ')}`);
  }
  /** Waits until every switch has acknowledged everything, and packets are judged by it. */
  async realized(): Promise<void> {
    await this.acknowledged();
    await this.purged();
  }
  /** Does to the switches that run what their agents do after a change; those do it once a second only while changes go on. */
  async purge(): Promise<void> {
    if (!(await this.keepsDecisions())) return;
    for (const { name } of await this.nodes())
      if ((await running(this.paths, vswitchdProcess(name))) !== undefined) await purgeDecisions(this.nodeDir(name));
  }
  private stale: Promise<boolean> | undefined;
  /** Whether this Open vSwitch may go on by a cached decision that a change should have taken away (3.1.0 in user space does). */
  keepsDecisions(): Promise<boolean> {
    this.stale ??= this.must('ovs-vswitchd', ['--version']).then(({ stdout }) => mayKeepDecisions(stdout));
    return this.stale;
  }
  /** The last policy epoch that each node was told of. */
  readonly policyEpochs = new Map<string, number>();
  /** Agents empty such a cache after a change, but only so often: waits until those that run have. */
  private async purged(): Promise<void> {
    if (!(await this.keepsDecisions())) return;
    for (const { name } of await this.nodes())
      await until(`the agent of ${name} has emptied the cache`, async () => {
        if ((await running(this.paths, agentProcess(name))) === undefined) return true;
        const { policyEpoch } = await this.api.get(path(ROUTES.agentNodeConfig, name), NodeConfig);
        if (policyEpoch === undefined) return true;
        this.policyEpochs.set(name, policyEpoch);
        const log = readFileSync(agentLog(this.paths, name), 'utf8');
        if (log.includes(`"policyEpoch":${policyEpoch},"msg":"datapath_purged"`)) return true;
        throw new Error(`not of epoch ${policyEpoch}; its log ends with ${log.slice(-500)}`);
      });
  }
  metrics(): Promise<string> {
    return this.api.text('GET', path(ROUTES.metrics));
  }

  /** Ends a process of the lab by its recorded pid and waits until it is gone. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const record = await running(this.paths, name);
    if (record === undefined) throw new Error(`${name} does not run`);
    process.kill(record.pid, signal);
    await until(`${name} ended`, async () => (await running(this.paths, name)) === undefined);
  }
  async startController(): Promise<void> {
    const state = await requireLabState(this.paths);
    await controllerReady(this.paths, await startController(this.paths, programs(), state.options));
  }
  async restartController(): Promise<void> {
    await this.kill(CONTROLLER, 'SIGTERM');
    await this.startController();
  }
  nodeDir(node: string): string {
    return nodeDir(this.paths, node);
  }
  netns(node: string): string {
    return `${this.paths.prefix}${node}`;
  }
  /** `ovs-ofctl -O OpenFlow15 ...` on a node's br-int. */
  async ofctl(node: string, command: string, ...args: readonly string[]): Promise<string> {
    const env = { ...process.env, OVS_RUNDIR: this.nodeDir(node) };
    const { stdout } = await exec('ovs-ofctl', ['-O', 'OpenFlow15', command, 'br-int', ...args], {
      env,
      maxBuffer: 1 << 28,
    });
    return stdout;
  }
  /** `ovs-appctl` of a node's ovs-vswitchd. */
  async appctl(node: string, ...args: readonly string[]): Promise<string> {
    return (await this.must('ovs-appctl', ['-t', `${this.nodeDir(node)}/vswitchd.ctl`, ...args])).stdout;
  }
  /** Waits until the first packet from a node to any other would not be lost. */
  async nextHopsKnown(node: string): Promise<void> {
    const others = (await this.nodes()).filter(({ name }) => name !== node).map(({ encapIp }) => encapIp);
    await until(`${node} knows the next hops to ${others.join(', ')}`, async () => {
      const known = parseNextHops(await this.appctl(node, 'tnl/neigh/show'));
      return others.every((ip) => known.has(ip));
    });
  }
  /** Flows of a node without counters, sorted. */
  async flows(node: string): Promise<string[]> {
    const text = await this.ofctl(node, 'dump-flows', '--no-stats');
    return text
      .split('\n')
      .map((l) => l.trim())
      .filter((l) => l.includes('actions='))
      .sort();
  }
  async groups(node: string): Promise<string[]> {
    const text = await this.ofctl(node, 'dump-groups');
    return text
      .split('\n')
      .map((l) => l.trim())
      .filter((l) => l.startsWith('group_id='))
      .sort();
  }
  /** Kills a node's ovs-vswitchd and starts it again on the same database. */
  async restartVswitchd(node: string): Promise<void> {
    await this.kill(vswitchdProcess(node));
    await ensureOvs(this.paths, node, this.netns(node));
  }
}

/** Polls until `condition` holds; errors of the condition count as "not yet" until the time is up. */
export async function until(what: string, condition: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (e) {
      last = e;
    }
    if (performance.now() > end)
      throw new Error(`not within ${timeoutMs} ms: ${what}${last instanceof Error ? `; last: ${last.message}` : ''}`, {
        cause: last,
      });
    await new Promise((r) => setTimeout(r, 25));
  }
}
