import { readInstructions, writeInstructions } from '../actions/instructions.js';
import { readMatch, writeMatch } from '../fields/oxm.js';
import { GROUP, PORT } from '../ports.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { readBands, writeBands } from './control.js';
import { GROUP_TYPE, readBuckets, readGroupProperties, writeBuckets, writeGroupProperties } from './group.js';
import type {
  FlowStats,
  FlowStatsFilter,
  MultipartElements,
  MultipartReply,
  MultipartRequest,
  MultipartType,
} from './multipart-types.js';
import { readStats, writeStats } from './oxs.js';
import { readPort, writePort } from './port.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { type MessageRow, standard } from './row.js';

// struct ofp_multipart { u16 type, flags; pad[4]; body }      OF1.3+, 7.3.5
const MORE = 1;

type RequestOf<T> = Extract<MultipartRequest, { type: T }>;
type KnownType = Exclude<MultipartType, 'unknown'>;

/** A kind of multipart: the request's body, and one element of the reply. */
interface MultipartRow<T extends KnownType> {
  readonly type: number;
  writeRequest(w: ByteWriter, m: RequestOf<T>, version: WireVersion): void;
  readRequest(r: ByteReader, version: WireVersion): Omit<RequestOf<T>, 'kind' | 'more'>;
  write(w: ByteWriter, e: MultipartElements[T], version: WireVersion): void;
  read(r: ByteReader, version: WireVersion): MultipartElements[T];
}

const noRequest = <T extends 'desc' | 'table' | 'group_features' | 'meter_features' | 'table_desc'>(type: T) => ({
  writeRequest: () => {},
  readRequest: () => ({ type }) as Omit<RequestOf<T>, 'kind' | 'more'>,
});
/** A u32 and four bytes of padding. */
const oneNumber = <T extends KnownType>(
  get: (m: RequestOf<T>) => number,
  make: (n: number) => Omit<RequestOf<T>, 'kind' | 'more'>,
) => ({
  writeRequest: (w: ByteWriter, m: RequestOf<T>) => {
    w.u32(get(m));
    w.skip(4);
  },
  readRequest: (r: ByteReader) => {
    const n = r.u32();
    r.skip(4);
    return make(n);
  },
});

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

/** Reads the length of an element at its beginning and narrows to it. Returns the outer end. */
function element(r: ByteReader, least: number, lengthAt = 0): number {
  const start = r.pos;
  const length = r.peekU16(start + lengthAt);
  if (length < least || length > r.end - start) r.fail(`element of ${length} bytes, ${r.end - start} left`, start);
  const outer = r.end;
  r.end = start + length;
  return outer;
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

const DESC = [
  ['manufacturer', 256],
  ['hardware', 256],
  ['software', 256],
  ['serial', 32],
  ['datapath', 256],
] as const;

const PORT_COUNTERS = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxDropped',
  'txDropped',
  'rxErrors',
  'txErrors',
] as const;
const PORT_ETHERNET = ['rxFrameErrors', 'rxOverErrors', 'rxCrcErrors', 'collisions'] as const;
type Counter = (typeof PORT_COUNTERS)[number] | (typeof PORT_ETHERNET)[number];

