import type { Neighbour } from '../host/ip-json.js';
import { ControlSocket } from './control-socket.js';

const ANSWER_TIMEOUT_MS = 5_000;

/** The next hops of tunnels that an ovs-vswitchd knows, by address: the lines of its `tnl/neigh/show`. */
export function parseNextHops(text: string): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [ip, mac] = line.trim().split(/\s+/);
    if (ip !== undefined && mac !== undefined && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) known.set(ip, mac);
  }
  return known;
}

/**
 * Tells the userspace datapath of the ovs-vswitchd whose control socket is in the folder what the kernel knows of the bridge's
 * neighbours, as far as it does not know it.
 * @returns how many it was told of
 * @throws Error if it does not answer
 */
export function tellNextHops(folder: string, bridge: string, neighbours: readonly Neighbour[]): Promise<number> {
  return ControlSocket.withVswitchd(folder, ANSWER_TIMEOUT_MS, async (control) => {
    const known = parseNextHops(await control.ask('tnl/neigh/show'));
    const news = neighbours.filter(({ ip, mac }) => known.get(ip) !== mac);
    for (const { ip, mac } of news) await control.ask('tnl/neigh/set', bridge, ip, mac);
    return news.length;
  });
}
