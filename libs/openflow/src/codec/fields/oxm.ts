import { OpenFlowEncodeError } from '../errors.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { FIELD_INFO, type FieldInfo, fieldOfExactHeader, fieldOfHeader, type PointInfo } from './info.js';
import type { Match, Subfield, UnknownOxm } from './match.js';
import type { FieldName } from './table.js';

// struct oxm { u16 class; u7 field; u1 hasmask; u8 length; [u32 experimenter;] value; [mask;] }      OF1.3+, 7.2.3.2

/** A value that fits its field; the caller's mistakes are named, not truncated. */
function writeValue(w: ByteWriter, info: FieldInfo, value: number | bigint, bytes: number): void {
  if (info.wide) {
    if (typeof value !== 'bigint' || value < 0n || value > (info.ones as bigint))
      throw new OpenFlowEncodeError(info.name, `${value} is not a ${info.bytes * 8}-bit bigint`);
    w.big(value, bytes);
    return;
  }
  if (typeof value !== 'number' || !(value >= 0 && value <= (info.ones as number)) || !Number.isInteger(value))
    throw new OpenFlowEncodeError(info.name, `${value} is not a ${info.bytes * 8}-bit number`);
  if (bytes === 4) w.u32(value);
  else if (bytes === 2) w.u16(value);
  else w.u8(value);
}

/** The fewest bytes that hold `value`, at least one. */
function bytesOf(value: bigint): number {
  return Math.max(1, Math.ceil(value.toString(16).length / 2));
}

/** Writes one OXM. `bytes` matters for tun_metadata only. */
export function writeOxm(
  w: ByteWriter,
  info: FieldInfo,
  value: number | bigint,
  mask: number | bigint | undefined,
  version: WireVersion,
  bytes?: number,
): void {
  const point = info.byVersion[version];
  let size = info.bytes;
  if (info.variable) {
    const longest = mask === undefined || (mask as bigint) < (value as bigint) ? (value as bigint) : (mask as bigint);
    size = bytes ?? bytesOf(longest);
    if (longest >> BigInt(8 * size) !== 0n)
      throw new OpenFlowEncodeError(info.name, `value does not fit ${size} bytes`);
    const length = (point.experimenter === 0 ? 0 : 4) + (mask === undefined ? size : size * 2);
    w.u32((((point.cls << 16) | (point.number << 9)) >>> 0) + (mask === undefined ? 0 : 0x100) + length);
  } else {
    w.u32(mask === undefined ? point.header : point.maskedHeader);
    if (point.experimenter !== 0) w.u32(point.experimenter);
  }
  writeValue(w, info, value, size);
  if (mask !== undefined) {
    writeValue(w, info, mask, size);
  }
}

function writeUnknownOxm(w: ByteWriter, oxm: UnknownOxm): void {
  w.u16(oxm.oxmClass);
  w.u8((oxm.field << 1) | (oxm.hasMask ? 1 : 0));
  w.u8(oxm.body.length);
  w.raw(oxm.body);
}

const rankOf = (name: string): number => FIELD_INFO[name as FieldName]?.rank ?? Number.MAX_SAFE_INTEGER;

/** A peer checks prerequisites as it reads, so a field must not stand before one that it depends on. Otherwise the order is kept. */
export function ordered(names: string[]): string[] {
  let wanted = 0;
  for (const name of names) {
    const info = FIELD_INFO[name as FieldName];
    if (info === undefined) continue;
    if ((wanted & info.gives) !== 0) return names.sort((a, b) => rankOf(a) - rankOf(b));
    wanted |= info.wants;
  }
  return names;
}

