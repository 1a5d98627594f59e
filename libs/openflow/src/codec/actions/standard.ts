import { FIELD_INFO } from '../fields/info.js';
import { readHeader, readOxm, writeHeader, writeOxm } from '../fields/oxm.js';
import { NO_TRUNCATION, PORT } from '../ports.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { type ActionContext, type ActionRow, of, only15, variable } from './row.js';
import type { ActionOf } from './types.js';

// Actions of OpenFlow 1.3 to 1.5 (7.2.6), and those of 1.1 that Open vSwitch still takes (set_vlan_vid, mod_...).

type Simple = 'pop_vlan' | 'dec_mpls_ttl';
/** Header and four bytes of padding. */
const bare = <K extends Simple>(type: number, kind: K): ActionRow<{ readonly kind: K }> => ({
  forms: [
    of(
      type,
      8,
      (w) => void w.skip(4),
      () => ({ kind }),
    ),
  ],
});

/** struct ofp11_action_output { type, len, u32 port, u16 max_len, pad[6] } */
const output: ActionRow<ActionOf<'output'>> = {
  forms: [
    of(
      0,
      16,
      (w, a) => {
        w.u32(a.port);
        w.u16(a.maxLen ?? (a.port === PORT.CONTROLLER ? NO_TRUNCATION : 0));
        w.skip(6);
      },
      (r) => {
        const port = r.u32();
        const maxLen = r.u16();
        const usual = port === PORT.CONTROLLER ? NO_TRUNCATION : 0;
        return maxLen === usual ? { kind: 'output', port } : { kind: 'output', port, maxLen };
      },
    ),
  ],
};

/** struct ofp12_action_set_field { type, len, oxm, pad }; masks from 1.5 on */
export const setFieldForm = variable(
  of<ActionOf<'set_field'>>(
    25,
    8,
    (w, a, { version }) => writeOxm(w, FIELD_INFO[a.field], a.value, a.mask, version, a.bytes),
    (r, { version }) => {
      const action = readSetField(r);
      // Only 1.5 has masks here.
      return version < 6 && action?.mask !== undefined ? undefined : action;
    },
  ),
);

/** The OXM of a set_field; undefined if its field is not known. */
export function readSetField(r: ByteReader): ActionOf<'set_field'> | undefined {
  const entry = readOxm(r);
  if (entry === undefined) return undefined;
  const { info, value, mask, bytes } = entry;
  if (info.variable)
    return mask === undefined
      ? { kind: 'set_field', field: info.name, value, bytes }
      : { kind: 'set_field', field: info.name, value, mask, bytes };
  return mask === undefined
    ? { kind: 'set_field', field: info.name, value }
    : { kind: 'set_field', field: info.name, value, mask };
}

/** struct ofp15_action_copy_field { type, len, u16 n_bits, src_offset, dst_offset, pad[2], oxm_ids[2], pad } */
export function writeCopyField(w: ByteWriter, a: ActionOf<'move'>, { version }: ActionContext): void {
  w.u16(a.source.bits);
  w.u16(a.source.offset);
  w.u16(a.target.offset);
  w.skip(2);
  writeHeader(w, FIELD_INFO[a.source.field].byVersion[version]);
  writeHeader(w, FIELD_INFO[a.target.field].byVersion[version]);
}
export function readCopyField(r: ByteReader): ActionOf<'move'> | undefined {
  const bits = r.u16();
  const from = r.u16();
  const to = r.u16();
  r.skip(2);
  const source = readHeader(r);
  const target = readHeader(r);
  if (source === undefined || target === undefined) return undefined;
  if (from + bits > source.bytes * 8 || to + bits > target.bytes * 8) r.fail('bits outside the field');
  return {
    kind: 'move',
    source: { field: source.name, offset: from, bits },
    target: { field: target.name, offset: to, bits },
  };
}
export const copyFieldForm = only15(variable(of<ActionOf<'move'>>(28, 24, writeCopyField, readCopyField)));

const ethType = <K extends 'push_vlan' | 'push_mpls' | 'pop_mpls'>(
  type: number,
  kind: K,
): ActionRow<{ readonly kind: K; readonly ethType: number }> => ({
  forms: [
    of(
      type,
      8,
      (w, a) => {
        w.u16(a.ethType);
        w.skip(2);
      },
      (r) => ({ kind, ethType: r.u16() }),
    ),
  ],
});
const mac = <K extends 'mod_dl_src' | 'mod_dl_dst'>(
  type: number,
  kind: K,
): ActionRow<{ readonly kind: K; readonly mac: bigint }> => ({
  forms: [
    of(
      type,
      16,
      (w, a) => {
        w.big(a.mac, 6);
        w.skip(6);
      },
      (r) => ({ kind, mac: r.big(6) }),
    ),
  ],
});
const ip = <K extends 'mod_nw_src' | 'mod_nw_dst'>(
  type: number,
  kind: K,
): ActionRow<{ readonly kind: K; readonly ip: number }> => ({
  forms: [
    of(
      type,
      8,
      (w, a) => w.u32(a.ip),
      (r) => ({ kind, ip: r.u32() }),
    ),
  ],
});
const transportPort = <K extends 'mod_tp_src' | 'mod_tp_dst'>(
  type: number,
  kind: K,
): ActionRow<{ readonly kind: K; readonly port: number }> => ({
  forms: [
    of(
      type,
      8,
      (w, a) => {
        w.u16(a.port);
        w.skip(2);
      },
      (r) => ({ kind, port: r.u16() }),
    ),
  ],
});
const byte = (w: ByteWriter, value: number): void => {
  w.u8(value);
  w.skip(3);
};

