import {
  type Endpoint,
  type EndpointsFact,
  type Family,
  familyOf,
  type Ip,
  type L4Protocol,
  type NamedPort,
} from '@heddle/compiler';
import type { ServiceClaim } from '../allocation/service-addresses.js';
import type { SourceService, SourceSlice } from '../source/model.js';

/** Services: which addresses they ask for, and where their traffic goes. */

/** A pod that may be a backend. */
export interface Backend {
  readonly ips: readonly Ip[];
  readonly namedPorts: readonly NamedPort[];
}

export interface WantedFamilies {
  readonly families: readonly Family[];
  readonly problem: string | undefined;
}

/**
 * The address families of a service. As in Kubernetes, but without ipFamilyPolicy and ipFamilies a service gets every
 * family that the cluster has: Heddle serves both from the first day, so there is no reason to hide one.
 */
export function wantedFamilies(service: SourceService, available: readonly Family[]): WantedFamilies {
  const named = service.clusterIps.map((a) => familyOf(a));
  const asked = service.families.length > 0 ? service.families : named;
  const usable = asked.filter((f) => available.includes(f));
  const missing = asked.find((f) => !available.includes(f));
  const first = usable[0] ?? available[0];
  const both = first === undefined ? [] : [first, ...available.filter((f) => f !== first)];
  const families = {
    SingleStack: both.slice(0, 1),
    PreferDualStack: both,
    RequireDualStack: both,
    none: asked.length > 0 ? usable : available,
  }[service.familyPolicy ?? 'none'];
  if (missing !== undefined)
    return { families, problem: `IPv${missing} is asked for, but the service CIDRs have none` };
  if (service.familyPolicy === 'RequireDualStack' && both.length < 2)
    return { families, problem: 'RequireDualStack, but there is a service CIDR of one family only' };
  return { families, problem: undefined };
}

/** Undefined for headless services: they have no address. */
export function claimOf(service: SourceService, families: readonly Family[]): ServiceClaim | undefined {
  if (service.headless) return undefined;
  return {
    key: `${service.namespace}/${service.name}`,
    families,
    fixed: service.clusterIps.filter((a) => families.includes(familyOf(a))),
  };
}

/** Endpoints of a service with a selector: its attached pods. A pod whose named target port does not exist is left out. */
export function endpointsOfPods(
  service: SourceService,
  families: readonly Family[],
  backends: readonly Backend[],
): EndpointsFact {
  return {
    namespace: service.namespace,
    service: service.name,
    ports: service.ports.map(({ name, protocol, targetPort }) => ({
      name,
      endpoints: sorted(
        backends.flatMap((b) => {
          const port = resolvePort(b, targetPort, protocol);
          return port === undefined ? [] : b.ips.map((ip) => ({ ip, port }));
        }),
        families,
      ),
    })),
  };
}

/**
 * Endpoints as a service's EndpointSlices give them; their ports belong to the service's ports by name. A port without a ready
 * endpoint goes to those that terminate and still serve, as kube-proxy does: the last replica of a rollout is not cut off.
 */
export function endpointsOfSlices(
  service: SourceService,
  families: readonly Family[],
  slices: readonly SourceSlice[],
): EndpointsFact {
  // An address that takes new connections for one port is not draining, whatever other slices say.
  const taken = new Set(slices.flatMap((s) => s.addresses));
  const ports = service.ports.map(({ name, protocol }) => {
    const of = (addresses: (slice: SourceSlice) => readonly Ip[]) =>
      sorted(
        slices.flatMap((s) =>
          s.ports
            .filter((p) => p.name === name && p.protocol === protocol)
            .flatMap(({ port }) => addresses(s).map((ip) => ({ ip, port }))),
        ),
        families,
      );
    const ready = of((s) => s.addresses);
    const endpoints = ready.length > 0 ? ready : of((s) => s.lastResort ?? []);
    for (const { ip } of endpoints) taken.add(ip);
    return { name, endpoints };
  });
  const draining = new Set(slices.flatMap((s) => s.draining ?? []));
  const rest = [...draining].filter((a) => !taken.has(a) && families.includes(familyOf(a))).sort();
  return {
    namespace: service.namespace,
    service: service.name,
    ports,
    ...(rest.length > 0 ? { draining: rest } : {}),
  };
}

function resolvePort(backend: Backend, target: number | string, protocol: L4Protocol): number | undefined {
  if (typeof target === 'number') return target;
  return backend.namedPorts.find((p) => p.name === target && p.protocol === protocol)?.port;
}

/** In one order whatever the input's, without doubles, so that equal sets are equal facts. */
function sorted(endpoints: readonly Endpoint[], families: readonly Family[]): Endpoint[] {
  const unique = new Map(endpoints.map((e) => [`${e.ip} ${e.port}`, e]));
  return [...unique]
    .filter(([, e]) => families.includes(familyOf(e.ip)))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, e]) => e);
}
