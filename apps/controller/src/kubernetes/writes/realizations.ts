import { isDeepStrictEqual } from 'node:util';
import type { ObjectRef } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { keyOf, refOf } from '../../source/model.js';
import { isRecord } from '../../source/objects/issues.js';
import { type KubeClient, KubeRefusal } from '../kube-client.js';
import type { ClusterState } from './cluster-state.js';
import { timestamp } from './node-conditions.js';
import {
  collectionOf,
  REALIZATIONS_API,
  type RealizationState,
  readRealization,
  realizationBody,
  realizationName,
  statusBody,
  type Target,
  type Written,
} from './realization.js';
import type { WriteQueue } from './write-queue.js';

/** Most changes are acknowledged before this; then one write says all. */
const FIRST_WRITE_MS = 1_000;
/** How often the progress of one that is not done is told. */
const PROGRESS_MS = 5_000;
/** How often the CustomResourceDefinitions are looked for while they are not there. */
const POLL_MS = 30_000;
const PAGE_SIZE = 500;

export interface RealizationsNeeds {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly wallClock: () => Date;
  readonly state: ClusterState;
  readonly queue: WriteQueue;
  /** apiVersion of each kind that is told of. */
  readonly kinds: Readonly<Record<string, string>>;
}

interface Change {
  /** Ours, of the change that is being told. */
  readonly generation: number;
  /** False for what was there when this process first saw it: an earlier one may have told of it. */
  readonly seenHere: boolean;
  /** Nodes that had not acknowledged it when it was looked at last. */
  slowest: string | undefined;
}

/**
 * Tells how far Services and policies have come, each in an object of ours beside it (Realization, ClusterRealization). Not in
 * a condition of the object itself: a NetworkPolicy has no status at all, a Service's conditions belong to its load balancer's
 * controller, and a write to the object would wake everybody who watches policies.
 *
 * A state is about one change of the target. When every node that it concerns has acknowledged it, it is final: a node that
 * comes later, or comes back, gets everything before it counts as up, and a start of this controller is no change.
 */
export class Realizations {
  private readonly changes = new Map<string, Change>();
  /** What stands in the cluster, by text of the target. */
  private readonly written = new Map<string, Written>();
  /** What is to be known of objects beside how far they have come, by text of the target. */
  private remarks: ReadonlyMap<string, { readonly object: ObjectRef; readonly reason: string }> = new Map();
  private installed = false;
  private looking = false;
  private lookAt = Number.NEGATIVE_INFINITY;
  /** How often what stands there was forgotten. */
  private forgotten = 0;

  constructor(private readonly needs: RealizationsNeeds) {}

  /** Objects that are new, others or gone; what they mean is compiled. */
  touched(objects: readonly ObjectRef[]): void {
    const { state } = this.needs;
    for (const object of objects) {
      if (!(object.kind in this.needs.kinds)) continue;
      const text = textOf(object);
      if (this.installed) this.queue(object, FIRST_WRITE_MS);
      else if (!state.tracked(object.kind).has(keyOf(object))) {
        // Nobody writes now, who would forget it then.
        this.changes.delete(text);
        continue;
      }
      this.changes.set(text, { generation: state.generation(), seenHere: this.changes.has(text), slowest: undefined });
    }
  }

  /** What is to be known of objects now, whatever they are told of otherwise; what differs is written. */
  remark(all: readonly { readonly object: ObjectRef; readonly reason: string }[]): void {
    const before = this.remarks;
    this.remarks = new Map(all.map((remark) => [textOf(remark.object), remark]));
    if (!this.installed) return;
    for (const [text, { object }] of [...before, ...this.remarks])
      if (before.get(text)?.reason !== this.remarks.get(text)?.reason) this.queue(object, FIRST_WRITE_MS);
  }

  /** Others may have written meanwhile: what stands there is read again. */
  forget(): void {
    this.forgotten++;
    this.installed = false;
    this.lookAt = Number.NEGATIVE_INFINITY;
  }

