import { isDeepStrictEqual } from 'node:util';
import { Backoff } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { deferred } from '../../deferred.js';
import { type KubeClient, KubeRefusal } from '../../kubernetes/kube-client.js';
import { Pauses } from '../../kubernetes/pauses.js';
import { isRecord } from '../objects/issues.js';

/** Objects in one page of a list. */
const PAGE_SIZE = 500;
/** Watches are asked to end after this time to twice of it, as client-go does, so that they spread over the servers. */
const WATCH_SECONDS = 300;
/** A watch that ends sooner counts as a failed one. */
const SHORT_WATCH_MS = 1_000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 10_000;
/** The resource of objects that are known must be said to be missing so often, a second or more apart. */
const CERTAINLY_MISSING = 3;
const MISSING_RETRY_MS = 1_000;

/** What became of an object. */
export type Reading<T> =
  | { readonly kind: 'value'; readonly value: T; readonly warnings: readonly string[] }
  /** Understood, but nothing that we use. */
  | { readonly kind: 'unused'; readonly warnings: readonly string[] }
  | { readonly kind: 'broken'; readonly reasons: readonly string[] };

export interface Read<T, A> {
  readonly key: string;
  readonly reading: Reading<T>;
  /** Kept beside the value, also of an object that is broken or of no use. */
  readonly about?: A | undefined;
}

/** What must be said about an object. */
export interface Note {
  readonly severity: 'error' | 'warning';
  readonly reasons: readonly string[];
}

export interface ReflectorOptions<T, A> {
  readonly client: KubeClient;
  /** Of the resource in all namespaces: `/api/v1/pods`. */
  readonly path: string;
  /** Served only while its CustomResourceDefinition is installed. */
  readonly optional: boolean;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** A watch is opened anew when nothing, not even a bookmark, came for so long. */
  readonly idleMs: number;
  /** How often an optional resource that is not there is looked for. */
  readonly pollMs: number;
  /** Trims an object; undefined if it has not even a name. */
  readonly read: (object: unknown) => Read<T, A> | undefined;
  readonly changed: (key: string, value: T | undefined) => void;
  /** The object of a key says something else now in what is kept about it, or is gone. */
  readonly touched: (key: string) => void;
  /** `trouble` or `notes` are others now. */
  readonly noted: () => void;
}

/**
 * Keeps a copy of one kind of objects, trimmed to values of type T, and says what changes in it.
 *
 * What a consumer may assume
 * - Before `synced` resolves `values` is not complete; afterwards it always is some state that the server had for each object,
 *   and the newest that has come through. `changed` is called for each key whose value is no longer deeply equal to the one
 *   before, after `values` has it; undefined says that the object is gone.
 * - A value is never taken away because of a lost connection, an expired resourceVersion (410), a restart of the server, or an
 *   object that cannot be understood: a key goes when a DELETED event or a complete list says so. A list that replaces what is
 *   known is applied in one go, as the difference.
 * - A connection that is lost, silent for too long or ended by the server is resumed from the last resourceVersion, bookmarks
 *   included; nothing is listed anew unless the server says that it no longer knows that version.
 * - An object that cannot be understood keeps its last good value, and stands in `notes` until it is mended or gone. It
 *   holds up nothing else.
 *
 * What a consumer may not assume
 * - That it hears of every state. Several changes may come as one, a deletion and a new object of the same name too (the uid
 *   tells them apart).
 * - Any order between two reflectors: a policy may come before the namespace that was made first.
 * - That nothing is missing now: how fresh the copy is, only `reached` says.
 */
export class Reflector<T, A = unknown> {
  private readonly known = new Map<string, T>();
  private readonly abouts = new Map<string, A>();
  private readonly noted = new Map<string, Note>();
  private readonly abort = new AbortController();
  private readonly backoff: Backoff;
  private readonly sync = deferred<void>();
  private version: string | undefined;
  private failure: string | undefined;
  /** Answers in a row that say that the resource is not served. */
  private missing = 0;
  /** Answers in a row that say that the version is too old. */
  private expired = 0;
  private present = true;
  private running: Promise<void> = Promise.resolve();
  private readonly pauses: Pauses;

  constructor(private readonly options: ReflectorOptions<T, A>) {
    this.pauses = new Pauses(options.clock);
    this.backoff = new Backoff({ firstMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random: options.random });
  }

