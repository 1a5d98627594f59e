import { type Cidr, cidr, type Family, familyOf, type Ip, ip } from '@heddle/compiler';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from 'openflow-ts/codec';

/** A CIDR as a range of numbers, for arithmetic on addresses. */
export interface Range {
  readonly cidr: Cidr;
  readonly family: Family;
  readonly prefix: number;
  readonly first: bigint;
  /** How many addresses. */
  readonly size: bigint;
}

const WIDTH = { 4: 32, 6: 128 } as const;

/** @throws RangeError */
export function range(text: string): Range {
  const canonical = cidr(text);
  const family = familyOf(canonical);
  const slash = canonical.indexOf('/');
  const prefix = Number(canonical.slice(slash + 1));
  return {
    cidr: canonical,
    family,
    prefix,
    first: addressNumber(canonical.slice(0, slash) as Ip),
    size: 1n << BigInt(WIDTH[family] - prefix),
  };
}

export function addressNumber(address: Ip): bigint {
  return familyOf(address) === 4 ? BigInt(parseIpv4(address)) : parseIpv6(address);
}

export function addressText(family: Family, value: bigint): Ip {
  return ip(family === 4 ? formatIpv4(Number(value)) : formatIpv6(value));
}

/** The address at `offset` of the range. */
export function addressAt(r: Range, offset: bigint | number): Ip {
  return addressText(r.family, r.first + BigInt(offset));
}

export function contains(r: Range, address: Ip): boolean {
  if (familyOf(address) !== r.family) return false;
  const offset = addressNumber(address) - r.first;
  return offset >= 0n && offset < r.size;
}

export function containsRange(outer: Range, inner: Range): boolean {
  return outer.family === inner.family && inner.prefix >= outer.prefix && contains(outer, addressAt(inner, 0));
}

/** The `index`-th sub-range of the given prefix length. */
export function subrange(r: Range, prefix: number, index: bigint): Range {
  const size = 1n << BigInt(WIDTH[r.family] - prefix);
  return range(`${addressText(r.family, r.first + index * size)}/${prefix}`);
}
