import { z } from 'zod';
import { familyOf } from '../cni/result.js';
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
 * What is known from before together with what was added to the uplink since, by a DHCP client for example. `held` are the
 * addresses of the bridge. When it holds none of a family that the uplink has, the machine has started anew: what the uplink
 * was given now counts, and what it had then may belong to somebody else. An uplink without addresses says nothing.
 */
export function mergeUplinkState(
  known: UplinkState | undefined,
  now: UplinkState,
  held: readonly string[],
): UplinkState {
  if (known === undefined || known.uplink !== now.uplink) return now;
  const kept = ([4, 6] as const).filter((family) => {
    const had = known.addresses.filter((a) => familyOf(a.ip) === family);
    return had.some((a) => held.includes(a.ip)) || !now.addresses.some((a) => familyOf(a.ip) === family);
  });
  const merge = <T>(before: readonly T[], later: readonly T[], family: (one: T) => 4 | 6, key: (one: T) => string) => {
    const all = [...before.filter((one) => kept.includes(family(one))), ...later];
    return [...new Map(all.map((one) => [`${family(one)} ${key(one)}`, one])).values()];
  };
  return {
    ...now,
    addresses: merge(
      known.addresses,
      now.addresses,
      (a) => familyOf(a.ip),
      (a) => a.ip,
    ),
    routes: merge(known.routes, now.routes, routeFamily, (r) => `${r.destination} ${r.metric ?? 0}`),
  };
}

/** A default route shows its family by its gateway. */
const routeFamily = ({ gateway, destination }: UplinkState['routes'][number]): 4 | 6 =>
  familyOf(gateway ?? destination);

/**
 * `ip -batch` lines that move it. Added to the bridge before they leave the uplink, so that a crash loses none; and before the
 * bridge comes up, since the kernel then tells the neighbours whose these addresses are (arp_notify).
 */
export function moveLines(state: UplinkState, uplink: HostLink | undefined): string[] {
  return [
    `link set dev ${state.uplink} up`,
    ...addressLines(state, UNDERLAY_BRIDGE),
    `link set dev ${UNDERLAY_BRIDGE} up`,
    // An address that is not noted would be lost.
    ...(uplink?.addresses ?? [])
      .filter((a) => a.scope !== 'global' || state.addresses.some(({ ip }) => ip === a.ip))
      .map((a) => `addr del ${a.ip}/${a.prefixLength} dev ${state.uplink}`),
    ...routeLines(state, UNDERLAY_BRIDGE),
  ];
}

/** Lines that give it back, complete before and after the bridge goes. */
export function restoreLines(state: UplinkState): string[] {
  return [`link set dev ${state.uplink} up`, ...addressLines(state, state.uplink), ...routeLines(state, state.uplink)];
}

const addressLines = (state: UplinkState, device: string): string[] =>
  state.addresses.map(
    (a) => `addr replace ${a.ip}/${a.prefixLength} dev ${device}${familyOf(a.ip) === 6 ? ' nodad' : ''}`,
  );

const routeLines = (state: UplinkState, device: string): string[] =>
  state.routes.map((r) =>
    [
      `route replace ${r.destination}`,
      r.gateway === undefined ? '' : ` via ${r.gateway}`,
      ` dev ${device}`,
      r.source === undefined ? '' : ` src ${r.source}`,
      r.metric === undefined ? '' : ` metric ${r.metric}`,
    ].join(''),
  );
