import { readInstructions, writeInstructions } from '../actions/instructions.js';
import { readMatch, writeMatch } from '../fields/oxm.js';
import { readStats, writeStats } from './oxs.js';
import { enumeration, type MessageRow, standard } from './row.js';
import type { FlowMod, FlowRemoved } from './types.js';

export const COMMAND = enumeration({ add: 0, modify: 1, modify_strict: 2, delete: 3, delete_strict: 4 });

// struct ofp_flow_mod { u64 cookie, cookie_mask; u8 table_id, command; u16 idle, hard, priority; u32 buffer, out_port, out_group;
//   u16 flags, importance (1.4, padding before); match; instructions }      OF1.3+, 7.3.4.2
const flowMod: MessageRow<FlowMod> = {
  id: standard(14),
  write: (w, m, { version }) => {
    w.u64(m.cookie);
    w.u64(m.cookieMask);
    w.u8(m.tableId);
    w.u8(COMMAND.numberOf(m.command));
    w.u16(m.idleTimeout);
    w.u16(m.hardTimeout);
    w.u16(m.priority);
    w.u32(m.bufferId);
    w.u32(m.outPort);
    w.u32(m.outGroup);
    w.u16(m.flags);
    w.u16(version === 4 ? 0 : m.importance);
    writeMatch(w, m.match, version);
    writeInstructions(w, m.instructions, version);
  },
  read: (r, { version }) => {
    const cookie = r.u64();
    const cookieMask = r.u64();
    const tableId = r.u8();
    const n = r.u8();
    const command = COMMAND.nameOf(n) ?? r.fail(`flow mod command ${n}`, r.pos - 1);
    const idleTimeout = r.u16();
    const hardTimeout = r.u16();
    const priority = r.u16();
    const bufferId = r.u32();
    const outPort = r.u32();
    const outGroup = r.u32();
    const flags = r.u16();
    const importance = r.u16();
    const match = readMatch(r);
    return {
      kind: 'flow_mod',
      command,
      tableId,
      priority,
      cookie,
      cookieMask,
      idleTimeout,
      hardTimeout,
      bufferId,
      outPort,
      outGroup,
      flags,
      importance: version === 4 ? 0 : importance,
      match,
      instructions: readInstructions(r, version),
    };
  },
};

export const REMOVED_REASON = enumeration({
  idle_timeout: 0,
  hard_timeout: 1,
  delete: 2,
  group_delete: 3,
  meter_delete: 4,
  eviction: 5,
});

// 1.3, 1.4: struct ofp_flow_removed { u64 cookie; u16 priority; u8 reason, table; u32 sec, nsec; u16 idle, hard; u64 packets, bytes; match }
// 1.5: { u8 table, reason; u16 priority, idle, hard; u64 cookie; match; stats }
const flowRemoved: MessageRow<FlowRemoved> = {
  id: standard(11),
  write: (w, m, { version }) => {
    if (version === 6) {
      w.u8(m.tableId);
      w.u8(REMOVED_REASON.numberOf(m.reason));
      w.u16(m.priority);
      w.u16(m.idleTimeout);
      w.u16(m.hardTimeout);
      w.u64(m.cookie);
      writeMatch(w, m.match, version);
      writeStats(w, m);
      return;
    }
    w.u64(m.cookie);
    w.u16(m.priority);
    w.u8(REMOVED_REASON.numberOf(m.reason));
    w.u8(m.tableId);
    w.u32(m.durationSec);
    w.u32(m.durationNsec);
    w.u16(m.idleTimeout);
    w.u16(m.hardTimeout);
    w.u64(m.packetCount);
    w.u64(m.byteCount);
    writeMatch(w, m.match, version);
  },
  read: (r, { version }) => {
    if (version === 6) {
      const tableId = r.u8();
      const reason = r.u8();
      const priority = r.u16();
      const idleTimeout = r.u16();
      const hardTimeout = r.u16();
      const cookie = r.u64();
      const match = readMatch(r);
      return {
        kind: 'flow_removed',
        tableId,
        priority,
        cookie,
        reason: REMOVED_REASON.nameOf(reason) ?? reason,
        idleTimeout,
        hardTimeout,
        ...readStats(r),
        match,
      };
    }
    const cookie = r.u64();
    const priority = r.u16();
    const reason = r.u8();
    return {
      kind: 'flow_removed',
      tableId: r.u8(),
      priority,
      cookie,
      reason: REMOVED_REASON.nameOf(reason) ?? reason,
      durationSec: r.u32(),
      durationNsec: r.u32(),
      idleTimeout: r.u16(),
      hardTimeout: r.u16(),
      packetCount: r.u64(),
      byteCount: r.u64(),
      match: readMatch(r),
    };
  },
};

export const FLOW_ROWS = { flow_mod: flowMod, flow_removed: flowRemoved };
