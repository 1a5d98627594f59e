import { describe, expect, it } from 'vitest';
import { packetTuple } from './tuple.js';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const ETH = '0a5800000001 0a5a00000001';
const IP6 = 'fd00102440001000 0000000000000002 fd00102440001000 0000000000000003';

describe('headers of a packet', () => {
  it.each([
    ['TCP', `${ETH} 0800 45000028 00000000 4006 0000 0af40102 0af40103 03e8 1f90`, 'tcp', 8080],
    ['options of IPv4', `${ETH} 0800 46000028 00000000 4011 0000 0af40102 0af40103 01010101 03e8 0035`, 'udp', 53],
    ['a VLAN tag', `${ETH} 8100 0005 0800 45000028 00000000 4084 0000 0af40102 0af40103 03e8 0009`, 'sctp', 9],
    ['a later fragment', `${ETH} 0800 45000028 00000001 4011 0000 0af40102 0af40103 03e8 0035`, 'udp', null],
    ['ICMP', `${ETH} 0800 45000028 00000000 4001 0000 0af40102 0af40103 0800`, 'icmp', null],
    ['a protocol without a name', `${ETH} 0800 45000028 00000000 402f 0000 0af40102 0af40103`, '47', null],
  ])('%s', (_, hex, protocol, port) => {
    expect(packetTuple(bytes(hex))).toEqual({ source: '10.244.1.2', destination: '10.244.1.3', protocol, port });
  });
  it.each([
    ['TCP', `${ETH} 86dd 60000000 0014 06 40 ${IP6} 03e8 01bb`, 'tcp', 443],
    ['behind hop-by-hop options', `${ETH} 86dd 60000000 001c 00 40 ${IP6} 11 00 000000000000 03e8 0035`, 'udp', 53],
    ['the first fragment', `${ETH} 86dd 60000000 001c 2c 40 ${IP6} 11 00 0001 00000000 03e8 0035`, 'udp', 53],
    ['a later fragment', `${ETH} 86dd 60000000 001c 2c 40 ${IP6} 11 00 0009 00000000 03e8 0035`, 'udp', null],
    ['ICMP', `${ETH} 86dd 60000000 0014 3a 40 ${IP6} 8000`, 'icmpv6', null],
  ])('IPv6: %s', (_, hex, protocol, port) => {
    const ends = { source: 'fd00:1024:4000:1000::2', destination: 'fd00:1024:4000:1000::3' };
    expect(packetTuple(bytes(hex))).toEqual({ ...ends, protocol, port });
  });
  it.each([
    ['ARP', `${ETH} 0806 0001`],
    ['nothing', ''],
    ['an IPv4 header that ends early', `${ETH} 0800 45000028 00000000 4006`],
    ['a port that is cut off', `${ETH} 0800 45000028 00000000 4006 0000 0af40102 0af40103 03e8`],
    ['options that lead out of the packet', `${ETH} 86dd 60000000 0014 00 40 ${IP6} 00 ff 000000000000`],
  ])('of %s there are none', (_, hex) => {
    expect(packetTuple(bytes(hex))).toBeUndefined();
  });
});
