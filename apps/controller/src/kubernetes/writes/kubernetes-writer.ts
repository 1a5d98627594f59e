import type { ObjectRef } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { keyOf, type Problem } from '../../source/model.js';
import { KINDS } from '../../source/objects/schemas.js';
import type { KubeClient } from '../kube-client.js';
import type { ClusterState } from './cluster-state.js';
import { EventWriter } from './event-writer.js';
import { LeaderLease } from './leader-lease.js';
import { NodeConditions } from './node-conditions.js';
import { Realizations } from './realizations.js';
import { WriteQueue } from './write-queue.js';

/** In the long run, everything together. */
const WRITES_PER_SECOND = 5;
const BURST = 10;
const TICK_MS = 1_000;
/** A connected switch that is behind and gets nowhere for so long is told of. */
const STUCK_MS = 30_000;

const API_VERSIONS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(KINDS).map(([kind, { apiVersion }]) => [kind, apiVersion]),
);
/** apiVersion of the kinds that Realizations are about. */
const REALIZED_KINDS = Object.fromEntries(
  (
    ['Service', 'NetworkPolicy', 'ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'] as const
  ).map((kind) => [kind, KINDS[kind].apiVersion]),
);

export interface KubernetesWriterNeeds {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly state: ClusterState;
  readonly onError: (what: string, error: unknown) => void;
  /** Name of this process in events. */
  readonly instance: string;
  /** Only who holds this Lease writes; undefined: we do. */
  readonly lease?: { readonly namespace: string; readonly name: string } | undefined;
  /** For specs. */
  readonly wallClock?: () => Date;
  readonly random?: () => number;
}

/** Everything that is written back to the cluster: conditions of nodes, realizations, events. */
export class KubernetesWriter {
  private readonly queue: WriteQueue;
  private readonly conditions: NodeConditions;
  private readonly realizations: Realizations;
  private readonly events: EventWriter;
  /** Node -> the generation that it is stuck at, and since when. */
  private readonly stuck = new Map<string, { at: number; since: number }>();
  private readonly lease: LeaderLease | undefined;
  private stopTimer: (() => void) | undefined;

  constructor(private readonly needs: KubernetesWriterNeeds) {
    const { client, clock, state, instance, onError } = needs;
    const { wallClock = () => new Date(), random = Math.random } = needs;
    this.queue = new WriteQueue({ clock, random, perSecond: WRITES_PER_SECOND, burst: BURST, onError });
    const common = { client, clock, wallClock, queue: this.queue };
    this.conditions = new NodeConditions({ ...common, state });
    this.realizations = new Realizations({ ...common, state, kinds: REALIZED_KINDS });
    this.events = new EventWriter({ ...common, random, instance });
    this.lease =
      needs.lease &&
      new LeaderLease({
        ...common,
        ...needs.lease,
        identity: `${instance}_${Math.floor(random() * 2 ** 48).toString(36)}`,
        changed: (leader) => {
          this.realizations.forget();
          if (!leader) this.queue.clear();
        },
        onError: (error) => onError('Lease', error),
      });
  }

  start(): void {
    this.lease?.start();
    this.tickLater();
  }

  async stop(): Promise<void> {
    this.stopTimer?.();
    await this.queue.stop();
    await this.lease?.stop();
  }

  /** Whether this process is the one that writes. */
  get leads(): boolean {
    return this.lease?.leads ?? true;
  }

  private tickLater(): void {
    this.stopTimer = this.needs.clock.after(TICK_MS, () => {
      if (this.needs.state.inSync() && this.leads) this.tick();
      this.tickLater();
    });
  }

  /** Objects that are new, others or gone; what they mean is compiled. */
  touched(objects: readonly ObjectRef[]): void {
    this.realizations.touched(objects);
  }

  /** A pod got no address. */
  poolExhausted(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    reason: string,
  ): void {
    const regarding = { kind: 'Pod', apiVersion: 'v1', ...pod };
    // The agent's call reaches one controller, whoever leads.
    this.events.tell({ regarding, reason: 'AddressPoolEmpty', note: reason });
  }

  private tick(): void {
    this.conditions.tick();
    const crowded = this.needs.state.crowded();
    this.realizations.remark(crowded);
    this.realizations.tick();
    this.tellOfPolicies();
    for (const { object, reason } of crowded) this.tell(object, 'CrowdedPriority', reason);
    this.tellOfStuckNodes();
  }

  private tellOfPolicies(): void {
    const byObject = new Map<string, { object: ObjectRef; problems: Problem[] }>();
    for (const problem of this.needs.state.problems()) {
      const { object } = problem;
      if (object === null || !(object.kind in REALIZED_KINDS)) continue;
      // A Service's warnings are about what Heddle does not serve yet; its errors and everything about policies decide traffic.
      if (object.kind === 'Service' && problem.severity !== 'error') continue;
      const text = `${object.kind} ${keyOf(object)}`;
      const entry = byObject.get(text) ?? { object, problems: [] };
      byObject.set(text, entry);
      entry.problems.push(problem);
    }
    for (const { object, problems } of byObject.values()) {
      const invalid = problems.some((p) => p.severity === 'error');
      this.tell(object, invalid ? 'Invalid' : 'NoEffect', problems.map((p) => p.reason).join('; '));
    }
  }

  private tellOfStuckNodes(): void {
    const { clock, state } = this.needs;
    const now = clock.now();
    const generation = state.generation();
    const stuck = new Set<string>();
    for (const { name, connected, realizedGeneration, lastError } of state.nodes()) {
      if (!connected || realizedGeneration >= generation) continue;
      stuck.add(name);
      const known = this.stuck.get(name);
      if (known?.at !== realizedGeneration) this.stuck.set(name, { at: realizedGeneration, since: now });
      else if (now - known.since >= STUCK_MS)
        this.tell(
          { kind: 'Node', namespace: '', name },
          'NotAcknowledging',
          `its switch has acknowledged nothing for ${STUCK_MS / 1_000} s although changes are due${lastError === null ? '' : `: ${lastError}`}`,
        );
    }
    for (const name of this.stuck.keys()) if (!stuck.has(name)) this.stuck.delete(name);
  }

  private tell(object: ObjectRef, reason: string, note: string): void {
    const uid = this.needs.state.tracked(object.kind).get(keyOf(object))?.uid;
    const apiVersion = API_VERSIONS[object.kind];
    if (uid === undefined || apiVersion === undefined) return;
    this.events.tell({ regarding: { ...object, apiVersion, uid }, reason, note });
  }
}
