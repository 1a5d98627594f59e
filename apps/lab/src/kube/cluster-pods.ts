import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode, PodRecord } from '../host/state.js';
import type { Observed, PodDirectory, WantedPod } from '../kubelet/directory.js';
import { KubeCache } from './cache.js';
import { isStatus, KubeClient } from './client.js';
import { sliceChanges, slicesOf, writeSlices } from './endpoint-slices.js';
import { readKubeconfig } from './kubeconfig.js';
import { HEARTBEAT_MS, holdsLease, NODES, registerNode, renewLease } from './nodes.js';
import { isOver, type KubeNode, type KubePod, type KubeService, type KubeSlice } from './objects.js';
import { podStatus } from './pod-status.js';
import { Readiness } from './readiness.js';
import { assign, bind } from './scheduler.js';
import { ensureServiceAccounts } from './service-accounts.js';
import { wantedPod } from './wanted-pod.js';

/** Looks when nothing is heard of: programs that end by themselves, probes. */
const IDLE_MS = 1_000;
/** Events of a burst are looked at together. */
const BURST_MS = 20;
/** Writes under way at once. */
const MAX_WRITES = 8;
const RETRY_MS = 1_000;

export interface ClusterPodsOptions {
  readonly kubeconfig: string;
  readonly endpointSlices: boolean | null;
  readonly nodes: readonly LabNode[];
  readonly log: (event: string, data: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/**
 * The pods that an API server has given to the lab's nodes, and what a cluster needs beside its kubelets where nobody else does it: nodes registered and
 * alive, pods scheduled (no scheduler holds its lease), service accounts and EndpointSlices made (no kube-controller-manager does).
 */
export class ClusterPods implements PodDirectory {
  private readonly client: KubeClient;
  private readonly pods: KubeCache<KubePod>;
  private readonly nodes: KubeCache<KubeNode>;
  private readonly services: KubeCache<KubeService>;
  private readonly slices: KubeCache<KubeSlice>;
  private readonly readiness: Readiness;
  private readonly ours: ReadonlyMap<string, LabNode>;
  private wake: () => void = () => undefined;
  private poked = false;
  private hasScheduler = true;
  private hasManager = true;
  /** What has been reported of each pod, to look only at what is new. */
  private readonly told = new Map<string, readonly unknown[]>();
  private readonly writing = new Set<string>();
  private scheduling = false;
  private slicesBusy = false;
  private slicesDue = true;

  constructor(private readonly options: ClusterPodsOptions) {
    this.client = new KubeClient(readKubeconfig(options.kubeconfig));
    const changed = () => {
      this.slicesDue = true;
      this.poke();
    };
    this.pods = new KubeCache(this.client, '/api/v1/pods', changed);
    this.nodes = new KubeCache(this.client, NODES, changed);
    this.services = new KubeCache(this.client, '/api/v1/services', changed);
    this.slices = new KubeCache(this.client, '/apis/discovery.k8s.io/v1/endpointslices', changed);
    this.readiness = new Readiness(options.now, () => this.poke());
    this.ours = new Map(options.nodes.map((n) => [n.name, n]));
  }

  /** Runs until the signal of the options is aborted. */
  async run(): Promise<void> {
    const { signal } = this.options;
    await Promise.all([
      this.heartbeats(),
      ...[this.pods, this.nodes, this.services, this.slices].map((cache) => cache.run(signal)),
    ]);
    this.client.close();
  }

  async list(): Promise<readonly WantedPod[] | undefined> {
    const pods = this.pods.objects;
    if (pods === undefined) {
      if (this.pods.trouble !== undefined) throw new Error(this.pods.trouble);
      return undefined;
    }
    void this.schedule();
    void this.writeSlices();
    // What is over has nothing left to run, but somebody has to say so when it is deleted.
    const concerns = (p: KubePod) =>
      this.ours.has(p.spec.nodeName ?? '') && (!isOver(p) || p.metadata.deletionTimestamp !== undefined);
    return [...pods.values()].filter(concerns).map(wantedPod);
  }

  report({ pods: records, refused }: Observed): void {
    const pods = this.pods.objects ?? new Map<string, KubePod>();
    for (const [key, pod] of pods) {
      const node = this.ours.get(pod.spec.nodeName ?? '');
      // A pod that ends keeps the status that it had.
      if (node === undefined || isOver(pod) || pod.metadata.deletionTimestamp !== undefined) continue;
      const record = ofPod(records.get(key), pod);
      const ready = record?.phase === 'running' ? this.readyContainers(pod, record, node) : new Set<string>();
      const why = record === undefined ? refused.get(key) : undefined;
      const told = [pod, record, why, [...ready].join()];
      const before = this.told.get(key);
      if (before?.every((x, i) => x === told[i]) === true) continue;
      if (this.writing.has(key) || this.writing.size >= MAX_WRITES) continue;
      const status = podStatus({ pod, record, refused: why, ready, hostIps: node.ips }, new Date().toISOString());
      this.told.set(key, told);
      if (status !== undefined) void this.write(key, pod, status);
    }
    for (const key of this.told.keys()) if (!pods.has(key)) this.told.delete(key);
    this.readiness.keep(new Set([...records.values()].map((r) => r.containerId)));
  }

  private readyContainers(pod: KubePod, record: PodRecord, node: LabNode): ReadonlySet<string> {
    const ip = record.ips[0] ?? node.ips[0] ?? '';
    return this.readiness.of(pod, record.containerId, { podNetns: record.netns, nodeNetns: node.netns, ip });
  }

  private async write(key: string, pod: KubePod, status: object): Promise<void> {
    const { namespace = 'default', name, uid } = pod.metadata;
    this.writing.add(key);
    try {
      // With the uid: another pod of this name is refused.
      this.pods.put(
        await this.client.mergePatch<KubePod>(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
          metadata: { uid },
          status,
        }),
      );
    } catch (e) {
      this.told.delete(key);
      if (!isStatus(e, 404, 409)) {
        this.options.log('status-not-written', { pod: key, error: message(e) });
        await this.rest(RETRY_MS);
      }
    } finally {
      this.writing.delete(key);
      this.poke();
    }
  }

  async ended({ namespace, name, uid }: WantedPod): Promise<void> {
    try {
      await this.client.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        gracePeriodSeconds: 0,
        preconditions: { uid },
      });
    } catch (e) {
      if (!isStatus(e, 404, 409)) throw e;
    }
  }

  async pause(): Promise<void> {
    if (!this.poked)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(BURST_MS, Math.min(IDLE_MS, this.readiness.dueInMs())));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    await sleep(BURST_MS);
    this.poked = false;
  }

  poke(): void {
    this.poked = true;
    this.wake();
  }

  /** Gives nodes to pods where no scheduler does. */
  private async schedule(): Promise<void> {
    const [pods, nodes] = [this.pods.objects, this.nodes.objects];
    if (this.hasScheduler || this.scheduling || pods === undefined || nodes === undefined) return;
    this.scheduling = true;
    try {
      const usable = [...nodes.values()].filter((n) => this.ours.has(n.metadata.name));
      const chosen = [...assign(pods.values(), usable)];
      for (let i = 0; i < chosen.length; i += MAX_WRITES)
        await Promise.all(
          chosen.slice(i, i + MAX_WRITES).map(async ([key, node]) => {
            const pod = pods.get(key);
            if (pod !== undefined && (pod.spec.nodeName ?? '') === '') await bind(this.client, pod, node);
          }),
        );
    } catch (e) {
      this.options.log('not-scheduled', { error: message(e) });
      await this.rest(RETRY_MS);
    } finally {
      this.scheduling = false;
    }
  }

  private async writeSlices(): Promise<void> {
    const [pods, services, slices] = [this.pods.objects, this.services.objects, this.slices.objects];
    const wanted = this.options.endpointSlices ?? !this.hasManager;
    if (!wanted || !this.slicesDue || this.slicesBusy) return;
    if (pods === undefined || services === undefined || slices === undefined) return;
    this.slicesBusy = true;
    this.slicesDue = false;
    try {
      const all = [...services.values()].flatMap((s) => slicesOf(s, pods.values()));
      await writeSlices(this.client, sliceChanges(all, slices.values()));
    } catch (e) {
      this.slicesDue = true;
      this.options.log('slices-not-written', { error: message(e) });
      await this.rest(RETRY_MS);
    } finally {
      this.slicesBusy = false;
      if (this.slicesDue) this.poke();
    }
  }

  /** Registers the nodes, and shows from time to time that they live. */
  private async heartbeats(): Promise<void> {
    const { nodes, signal, log } = this.options;
    const registered = new Set<string>();
    while (!signal.aborted) {
      try {
        this.hasScheduler = await holdsLease(this.client, 'kube-scheduler');
        this.hasManager = await holdsLease(this.client, 'kube-controller-manager');
        const known = this.nodes.objects;
        for (const node of nodes) {
          // Also when somebody has deleted it.
          if (!registered.has(node.name) || (known !== undefined && !known.has(node.name))) {
            await registerNode(this.client, node, !this.hasManager);
            registered.add(node.name);
            log('node-registered', { node: node.name });
          }
          await renewLease(this.client, node.name);
        }
        if (!this.hasManager) await ensureServiceAccounts(this.client);
        this.slicesDue = true;
        this.poke();
        await this.rest(HEARTBEAT_MS);
      } catch (e) {
        if (signal.aborted) return;
        log('heartbeat-failed', { error: message(e) });
        await this.rest(RETRY_MS);
      }
    }
  }

  private async rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.options.signal }).catch(() => undefined);
  }
}

/** The record of this pod, not of one that had its name before. */
const ofPod = (record: PodRecord | undefined, pod: KubePod): PodRecord | undefined =>
  record?.uid === pod.metadata.uid ? record : undefined;

const message = (e: unknown): string => (e instanceof Error ? e.message : String(e));
