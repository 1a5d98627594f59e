import { ACTION_CODEC } from '../actions/codec.js';
import { reasonName, reasonNumber } from '../actions/nicira-controller.js';
import { readMatch, readOxms, writeMatch, writeOxms } from '../fields/oxm.js';
import { NO_BUFFER, PORT } from '../ports.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { type MessageRow, nicira, standard } from './row.js';
import type { MessageOf, PacketBody, PacketIn, PacketOut } from './types.js';

// struct ofp_packet_in { u32 buffer_id; u16 total_len; u8 reason, table_id; u64 cookie; match; pad[2]; data }      OF1.3+, 7.4.1
const packetIn: MessageRow<PacketIn> = {
  id: standard(10),
  write: (w, m, { version }) => {
    w.u32(m.bufferId);
    w.u16(m.totalLen);
    w.u8(reasonNumber(m.reason));
    w.u8(m.tableId);
    w.u64(m.cookie);
    writeMatch(w, m.match, version);
    w.skip(2);
    w.raw(m.data);
  },
  read: (r) => {
    const bufferId = r.u32();
    const totalLen = r.u16();
    const reason = reasonName(r.u8());
    const tableId = r.u8();
    const cookie = r.u64();
    const match = readMatch(r);
    r.skip(2);
    return { kind: 'packet_in', bufferId, totalLen, reason, tableId, cookie, match, data: r.rest() };
  },
};

// enum nx_packet_in2_prop_type
const PROP = {
  PACKET: 0,
  FULL_LEN: 1,
  BUFFER_ID: 2,
  TABLE_ID: 3,
  COOKIE: 4,
  REASON: 5,
  METADATA: 6,
  USERDATA: 7,
  CONTINUATION: 8,
} as const;

function writePacketIn2(w: ByteWriter, m: PacketBody, version: WireVersion): void {
  writeProperty(w, PROP.PACKET, () => w.raw(m.data));
  if (m.totalLen !== m.data.length) writeProperty(w, PROP.FULL_LEN, () => w.u32(m.totalLen));
  if (m.bufferId !== NO_BUFFER) writeProperty(w, PROP.BUFFER_ID, () => w.u32(m.bufferId));
  writeProperty(w, PROP.TABLE_ID, () => w.u8(m.tableId));
  if (m.cookie !== 0xffff_ffff_ffff_ffffn)
    writeProperty(w, PROP.COOKIE, () => {
      w.skip(4);
      w.u64(m.cookie);
    });
  writeProperty(w, PROP.REASON, () => w.u8(reasonNumber(m.reason)));
  writeProperty(w, PROP.METADATA, () => writeOxms(w, m.match, version));
  if (m.continuation !== undefined)
    writeProperty(w, PROP.CONTINUATION, () => {
      w.skip(4);
      w.raw(m.continuation as Uint8Array);
    });
  if (m.userdata !== undefined) writeProperty(w, PROP.USERDATA, () => w.raw(m.userdata as Uint8Array));
  writeKept(w, m.properties);
}

function readPacketIn2(r: ByteReader): PacketBody {
  const m: { -readonly [K in keyof PacketBody]: PacketBody[K] } = {
    bufferId: NO_BUFFER,
    totalLen: -1,
    reason: 'no_match',
    tableId: 0,
    cookie: 0xffff_ffff_ffff_ffffn,
    match: {},
    data: new Uint8Array(0),
  };
  const properties = readProperties(r, (type) => {
    if (type === PROP.PACKET) m.data = r.rest();
    else if (type === PROP.FULL_LEN) m.totalLen = r.u32();
    else if (type === PROP.BUFFER_ID) m.bufferId = r.u32();
    else if (type === PROP.TABLE_ID) m.tableId = r.u8();
    else if (type === PROP.COOKIE) {
      r.skip(4);
      m.cookie = r.u64();
    } else if (type === PROP.REASON) m.reason = reasonName(r.u8());
    else if (type === PROP.METADATA) m.match = readOxms(r);
    else if (type === PROP.USERDATA) m.userdata = r.rest();
    else if (type === PROP.CONTINUATION) {
      r.skip(4);
      m.continuation = r.rest();
    } else return false;
    return true;
  });
  if (properties !== undefined) m.properties = properties;
  if (m.totalLen < 0) m.totalLen = m.data.length;
  return m;
}

/** NXT_PACKET_IN2: properties all the way. */
const packetIn2: MessageRow<MessageOf<'packet_in2'>> = {
  id: nicira(30),
  write: (w, m, { version }) => writePacketIn2(w, m, version),
  read: (r) => ({ kind: 'packet_in2', ...readPacketIn2(r) }),
};
/** NXT_RESUME: a packet_in2 sent back. */
const resume: MessageRow<MessageOf<'resume'>> = {
  id: nicira(28),
  write: (w, m, { version }) => writePacketIn2(w, m, version),
  read: (r) => ({ kind: 'resume', ...readPacketIn2(r) }),
};

// 1.3, 1.4: struct ofp_packet_out { u32 buffer_id, in_port; u16 actions_len; pad[6]; actions; data }
// 1.5: { u32 buffer_id; u16 actions_len; pad[2]; match; actions; data }
const packetOut: MessageRow<PacketOut> = {
  id: standard(13),
  write: (w, m, { version }) => {
    w.u32(m.bufferId);
    if (version !== 6) w.u32(m.inPort);
    const length = w.skip(version === 6 ? 4 : 8);
    if (version === 6) writeMatch(w, m.match ?? { in_port: m.inPort }, version);
    const start = w.length;
    ACTION_CODEC[version].writeActions(w, m.actions);
    w.closeLength(length, start, 'packet_out.actions');
    w.raw(m.data);
  },
  read: (r, { version }) => {
    const bufferId = r.u32();
    const in13 = version === 6 ? 0 : r.u32();
    const actionBytes = r.u16();
    r.skip(version === 6 ? 2 : 6);
    const match = version === 6 ? readMatch(r) : undefined;
    const inPort = match === undefined ? in13 : (match.in_port ?? PORT.ANY);
    const outer = r.narrow(actionBytes);
    r.enter('actions');
    const actions = ACTION_CODEC[version].readActions(r);
    r.leave();
    r.end = outer;
    return { kind: 'packet_out', bufferId, inPort, actions, data: r.rest(), ...(match && { match }) };
  },
};

export const PACKET_ROWS = { packet_in: packetIn, packet_in2: packetIn2, resume, packet_out: packetOut };
