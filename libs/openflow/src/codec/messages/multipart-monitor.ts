import { readInstructions, writeInstructions } from '../actions/instructions.js';
import type { Match } from '../fields/match.js';
import { readMatch, writeMatch } from '../fields/oxm.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { REMOVED_REASON } from './flow.js';
import { element, type MultipartRow } from './multipart-row.js';
import type { FlowMonitor, FlowUpdate } from './multipart-types.js';
import { enumeration, onf, standard } from './row.js';
import type { FlowRemovedReason } from './structures.js';

// Flow monitors: an extension of ONF in 1.3 (EXT-187), part of the standard from 1.4 on (7.3.5.17).

const COMMAND = enumeration({ add: 0, modify: 1, delete: 2 });
// 1.3 has no paused and resumed here (they are messages), and flows that were there before are "added".
const EVENT_13 = enumeration({ added: 0, removed: 1, modified: 2, abbrev: 3 });
const EVENT = enumeration({ initial: 0, added: 1, removed: 2, modified: 3, abbrev: 4, paused: 5, resumed: 6 });

/** OWN is 0x20 in 1.3 and 0x40 in 1.4, where 0x20 is NO_ABBREV. */
const swapOwn = (flags: number): number => (flags & ~0x60) | ((flags & 0x20) << 1) | ((flags & 0x40) >>> 1);

/** A match whose length without padding is said before it, in the u16 at `lengthAt`. */
function writeMatchAfter(w: ByteWriter, lengthAt: number, m: { readonly match?: Match }): void {
  const start = w.length;
  writeMatch(w, m.match ?? {}, 4);
  w.setU16(lengthAt, (w.getU8(start + 2) << 8) | w.getU8(start + 3));
}

// 1.3: struct onf_flow_monitor_request { u32 id; u16 flags, match_len; u32 out_port; u8 table; zeros[3]; match }
// 1.4: struct ofp_flow_monitor_request { u32 id, out_port, out_group; u16 flags; u8 table, command; match }
function writeMonitor(w: ByteWriter, m: FlowMonitor, version: WireVersion): void {
  w.u32(m.id);
  if (version === 4) {
    w.u16(swapOwn(m.flags));
    const lengthAt = w.skip(2);
    w.u32(m.outPort);
    w.u8(m.tableId);
    w.skip(3);
    writeMatchAfter(w, lengthAt, m);
    return;
  }
  w.u32(m.outPort);
  w.u32(m.outGroup);
  w.u16(m.flags);
  w.u8(m.tableId);
  w.u8(COMMAND.numberOf(m.command));
  if (m.match !== undefined) writeMatch(w, m.match, version);
}
function readMonitor(r: ByteReader, version: WireVersion): FlowMonitor {
  const id = r.u32();
  if (version === 4) {
    const flags = swapOwn(r.u16());
    r.skip(2);
    const outPort = r.u32();
    const tableId = r.u8();
    r.skip(3);
    return { id, command: 'add', flags, outPort, outGroup: 0xffffffff, tableId, match: readMatch(r) };
  }
  const outPort = r.u32();
  const outGroup = r.u32();
  const flags = r.u16();
  const tableId = r.u8();
  const n = r.u8();
  const command = COMMAND.nameOf(n) ?? r.fail(`flow monitor command ${n}`, r.pos - 1);
  // The tools of Open vSwitch write a delete without a match, but its switch wants one.
  const match = command === 'delete' && r.left === 0 ? undefined : readMatch(r);
  return { id, command, flags, outPort, outGroup, tableId, ...(match && { match }) };
}

const removedReason = (n: number): FlowRemovedReason => REMOVED_REASON.nameOf(n) ?? n;

function readSettings13(r: ByteReader) {
  const reason = removedReason(r.u16());
  const priority = r.u16();
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  r.skip(2);
  const tableId = r.u8();
  r.skip(1);
  return { reason, tableId, priority, idleTimeout, hardTimeout };
}

function readSettings14(r: ByteReader) {
  const tableId = r.u8();
  const reason = removedReason(r.u8());
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  const priority = r.u16();
  r.skip(4);
  return { reason, tableId, priority, idleTimeout, hardTimeout };
}

// 1.3: struct onf_flow_update_full { u16 length, event, reason, priority, idle, hard, match_len; u8 table; pad; u64 cookie; match; instructions }
// 1.4: struct ofp_flow_update_full { u16 length, event; u8 table, reason; u16 idle, hard, priority; zeros[4]; u64 cookie; match; instructions }
function readUpdate(r: ByteReader, version: WireVersion): FlowUpdate {
  const outer = element(r, 8);
  const start = r.pos;
  r.skip(2);
  const n = r.u16();
  const event = (version === 4 ? EVENT_13 : EVENT).nameOf(n) ?? r.fail(`flow update event ${n}`, start + 2);
  let update: FlowUpdate;
  if (event === 'abbrev') update = { event, xid: r.u32() };
  else if (event === 'paused' || event === 'resumed') {
    r.skip(4);
    update = { event };
  } else
    update = {
      event,
      ...(version === 4 ? readSettings13(r) : readSettings14(r)),
      cookie: r.u64(),
      match: readMatch(r),
      instructions: readInstructions(r, version),
    };
  if (r.left > 0) r.fail(`${r.left} bytes follow in a flow update`);
  r.end = outer;
  return update;
}
function writeUpdate(w: ByteWriter, u: FlowUpdate, version: WireVersion): void {
  const start = w.skip(2);
  // What 1.3 cannot say, it says as Open vSwitch does: flows that were there before have been added.
  w.u16(
    version === 4 ? EVENT_13.numberOf(u.event === 'initial' ? 'added' : (u.event as 'added')) : EVENT.numberOf(u.event),
  );
  if (u.event === 'abbrev') w.u32(u.xid);
  else if (u.event === 'paused' || u.event === 'resumed') w.skip(4);
  else if (version === 4) {
    w.u16(REMOVED_REASON.numberOf(u.reason));
    w.u16(u.priority);
    w.u16(u.idleTimeout);
    w.u16(u.hardTimeout);
    const lengthAt = w.skip(2);
    w.u8(u.tableId);
    w.skip(1);
    w.u64(u.cookie);
    writeMatchAfter(w, lengthAt, u);
    writeInstructions(w, u.instructions, version);
  } else {
    w.u8(u.tableId);
    w.u8(REMOVED_REASON.numberOf(u.reason));
    w.u16(u.idleTimeout);
    w.u16(u.hardTimeout);
    w.u16(u.priority);
    w.skip(4);
    w.u64(u.cookie);
    writeMatch(w, u.match, version);
    writeInstructions(w, u.instructions, version);
  }
  w.closeLength(start, start, 'flow update');
}

export const MONITOR_MULTIPART: { readonly [T in 'flow_monitor']: MultipartRow<T> } = {
  flow_monitor: {
    id: standard(16),
    id13: onf(1870),
    writeRequest: (w, m, version) => {
      for (const monitor of m.monitors) writeMonitor(w, monitor, version);
    },
    readRequest: (r, version) => {
      const monitors: FlowMonitor[] = [];
      while (r.pos < r.end) {
        r.enter(monitors.length);
        monitors.push(readMonitor(r, version));
        r.leave();
      }
      return { type: 'flow_monitor', monitors };
    },
    write: writeUpdate,
    read: readUpdate,
  },
};
