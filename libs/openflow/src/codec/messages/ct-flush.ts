import type { IpValue } from '../actions/types.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import type { CtFlush, CtTuple } from './extension-types.js';
import { isU16, readProperties, writeKept, writeProperty, writeU16 } from './properties.js';
import { type MessageRow, nicira } from './row.js';

// enum nx_ct_flush_tlv_type and, nested in the first two, enum nx_ct_flush_tuple_tlv_type
const PROP = { ORIGINAL: 0, REPLY: 1, ZONE: 2, MARK: 3, MARK_MASK: 4, LABEL: 5, LABEL_MASK: 6 } as const;
const TUPLE = { SRC: 0, DST: 1, SRC_PORT: 2, DST_PORT: 3, ICMP_ID: 4, ICMP_TYPE: 5, ICMP_CODE: 6 } as const;

// IPv4 addresses travel as ::ffff:a.b.c.d.
const MAPPED = 0xffffn;
const fromWire = (value: bigint): IpValue =>
  value >> 32n === MAPPED ? { family: 4, value: Number(value & 0xffff_ffffn) } : { family: 6, value };
const toWire = (ip: IpValue): bigint => (ip.family === 4 ? (MAPPED << 32n) | BigInt(ip.value) : ip.value);

function writeTuple(w: ByteWriter, type: number, t: CtTuple | undefined): void {
  if (t === undefined) return;
  writeProperty(w, type, () => {
    w.skip(4);
    const { src, dst, srcPort, dstPort, icmpId, icmpType, icmpCode } = t;
    if (src !== undefined) writeProperty(w, TUPLE.SRC, () => w.big(toWire(src), 16));
    if (dst !== undefined) writeProperty(w, TUPLE.DST, () => w.big(toWire(dst), 16));
    if (icmpId !== undefined) writeProperty(w, TUPLE.ICMP_ID, () => writeU16(w, icmpId));
    if (icmpType !== undefined) writeProperty(w, TUPLE.ICMP_TYPE, () => w.u8(icmpType));
    if (icmpCode !== undefined) writeProperty(w, TUPLE.ICMP_CODE, () => w.u8(icmpCode));
    if (srcPort !== undefined) writeProperty(w, TUPLE.SRC_PORT, () => writeU16(w, srcPort));
    if (dstPort !== undefined) writeProperty(w, TUPLE.DST_PORT, () => writeU16(w, dstPort));
    writeKept(w, t.properties);
  });
}
function readTuple(r: ByteReader): CtTuple {
  r.skip(4);
  const t: { -readonly [K in keyof CtTuple]: CtTuple[K] } = {};
  const properties = readProperties(r, (type) => {
    const bytes = r.left;
    if (type === TUPLE.SRC && bytes === 16) t.src = fromWire(r.big(16));
    else if (type === TUPLE.DST && bytes === 16) t.dst = fromWire(r.big(16));
    else if (type === TUPLE.SRC_PORT && isU16(r)) t.srcPort = r.u16();
    else if (type === TUPLE.DST_PORT && isU16(r)) t.dstPort = r.u16();
    else if (type === TUPLE.ICMP_ID && isU16(r)) t.icmpId = r.u16();
    else if (type === TUPLE.ICMP_TYPE && bytes === 1) t.icmpType = r.u8();
    else if (type === TUPLE.ICMP_CODE && bytes === 1) t.icmpCode = r.u8();
    else return false;
    return true;
  });
  if (properties !== undefined) t.properties = properties;
  return t;
}

// struct nx_ct_flush { u8 ip_proto; pad[7]; properties }
const ctFlush: MessageRow<CtFlush> = {
  id: nicira(32),
  write: (w, m) => {
    w.u8(m.nwProto);
    w.skip(7);
    writeTuple(w, PROP.ORIGINAL, m.original);
    writeTuple(w, PROP.REPLY, m.reply);
    const { zone, mark, markMask, label, labelMask } = m;
    if (zone !== undefined) writeProperty(w, PROP.ZONE, () => writeU16(w, zone));
    if (mark !== undefined) writeProperty(w, PROP.MARK, () => w.u32(mark));
    if (markMask !== undefined) writeProperty(w, PROP.MARK_MASK, () => w.u32(markMask));
    if (label !== undefined) writeProperty(w, PROP.LABEL, () => w.big(label, 16));
    if (labelMask !== undefined) writeProperty(w, PROP.LABEL_MASK, () => w.big(labelMask, 16));
    writeKept(w, m.properties);
  },
  read: (r) => {
    const m: { -readonly [K in keyof CtFlush]: CtFlush[K] } = { kind: 'ct_flush', nwProto: r.u8() };
    r.skip(7);
    const properties = readProperties(r, (type) => {
      const bytes = r.left;
      if (type === PROP.ORIGINAL && bytes >= 4) m.original = readTuple(r);
      else if (type === PROP.REPLY && bytes >= 4) m.reply = readTuple(r);
      else if (type === PROP.ZONE && isU16(r)) m.zone = r.u16();
      else if (type === PROP.MARK && bytes === 4) m.mark = r.u32();
      else if (type === PROP.MARK_MASK && bytes === 4) m.markMask = r.u32();
      else if ((type === PROP.LABEL || type === PROP.LABEL_MASK) && bytes === 16)
        m[type === PROP.LABEL ? 'label' : 'labelMask'] = r.big(16);
      else return false;
      return true;
    });
    if (properties !== undefined) m.properties = properties;
    return m;
  },
};

export const CT_ROWS = { ct_flush: ctFlush };
