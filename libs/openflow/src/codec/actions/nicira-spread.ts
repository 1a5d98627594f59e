import { fieldOfExactHeader } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { ofsNbits, subfieldOf } from '../fields/oxm.js';
import { PORT, portFrom16, portTo16 } from '../ports.js';
import type { ByteReader } from '../wire/reader.js';
import { readSubfield32, writeHeader32 } from './header32.js';
import { type ActionForm, type ActionRow, nx, variable } from './row.js';
import { type ActionOf, HASH_FIELDS, MULTIPATH_ALGORITHMS } from './types.js';

// Extensions that choose among links, or pick packets out: multipath, bundle, sample.

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

export const SPREAD_ACTIONS: { readonly [K in 'multipath' | 'bundle' | 'sample']: ActionRow<ActionOf<K>> } = {
  multipath: { forms: [multipathForm] },
  bundle: { forms: [bundleForm(12), bundleForm(13)], pick: (a) => (a.target === undefined ? 0 : 1) },
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
};
