import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { ofsNbits, readHeader, subfieldOf, writeHeader, writeOxm } from '../fields/oxm.js';
import { readSubfield32, writeHeader32 } from './header32.js';
import { type ActionForm, type ActionRow, nx, ONF_ID, until14, variable } from './row.js';
import { copyFieldForm, readCopyField, readSetField, setFieldForm, writeCopyField } from './standard.js';
import type { ActionOf } from './types.js';

// Extensions that read or write parts of fields.

/** { u16 ofs_nbits; u32 dst; u64 value }: writes up to 64 bits of a field */
const loadForm = until14(
  nx<ActionOf<'load'>>(
    7,
    24,
    (w, a) => {
      w.u16(ofsNbits(a.target));
      writeHeader32(w, a.target);
      if (typeof a.value === 'number' && a.target.bits <= 32 && a.value >= 0 && a.value < 2 ** a.target.bits) {
        w.u32(0);
        w.u32(a.value);
        return;
      }
      const value = BigInt(a.value);
      if (value < 0n || value >> BigInt(a.target.bits) !== 0n)
        throw new OpenFlowEncodeError(a.target.field, `${value} does not fit ${a.target.bits} bits`);
      w.u64(value);
    },
    (r) => {
      const packed = r.u16();
      const target = readSubfield32(r, packed);
      if (target === undefined) return undefined;
      if (target.bits <= 32) {
        const high = r.u32();
        const low = r.u32();
        if (high !== 0 || low >= 2 ** target.bits)
          r.fail(`0x${(high * 0x1_0000_0000 + low).toString(16)} does not fit ${target.bits} bits`);
        return { kind: 'load', target, value: low };
      }
      const value = r.u64();
      if (value >> BigInt(target.bits) !== 0n) r.fail(`${value} does not fit ${target.bits} bits`);
      return { kind: 'load', target, value };
    },
  ),
);

/** { pad[6]; oxm; pad } */
const regLoad2Form = until14(
  variable(
    nx<ActionOf<'set_field'>>(
      33,
      24,
      (w, a, { version }) => {
        w.skip(6);
        writeOxm(w, FIELD_INFO[a.field], a.value, a.mask, version, a.bytes);
      },
      (r) => {
        r.skip(6);
        const action = readSetField(r);
        return action && { ...action, via: 'reg_load2' };
      },
    ),
  ),
);

/** { u16 n_bits, src_ofs, dst_ofs; oxm src, dst } */
const moveForm = until14(
  variable(
    nx<ActionOf<'move'>>(
      6,
      24,
      (w, a) => {
        w.u16(a.source.bits);
        w.u16(a.source.offset);
        w.u16(a.target.offset);
        writeHeader(w, FIELD_INFO[a.source.field].first);
        writeHeader(w, FIELD_INFO[a.target.field].first);
      },
      (r) => {
        const bits = r.u16();
        const from = r.u16();
        const to = r.u16();
        const source = readHeader(r);
        const target = readHeader(r);
        if (source === undefined || target === undefined) return undefined;
        if (from + bits > source.bytes * 8 || to + bits > target.bytes * 8) r.fail('bits outside the field');
        return {
          kind: 'move',
          source: { field: source.name, offset: from, bits },
          target: { field: target.name, offset: to, bits },
        };
      },
    ),
  ),
);
/** ONF's 1.3 extension 3200: { u16 3200; pad[2]; as copy_field } */
const onfCopyForm: ActionForm<ActionOf<'move'>> = {
  experimenter: ONF_ID,
  type: 3200,
  versions: [4, 5],
  size: 24,
  variable: true,
  write: (w, a, ctx) => {
    w.skip(2);
    writeCopyField(w, a, ctx);
  },
  read: (r) => {
    r.skip(2);
    const action = readCopyField(r);
    return action && { ...action, via: 'onf' };
  },
};

