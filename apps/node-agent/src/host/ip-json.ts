import { z } from 'zod';
import { run } from './command.js';

/** `ip -json` prints nothing at all where there is nothing. */
function parseList<T>(entry: z.ZodType<T>, text: string): T[] {
  return z.array(entry).parse(JSON.parse(text.trim() === '' ? '[]' : text));
}

/** One address of `ip -json addr show`. */
const Address = z.object({ local: z.string(), prefixlen: z.number().int(), scope: z.string() });

/** One link of `ip -json addr show`, as far as we read it. */
const Link = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number().int(),
  link_type: z.string(),
  address: z.string().optional(),
  addr_info: z.array(Address.partial()).default([]),
});

export interface LinkAddress {
  readonly ip: string;
  readonly prefixLength: number;
  /** `global`, `link` or `host`. */
  readonly scope: string;
}

export interface HostLink {
  readonly name: string;
  readonly mtu: number;
  readonly mac: string | undefined;
  readonly up: boolean;
  readonly addresses: readonly LinkAddress[];
}

/** All links with their addresses, in our own network namespace or in another (a path). */
export async function readLinks(netns?: string): Promise<readonly HostLink[]> {
  const args = ['-json', 'addr', 'show'];
  const text = netns === undefined ? await run('ip', args) : await run('nsenter', [`--net=${netns}`, 'ip', ...args]);
  // Filtered entries are empty objects.
  return parseList(z.unknown(), text).flatMap((entry) => {
    const link = Link.safeParse(entry);
    if (!link.success) return [];
    const { ifname, mtu, flags, address, addr_info } = link.data;
    const addresses = addr_info.flatMap(({ local, prefixlen, scope }): LinkAddress[] =>
      local === undefined || prefixlen === undefined
        ? []
        : [{ ip: local, prefixLength: prefixlen, scope: scope ?? '' }],
    );
    return [{ name: ifname, mtu, mac: address, up: flags.includes('UP'), addresses }];
  });
}

const Route = z.object({
  dst: z.string(),
  gateway: z.string().optional(),
  dev: z.string().optional(),
  protocol: z.string().optional(),
  metric: z.number().optional(),
  prefsrc: z.string().optional(),
});

export interface HostRoute {
  /** `default` or a CIDR; a host route stands without prefix length. */
  readonly destination: string;
  readonly gateway: string | undefined;
  readonly protocol: string;
  readonly metric: number | undefined;
  readonly source: string | undefined;
}

/** Unicast routes of the main table over one device, of both families. */
export async function readRoutes(device: string, netns?: string): Promise<readonly HostRoute[]> {
  const both = await Promise.all(
    ['-4', '-6'].map((family) => {
      const args = [family, '-json', 'route', 'show', 'dev', device];
      return netns === undefined ? run('ip', args) : run('nsenter', [`--net=${netns}`, 'ip', ...args]);
    }),
  );
  return both.flatMap((text) =>
    parseList(Route, text).map((r) => ({
      destination: r.dst,
      gateway: r.gateway,
      protocol: r.protocol ?? '',
      metric: r.metric,
      source: r.prefsrc,
    })),
  );
}

const NeighbourEntry = z.object({ dst: z.string(), lladdr: z.string().optional() });

/** A neighbour's address and MAC. */
export interface Neighbour {
  readonly ip: string;
  readonly mac: string;
}

/** Neighbours on one device whose MAC is known, of both families; none if there is no such device. */
export async function readNeighbours(device: string): Promise<readonly Neighbour[]> {
  const text = await run('ip', ['-json', 'neigh', 'show', 'dev', device]).catch(() => '');
  return parseList(NeighbourEntry, text).flatMap(({ dst, lladdr }) =>
    lladdr === undefined ? [] : [{ ip: dst, mac: lladdr }],
  );
}
