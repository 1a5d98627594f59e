import { parseIpv4, parseIpv6, parseMac } from '../addresses.js';
import { FIELD_INFO, type FieldInfo, fieldByName, fieldByPoint } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { PORT, portTo16 } from '../ports.js';
import type { Piece } from './scan.js';
import { CT_STATES, PORT_NAMES, TCP_FLAGS, TUN_FLAGS } from './values.js';

type Value = number | bigint;

/** Numbers by name: the reverse of `Names`. */
export interface Numbers {
  readonly tables?: ReadonlyMap<string, number>;
  readonly ports?: ReadonlyMap<string, number>;
}

const RESERVED = new Map(Object.entries(PORT_NAMES).map(([n, name]) => [name, Number(n)]));
RESERVED.set('NONE', PORT.ANY);

/** A port by number, reserved name (in any case) or given name; undefined if it is none of these. */
export function findPort(p: Piece, numbers: Numbers): number | undefined {
  const given = numbers.ports?.get(p.name());
  if (given !== undefined) return given;
  if (/^(0x[0-9a-f]+|[0-9]+)$/i.test(p.text)) {
    const port = p.number(32);
    // 16-bit reserved numbers are those of OpenFlow 1.0.
    return port >= 0xff00 && port <= 0xffff ? (port | 0xffff0000) >>> 0 : port;
  }
  return RESERVED.get(p.text.toUpperCase());
}
export const parsePort = (p: Piece, numbers: Numbers): number =>
  findPort(p, numbers) ?? p.fail(`"${p.text}" is no port`);
export const parseTable = (p: Piece, numbers: Numbers): number => numbers.tables?.get(p.name()) ?? p.number(8);

/** RangeErrors of the address parsers, with a place. */
function at<T>(p: Piece, parse: (text: string) => T): T {
  try {
    return parse(p.text);
  } catch (error) {
    return p.fail(error instanceof Error ? error.message : String(error));
  }
}

function ipv4(p: Piece): readonly [number, number] {
  const [value, mask] = p.cut('/') ?? [p, undefined];
  const address = at(value, parseIpv4);
  if (mask === undefined) return [address, 0xffffffff];
  if (mask.text.includes('.')) return [address, at(mask, parseIpv4)];
  const prefix = mask.number(32);
  if (prefix > 32) mask.fail('a prefix of more than 32 bits');
  return [address, prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0];
}
const ALL_128 = (1n << 128n) - 1n;
function ipv6(p: Piece): readonly [bigint, bigint] {
  const [value, mask] = p.cut('/') ?? [p, undefined];
  const address = at(value, parseIpv6);
  if (mask === undefined) return [address, ALL_128];
  if (mask.text.includes(':')) return [address, at(mask, parseIpv6)];
  const prefix = mask.number(32);
  if (prefix > 128) mask.fail('a prefix of more than 128 bits');
  return [address, ALL_128 ^ ((1n << BigInt(128 - prefix)) - 1n)];
}

/** `+new-est`, `new|est`, or numbers. */
function flags(p: Piece, names: readonly string[], all: number): readonly [number, number] {
  if (/^[0-9]/.test(p.text)) {
    const [value, mask] = p.cut('/') ?? [p, undefined];
    return [value.number(32), mask === undefined ? all : mask.number(32)];
  }
  const bit = (name: string): number => {
    const i = names.indexOf(name);
    return i < 0 ? p.fail(`no flag is called "${name}"`) : 1 << i;
  };
  if (!/^[+-]/.test(p.text)) {
    const value = p.text.split('|').reduce((sum, name) => sum | bit(name), 0);
    return [value, all];
  }
  let value = 0;
  let mask = 0;
  for (const [, sign, name] of p.text.matchAll(/([+-])([^+-]*)/g)) {
    mask |= bit(name as string);
    if (sign === '+') value |= bit(name as string);
  }
  return [value, mask];
}

const FRAGMENTS: Readonly<Record<string, readonly [number, number]>> = {
  no: [0, 3],
  yes: [1, 1],
  first: [1, 3],
  later: [3, 3],
  not_later: [0, 2],
};

/** A value of a field, and its mask (all ones where none is given). */
export function parseValue(info: FieldInfo, p: Piece, numbers: Numbers): readonly [value: Value, mask: Value] {
  switch (info.spec.text) {
    case 'ipv4':
      return ipv4(p);
    case 'ipv6':
      return ipv6(p);
    case 'mac': {
      const [value, mask] = p.cut('/') ?? [p, undefined];
      return [at(value, parseMac), mask === undefined ? (info.ones as bigint) : at(mask, parseMac)];
    }
    case 'port':
      return [parsePort(p, numbers), 0xffffffff];
    case 'port16':
      return [portTo16(parsePort(p, numbers)), 0xffff];
    case 'ct_state':
      return flags(p, CT_STATES, 0xffffffff);
    case 'tcp_flags':
      return flags(p, TCP_FLAGS, 0xffff);
    case 'tun_flags':
      return flags(p, TUN_FLAGS, 0xffff);
    case 'frag':
      return FRAGMENTS[p.text] ?? p.fail(`"${p.text}" says nothing about fragments`);
    case 'packet_type': {
      const m = /^\((\w+),(\w+)\)$/.exec(p.text);
      if (m === null) return p.fail(`"${p.text}" is not (namespace,type)`);
      return [Number(m[1]) * 0x10000 + Number(m[2]), 0xffffffff];
    }
    case 'dec':
    case 'hex': {
      const [value, mask] = p.cut('/') ?? [p, undefined];
      // Masks may have all bits of the bytes: 0xff for a field of 6 bits.
      const bits = info.name === 'vlan_vid' ? 16 : info.bits;
      const v = value.big(bits);
      const m = mask === undefined ? (info.ones as Value) : mask.big(info.bytes * 8);
      return info.wide ? [v, BigInt(m)] : [Number(v), Number(m)];
    }
  }
}

/** Names in actions: `in_port` is Open vSwitch's 16-bit field there, `in_port_oxm` the 32-bit one. */
export function fieldOfText(name: string): FieldInfo | undefined {
  if (name === 'in_port') return FIELD_INFO.in_port_nxm;
  if (name === 'in_port_oxm') return FIELD_INFO.in_port;
  return fieldByPoint(name) ?? fieldByName(name);
}

/** `reg0`, `NXM_NX_REG0[]`, `reg0[3]`, `reg0[0..15]`. */
export function findSubfield(p: Piece): Subfield | undefined {
  const m = /^([A-Za-z_0-9]+)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?$/.exec(p.text);
  const info = m === null ? undefined : fieldOfText(m[1] as string);
  if (m === null || info === undefined) return undefined;
  const offset = m[2] === undefined ? 0 : Number(m[2]);
  const end = m[3] !== undefined ? Number(m[3]) : m[2] !== undefined ? offset : info.bits - 1;
  if (end < offset || end >= info.bytes * 8) p.fail(`${info.name} has no bits ${offset}..${end}`);
  return { field: info.name, offset, bits: end - offset + 1 };
}
export const parseSubfield = (p: Piece): Subfield => findSubfield(p) ?? p.fail(`"${p.text}" is no field`);
