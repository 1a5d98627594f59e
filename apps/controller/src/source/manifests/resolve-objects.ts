import { mutable } from '../delta.js';
import { keyOf, NO_OBJECTS, type Problem, type SourceObjects, type SourcePod } from '../model.js';
import { CONVERSIONS, type Conversion, type ConvertedKind, type ConvertedValue } from '../objects/conversions.js';
import { podOf } from '../objects/convert.js';
import type { Manifest, ManifestOf } from '../objects/schemas.js';
import type { Located } from './read-manifest.js';
import { objectKey } from './read-manifest.js';

/** Pods above this number are not made. */
export const MAX_PODS = 50_000;

interface Result {
  readonly objects: SourceObjects;
  readonly problems: readonly Problem[];
}

/**
 * Makes the source's objects out of manifests: workloads become pods named NAME-0 ... NAME-n, defaults that depend on other
 * fields are applied. Of two definitions of one object the first counts.
 */
export function resolveObjects(located: readonly Located[]): Result {
  const resolver = new Resolver();
  const seen = new Map<string, Located>();
  const unique: Located[] = [];
  for (const item of located) {
    const first = seen.get(objectKey(item.object));
    if (first === undefined) unique.push(item);
    else resolver.report('error', item, `is defined in ${first.file}:${first.line} already; that one counts`);
    seen.set(objectKey(item.object), first ?? item);
  }
  // Pods that are written out win over those that a workload would make under the same name.
  for (const item of unique) if (!isWorkload(item.manifest)) resolver.add(item);
  for (const item of unique) if (isWorkload(item.manifest)) resolver.add(item);
  resolver.crossCheck(unique);
  return resolver;
}

/** What was made of a manifest: an unchanged file gives the same objects again, which are then not compared in depth. */
const made = new WeakMap<Located, unknown>();
function once<T>(item: Located, make: () => T): T {
  let value = made.get(item) as T | undefined;
  if (value === undefined) {
    value = make();
    made.set(item, value);
  }
  return value;
}

/** Kinds that become pods; those of a stateful one have names that mean something. */
const WORKLOADS = {
  Deployment: { stateful: false },
  ReplicaSet: { stateful: false },
  StatefulSet: { stateful: true },
} as const;
type Workload = Extract<Manifest, { kind: keyof typeof WORKLOADS }>;
const isWorkload = (manifest: Manifest): manifest is Workload => manifest.kind in WORKLOADS;

class Resolver implements Result {
  readonly problems: Problem[] = [];
  readonly objects = mutable(NO_OBJECTS);

  add(item: Located): void {
    const { manifest } = item;
    if (isWorkload(manifest)) this.addReplicas(manifest.body, item, WORKLOADS[manifest.kind]);
    else this.addConverted(manifest, item);
  }

  report(severity: Problem['severity'], { file, line, object }: Located, reason: string): void {
    this.problems.push({ severity, file, line, object, reason });
  }

  /** What can only be seen when everything is there. */
  crossCheck(items: readonly Located[]): void {
    for (const item of items) {
      if (item.manifest.kind !== 'EndpointSlice') continue;
      const slice = this.objects.slices.get(keyOf(item.object));
      const service = slice && this.objects.services.get(`${slice.namespace}/${slice.service}`);
      if (service?.selector !== undefined)
        this.report(
          'warning',
          item,
          `service ${service.name} has a selector: its endpoints come from its pods, the slice is not used`,
        );
    }
  }

  private addPod(pod: SourcePod, item: Located): void {
    const key = `${pod.namespace}/${pod.name}`;
    if (this.objects.pods.has(key)) this.report('error', item, `there is another pod ${key}; that one counts`);
    else if (this.objects.pods.size >= MAX_PODS)
      this.report('error', item, `there are more than ${MAX_PODS} pods; ${key} is not made`);
    else this.objects.pods.set(key, pod);
  }

  private addReplicas(
    { metadata, spec }: ManifestOf<'Deployment'>,
    item: Located,
    { stateful }: { readonly stateful: boolean },
  ): void {
    const pods = once(item, () =>
      Array.from({ length: spec.replicas }, (_, i) => {
        const name = `${metadata.name}-${i}`;
        const own: Readonly<Record<string, string>> = stateful
          ? { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(i) }
          : {};
        return podOf(metadata.namespace, name, { ...spec.template.metadata.labels, ...own }, spec.template.spec);
      }),
    );
    for (const pod of pods) this.addPod(pod, item);
  }

  private addConverted(manifest: Exclude<Manifest, Workload>, item: Located): void {
    // The body is of the kind that the row is for; the compiler does not follow the pair.
    const { into, keyIn, convert } = CONVERSIONS[manifest.kind] as Conversion<ConvertedKind>;
    const { value, warnings } = once(item, () => convert(manifest.body));
    for (const reason of warnings) this.report('warning', item, reason);
    if (value === undefined) return;
    if (into === 'pods') this.addPod(value as SourcePod, item);
    else (this.objects[into] as Map<string, ConvertedValue<ConvertedKind>>).set(keyIn(keyOf(item.object)), value);
  }
}