/** Writes the OXMs of a match without header or padding. */
export function writeOxms(w: ByteWriter, match: Match, version: WireVersion): void {
  for (const name of ordered(Object.keys(match))) {
    const info = FIELD_INFO[name as FieldName];
    if (info === undefined) {
      if (name === 'unknown' || name === 'tlvBytes') continue;
      throw new OpenFlowEncodeError('match', `no field is called ${name}`);
    }
    const entry = match[name as FieldName] as number | bigint | readonly [number | bigint, number | bigint] | undefined;
    if (entry === undefined) continue;
    if (typeof entry === 'object') {
      if (info.spec.mask === 'no') throw new OpenFlowEncodeError(info.name, 'this field cannot be masked');
      // Bits outside the mask must be zero, or a peer refuses the match.
      const value =
        typeof entry[0] === 'bigint' ? entry[0] & (entry[1] as bigint) : (entry[0] & (entry[1] as number)) >>> 0;
      writeOxm(w, info, value, entry[1], version, match.tlvBytes?.[info.name]);
    } else writeOxm(w, info, entry, undefined, version, match.tlvBytes?.[info.name]);
  }
  if (match.unknown !== undefined) for (const oxm of match.unknown) writeUnknownOxm(w, oxm);
}

const readValue = (r: ByteReader, info: FieldInfo, bytes: number): number | bigint => {
  if (info.wide) return r.big(bytes);
  return bytes === 4 ? r.u32() : bytes === 2 ? r.u16() : r.u8();
};

/** One OXM as it was read. */
export interface OxmEntry {
  readonly info: FieldInfo;
  readonly value: number | bigint;
  readonly mask: number | bigint | undefined;
  /** Bytes of the value. */
  readonly bytes: number;
}

/** Reads one OXM that must be of a known field, or returns undefined with `pos` unchanged. */
export function readOxm(r: ByteReader): OxmEntry | undefined {
  const start = r.pos;
  const header = r.u32();
  const length = header & 0xff;
  if (length > r.end - r.pos) r.fail(`OXM of ${length} bytes, ${r.end - r.pos} left`, start);
  const exp = header >>> 16 === 0xffff;
  if (exp && length < 4) r.fail('experimenter OXM without an experimenter', start);
  const info = fieldOfHeader(header, exp ? r.u32() : 0);
  if (info === undefined) {
    r.pos = start;
    return undefined;
  }
  const masked = (header & 0x100) !== 0;
  const payload = exp ? length - 4 : length;
  let bytes = info.bytes;
  if (info.variable) {
    bytes = masked ? payload >> 1 : payload;
    // No bytes at all means "the option is there".
    if (bytes > info.bytes || (masked && payload & 1)) {
      r.pos = start;
      return undefined;
    }
  } else if (payload !== (masked ? bytes * 2 : bytes)) {
    // The length is part of a field's identity: a known number with another length is another, unknown field.
    r.pos = start;
    return undefined;
  }
  const value = readValue(r, info, bytes);
  return { info, value, mask: masked ? readValue(r, info, bytes) : undefined, bytes };
}

/**
 * Value and mask. The same few pairs (bits of ct_state, of registers) stand in many flows, so those of small numbers are shared;
 * frozen, because nobody may change the flow of another.
 */
function pairOf(value: number | bigint, mask: number | bigint): Pair {
  if (typeof value === 'bigint' || typeof mask === 'bigint' || mask > 0xffff) return [value, mask];
  const place = (value * 31 + mask) & (SHARED_PAIRS - 1);
  const known = PAIRS[place];
  if (known !== undefined && known[0] === value && known[1] === mask) return known;
  const pair: Pair = Object.freeze([value, mask] as const);
  PAIRS[place] = pair;
  return pair;
}
type Pair = readonly [number | bigint, number | bigint];
const SHARED_PAIRS = 256;
const PAIRS: (Pair | undefined)[] = new Array(SHARED_PAIRS).fill(undefined);

