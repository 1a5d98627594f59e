import type { Clock } from '../../clock.js';
import { isRecord } from '../../source/objects/issues.js';
import { type KubeClient, KubeRefusal } from '../kube-client.js';

/** As long as the holder is believed to hold it without a sign of life. */
const DURATION_S = 15;
/** How often the lease is renewed, or looked at. */
const RENEW_MS = 5_000;
/** The holder gives up before others may take over. */
const GIVE_UP_MS = 10_000;

export interface LeaderLeaseNeeds {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly wallClock: () => Date;
  readonly namespace: string;
  readonly name: string;
  /** Of this process; no other has it. */
  readonly identity: string;
  /** Leadership was gained or lost. */
  readonly changed: (leader: boolean) => void;
  readonly onError: (error: unknown) => void;
}

type Json = Record<string, unknown>;

/**
 * A coordination.k8s.io Lease, used as client-go uses it: who renews it leads; one that was not renewed for its duration, by
 * the watch of whoever looks, is taken over. Nobody's wall clock is compared with anybody else's. It bounds who writes to the
 * cluster; it is no fence: a request that is on its way when the lease is lost still arrives.
 */
export class LeaderLease {
  private renewedAt = Number.NEGATIVE_INFINITY;
  private leading = false;
  /** What `changed` was told last. */
  private told = false;
  /** The lease of another, and since when it is as it is. */
  private seen: { readonly version: unknown; readonly at: number } | undefined;
  private stopTimer: (() => void) | undefined;
  private working: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly needs: LeaderLeaseNeeds) {}

  /** True while we hold the lease and nobody can have taken it. */
  get leads(): boolean {
    return this.leading && this.needs.clock.now() - this.renewedAt < GIVE_UP_MS;
  }

  start(): void {
    this.working = this.look()
      .catch((e: unknown) => this.needs.onError(e))
      .then(() => {
        this.settle();
        if (!this.stopped) this.stopTimer = this.needs.clock.after(RENEW_MS, () => this.start());
      });
  }

  /** Resolves when the look that is at work is done. */
  idle(): Promise<void> {
    return this.working;
  }

  /** Gives the lease back, so that the next holder need not wait. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.stopTimer?.();
    await this.working;
    if (!this.leads) return;
    this.leading = false;
    try {
      const signal = AbortSignal.timeout(RENEW_MS);
      const lease = await this.get(signal);
      if (lease !== undefined && specOf(lease).holderIdentity === this.needs.identity)
        await this.put(lease, { holderIdentity: '', leaseDurationSeconds: 1 }, signal);
    } catch (e) {
      // It runs out by itself.
      this.needs.onError(e);
    }
  }

  private async look(): Promise<void> {
    const { client, clock, identity, namespace, name } = this.needs;
    const askedAt = clock.now();
    // A server that does not answer must not keep us from seeing that we have lost it.
    const signal = AbortSignal.timeout(RENEW_MS);
    const lease = await this.get(signal);
    if (lease === undefined) {
      const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } };
      const spec = { ...this.held(), acquireTime: this.time(), leaseTransitions: 0 };
      await this.unlessTaken(client.request('POST', this.collection, { body: { ...body, spec }, signal }), askedAt);
      return;
    }
    const { holderIdentity: holder } = specOf(lease);
    if (holder === identity) {
      await this.unlessTaken(this.put(lease, this.held(), signal), askedAt);
      return;
    }
    this.leading = false;
    const version = metadataOf(lease).resourceVersion;
    if (this.seen?.version !== version) this.seen = { version, at: clock.now() };
    const free = typeof holder !== 'string' || holder === '';
    const unchangedMs = clock.now() - (this.seen?.at ?? Number.NEGATIVE_INFINITY);
    if (!free && unchangedMs < durationMs(lease)) return;
    const transitions = Number(specOf(lease).leaseTransitions ?? 0) + 1;
    const spec = { ...this.held(), acquireTime: this.time(), leaseTransitions: transitions };
    await this.unlessTaken(this.put(lease, spec, signal), askedAt);
  }

  /** The write names the version that it is about: of two who write at once one succeeds. */
  private async unlessTaken(write: Promise<unknown>, askedAt: number): Promise<void> {
    try {
      await write;
      this.leading = true;
      // The duration begins at the latest when the request was made.
      this.renewedAt = askedAt;
    } catch (e) {
      if (!(e instanceof KubeRefusal && e.status === 409)) throw e;
      this.leading = false;
    }
  }

  private settle(): void {
    if (this.leads === this.told) return;
    this.told = this.leads;
    this.needs.changed(this.told);
  }

  private get collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.needs.namespace}/leases`;
  }

  private async get(signal: AbortSignal): Promise<Json | undefined> {
    try {
      const lease = await this.needs.client.request('GET', `${this.collection}/${this.needs.name}`, { signal });
      return isRecord(lease) ? lease : undefined;
    } catch (e) {
      if (e instanceof KubeRefusal && e.status === 404) return undefined;
      throw e;
    }
  }

  private put(lease: Json, spec: Json, signal: AbortSignal): Promise<unknown> {
    const body = { ...lease, spec: { ...specOf(lease), ...spec } };
    return this.needs.client.request('PUT', `${this.collection}/${this.needs.name}`, { body, signal });
  }

  private held(): Json {
    return { holderIdentity: this.needs.identity, leaseDurationSeconds: DURATION_S, renewTime: this.time() };
  }

  /** metav1.MicroTime. */
  private time(): string {
    return this.needs.wallClock().toISOString().replace('Z', '000Z');
  }
}

const specOf = (lease: Json): Json => (isRecord(lease.spec) ? lease.spec : {});
const metadataOf = (lease: Json): Json => (isRecord(lease.metadata) ? lease.metadata : {});
const durationMs = (lease: Json): number => Number(specOf(lease).leaseDurationSeconds ?? DURATION_S) * 1_000;
