import { addNetns, underlayNetns } from './netns.js';
import type { LabPaths } from './paths.js';
import { ipBatch, run, runAny } from './run.js';

/** The machine that plays the world outside of the cluster, and where the controller runs. */
export const UNDERLAY_IPV4 = '172.31.99.254';
export const UNDERLAY_IPV6 = 'fd00:31:99::fe';
const BRIDGE = 'ul0';

/** Addresses of node number `i` (1 ...) on the underlay. */
export function nodeAddresses(i: number, ipv6: boolean): string[] {
  return [`172.31.99.${i}`, ...(ipv6 ? [`fd00:31:99::${i.toString(16)}`] : [])];
}

async function hasLink(netns: string, link: string): Promise<boolean> {
  return (await runAny(['ip', '-n', netns, 'link', 'show', 'dev', link])).code === 0;
}

/** The underlay network: a namespace with a Linux bridge. Idempotent. */
export async function ensureUnderlay(paths: LabPaths, ipv6: boolean): Promise<string> {
  const netns = underlayNetns(paths);
  await addNetns(netns);
  if (!(await hasLink(netns, BRIDGE)))
    await run(['ip', '-n', netns, 'link', 'add', BRIDGE, 'type', 'bridge', 'mcast_snooping', '0']);
  await ipBatch(netns, [
    `link set ${BRIDGE} up`,
    `addr replace ${UNDERLAY_IPV4}/24 dev ${BRIDGE}`,
    ...(ipv6 ? [`addr replace ${UNDERLAY_IPV6}/64 dev ${BRIDGE} nodad`] : []),
  ]);
  // Frames that leave here reach an Open vSwitch in user space, which forwards half-made checksums as they are.
  await run(['nsenter', `--net=/run/netns/${netns}`, '--', 'ethtool', '-K', BRIDGE, 'tx', 'off']);
  return netns;
}

/** A node's namespace with eth0 on the underlay; the node agent moves eth0's addresses to its bridge. Idempotent. */
export async function ensureNodeLink(underlay: string, netns: string, index: number, ipv6: boolean): Promise<void> {
  await addNetns(netns);
  const [ipv4, address6] = nodeAddresses(index, ipv6);
  // The agent may have moved the address to its bridge already: then everything here is done.
  if ((await run(['ip', '-n', netns, '-o', 'addr', 'show', 'to', `${ipv4}/32`])).trim() !== '') return;
  const peer = `u-${index}`;
  if (!(await hasLink(netns, 'eth0')))
    await run(['ip', 'link', 'add', 'eth0', 'netns', netns, 'type', 'veth', 'peer', 'name', peer, 'netns', underlay]);
  await run(['ip', '-n', underlay, 'link', 'set', peer, 'master', BRIDGE, 'up']);
  // IPv4 last: it says that all of this is done.
  await ipBatch(netns, [
    'link set eth0 up',
    ...(address6 === undefined
      ? []
      : [`addr replace ${address6}/64 dev eth0 nodad`, `route replace default via ${UNDERLAY_IPV6} dev eth0`]),
    `addr replace ${ipv4}/24 dev eth0`,
    `route replace default via ${UNDERLAY_IPV4} dev eth0`,
  ]);
}
