import { setTimeout as sleep } from 'node:timers/promises';
import { isStatus, type KubeClient, type KubeObject } from './client.js';

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 3_000;

export const keyOf = ({ metadata }: KubeObject): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;

/**
 * A copy of one kind of objects, listed and watched. A watch that ends is resumed; when the server no longer knows the version, or after any other
 * failure, everything is listed again (the lab is small). While the server is away the copy stays as it is.
 */
export class KubeCache<T extends KubeObject> {
  private readonly known = new Map<string, T>();
  private complete = false;
  private failures = 0;
  /** Why it is not up to date; undefined while it is. */
  trouble: string | undefined;

  constructor(
    private readonly client: KubeClient,
    private readonly path: string,
    private readonly changed: () => void,
  ) {}

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
        if (from === undefined) {
          const { items, resourceVersion } = await this.client.list<T>(this.path);
          this.known.clear();
          for (const item of items) this.known.set(keyOf(item), item);
          this.complete = true;
          from = resourceVersion;
          this.changed();
        }
        this.trouble = undefined;
        await this.client.watch<T>(
          this.path,
          from,
          ({ type, object }) => {
            from = object.metadata.resourceVersion ?? from;
            this.failures = 0;
            if (type === 'BOOKMARK') return;
            if (type === 'DELETED') this.known.delete(keyOf(object));
            else this.known.set(keyOf(object), object);
            this.changed();
          },
          signal,
        );
      } catch (e) {
        if (signal.aborted) return;
        from = undefined;
        this.trouble = e instanceof Error ? e.message : String(e);
        if (isStatus(e, 410)) continue;
        this.failures++;
        const wait = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.failures);
        await sleep(wait, undefined, { signal }).catch(() => undefined);
      }
  }
}

/** Versions of one server are numbers that rise; what is none is taken for older than everything. */
function version({ metadata }: KubeObject): bigint {
  const text = metadata.resourceVersion ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : -1n;
}
