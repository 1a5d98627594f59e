import type { ObjectRef } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { deferred } from '../../deferred.js';
import type { KubeClient } from '../../kubernetes/kube-client.js';
import type { TrackedObject } from '../../kubernetes/writes/cluster-state.js';
import {
  keyOf,
  NO_OBJECTS,
  type Problem,
  refOf,
  type Source,
  type SourceChange,
  type SourceDelta,
  type SourceObjects,
} from '../model.js';
import { isRecord } from '../objects/issues.js';
import { ToldProblems } from '../told-problems.js';
import { resourcePath, type WatchedKind, watchedKinds } from './kinds.js';
import { type Note, Reflector } from './reflector.js';

/** kube-apiserver sends a bookmark about once a minute; a watch that is silent for longer is not believed. */
const IDLE_MS = 90_000;
/** How soon a CustomResourceDefinition is noticed that is installed later. */
const POLL_MS = 10_000;
/** When the listener could not take a change. */
const REDELIVERY_MS = 1_000;
/** How long events may be on their way after the server has answered a request; see `refresh`. */
const SETTLE_MS = 50;
const REFRESH_TIMEOUT_MS = 5_000;

export interface KubernetesSourceOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** 0 to 1; for the jitter of waits. */
  readonly random?: () => number;
  /** Told when the listener fails; the change is told again. */
  readonly onError: (error: unknown) => void;
  /** Told of each problem once, when it appears. */
  readonly onProblem?: (problem: Problem) => void;
  /** For specs; see the constants above. */
  readonly idleMs?: number;
  readonly pollMs?: number;
}

interface Watched {
  readonly kind: WatchedKind;
  readonly reflector: Reflector<unknown, TrackedObject>;
}
type Pending = { -readonly [K in keyof SourceObjects]?: Map<string, unknown> };

/**
 * The objects of a cluster, from its API server. What may be assumed of their order and freshness stands above `Reflector`;
 * beyond that: nothing is handed over before every kind has been listed, and what arrives while the listener is at work is
 * handed over together, the last value of each key.
 */
export class KubernetesSource implements Source {
  readonly kind = 'kubernetes';
  /** The watches are as fast as any answer. */
  readonly refreshHastens = false;
  readonly location: string;
  private readonly watched: readonly Watched[];
  private readonly stopping = deferred<never>();
  private pending: Pending = {};
  private listener: ((change: SourceChange) => Promise<void>) | undefined;
  /** Runs while there is something to hand over. */
  private delivery: Promise<void> | undefined;
  private refreshing: Promise<void> | undefined;
  private refreshQueued: Promise<void> | undefined;
  private readonly told: ToldProblems;
  private telling = false;
  private touchedObjects = new Map<string, ObjectRef>();
  private touchedListener: ((objects: readonly ObjectRef[]) => void) | undefined;
  private stopTimer: (() => void) | undefined;

  constructor(private readonly options: KubernetesSourceOptions) {
    const { client, clock, random = Math.random, idleMs = IDLE_MS, pollMs = POLL_MS } = options;
    this.location = client.server;
    this.told = new ToldProblems(options.onProblem);
    // Nobody may be waiting for it.
    this.stopping.promise.catch(() => undefined);
    this.watched = watchedKinds().map((kind) => ({
      kind,
      reflector: new Reflector<unknown, TrackedObject>({
        client,
        path: `${kind.api}/${kind.plural}`,
        optional: kind.optional,
        clock,
        random,
        idleMs,
        pollMs,
        read: (object) => kind.read(object),
        changed: (key, value) => {
          this.changed(kind.into, kind.keyIn(key), value);
          if (kind.tracked) this.touched(kind, key);
        },
        touched: (key) => this.touched(kind, key),
        noted: () => this.noted(),
      }),
    }));
  }

  /** Waits for the API server for as long as it takes. @throws Error if it is stopped meanwhile */
  async start(listener: (change: SourceChange) => Promise<void>): Promise<SourceObjects> {
    for (const { reflector } of this.watched) reflector.start();
    await Promise.race([Promise.all(this.watched.map(({ reflector }) => reflector.synced)), this.stopping.promise]);
    // From here to the return nothing can come in between.
    this.listener = listener;
    this.pending = {};
    if (this.touchedObjects.size > 0) this.delivery ??= this.deliver();
    return this.snapshot();
  }

  /**
   * Asks the server where it stands, and waits until that has come through. The versions of a quiet resource move by
   * bookmarks only, a minute apart; but a server that has answered has sent its watchers everything before, so what is not
   * here a moment after the answer is not coming. While the server is away what is known is all there is to know.
   * @throws Error if the listener could not take what came
   */
  refresh(): Promise<void> {
    if (this.refreshing === undefined) {
      this.refreshing = this.catchUp().finally(() => {
        this.refreshing = undefined;
      });
      return this.refreshing;
    }
    // The one at work may have asked before the caller's change was made; one more serves everybody who waits.
    this.refreshQueued ??= this.refreshing
      .catch(() => undefined)
      .then(() => {
        this.refreshQueued = undefined;
        return this.refresh();
      });
    return this.refreshQueued;
  }

  placeOf(object: ObjectRef): { readonly file: string; readonly line: number | null } | undefined {
    const watched = this.watched.find(({ kind }) => kind.kind === object.kind);
    if (watched === undefined) return undefined;
    const key = keyOf(object);
    const { values, notes } = watched.reflector;
    return values.has(key) || notes.has(key) ? { file: fileOf(watched.kind, object), line: null } : undefined;
  }

