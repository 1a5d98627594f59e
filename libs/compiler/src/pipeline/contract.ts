import type { Action, Bucket, FieldName, Instruction, Match, Subfield } from 'openflow-ts/codec';
import { REGISTERS } from './registers.js';
import { PIPELINE, REGISTER_NAMES, TABLE_ID, type TableName, type TableSpec, tableById } from './tables.js';

/** A flow does what its table does not allow. Always a mistake in the compiler, never in the facts. */
export class PipelineContractError extends Error {
  override readonly name = 'PipelineContractError';
  readonly code = 'PIPELINE_CONTRACT';
  constructor(
    readonly table: string,
    problem: string,
  ) {
    super(`${table}: ${problem}`);
  }
}

interface Allowed {
  readonly spec: TableSpec;
  readonly matchFields: ReadonlySet<string>;
  /** Bits of registers, by register. */
  readonly matchBits: ReadonlyMap<string, bigint>;
  readonly writeFields: ReadonlySet<string>;
  readonly writeBits: ReadonlyMap<string, bigint>;
  /** Bits of registers that are alive here and may therefore be read. */
  readonly liveBits: ReadonlyMap<string, bigint>;
  readonly nextIds: ReadonlySet<number>;
}

const order = PIPELINE.map((t) => t.name) as readonly string[];
const isRegister = (name: string): name is keyof typeof REGISTERS => name in REGISTERS;
const bitsOf = (name: keyof typeof REGISTERS): bigint => {
  const { lsb, msb } = REGISTERS[name];
  return ((1n << BigInt(msb - lsb + 1)) - 1n) << BigInt(lsb);
};

/** IPv4's half of an xxreg has a name of its own: reg8 is the high end of xxreg2. */
function addBits(to: Map<string, bigint>, name: keyof typeof REGISTERS): void {
  const { field } = REGISTERS[name];
  to.set(field, (to.get(field) ?? 0n) | bitsOf(name));
  if (!field.startsWith('xxreg')) return;
  const first = Number(field.slice('xxreg'.length)) * 4;
  for (let i = first; i < first + 4; i++) to.set(`reg${i}`, 0xffff_ffffn);
}

function allowedOf(spec: TableSpec): Allowed {
  const collect = (names: readonly string[]) => {
    const bits = new Map<string, bigint>();
    for (const n of names) if (isRegister(n)) addBits(bits, n);
    return { fields: new Set(names.filter((n) => !isRegister(n))), bits };
  };
  const at = order.indexOf(spec.name);
  const live = REGISTER_NAMES.filter(
    (n) => order.indexOf(REGISTERS[n].from) <= at && at <= order.indexOf(REGISTERS[n].until),
  );
  const [matches, writes] = [collect(spec.matches), collect(spec.writes)];
  for (const n of [...spec.matches, ...spec.writes])
    if (isRegister(n) && !live.includes(n)) throw new PipelineContractError(spec.name, `${n} is not alive here`);
  return {
    spec,
    matchFields: matches.fields,
    matchBits: matches.bits,
    writeFields: writes.fields,
    writeBits: writes.bits,
    liveBits: collect(live).bits,
    nextIds: new Set(spec.next.map((n) => TABLE_ID[n as TableName])),
  };
}

const ALLOWED = new Map<number, Allowed>(PIPELINE.map((t) => [t.id, allowedOf(t)]));

const ALL_32 = 0xffff_ffffn;
const inside = (bits: bigint, of: bigint | undefined): boolean => of !== undefined && (bits & ~of) === 0n;
const bitsOfSubfield = (s: Subfield): bigint => ((1n << BigInt(s.bits)) - 1n) << BigInt(s.offset);

function checkMatch(a: Allowed, match: Match): void {
  for (const field in match) {
    if (a.matchFields.has(field)) continue;
    const value = match[field as FieldName] as unknown;
    const bits = Array.isArray(value) ? BigInt(value[1] as number | bigint) : ALL_32;
    if (!inside(bits, a.matchBits.get(field))) throw new PipelineContractError(a.spec.name, `may not match ${field}`);
  }
}

