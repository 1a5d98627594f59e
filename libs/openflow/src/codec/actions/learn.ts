import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { readHeader, writeHeader } from '../fields/oxm.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { type ActionForm, type ActionRow, nx, variable } from './row.js';
import type { ActionOf, LearnSpec } from './types.js';

// struct nx_action_learn { u16 idle, hard, priority; u64 cookie; u16 flags; u8 table; pad; u16 fin_idle, fin_hard; specs[] }
// learn2 continues: { u32 limit; u16 result_dst_ofs; pad[2]; [oxm result_dst] specs[] }
const FLAG = { SEND_FLOW_REM: 1, DELETE_LEARNED: 2, WRITE_RESULT: 4 } as const;
// A spec begins with u16: bit 13 immediate source; bits 11 and 12 target: 0 match, 1 load, 2 output; bits 0..10 n_bits.
const SPEC = { IMMEDIATE: 0x2000, BITS: 0x7ff, MATCH: 0, LOAD: 1, OUTPUT: 2 } as const;

function writeSpec(w: ByteWriter, spec: LearnSpec): void {
  const to = spec.kind === 'match' ? SPEC.MATCH : spec.kind === 'load' ? SPEC.LOAD : SPEC.OUTPUT;
  const bits = spec.kind === 'output' ? spec.source.bits : spec.target.bits;
  const immediate = 'value' in spec;
  w.u16((immediate ? SPEC.IMMEDIATE : 0) | (to << 11) | bits);
  if (immediate) {
    if (spec.value < 0n || spec.value >> BigInt(bits) !== 0n)
      throw new OpenFlowEncodeError('learn', `${spec.value} does not fit ${bits} bits`);
    w.big(spec.value, 2 * Math.ceil(bits / 16));
  } else writeSide(w, spec.source);
  if (spec.kind !== 'output') writeSide(w, spec.target);
}
function writeSide(w: ByteWriter, s: Subfield): void {
  writeHeader(w, FIELD_INFO[s.field].first);
  w.u16(s.offset);
}

function readSide(r: ByteReader, bits: number): Subfield | undefined {
  const info = readHeader(r);
  const offset = r.u16();
  if (info === undefined) return undefined;
  if (offset + bits > info.bytes * 8) r.fail('bits outside the field');
  return { field: info.name, offset, bits };
}

/** Undefined when a field is not known; otherwise the specs up to a zero header or the end. */
function readSpecs(r: ByteReader): LearnSpec[] | undefined {
  const specs: LearnSpec[] = [];
  while (r.left >= 2) {
    const header = r.u16();
    if (header === 0) break;
    const bits = header & SPEC.BITS;
    const to = (header >>> 11) & 3;
    if (bits === 0 || to === 3 || header & 0xc000) r.fail(`spec header 0x${header.toString(16)}`, r.pos - 2);
    const value = header & SPEC.IMMEDIATE ? r.big(2 * Math.ceil(bits / 16)) : undefined;
    const source = value === undefined ? readSide(r, bits) : undefined;
    if (value === undefined && source === undefined) return undefined;
    if (to === SPEC.OUTPUT) {
      if (source === undefined) return r.fail('output of an immediate value');
      specs.push({ kind: 'output', source });
      continue;
    }
    const target = readSide(r, bits);
    if (target === undefined) return undefined;
    const kind = to === SPEC.MATCH ? 'match' : 'load';
    specs.push(value === undefined ? { kind, source: source as Subfield, target } : { kind, value, target });
  }
  return specs;
}

const learnForm = (type: 16 | 45): ActionForm<ActionOf<'learn'>> =>
  variable(
    nx(
      type,
      type === 16 ? 32 : 40,
      (w, a) => {
        w.u16(a.idleTimeout);
        w.u16(a.hardTimeout);
        w.u16(a.priority);
        w.u64(a.cookie);
        w.u16(
          (a.sendFlowRemoved ? FLAG.SEND_FLOW_REM : 0) |
            (a.deleteLearned ? FLAG.DELETE_LEARNED : 0) |
            (a.result === undefined ? 0 : FLAG.WRITE_RESULT),
        );
        w.u8(a.table);
        w.skip(1);
        w.u16(a.finIdleTimeout);
        w.u16(a.finHardTimeout);
        if (type === 45) {
          w.u32(a.limit ?? 0);
          w.u16(a.result?.offset ?? 0);
          w.skip(2);
          if (a.result !== undefined) writeHeader(w, FIELD_INFO[a.result.field].first);
        }
        for (const spec of a.specs) writeSpec(w, spec);
      },
      (r) => {
        const idleTimeout = r.u16();
        const hardTimeout = r.u16();
        const priority = r.u16();
        const cookie = r.u64();
        const flags = r.u16();
        const table = r.u8();
        r.skip(1);
        const finIdleTimeout = r.u16();
        const finHardTimeout = r.u16();
        let limit: number | undefined;
        let result: Subfield | undefined;
        if (type === 45) {
          limit = r.u32();
          const offset = r.u16();
          r.skip(2);
          if (flags & FLAG.WRITE_RESULT) {
            const info = readHeader(r);
            if (info === undefined) return undefined;
            result = { field: info.name, offset, bits: 1 };
          }
        } else if (flags & FLAG.WRITE_RESULT) return undefined;
        const specs = flags > 7 ? undefined : readSpecs(r);
        return (
          specs && {
            kind: 'learn',
            table,
            priority,
            cookie,
            idleTimeout,
            hardTimeout,
            finIdleTimeout,
            finHardTimeout,
            ...(flags & FLAG.SEND_FLOW_REM ? { sendFlowRemoved: true } : {}),
            ...(flags & FLAG.DELETE_LEARNED ? { deleteLearned: true } : {}),
            ...(limit === undefined ? {} : { limit }),
            ...(result === undefined ? {} : { result }),
            specs,
          }
        );
      },
    ),
  );

export const LEARN_ACTION: ActionRow<ActionOf<'learn'>> = {
  forms: [learnForm(16), learnForm(45)],
  pick: (a) => (a.limit !== undefined || a.result !== undefined ? 1 : 0),
};
