import { readInstructions, writeInstructions } from '../actions/instructions.js';
import { readMatch, writeMatch } from '../fields/oxm.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { element, type MultipartRow, noRequest } from './multipart-row.js';
import type { FlowStats, FlowStatsFilter } from './multipart-types.js';
import { readStats, writeStats } from './oxs.js';
import { standard } from './row.js';

// Flows and tables.

// struct ofp_flow_stats_request { u8 table; pad[3]; u32 out_port, out_group; pad[4]; u64 cookie, cookie_mask; match }
function writeFilter(w: ByteWriter, f: FlowStatsFilter, version: WireVersion): void {
  w.u8(f.tableId);
  w.skip(3);
  w.u32(f.outPort);
  w.u32(f.outGroup);
  w.skip(4);
  w.u64(f.cookie);
  w.u64(f.cookieMask);
  writeMatch(w, f.match, version);
}
function readFilter(r: ByteReader): FlowStatsFilter {
  const tableId = r.u8();
  r.skip(3);
  const outPort = r.u32();
  const outGroup = r.u32();
  r.skip(4);
  return { tableId, outPort, outGroup, cookie: r.u64(), cookieMask: r.u64(), match: readMatch(r) };
}

// 1.3, 1.4: { u16 length; u8 table; pad; u32 sec, nsec; u16 priority, idle, hard, flags, importance (1.4); pad[2]; u64 cookie, packets, bytes; match; instructions }
// 1.5: { u16 length; pad[2]; u8 table; pad; u16 priority, idle, hard, flags, importance; u64 cookie; match; stats; instructions }
function readFlow(r: ByteReader, version: WireVersion): FlowStats {
  const outer = element(r, version === 6 ? 24 : 48);
  r.pos += 2;
  let flow: FlowStats;
  if (version === 6) {
    r.skip(2);
    const tableId = r.u8();
    r.skip(1);
    const priority = r.u16();
    const idleTimeout = r.u16();
    const hardTimeout = r.u16();
    const flags = r.u16();
    const importance = r.u16();
    const cookie = r.u64();
    const match = readMatch(r);
    const stats = readStats(r);
    const instructions = readInstructions(r, version);
    flow = { tableId, priority, cookie, match, instructions, idleTimeout, hardTimeout, flags, importance, ...stats };
  } else {
    const tableId = r.u8();
    r.skip(1);
    const durationSec = r.u32();
    const durationNsec = r.u32();
    const priority = r.u16();
    const idleTimeout = r.u16();
    const hardTimeout = r.u16();
    const flags = r.u16();
    const importance = r.u16();
    r.skip(2);
    const cookie = r.u64();
    const packetCount = r.u64();
    const byteCount = r.u64();
    const match = readMatch(r);
    const instructions = readInstructions(r, version);
    flow = {
      tableId,
      priority,
      cookie,
      match,
      instructions,
      durationSec,
      durationNsec,
      idleTimeout,
      hardTimeout,
      flags,
      importance: version === 4 ? 0 : importance,
      packetCount,
      byteCount,
    };
  }
  r.end = outer;
  return flow;
}
function writeFlow(w: ByteWriter, f: FlowStats, version: WireVersion): void {
  const start = w.skip(2);
  if (version === 6) {
    w.skip(2);
    w.u8(f.tableId);
    w.skip(1);
    w.u16(f.priority);
    w.u16(f.idleTimeout);
    w.u16(f.hardTimeout);
    w.u16(f.flags);
    w.u16(f.importance);
    w.u64(f.cookie);
    writeMatch(w, f.match, version);
    writeStats(w, f);
  } else {
    w.u8(f.tableId);
    w.skip(1);
    w.u32(f.durationSec);
    w.u32(f.durationNsec);
    w.u16(f.priority);
    w.u16(f.idleTimeout);
    w.u16(f.hardTimeout);
    w.u16(f.flags);
    w.u16(version === 4 ? 0 : f.importance);
    w.skip(2);
    w.u64(f.cookie);
    w.u64(f.packetCount);
    w.u64(f.byteCount);
    writeMatch(w, f.match, version);
  }
  writeInstructions(w, f.instructions, version);
  w.closeLength(start, start, 'flow');
}

export const FLOW_MULTIPART: { readonly [T in 'flow' | 'aggregate' | 'table']: MultipartRow<T> } = {
  flow: {
    id: standard(1),
    writeRequest: writeFilter,
    readRequest: (r) => ({ type: 'flow', ...readFilter(r) }),
    write: writeFlow,
    read: readFlow,
  },
  // { u64 packets, bytes; u32 flows; pad[4] }; 1.5: stats
  aggregate: {
    id: standard(2),
    writeRequest: writeFilter,
    readRequest: (r) => ({ type: 'aggregate', ...readFilter(r) }),
    write: (w, e, version) => {
      if (version === 6)
        return writeStats(w, { packetCount: e.packetCount, byteCount: e.byteCount, flowCount: e.flowCount });
      w.u64(e.packetCount);
      w.u64(e.byteCount);
      w.u32(e.flowCount);
      w.skip(4);
    },
    read: (r, version) => {
      if (version === 6) {
        const { packetCount, byteCount, flowCount = 0 } = readStats(r);
        return { packetCount, byteCount, flowCount };
      }
      const e = { packetCount: r.u64(), byteCount: r.u64(), flowCount: r.u32() };
      r.skip(4);
      return e;
    },
  },
  // { u8 table; pad[3]; u32 active; u64 lookup, matched }
  table: {
    id: standard(3),
    ...noRequest('table'),
    write: (w, e) => {
      w.u8(e.tableId);
      w.skip(3);
      w.u32(e.activeCount);
      w.u64(e.lookupCount);
      w.u64(e.matchedCount);
    },
    read: (r) => {
      const tableId = r.u8();
      r.skip(3);
      return { tableId, activeCount: r.u32(), lookupCount: r.u64(), matchedCount: r.u64() };
    },
  },
};
