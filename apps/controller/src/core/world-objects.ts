import { factKey } from '@heddle/compiler';
import { applyDelta, differing, type MutableObjects, mutable } from '../source/delta.js';
import {
  NO_OBJECTS,
  type SourceDelta,
  type SourceObjects,
  type SourcePod,
  type SourceService,
  type SourceSlice,
} from '../source/model.js';

/** The source's objects as they were taken over last, with the indices that follow a change. */
export class WorldObjects {
  readonly objects: MutableObjects = mutable(NO_OBJECTS);
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

  differing(next: SourceObjects): SourceDelta {
    return differing(this.objects, next);
  }

  apply(delta: SourceDelta): void {
    this.podsByNamespace.update(this.objects.pods, delta.pods);
    this.servicesByNamespace.update(this.objects.services, delta.services);
    this.slicesByService.update(this.objects.slices, delta.slices);
    applyDelta(this.objects, delta);
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
