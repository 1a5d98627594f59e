import type { ByteWriter } from '../wire/writer.js';
import { type ActionRow, nx, variable } from './row.js';
import { type ActionOf, PACKET_IN_REASONS, type PacketInReason } from './types.js';

/** { u16 max_len, controller_id; u8 reason; zero } */
const controllerForm = nx<ActionOf<'controller'>>(
  20,
  16,
  (w, a) => {
    w.u16(a.maxLen ?? 0xffff);
    w.u16(a.controllerId ?? 0);
    w.u8(reasonNumber(a.reason ?? 'action'));
    w.skip(1);
  },
  (r) => {
    const maxLen = r.u16();
    const controllerId = r.u16();
    const reason = reasonName(r.u8());
    return {
      kind: 'controller',
      ...(maxLen === 0xffff ? {} : { maxLen }),
      ...(controllerId === 0 ? {} : { controllerId }),
      ...(reason === 'action' ? {} : { reason }),
    };
  },
);

export const reasonNumber = (reason: PacketInReason): number =>
  typeof reason === 'number' ? reason : PACKET_IN_REASONS.indexOf(reason);
export const reasonName = (n: number): PacketInReason => PACKET_IN_REASONS[n] ?? n;

// enum nx_action_controller2_prop_type
const CONTROLLER2 = { MAX_LEN: 0, CONTROLLER_ID: 1, REASON: 2, USERDATA: 3, PAUSE: 4, METER_ID: 5 } as const;
const property = (w: ByteWriter, type: number, body: () => void): void => {
  const start = w.skip(4);
  w.setU16(start, type);
  body();
  w.closeLength(start + 2, start, 'controller2');
  w.align8(start);
};
/** Open vSwitch counts the padding behind 16 bits into the length. */
const padded16 = (w: ByteWriter, value: number): void => {
  w.u16(value);
  w.skip(2);
};
/** { pad[6]; properties { u16 type, len; value; pad } } */
const controller2Form = variable(
  nx<ActionOf<'controller'>>(
    37,
    16,
    (w, a) => {
      w.skip(6);
      if (a.maxLen !== undefined && a.maxLen !== 0xffff)
        property(w, CONTROLLER2.MAX_LEN, () => padded16(w, a.maxLen as number));
      if (a.controllerId) property(w, CONTROLLER2.CONTROLLER_ID, () => padded16(w, a.controllerId as number));
      if (a.reason !== undefined && reasonNumber(a.reason) !== 1)
        property(w, CONTROLLER2.REASON, () => w.u8(reasonNumber(a.reason as PacketInReason)));
      if (a.userdata !== undefined) property(w, CONTROLLER2.USERDATA, () => w.raw(a.userdata as Uint8Array));
      if (a.pause) property(w, CONTROLLER2.PAUSE, () => {});
      if (a.meterId !== undefined) property(w, CONTROLLER2.METER_ID, () => w.u32(a.meterId as number));
    },
    (r) => {
      r.skip(6);
      const a: { -readonly [K in keyof ActionOf<'controller'>]: ActionOf<'controller'>[K] } = {
        kind: 'controller',
        via: 'controller2',
      };
      while (r.left >= 4) {
        const start = r.pos;
        const type = r.u16();
        const length = r.u16();
        if (length < 4 || length > r.end - start) r.fail(`property of ${length} bytes`, start);
        if (type === CONTROLLER2.MAX_LEN) a.maxLen = r.u16();
        else if (type === CONTROLLER2.CONTROLLER_ID) a.controllerId = r.u16();
        else if (type === CONTROLLER2.REASON) a.reason = reasonName(r.u8());
        else if (type === CONTROLLER2.USERDATA) a.userdata = r.copy(length - 4);
        else if (type === CONTROLLER2.PAUSE) a.pause = true;
        else if (type === CONTROLLER2.METER_ID) a.meterId = r.u32();
        else return undefined;
        r.pos = Math.min(start + ((length + 7) & ~7), r.end);
      }
      return a;
    },
  ),
);

export const CONTROLLER_ACTIONS: { readonly [K in 'controller']: ActionRow<ActionOf<K>> } = {
  controller: {
    forms: [controllerForm, controller2Form],
    pick: (a) => (a.via !== undefined || a.userdata !== undefined || a.pause || a.meterId !== undefined ? 1 : 0),
  },
};