type StandardKind =
  | 'output'
  | 'group'
  | 'set_queue'
  | 'meter'
  | 'push_vlan'
  | 'pop_vlan'
  | 'push_mpls'
  | 'pop_mpls'
  | 'set_mpls_ttl'
  | 'dec_mpls_ttl'
  | 'mod_nw_ttl'
  | 'set_vlan_vid'
  | 'set_vlan_pcp'
  | 'mod_dl_src'
  | 'mod_dl_dst'
  | 'mod_nw_src'
  | 'mod_nw_dst'
  | 'mod_nw_tos'
  | 'mod_nw_ecn'
  | 'mod_tp_src'
  | 'mod_tp_dst'
  | 'set_mpls_label'
  | 'set_mpls_tc';

export const STANDARD_ACTIONS: { readonly [K in StandardKind]: ActionRow<ActionOf<K>> } = {
  output,
  group: {
    forms: [
      of(
        22,
        8,
        (w, a) => w.u32(a.group),
        (r) => ({ kind: 'group', group: r.u32() }),
      ),
    ],
  },
  set_queue: {
    forms: [
      of(
        21,
        8,
        (w, a) => w.u32(a.queue),
        (r) => ({ kind: 'set_queue', queue: r.u32() }),
      ),
    ],
  },
  meter: {
    forms: [
      only15(
        of(
          29,
          8,
          (w, a) => w.u32(a.meter),
          (r) => ({ kind: 'meter', meter: r.u32() }),
        ),
      ),
    ],
  },
  push_vlan: ethType(17, 'push_vlan'),
  pop_vlan: bare(18, 'pop_vlan'),
  push_mpls: ethType(19, 'push_mpls'),
  pop_mpls: ethType(20, 'pop_mpls'),
  set_mpls_ttl: {
    forms: [
      of(
        15,
        8,
        (w, a) => byte(w, a.ttl),
        (r) => ({ kind: 'set_mpls_ttl', ttl: r.u8() }),
      ),
    ],
  },
  dec_mpls_ttl: bare(16, 'dec_mpls_ttl'),
  mod_nw_ttl: {
    forms: [
      of(
        23,
        8,
        (w, a) => byte(w, a.ttl),
        (r) => ({ kind: 'mod_nw_ttl', ttl: r.u8() }),
      ),
    ],
  },
  set_vlan_vid: {
    forms: [
      of(
        1,
        8,
        (w, a) => {
          w.u16(a.vid);
          w.skip(2);
        },
        (r) => ({ kind: 'set_vlan_vid', vid: r.u16() }),
      ),
    ],
  },
  set_vlan_pcp: {
    forms: [
      of(
        2,
        8,
        (w, a) => byte(w, a.pcp),
        (r) => ({ kind: 'set_vlan_pcp', pcp: r.u8() }),
      ),
    ],
  },
  mod_dl_src: mac(3, 'mod_dl_src'),
  mod_dl_dst: mac(4, 'mod_dl_dst'),
  mod_nw_src: ip(5, 'mod_nw_src'),
  mod_nw_dst: ip(6, 'mod_nw_dst'),
  mod_nw_tos: {
    forms: [
      of(
        7,
        8,
        (w, a) => byte(w, a.tos),
        (r) => ({ kind: 'mod_nw_tos', tos: r.u8() }),
      ),
    ],
  },
  mod_nw_ecn: {
    forms: [
      of(
        8,
        8,
        (w, a) => byte(w, a.ecn),
        (r) => ({ kind: 'mod_nw_ecn', ecn: r.u8() }),
      ),
    ],
  },
  mod_tp_src: transportPort(9, 'mod_tp_src'),
  mod_tp_dst: transportPort(10, 'mod_tp_dst'),
  set_mpls_label: {
    forms: [
      of(
        13,
        8,
        (w, a) => w.u32(a.label),
        (r) => ({ kind: 'set_mpls_label', label: r.u32() }),
      ),
    ],
  },
  set_mpls_tc: {
    forms: [
      of(
        14,
        8,
        (w, a) => byte(w, a.tc),
        (r) => ({ kind: 'set_mpls_tc', tc: r.u8() }),
      ),
    ],
  },
};
