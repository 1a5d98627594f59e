import { VERSIONS, type WireVersion } from '../version.js';
import { type CodePoint, FIELDS, type FieldName, type FieldNeeds, type FieldSpec } from './table.js';

/** A code point made ready for the wire. */
export interface PointInfo {
  readonly name: string;
  /** The 16-bit class. */
  readonly cls: number;
  readonly number: number;
  /** 0 for standard classes. */
  readonly experimenter: number;
  /** The 4-byte header without and with a mask; the length of variable fields is that of the longest. */
  readonly header: number;
  readonly maskedHeader: number;
}

/** A row of the field table with what the codec needs at hand. */
export interface FieldInfo {
  readonly name: FieldName;
  readonly spec: FieldSpec;
  /** Place in the table, which is the order on the wire. */
  readonly rank: number;
  readonly bytes: number;
  readonly bits: number;
  readonly wide: boolean;
  readonly variable: boolean;
  /** Which prerequisites of other fields this one states, and which it has itself: bits of `PREREQUISITE`. */
  readonly gives: number;
  readonly wants: number;
  /** All ones. */
  readonly ones: number | bigint;
  readonly points: readonly PointInfo[];
  /** The code point of headers inside Nicira actions: the oldest. */
  readonly first: PointInfo;
  /** The code point of OXMs, by wire version. */
  readonly byVersion: Readonly<Record<WireVersion, PointInfo>>;
}

/** The fields that other fields depend on. */
const PREREQUISITE: { readonly [F in FieldName]?: number } = {
  packet_type: 1,
  eth_type: 2,
  vlan_vid: 4,
  nw_proto: 8,
  icmpv6_type: 16,
  icmpv6_code: 32,
  ct_state: 64,
};
const WANTS: { readonly [N in FieldNeeds]: number } = {
  vlan: 4,
  mpls: 2,
  ip: 2,
  ipv4: 2,
  ipv6: 2,
  arp: 2,
  nsh: 3,
  tcp: 10,
  udp: 10,
  sctp: 10,
  icmp: 10,
  icmp6: 10,
  nd: 58,
  nd_solicit: 58,
  nd_advert: 58,
  ct: 66,
};

function pointInfo([name, cls, number]: CodePoint, bytes: number): PointInfo {
  const experimenter = cls > 0xffff ? cls % 0x1_0000_0000 : 0;
  const cls16 = cls > 0xffff ? 0xffff : cls;
  const extra = experimenter === 0 ? 0 : 4;
  const base = ((cls16 << 16) | (number << 9)) >>> 0;
  return {
    name,
    cls: cls16,
    number,
    experimenter,
    header: base + bytes + extra,
    maskedHeader: base + 0x100 + ((bytes * 2 + extra) & 0xff),
  };
}

function fieldInfo(name: FieldName, rank: number): FieldInfo {
  const spec: FieldSpec = FIELDS[name];
  const points = spec.points.map((point) => pointInfo(point, spec.bytes));
  const latest = (version: WireVersion): PointInfo => {
    let best = points[0] as PointInfo;
    spec.points.forEach(([, , , since], i) => {
      if (since === undefined || VERSIONS[since] <= version) best = points[i] as PointInfo;
    });
    return best;
  };
  const bits = spec.bits ?? spec.bytes * 8;
  const wide = spec.bytes > 4;
  return {
    name,
    spec,
    rank,
    bytes: spec.bytes,
    bits,
    wide,
    variable: spec.bytes === 124,
    gives: PREREQUISITE[name] ?? 0,
    wants: spec.needs === undefined ? 0 : WANTS[spec.needs],
    ones: wide ? (1n << BigInt(spec.bytes * 8)) - 1n : 2 ** (spec.bytes * 8) - 1,
    points,
    first: points[0] as PointInfo,
    byVersion: { 4: latest(4), 5: latest(5), 6: latest(6) },
  };
}

/** All fields, in wire order. */
export const FIELD_LIST: readonly FieldInfo[] = (Object.keys(FIELDS) as FieldName[]).map(fieldInfo);
/** By name. */
export const FIELD_INFO = Object.fromEntries(FIELD_LIST.map((info) => [info.name, info])) as Readonly<
  Record<FieldName, FieldInfo>
>;

const standard = new Map<number, FieldInfo>();
const experimenters = new Map<number, FieldInfo>();
const byText = new Map<string, FieldInfo>();
const byPoint = new Map<string, FieldInfo>();
for (const info of FIELD_LIST) {
  byText.set(info.name, info);
  for (const alias of info.spec.aka ?? []) byText.set(alias, info);
  for (const point of info.points) {
    byPoint.set(point.name, info);
    if (point.experimenter === 0) standard.set(point.header >>> 9, info);
    else experimenters.set(point.experimenter * 128 + point.number, info);
  }
}

/** The field of a 4-byte header (and the experimenter behind it, for class 0xffff). */
export const fieldOfHeader = (header: number, experimenter: number): FieldInfo | undefined =>
  header >>> 16 === 0xffff
    ? experimenters.get(experimenter * 128 + ((header >>> 9) & 0x7f))
    : standard.get(header >>> 9);

/** As `fieldOfHeader`, for a bare header: its length must be the field's, and it has no mask. */
export function fieldOfExactHeader(header: number, experimenter: number): FieldInfo | undefined {
  const info = fieldOfHeader(header, experimenter);
  if (info === undefined || header & 0x100) return undefined;
  const length = (header & 0xff) - (header >>> 16 === 0xffff ? 4 : 0);
  return info.variable || length === info.bytes ? info : undefined;
}

/** By name or alias. */
export const fieldByName = (name: string): FieldInfo | undefined => byText.get(name);
/** By code point name such as `NXM_NX_REG0`. */
export const fieldByPoint = (name: string): FieldInfo | undefined => byPoint.get(name);
