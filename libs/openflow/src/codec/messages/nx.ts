import { readInstructions, writeInstructions } from '../actions/instructions.js';
import { reasonName, reasonNumber } from '../actions/nicira-controller.js';
import { FIELD_INFO, type FieldInfo, type PointInfo } from '../fields/info.js';
import type { Match } from '../fields/match.js';
import { ordered, readOxms, writeOxm, writeOxms } from '../fields/oxm.js';
import type { FieldName } from '../fields/table.js';
import { portFrom16, portTo16 } from '../ports.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { readAsyncPairs, readAsyncProperties, writeAsyncPairs, writeAsyncProperties } from './async.js';
import { COMMAND, REMOVED_REASON } from './flow.js';
import { ROLE } from './handshake.js';
import { type MessageRow, nicira } from './row.js';
import type { MessageOf, NxFlowMod, NxFlowRemoved, NxPacketIn } from './types.js';

// Messages of Nicira from before the standard had them. Open vSwitch takes them in every version.

/** A field as NXM: its oldest code point, whatever the version. */
const nxmInfo = new Map<FieldInfo, FieldInfo>();
function asNxm(info: FieldInfo): FieldInfo {
  let found = nxmInfo.get(info);
  if (found === undefined) {
    const point: PointInfo = info.first;
    found = { ...info, byVersion: { 4: point, 5: point, 6: point } };
    nxmInfo.set(info, found);
  }
  return found;
}

// NXM_NX_COOKIE: no field of packets; it stands in matches of NXT_FLOW_MOD only.
const COOKIE = { HEADER: 0x0001_3c08, MASKED: 0x0001_3d10 } as const;

/** NXMs without a header; the length without padding goes to the u16 at `lengthAt`, zeros up to 8 bytes follow. */
function writeNxms(
  w: ByteWriter,
  lengthAt: number,
  match: Match,
  cookie: readonly [value: bigint, mask: bigint] | undefined,
): void {
  const start = w.length;
  for (const name of ordered(Object.keys(match))) {
    const entry = match[name as FieldName] as number | bigint | readonly [number | bigint, number | bigint] | undefined;
    const info = FIELD_INFO[name as FieldName];
    if (info === undefined || entry === undefined) continue;
    const [value, mask] = typeof entry === 'object' ? entry : [entry, undefined];
    writeOxm(w, asNxm(info), value, mask, 4, match.tlvBytes?.[info.name]);
  }
  if (match.unknown !== undefined) writeOxms(w, { unknown: match.unknown }, 4);
  if (cookie !== undefined) {
    const whole = cookie[1] === 0xffff_ffff_ffff_ffffn;
    w.u32(whole ? COOKIE.HEADER : COOKIE.MASKED);
    w.u64(cookie[0]);
    if (!whole) w.u64(cookie[1]);
  }
  w.closeLength(lengthAt, start, 'match');
  w.align8(start);
}
function readNxms(r: ByteReader, length: number): { match: Match; cookieMatch?: readonly [bigint, bigint] } {
  const start = r.pos;
  const outer = r.narrow(length);
  let cookieMatch: readonly [bigint, bigint] | undefined;
  // The cookie comes last where Open vSwitch writes it, and is looked for there only.
  const last = r.end;
  if (length >= 20 && r.peekU32(last - 20) === COOKIE.MASKED) {
    r.pos = last - 16;
    cookieMatch = [r.u64(), r.u64()];
    r.end = last - 20;
  } else if (length >= 12 && r.peekU32(last - 12) === COOKIE.HEADER) {
    r.pos = last - 8;
    cookieMatch = [r.u64(), 0xffff_ffff_ffff_ffffn];
    r.end = last - 12;
  }
  r.pos = start;
  const match = readOxms(r);
  r.end = outer;
  r.pos = last;
  r.skip((8 - (length & 7)) & 7);
  return { match, ...(cookieMatch && { cookieMatch }) };
}

// struct nx_flow_mod { u64 cookie; u16 command (table in the high byte), idle, hard, priority; u32 buffer; u16 out_port, flags, match_len; pad[6]; nxms; instructions }
const flowMod: MessageRow<NxFlowMod> = {
  id: nicira(13),
  write: (w, m, { version }) => {
    w.u64(m.cookie);
    w.u8(m.tableId);
    w.u8(COMMAND.numberOf(m.command));
    w.u16(m.idleTimeout);
    w.u16(m.hardTimeout);
    w.u16(m.priority);
    w.u32(m.bufferId);
    w.u16(portTo16(m.outPort));
    w.u16(m.flags);
    const lengthAt = w.skip(8);
    writeNxms(w, lengthAt, m.match, m.cookieMatch);
    writeInstructions(w, m.instructions, version);
  },
  read: (r, { version }) => {
    const cookie = r.u64();
    const tableId = r.u8();
    const n = r.u8();
    const command = COMMAND.nameOf(n) ?? r.fail(`flow mod command ${n}`, r.pos - 1);
    const idleTimeout = r.u16();
    const hardTimeout = r.u16();
    const priority = r.u16();
    const bufferId = r.u32();
    const outPort = portFrom16(r.u16());
    const flags = r.u16();
    const length = r.u16();
    r.skip(6);
    return {
      kind: 'nx_flow_mod',
      command,
      tableId,
      priority,
      cookie,
      idleTimeout,
      hardTimeout,
      bufferId,
      outPort,
      flags,
      ...readNxms(r, length),
      instructions: readInstructions(r, version),
    };
  },
};