const ROWS: { readonly [T in KnownType]: MultipartRow<T> } = {
  desc: {
    type: 0,
    ...noRequest('desc'),
    write: (w, e) => {
      for (const [key, size] of DESC) {
        const at = w.skip(size);
        for (let i = 0; i < Math.min(e[key].length, size - 1); i++) w.setU8(at + i, e[key].charCodeAt(i));
      }
    },
    read: (r) => {
      const e = { manufacturer: '', hardware: '', software: '', serial: '', datapath: '' };
      for (const [key, size] of DESC) e[key] = r.text(size);
      return e;
    },
  },
  flow: {
    type: 1,
    writeRequest: writeFilter,
    readRequest: (r) => ({ type: 'flow', ...readFilter(r) }),
    write: writeFlow,
    read: readFlow,
  },
  // { u64 packets, bytes; u32 flows; pad[4] }; 1.5: stats
  aggregate: {
    type: 2,
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
    type: 3,
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
  // 1.3: { u32 port; pad[4]; u64 counters[12]; u32 sec, nsec }; 1.4: { u16 length; pad[2]; u32 port, sec, nsec; u64 counters[8]; properties }
  port: {
    type: 4,
    ...oneNumber<'port'>(
      (m) => m.portNo,
      (portNo) => ({ type: 'port', portNo }),
    ),
    write: (w, e, version) => {
      const start = w.length;
      if (version === 4) {
        w.u32(e.portNo);
        w.skip(4);
        for (const key of [...PORT_COUNTERS, ...PORT_ETHERNET]) w.u64(e[key]);
        w.u32(e.durationSec);
        w.u32(e.durationNsec);
        return;
      }
      w.skip(4);
      w.u32(e.portNo);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      for (const key of PORT_COUNTERS) w.u64(e[key]);
      writeProperty(w, 0, () => {
        w.skip(4);
        for (const key of PORT_ETHERNET) w.u64(e[key]);
      });
      writeKept(w, e.properties);
      w.closeLength(start, start, 'port stats');
    },
    read: (r, version) => {
      const c = {} as { [K in Counter]: bigint };
      if (version === 4) {
        const portNo = r.u32();
        r.skip(4);
        for (const key of PORT_COUNTERS) c[key] = r.u64();
        for (const key of PORT_ETHERNET) c[key] = r.u64();
        return { portNo, ...c, durationSec: r.u32(), durationNsec: r.u32() };
      }
      const outer = element(r, 80);
      r.skip(4);
      const portNo = r.u32();
      const durationSec = r.u32();
      const durationNsec = r.u32();
      for (const key of PORT_COUNTERS) c[key] = r.u64();
      for (const key of PORT_ETHERNET) c[key] = 0xffff_ffff_ffff_ffffn;
      const properties = readProperties(r, (type) => {
        if (type !== 0) return false;
        r.skip(4);
        for (const key of PORT_ETHERNET) c[key] = r.u64();
        return true;
      });
      r.end = outer;
      return { portNo, ...c, durationSec, durationNsec, ...(properties && { properties }) };
    },
  },
  // 1.3: { u32 port, queue; u64 tx_bytes, tx_packets, tx_errors; u32 sec, nsec }; 1.4: { u16 length; pad[6]; the same; properties }
  queue: {
    type: 5,
    writeRequest: (w, m) => {
      w.u32(m.portNo);
      w.u32(m.queueId);
    },
    readRequest: (r) => ({ type: 'queue', portNo: r.u32(), queueId: r.u32() }),
    write: (w, e, version) => {
      const start = w.length;
      if (version !== 4) w.skip(8);
      w.u32(e.portNo);
      w.u32(e.queueId);
      w.u64(e.txBytes);
      w.u64(e.txPackets);
      w.u64(e.txErrors);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      writeKept(w, e.properties);
      if (version !== 4) w.closeLength(start, start, 'queue stats');
    },
    read: (r, version) => {
      const outer = version === 4 ? r.end : element(r, 48);
      if (version !== 4) r.skip(8);
      const e = {
        portNo: r.u32(),
        queueId: r.u32(),
        txBytes: r.u64(),
        txPackets: r.u64(),
        txErrors: r.u64(),
        durationSec: r.u32(),
        durationNsec: r.u32(),
      };
      const properties = version === 4 ? undefined : readProperties(r, () => false);
      r.end = outer;
      return { ...e, ...(properties && { properties }) };
    },
  },
  // { u16 length; pad[2]; u32 group, ref_count; pad[4]; u64 packets, bytes; u32 sec, nsec; { u64 packets, bytes }[] }
  group: {
    type: 6,
    ...oneNumber<'group'>(
      (m) => m.groupId,
      (groupId) => ({ type: 'group', groupId }),
    ),
    write: (w, e) => {
      const start = w.skip(4);
      w.u32(e.groupId);
      w.u32(e.refCount);
      w.skip(4);
      w.u64(e.packetCount);
      w.u64(e.byteCount);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      for (const b of e.buckets) {
        w.u64(b.packetCount);
        w.u64(b.byteCount);
      }
      w.closeLength(start, start, 'group stats');
    },
    read: (r) => {
      const outer = element(r, 40);
      r.skip(4);
      const groupId = r.u32();
      const refCount = r.u32();
      r.skip(4);
      const packetCount = r.u64();
      const byteCount = r.u64();
      const durationSec = r.u32();
      const durationNsec = r.u32();
      const buckets = [];
      while (r.pos < r.end) buckets.push({ packetCount: r.u64(), byteCount: r.u64() });
      r.end = outer;
      return { groupId, refCount, packetCount, byteCount, durationSec, durationNsec, buckets };
    },
  },
  // { u16 length; u8 type; pad; u32 group; buckets }; 1.5: { ...; u16 bucket_list_len; pad[6]; buckets; properties }
  group_desc: {
    type: 7,
    writeRequest: (w, m, version) => {
      if (version !== 6) return;
      w.u32(m.groupId ?? GROUP.ALL);
      w.skip(4);
    },
    readRequest: (r, version) => {
      if (version !== 6 || r.left < 8) return { type: 'group_desc' };
      const groupId = r.u32();
      r.skip(4);
      return groupId === GROUP.ALL ? { type: 'group_desc' } : { type: 'group_desc', groupId };
    },
    write: (w, e, version) => {
      const start = w.skip(2);
      w.u8(GROUP_TYPE.numberOf(e.type));
      w.skip(1);
      w.u32(e.groupId);
      if (version !== 6) writeBuckets(w, e.buckets, e.type, version);
      else {
        const length = w.skip(8);
        writeBuckets(w, e.buckets, e.type, version);
        w.closeLength(length, length + 8, 'group buckets');
      }
      writeGroupProperties(w, e, version);
      w.closeLength(start, start, 'group desc');
    },
    read: (r, version) => {
      const outer = element(r, version === 6 ? 16 : 8);
      r.skip(2);
      const t = r.u8();
      const type = GROUP_TYPE.nameOf(t) ?? r.fail(`group type ${t}`, r.pos - 1);
      r.skip(1);
      const groupId = r.u32();
      if (version !== 6) {
        const buckets = readBuckets(r, type, version);
        r.end = outer;
        return { groupId, type, buckets };
      }
      const bucketBytes = r.u16();
      r.skip(6);
      const end = r.narrow(bucketBytes);
      const buckets = readBuckets(r, type, version);
      r.end = end;
      const properties = readGroupProperties(r);
      r.end = outer;
      return { groupId, type, buckets, ...properties };
    },
  },
  // { u32 types, capabilities, max_groups[4], actions[4] }
  group_features: {
    type: 8,
    ...noRequest('group_features'),
    write: (w, e) => {
      w.u32(e.types);
      w.u32(e.capabilities);
      for (let i = 0; i < 4; i++) w.u32(e.maxGroups[i] ?? 0);
      for (let i = 0; i < 4; i++) w.u32(e.actions[i] ?? 0);
    },
    read: (r) => ({
      types: r.u32(),
      capabilities: r.u32(),
      maxGroups: [r.u32(), r.u32(), r.u32(), r.u32()],
      actions: [r.u32(), r.u32(), r.u32(), r.u32()],
    }),
  },
  // { u32 meter; u16 len; pad[6]; u32 flows; u64 packets, bytes; u32 sec, nsec; { u64 packets, bytes }[] }
  meter: {
    type: 9,
    ...oneNumber<'meter'>(
      (m) => m.meterId,
      (meterId) => ({ type: 'meter', meterId }),
    ),
    write: (w, e) => {
      const start = w.length;
      w.u32(e.meterId);
      w.skip(8);
      w.u32(e.flowCount);
      w.u64(e.packetInCount);
      w.u64(e.byteInCount);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      for (const b of e.bands) {
        w.u64(b.packetCount);
        w.u64(b.byteCount);
      }
      w.closeLength(start + 4, start, 'meter stats');
    },
    read: (r) => {
      const outer = element(r, 40, 4);
      const meterId = r.u32();
      r.skip(8);
      const flowCount = r.u32();
      const packetInCount = r.u64();
      const byteInCount = r.u64();
      const durationSec = r.u32();
      const durationNsec = r.u32();
      const bands = [];
      while (r.pos < r.end) bands.push({ packetCount: r.u64(), byteCount: r.u64() });
      r.end = outer;
      return { meterId, flowCount, packetInCount, byteInCount, durationSec, durationNsec, bands };
    },
  },
  // { u16 length, flags; u32 meter; bands }
  meter_config: {
    type: 10,
    ...oneNumber<'meter_config'>(
      (m) => m.meterId,
      (meterId) => ({ type: 'meter_config', meterId }),
    ),
    write: (w, e) => {
      const start = w.skip(2);
      w.u16(e.flags);
      w.u32(e.meterId);
      writeBands(w, e.bands);
      w.closeLength(start, start, 'meter config');
    },
    read: (r) => {
      const outer = element(r, 8);
      r.skip(2);
      const e = { flags: r.u16(), meterId: r.u32(), bands: readBands(r) };
      r.end = outer;
      return e;
    },
  },
  // { u32 max_meter, band_types, capabilities; u8 max_bands, max_color; pad[2] }
  meter_features: {
    type: 11,
    ...noRequest('meter_features'),
    write: (w, e) => {
      w.u32(e.maxMeters);
      w.u32(e.bandTypes);
      w.u32(e.capabilities);
      w.u8(e.maxBands);
      w.u8(e.maxColor);
      w.skip(2);
    },
    read: (r) => {
      const e = { maxMeters: r.u32(), bandTypes: r.u32(), capabilities: r.u32(), maxBands: r.u8(), maxColor: r.u8() };
      r.pos = r.end;
      return e;
    },
  },
  port_desc: {
    type: 13,
    writeRequest: (w, m, version) => {
      if (version !== 6) return;
      w.u32(m.portNo ?? PORT.ANY);
      w.skip(4);
    },
    readRequest: (r, version) => {
      if (version !== 6 || r.left < 8) return { type: 'port_desc' };
      const portNo = r.u32();
      r.skip(4);
      return portNo === PORT.ANY ? { type: 'port_desc' } : { type: 'port_desc', portNo };
    },
    write: writePort,
    read: readPort,
  },
  // { u16 length; u8 table; pad; u32 config; properties }
  table_desc: {
    type: 14,
    ...noRequest('table_desc'),
    write: (w, e) => {
      const start = w.skip(2);
      w.u8(e.tableId);
      w.skip(1);
      w.u32(e.config);
      writeKept(w, e.properties);
      w.closeLength(start, start, 'table desc');
    },
    read: (r) => {
      const outer = element(r, 8);
      r.skip(2);
      const tableId = r.u8();
      r.skip(1);
      const config = r.u32();
      const properties = readProperties(r, () => false) ?? [];
      r.end = outer;
      return { tableId, config, properties };
    },
  },
};

type AnyRow = MultipartRow<'flow'>;
const rows = ROWS as unknown as Readonly<Record<string, AnyRow>>;
const byType = new Map(Object.entries(rows).map(([name, row]) => [row.type, [name, row] as const]));

const request: MessageRow<MultipartRequest> = {
  id: standard(18),
  write: (w, m, { version }) => {
    const row = rows[m.type];
    w.u16(m.type === 'unknown' ? m.typeNumber : (row as AnyRow).type);
    w.u16(m.more ? MORE : 0);
    w.skip(4);
    if (m.type === 'unknown') w.raw(m.body);
    else (row as AnyRow).writeRequest(w, m as never, version);
  },
  read: (r, { version }) => {
    const type = r.u16();
    const more = (r.u16() & MORE) !== 0 ? { more: true } : {};
    r.skip(4);
    const row = byType.get(type)?.[1];
    if (row === undefined)
      return { kind: 'multipart_request', type: 'unknown', typeNumber: type, body: r.rest(), ...more };
    return { kind: 'multipart_request', ...row.readRequest(r, version), ...more } as MultipartRequest;
  },
};

const reply: MessageRow<MultipartReply> = {
  id: standard(19),
  write: (w, m, { version }) => {
    if (m.type === 'unknown') {
      w.u16(m.elements[0]?.type ?? 0xffff);
      w.u16(m.more ? MORE : 0);
      w.skip(4);
      for (const e of m.elements) w.raw(e.body);
      return;
    }
    const row = rows[m.type] as AnyRow;
    w.u16(row.type);
    w.u16(m.more ? MORE : 0);
    w.skip(4);
    for (const e of m.elements) row.write(w, e as never, version);
  },
  read: (r, { version }) => {
    const type = r.u16();
    const more = (r.u16() & MORE) !== 0;
    r.skip(4);
    const [name, row] = byType.get(type) ?? [];
    if (row === undefined || name === undefined)
      return { kind: 'multipart_reply', type: 'unknown', more, elements: [{ type, body: r.rest() }] };
    const elements: FlowStats[] = [];
    r.enter(name);
    while (r.pos < r.end) {
      r.enter(elements.length);
      const start = r.pos;
      elements.push(row.read(r, version));
      if (r.pos === start) r.fail('element of no bytes');
      r.leave();
    }
    r.leave();
    return { kind: 'multipart_reply', type: name, more, elements } as unknown as MultipartReply;
  },
};

export const MULTIPART_ROWS = { multipart_request: request, multipart_reply: reply };
