import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import type { Programs } from '../host/controller.js';
import { readIfThere } from '../host/files.js';
import { addNetns, deleteNetns, podNetns } from '../host/netns.js';
import { type LabPaths, netnsPath, nodeDir } from '../host/paths.js';
import { allRecords, end, findProcesses, forget, isAlive, type ProcessId, start } from '../host/processes.js';
import { waitFor } from '../host/run.js';
import { type LabState, type PodRecord, type RefusedPod, readPods, writeKubelet } from '../host/state.js';
import { accepts } from '../host/unix-socket.js';
import { type CniTarget, cniAdd, cniDel } from './cni.js';
import { type ContainerStart, containerStarts, SANDBOX, specHash } from './containers.js';
import type { PodDirectory, WantedPod } from './directory.js';
import { pickNode } from './schedule.js';

/** How often to look whether programs still run. */
const ALIVE_MS = 200;
/** ADDs at the same time: more do not end sooner on a small machine. */
const MAX_PARALLEL = 4;
/** Wait before another attempt for a pod that failed, doubled each time. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
const READY_TIMEOUT_MS = 15_000;

type Pod = WantedPod;

interface Retry {
  readonly failures: number;
  readonly at: number;
  /** Its end failed, not its beginning. */
  readonly ending: boolean;
}

