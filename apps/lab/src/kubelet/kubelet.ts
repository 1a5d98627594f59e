import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { type ApiClient, PodView, ROUTES, StatusView } from '@heddle/api';
import { z } from 'zod';
import { type Programs } from '../host/controller.js';
import { readIfThere } from '../host/files.js';
import { addNetns, deleteNetns, podNetns } from '../host/netns.js';
import { type LabPaths, netnsPath, nodeDir } from '../host/paths.js';
import { allRecords, end, findProcesses, forget, isAlive, type ProcessId, start } from '../host/processes.js';
import { sleep, waitFor } from '../host/run.js';
import { type LabState, type PodRecord, type RefusedPod, readPods, writeKubelet } from '../host/state.js';
import { accepts } from '../host/unix-socket.js';
import { type CniTarget, cniAdd, cniDel } from './cni.js';
import { type ContainerStart, containerStarts, SANDBOX, specHash } from './containers.js';
import { pickNode } from './schedule.js';

const POLL_MS = 200;
/** ADDs at the same time: more do not end sooner on a small machine. */
const MAX_PARALLEL = 4;
/** Wait before another attempt for a pod that failed, doubled each time. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
const READY_TIMEOUT_MS = 15_000;

type Pod = z.infer<typeof PodView>;

interface Retry {
  readonly failures: number;
  readonly at: number;
}

export interface KubeletOptions {
  readonly paths: LabPaths;
  readonly lab: () => Promise<LabState>;
  readonly programs: Programs;
  readonly api: ApiClient;
  readonly log: (event: string, data: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
}

/**
 * The kubelet of all nodes: makes what runs equal to what the controller's source says (GET pods). Each step is recorded before it is
 * done, so that a new process takes over where a killed one stopped.
 */
export class Kubelet {
  private pods = new Map<string, PodRecord>();
  private wanted = new Map<string, Pod>();
  private readonly busy = new Map<string, Promise<void>>();
  private readonly retries = new Map<string, Retry>();
  private readonly refused = new Map<string, string>();
  private written: Promise<void> = Promise.resolve();

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
        // The controller restarts; pods stay as they are meanwhile.
        if (reachable) this.options.log('controller-unreachable', { error: message(e) });
        reachable = false;
      }
      await sleep(POLL_MS);
    }
    await Promise.allSettled(this.busy.values());
    await this.written;
  }

  private async look(): Promise<void> {
    const { api } = this.options;
    const status = await api.get(ROUTES.status, StatusView, { timeoutMs: 5_000 });
    // An incomplete list would look like deletions.
    if (!status.source.inSync) return;
    const pods = await api.get(ROUTES.pods, z.array(PodView), { timeoutMs: 5_000 });
    this.wanted = new Map(pods.map((p) => [key(p), p]));
    const lab = await this.options.lab();
    for (const k of new Set([...this.wanted.keys(), ...this.pods.keys()])) {
      if (this.busy.size >= MAX_PARALLEL) break;
      if (this.busy.has(k)) continue;
      const wanted = this.wanted.get(k);
      // A pod that is no longer wanted goes at once, however often it has failed.
      if (wanted !== undefined && (this.retries.get(k)?.at ?? 0) > this.options.now()) continue;
      const step = await this.nextStep(wanted, this.pods.get(k), lab);
      if (step === undefined) continue;
      const work = step().then(
        () => void this.retries.delete(k),
        (e: unknown) => this.failed(k, e),
      );
      this.busy.set(
        k,
        work.finally(() => this.busy.delete(k)),
      );
    }
  }

  /** What has to be done for one pod, or undefined. */
  private async nextStep(
    wanted: Pod | undefined,
    actual: PodRecord | undefined,
    lab: LabState,
  ): Promise<(() => Promise<void>) | undefined> {
    if (actual === undefined) return wanted === undefined ? undefined : () => this.create(wanted, lab);
    if (wanted === undefined) return () => this.remove(actual);
    const moved = wanted.requestedNode !== '' && wanted.requestedNode !== actual.node;
    if (moved || wanted.hostNetwork !== actual.hostNetwork)
      return () => this.remove(actual).then(() => this.create(wanted, lab));
    // Failed: a new attempt in a new sandbox, as kubelet does.
    if (actual.phase !== 'running') return () => this.remove(actual).then(() => this.create(wanted, lab));
    if (actual.spec !== specHash(wanted)) return () => this.restart(actual, wanted);
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
      uid: randomUUID(),
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
      uid: pod.uid,
      nodeNetns,
      agentSocket: `${nodeDir(this.options.paths, pod.node)}/agent.sock`,
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
    await this.ready(record, containers);
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
    this.retries.set(k, { failures, at: this.options.now() + wait });
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

  /** One write at a time, each of the newest state. */
  private write(): Promise<void> {
    this.written = this.written.then(() =>
      writeKubelet(this.options.paths, [...this.pods.values()], this.refusedPods()),
    );
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
