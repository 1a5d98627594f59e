import { ip, type NamedPort, type PolicyRule } from '@heddle/compiler';
import type { SourceNamespace, SourceNode, SourcePod, SourcePolicy, SourceService, SourceSlice } from '../model.js';
import { neverSelects } from './cluster-policies.js';
import { policyOptions, policyOptionWarnings } from './policy-options.js';
import type { ManifestOf } from './schemas.js';

/** Validated objects to what the sources give; defaults that depend on other fields are applied here. */

export function namespaceOf({ metadata: { name, labels } }: ManifestOf<'Namespace'>): SourceNamespace {
  return { name, labels: { ...labels, 'kubernetes.io/metadata.name': name } };
}

/** A pod of its own, or one of a workload's. */
export function podOf(
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

/** Undefined for a type that has no address. */
export function serviceOf({ metadata, spec }: ManifestOf<'Service'>): SourceService | undefined {
  if (spec.type === 'ExternalName') return undefined;
  const given = spec.clusterIPs ?? (spec.clusterIP === undefined || spec.clusterIP === '' ? [] : [spec.clusterIP]);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    type: spec.type,
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

/** What a service asks for and does not get. */
export function serviceWarnings({ spec }: ManifestOf<'Service'>): readonly string[] {
  if (spec.type === 'ExternalName') return ['a service of type ExternalName has no address; skipped'];
  const warnings: string[] = [];
  if (spec.type !== 'ClusterIP') warnings.push(`of type ${spec.type} only the ClusterIP is served yet`);
  if (spec.sessionAffinity !== 'None') warnings.push(`sessionAffinity ${spec.sessionAffinity} is not served yet`);
  if (spec.internalTrafficPolicy !== 'Cluster')
    warnings.push(`internalTrafficPolicy ${spec.internalTrafficPolicy} is not served yet`);
  if (spec.externalIPs.length > 0) warnings.push('externalIPs are not served yet');
  return warnings;
}

/** A text says why the slice is not used. */
export function sliceOf({
  metadata,
  addressType,
  endpoints,
  ports,
}: ManifestOf<'EndpointSlice'>): SourceSlice | string {
  const service = metadata.labels['kubernetes.io/service-name'];
  if (addressType === 'FQDN') return 'addressType FQDN is not served; skipped';
  if (service === undefined)
    return 'without the label kubernetes.io/service-name the slice belongs to no service; skipped';
  // Addresses of one endpoint are interchangeable; the first one stands for it (EndpointSlice API).
  const addresses = (which: (conditions: (typeof endpoints)[number]['conditions']) => boolean) =>
    endpoints.filter((e) => which(e.conditions)).flatMap((e) => e.addresses.slice(0, 1).map(ip));
  const draining = addresses((c) => !c.ready);
  const lastResort = addresses((c) => !c.ready && c.terminating && (c.serving ?? false));
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    service,
    ports: ports.flatMap(({ name, protocol, port }) => (port === undefined ? [] : [{ name, protocol, port }])),
    addresses: addresses((c) => c.ready),
    ...(draining.length > 0 ? { draining } : {}),
    ...(lastResort.length > 0 ? { lastResort } : {}),
  };
}

export function policyOf({ metadata, spec }: ManifestOf<'NetworkPolicy'>): SourcePolicy {
  // Kubernetes: without policyTypes a policy is for ingress, and for egress too if it has egress rules.
  const types = spec.policyTypes ?? (spec.egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    podSelector: spec.podSelector,
    ...policyOptions(metadata.annotations),
    ...(types.includes('Ingress')
      ? { ingress: spec.ingress.map((r): PolicyRule => ({ peers: r.from, ports: r.ports })) }
      : {}),
    ...(types.includes('Egress')
      ? { egress: spec.egress.map((r): PolicyRule => ({ peers: r.to, ports: r.ports })) }
      : {}),
  };
}

/** What a policy says that has no effect, a sentence each. */
export function policyWarnings({ metadata, spec }: ManifestOf<'NetworkPolicy'>): readonly string[] {
  return [...policyOptionWarnings(metadata.annotations), ...neverSelects(spec.podSelector)];
}

export function nodeOf({ metadata: { name, labels } }: ManifestOf<'Node'>): SourceNode {
  return { name, labels };
}