  get values(): ReadonlyMap<string, T> {
    return this.known;
  }
  /** What is kept about objects beside their values. */
  get about(): ReadonlyMap<string, A> {
    return this.abouts;
  }
  /** What must be said about objects, by key. */
  get notes(): ReadonlyMap<string, Note> {
    return this.noted;
  }
  /** Why the copy may be old; undefined while the watch runs. */
  get trouble(): string | undefined {
    return this.failure;
  }
  /** False if the server does not serve the resource (a CRD that is not installed). */
  get served(): boolean {
    return this.present;
  }
  /** Resolves when the first list is complete. Never rejects. */
  get synced(): Promise<void> {
    return this.sync.promise;
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.abort.abort();
    this.pauses.end();
    await this.running;
  }

  /** Whether everything up to this resourceVersion has come through; true as well if the two cannot be compared. */
  reached(version: string): boolean {
    if (!/^\d+$/.test(version) || this.version === undefined || !/^\d+$/.test(this.version)) return true;
    return BigInt(this.version) >= BigInt(version);
  }

  private get stopped(): boolean {
    return this.abort.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        if (this.version === undefined) await this.list();
        await this.pauses.wait(await this.watch());
      } catch (e) {
        if (!this.stopped) await this.pauses.wait(this.failed(e));
      }
    }
  }

  /** Decides how to go on; answers how long to wait before. */
  private failed(error: unknown): number {
    if (!(error instanceof KubeRefusal)) {
      this.setTrouble(error instanceof Error ? error.message : String(error));
      return this.backoff.next();
    }
    // Too old (410), newer than what a restored server has (504), not served at the moment: the version is of no use.
    if ([400, 404, 410, 504].includes(error.status)) this.version = undefined;
    if (error.status === 404 && this.options.optional) return this.isMissing();
    // A version expires now and then; a server that says so of one that it has just given is in trouble.
    if (error.status === 410 && this.expired++ === 0) return 0;
    this.setTrouble(`${error.message} (HTTP ${error.status})`);
    return Math.max(this.backoff.next(), error.retryAfterMs ?? 0);
  }

  private isMissing(): number {
    this.missing++;
    // What is known is policy: it is believed to be gone when the server has said so several times.
    if (this.known.size > 0 && this.missing < CERTAINLY_MISSING) return MISSING_RETRY_MS;
    this.present = false;
    this.healthy();
    this.replace(new Map());
    return this.options.pollMs * (1 - this.options.random() / 4);
  }

  private async list(): Promise<void> {
    // As client-go's pager: a list that was overtaken by a compaction is taken once more, and then in one piece.
    for (const limit of [PAGE_SIZE, PAGE_SIZE, undefined]) {
      const whole = await this.pages(limit);
      if (whole === undefined) continue;
      this.present = true;
      this.missing = 0;
      this.replace(whole.found);
      this.version = whole.version;
      this.healthy();
      return;
    }
    throw new Error('the list expired three times before it was complete');
  }

  /** Undefined if the list has expired in the middle. */
  private async pages(
    limit: number | undefined,
  ): Promise<{ found: Map<string, Read<T, A>>; version: string } | undefined> {
    const { client, path, read } = this.options;
    const found = new Map<string, Read<T, A>>();
    let token: string | undefined;
    for (;;) {
      let page: List;
      try {
        const query = { limit, continue: token };
        page = asList(await client.request('GET', path, { query, signal: this.abort.signal }));
      } catch (e) {
        if (e instanceof KubeRefusal && e.status === 410 && token !== undefined) return undefined;
        throw e;
      }
      for (const item of page.items) {
        const object = read(item);
        if (object !== undefined) found.set(object.key, this.shared(object));
      }
      token = page.token;
      if (token === undefined) return { found, version: page.version };
    }
  }

  /** Keeps the value that is known already, so that a second list of everything needs no memory of its own. */
  private shared(object: Read<T, A>): Read<T, A> {
    const { key, reading } = object;
    if (reading.kind !== 'value') return object;
    const known = this.known.get(key);
    if (known === undefined || !isDeepStrictEqual(known, reading.value)) return object;
    return { ...object, reading: { ...reading, value: known } };
  }

  private replace(found: ReadonlyMap<string, Read<T, A>>): void {
    for (const key of [...this.known.keys(), ...this.abouts.keys(), ...this.noted.keys()])
      if (!found.has(key)) this.remove(key);
    for (const object of found.values()) this.put(object);
    this.sync.resolve();
  }

  /** Ends when the server ends it; answers how long to wait before the next one. */
  private async watch(): Promise<number> {
    const { client, clock, path, random, idleMs } = this.options;
    const query = {
      resourceVersion: this.version,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(WATCH_SECONDS * (1 + random())),
    };
    let openedAt = Number.POSITIVE_INFINITY;
    let end: 'ended' | 'silent';
    try {
      end = await client.watch(path, query, {
        opened: () => {
          openedAt = clock.now();
          this.setTrouble(undefined);
        },
        event: (e) => this.event(e),
        signal: this.abort.signal,
        idleMs,
      });
    } finally {
      if (clock.now() - openedAt >= SHORT_WATCH_MS) this.backoff.reset();
    }
    // Ended in order, which happens now and then; but what ends at once must not become a busy loop.
    return end === 'silent' || clock.now() - openedAt >= SHORT_WATCH_MS ? 0 : this.backoff.next();
  }

  private event(event: unknown): void {
    const { type, object } = asEvent(event);
    if (type === 'ERROR') throw refusalOf(object);
    if (type !== 'BOOKMARK') {
      const read = this.options.read(object);
      if (read !== undefined && type === 'DELETED') this.remove(read.key);
      else if (read !== undefined) this.put(read);
    }
    this.version = versionOf(object) ?? this.version;
    this.healthy();
  }

  private put({ key, reading, about }: Read<T, A>): void {
    this.setAbout(key, about);
    const reasons = reading.kind === 'broken' ? reading.reasons : reading.warnings;
    const severity = reading.kind === 'broken' ? 'error' : 'warning';
    this.setNote(key, reasons.length === 0 ? undefined : { severity, reasons });
    if (reading.kind === 'unused') this.forget(key);
    if (reading.kind !== 'value') return;
    const known = this.known.get(key);
    if (known === reading.value || isDeepStrictEqual(known, reading.value)) return;
    this.known.set(key, reading.value);
    this.options.changed(key, reading.value);
  }

  private remove(key: string): void {
    this.setAbout(key, undefined);
    this.setNote(key, undefined);
    this.forget(key);
  }

  private forget(key: string): void {
    if (this.known.delete(key)) this.options.changed(key, undefined);
  }

  private healthy(): void {
    this.backoff.reset();
    this.expired = 0;
    this.setTrouble(undefined);
  }

  private setTrouble(reason: string | undefined): void {
    if (reason === this.failure) return;
    this.failure = reason;
    this.options.noted();
  }

  private setAbout(key: string, about: A | undefined): void {
    if (isDeepStrictEqual(this.abouts.get(key), about)) return;
    if (about === undefined) this.abouts.delete(key);
    else this.abouts.set(key, about);
    this.options.touched(key);
  }

  private setNote(key: string, note: Note | undefined): void {
    if (isDeepStrictEqual(this.noted.get(key), note)) return;
    if (note === undefined) this.noted.delete(key);
    else this.noted.set(key, note);
    this.options.noted();
  }
}

