import { header, l4Packet, type Packet } from '@heddle/compiler';
import { formatIpv4, formatIpv6 } from 'openflow-ts/codec';
import { attach, cluster, namespace, pod } from '../../libs/compiler/src/testing/facts.js';
import type { Sent } from './evaluate-switch.js';

// Packets of pods on one node, as short texts. Pod x/a is 10.244.1.2, x/b 10.244.1.3, x/c 10.244.1.4, the node 10.244.1.1.

/** Ports that packets come in by. */
export const [HEDDLE0, A, B, C] = [2, 258, 259, 260];
export const MAC: Readonly<Record<number, string>> = {
  [HEDDLE0]: '0a:58:00:00:01:01',
  [A]: '0a:58:0a:f4:01:02',
  [B]: '0a:58:0a:f4:01:03',
  [C]: '0a:58:0a:f4:01:04',
};
export const ROUTER = '0a:58:00:00:00:01';

/** A cluster with x/a and x/b on node1. */
export const TWO_PODS = [
  ...cluster(),
  namespace('x'),
  pod('x/a', { app: 'a' }),
  attach('x/a', 1, 2),
  pod('x/b', { app: 'b' }),
  attach('x/b', 1, 3),
];

/** @param route `SOURCE PORT > DESTINATION PORT` */
export function sent(protocol: 'tcp' | 'udp', port: number, route: string, tcpFlags?: number): Sent {
  const [, src = '', srcPort = '', dst = '', dstPort = ''] = /^(\S+) (\d+) > (\S+) (\d+)$/.exec(route) ?? [];
  const ends = {
    ethSrc: MAC[port] ?? '',
    ethDst: ROUTER,
    src,
    dst,
    srcPort: Number(srcPort),
    dstPort: Number(dstPort),
  };
  return { ofport: port, packet: l4Packet({ ...ends, protocol, ...(tcpFlags === undefined ? {} : { tcpFlags }) }) };
}

/** The other way round; of what has no ports only the addresses. */
export function endsOf(p: Packet): string {
  const end = (side: 'src' | 'dst') => {
    const ip =
      header(p, 'eth_type') === 0x800
        ? formatIpv4(header(p, `ip_${side}`) as number)
        : formatIpv6(header(p, `ipv6_${side}`) as bigint);
    const proto = header(p, 'nw_proto');
    return proto === 6 || proto === 17 ? `${ip} ${header(p, `${proto === 6 ? 'tcp' : 'udp'}_${side}`)}` : ip;
  };
  return `${end('src')} > ${end('dst')}`;
}
