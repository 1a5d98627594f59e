import { FIELD_INFO } from '../fields/info.js';
import type { Match } from '../fields/match.js';
import type { FieldName } from '../fields/table.js';
import { portFrom16 } from '../ports.js';

type Value = number | bigint;
type Entry = Value | readonly [value: Value, mask: Value];
/** A match in the making: an entry may be exact or masked whatever its field. */
export type LooseMatch = { [name: string]: Entry };

/** Bits that mean something, where the table's row says otherwise: vlan_vid has its "present" bit, ct_state has 8 flags. */
const SIGNIFICANT: { readonly [F in FieldName]?: Value } = { vlan_vid: 0x1fff, ct_state: 0xff, vlan_tci: 0xffff };

/** All bits of a field that mean something. */
export function significantOnes(field: FieldName): Value {
  const info = FIELD_INFO[field];
  return SIGNIFICANT[field] ?? (info.wide ? (1n << BigInt(info.bits)) - 1n : 2 ** info.bits - 1);
}

const and = (a: Value, b: Value): Value => (typeof a === 'bigint' ? a & (b as bigint) : (a & (b as number)) >>> 0);

/** One entry without needless masks; undefined when nothing is matched. */
function reduce(field: FieldName, entry: Entry, bytes: number | undefined): Entry | undefined {
  if (typeof entry !== 'object') return entry;
  const info = FIELD_INFO[field];
  let ones = significantOnes(field);
  if (info.variable) {
    // The option's own length is what the peer matched on.
    const longest = (entry[0] > entry[1] ? entry[0] : entry[1]) as bigint;
    ones = (1n << BigInt(8 * (bytes ?? Math.max(1, Math.ceil(longest.toString(16).length / 2))))) - 1n;
  }
  const mask = and(entry[1], ones);
  if (bytes === 0) return entry;
  if (mask === ones) return and(entry[0], ones);
  if (!info.variable && (mask === 0 || mask === 0n)) return undefined;
  return [and(entry[0], mask), mask];
}

const valuePart = (entry: Entry): Value => (typeof entry === 'object' ? entry[0] : entry);
const maskPart = (entry: Entry, ones: Value): Value => (typeof entry === 'object' ? entry[1] : ones);

/** A register may be matched in several forms at once: the bits of all of them. */
function mergeRegister(out: LooseMatch, name: string, entry: Entry): void {
  const before = out[name];
  const of = (e: Entry): readonly [number, number] => [valuePart(e) as number, maskPart(e, 0xffffffff) as number];
  const [v, m] = of(entry);
  const [v0, m0] = before === undefined ? [0, 0] : of(before);
  out[name] = reduce(name as FieldName, [((v & m) | v0) >>> 0, (m | m0) >>> 0], undefined) as Entry;
}

/** Splits a wide register into the 32-bit registers that it is made of, the highest bits in the lowest number. */
function splitRegister(out: LooseMatch, entry: Entry, first: number, count: number): void {
  const ones = (1n << BigInt(32 * count)) - 1n;
  const value = valuePart(entry) as bigint;
  const mask = maskPart(entry, ones) as bigint;
  for (let i = 0; i < count; i++) {
    const shift = BigInt(32 * (count - 1 - i));
    const part = Number((mask >> shift) & 0xffffffffn);
    if (part === 0) continue;
    const name = `reg${first + i}`;
    const bits = Number((value >> shift) & 0xffffffffn);
    mergeRegister(out, name, [bits, part]);
  }
}

/** vlan_tci is how Open vSwitch holds a tag; over the wire it says vlan_vid and vlan_pcp. */
function splitTci(out: LooseMatch, entry: Entry): void {
  const value = valuePart(entry) as number;
  const mask = maskPart(entry, 0xffff) as number;
  const vid = reduce('vlan_vid', [value & 0x1fff, mask & 0x1fff], undefined);
  if (vid !== undefined) out.vlan_vid = vid;
  if ((mask & 0xe000) === 0xe000 && value & 0x1000) out.vlan_pcp = value >>> 13;
}

/**
 * The form in which two matches that mean the same are the same: no all-zero or all-one masks, no value bits outside a mask,
 * wide registers as registers, nw_tos as ip_dscp, vlan_tci as vlan_vid and vlan_pcp, in_port in 32 bits; in wire order.
 */
export function normalizeMatch(match: Match): Match {
  const out: LooseMatch = {};
  for (const name of Object.keys(match)) {
    const info = FIELD_INFO[name as FieldName];
    const given = (match as Readonly<Record<string, Entry | undefined>>)[name];
    if (info === undefined || given === undefined) continue;
    const entry = reduce(info.name, given, match.tlvBytes?.[info.name]);
    if (entry === undefined) continue;
    if (name.startsWith('xreg')) splitRegister(out, entry, 2 * Number(name.slice(4)), 2);
    else if (name.startsWith('xxreg')) splitRegister(out, entry, 4 * Number(name.slice(5)), 4);
    else if (name === 'nw_tos') {
      if (valuePart(entry) !== undefined) out.ip_dscp = (valuePart(entry) as number) >>> 2;
    } else if (name === 'in_port_nxm') out.in_port = portFrom16(valuePart(entry) as number);
    else if (name === 'vlan_tci') splitTci(out, entry);
    else if (name === 'packet_type' && valuePart(entry) === 0) continue;
    else if (/^reg\d/.test(name)) mergeRegister(out, name, entry);
    else out[name] = entry;
  }
  const names = Object.keys(out).sort((a, b) => FIELD_INFO[a as FieldName].rank - FIELD_INFO[b as FieldName].rank);
  const sorted: Record<string, unknown> = {};
  for (const name of names) sorted[name] = out[name];
  if (match.unknown !== undefined) sorted.unknown = match.unknown;
  return sorted as Match;
}
