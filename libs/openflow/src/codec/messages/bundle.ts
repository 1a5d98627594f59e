import { readProperties, writeKept } from './properties.js';
import { enumeration, type MessageRow, onf, standard } from './row.js';
import type { BundleAdd, BundleControl } from './types.js';

const CONTROL = enumeration({
  open_request: 0,
  open_reply: 1,
  close_request: 2,
  close_reply: 3,
  commit_request: 4,
  commit_reply: 5,
  discard_request: 6,
  discard_reply: 7,
});

// struct ofp_bundle_ctrl_msg { u32 bundle_id; u16 type; u16 flags; properties }      OF1.4, 7.3.9; ONF EXT-230 for 1.3
const control: MessageRow<BundleControl> = {
  id: standard(33),
  id13: onf(2300),
  write: (w, m) => {
    w.u32(m.bundleId);
    w.u16(CONTROL.numberOf(m.type));
    w.u16(m.flags);
    writeKept(w, m.properties);
  },
  read: (r) => {
    const bundleId = r.u32();
    const n = r.u16();
    const flags = r.u16();
    const properties = readProperties(r, () => false);
    return { kind: 'bundle_control', bundleId, type: CONTROL.nameOf(n) ?? n, flags, ...(properties && { properties }) };
  },
};

// struct ofp_bundle_add_msg { u32 bundle_id; pad[2]; u16 flags; message; [pad to 8; properties] }
const add: MessageRow<BundleAdd> = {
  id: standard(34),
  id13: onf(2301),
  write: (w, m, ctx) => {
    w.u32(m.bundleId);
    w.skip(2);
    w.u16(m.flags);
    const start = w.length;
    ctx.writeMessage(w, m.message);
    if (m.properties === undefined) return;
    w.align8(start);
    writeKept(w, m.properties);
  },
  read: (r, ctx) => {
    const bundleId = r.u32();
    r.skip(2);
    const flags = r.u16();
    const start = r.pos;
    r.enter('message');
    const message = ctx.readMessage(r);
    r.leave();
    if (r.left === 0) return { kind: 'bundle_add', bundleId, flags, message };
    r.pos = Math.min(start + ((r.pos - start + 7) & ~7), r.end);
    const properties = readProperties(r, () => false);
    return { kind: 'bundle_add', bundleId, flags, message, ...(properties && { properties }) };
  },
};

export const BUNDLE_ROWS = { bundle_control: control, bundle_add: add };
