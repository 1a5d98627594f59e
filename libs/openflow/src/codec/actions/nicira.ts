import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO, fieldOfExactHeader } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { ofsNbits, readHeader, subfieldOf, writeHeader, writeOxm } from '../fields/oxm.js';
import { PORT, portFrom16, portTo16 } from '../ports.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { type ActionForm, type ActionRow, nx, ONF_ID, until14, variable } from './row.js';
import { copyFieldForm, readCopyField, readSetField, setFieldForm, writeCopyField } from './standard.js';
import { type ActionOf, HASH_FIELDS, MULTIPATH_ALGORITHMS, PACKET_IN_REASONS, type PacketInReason } from './types.js';

// Open vSwitch's extensions: header { u16 0xffff; u16 len; u32 0x2320; u16 subtype }, then what each row says.
// Facts: ovs lib/ofp-actions.c, declarations of struct nx_action_*.

type Simple = 'pop_queue' | 'exit' | 'ct_clear' | 'dec_nsh_ttl' | 'debug_recirc' | 'debug_slow';
const bare = <K extends Simple>(type: number, kind: K): ActionRow<{ readonly kind: K }> => ({
  forms: [
    nx(
      type,
      16,
      (w) => void w.skip(6),
      () => ({ kind }),
    ),
  ],
});

/** The 32-bit header of a subfield's field; fields of experimenters do not fit these actions. */
function writeHeader32(w: ByteWriter, s: Subfield): void {
  const { first } = FIELD_INFO[s.field];
  if (first.experimenter !== 0)
    throw new OpenFlowEncodeError(s.field, 'this action cannot name a field of an experimenter');
  w.u32(first.header);
}
function readSubfield32(r: ByteReader, packed: number): Subfield | undefined {
  const header = r.u32();
  return subfieldOf(fieldOfExactHeader(header, 0), packed);
}

