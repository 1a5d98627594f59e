import { VERSIONS, type WireVersion } from '../version.js';
import { type CodePoint, FIELDS, type FieldName, type FieldSpec } from './table.js';

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
  /** All ones. */
  readonly ones: number | bigint;
  readonly points: readonly PointInfo[];
  /** The code point of headers inside Nicira actions: the oldest. */
  readonly first: PointInfo;
  /** The code point of OXMs, by wire version. */
  readonly byVersion: Readonly<Record<WireVersion, PointInfo>>;
}

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

/** By name or alias. */
export const fieldByName = (name: string): FieldInfo | undefined => byText.get(name);
/** By code point name such as `NXM_NX_REG0`. */
export const fieldByPoint = (name: string): FieldInfo | undefined => byPoint.get(name);