/** Reads OXMs up to `r.end`. A field that comes twice is an error, as it is for Open vSwitch. */
export function readOxms(r: ByteReader): Match {
  const match: Record<string, unknown> = {};
  let unknown: UnknownOxm[] | undefined;
  let tlvBytes: Record<string, number> | undefined;
  while (r.pos < r.end) {
    const start = r.pos;
    const entry = readOxm(r);
    if (entry === undefined) {
      const header = r.u32();
      unknown ??= [];
      unknown.push({
        oxmClass: header >>> 16,
        field: (header >>> 9) & 0x7f,
        hasMask: (header & 0x100) !== 0,
        body: r.copy(header & 0xff),
      });
      continue;
    }
    const { info, value, mask } = entry;
    if (match[info.name] !== undefined) r.fail(`${info.name} comes twice`, start);
    if (mask !== undefined && info.spec.mask === 'no' && mask !== info.ones)
      r.fail(`${info.name} cannot be masked`, start);
    match[info.name] = mask === undefined || info.spec.mask === 'no' ? value : pairOf(value, mask);
    if (info.variable) {
      const longest = mask === undefined || (mask as bigint) < (value as bigint) ? value : mask;
      if (bytesOf(longest as bigint) !== entry.bytes) {
        tlvBytes ??= {};
        tlvBytes[info.name] = entry.bytes;
      }
    }
  }
  if (unknown !== undefined) match.unknown = unknown;
  if (tlvBytes !== undefined) match.tlvBytes = tlvBytes;
  return match as Match;
}

// struct ofp_match { u16 type = 1; u16 length (without padding); oxm[]; pad to 8 }

/** Writes a whole ofp_match. */
export function writeMatch(w: ByteWriter, match: Match, version: WireVersion): void {
  const start = w.skip(4);
  w.setU16(start, 1);
  writeOxms(w, match, version);
  w.closeLength(start + 2, start, 'match');
  w.align8(start);
}

/** Reads a whole ofp_match with its padding. */
export function readMatch(r: ByteReader): Match {
  r.enter('match');
  const start = r.pos;
  const type = r.u16();
  if (type !== 1) r.fail(`match type ${type}, want 1 (OXM)`, start);
  const length = r.u16();
  if (length < 4) r.fail(`match of ${length} bytes`, start);
  const outer = r.narrow(length - 4);
  const match = readOxms(r);
  r.end = outer;
  const pad = (8 - (length & 7)) & 7;
  r.skip(pad);
  r.leave();
  return match;
}

/** Writes a bare OXM header: 4 bytes, or 8 for an experimenter's field. */
export function writeHeader(w: ByteWriter, point: PointInfo): void {
  w.u32(point.header);
  if (point.experimenter !== 0) w.u32(point.experimenter);
}

/** Reads a bare header; undefined if the field is not known. */
export function readHeader(r: ByteReader): FieldInfo | undefined {
  const header = r.u32();
  return fieldOfExactHeader(header, header >>> 16 === 0xffff ? r.u32() : 0);
}

/** Offset and size of a subfield in 16 bits: offset << 6 | bits - 1. */
export const ofsNbits = (s: Subfield): number => {
  const { bytes } = FIELD_INFO[s.field];
  if (!(s.bits >= 1 && s.bits <= 64 && s.offset >= 0 && s.offset + s.bits <= bytes * 8))
    throw new OpenFlowEncodeError(s.field, `no bits ${s.offset}..${s.offset + s.bits - 1} for this action`);
  return (s.offset << 6) | (s.bits - 1);
};
/** The reverse of `ofsNbits`. Undefined when the field has no such bits. */
export function subfieldOf(info: FieldInfo | undefined, packed: number): Subfield | undefined {
  if (info === undefined) return undefined;
  const known = SUBFIELDS.get(info.rank * 0x10000 + packed);
  if (known !== undefined) return known;
  const offset = packed >>> 6;
  const bits = (packed & 0x3f) + 1;
  if (offset + bits > info.bytes * 8) return undefined;
  const subfield = { field: info.name, offset, bits };
  if (SUBFIELDS.size < MAX_SUBFIELDS) SUBFIELDS.set(info.rank * 0x10000 + packed, subfield);
  return subfield;
}
/** A pipeline names few subfields, in many flows: those met first are shared. */
const SUBFIELDS = new Map<number, Subfield>();
const MAX_SUBFIELDS = 1024;
