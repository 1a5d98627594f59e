import type { ObjectRef } from '@heddle/api';
import { applyDelta, differing, mutable } from '../delta.js';
import { NO_OBJECTS, type Problem, type SourceChange, type SourceObjects } from '../model.js';
import type { Kind, ManifestOf } from '../objects/schemas.js';
import { type Located, objectKey } from './read-manifest.js';
import { MAX_PODS, resolveObjects } from './resolve-objects.js';

/** What one file says. */
export interface FileObjects {
  readonly objects: readonly Located[];
  readonly problems: readonly Problem[];
}
export type Files = ReadonlyMap<string, FileObjects>;

/** Kinds of which an object means the same whatever else there is, but for the conditions of `isAlone`. */
const INDEPENDENT: ReadonlySet<Kind> = new Set([
  'Namespace',
  'Node',
  'Pod',
  'Service',
  'EndpointSlice',
  'NetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

/**
 * The objects that files define together. A change in files that nothing else hangs on costs what these files say;
 * any other makes everything anew.
 */
export class ObjectsOfFiles {
  /** By path. */
  private files = new Map<string, FileObjects>();
  private objects = mutable(NO_OBJECTS);
  private found: readonly Problem[] = [];
  private places = new Map<string, Located>();
  /** How often an object is defined. */
  private definitions = new Map<string, number>();
  private hasWorkloads = false;

  get problems(): readonly Problem[] {
    return this.found;
  }

  placeOf(object: ObjectRef): Located | undefined {
    return this.places.get(objectKey(object));
  }

  /** Takes over the files as they are now, by path, and gives every object. */
  all(given: Files): SourceObjects {
    // In the order of their paths, in which they count.
    const files = new Map([...given].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.files = files;
    const located = [...files.values()].flatMap((f) => f.objects);
    // Backwards, because of two definitions the first counts.
    this.places = new Map([...located].reverse().map((l) => [objectKey(l.object), l]));
    this.definitions = new Map();
    for (const { object } of located) this.count(objectKey(object), 1);
    this.hasWorkloads = located.some(({ manifest }) => !INDEPENDENT.has(manifest.kind));
    const { objects, problems } = resolveObjects(located);
    this.objects = mutable(objects);
    this.found = [...[...files.values()].flatMap((f) => f.problems), ...problems];
    return objects;
  }

  /** Takes over files that may have changed, by path; undefined is one that is gone. Gives undefined if none changed. */
  change(given: ReadonlyMap<string, FileObjects | undefined>): SourceChange | undefined {
    const { files } = this;
    const paths = new Set([...given.keys()].filter((path) => files.get(path) !== given.get(path)));
    if (paths.size === 0) return undefined;
    const before = [...paths].flatMap((p) => files.get(p)?.objects ?? []);
    const now = [...paths].flatMap((p) => given.get(p)?.objects ?? []);
    const isAlone = this.isAlone(before, now);
    for (const path of paths) {
      const file = given.get(path);
      if (file === undefined) files.delete(path);
      else files.set(path, file);
    }
    if (!isAlone) return { kind: 'all', objects: this.all(files) };

    const { objects, problems } = resolveObjects(now);
    const delta = differing(resolveObjects(before).objects, objects);
    applyDelta(this.objects, delta);
    for (const { object } of before) {
      this.places.delete(objectKey(object));
      this.count(objectKey(object), -1);
    }
    for (const item of now) {
      this.places.set(objectKey(item.object), item);
      this.count(objectKey(item.object), 1);
    }
    this.found = [
      ...this.found.filter((p) => !paths.has(p.file)),
      ...[...paths].flatMap((p) => files.get(p)?.problems ?? []),
      ...problems,
    ];
    return { kind: 'some', delta };
  }

  /** Whether the change hangs on nothing that stands in other files, and nothing there hangs on it. */
  private isAlone(before: readonly Located[], now: readonly Located[]): boolean {
    if (this.hasWorkloads || this.objects.pods.size + now.length > MAX_PODS) return false;
    const own = new Map<string, number>();
    for (const { object } of before) own.set(objectKey(object), (own.get(objectKey(object)) ?? 0) + 1);
    const keys = new Set<string>();
    for (const { object, manifest } of now) {
      const key = objectKey(object);
      if (!INDEPENDENT.has(manifest.kind) || keys.has(key)) return false;
      keys.add(key);
    }
    for (const key of [...keys, ...own.keys()])
      if ((this.definitions.get(key) ?? 0) > (own.get(key) ?? 0) || (own.get(key) ?? 0) > 1) return false;
    return this.endpointsAreAlone(before, now);
  }

  /** A slice means nothing beside a selector: then a service and its slices are looked at together. */
  private endpointsAreAlone(before: readonly Located[], now: readonly Located[]): boolean {
    const selectors = (list: readonly Located[]) =>
      new Map(servicesIn(list).map(({ metadata, spec }) => [`${metadata.namespace}/${metadata.name}`, spec.selector]));
    const [had, has] = [selectors(before), selectors(now)];
    for (const key of new Set([...had.keys(), ...has.keys()])) {
      const said = (all: typeof had) => all.has(key) && all.get(key) !== undefined;
      if (said(had) !== said(has)) return false;
    }
    return now.every(({ manifest }) => {
      if (manifest.kind !== 'EndpointSlice') return true;
      const { metadata } = manifest.body as ManifestOf<'EndpointSlice'>;
      const key = `${metadata.namespace}/${metadata.labels['kubernetes.io/service-name'] ?? ''}`;
      return has.has(key) || this.objects.services.get(key)?.selector === undefined;
    });
  }

  private count(key: string, by: number): void {
    const n = (this.definitions.get(key) ?? 0) + by;
    if (n === 0) this.definitions.delete(key);
    else this.definitions.set(key, n);
  }
}

const servicesIn = (list: readonly Located[]): readonly ManifestOf<'Service'>[] =>
  list.flatMap(({ manifest }) => (manifest.kind === 'Service' ? [manifest.body as ManifestOf<'Service'>] : []));
