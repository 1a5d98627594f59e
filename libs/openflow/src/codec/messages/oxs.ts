import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';

// struct ofp_stats { u16 reserved; u16 length; oxs[]; pad to 8 }; oxs { u16 class 0x8002; u8 field << 1; u8 length; value }   OF1.5, 7.2.4
const CLASS = 0x8002;
const OXS = { DURATION: 0, IDLE_TIME: 1, FLOW_COUNT: 3, PACKET_COUNT: 4, BYTE_COUNT: 5 } as const;

/** What older versions say of counters that are not kept. */
const UNSAID = 0xffff_ffff_ffff_ffffn;

/** Counters of a flow; all ones where they are not kept. */
export interface Counters {
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly packetCount: bigint;
  readonly byteCount: bigint;
  /** Seconds since the flow last matched, and how many flows (aggregates), where the peer says so. */
  readonly idleSec?: number;
  readonly idleNsec?: number;
  readonly flowCount?: number;
}

/** Reads an ofp_stats with its padding; statistics that are not known are passed over. */
export function readStats(r: ByteReader): Counters {
  const start = r.pos;
  r.u16();
  const length = r.u16();
  if (length < 4 || length > r.end - start) r.fail(`statistics of ${length} bytes`, start);
  const outer = r.end;
  r.end = start + length;
  const c: { -readonly [K in keyof Counters]: Counters[K] } = {
    durationSec: 0,
    durationNsec: 0,
    packetCount: UNSAID,
    byteCount: UNSAID,
  };
  while (r.pos < r.end) {
    const cls = r.u16();
    const field = r.u8() >>> 1;
    const size = r.u8();
    const next = r.pos + size;
    if (next > r.end) r.fail(`statistic of ${size} bytes`);
    const key = cls === CLASS && (size === 8 || (size === 4 && field === OXS.FLOW_COUNT)) ? field : -1;
    if (key === OXS.DURATION) {
      c.durationSec = r.u32();
      c.durationNsec = r.u32();
    } else if (key === OXS.IDLE_TIME) {
      c.idleSec = r.u32();
      c.idleNsec = r.u32();
    } else if (key === OXS.FLOW_COUNT && size === 4) c.flowCount = r.u32();
    else if (key === OXS.PACKET_COUNT) c.packetCount = r.u64();
    else if (key === OXS.BYTE_COUNT) c.byteCount = r.u64();
    r.pos = next;
  }
  r.end = outer;
  r.pos = Math.min(start + ((length + 7) & ~7), outer);
  return c;
}

/** Writes an ofp_stats. */
export function writeStats(w: ByteWriter, c: Partial<Counters>): void {
  const start = w.skip(4);
  const header = (field: number, size: number): void => {
    w.u16(CLASS);
    w.u8(field << 1);
    w.u8(size);
  };
  if (c.durationSec !== undefined) {
    header(OXS.DURATION, 8);
    w.u32(c.durationSec);
    w.u32(c.durationNsec ?? 0);
  }
  if (c.idleSec !== undefined) {
    header(OXS.IDLE_TIME, 8);
    w.u32(c.idleSec);
    w.u32(c.idleNsec ?? 0);
  }
  if (c.flowCount !== undefined) {
    header(OXS.FLOW_COUNT, 4);
    w.u32(c.flowCount);
  }
  if (c.packetCount !== undefined && c.packetCount !== UNSAID) {
    header(OXS.PACKET_COUNT, 8);
    w.u64(c.packetCount);
  }
  if (c.byteCount !== undefined && c.byteCount !== UNSAID) {
    header(OXS.BYTE_COUNT, 8);
    w.u64(c.byteCount);
  }
  w.closeLength(start + 2, start, 'stats');
  w.align8(start);
}
