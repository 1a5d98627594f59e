import { parseIpv4, parseIpv6 } from 'openflow-ts/codec';
import type { NodeFact } from '../model/facts.js';
import { type FieldValue, readField, type Slots, writeField } from './fields.js';

/** Where a packet goes that leaves `node` through `ofport`: into another switch, to nobody, or out of the fabric. */
export type Wire = (node: string, ofport: number, slots: Readonly<Slots>) => Hop | 'lost' | 'delivered';

export interface Hop {
  readonly node: string;
  readonly ofport: number;
  /** Tunnel metadata at the receiver. */
  readonly tunnel: Readonly<Slots>;
}

export type TunnelNode = Pick<NodeFact, 'encapIp' | 'tunnelOfport'> & { readonly name: string };

/**
 * The underlay: a packet sent to a node's tunnel port arrives at the node whose VTEP is its tun_dst. Geneve carries
 * tun_metadata0, VXLAN does not.
 */
export function tunnelWire(nodes: Iterable<TunnelNode>, encap: 'geneve' | 'vxlan'): Wire {
  const byName = new Map<string, TunnelNode>();
  const byVtep = new Map<string, TunnelNode>();
  for (const node of nodes) {
    byName.set(node.name, node);
    byVtep.set(vtepKey(node), node);
  }
  return (name, ofport, slots) => {
    const from = byName.get(name);
    if (from === undefined || from.tunnelOfport !== ofport) return 'delivered';
    const to = byVtep.get(`${readField({ ...slots }, 'tun_dst')}/${readField({ ...slots }, 'tun_ipv6_dst')}`);
    if (to === undefined || to === from) return 'lost';
    const tunnel: Slots = { tun_id: slots.tun_id ?? 0n };
    if (encap === 'geneve') tunnel.tun_metadata0 = slots.tun_metadata0 ?? 0n;
    for (const [field, value] of endpoints(from, 'src')) writeField(tunnel, field, value);
    for (const [field, value] of endpoints(to, 'dst')) writeField(tunnel, field, value);
    return { node: to.name, ofport: to.tunnelOfport, tunnel };
  };
}

const endpoints = (node: TunnelNode, end: 'src' | 'dst'): readonly (readonly [string, FieldValue])[] =>
  node.encapIp.includes(':')
    ? [[`tun_ipv6_${end}`, parseIpv6(node.encapIp)]]
    : [[`tun_${end}`, parseIpv4(node.encapIp)]];

const vtepKey = (node: TunnelNode): string =>
  node.encapIp.includes(':') ? `0/${parseIpv6(node.encapIp)}` : `${parseIpv4(node.encapIp)}/0`;