interface List {
  readonly items: readonly unknown[];
  readonly version: string;
  readonly token: string | undefined;
}

function asList(value: unknown): List {
  const version = versionOf(value);
  // `items: null` is how Go writes an empty list.
  const items = isRecord(value) ? (value.items ?? []) : undefined;
  if (version === undefined || !Array.isArray(items)) throw new Error('the answer is not a list of Kubernetes objects');
  const token = isRecord(value) && isRecord(value.metadata) ? value.metadata.continue : undefined;
  return { items, version, token: typeof token === 'string' && token !== '' ? token : undefined };
}

const EVENT_TYPES = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const;

function asEvent(value: unknown): { type: (typeof EVENT_TYPES)[number]; object: unknown } {
  const type = isRecord(value) ? EVENT_TYPES.find((t) => t === value.type) : undefined;
  if (type === undefined || !isRecord(value)) throw new Error('the watch sent something that is not an event');
  return { type, object: value.object };
}

function versionOf(object: unknown): string | undefined {
  const version = isRecord(object) && isRecord(object.metadata) ? object.metadata.resourceVersion : undefined;
  return typeof version === 'string' && version !== '' ? version : undefined;
}

function refusalOf(status: unknown): KubeRefusal {
  const { code, reason, message } = isRecord(status) ? status : {};
  return new KubeRefusal(
    typeof code === 'number' ? code : 500,
    typeof reason === 'string' ? reason : '',
    typeof message === 'string' ? message : 'the watch ended with an error',
  );
}
