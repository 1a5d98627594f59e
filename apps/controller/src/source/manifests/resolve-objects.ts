import type { ObjectRef } from '@heddle/api';
import { ip, type NamedPort, type PolicyRule } from '@heddle/compiler';
import type {
  Problem,
  SourceNamespace,
  SourceObjects,
  SourcePod,
  SourcePolicy,
  SourceService,
  SourceSlice,
} from '../model.js';
import type { Located } from './read-manifest.js';
import { objectKey } from './read-manifest.js';
import type { Kind, Manifest, ManifestOf } from './schemas.js';

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
  readonly objects = {
    namespaces: new Map<string, SourceNamespace>(),
    pods: new Map<string, SourcePod>(),
    services: new Map<string, SourceService>(),
    slices: new Map<string, SourceSlice>(),
    policies: new Map<string, SourcePolicy>(),
  } satisfies SourceObjects;

  private readonly adders: { readonly [K in Kind]: (body: ManifestOf<K>, item: Located) => void } = {
    Namespace: ({ metadata: { name, labels } }, item) =>
      void this.objects.namespaces.set(
        name,
        once(item, () => ({ name, labels: { ...labels, 'kubernetes.io/metadata.name': name } })),
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

  private addService({ metadata, spec }: ManifestOf<'Service'>, item: Located): void {
    const { type } = spec;
    if (type === 'ExternalName') {
      this.report('warning', item, 'a service of type ExternalName has no address; skipped');
      return;
    }
    if (type !== 'ClusterIP') this.report('warning', item, `of type ${type} only the ClusterIP is served yet`);
    if (spec.sessionAffinity !== 'None')
      this.report('warning', item, `sessionAffinity ${spec.sessionAffinity} is not served yet`);
    if (spec.internalTrafficPolicy !== 'Cluster')
      this.report('warning', item, `internalTrafficPolicy ${spec.internalTrafficPolicy} is not served yet`);
    if (spec.externalIPs.length > 0) this.report('warning', item, 'externalIPs are not served yet');
    const service = once(item, () => serviceOf({ metadata, spec }, type));
    this.objects.services.set(`${metadata.namespace}/${metadata.name}`, service);
  }

  private addSlice(body: ManifestOf<'EndpointSlice'>, item: Located): void {
    const { metadata, addressType } = body;
    const service = metadata.labels['kubernetes.io/service-name'];
    if (addressType === 'FQDN') {
      this.report('warning', item, 'addressType FQDN is not served; skipped');
      return;
    }
    if (service === undefined) {
      this.report(
        'warning',
        item,
        'without the label kubernetes.io/service-name the slice belongs to no service; skipped',
      );
      return;
    }
    const slice = once(
      item,
      (): SourceSlice => ({
        namespace: metadata.namespace,
        name: metadata.name,
        service,
        ports: body.ports.flatMap(({ name, protocol, port }) => (port === undefined ? [] : [{ name, protocol, port }])),
        // Addresses of one endpoint are interchangeable; the first one stands for it (EndpointSlice API).
        addresses: body.endpoints
          .filter((e) => e.conditions.ready)
          .flatMap((e) => e.addresses.slice(0, 1))
          .map(ip),
      }),
    );
    this.objects.slices.set(nameKey(item.object), slice);
  }

  private addPolicy(body: ManifestOf<'NetworkPolicy'>, item: Located): void {
    const { namespace, name } = body.metadata;
    this.objects.policies.set(
      `${namespace}/${name}`,
      once(item, () => policyOf(body)),
    );
  }
}

function serviceOf(
  { metadata, spec }: Pick<ManifestOf<'Service'>, 'metadata' | 'spec'>,
  type: SourceService['type'],
): SourceService {
  const given = spec.clusterIPs ?? (spec.clusterIP === undefined || spec.clusterIP === '' ? [] : [spec.clusterIP]);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    type,
    // As in kube-apiserver: no selector, or an empty one, means that somebody else writes the EndpointSlices.
    selector: spec.selector === undefined || Object.keys(spec.selector).length === 0 ? undefined : spec.selector,
    ports: spec.ports.map((p) => ({
      name: p.name ?? '',
      protocol: p.protocol,
      port: p.port,
      targetPort: p.targetPort ?? p.port,
    })),
    headless: given.includes('None'),
    clusterIps: given.flatMap((a) => (a === 'None' ? [] : [a])),
    families: spec.ipFamilies.map((f) => (f === 'IPv4' ? 4 : 6)),
    familyPolicy: spec.ipFamilyPolicy,
  };
}

function policyOf({ metadata, spec }: ManifestOf<'NetworkPolicy'>): SourcePolicy {
  // Kubernetes: without policyTypes a policy is for ingress, and for egress too if it has egress rules.
  const types = spec.policyTypes ?? (spec.egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    podSelector: spec.podSelector,
    ...(types.includes('Ingress')
      ? { ingress: spec.ingress.map((r): PolicyRule => ({ peers: r.from, ports: r.ports })) }
      : {}),
    ...(types.includes('Egress')
      ? { egress: spec.egress.map((r): PolicyRule => ({ peers: r.to, ports: r.ports })) }
      : {}),
  };
}

const nameKey = (o: ObjectRef): string => `${o.namespace}/${o.name}`;

function podOf(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  spec: ManifestOf<'Pod'>['spec'],
): SourcePod {
  const namedPorts = spec.containers.flatMap((c) =>
    c.ports.flatMap((p): NamedPort[] =>
      p.name === undefined ? [] : [{ name: p.name, protocol: p.protocol, port: p.containerPort }],
    ),
  );
  return {
    namespace,
    name,
    labels,
    serviceAccount: spec.serviceAccountName,
    hostNetwork: spec.hostNetwork,
    namedPorts,
    nodeName: spec.nodeName,
    containers: spec.containers.map((c) => ({ ...c, env: Object.fromEntries(c.env.map((e) => [e.name, e.value])) })),
  };
}