/** { u16 offset; oxm field; u16 n_bits; pad } in 24 bytes */
const stack = <K extends 'push' | 'pop'>(
  type: number,
  kind: K,
): ActionRow<{ readonly kind: K; readonly field: Subfield }> => ({
  forms: [
    nx(
      type,
      24,
      (w, a) => {
        const start = w.length;
        w.u16(a.field.offset);
        writeHeader(w, FIELD_INFO[a.field.field].first);
        w.u16(a.field.bits);
        w.skip(start + 14 - w.length);
      },
      (r) => {
        const offset = r.u16();
        const info = readHeader(r);
        const bits = r.u16();
        if (info === undefined) return undefined;
        if (bits === 0 || offset + bits > info.bytes * 8) r.fail('bits outside the field');
        return { kind, field: { field: info.name, offset, bits } };
      },
    ),
  ],
});

/** { u16 ofs_nbits; u32 src; u16 max_len; zero[6] } and, for fields of experimenters, { u16 ofs_nbits, max_len; oxm src; pad } */
const outputReg: ActionRow<ActionOf<'output_reg'>> = {
  forms: [
    nx(
      15,
      24,
      (w, a) => {
        w.u16(ofsNbits(a.source));
        writeHeader32(w, a.source);
        w.u16(a.maxLen ?? 0xffff);
        w.skip(6);
      },
      (r) => {
        const packed = r.u16();
        const source = readSubfield32(r, packed);
        const maxLen = r.u16();
        return source && { kind: 'output_reg', source, ...(maxLen === 0xffff ? {} : { maxLen }) };
      },
    ),
    nx(
      32,
      24,
      (w, a) => {
        const start = w.length;
        w.u16(ofsNbits(a.source));
        w.u16(a.maxLen ?? 0xffff);
        writeHeader(w, FIELD_INFO[a.source.field].first);
        w.skip(start + 14 - w.length);
      },
      (r) => {
        const packed = r.u16();
        const maxLen = r.u16();
        const source = subfieldOf(readHeader(r), packed);
        return source && { kind: 'output_reg', source, ...(maxLen === 0xffff ? {} : { maxLen }) };
      },
    ),
  ],
  pick: (a) => (FIELD_INFO[a.source.field].first.experimenter === 0 ? 0 : 1),
};

export const NICIRA_FIELD_ACTIONS: {
  readonly [K in
    | 'load'
    | 'set_field'
    | 'move'
    | 'push'
    | 'pop'
    | 'delete_field'
    | 'output_reg'
    | 'check_pkt_larger']: ActionRow<ActionOf<K>>;
} = {
  load: { forms: [loadForm] },
  set_field: {
    forms: [setFieldForm, regLoad2Form],
    pick: (a, version) => (version < 6 && (a.via === 'reg_load2' || a.mask !== undefined) ? 1 : 0),
  },
  move: {
    forms: [moveForm, copyFieldForm, onfCopyForm],
    pick: (a, version) => (version >= 6 ? 1 : a.via === 'onf' ? 2 : 0),
  },
  push: stack(27, 'push'),
  pop: stack(28, 'pop'),
  delete_field: {
    forms: [
      nx(
        50,
        24,
        (w, a) => {
          const start = w.length;
          writeHeader(w, FIELD_INFO[a.field].first);
          w.skip(start + 14 - w.length);
        },
        (r) => {
          const info = readHeader(r);
          return info && { kind: 'delete_field', field: info.name };
        },
      ),
    ],
  },
  output_reg: outputReg,
  check_pkt_larger: {
    forms: [
      nx(
        49,
        24,
        (w, a) => {
          const start = w.length;
          w.u16(a.bytes);
          w.u16(a.target.offset);
          writeHeader(w, FIELD_INFO[a.target.field].first);
          w.skip(start + 14 - w.length);
        },
        (r) => {
          const bytes = r.u16();
          const offset = r.u16();
          const info = readHeader(r);
          if (info === undefined) return undefined;
          if (offset >= info.bytes * 8) r.fail('bit outside the field');
          return { kind: 'check_pkt_larger', bytes, target: { field: info.name, offset, bits: 1 } };
        },
      ),
    ],
  },
};
