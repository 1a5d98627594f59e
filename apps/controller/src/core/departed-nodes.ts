import type { Clock } from '../clock.js';
import type { Problem } from '../source/model.js';

/** How the cluster stands, as far as it matters here. */
export interface DepartedNodesNeeds {
  readonly clock: Clock;
  /** How long a node may be without its Node object. */
  readonly graceMs: number;
  /** Names of the nodes that have registered. */
  readonly registered: () => readonly string[];
  /** Names of the Node objects that there are; undefined while that is not known. */
  readonly present: () => { has(name: string): boolean; readonly size: number } | undefined;
  /** What of the node is connected, in words; undefined: nothing. */
  readonly connected: (node: string) => string | undefined;
  /** Pods that the cluster has on each of these nodes. */
  readonly pods: (nodes: ReadonlySet<string>) => ReadonlyMap<string, number>;
  /** Takes the node away, with the attachments of pods that are no more. */
  readonly remove: (node: string) => Promise<void>;
  readonly events: {
    absent(node: string): void;
    /** Its time is over, and it stays; once for each reason. */
    kept(node: string, reason: string): void;
    failed(node: string, error: unknown): void;
  };
}

/** Of the nodes that have registered so many may be without a Node object at once, or one; more are not believed. */
const BELIEVED_SHARE = 1 / 3;
/** How soon after its time a node goes. */
const MAX_INTERVAL_MS = 10_000;
const MIN_INTERVAL_MS = 20;

/**
 * Takes nodes away whose Node objects were deleted, as an autoscaler does: other nodes would keep tunnels to them, their blocks would
 * stay given, and everybody would wait for their switches. An API server that forgets nodes by fault must not cost a cluster its
 * addresses, so a node stays while anything of it is connected, while the cluster has pods on it, when there is no Node object at all, and when a large
 * part of the nodes would go.
 */
export class DepartedNodes {
  /** Since when each node is seen to be without an object. */
  private readonly since = new Map<string, number>();
  private readonly reasons = new Map<string, string>();
  private stopTimer: (() => void) | undefined;
  private stopped = false;

  constructor(private readonly needs: DepartedNodesNeeds) {}

  start(): void {
    void this.lookAgain();
  }

  stop(): void {
    this.stopped = true;
    this.stopTimer?.();
  }

  /** Nodes that stay though their time is over. */
  problems(): Problem[] {
    return [...this.reasons].map(([name, reason]) => ({
      severity: 'warning',
      file: `kubernetes:/api/v1/nodes/${name}`,
      line: null,
      object: { kind: 'Node', namespace: '', name },
      reason,
    }));
  }

  /** Looks at all nodes now. */
  async look(): Promise<void> {
    const { clock, graceMs, registered, present, events } = this.needs;
    const objects = present();
    // What was seen before somebody who knows went silent counts for nothing.
    if (objects === undefined) return this.forgetAll();
    const all = registered();
    const absent = new Set(all.filter((name) => !objects.has(name)));
    for (const name of [...this.since.keys()]) if (!absent.has(name)) this.forget(name);
    for (const name of absent) {
      if (this.since.has(name)) continue;
      this.since.set(name, clock.now());
      events.absent(name);
    }
    const due = [...absent].filter((name) => clock.now() - (this.since.get(name) ?? clock.now()) >= graceMs);
    if (due.length === 0) return;
    const pods = this.needs.pods(new Set(due));
    const doubt = doubtOf(absent.size, all.length, objects.size);
    for (const name of due) {
      const reason = this.whyKept(name, doubt, pods.get(name) ?? 0);
      if (reason === undefined) await this.remove(name);
      else this.keep(name, reason);
    }
  }

  private whyKept(name: string, doubt: string | undefined, pods: number): string | undefined {
    const connected = this.needs.connected(name);
    if (connected !== undefined)
      return `there is no Node object, but ${connected} is connected: the node stays. Stop it there, or make the Node object anew`;
    if (pods > 0)
      return `there is no Node object, but the cluster has ${pods} ${pods === 1 ? 'pod' : 'pods'} on it: the node stays until they are deleted`;
    return doubt;
  }

  private async remove(name: string): Promise<void> {
    try {
      await this.needs.remove(name);
      this.forget(name);
    } catch (error) {
      this.needs.events.failed(name, error);
    }
  }

  private keep(name: string, reason: string): void {
    if (this.reasons.get(name) === reason) return;
    this.reasons.set(name, reason);
    this.needs.events.kept(name, reason);
  }

  private forget(name: string): void {
    this.since.delete(name);
    this.reasons.delete(name);
  }

  private forgetAll(): void {
    this.since.clear();
    this.reasons.clear();
  }

  private async lookAgain(): Promise<void> {
    await this.look();
    if (this.stopped) return;
    const interval = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, this.needs.graceMs / 10));
    this.stopTimer = this.needs.clock.after(interval, () => void this.lookAgain());
  }
}

/** Why so many absent nodes are not believed, if so. */
function doubtOf(absent: number, registered: number, objects: number): string | undefined {
  const byHand = 'the node stays. If it is gone for good: heddle node delete';
  if (objects === 0) return `the API server has no Node object at all, which is not believed: ${byHand}`;
  if (absent <= Math.max(1, Math.floor(registered * BELIEVED_SHARE))) return undefined;
  return `${absent} of ${registered} nodes are without a Node object, which is more than a third and not believed: ${byHand}`;
}
