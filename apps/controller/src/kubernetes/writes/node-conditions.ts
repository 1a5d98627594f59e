import type { Clock } from '../../clock.js';
import type { KubeClient } from '../kube-client.js';
import type { ClusterState } from './cluster-state.js';
import type { WriteQueue } from './write-queue.js';

/** A switch may be away for so long before its node is said to have no network. */
const GRACE_MS = 10_000;
/** After a start of ours every switch is away for a while, though its flows work. */
const START_GRACE_MS = 60_000;
/** Two writes for one node are at least so far apart, whoever else writes the condition. */
const MIN_INTERVAL_MS = 10_000;

const UP = { status: 'False', reason: 'HeddleIsUp', message: 'the switch of the node has every flow' } as const;
const DOWN = {
  status: 'True',
  reason: 'HeddleIsDown',
  message: 'no agent has registered the node, or its switch is not connected and in sync',
} as const;

export interface NodeConditionsNeeds {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly wallClock: () => Date;
  readonly state: ClusterState;
  readonly queue: WriteQueue;
}

/**
 * Keeps the condition NetworkUnavailable of every Node: False while its agent has registered and its switch is connected and
 * has acknowledged what was there when it connected. Kubernetes keeps pods away from a node whose condition is True, so it
 * is not given for short absences.
 */
export class NodeConditions {
  private readonly downSince = new Map<string, number>();
  private readonly writtenAt = new Map<string, number>();
  private readonly startedAt: number;

  constructor(private readonly needs: NodeConditionsNeeds) {
    this.startedAt = needs.clock.now();
  }

  /** Looks at every node. */
  tick(): void {
    const { clock, state, queue } = this.needs;
    const now = clock.now();
    const up = new Set(state.nodes().flatMap((n) => (n.connected && n.realizedGeneration > 0 ? [n.name] : [])));
    const known = state.tracked('Node');
    for (const name of this.downSince.keys()) if (!known.has(name) || up.has(name)) this.downSince.delete(name);
    for (const [name, { networkUnavailable }] of known) {
      if (!up.has(name) && !this.downSince.has(name)) this.downSince.set(name, now);
      const wanted = this.wanted(name, now);
      if (wanted === undefined || networkUnavailable === textOf(wanted)) continue;
      if (now - (this.writtenAt.get(name) ?? Number.NEGATIVE_INFINITY) < MIN_INTERVAL_MS) continue;
      queue.put(`Node ${name}`, () => this.write(name), { urgent: true });
    }
    for (const name of this.writtenAt.keys()) if (!known.has(name)) this.writtenAt.delete(name);
  }

  /** Undefined: too early to say. */
  private wanted(name: string, now: number): typeof UP | typeof DOWN | undefined {
    const since = this.downSince.get(name);
    if (since === undefined) return UP;
    return now - since >= GRACE_MS && now - this.startedAt >= START_GRACE_MS ? DOWN : undefined;
  }

  private write(name: string): Promise<void> | undefined {
    const { clock, client, wallClock, state } = this.needs;
    const now = clock.now();
    const about = state.tracked('Node').get(name);
    const wanted = this.wanted(name, now);
    if (about === undefined || wanted === undefined || about.networkUnavailable === textOf(wanted)) return undefined;
    this.writtenAt.set(name, now);
    const time = timestamp(wallClock());
    const condition = { type: 'NetworkUnavailable', ...wanted, lastHeartbeatTime: time, lastTransitionTime: time };
    return client
      .request('PATCH', `/api/v1/nodes/${name}/status`, {
        body: { status: { conditions: [condition] } },
        // Merges the list by `type`.
        contentType: 'application/strategic-merge-patch+json',
      })
      .then(() => undefined);
  }
}

const textOf = ({ status, reason }: { status: string; reason: string }): string => `${status} ${reason}`;

/** metav1.Time: RFC 3339 in whole seconds. */
export const timestamp = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;
