import { type Action, PORT } from 'openflow-ts/codec';
import type { CtRequest, NatRequest } from './conntrack.js';
import { EvaluateError } from './errors.js';
import {
  type FieldValue,
  fieldRow,
  hasField,
  readField,
  readSubfield,
  type Slots,
  writeMasked,
  writeSubfield,
} from './fields.js';
import type { Runtime, Thread } from './runtime.js';

type Outcome = 'go on' | 'stop';
type Modelled = Exclude<Action['kind'], NotModelled>;
type Run<K extends Action['kind']> = (
  runtime: Runtime,
  thread: Thread,
  action: Extract<Action, { kind: K }>,
  tableId: number,
) => Outcome | undefined;

/** Kinds that the pipeline does not use. A new kind of action must be put here or below, or this fails to compile. */
const NOT_MODELLED = [
  'output_trunc',
  'bundle',
  'push',
  'pop',
  'delete_field',
  'set_vlan_vid',
  'set_vlan_pcp',
  'pop_vlan',
  'push_vlan',
  'mod_dl_src',
  'mod_dl_dst',
  'mod_nw_src',
  'mod_nw_dst',
  'mod_nw_tos',
  'mod_nw_ecn',
  'mod_nw_ttl',
  'mod_tp_src',
  'mod_tp_dst',
  'set_mpls_label',
  'set_mpls_tc',
  'set_mpls_ttl',
  'dec_mpls_ttl',
  'push_mpls',
  'pop_mpls',
  'dec_nsh_ttl',
  'set_queue',
  'pop_queue',
  'set_tunnel',
  'set_tunnel64',
  'fin_timeout',
  'learn',
  'multipath',
  'exit',
  'sample',
  'nat',
  'encap',
  'decap',
  'check_pkt_larger',
  'write_metadata',
  'meter',
  'debug_recirc',
  'debug_slow',
  'unknown',
] as const satisfies readonly Action['kind'][];
type NotModelled = (typeof NOT_MODELLED)[number];

/** Runs a list of actions; 'stop' ends the list and what the flow would do after it. */
export function runActions(runtime: Runtime, thread: Thread, actions: readonly Action[], tableId: number): Outcome {
  for (const action of actions) if (runAction(runtime, thread, action, tableId) === 'stop') return 'stop';
  return 'go on';
}

const isModelled = (action: Action): action is Extract<Action, { kind: Modelled }> =>
  Object.hasOwn(ACTIONS, action.kind);

function runAction(runtime: Runtime, thread: Thread, action: Action, tableId: number): Outcome | undefined {
  if (!isModelled(action))
    throw new EvaluateError(`${thread.node} table ${tableId}`, `action ${action.kind} is not modelled`);
  return (ACTIONS[action.kind] as Run<Modelled>)(runtime, thread, action, tableId);
}

const ACTIONS: { readonly [K in Modelled]: Run<K> } = {
  output: (runtime, thread, { port }, tableId) => output(runtime, thread, port, tableId),
  output_reg: (runtime, thread, { source }, tableId) =>
    output(runtime, thread, Number(readSubfield(thread.slots, source)), tableId),
  // A copy goes to the controller; the packet itself goes on.
  controller: () => undefined,
  group: (runtime, thread, { group }) => void runtime.group(thread, group),
  set_field: (_, thread, { field, value, mask }) => {
    checkWritable(thread, field);
    if (hasField(thread.slots, field)) writeMasked(thread.slots, field, value, mask);
    return undefined;
  },
  load: (_, thread, { target, value }) => {
    checkWritable(thread, target.field);
    if (hasField(thread.slots, target.field)) writeSubfield(thread.slots, target, BigInt(value));
    return undefined;
  },
  move: (_, thread, { source, target }) => {
    checkWritable(thread, target.field);
    if (source.bits !== target.bits) throw new EvaluateError('', `move of ${source.bits} bits to ${target.bits}`);
    if (hasField(thread.slots, source.field) && hasField(thread.slots, target.field))
      writeSubfield(thread.slots, target, readSubfield(thread.slots, source));
    return undefined;
  },
  dec_ttl: (_, thread) => {
    if (!hasField(thread.slots, 'nw_ttl')) return undefined;
    const ttl = Number(readField(thread.slots, 'nw_ttl'));
    if (ttl <= 1) {
      thread.cause = 'ttl';
      return 'stop';
    }
    thread.slots.nw_ttl = ttl - 1;
    return undefined;
  },
  resubmit: (runtime, thread, { port, table, ct }, tableId) => {
    if (ct === true) throw new EvaluateError(`${thread.node} table ${tableId}`, 'resubmit with ct is not modelled');
    const own = thread.slots.in_port ?? 0;
    if (port !== undefined && port !== PORT.IN_PORT) thread.slots.in_port = port;
    thread.depth++;
    runtime.table(thread, table ?? tableId);
    thread.depth--;
    thread.slots.in_port = own;
    return undefined;
  },
  // A clause is met by the lookup; as an action it does nothing.
  conjunction: () => undefined,
  ct: runCt,
  ct_clear: (_, thread) => {
    for (const slot of Object.keys(thread.slots)) if (slot.startsWith('ct_')) delete thread.slots[slot];
    return undefined;
  },
  clone: (runtime, thread, { actions }, tableId) => {
    const kept = { slots: { ...thread.slots }, inPlace: thread.inPlace };
    runActions(runtime, thread, actions, tableId);
    Object.assign(thread, kept);
    return undefined;
  },
  note: () => undefined,
};

