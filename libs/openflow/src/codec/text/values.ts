import { formatIpv4, formatIpv6, formatMac } from '../addresses.js';
import { FIELD_INFO, type FieldInfo } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import type { FlowRemovedReason } from '../messages/structures.js';
import { significantOnes } from '../normal/match.js';
import { PORT, portFrom16 } from '../ports.js';

type Value = number | bigint;

/** Names of reserved ports in the text language. */
export const PORT_NAMES: Readonly<Record<number, string>> = {
  [PORT.UNSET]: 'UNSET',
  [PORT.IN_PORT]: 'IN_PORT',
  [PORT.TABLE]: 'TABLE',
  [PORT.NORMAL]: 'NORMAL',
  [PORT.FLOOD]: 'FLOOD',
  [PORT.ALL]: 'ALL',
  [PORT.CONTROLLER]: 'CONTROLLER',
  [PORT.LOCAL]: 'LOCAL',
  [PORT.ANY]: 'ANY',
};

/** What numbers are called here; without it they are written as numbers. */
export interface Names {
  readonly tables?: ReadonlyMap<number, string>;
  readonly ports?: ReadonlyMap<number, string>;
}
/** A name is quoted where it could be read as something else. */
const quoted = (name: string): string => (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name) ? name : JSON.stringify(name));

export const formatPort = (port: number, names: Names = {}): string =>
  PORT_NAMES[port] ?? (names.ports?.has(port) ? quoted(names.ports.get(port) as string) : `${port}`);
export const formatTable = (table: number, names: Names = {}): string =>
  names.tables?.has(table) ? quoted(names.tables.get(table) as string) : `${table}`;

/** `%#x`: zero is written without its prefix. */
export const hex = (value: Value): string => (value === 0 || value === 0n ? '0' : `0x${value.toString(16)}`);

/** Prefix length of a mask of `width` bits, or undefined when its ones are not all in front. */
export function prefixOf(mask: bigint, width: number): number | undefined {
  const zeros = ((1n << BigInt(width)) - 1n) ^ mask;
  return (zeros & (zeros + 1n)) === 0n ? width - (zeros === 0n ? 0 : zeros.toString(2).length) : undefined;
}

export function formatIpv4Masked(value: number, mask: number | undefined): string {
  const ip = formatIpv4(value);
  if (mask === undefined || mask === 0xffffffff) return ip;
  const prefix = prefixOf(BigInt(mask), 32);
  return `${ip}/${prefix ?? formatIpv4(mask)}`;
}
export function formatIpv6Masked(value: bigint, mask: bigint | undefined): string {
  const ip = formatIpv6Text(value);
  if (mask === undefined) return ip;
  const prefix = prefixOf(mask, 128);
  return prefix === 128 ? ip : `${ip}/${prefix ?? formatIpv6Text(mask)}`;
}
/** As the C library writes it: IPv4-compatible addresses (::a.b.c.d) with dots as well. */
export function formatIpv6Text(value: bigint): string {
  if (value >> 32n === 0n && value > 0xffffn) return `::${formatIpv4(Number(value))}`;
  return formatIpv6(value);
}
const formatMacMasked = (value: bigint, mask: bigint | undefined): string =>
  mask === undefined || mask === 0xffff_ffff_ffffn ? formatMac(value) : `${formatMac(value)}/${formatMac(mask)}`;

/** Flag names by bit, lowest first. */
export const CT_STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'] as const;
export const TCP_FLAGS = [
  'fin',
  'syn',
  'rst',
  'psh',
  'ack',
  'urg',
  'ece',
  'cwr',
  'ns',
  '[200]',
  '[400]',
  '[800]',
] as const;
export const TUN_FLAGS = ['oam'] as const;

/** `+name-name` for masked flags; `name|name`, or 0, for exact ones. */
export function formatFlags(names: readonly string[], value: number, mask: number | undefined): string {
  const all = 2 ** names.length - 1;
  let text = '';
  if (mask === undefined || (mask & all) === all) {
    names.forEach((name, i) => {
      if ((value >>> i) & 1) text += `${text === '' ? '' : '|'}${name}`;
    });
    return text === '' ? '0' : text;
  }
  names.forEach((name, i) => {
    if ((mask >>> i) & 1) text += ((value >>> i) & 1 ? '+' : '-') + name;
  });
  return text;
}

/** Names of bits, lowest first, `0` for none; bits without a name as a number behind them. */
export function bitNames(bits: number, names: readonly string[], separator = ' '): string {
  let rest = bits;
  const out: string[] = [];
  names.forEach((name, i) => {
    if (name === '' || ((bits >>> i) & 1) === 0) return;
    out.push(name);
    rest = (rest & ~(1 << i)) >>> 0;
  });
  if (rest !== 0) out.push(`0x${rest.toString(16)}`);
  return out.join(separator) || '0';
}

const REMOVED: Readonly<Record<string, string>> = { idle_timeout: 'idle', hard_timeout: 'hard' };
/** Why a flow was removed; unknown reasons are numbers. */
export const removedReason = (reason: FlowRemovedReason): string => REMOVED[reason] ?? `${reason}`;

// Bit 0: any fragment; bit 1: not the first.
const FRAGMENTS: Readonly<Record<string, string>> = {
  '0/3': 'no',
  '1/3': 'first',
  '3/3': 'later',
  '0/1': 'no',
  '1/1': 'yes',
  '2/2': 'later',
  '0/2': 'not_later',
};
export const formatFragment = (value: number, mask = 3): string =>
  FRAGMENTS[`${value & mask}/${mask & 3}`] ?? '<error>';

export const formatPacketType = (value: number): string => `(${value >>> 16},${hexShort(value & 0xffff)})`;
const hexShort = (n: number): string => (n === 0 ? '0' : `0x${n.toString(16)}`);

/** A value of a field as `set_field` and `learn` write it: `value` or `value/mask`. */
export function formatValue(info: FieldInfo, value: Value, mask: Value | undefined, names: Names = {}): string {
  const whole = mask === undefined || mask === info.ones;
  const m = whole ? undefined : mask;
  switch (info.spec.text) {
    case 'mac':
      return formatMacMasked(value as bigint, m as bigint | undefined);
    case 'ipv4':
      return formatIpv4Masked(value as number, m as number | undefined);
    case 'ipv6':
      return formatIpv6Masked(value as bigint, m as bigint | undefined);
    case 'port':
      return formatPort(value as number, names);
    case 'port16':
      return formatPort(portFrom16(value as number), names);
    case 'ct_state':
      return formatFlags(CT_STATES, value as number, m as number | undefined);
    case 'tcp_flags':
      return formatFlags(TCP_FLAGS, value as number, m as number | undefined);
    case 'tun_flags':
      return formatFlags(TUN_FLAGS, value as number, m as number | undefined);
    case 'frag':
      return formatFragment(value as number, m as number | undefined);
    case 'packet_type':
      return formatPacketType(value as number);
    case 'dec':
      return m === undefined ? `${value}` : `${value}/${hex(m)}`;
    case 'hex':
      return m === undefined ? hex(value) : `${hex(value)}/${hex(m)}`;
  }
}

/** `NXM_NX_REG0[0..15]`, `[5]` for one bit, `[]` for all. */
export function formatSubfield(s: Subfield): string {
  const info = FIELD_INFO[s.field];
  const { name } = info.first;
  if (s.offset === 0 && s.bits === info.bits) return `${name}[]`;
  return s.bits === 1 ? `${name}[${s.offset}]` : `${name}[${s.offset}..${s.offset + s.bits - 1}]`;
}

export { significantOnes };