function checkWrite(a: Allowed, field: string, bits: bigint): void {
  if (a.writeFields.has(field) || inside(bits, a.writeBits.get(field))) return;
  throw new PipelineContractError(a.spec.name, `may not write ${field} (bits 0x${bits.toString(16)})`);
}

function checkRead(a: Allowed, source: Subfield): void {
  if (!/^x{0,2}reg\d/.test(source.field)) return;
  if (!inside(bitsOfSubfield(source), a.liveBits.get(source.field)))
    throw new PipelineContractError(a.spec.name, `reads ${source.field} where nothing is kept`);
}

function checkNext(a: Allowed, table: number | undefined): void {
  if (table === undefined || a.nextIds.has(table)) return;
  throw new PipelineContractError(a.spec.name, `may not go to ${tableById(table)?.name ?? `table ${table}`}`);
}

function checkOutput(a: Allowed): void {
  if (!a.spec.outputs) throw new PipelineContractError(a.spec.name, 'may not send packets out');
}

type Checks = { readonly [K in Action['kind']]?: (a: Allowed, action: Extract<Action, { kind: K }>) => void };
const nothing = () => {};
/** Actions that the pipeline uses; any other is refused. */
const ACTION_CHECKS: Checks = {
  output: checkOutput,
  output_reg: (a, action) => {
    checkOutput(a);
    checkRead(a, action.source);
  },
  controller: (a) => {
    if (!a.spec.tells) throw new PipelineContractError(a.spec.name, 'may not send packets to the controller');
  },
  group: nothing,
  dec_ttl: nothing,
  conjunction: nothing,
  set_field: (a, action) => checkWrite(a, action.field, action.mask === undefined ? ALL_32 : BigInt(action.mask)),
  move: (a, action) => {
    checkRead(a, action.source);
    checkWrite(a, action.target.field, bitsOfSubfield(action.target));
  },
  resubmit: (a, action) => {
    if (action.table === undefined) throw new PipelineContractError(a.spec.name, 'resubmits to itself');
    checkNext(a, action.table);
  },
  ct: (a, action) => {
    if (typeof action.zone === 'object') checkRead(a, action.zone);
    if (action.zone === undefined || action.zone === 0) throw new PipelineContractError(a.spec.name, 'uses zone 0');
    checkNext(a, action.table);
    checkActions(a, action.exec ?? []);
  },
};

function checkActions(a: Allowed, actions: readonly Action[]): void {
  for (const action of actions) {
    const check = ACTION_CHECKS[action.kind] as ((a: Allowed, action: Action) => void) | undefined;
    if (check === undefined) throw new PipelineContractError(a.spec.name, `action ${action.kind} has no place here`);
    check(a, action);
  }
}

/** Checks a flow against the contract of its table. @throws PipelineContractError */
export function checkFlow(tableId: number, match: Match, instructions: readonly Instruction[]): void {
  const a = ALLOWED.get(tableId);
  if (a === undefined) throw new PipelineContractError(`table ${tableId}`, 'is not in the pipeline');
  checkMatch(a, match);
  for (const instruction of instructions) {
    if (instruction.kind === 'goto_table') checkNext(a, instruction.table);
    else if (instruction.kind === 'apply_actions') checkActions(a, instruction.actions);
    else throw new PipelineContractError(a.spec.name, `instruction ${instruction.kind} has no place here`);
  }
}

/** Checks buckets as actions of the table that sends packets to the group. @throws PipelineContractError */
export function checkBuckets(table: TableName, buckets: readonly Bucket[]): void {
  const a = ALLOWED.get(TABLE_ID[table]) as Allowed;
  for (const bucket of buckets) checkActions(a, bucket.actions);
}
