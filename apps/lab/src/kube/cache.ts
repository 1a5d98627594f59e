import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '@heddle/api';
import { isStatus, type KubeClient, type KubeObject } from './client.js';

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 3_000;
/** A watch that ends sooner counts as a failed one. */
const SHORT_WATCH_MS = 1_000;

export const keyOf = ({ metadata }: KubeObject): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;

/** How time passes. */
export interface Pace {
  /** Milliseconds. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  /** Ends early, without an error, when the signal does. */
  rest(ms: number, signal: AbortSignal): Promise<void>;
}
const PACE: Pace = {
  now: () => performance.now(),
  random: Math.random,
  rest: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
};

/**
 * A copy of one kind of objects, listed and watched. A watch that ends is resumed; when the server no longer knows the version, or after any other
 * failure, everything is listed again (the lab is small). While the server is away the copy stays as it is.
 */
export class KubeCache<T extends KubeObject> {
  private readonly known = new Map<string, T>();
  private complete = false;
  private readonly backoff: Backoff;
  /** Answers in a row that say that the version is too old. */
  private expired = 0;
  /** Why it is not up to date; undefined while it is. */
  trouble: string | undefined;

  constructor(
    private readonly client: KubeClient,
    private readonly path: string,
    private readonly changed: () => void,
    private readonly pace: Pace = PACE,
  ) {
    this.backoff = new Backoff({ firstMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random: pace.random });
  }

  /** Undefined until the first list is complete. */
  get objects(): ReadonlyMap<string, T> | undefined {
    return this.complete ? this.known : undefined;
  }

  /** Takes in what the server has answered to a write, which the watch will bring later. */
  put(object: T): void {
    const key = keyOf(object);
    const old = this.known.get(key);
    if (old === undefined || old.metadata.uid !== object.metadata.uid) return;
    if (version(object) > version(old)) this.known.set(key, object);
  }

  async run(signal: AbortSignal): Promise<void> {
    let from: string | undefined;
    while (!signal.aborted)
      try {
        from ??= await this.list();
        this.trouble = undefined;
        const openedAt = this.pace.now();
        await this.client.watch<T>(
          this.path,
          from,
          ({ type, object }) => {
            from = object.metadata.resourceVersion ?? from;
            this.healthy();
            if (type === 'BOOKMARK') return;
            if (type === 'DELETED') this.known.delete(keyOf(object));
            else this.known.set(keyOf(object), object);
            this.changed();
          },
          signal,
        );
        // Ended in order, which happens now and then; but what ends at once must not become a busy loop.
        if (this.pace.now() - openedAt >= SHORT_WATCH_MS) this.healthy();
        else await this.pace.rest(this.backoff.next(), signal);
      } catch (e) {
        if (signal.aborted) return;
        from = undefined;
        this.trouble = e instanceof Error ? e.message : String(e);
        // A version expires now and then; a server that says so of one that it has just given is in trouble.
        if (!isStatus(e, 410) || this.expired++ > 0) await this.pace.rest(this.backoff.next(), signal);
      }
  }

  /** Takes over everything that the server has; answers the version that a watch goes on from. */
  private async list(): Promise<string> {
    const { items, resourceVersion } = await this.client.list<T>(this.path);
    this.known.clear();
    for (const item of items) this.known.set(keyOf(item), item);
    this.complete = true;
    this.changed();
    return resourceVersion;
  }

  private healthy(): void {
    this.backoff.reset();
    this.expired = 0;
  }
}

/** Versions of one server are numbers that rise; what is none is taken for older than everything. */
function version({ metadata }: KubeObject): bigint {
  const text = metadata.resourceVersion ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : -1n;
}
