import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { ACTION_CODEC } from './codec.js';
import type { Instruction } from './types.js';

// struct ofp_instruction { u16 type; u16 len; ... }      OF1.3+, 7.2.5
const TYPE = {
  GOTO_TABLE: 1,
  WRITE_METADATA: 2,
  WRITE_ACTIONS: 3,
  APPLY_ACTIONS: 4,
  CLEAR_ACTIONS: 5,
  METER: 6,
} as const;

type Writers = {
  readonly [K in Instruction['kind']]: (
    w: ByteWriter,
    i: Extract<Instruction, { kind: K }>,
    version: WireVersion,
  ) => number;
};

const WRITE: Writers = {
  goto_table: (w, i) => {
    w.u8(i.table);
    w.skip(3);
    return TYPE.GOTO_TABLE;
  },
  write_metadata: (w, i) => {
    w.skip(4);
    w.u64(i.value);
    w.u64(i.mask);
    return TYPE.WRITE_METADATA;
  },
  write_actions: (w, i, version) => {
    w.skip(4);
    ACTION_CODEC[version].writeActions(w, i.actions);
    return TYPE.WRITE_ACTIONS;
  },
  apply_actions: (w, i, version) => {
    w.skip(4);
    ACTION_CODEC[version].writeActions(w, i.actions);
    return TYPE.APPLY_ACTIONS;
  },
  clear_actions: (w) => {
    w.skip(4);
    return TYPE.CLEAR_ACTIONS;
  },
  meter: (w, i) => {
    w.u32(i.meter);
    return TYPE.METER;
  },
  unknown: (w, i) => {
    w.raw(i.body);
    return i.type;
  },
};

/** A meter is an instruction up to 1.4 and the first applied action from 1.5 on; either may be given for any version. */
function placeMeter(instructions: readonly Instruction[], version: WireVersion): readonly Instruction[] {
  let hasMeter = false;
  for (const i of instructions)
    if (i.kind === 'meter' || (i.kind === 'apply_actions' && i.actions[0]?.kind === 'meter')) hasMeter = true;
  if (!hasMeter) return instructions;
  const meter = instructions.find((i) => i.kind === 'meter');
  const apply = instructions.find((i) => i.kind === 'apply_actions');
  if (version === 6 && meter !== undefined) {
    const applied: Instruction = { kind: 'apply_actions', actions: [meter, ...(apply?.actions ?? [])] };
    const others = instructions.filter((i) => i !== meter);
    return apply === undefined ? [applied, ...others] : others.map((i) => (i === apply ? applied : i));
  }
  const [first, ...rest] = apply?.actions ?? [];
  if (version !== 6 && first?.kind === 'meter')
    return [first, ...instructions.map((i) => (i === apply ? { kind: 'apply_actions' as const, actions: rest } : i))];
  return instructions;
}

/** Writes instructions in the order given. */
export function writeInstructions(w: ByteWriter, given: readonly Instruction[], version: WireVersion): void {
  const instructions = placeMeter(given, version);
  for (const instruction of instructions) {
    const start = w.skip(4);
    const write = WRITE[instruction.kind] as (w: ByteWriter, i: Instruction, v: WireVersion) => number;
    w.setU16(start, write(w, instruction, version));
    w.closeLength(start + 2, start, instruction.kind);
  }
}

function fixed(r: ByteReader, length: number, want: number, start: number): void {
  if (length !== want) r.fail(`instruction of ${length} bytes, want ${want}`, start);
}

function readInstruction(r: ByteReader, version: WireVersion): Instruction {
  const start = r.pos;
  const type = r.u16();
  const length = r.u16();
  if (length < 4 || length > r.end - start) r.fail(`instruction of ${length} bytes, ${r.end - start} left`, start);
  const outer = r.end;
  r.end = start + length;
  let instruction: Instruction;
  if (type === TYPE.APPLY_ACTIONS || type === TYPE.WRITE_ACTIONS) {
    r.skip(4);
    r.enter('actions');
    const actions = ACTION_CODEC[version].readActions(r);
    r.leave();
    instruction = { kind: type === TYPE.APPLY_ACTIONS ? 'apply_actions' : 'write_actions', actions };
  } else if (type === TYPE.GOTO_TABLE) {
    fixed(r, length, 8, start);
    instruction = { kind: 'goto_table', table: r.u8() };
  } else if (type === TYPE.WRITE_METADATA) {
    fixed(r, length, 24, start);
    r.skip(4);
    instruction = { kind: 'write_metadata', value: r.u64(), mask: r.u64() };
  } else if (type === TYPE.CLEAR_ACTIONS) {
    fixed(r, length, 8, start);
    instruction = { kind: 'clear_actions' };
  } else if (type === TYPE.METER && version < 6) {
    fixed(r, length, 8, start);
    instruction = { kind: 'meter', meter: r.u32() };
  } else instruction = { kind: 'unknown', type, body: r.rest() };
  r.pos = r.end;
  r.end = outer;
  return instruction;
}

function readElement(r: ByteReader, version: WireVersion, index: number): Instruction {
  r.enter(index);
  const instruction = readInstruction(r, version);
  r.leave();
  return instruction;
}

/** Most flows have one or two: such a list is made in one piece, with room for no more. */
function readList(r: ByteReader, version: WireVersion): Instruction[] {
  if (r.pos >= r.end) return [];
  const first = readElement(r, version, 0);
  if (r.pos >= r.end) return [first];
  const second = readElement(r, version, 1);
  if (r.pos >= r.end) return [first, second];
  const instructions = [first, second];
  while (r.pos < r.end) instructions.push(readElement(r, version, instructions.length));
  return instructions.slice();
}

/** Reads instructions up to `r.end`. */
export function readInstructions(r: ByteReader, version: WireVersion): Instruction[] {
  r.enter('instructions');
  const instructions = readList(r, version);
  r.leave();
  return instructions;
}
