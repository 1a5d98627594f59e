import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from 'openflow-ts/codec';

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** An address in canonical text: dotted quad, or RFC 5952. Equal addresses are equal strings. */
export type Ip = Brand<string, 'Ip'>;
/** `ADDRESS/PREFIX` in canonical text with no host bits set. */
export type Cidr = Brand<string, 'Cidr'>;
/** `xx:xx:xx:xx:xx:xx`, lower case. */
export type Mac = Brand<string, 'Mac'>;
export type NodeName = Brand<string, 'NodeName'>;
/** OpenFlow port number of an interface on its bridge. */
export type Ofport = Brand<number, 'Ofport'>;
/** Durable number of a logical port. */
export type PortKey = Brand<number, 'PortKey'>;
/** Number of one distinct set of labels that policies can tell apart; 1 to 255 are reserved. */
export type Identity = Brand<number, 'Identity'>;
/** VPC number: Geneve VNI and conntrack zone of the routing domain. */
export type Vpc = Brand<number, 'Vpc'>;

export type Family = 4 | 6;

/** @throws RangeError */
export function ip(text: string): Ip {
  return (text.includes(':') ? formatIpv6(parseIpv6(text)) : formatIpv4(parseIpv4(text))) as Ip;
}
/** @throws RangeError */
export function mac(text: string): Mac {
  return formatMac(parseMac(text)) as Mac;
}
/** Clears host bits. @throws RangeError */
export function cidr(text: string): Cidr {
  const [address = '', length, ...rest] = text.split('/');
  const family = address.includes(':') ? 6 : 4;
  const width = family === 4 ? 32 : 128;
  const prefix = length === undefined ? width : Number(length);
  if (rest.length > 0 || length === '' || !Number.isInteger(prefix) || prefix < 0 || prefix > width)
    throw new RangeError(`"${text}" is not ADDRESS/PREFIX`);
  const value = family === 4 ? BigInt(parseIpv4(address)) : parseIpv6(address);
  const kept = (value >> BigInt(width - prefix)) << BigInt(width - prefix);
  return `${family === 4 ? formatIpv4(Number(kept)) : formatIpv6(kept)}/${prefix}` as Cidr;
}

function ranged<B extends string>(name: B, min: number, max: number) {
  return (n: number): Brand<number, B> => {
    if (!Number.isInteger(n) || n < min || n > max) throw new RangeError(`${name} ${n} not in ${min}..${max}`);
    return n as Brand<number, B>;
  };
}
export const ofport = ranged('Ofport', 1, 0xff00 - 1);
export const portKey = ranged('PortKey', 1, 0xffff_ffff);
export const identity = ranged('Identity', 1, 0xffff_ffff);
/** The upper half of the conntrack zones is for hairpin traffic. */
export const vpc = ranged('Vpc', 1, 0x7fff);
export const nodeName = (text: string): NodeName => text as NodeName;

/** Identities that stand for no pod. */
export const RESERVED_IDENTITY = {
  host: 1 as Identity,
  remoteNode: 2 as Identity,
  world: 3 as Identity,
  health: 4 as Identity,
} as const;
/** The first identity that is given to pods. */
export const FIRST_POD_IDENTITY = 256;

export const familyOf = (address: Ip | Cidr): Family => (address.includes(':') ? 6 : 4);
