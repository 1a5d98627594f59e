import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Clock, systemClock } from '../../apps/controller/src/clock.js';
import { createKubeClient } from '../../apps/controller/src/kubernetes/kube-client.js';
import { KubernetesSource } from '../../apps/controller/src/source/kubernetes/kubernetes-source.js';
import type { Problem, SourceDelta, SourceObjects } from '../../apps/controller/src/source/model.js';
import type { ApiHandle } from '../support/kube-api/index.js';

type Kinds = keyof SourceObjects;

/** A source over an API server, with what it has told so far. */
export class WatchedSource {
  /** Deltas in the order in which they came. */
  readonly heard: SourceDelta[] = [];
  readonly objects: { [K in Kinds]: Map<string, unknown> };
  /** While set the listener waits for it, as a database that is slow. */
  gate: Promise<void> | undefined;
  fails = 0;

  private constructor(
    readonly source: KubernetesSource,
    readonly problemsTold: readonly Problem[],
    readonly errors: readonly unknown[],
    private readonly folder: string,
  ) {
    this.objects = {} as WatchedSource['objects'];
  }

  static async create(
    api: ApiHandle,
    options: { readonly idleMs?: number; readonly pollMs?: number; readonly clock?: Clock } = {},
  ): Promise<WatchedSource> {
    const folder = mkdtempSync(join(tmpdir(), 'heddle-kube-spec-'));
    const client = await createKubeClient(await api.kubeconfigFile(folder), systemClock);
    const problems: Problem[] = [];
    const errors: unknown[] = [];
    const source = new KubernetesSource({
      client,
      clock: systemClock,
      pollMs: 50,
      onError: (e) => errors.push(e),
      onProblem: (p) => problems.push(p),
      ...options,
    });
    return new WatchedSource(source, problems, errors, folder);
  }

  async start(): Promise<void> {
    const objects = await this.source.start(async (change) => {
      await this.gate;
      if (this.fails > 0) {
        this.fails--;
        throw new Error('database away');
      }
      if (change.kind !== 'some') throw new Error('this source tells what has changed');
      this.heard.push(change.delta);
      for (const [kind, values] of Object.entries(change.delta) as [Kinds, ReadonlyMap<string, unknown>][])
        for (const [key, value] of values)
          if (value === undefined) this.objects[kind].delete(key);
          else this.objects[kind].set(key, value);
    });
    for (const [kind, map] of Object.entries(objects) as [Kinds, ReadonlyMap<string, unknown>][])
      this.objects[kind] = new Map(map);
  }

  keys(kind: Kinds): string[] {
    return [...this.objects[kind].keys()].sort();
  }

  /** Keys of a kind that were told, in order. */
  told(kind: Kinds): string[] {
    return this.heard.flatMap((d) => [...(d[kind] ?? [])].map(([key, v]) => (v === undefined ? `-${key}` : key)));
  }

  /** Waits until the source has told these keys. */
  async until(kind: Kinds, keys: readonly string[]): Promise<void> {
    await expect.poll(() => this.keys(kind), { timeout: 20_000, interval: 5 }).toEqual([...keys].sort());
  }

  async stop(): Promise<void> {
    await this.source.stop();
    rmSync(this.folder, { recursive: true });
  }
}