  /** Looks for the CustomResourceDefinitions if they are not known to be there. */
  tick(): void {
    const { clock, state } = this.needs;
    if (this.installed || this.looking || !state.inSync() || clock.now() < this.lookAt) return;
    this.looking = true;
    this.lookAt = clock.now() + POLL_MS;
    this.look().then(
      () => {
        this.looking = false;
      },
      // Not installed, or the server is away: the next look finds out.
      () => {
        this.looking = false;
      },
    );
  }

  /** Reads what earlier runs have written, so that only what differs is written. */
  private async look(): Promise<void> {
    const { client, state, kinds } = this.needs;
    const { forgotten } = this;
    const found = new Map<string, { object: ObjectRef; written: Written }>();
    for (const plural of ['realizations', 'clusterrealizations']) {
      let token: unknown;
      do {
        const query = { limit: PAGE_SIZE, continue: typeof token === 'string' ? token : undefined };
        const page = await client.request('GET', `${REALIZATIONS_API}/${plural}`, { query });
        const { items, metadata } = isRecord(page) ? page : {};
        for (const item of Array.isArray(items) ? items : []) {
          const read = readRealization(item);
          if (read === undefined || read.name !== realizationName(read.target)) continue;
          found.set(textOf(read.target), { object: read.target, written: read.written });
        }
        token = isRecord(metadata) ? metadata.continue : undefined;
      } while (typeof token === 'string' && token !== '');
    }
    // Who writes has changed while we looked.
    if (forgotten !== this.forgotten) return;
    this.written.clear();
    for (const [text, { written }] of found) this.written.set(text, written);
    this.installed = true;
    for (const { object } of found.values()) this.queue(object, FIRST_WRITE_MS);
    for (const kind of Object.keys(kinds))
      for (const key of state.tracked(kind).keys()) this.queue(refOf(kind, key), FIRST_WRITE_MS);
  }

  private queue(object: ObjectRef, delayMs: number): void {
    this.needs.queue.put(`Realization ${textOf(object)}`, () => this.write(object), { delayMs });
  }

  private write(object: ObjectRef): Promise<void> | undefined {
    if (!this.installed) return undefined;
    const { state, kinds } = this.needs;
    const text = textOf(object);
    const about = state.tracked(object.kind).get(keyOf(object));
    const known = this.written.get(text);
    const apiVersion = kinds[object.kind];
    if (about === undefined || apiVersion === undefined) {
      this.changes.delete(text);
      return known === undefined ? undefined : this.remove(object);
    }
    const target: Target = { ...object, apiVersion, uid: about.uid };
    // The target of that name is another one now; what says so cannot be changed (see the CRD), so it is made anew.
    if (known !== undefined && known.uid !== about.uid) {
      this.queue(object, 0);
      return this.remove(object);
    }
    const next = this.stateOf(target, about.generation, known);
    if (next === undefined) return undefined;
    if (!next.programmed && next.reason !== INVALID) this.queue(object, PROGRESS_MS);
    if (known !== undefined && isDeepStrictEqual(known.state, next)) return undefined;
    return this.put(target, next, known);
  }