// struct nx_flow_removed { u64 cookie; u16 priority; u8 reason, table + 1; u32 sec, nsec; u16 idle, match_len; u64 packets, bytes; nxms }
const flowRemoved: MessageRow<NxFlowRemoved> = {
  id: nicira(14),
  write: (w, m) => {
    w.u64(m.cookie);
    w.u16(m.priority);
    w.u8(REMOVED_REASON.numberOf(m.reason));
    w.u8(m.tableId + 1);
    w.u32(m.durationSec);
    w.u32(m.durationNsec);
    w.u16(m.idleTimeout);
    const lengthAt = w.skip(2);
    w.u64(m.packetCount);
    w.u64(m.byteCount);
    writeNxms(w, lengthAt, m.match, undefined);
  },
  read: (r) => {
    const cookie = r.u64();
    const priority = r.u16();
    const reason = r.u8();
    const table = r.u8();
    const durationSec = r.u32();
    const durationNsec = r.u32();
    const idleTimeout = r.u16();
    const length = r.u16();
    const packetCount = r.u64();
    const byteCount = r.u64();
    return {
      kind: 'nx_flow_removed',
      // 0 is "not said", which 0xff is elsewhere.
      tableId: (table - 1) & 0xff,
      priority,
      cookie,
      reason: REMOVED_REASON.nameOf(reason) ?? reason,
      durationSec,
      durationNsec,
      idleTimeout,
      packetCount,
      byteCount,
      match: readNxms(r, length).match,
    };
  },
};

// struct nx_packet_in { u32 buffer; u16 total_len; u8 reason, table; u64 cookie; u16 match_len; pad[6]; nxms; pad[2]; data }
const packetIn: MessageRow<NxPacketIn> = {
  id: nicira(17),
  write: (w, m) => {
    w.u32(m.bufferId);
    w.u16(m.totalLen);
    w.u8(reasonNumber(m.reason));
    w.u8(m.tableId);
    w.u64(m.cookie);
    const lengthAt = w.skip(8);
    writeNxms(w, lengthAt, m.match, undefined);
    w.skip(2);
    w.raw(m.data);
  },
  read: (r) => {
    const bufferId = r.u32();
    const totalLen = r.u16();
    const reason = reasonName(r.u8());
    const tableId = r.u8();
    const cookie = r.u64();
    const length = r.u16();
    r.skip(6);
    const { match } = readNxms(r, length);
    r.skip(2);
    return { kind: 'nx_packet_in', bufferId, totalLen, reason, tableId, cookie, match, data: r.rest() };
  },
};

// struct nx_role_request { u32 role }: one less than the standard's numbers
const role = <K extends 'nx_role_request' | 'nx_role_reply'>(kind: K, type: number): MessageRow<MessageOf<K>> => ({
  id: nicira(type),
  write: (w, m) => w.u32(ROLE.numberOf((m as MessageOf<'nx_role_request'>).role) - 1),
  read: (r) => {
    const n = r.u32() + 1;
    return { kind, role: ROLE.nameOf(n) ?? n } as unknown as MessageOf<K>;
  },
});

export const NX_ROWS = {
  nx_flow_mod: flowMod,
  nx_flow_removed: flowRemoved,
  nx_packet_in: packetIn,
  nx_role_request: role('nx_role_request', 10),
  nx_role_reply: role('nx_role_reply', 11),
  nx_set_async_config: {
    id: nicira(19),
    write: (w, m) => writeAsyncPairs(w, m, 'nx_set_async_config'),
    read: (r) => ({ kind: 'nx_set_async_config', ...readAsyncPairs(r) }),
  } as MessageRow<MessageOf<'nx_set_async_config'>>,
  nx_set_async_config2: {
    id: nicira(27),
    versions: [4],
    write: writeAsyncProperties,
    read: (r) => ({ kind: 'nx_set_async_config2', ...readAsyncProperties(r) }),
  } as MessageRow<MessageOf<'nx_set_async_config2'>>,
  // { u8 enable; pad[7] }
  nx_flow_mod_table_id: {
    id: nicira(15),
    write: (w, m) => {
      w.u8(m.enable ? 1 : 0);
      w.skip(7);
    },
    read: (r) => {
      const enable = r.u8() !== 0;
      r.skip(7);
      return { kind: 'nx_flow_mod_table_id', enable };
    },
  } as MessageRow<MessageOf<'nx_flow_mod_table_id'>>,
  nx_flow_age: {
    id: nicira(18),
    write: () => {},
    read: () => ({ kind: 'nx_flow_age' }),
  } as MessageRow<MessageOf<'nx_flow_age'>>,
};
