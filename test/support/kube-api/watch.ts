import type { ServerResponse } from 'node:http';
import { StatusError } from './errors.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import type { Predicate } from './selectors.ts';
import type { ChangeEvent, Collection, Store } from './store.ts';
import type { KubeObject } from './types.ts';

/** So long before the end of a watch it hears how far it has come. */
const LAST_BOOKMARK_MS = 2000;
/** A client that reads slower than this much behind is cut off, as the real server does. */
const MAX_BEHIND_BYTES = 256 * 1024 * 1024;

export interface WatchQuery {
  /** Undefined: first everything there is, then the changes. */
  readonly revision: number | undefined;
  readonly bookmarks: boolean;
  /** First everything there is, then a bookmark that says so (WatchList). */
  readonly initialEvents: boolean;
  readonly timeoutMs: number | undefined;
  readonly namespace: string | undefined;
  readonly matches: Predicate | undefined;
}

/** One open watch. */
class Watch {
  private readonly response: ServerResponse;
  private readonly resource: Resource;
  private readonly query: WatchQuery;
  private readonly matches: Predicate | undefined;
  private pending: Buffer[] = [];
  private readonly stops: (() => void)[] = [];

  constructor(response: ServerResponse, resource: Resource, query: WatchQuery) {
    this.response = response;
    this.resource = resource;
    this.query = query;
    const { namespace, matches } = query;
    if (namespace === undefined) this.matches = matches;
    else this.matches = (o) => o.metadata.namespace === namespace && (matches?.(o) ?? true);
  }

  start(collection: Collection, store: Store): void {
    this.response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
    this.response.flushHeaders();
    const { revision, initialEvents } = this.query;
    try {
      if (revision === undefined || initialEvents) {
        for (const entry of collection.entries.values())
          if (this.matches?.(entry.object) ?? true) this.push(this.line('ADDED', entry.object, entry.json));
        if (initialEvents) this.bookmark(store.revision, { 'k8s.io/initial-events-end': 'true' });
      } else for (const event of collection.since(revision)) this.see(event);
    } catch (e) {
      if (!(e instanceof StatusError)) throw e;
      // Once a watch is accepted, errors come as an event.
      this.push(Buffer.from(`{"type":"ERROR","object":${JSON.stringify(e.toStatus())}}\n`));
      this.end();
      return;
    }
    this.stops.push(collection.listen((event) => this.see(event)));
    const { timeoutMs } = this.query;
    if (timeoutMs === undefined) return;
    this.after(timeoutMs, () => this.end());
    if (timeoutMs > LAST_BOOKMARK_MS) this.after(timeoutMs - LAST_BOOKMARK_MS, () => this.bookmark(store.revision));
  }

  private after(ms: number, action: () => void): void {
    const timer = setTimeout(action, ms);
    timer.unref();
    this.stops.push(() => clearTimeout(timer));
  }

  private line(type: string, object: KubeObject, json: string): Buffer {
    const text = this.resource.convert === undefined ? json : JSON.stringify(this.resource.convert.to(object));
    return Buffer.from(`{"type":"${type}","object":${text}}\n`);
  }

  private see(event: ChangeEvent): void {
    // Who has seen the future (of a cluster that was restored) waits for it.
    if (event.revision <= (this.query.revision ?? 0)) return;
    const type = event.typeFor(this.matches);
    if (type === undefined) return;
    if (this.resource.convert === undefined) this.push(event.line(type));
    else this.push(this.line(type, event.entry.object, event.entry.json));
  }

  bookmark(revision: number, annotations?: Readonly<Record<string, string>>): void {
    if (!this.query.bookmarks) return;
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    };
    const object = { kind: this.resource.kind, apiVersion: apiVersionOf(this.resource), metadata };
    this.push(Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`));
  }

  private push(line: Buffer): void {
    this.pending.push(line);
    // One write for all lines of this turn: thousands of changes come in bursts.
    if (this.pending.length === 1) setImmediate(() => this.flush());
  }

  private flush(): void {
    if (this.pending.length === 0 || this.response.destroyed || this.response.writableEnded) return;
    this.response.write(this.pending.length === 1 ? this.pending[0] : Buffer.concat(this.pending));
    this.pending = [];
    if (this.response.writableLength > MAX_BEHIND_BYTES) this.response.destroy();
  }

  end(): void {
    this.flush();
    this.response.end();
  }

  drop(): void {
    this.response.destroy();
  }

  closed(): void {
    for (const stop of this.stops) stop();
  }

  watches(storage: string | undefined): boolean {
    return storage === undefined || this.resource.storage === storage;
  }

  serves(resource: Resource): boolean {
    return this.resource === resource;
  }
}

/** Every open watch. */
export class WatchHub {
  private readonly open = new Set<Watch>();
  private readonly store: Store;
  private readonly timer: NodeJS.Timeout;

  constructor(store: Store, bookmarkIntervalMs: number) {
    this.store = store;
    this.timer = setInterval(() => this.bookmark(), bookmarkIntervalMs);
    this.timer.unref();
  }

  get size(): number {
    return this.open.size;
  }

  start(response: ServerResponse, resource: Resource, collection: Collection, query: WatchQuery): void {
    const watch = new Watch(response, resource, query);
    this.open.add(watch);
    response.once('close', () => {
      this.open.delete(watch);
      watch.closed();
    });
    watch.start(collection, this.store);
  }

  /** Tells every watch that wants to know how far it has come. */
  bookmark(): void {
    for (const watch of this.open) watch.bookmark(this.store.revision);
  }

  /** Ends watches as the server does at their time, or cuts their sockets. */
  drop(storage: string | undefined, how: 'end' | 'cut'): number {
    const chosen = [...this.open].filter((w) => w.watches(storage));
    for (const watch of chosen) how === 'end' ? watch.end() : watch.drop();
    return chosen.length;
  }

  close(): void {
    clearInterval(this.timer);
    this.drop(undefined, 'cut');
  }
}
