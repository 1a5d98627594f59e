import { familyOf, hostPrefix } from '../cni/result.js';
import type { HostLink, HostRoute } from './ip-json.js';
import { GATEWAY_INTERFACE } from './nft.js';

/** Number that marks our routes (rtnetlink `rtm_protocol`), so that a fresh process knows them: 0x48, "H". */
export const ROUTE_PROTOCOL = 72;

/** What heddle0 must have; addresses and CIDRs in canonical text. */
export interface GatewayPlan {
  readonly ips: readonly string[];
  readonly routerIps: readonly string[];
  readonly routerMac: string;
  /** Ranges routed through heddle0: pods' and services'. */
  readonly cidrs: readonly string[];
}

/** `ip -batch` lines that give heddle0 its addresses, next hops and routes. Repeating them changes nothing. */
export function gatewayLines(plan: GatewayPlan): string[] {
  const lines = [`link set dev ${GATEWAY_INTERFACE} up`];
  // nodad: nobody but the switch could answer, and it does not take part in duplicate detection.
  for (const ip of plan.ips)
    lines.push(`addr replace ${hostPrefix(ip)} dev ${GATEWAY_INTERFACE}${familyOf(ip) === 6 ? ' nodad' : ''}`);
  for (const ip of plan.routerIps)
    lines.push(`neigh replace ${ip} lladdr ${plan.routerMac} dev ${GATEWAY_INTERFACE} nud permanent`);
  for (const { cidr, via, source } of routes(plan))
    lines.push(
      `route replace ${cidr} via ${via} dev ${GATEWAY_INTERFACE} onlink src ${source} proto ${ROUTE_PROTOCOL}`,
    );
  return lines;
}

function routes(plan: GatewayPlan): { cidr: string; via: string; source: string }[] {
  return plan.cidrs.flatMap((cidr) => {
    const same = (ip: string) => familyOf(ip) === familyOf(cidr);
    const via = plan.routerIps.find(same);
    const source = plan.ips.find(same);
    // A range of a family in which the node has no address is not reachable from it.
    return via === undefined || source === undefined ? [] : [{ cidr, via, source }];
  });
}

/** Lines that remove what an older configuration left on heddle0. Only our own routes and addresses are looked at. */
export function staleGatewayLines(
  plan: GatewayPlan,
  link: HostLink | undefined,
  present: readonly HostRoute[],
): string[] {
  const wanted = new Set(routes(plan).map((route) => route.cidr));
  const staleRoutes = present.filter(
    (r) => r.protocol === String(ROUTE_PROTOCOL) && !wanted.has(withPrefix(r.destination)),
  );
  const staleIps = (link?.addresses ?? []).filter((a) => a.scope === 'global' && !plan.ips.includes(a.ip));
  return [
    ...staleRoutes.map((r) => `route del ${r.destination} dev ${GATEWAY_INTERFACE} proto ${ROUTE_PROTOCOL}`),
    ...staleIps.map((a) => `addr del ${a.ip}/${a.prefixLength} dev ${GATEWAY_INTERFACE}`),
  ];
}

const withPrefix = (destination: string): string =>
  destination.includes('/') || destination === 'default' ? destination : hostPrefix(destination);
