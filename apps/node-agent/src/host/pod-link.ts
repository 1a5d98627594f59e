import { createHash } from 'node:crypto';
import { familyOf, hostPrefix } from '../cni/result.js';

/** What the host's end of a pod's veth pair is called: `hd` and 13 hex digits, 15 characters as the kernel allows. */
export function hostInterfaceName(containerId: string, ifname: string): string {
  // A container id has no slash, so the pair cannot be read in two ways.
  return `hd${createHash('sha256').update(`${containerId}/${ifname}`).digest('hex').slice(0, 13)}`;
}

/** Whether a link's name can be one of ours. */
export const isHostInterface = (name: string): boolean => /^hd[0-9a-f]{13}$/.test(name);

/** Where a pod's end of the pair is. */
export interface PodLink {
  readonly hostInterface: string;
  readonly podInterface: string;
  /** Path of the network namespace. */
  readonly netns: string;
  readonly mtu: number;
}

/** `ip -batch` line, run in the node's namespace, that makes the pair with its far end in the pod. */
export function createLines(link: PodLink): string[] {
  // Only the primary end may be set up here; the kernel answers ENOTCONN for the peer.
  return [
    `link add name ${link.hostInterface} up mtu ${link.mtu} type veth ` +
      `peer name ${link.podInterface} mtu ${link.mtu} netns ${link.netns}`,
  ];
}

export interface PodAddressing {
  readonly podInterface: string;
  readonly mac: string;
  readonly mtu: number;
  readonly ips: readonly string[];
  readonly routerIps: readonly string[];
  readonly routerMac: string;
}

/** `ip -batch` lines, run in the pod's namespace, that configure its end. */
export function configureLines(pod: PodAddressing): string[] {
  const dev = `dev ${pod.podInterface}`;
  const families = new Set(pod.ips.map(familyOf));
  return [
    'link set dev lo up',
    // The MAC before "up", so that the link-local address is made from it.
    `link set ${dev} address ${pod.mac} mtu ${pod.mtu} up`,
    ...pod.ips.map((ip) => `addr add ${hostPrefix(ip)} ${dev}${familyOf(ip) === 6 ? ' nodad' : ''}`),
    ...pod.routerIps
      .filter((router) => families.has(familyOf(router)))
      .flatMap((router) => [
        `neigh replace ${router} lladdr ${pod.routerMac} ${dev} nud permanent`,
        // fe80::1 is on the link already; 169.254.1.1 has to be made so.
        ...(familyOf(router) === 4 ? [`route add ${router} ${dev} scope link`] : []),
        `route add default via ${router} ${dev}`,
      ]),
  ];
}
