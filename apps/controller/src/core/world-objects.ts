import { isDeepStrictEqual } from 'node:util';
import { factKey } from '@heddle/compiler';
import type { SourceDelta, SourceObjects, SourcePod, SourceService, SourceSlice } from '../source/model.js';

export type ValueOf<K extends keyof SourceObjects> = SourceObjects[K] extends ReadonlyMap<string, infer V> ? V : never;
export type MutableObjects = { readonly [K in keyof SourceObjects]: Map<string, ValueOf<K>> };

/** The source's objects as they were taken over last, with the indices that follow a change. */
export class WorldObjects {
  readonly objects: MutableObjects = {
    namespaces: new Map(),
    pods: new Map(),
    services: new Map(),
    slices: new Map(),
    policies: new Map(),
    clusterPolicies: new Map(),
    nodes: new Map(),
  };
  private readonly podsByNamespace = new Index<SourcePod>((pod) => pod.namespace);
  private readonly servicesByNamespace = new Index<SourceService>((service) => service.namespace);
  private readonly slicesByService = new Index<SourceSlice>((slice) => factKey(slice.namespace, slice.service));

  podsOf(namespace: string): Iterable<SourcePod> {
    return this.podsByNamespace.of(namespace);
  }
  servicesOf(namespace: string): Iterable<SourceService> {
    return this.servicesByNamespace.of(namespace);
  }
  /** @param service NAMESPACE/NAME */
  slicesOf(service: string): Iterable<SourceSlice> {
    return this.slicesByService.of(service);
  }

  /** What is not equal in `next`. What was not read again is the same object, which is most of everything. */
  differing(next: SourceObjects): SourceDelta {
    const kinds = Object.keys(this.objects) as (keyof SourceObjects)[];
    return Object.fromEntries(kinds.map((kind) => [kind, differing<unknown>(this.objects[kind], next[kind])]));
  }

  apply(delta: SourceDelta): void {
    this.podsByNamespace.update(this.objects.pods, delta.pods);
    this.servicesByNamespace.update(this.objects.services, delta.services);
    this.slicesByService.update(this.objects.slices, delta.slices);
    for (const kind of Object.keys(delta) as (keyof SourceObjects)[]) {
      const known: Map<string, unknown> = this.objects[kind];
      for (const [key, value] of delta[kind] ?? [])
        if (value === undefined) known.delete(key);
        else known.set(key, value);
    }
  }
}

/** Values by something that they say. */
class Index<T> {
  private readonly groups = new Map<string, Map<string, T>>();

  constructor(private readonly groupOf: (value: T) => string) {}

  of(group: string): Iterable<T> {
    return this.groups.get(group)?.values() ?? [];
  }

  update(before: ReadonlyMap<string, T>, delta: ReadonlyMap<string, T | undefined> | undefined): void {
    for (const [key, value] of delta ?? []) {
      const old = before.get(key);
      if (old !== undefined) this.remove(this.groupOf(old), key);
      if (value === undefined) continue;
      const group = this.groups.get(this.groupOf(value));
      if (group === undefined) this.groups.set(this.groupOf(value), new Map([[key, value]]));
      else group.set(key, value);
    }
  }

  private remove(group: string, key: string): void {
    const members = this.groups.get(group);
    members?.delete(key);
    if (members?.size === 0) this.groups.delete(group);
  }
}

function differing<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): Map<string, T | undefined> {
  const delta = new Map<string, T | undefined>();
  for (const key of before.keys()) if (!next.has(key)) delta.set(key, undefined);
  for (const [key, value] of next) {
    const known = before.get(key);
    if (known !== value && !isDeepStrictEqual(known, value)) delta.set(key, value);
  }
  return delta;
}
