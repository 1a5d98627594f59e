import { z } from 'zod';
import { UNDERLAY_BRIDGE } from '../ovs/plan.js';
import type { HostLink, HostRoute } from './ip-json.js';

/** What the uplink had when it was first taken into br-phy; kept on disk, since the bridge's device does not keep it. */
export const UplinkState = z.object({
  uplink: z.string(),
  mac: z.string(),
  addresses: z.array(z.object({ ip: z.string(), prefixLength: z.number().int() })),
  routes: z.array(
    z.object({
      destination: z.string(),
      gateway: z.string().optional(),
      metric: z.number().optional(),
      source: z.string().optional(),
    }),
  ),
});
export type UplinkState = z.infer<typeof UplinkState>;

/** Reads what has to move: global addresses, and routes that the kernel does not make from them. */
export function uplinkState(link: HostLink, routes: readonly HostRoute[]): UplinkState {
  return {
    uplink: link.name,
    mac: link.mac ?? '',
    addresses: link.addresses.filter((a) => a.scope === 'global').map(({ ip, prefixLength }) => ({ ip, prefixLength })),
    routes: routes
      .filter((r) => r.protocol !== 'kernel')
      .map(({ destination, gateway, metric, source }) => ({
        destination,
        ...(gateway === undefined ? {} : { gateway }),
        ...(metric === undefined ? {} : { metric }),
        ...(source === undefined ? {} : { source }),
      })),
  };
}

/**
 * What is known from before together with what was added to the uplink since, by a DHCP client for example. What is known
 * of another interface (another name or MAC) is forgotten.
 */
export function mergeUplinkState(known: UplinkState | undefined, now: UplinkState): UplinkState {
  if (known === undefined || known.uplink !== now.uplink || known.mac !== now.mac) return now;
  const of = <T>(list: readonly T[], key: (one: T) => string) => new Map(list.map((one) => [key(one), one] as const));
  const addresses = (state: UplinkState) => of(state.addresses, (a) => a.ip);
  const routes = (state: UplinkState) => of(state.routes, (r) => `${r.destination} ${r.metric ?? 0}`);
  return {
    ...now,
    addresses: [...new Map([...addresses(known), ...addresses(now)]).values()],
    routes: [...new Map([...routes(known), ...routes(now)]).values()],
  };
}

/** `ip -batch` lines that move it. Added to the bridge before they leave the uplink, so that a crash loses none. */
export function moveLines(state: UplinkState, uplink: HostLink | undefined): string[] {
  const dev = `dev ${UNDERLAY_BRIDGE}`;
  return [
    `link set ${dev} up`,
    `link set dev ${state.uplink} up`,
    ...state.addresses.map((a) => `addr replace ${a.ip}/${a.prefixLength} ${dev}${a.ip.includes(':') ? ' nodad' : ''}`),
    ...(uplink?.addresses ?? []).map((a) => `addr del ${a.ip}/${a.prefixLength} dev ${state.uplink}`),
    ...state.routes.map((r) =>
      [
        `route replace ${r.destination}`,
        r.gateway === undefined ? '' : ` via ${r.gateway}`,
        ` ${dev}`,
        r.source === undefined ? '' : ` src ${r.source}`,
        r.metric === undefined ? '' : ` metric ${r.metric}`,
      ].join(''),
    ),
  ];
}