  problems(): readonly Problem[] {
    const troubles = new Map<string, string[]>();
    const problems: Problem[] = [];
    for (const { kind, reflector } of this.watched) {
      if (reflector.trouble !== undefined)
        troubles.set(reflector.trouble, [...(troubles.get(reflector.trouble) ?? []), kind.plural]);
      for (const [key, note] of reflector.notes) problems.push(...problemsIn(note, kind, refOf(kind.kind, key)));
    }
    const away = [...troubles].map(([trouble, plurals]): Problem => {
      const reason = `${plurals.join(', ')} cannot be watched, what is known of them stays: ${trouble}`;
      return { severity: 'error', file: `kubernetes:${this.location}`, line: null, object: null, reason };
    });
    return [...away, ...problems];
  }

  /** Those of `problems` that are of one object. */
  problemsOf(object: ObjectRef): readonly Problem[] {
    const watched = this.watched.find(({ kind }) => kind.kind === object.kind);
    const note = watched?.reflector.notes.get(keyOf(object));
    return watched === undefined || note === undefined ? [] : problemsIn(note, watched.kind, object);
  }

  async stop(): Promise<void> {
    this.listener = undefined;
    this.stopTimer?.();
    this.stopping.reject(new Error('stopped before the API server had told everything'));
    await Promise.all(this.watched.map(({ reflector }) => reflector.stop()));
    await this.delivery;
  }

  /** What is known about the objects of a kind beside what they mean, by their own key. */
  about(kind: string): ReadonlyMap<string, TrackedObject> {
    return this.watched.find((w) => w.kind.kind === kind)?.reflector.about ?? new Map();
  }

  /** Whether the objects of a kind cannot be watched now, so that what is known of them may be old. */
  inTrouble(kind: string): boolean {
    return this.watched.find((w) => w.kind.kind === kind)?.reflector.trouble !== undefined;
  }

  /** Calls with the objects that are new, others or gone, after what they mean was handed over. */
  onTouched(listener: (objects: readonly ObjectRef[]) => void): void {
    this.touchedListener = listener;
  }

  private snapshot(): SourceObjects {
    const maps: Pending = {};
    for (const { kind, reflector } of this.watched) {
      const map = maps[kind.into] ?? new Map<string, unknown>();
      maps[kind.into] = map;
      for (const [key, value] of reflector.values) map.set(kind.keyIn(key), value);
    }
    return { ...NO_OBJECTS, ...(maps as Partial<SourceObjects>) };
  }

  private touched(kind: WatchedKind, key: string): void {
    const object = refOf(kind.kind, key);
    this.touchedObjects.set(JSON.stringify(object), object);
    if (this.listener !== undefined) this.delivery ??= this.deliver();
  }

  private changed(into: keyof SourceObjects, key: string, value: unknown): void {
    if (this.listener === undefined) return;
    const map = this.pending[into];
    if (map === undefined) this.pending[into] = new Map([[key, value]]);
    else map.set(key, value);
    this.delivery ??= this.deliver();
  }

  private async deliver(): Promise<void> {
    // What came in the same piece of the stream belongs together.
    await new Promise((done) => setImmediate(done));
    while (this.listener !== undefined && (hasKeys(this.pending) || this.touchedObjects.size > 0)) {
      const delta = this.pending;
      const touched = [...this.touchedObjects.values()];
      this.pending = {};
      this.touchedObjects = new Map();
      try {
        if (hasKeys(delta)) await this.listener({ kind: 'some', delta: delta as SourceDelta });
        this.touchedListener?.(touched);
      } catch (e) {
        this.options.onError(e);
        this.pending = merged(delta, this.pending);
        for (const object of touched) this.touchedObjects.set(JSON.stringify(object), object);
        this.stopTimer = this.options.clock.after(REDELIVERY_MS, () => {
          this.delivery ??= this.deliver();
        });
        break;
      }
    }
    this.delivery = undefined;
  }

  private async catchUp(): Promise<void> {
    await Promise.all(this.watched.map((w) => this.caughtUp(w)));
    while (this.delivery !== undefined) await this.delivery;
    if (hasKeys(this.pending)) throw new Error('what the source has told could not be taken over');
  }

  private async caughtUp({ kind, reflector }: Watched): Promise<void> {
    if (!reflector.served) return;
    const signal = AbortSignal.timeout(REFRESH_TIMEOUT_MS);
    let page: unknown;
    try {
      const query = { limit: 1 };
      page = await this.options.client.request('GET', `${kind.api}/${kind.plural}`, { query, signal });
    } catch {
      // The reflector meets the same trouble and reports it.
      return;
    }
    const version = isRecord(page) && isRecord(page.metadata) ? page.metadata.resourceVersion : undefined;
    if (typeof version !== 'string' || reflector.reached(version)) return;
    await new Promise<void>((done) => this.options.clock.after(SETTLE_MS, done));
  }

  /** Together, for a server that goes away is heard of by every reflector. */
  private noted(): void {
    if (this.telling) return;
    this.telling = true;
    setImmediate(() => {
      this.telling = false;
      this.told.update(this.problems());
    });
  }
}

const fileOf = (kind: WatchedKind, object: ObjectRef): string => `kubernetes:${resourcePath(kind, object)}`;

const problemsIn = ({ severity, reasons }: Note, kind: WatchedKind, object: ObjectRef): Problem[] =>
  reasons.map((reason) => ({ severity, file: fileOf(kind, object), line: null, object, reason }));

const hasKeys = (pending: Pending): boolean => Object.keys(pending).length > 0;

/** What came later counts. */
function merged(earlier: Pending, later: Pending): Pending {
  const result: Pending = { ...earlier };
  for (const [kind, map] of Object.entries(later) as [keyof SourceObjects, Map<string, unknown>][])
    result[kind] = new Map([...(result[kind] ?? []), ...map]);
  return result;
}
