import { ip } from '@heddle/compiler';
import type { NodeRegistry } from '../allocation/node-registry.js';
import { keepNewest } from '../keep-newest.js';

/** A node has few addresses; an agent that always comes from another one must not fill our memory. */
const MAX_SEEN = 16;

/**
 * From where a node's switch may connect. A switch proves no more than that it is one of ours; agents prove which node they are of,
 * and agent and switch of a node come from the same addresses. So a node's switch is one that comes from where the node's agent has been
 * seen to speak from, or from an address that this agent has announced, or from one that we have given to the node.
 */
export class SwitchOrigins {
  /** By node, the newest last. */
  private readonly seen = new Map<string, Set<string>>();
  private listener: ((node: string) => void) | undefined;

  constructor(private readonly nodes: Pick<NodeRegistry, 'get'>) {}

  /** Calls when the agent of a node was seen for the first time, from when on more is refused than before. */
  onFirstSeen(listener: (node: string) => void): void {
    this.listener = listener;
  }

  /** An agent has proved that it is of this node. */
  agentSpoke(node: string, address: string | undefined): void {
    const known = address === undefined ? undefined : plain(address);
    if (known === undefined) return;
    const addresses = this.seen.get(node);
    if (addresses === undefined) {
      this.seen.set(node, new Set([known]));
      this.listener?.(node);
      return;
    }
    addresses.delete(known);
    addresses.add(known);
    keepNewest(addresses, MAX_SEEN);
  }

  /** The node is gone; the next of its name may be another machine. */
  forget(node: string): void {
    this.seen.delete(node);
  }

  /** `remote` as sessions name it: `ssl:ADDRESS:PORT`, `tcp:ADDRESS:PORT`, or another text for what comes by no network. */
  permits(node: string, remote: string): boolean {
    const address = plain(/^(?:ssl|tcp):\[?([^\]]+)\]?:\d+$/.exec(remote)?.[1] ?? '');
    if (address === undefined || address === '::1' || address.startsWith('127.')) return true;
    const seen = this.seen.get(node);
    // Its agent may come from anywhere as yet: behind a translation of addresses, the node itself does not know from where.
    if (seen === undefined || seen.has(address)) return true;
    const { encapIp, addresses = [], gatewayIps = [] } = this.nodes.get(node) ?? {};
    return encapIp === address || addresses.includes(address) || gatewayIps.includes(address);
  }
}

/** As it is written everywhere else; undefined if it is no address. */
function plain(address: string): string | undefined {
  try {
    return ip(address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, ''));
  } catch {
    return undefined;
  }
}
