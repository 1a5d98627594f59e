import { StatusError, tooOld } from './errors.ts';
import type { Predicate } from './selectors.ts';
import type { KubeObject } from './types.ts';

/** One stored version of an object. Its text is made once, when somebody first asks for it. */
export class Entry {
  readonly object: KubeObject;
  readonly revision: number;
  private text: string | undefined;

  constructor(object: KubeObject, revision: number) {
    this.object = object;
    this.revision = revision;
  }

  get json(): string {
    this.text ??= JSON.stringify(this.object);
    return this.text;
  }
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** A change of one object. `before` lets a watch with a selector see objects enter and leave it, and a list look back. */
export class ChangeEvent {
  readonly key: string;
  readonly revision: number;
  readonly before: Entry | undefined;
  /** The new version; of a deletion the last one, with the revision of the deletion. */
  readonly entry: Entry;
  readonly deleted: boolean;
  private readonly lines = new Map<EventType, Buffer>();

  constructor(key: string, before: Entry | undefined, entry: Entry, deleted: boolean) {
    this.key = key;
    this.revision = entry.revision;
    this.before = before;
    this.entry = entry;
    this.deleted = deleted;
  }

  /** What this change is to somebody who sees only the objects that match; undefined if nothing. */
  typeFor(matches: Predicate | undefined): EventType | undefined {
    const was = this.before !== undefined && (matches?.(this.before.object) ?? true);
    const is = !this.deleted && (matches?.(this.entry.object) ?? true);
    if (is) return was ? 'MODIFIED' : 'ADDED';
    return was ? 'DELETED' : undefined;
  }

  /** A line of a watch. Made once, written to every watch. */
  line(type: EventType): Buffer {
    const known = this.lines.get(type);
    if (known !== undefined) return known;
    // Who loses sight of an object gets it as he last saw it, with the revision of the change.
    const left = type === 'DELETED' && !this.deleted;
    const json = left ? JSON.stringify(revised((this.before as Entry).object, this.revision)) : this.entry.json;
    const made = Buffer.from(`{"type":"${type}","object":${json}}\n`);
    this.lines.set(type, made);
    return made;
  }
}

/** The same object with another resourceVersion. */
export const revised = (object: KubeObject, revision: number): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
});

export interface ListQuery {
  /** 0: no limit. */
  readonly limit: number;
  readonly continue: string | undefined;
  /** The state of this moment; undefined is now. */
  readonly revision: number | undefined;
  /** Only keys that start so (`NAMESPACE/`). */
  readonly prefix: string;
  readonly matches: Predicate | undefined;
}

export interface ListPage {
  readonly entries: readonly Entry[];
  readonly revision: number;
  readonly continue: string | undefined;
  /** Undefined if a selector makes it unknown, or nothing remains. */
  readonly remaining: number | undefined;
}

export type Listener = (event: ChangeEvent) => void;