export interface KubeletOptions {
  readonly paths: LabPaths;
  readonly lab: () => Promise<LabState>;
  readonly programs: Programs;
  readonly directory: PodDirectory;
  readonly log: (event: string, data: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
}

/**
 * The kubelet of all nodes: makes what runs equal to what the directory of pods says. Each step is recorded before it is
 * done, so that a new process takes over where a killed one stopped.
 */
export class Kubelet {
  private pods = new Map<string, PodRecord>();
  private wanted = new Map<string, Pod>();
  private readonly busy = new Map<string, Promise<void>>();
  private readonly retries = new Map<string, Retry>();
  private readonly refused = new Map<string, string>();
  private written: Promise<void> = Promise.resolve();
  private writeWaits = false;
  private aliveAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: KubeletOptions) {}

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    this.pods = new Map((await readPods(this.options.paths)).map((p) => [key(p), p]));
    // What a killed predecessor had begun is undone and begun again.
    for (const pod of this.pods.values()) if (pod.phase !== 'running') await this.remove(pod);
    let reachable = true;
    while (!signal.aborted) {
      try {
        await this.look();
        reachable = true;
      } catch (e) {
        // Who knows the pods restarts; they stay as they are meanwhile.
        if (reachable) this.options.log('directory-unreachable', { error: message(e) });
        reachable = false;
      }
      await this.options.directory.pause();
    }
    await Promise.allSettled(this.busy.values());
    await this.written;
  }

  private async look(): Promise<void> {
    const { directory } = this.options;
    const pods = await directory.list();
    if (pods === undefined) return;
    this.wanted = new Map(pods.map((p) => [key(p), p]));
    const lab = await this.options.lab();
    const checkAlive = this.options.now() - this.aliveAt >= ALIVE_MS;
    if (checkAlive) this.aliveAt = this.options.now();
    for (const k of new Set([...this.wanted.keys(), ...this.pods.keys()])) {
      if (this.busy.size >= MAX_PARALLEL) break;
      if (this.busy.has(k)) continue;
      const wanted = this.wanted.get(k);
      const retry = this.retries.get(k);
      const ending = wanted === undefined || wanted.ending;
      // A pod that is no longer wanted goes at once, however often it has failed to start.
      if (retry !== undefined && retry.at > this.options.now() && (!ending || retry.ending)) continue;
      const step = await this.nextStep(wanted, this.pods.get(k), lab, checkAlive);
      if (step === undefined) continue;
      const work = step().then(
        () => void this.retries.delete(k),
        (e: unknown) => this.failed(k, e),
      );
      this.busy.set(
        k,
        work.finally(() => {
          this.busy.delete(k);
          directory.poke();
        }),
      );
    }
    for (const k of this.retries.keys())
      if (!this.wanted.has(k) && !this.pods.has(k)) {
        this.retries.delete(k);
        this.refused.delete(k);
      }
    directory.report({ pods: this.pods, refused: this.refused });
  }

  /** What has to be done for one pod, or undefined. */
  private async nextStep(
    wanted: Pod | undefined,
    actual: PodRecord | undefined,
    lab: LabState,
    checkAlive: boolean,
  ): Promise<(() => Promise<void>) | undefined> {
    const { directory } = this.options;
    if (actual === undefined) {
      if (wanted === undefined) return undefined;
      return wanted.ending ? () => directory.ended(wanted) : () => this.create(wanted, lab);
    }
    if (wanted === undefined) return () => this.remove(actual);
    // The pod that had the name before; the next look begins the new one.
    if (wanted.uid !== undefined && wanted.uid !== actual.uid) return () => this.remove(actual);
    if (wanted.ending) return () => this.remove(actual).then(() => directory.ended(wanted));
    const moved = wanted.requestedNode !== '' && wanted.requestedNode !== actual.node;
    if (moved || wanted.hostNetwork !== actual.hostNetwork)
      return () => this.remove(actual).then(() => this.create(wanted, lab));
    // Failed: a new attempt in a new sandbox, as kubelet does.
    if (actual.phase !== 'running') return () => this.remove(actual).then(() => this.create(wanted, lab));
    if (actual.spec !== specHash(wanted)) return () => this.restart(actual, wanted);
    if (!checkAlive) return undefined;
    const alive = await Promise.all(actual.containers.map(isAlive));
    return alive.every(Boolean) ? undefined : () => this.revive(actual, wanted);
  }

  private async create(pod: Pod, lab: LabState): Promise<void> {
    const { paths, programs, log } = this.options;
    const nodes = lab.nodes.map((n) => n.name);
    const placed = [...this.pods.values()];
    const node = pod.requestedNode !== '' ? pod.requestedNode : pickNode(pod, nodes, placed);
    const labNode = lab.nodes.find((n) => n.name === node);
    if (node === undefined || labNode === undefined)
      throw new Error(`no node "${node}" in this lab (${nodes.join(', ')})`);
    const containerId = randomBytes(32).toString('hex');
    const taken = (name: string) =>
      placed.some((p) => p.netns === name && key(p) !== key(pod)) || lab.nodes.some((n) => n.netns === name);
    let record: PodRecord = {
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid ?? randomUUID(),
      ...(pod.cniUid !== undefined && { cniUid: pod.cniUid }),
      node,
      netns: pod.hostNetwork ? labNode.netns : podNetns(paths, pod.namespace, pod.name, taken),
      hostNetwork: pod.hostNetwork,
      containerId,
      spec: specHash(pod),
      phase: 'starting',
      reason: null,
      ips: pod.hostNetwork ? [...labNode.ips] : [],
      cniAddMs: null,
      // Short: a unix socket's path ends at 107 bytes, a pod's name may be longer.
      probeSocket: `${paths.stateDir}/pods/${containerId.slice(0, 12)}/probe.sock`,
      containers: [],
      portMappings: [...pod.portMappings],
      ...(pod.bandwidth && { bandwidth: pod.bandwidth }),
    };
    await this.save(record);
    if (!pod.hostNetwork) {
      await addNetns(record.netns);
      const added = await cniAdd(paths, programs.cniDir, this.target(record, labNode.netns));
      record = { ...record, ips: added.ips, cniAddMs: added.ms };
      await this.save(record);
    }
    record = { ...(await this.startContainers(record, pod, [])), phase: 'running' };
    await this.save(record);
    log('pod-running', { pod: key(pod), node, ips: record.ips, cniAddMs: record.cniAddMs });
  }

  private target(pod: PodRecord, nodeNetns: string): CniTarget {
    return {
      containerId: pod.containerId,
      netns: pod.netns,
      namespace: pod.namespace,
      pod: pod.name,
      uid: pod.cniUid ?? pod.uid,
      nodeNetns,
      agentSocket: `${nodeDir(this.options.paths, pod.node)}/agent.sock`,
      portMappings: pod.portMappings,
      bandwidth: pod.bandwidth,
    };
  }

  /** Starts the programs of the pod; those in `keep` run already. */
  private async startContainers(record: PodRecord, pod: Pod, keep: PodRecord['containers']): Promise<PodRecord> {
    const containers = [...keep];
    for (const c of containerStarts(pod, record.probeSocket)) {
      if (keep.some((k) => k.name === c.name)) continue;
      const id = await this.startContainer(record, c);
      const restarts = record.containers.find((old) => old.name === c.name)?.restarts;
      containers.push({
        name: c.name,
        pid: id.pid,
        startTime: id.startTime,
        restarts: restarts === undefined ? 0 : restarts + 1,
      });
    }
    // A pod of pauses alone has no program to wait for.
    if (containers.length > 0) await this.ready(record, containers);
    return { ...record, containers };
  }

  /** Whoever sees a pod running may rely on its ports: our program opens its socket after them. */
  private async ready(record: PodRecord, containers: PodRecord['containers']): Promise<void> {
    const sandbox = containers.find((c) => c.name === SANDBOX);
    const log = `${podDir(this.options.paths, record)}/${SANDBOX}.log`;
    await waitFor("the pod's program does not answer", READY_TIMEOUT_MS, async () => {
      if (await accepts(record.probeSocket)) return true;
      if (sandbox !== undefined && (await isAlive(sandbox))) return undefined;
      // The sandbox and its log will be removed: the reason has to be said here.
      throw new Error(`the pod's program ended: ${((await readIfThere(log)) ?? '').trim().slice(-500)}`);
    });
  }

  private async startContainer(record: PodRecord, container: ContainerStart): Promise<ProcessId> {
    const { paths, programs } = this.options;
    const dir = podDir(paths, record);
    await mkdir(dir, { recursive: true });
    const argv = container.argv.length > 0 ? container.argv : [process.execPath, programs.podProgram];
    return start(paths, {
      name: processName(record, container.name),
      argv,
      netns: record.netns,
      env: container.env,
      logFile: `${dir}/${container.name}.log`,
    });
  }

  /** The manifest's programs changed: other processes in the same sandbox. */
  private async restart(record: PodRecord, pod: Pod): Promise<void> {
    await end(record.containers, 1_000);
    await this.save({ ...(await this.startContainers({ ...record, containers: [] }, pod, [])), spec: specHash(pod) });
  }

  /** A program ended by itself: kubelet starts it again, later each time. */
  private async revive(record: PodRecord, pod: Pod): Promise<void> {
    const alive = await Promise.all(record.containers.map(isAlive));
    const keep = record.containers.filter((_, i) => alive[i]);
    const revived = await this.startContainers(record, pod, keep);
    await this.save(revived);
    const restarts = Math.max(...revived.containers.map((c) => c.restarts));
    this.options.log('container-restarted', { pod: key(record), restarts });
    throw new Restarted(restarts);
  }

  private async remove(record: PodRecord): Promise<void> {
    const { paths, programs, log } = this.options;
    await this.save({ ...record, phase: 'stopping' });
    const processes = (await allRecords(paths)).filter((r) => r.name.startsWith(processName(record, '')));
    // In a pod's own namespace also whatever else of ours runs there: children of the programs, `exec`.
    const members = record.hostNetwork ? [] : await findProcesses(paths, [netnsPath(record.netns)], 'members');
    await end([...processes, ...members.filter((p) => p.ours)], 1_000);
    if (!record.hostNetwork) {
      const node = (await this.options.lab()).nodes.find((n) => n.name === record.node);
      if (node !== undefined) await cniDel(paths, programs.cniDir, this.target(record, node.netns));
      await deleteNetns(record.netns);
    }
    for (const { name } of processes) await forget(paths, name);
    await rm(podDir(paths, record), { recursive: true, force: true });
    this.pods.delete(key(record));
    await this.write();
    log('pod-removed', { pod: key(record) });
  }

  private async failed(k: string, e: unknown): Promise<void> {
    const failures = e instanceof Restarted ? e.restarts : (this.retries.get(k)?.failures ?? 0) + 1;
    const wait = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
    const ending = this.wanted.get(k)?.ending ?? true;
    this.retries.set(k, { failures, at: this.options.now() + wait, ending });
    if (e instanceof Restarted) return;
    this.options.log('pod-failed', { pod: k, failures, error: message(e) });
    const record = this.pods.get(k);
    if (record !== undefined) return this.save({ ...record, phase: 'failed', reason: message(e) });
    this.refused.set(k, message(e));
    await this.write();
  }

  private async save(record: PodRecord): Promise<void> {
    this.pods.set(key(record), record);
    this.refused.delete(key(record));
    await this.write();
  }

  private refusedPods(): RefusedPod[] {
    return [...this.refused].filter(([pod]) => this.wanted.has(pod)).map(([pod, reason]) => ({ pod, reason }));
  }

  /** One write at a time, each of the newest state; those who come while one waits share it. */
  private write(): Promise<void> {
    if (this.writeWaits) return this.written;
    this.writeWaits = true;
    // Who waited for a write that failed has heard of it; the next one is another attempt.
    const before = this.written.catch(() => undefined);
    this.written = before.then(() => {
      this.writeWaits = false;
      return writeKubelet(this.options.paths, [...this.pods.values()], this.refusedPods());
    });
    return this.written;
  }
}

/** Not a failure, but another restart of it has to wait. */
class Restarted extends Error {
  constructor(readonly restarts: number) {
    super(`restarted ${restarts} times`);
  }
}

function podDir(paths: LabPaths, record: PodRecord): string {
  return `${paths.stateDir}/pods/${record.containerId.slice(0, 12)}`;
}

function processName(record: PodRecord, container: string): string {
  return `pod-${record.containerId.slice(0, 12)}-${container}`;
}

function key(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}

function message(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
