import { formatIpv4, formatIpv6, type IpValue, type Match, parseIpv4, parseIpv6 } from 'openflow-ts/codec';
import { type Cidr, type Family, familyOf, type Ip } from '../model/brands.js';
import type { L4Protocol } from '../model/facts.js';
import { ETH, IPPROTO } from './constants.js';

/** An address range as numbers. */
export interface Prefix {
  readonly family: Family;
  readonly value: bigint;
  readonly length: number;
}

const V4_ALL = 0xffff_ffffn;
const V6_ALL = (1n << 128n) - 1n;
export const widthOf = (family: Family): number => (family === 4 ? 32 : 128);

export function ipValue(address: Ip): IpValue {
  return familyOf(address) === 4 ? { family: 4, value: parseIpv4(address) } : { family: 6, value: parseIpv6(address) };
}

export function prefixOf(address: Ip | Cidr): Prefix {
  const family = familyOf(address);
  const slash = address.indexOf('/');
  const bare = slash < 0 ? address : address.slice(0, slash);
  const length = slash < 0 ? widthOf(family) : Number(address.slice(slash + 1));
  return { family, value: family === 4 ? BigInt(parseIpv4(bare)) : parseIpv6(bare), length };
}

const masksOf = (all: bigint, width: number): readonly bigint[] =>
  Array.from({ length: width + 1 }, (_, length) => (all >> BigInt(width - length)) << BigInt(width - length));
const MASKS = { 4: masksOf(V4_ALL, 32), 6: masksOf(V6_ALL, 128) };
export const maskOf = (family: Family, length: number): bigint => MASKS[family][length] as bigint;

/** The range of that length which a range or address lies in. */
export function networkOf({ family, value }: Prefix, length: number): Cidr {
  const kept = value & maskOf(family, length);
  return `${family === 4 ? formatIpv4(Number(kept)) : formatIpv6(kept)}/${length}` as Cidr;
}

export const IS_IP: Readonly<Record<Family, Match>> = { 4: { eth_type: ETH.ipv4 }, 6: { eth_type: ETH.ipv6 } };

function matchAddress(field: readonly ['ip_src' | 'ip_dst', 'ipv6_src' | 'ipv6_dst'], p: Prefix): Match {
  if (p.length === 0) return IS_IP[p.family];
  const exact = p.length === widthOf(p.family);
  if (p.family === 4) {
    const value = Number(p.value);
    return { eth_type: ETH.ipv4, [field[0]]: exact ? value : [value, Number(maskOf(4, p.length))] };
  }
  return { eth_type: ETH.ipv6, [field[1]]: exact ? p.value : [p.value, maskOf(6, p.length)] };
}
/** Packets to a range; a range of length 0 matches its whole family. */
export const matchDestination = (p: Prefix): Match => matchAddress(['ip_dst', 'ipv6_dst'], p);
export const matchSource = (p: Prefix): Match => matchAddress(['ip_src', 'ipv6_src'], p);

export const PROTOCOLS = {
  TCP: { number: IPPROTO.tcp, port: 'tcp_dst' },
  UDP: { number: IPPROTO.udp, port: 'udp_dst' },
  SCTP: { number: IPPROTO.sctp, port: 'sctp_dst' },
} as const satisfies Record<L4Protocol, { number: number; port: 'tcp_dst' | 'udp_dst' | 'sctp_dst' }>;

/** Packets of a protocol to a port, or to the ports that `[value, mask]` covers. Without a port: the whole protocol. */
export function matchPort(family: Family, protocol: L4Protocol, port?: number | readonly [number, number]): Match {
  const base: Match = { eth_type: family === 4 ? ETH.ipv4 : ETH.ipv6, nw_proto: PROTOCOLS[protocol].number };
  return port === undefined ? base : { ...base, [PROTOCOLS[protocol].port]: port };
}
