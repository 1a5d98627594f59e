import type { ObjectRef } from '@heddle/api';
import { mutable } from '../delta.js';
import { NO_OBJECTS, type Problem, type SourceClusterPolicy, type SourceObjects, type SourcePod } from '../model.js';
import {
  adminPolicyOf,
  baselinePolicyOf,
  clusterPolicyOf,
  clusterPolicyWarnings,
} from '../objects/cluster-policies.js';
import {
  namespaceOf,
  nodeOf,
  podOf,
  policyOf,
  policyWarnings,
  serviceOf,
  serviceWarnings,
  sliceOf,
} from '../objects/convert.js';
import type { Kind, Manifest, ManifestOf } from '../objects/schemas.js';
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
  for (const item of unique) if (!(item.manifest.kind in WORKLOADS)) resolver.add(item);
  for (const item of unique) if (item.manifest.kind in WORKLOADS) resolver.add(item);
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

const WORKLOADS = { Deployment: true, ReplicaSet: true, StatefulSet: true } as const;

class Resolver implements Result {
  readonly problems: Problem[] = [];
  readonly objects = mutable(NO_OBJECTS);

  private readonly adders: { readonly [K in Kind]: (body: ManifestOf<K>, item: Located) => void } = {
    Namespace: (body, item) =>
      void this.objects.namespaces.set(
        body.metadata.name,
        once(item, () => namespaceOf(body)),
      ),
    Pod: ({ metadata, spec }, item) =>
      this.addPod(
        once(item, () => podOf(metadata.namespace, metadata.name, metadata.labels, spec)),
        item,
      ),
    Deployment: (body, item) => this.addReplicas(body, item, {}),
    ReplicaSet: (body, item) => this.addReplicas(body, item, {}),
    StatefulSet: (body, item) => this.addReplicas(body, item, { stateful: true }),
    Service: (body, item) => this.addService(body, item),
    EndpointSlice: (body, item) => this.addSlice(body, item),
    NetworkPolicy: (body, item) => this.addPolicy(body, item),
    ClusterNetworkPolicy: (body, item) => this.addClusterPolicy(body, item, () => clusterPolicyOf(body)),
    AdminNetworkPolicy: (body, item) => this.addClusterPolicy(body, item, () => adminPolicyOf(body)),
    BaselineAdminNetworkPolicy: (body, item) => this.addClusterPolicy(body, item, () => baselinePolicyOf(body)),
    Node: (body, item) =>
      void this.objects.nodes.set(
        body.metadata.name,
        once(item, () => nodeOf(body)),
      ),
  };

  add(item: Located): void {
    const add = this.adders[item.manifest.kind] as (body: Manifest['body'], item: Located) => void;
    add(item.manifest.body, item);
  }

  report(severity: Problem['severity'], { file, line, object }: Located, reason: string): void {
    this.problems.push({ severity, file, line, object, reason });
  }

  /** What can only be seen when everything is there. */
  crossCheck(items: readonly Located[]): void {
    for (const item of items) {
      if (item.manifest.kind !== 'EndpointSlice') continue;
      const slice = this.objects.slices.get(nameKey(item.object));
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
    options: { stateful?: boolean },
  ): void {
    const pods = once(item, () =>
      Array.from({ length: spec.replicas }, (_, i) => {
        const name = `${metadata.name}-${i}`;
        const own: Readonly<Record<string, string>> = options.stateful
          ? { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(i) }
          : {};
        return podOf(metadata.namespace, name, { ...spec.template.metadata.labels, ...own }, spec.template.spec);
      }),
    );
    for (const pod of pods) this.addPod(pod, item);
  }

  private addService(body: ManifestOf<'Service'>, item: Located): void {
    for (const reason of serviceWarnings(body)) this.report('warning', item, reason);
    const service = once(item, () => serviceOf(body));
    if (service !== undefined) this.objects.services.set(nameKey(item.object), service);
  }

  private addSlice(body: ManifestOf<'EndpointSlice'>, item: Located): void {
    const slice = once(item, () => sliceOf(body));
    if (typeof slice === 'string') this.report('warning', item, slice);
    else this.objects.slices.set(nameKey(item.object), slice);
  }

  private addPolicy(body: ManifestOf<'NetworkPolicy'>, item: Located): void {
    const { namespace, name } = body.metadata;
    for (const reason of policyWarnings(body)) this.report('warning', item, reason);
    this.objects.policies.set(
      `${namespace}/${name}`,
      once(item, () => policyOf(body)),
    );
  }

  private addClusterPolicy(
    body: Parameters<typeof clusterPolicyWarnings>[0],
    item: Located,
    convert: () => SourceClusterPolicy,
  ): void {
    for (const reason of clusterPolicyWarnings(body)) this.report('warning', item, reason);
    const policy = once(item, convert);
    this.objects.clusterPolicies.set(policy.name, policy);
  }
}

const nameKey = (o: ObjectRef): string => `${o.namespace}/${o.name}`;