/** All objects of one resource: current versions, and a window of changes for watches and consistent pages. */
export class Collection {
  readonly entries = new Map<string, Entry>();
  /** Changes in order; those at or before `floor` are gone. */
  private history: ChangeEvent[] = [];
  private floor = 0;
  private sorted: string[] | undefined;
  private readonly listeners = new Set<Listener>();
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
    // A collection that is made later (a new CRD) has always been empty.
    this.floor = 0;
  }

  write(key: string, object: KubeObject): Entry {
    const before = this.entries.get(key);
    const revision = this.store.nextRevision();
    const entry = new Entry(revised(object, revision), revision);
    if (before === undefined) this.sorted = undefined;
    this.entries.set(key, entry);
    this.record(new ChangeEvent(key, before, entry, false));
    return entry;
  }

  remove(key: string): Entry {
    const before = this.entries.get(key);
    if (before === undefined) throw new RangeError(`no object ${key}`);
    const revision = this.store.nextRevision();
    this.entries.delete(key);
    this.sorted = undefined;
    const entry = new Entry(revised(before.object, revision), revision);
    this.record(new ChangeEvent(key, before, entry, true));
    return entry;
  }

  private record(event: ChangeEvent): void {
    this.history.push(event);
    // A quarter at once, so that a steady stream does not move the array at every event.
    if (this.history.length > this.store.historyLimit * 1.25) {
      const cut = this.history.splice(0, this.history.length - this.store.historyLimit);
      this.floor = (cut.at(-1) as ChangeEvent).revision;
    }
    for (const listener of this.listeners) listener(event);
    this.store.changed(event);
  }

  /** Forgets the history: what was read before is too old now. */
  expire(): void {
    this.floor = this.store.nextRevision();
    this.history = [];
  }

  /** Changes after a revision. @throws StatusError 410 if the window does not reach back so far */
  since(revision: number): readonly ChangeEvent[] {
    if (revision < this.floor) throw tooOld(revision, this.floor);
    let low = 0;
    let high = this.history.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.history[middle] as ChangeEvent).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.history.slice(low);
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** One page, of one moment for all pages of a list. @throws StatusError 410 if that moment is forgotten */
  list(query: ListQuery): ListPage {
    const token = query.continue === undefined ? undefined : readToken(query.continue);
    const anew = token?.revision === ANY_REVISION;
    const revision =
      token === undefined ? (query.revision ?? this.store.revision) : anew ? this.store.revision : token.revision;
    if (revision < this.floor && token !== undefined)
      throw new StatusError(
        410,
        'Expired',
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
        undefined,
        writeToken({ revision: ANY_REVISION, after: token.after }),
      );
    const then = revision >= this.store.revision ? undefined : this.statesBefore(revision);
    const keys = this.keys(then);
    const entries: Entry[] = [];
    let more: string | undefined;
    let remaining = 0;
    for (let i = token === undefined ? 0 : firstAfter(keys, token.after); i < keys.length; i++) {
      const key = keys[i] as string;
      if (!key.startsWith(query.prefix)) continue;
      const entry = then?.has(key) ? then.get(key) : this.entries.get(key);
      if (entry === undefined || !(query.matches?.(entry.object) ?? true)) continue;
      if (query.limit > 0 && entries.length === query.limit) {
        more ??= this.keyOf(entries.at(-1) as Entry);
        // How many a selector would still select is not told.
        if (query.matches !== undefined) break;
        remaining++;
      } else entries.push(entry);
    }
    return {
      entries,
      revision,
      continue: more === undefined ? undefined : writeToken({ revision, after: more }),
      remaining: remaining === 0 ? undefined : remaining,
    };
  }

  private keyOf(entry: Entry): string {
    return objectKey(entry.object.metadata.namespace, entry.object.metadata.name);
  }

  /** For every object that has changed since: what it was at that revision. */
  private statesBefore(revision: number): Map<string, Entry | undefined> {
    const states = new Map<string, Entry | undefined>();
    for (const event of this.since(revision)) if (!states.has(event.key)) states.set(event.key, event.before);
    return states;
  }

  private keys(also: ReadonlyMap<string, Entry | undefined> | undefined): readonly string[] {
    this.sorted ??= [...this.entries.keys()].sort();
    const sorted = this.sorted;
    if (also === undefined || [...also.keys()].every((k) => this.entries.has(k))) return sorted;
    return [...new Set([...sorted, ...also.keys()])].sort();
  }
}

/** NAMESPACE/NAME, or the name. A list is in this order. */
export const objectKey = (namespace: string | undefined, name: string): string =>
  namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;

/** A token with this revision goes on with what there is now. */
const ANY_REVISION = -1;
interface Token {
  readonly revision: number;
  readonly after: string;
}
const writeToken = (token: Token): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.revision, start: token.after })).toString('base64url');
function readToken(text: string): Token {
  try {
    const { rv, start } = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (typeof rv === 'number' && typeof start === 'string') return { revision: rv, after: start };
  } catch (e) {
    throw new StatusError(400, 'BadRequest', `continue key is not valid: ${(e as Error).message}`);
  }
  throw new StatusError(400, 'BadRequest', 'continue key is not valid: incorrect encoded start resourceVersion');
}

function firstAfter(keys: readonly string[], after: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Every collection, and the revision that they share, as etcd's keys do. */
export class Store {
  readonly historyLimit: number;
  private current = 1;
  private readonly collections = new Map<string, Collection>();
  private readonly listeners = new Set<Listener>();

  constructor(historyLimit: number) {
    this.historyLimit = historyLimit;
  }

  get revision(): number {
    return this.current;
  }

  nextRevision(): number {
    this.current += 1;
    return this.current;
  }

  /** Changes of every collection. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(event: ChangeEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  collection(name: string): Collection {
    let found = this.collections.get(name);
    if (found === undefined) {
      found = new Collection(this);
      this.collections.set(name, found);
    }
    return found;
  }
}