function output(runtime: Runtime, thread: Thread, port: number, tableId: number): undefined {
  const inPort = Number(thread.slots.in_port ?? 0);
  if (port === PORT.IN_PORT) runtime.output(thread, inPort);
  else if (port >= PORT.MAX)
    throw new EvaluateError(`${thread.node} table ${tableId}`, `output to reserved port ${port} is not modelled`);
  else if (port === inPort) thread.cause = 'output to in_port';
  // Port 0 is no port: a register that nobody wrote.
  else if (port !== 0) runtime.output(thread, port);
  return undefined;
}

/** Slots that address translation writes. */
const END_SLOTS = ['nw_src', 'nw_dst', 'ipv6_src', 'ipv6_dst', 'tp_src', 'tp_dst'] as const;
const END: ReadonlySet<string> = new Set(END_SLOTS);
/** What a packet keeps of a `ct` without a table. */
const keptOf = (slots: Slots): Slots =>
  Object.fromEntries(
    [...END_SLOTS, 'ct_state', 'ct_zone'].flatMap((name) => (slots[name] === undefined ? [] : [[name, slots[name]]])),
  );

/** @throws EvaluateError where the packet has been translated in place and the write would meet the old value */
function checkWritable(thread: Thread, field: string): void {
  const slot = fieldRow(field).slot ?? field;
  if (thread.inPlace !== undefined && thread.slots[slot] !== thread.inPlace.slots[slot] && END.has(slot))
    throw new EvaluateError(thread.node, `a write to ${field} behind a translation in place is not modelled`);
}

function runCt(
  runtime: Runtime,
  thread: Thread,
  action: Extract<Action, { kind: 'ct' }>,
  tableId: number,
): Outcome | undefined {
  const where = `${thread.node} table ${tableId}`;
  if (action.alg !== undefined) throw new EvaluateError(where, 'ct with alg is not modelled');
  if (action.commit === true && action.nat !== undefined && action.nat.type === undefined)
    throw new EvaluateError(where, 'a commit with nat that says nothing translates to nowhere');
  const zone = typeof action.zone === 'object' ? Number(readSubfield(thread.slots, action.zone)) : (action.zone ?? 0);
  const request: CtRequest = {
    zone,
    commit: action.commit === true,
    force: action.force === true,
    ...(action.nat === undefined ? {} : { nat: natRequest(action.nat, where) }),
    ...execRequest(thread.slots, action.exec ?? [], where),
  };
  const slots = { ...thread.slots, ...thread.inPlace?.slots };
  const inner = thread.inner && { ...thread.inner, ...thread.inPlace?.inner };
  runtime.connections(thread.node).execute(slots, inner, request);
  if (action.table === undefined) {
    // Without recirculation the connection hears of the packet, and the packet does not hear of the connection.
    thread.inPlace = { slots: keptOf(slots), inner: keptOf(inner ?? {}) };
    return undefined;
  }
  const before = { slots: thread.slots, inner: thread.inner, inPlace: thread.inPlace };
  Object.assign(thread, { slots, inner, inPlace: undefined });
  runtime.recirculate(thread, action.table);
  Object.assign(thread, before);
  return undefined;
}

type Nat = NonNullable<Extract<Action, { kind: 'ct' }>['nat']>;

function natRequest(nat: Nat, where: string): NatRequest {
  if (nat.ip?.max !== undefined && nat.ip.max.value !== nat.ip.min.value)
    throw new EvaluateError(where, 'nat to a range of addresses is not modelled');
  return {
    ...(nat.type === undefined ? {} : { kind: nat.type }),
    ...(nat.ip === undefined ? {} : { address: nat.ip.min.value }),
    ...(nat.port === undefined ? {} : { port: { min: nat.port.min, max: nat.port.max ?? nat.port.min } }),
  };
}

/** What `exec` writes: values and masks of ct_mark and ct_label. The packet's own copies start from zero there. */
function execRequest(slots: Slots, actions: readonly Action[], where: string): Pick<CtRequest, 'mark' | 'label'> {
  const scratch: Slots = { ...slots, ct_mark: 0, ct_label: 0n };
  const masks: Slots = { ct_mark: 0, ct_label: 0n };
  const written = (field: string, value: bigint, mask: bigint) => {
    if (field !== 'ct_mark' && field !== 'ct_label')
      throw new EvaluateError(where, `exec may write ct_mark and ct_label only, not ${field}`);
    writeMasked(scratch, field, value, mask);
    writeMasked(masks, field, mask, mask);
  };
  for (const action of actions)
    switch (action.kind) {
      case 'set_field':
        written(action.field, BigInt(action.value), BigInt(action.mask ?? allOnes(action.field)));
        break;
      case 'load':
        written(action.target.field, BigInt(action.value) << BigInt(action.target.offset), bitsOf(action.target));
        break;
      case 'move':
        written(
          action.target.field,
          readSubfield(slots, action.source) << BigInt(action.target.offset),
          bitsOf(action.target),
        );
        break;
      default:
        throw new EvaluateError(where, `exec(${action.kind}) is not modelled`);
    }
  const [mark, label] = [Number(masks.ct_mark), BigInt(masks.ct_label as FieldValue)];
  return {
    ...(mark === 0 ? {} : { mark: { value: Number(scratch.ct_mark), mask: mark } }),
    ...(label === 0n ? {} : { label: { value: BigInt(scratch.ct_label as FieldValue), mask: label } }),
  };
}

const bitsOf = ({ offset, bits }: { offset: number; bits: number }): bigint =>
  ((1n << BigInt(bits)) - 1n) << BigInt(offset);

const allOnes = (field: string): bigint => (1n << BigInt(fieldRow(field).bits)) - 1n;
