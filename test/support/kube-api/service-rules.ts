import { cause } from './errors.ts';
import { fill, listOf } from './kind-rules.ts';
import type { KindContext, KindRules } from './resources.ts';
import { type Cause, isObject, type Json, type KubeObject, sameJson } from './types.ts';

type Spec = Record<string, Json>;
type Family = 'IPv4' | 'IPv6';

const isHeadless = (spec: Spec | undefined) => spec?.clusterIP === 'None' || spec?.clusterIPs?.[0] === 'None';
const opensNodePorts = (spec: Spec) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

function defaults(o: KubeObject): void {
  if (isObject(o.status)) o.status.loadBalancer ??= {};
  o.spec ??= {};
  fill(o.spec, { sessionAffinity: 'None', type: 'ClusterIP' });
  if (o.spec.sessionAffinity === 'ClientIP') o.spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10800 } };
  for (const port of listOf(o.spec.ports)) fill(port, { protocol: 'TCP', targetPort: port.port });
  if (o.spec.type === 'NodePort' || o.spec.type === 'LoadBalancer') o.spec.externalTrafficPolicy ??= 'Cluster';
  if (o.spec.type === 'LoadBalancer') o.spec.allocateLoadBalancerNodePorts ??= true;
  if (o.spec.type !== 'ExternalName') o.spec.internalTrafficPolicy ??= 'Cluster';
}

function portCauses(spec: Spec | undefined): readonly Cause[] {
  const ports = listOf(spec?.ports);
  if (ports.length === 0 && !isHeadless(spec) && spec?.type !== 'ExternalName') return [cause.required('spec.ports')];
  return ports.flatMap((port, i) => {
    const fits = Number.isInteger(port.port) && port.port > 0 && port.port < 65536;
    return [
      ...(fits ? [] : [cause.invalid(`spec.ports[${i}].port`, port.port, 'must be between 1 and 65535, inclusive')]),
      ...(ports.length > 1 && (port.name ?? '') === '' ? [cause.required(`spec.ports[${i}].name`)] : []),
    ];
  });
}

/** ipFamilyPolicy and ipFamilies, as the allocator of the real server decides them. */
function chooseFamilies(spec: Spec, context: KindContext): void {
  if (spec.type === 'ExternalName') return;
  // Who gives the endpoints of a headless service himself may use both families.
  const open = isHeadless(spec) && !isObject(spec.selector);
  spec.ipFamilyPolicy ??= open ? 'RequireDualStack' : 'SingleStack';
  const addresses = (spec.clusterIPs ?? [spec.clusterIP]).filter(
    (ip: Json) => typeof ip === 'string' && /[.:]/.test(ip),
  );
  const given: Family[] = spec.ipFamilies ?? addresses.map((ip: string) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
  const all = [...new Set([...given, ...context.families])];
  spec.ipFamilies = spec.ipFamilyPolicy === 'SingleStack' ? all.slice(0, 1) : all;
}

/** Addresses for the families that have none yet. */
function allocateIps(spec: Spec, context: KindContext, held: readonly string[] = []): readonly Cause[] {
  if (spec.type === 'ExternalName' || isHeadless(spec)) return [];
  const wanted: string[] = spec.clusterIPs ?? [];
  const given = [...held];
  for (const family of (spec.ipFamilies as Family[]).slice(held.length)) {
    const address = context.allocateClusterIp(family, wanted[given.length]);
    if (address === undefined) {
      for (const taken of given.slice(held.length)) context.releaseClusterIp(taken);
      const message = `failed to allocate IP ${wanted[given.length]}: provided IP is already allocated`;
      return [cause.invalid('spec.clusterIPs', wanted, message)];
    }
    given.push(address);
  }
  spec.clusterIPs = given;
  spec.clusterIP = given[0];
  return [];
}

function allocatePorts(spec: Spec, before: Spec | undefined, context: KindContext): readonly Cause[] {
  const known = new Set(listOf(before?.ports).map((p) => p.nodePort));
  const causes: Cause[] = [];
  listOf(spec.ports).forEach((port, i) => {
    if (!opensNodePorts(spec) || known.has(port.nodePort ?? 0)) return;
    const same = listOf(before?.ports).find((p) => p.port === port.port && p.protocol === port.protocol)?.nodePort;
    if (port.nodePort === undefined && same !== undefined) port.nodePort = same;
    else {
      const given = context.allocateNodePort(port.nodePort);
      if (given !== undefined) port.nodePort = given;
      else causes.push(cause.invalid(`spec.ports[${i}].nodePort`, port.nodePort, 'provided port is already allocated'));
    }
  });
  return causes;
}

function create(o: KubeObject, context: KindContext): readonly Cause[] {
  o.status = { loadBalancer: {} };
  const causes = portCauses(o.spec);
  if (causes.length > 0) return causes;
  if (isHeadless(o.spec)) Object.assign(o.spec, { clusterIP: 'None', clusterIPs: ['None'] });
  else if ((o.spec.clusterIP ?? '') !== '') o.spec.clusterIPs ??= [o.spec.clusterIP];
  chooseFamilies(o.spec, context);
  return [...allocateIps(o.spec, context), ...allocatePorts(o.spec, undefined, context)];
}

/** One family becomes two, or two become one, as the policy says. */
function changeFamilies(spec: Spec, before: Spec, context: KindContext): readonly Cause[] {
  if (spec.type === 'ExternalName') return [];
  if (spec.ipFamilyPolicy === 'SingleStack') {
    for (const ip of (spec.clusterIPs ?? []).slice(1)) context.releaseClusterIp(ip);
    for (const list of ['clusterIPs', 'ipFamilies']) spec[list] = spec[list]?.slice(0, 1);
    return [];
  }
  chooseFamilies(spec, context);
  return allocateIps(spec, context, (before.clusterIPs ?? []).slice(0, spec.clusterIPs?.length));
}

function update(next: KubeObject, before: KubeObject, context: KindContext): readonly Cause[] {
  const { spec } = next;
  // What the server has given stays where the writer leaves it out.
  for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) {
    const empty = spec[key] === undefined || spec[key] === '' || spec[key]?.length === 0;
    if (empty && before.spec[key] !== undefined) spec[key] = before.spec[key];
  }
  const causes = portCauses(spec);
  if (causes.length > 0) return causes;
  if ((spec.clusterIP ?? '') !== (spec.clusterIPs?.[0] ?? ''))
    return [cause.invalid('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`')];
  const fixed = before.spec.type !== 'ExternalName' && spec.type !== 'ExternalName';
  if (fixed && !sameJson(spec.clusterIPs?.[0], before.spec.clusterIPs?.[0]))
    return [cause.invalid('spec.clusterIPs[0]', spec.clusterIPs?.[0], 'may not change once set')];
  return [...changeFamilies(spec, before.spec, context), ...allocatePorts(spec, before.spec, context)];
}

/** Services: addresses, node ports, families. */
export const serviceRules: KindRules = {
  defaults,
  create,
  update,
  removed: (o, context) => {
    for (const ip of o.spec?.clusterIPs ?? []) if (ip !== 'None') context.releaseClusterIp(ip);
    for (const port of listOf(o.spec?.ports)) if (port.nodePort !== undefined) context.releaseNodePort(port.nodePort);
  },
};