  /** Undefined: what stands there is still right. */
  private stateOf(
    target: Target,
    observedGeneration: number,
    known: Written | undefined,
  ): RealizationState | undefined {
    const { state } = this.needs;
    const change = this.changes.get(textOf(target)) ?? {
      generation: state.generation(),
      seenHere: false,
      slowest: undefined,
    };
    this.changes.set(textOf(target), change);
    const remark = this.remarks.get(textOf(target))?.reason;
    const errors = state.problemsOf(target).filter(({ severity }) => severity === 'error');
    if (
      errors.length === 0 &&
      !change.seenHere &&
      known?.state?.programmed &&
      known.state.observedGeneration === observedGeneration
    )
      return remarked(known.state, remark);
    const concerned = state.nodesOf(target);
    const all = state.nodes();
    if (concerned === undefined && all.length === 0 && errors.length === 0) {
      // Nobody has come yet, in a new cluster for example: that all of none have acknowledged it would be said for good.
      this.queue(target, PROGRESS_MS);
      return undefined;
    }
    const nodes = all.filter((n) => concerned === undefined || concerned.has(n.name));
    const base = { observedGeneration, generation: change.generation, wanted: nodes.length };
    if (errors.length > 0)
      return settled(known, {
        ...base,
        acknowledged: 0,
        slowestNode: undefined,
        lastError: errors
          .map(({ reason }) => reason)
          .join('; ')
          .slice(0, 1_000),
        programmed: false,
        reason: INVALID,
        message: 'it cannot be used as written; what was understood before stays',
      });
    const waiting = nodes.filter((n) => !n.connected || n.realizedGeneration < change.generation);
    const slowest = waiting.reduce<(typeof waiting)[number] | undefined>(
      (a, b) => (a === undefined || b.realizedGeneration < a.realizedGeneration ? b : a),
      undefined,
    );
    change.slowest = slowest?.name ?? change.slowest;
    const acknowledged = nodes.length - waiting.length;
    const done = waiting.length === 0;
    const next = {
      ...base,
      acknowledged,
      slowestNode: change.slowest,
      lastError: slowest?.lastError ?? undefined,
      programmed: done,
      reason: done ? 'Acknowledged' : 'Waiting',
      message: done
        ? `the switches of all ${nodes.length} nodes that it concerns have acknowledged it`
        : `${acknowledged} of ${nodes.length} nodes that it concerns have acknowledged it`,
    };
    return remarked(next, remark);
  }

  private async put(target: Target, next: RealizationState, known: Written | undefined): Promise<void> {
    const { client, wallClock } = this.needs;
    const collection = collectionOf(target);
    try {
      if (known === undefined) {
        await this.create(target);
        this.written.set(textOf(target), { uid: target.uid, state: undefined, since: '' });
      }
      const since =
        known?.state?.programmed === next.programmed && known.since !== '' ? known.since : timestamp(wallClock());
      await client.request('PATCH', `${collection}/${realizationName(target)}/status`, {
        body: statusBody(next, since),
        contentType: 'application/merge-patch+json',
      });
      this.written.set(textOf(target), { uid: target.uid, state: next, since });
    } catch (e) {
      if (e instanceof KubeRefusal && e.status === 404) {
        // Somebody took the object away, or the definitions with it. What there is is looked at anew.
        this.installed = false;
        return;
      }
      throw e;
    }
  }

  private async create(target: Target): Promise<void> {
    try {
      await this.needs.client.request('POST', collectionOf(target), { body: realizationBody(target) });
    } catch (e) {
      // It is there although we did not know.
      if (!(e instanceof KubeRefusal && e.status === 409)) throw e;
    }
  }

  private async remove(object: ObjectRef): Promise<void> {
    try {
      await this.needs.client.request('DELETE', `${collectionOf(object)}/${realizationName(object)}`);
    } catch (e) {
      // The garbage collector was faster.
      if (!(e instanceof KubeRefusal && e.status === 404)) throw e;
    }
    this.written.delete(textOf(object));
  }
}

const INVALID = 'Invalid';
const REMARK = '; note: ';

/** The state with what is to be known now, instead of what was before. */
function remarked(state: RealizationState, remark: string | undefined): RealizationState {
  const [message = ''] = state.message.split(REMARK);
  return { ...state, message: remark === undefined ? message : `${message}${REMARK}${remark}` };
}

const settled = (known: Written | undefined, next: RealizationState): RealizationState | undefined =>
  // A start of ours gives other numbers to the same.
  known?.state !== undefined && isDeepStrictEqual({ ...known.state, generation: 0 }, { ...next, generation: 0 })
    ? undefined
    : next;

const textOf = ({ kind, namespace, name }: ObjectRef): string => `${kind} ${namespace}/${name}`;