/** { u16 ofs_nbits; u32 dst; u64 value }: writes up to 64 bits of a field */
const loadForm = until14(
  nx<ActionOf<'load'>>(
    7,
    24,
    (w, a) => {
      w.u16(ofsNbits(a.target));
      writeHeader32(w, a.target);
      const value = BigInt(a.value);
      if (value < 0n || value >> BigInt(a.target.bits) !== 0n)
        throw new OpenFlowEncodeError(a.target.field, `${value} does not fit ${a.target.bits} bits`);
      w.u64(value);
    },
    (r) => {
      const packed = r.u16();
      const target = readSubfield32(r, packed);
      const value = r.u64();
      if (target === undefined) return undefined;
      if (value >> BigInt(target.bits) !== 0n) r.fail(`${value} does not fit ${target.bits} bits`);
      return { kind: 'load', target, value: target.bits <= 32 ? Number(value) : value };
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

const RESUBMIT_TABLE = 14;
/** { u16 in_port; u8 table; pad[3] }; without a table the oldest form, with the connection's tuple 44 */
const resubmitForm = (type: number): ActionForm<ActionOf<'resubmit'>> =>
  nx(
    type,
    16,
    (w, a) => {
      w.u16(portTo16(a.port ?? PORT.IN_PORT));
      w.u8(type === 1 ? 0 : (a.table ?? 0xff));
      w.skip(3);
    },
    (r) => {
      const port = portFrom16(r.u16());
      const table = r.u8();
      return {
        kind: 'resubmit',
        ...(port === PORT.IN_PORT ? {} : { port }),
        ...(type === 1 || table === 0xff ? {} : { table }),
        ...(type === 44 ? { ct: true } : {}),
        ...(type === 1 ? { via: 'resubmit' } : {}),
      };
    },
  );

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
/** { pad[6]; properties { u16 type, len; value; pad } } */
const controller2Form = variable(
  nx<ActionOf<'controller'>>(
    37,
    16,
    (w, a) => {
      w.skip(6);
      if (a.maxLen !== undefined && a.maxLen !== 0xffff)
        property(w, CONTROLLER2.MAX_LEN, () => w.u16(a.maxLen as number));
      if (a.controllerId) property(w, CONTROLLER2.CONTROLLER_ID, () => w.u16(a.controllerId as number));
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

/** { u16 fields, basis; pad[2]; u16 algorithm, max_link; u32 arg; pad[2]; u16 ofs_nbits; u32 dst } */
const multipathForm = nx<ActionOf<'multipath'>>(
  10,
  32,
  (w, a) => {
    w.u16(HASH_FIELDS.indexOf(a.fields));
    w.u16(a.basis);
    w.skip(2);
    w.u16(MULTIPATH_ALGORITHMS.indexOf(a.algorithm));
    w.u16(a.links - 1);
    w.u32(a.arg);
    w.skip(2);
    w.u16(ofsNbits(a.target));
    writeHeader32(w, a.target);
  },
  (r) => {
    const fields = HASH_FIELDS[r.u16()];
    const basis = r.u16();
    r.skip(2);
    const algorithm = MULTIPATH_ALGORITHMS[r.u16()];
    const links = r.u16() + 1;
    const arg = r.u32();
    r.skip(2);
    const packed = r.u16();
    const target = readSubfield32(r, packed);
    if (fields === undefined || algorithm === undefined || target === undefined) return undefined;
    return { kind: 'multipath', fields, basis, algorithm, links, arg, target };
  },
);

const IN_PORT_HEADER = 0x00000002;
/** { u16 algorithm, fields, basis; u32 member_type; u16 n_members, ofs_nbits; u32 dst; zero[4]; u16 ports[] } */
const bundleForm = (type: 12 | 13): ActionForm<ActionOf<'bundle'>> =>
  variable(
    nx(
      type,
      32,
      (w, a) => {
        w.u16(a.algorithm === 'hrw' ? 1 : 0);
        w.u16(HASH_FIELDS.indexOf(a.fields));
        w.u16(a.basis);
        w.u32(IN_PORT_HEADER);
        w.u16(a.members.length);
        if (a.target === undefined) w.skip(6);
        else {
          w.u16(ofsNbits(a.target));
          writeHeader32(w, a.target);
        }
        w.skip(4);
        for (const port of a.members) w.u16(portTo16(port));
      },
      (r) => {
        const algorithm = r.u16();
        const fields = HASH_FIELDS[r.u16()];
        const basis = r.u16();
        const memberType = r.u32();
        const n = r.u16();
        const packed = r.u16();
        const target = type === 13 ? readSubfield32(r, packed) : undefined;
        if (type === 12) r.skip(4);
        r.skip(4);
        if (n * 2 > r.left) r.fail(`${n} members do not fit`);
        if (algorithm > 1 || fields === undefined || memberType !== IN_PORT_HEADER) return undefined;
        if (type === 13 && target === undefined) return undefined;
        const members: number[] = [];
        for (let i = 0; i < n; i++) members.push(portFrom16(r.u16()));
        return {
          kind: 'bundle',
          fields,
          basis,
          algorithm: algorithm === 1 ? 'hrw' : 'active_backup',
          members,
          ...(target === undefined ? {} : { target }),
        };
      },
    ),
  );

/** { u16 clause (0-based u8), n_clauses u8; u32 id } */
const conjunctionForm = nx<ActionOf<'conjunction'>>(
  34,
  16,
  (w, a) => {
    w.u8(a.clause - 1);
    w.u8(a.of);
    w.u32(a.id);
  },
  (r) => {
    const clause = r.u8() + 1;
    const of = r.u8();
    return { kind: 'conjunction', id: r.u32(), clause, of };
  },
);

/** { u16 probability; u32 collector_set_id, obs_domain_id, obs_point_id; [u16 sampling_port; u8 direction; zeros[5]] } */
const sampleForm = (type: 29 | 38 | 41): ActionForm<ActionOf<'sample'>> =>
  nx(
    type,
    type === 29 ? 24 : 32,
    (w, a) => {
      w.u16(a.probability);
      w.u32(a.collectorSetId);
      w.u32(a.obsDomainId as number);
      w.u32(a.obsPointId as number);
      if (type === 29) return;
      w.u16(portTo16(a.samplingPort ?? PORT.ANY));
      w.u8(a.direction === 'ingress' ? 1 : a.direction === 'egress' ? 2 : 0);
      w.skip(5);
    },
    (r) => {
      const probability = r.u16();
      const base = {
        kind: 'sample' as const,
        probability,
        collectorSetId: r.u32(),
        obsDomainId: r.u32(),
        obsPointId: r.u32(),
      };
      if (type === 29) return base;
      return withSamplingPort(base, r);
    },
  );
/** Sample4: { ...; u32 obs_domain_src; u16 ofs_nbits or u32 imm; u32 obs_point_src; u16 or u32; u16 sampling_port; u8 direction; zeros[5] } */
const sample4Form = nx<ActionOf<'sample'>>(
  51,
  48,
  (w, a) => {
    w.u16(a.probability);
    w.u32(a.collectorSetId);
    for (const source of [a.obsDomainId, a.obsPointId]) {
      if (typeof source === 'number') {
        w.u32(0);
        w.u32(source);
      } else {
        writeHeader32(w, source);
        w.u16(ofsNbits(source));
        w.skip(2);
      }
    }
    w.u16(portTo16(a.samplingPort ?? PORT.ANY));
    w.u8(a.direction === 'ingress' ? 1 : a.direction === 'egress' ? 2 : 0);
    w.skip(5);
  },
  (r) => {
    const probability = r.u16();
    const collectorSetId = r.u32();
    const sources: (number | Subfield)[] = [];
    for (let i = 0; i < 2; i++) {
      const header = r.u32();
      if (header === 0) sources.push(r.u32());
      else {
        const source = subfieldOf(fieldOfExactHeader(header, 0), r.u16());
        r.skip(2);
        if (source === undefined) return undefined;
        sources.push(source);
      }
    }
    const [obsDomainId = 0, obsPointId = 0] = sources;
    return withSamplingPort({ kind: 'sample', probability, collectorSetId, obsDomainId, obsPointId }, r);
  },
);
function withSamplingPort(base: ActionOf<'sample'>, r: ByteReader): ActionOf<'sample'> | undefined {
  const port = portFrom16(r.u16());
  const direction = r.u8();
  if (direction > 2) return undefined;
  return {
    ...base,
    samplingPort: port,
    ...(direction === 0 ? {} : { direction: direction === 1 ? 'ingress' : 'egress' }),
  };
}

/** { u16 hdr_size; u32 packet_type; properties { u16 class; u8 type, len; value; pad } } */
const encapForm = variable(
  nx<ActionOf<'encap'>>(
    46,
    16,
    (w, a) => {
      w.u16(a.headerSize);
      w.u32(a.packetType);
      for (const { propClass, type, body } of a.properties) {
        const start = w.length;
        w.u16(propClass);
        w.u8(type);
        w.u8(body.length + 4);
        w.raw(body);
        w.align8(start);
      }
    },
    (r) => {
      const headerSize = r.u16();
      const packetType = r.u32();
      const properties = [];
      while (r.left > 0) {
        const start = r.pos;
        const propClass = r.u16();
        const type = r.u8();
        const length = r.u8();
        if (length < 4 || length > r.end - start) r.fail(`property of ${length} bytes`, start);
        properties.push({ propClass, type, body: r.copy(length - 4) });
        r.pos = Math.min(start + ((length + 7) & ~7), r.end);
      }
      return { kind: 'encap', packetType, headerSize, properties };
    },
  ),
);

type NiciraKind =
  | Simple
  | 'load'
  | 'set_field'
  | 'move'
  | 'push'
  | 'pop'
  | 'delete_field'
  | 'output_reg'
  | 'output_trunc'
  | 'resubmit'
  | 'controller'
  | 'multipath'
  | 'bundle'
  | 'conjunction'
  | 'sample'
  | 'encap'
  | 'decap'
  | 'check_pkt_larger'
  | 'write_metadata'
  | 'note'
  | 'set_tunnel'
  | 'set_tunnel64'
  | 'fin_timeout'
  | 'dec_ttl';

export const NICIRA_ACTIONS: { readonly [K in NiciraKind]: ActionRow<ActionOf<K>> } = {
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
  output_trunc: {
    forms: [
      nx(
        39,
        16,
        (w, a) => {
          w.u16(portTo16(a.port));
          w.u32(a.maxLen);
        },
        (r) => ({ kind: 'output_trunc', port: portFrom16(r.u16()), maxLen: r.u32() }),
      ),
    ],
  },
  resubmit: {
    forms: [resubmitForm(1), resubmitForm(RESUBMIT_TABLE), resubmitForm(44)],
    pick: (a) => (a.ct ? 2 : a.via !== undefined && a.table === undefined ? 0 : 1),
  },
  controller: {
    forms: [controllerForm, controller2Form],
    pick: (a) => (a.via !== undefined || a.userdata !== undefined || a.pause || a.meterId !== undefined ? 1 : 0),
  },
  multipath: { forms: [multipathForm] },
  bundle: { forms: [bundleForm(12), bundleForm(13)], pick: (a) => (a.target === undefined ? 0 : 1) },
  conjunction: { forms: [conjunctionForm] },
  sample: {
    forms: [sampleForm(29), sampleForm(38), sampleForm(41), sample4Form],
    pick: (a) =>
      typeof a.obsDomainId !== 'number' || typeof a.obsPointId !== 'number'
        ? 3
        : a.direction !== undefined
          ? 2
          : a.samplingPort !== undefined
            ? 1
            : 0,
  },
  encap: { forms: [encapForm] },
  decap: {
    forms: [
      nx(
        47,
        16,
        (w, a) => {
          w.skip(2);
          w.u32(a.packetType);
        },
        (r) => {
          r.skip(2);
          return { kind: 'decap', packetType: r.u32() };
        },
      ),
    ],
  },
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
  write_metadata: {
    forms: [
      nx(
        22,
        32,
        (w, a) => {
          w.skip(6);
          w.u64(a.value);
          w.u64(a.mask);
        },
        (r) => {
          r.skip(6);
          return { kind: 'write_metadata', value: r.u64(), mask: r.u64() };
        },
      ),
    ],
  },
  note: {
    forms: [
      variable(
        nx(
          8,
          16,
          (w, a) => w.raw(a.data),
          (r) => ({ kind: 'note', data: r.rest() }),
        ),
      ),
    ],
  },
  set_tunnel: {
    forms: [
      nx(
        2,
        16,
        (w, a) => {
          w.skip(2);
          w.u32(a.id);
        },
        (r) => {
          r.skip(2);
          return { kind: 'set_tunnel', id: r.u32() };
        },
      ),
    ],
  },
  set_tunnel64: {
    forms: [
      nx(
        9,
        24,
        (w, a) => {
          w.skip(6);
          w.u64(a.id);
        },
        (r) => {
          r.skip(6);
          return { kind: 'set_tunnel64', id: r.u64() };
        },
      ),
    ],
  },
  fin_timeout: {
    forms: [
      nx(
        19,
        16,
        (w, a) => {
          w.u16(a.idleTimeout);
          w.u16(a.hardTimeout);
          w.skip(2);
        },
        (r) => ({ kind: 'fin_timeout', idleTimeout: r.u16(), hardTimeout: r.u16() }),
      ),
    ],
  },
  dec_ttl: {
    forms: [
      {
        experimenter: 0,
        type: 24,
        size: 8,
        variable: false,
        write: (w) => void w.skip(4),
        read: () => ({ kind: 'dec_ttl' }),
      },
      variable(
        nx(
          21,
          16,
          (w, a) => {
            const ids = a.controllerIds ?? [];
            w.u16(ids.length);
            w.skip(4);
            for (const id of ids) w.u16(id);
          },
          (r) => {
            const n = r.u16();
            r.skip(4);
            if (n * 2 > r.left) r.fail(`${n} controller ids do not fit`);
            const controllerIds: number[] = [];
            for (let i = 0; i < n; i++) controllerIds.push(r.u16());
            return { kind: 'dec_ttl', controllerIds };
          },
        ),
      ),
    ],
    pick: (a) => (a.controllerIds === undefined ? 0 : 1),
  },
  pop_queue: bare(5, 'pop_queue'),
  exit: bare(17, 'exit'),
  ct_clear: bare(43, 'ct_clear'),
  dec_nsh_ttl: bare(48, 'dec_nsh_ttl'),
  debug_slow: bare(254, 'debug_slow'),
  debug_recirc: bare(255, 'debug_recirc'),
};
