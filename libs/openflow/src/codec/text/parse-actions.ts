import { type Action, type ActionOf, type Instruction, PACKET_IN_REASONS } from '../actions/types.js';
import { FIELD_INFO, type FieldInfo } from '../fields/info.js';
import type { Match } from '../fields/match.js';
import { PORT } from '../ports.js';
import {
  hexBytes,
  options,
  parseBundle,
  parseDecap,
  parseEncap,
  parseMultipath,
  parseNat,
  parseSample,
} from './parse-extensions.js';
import { parseLearn } from './parse-learn.js';
import {
  fieldOfText,
  findPort,
  findSubfield,
  type Numbers,
  parsePort,
  parseSubfield,
  parseTable,
  parseValue,
} from './parse-values.js';
import { Piece } from './scan.js';

/** What an action's meaning may depend on. */
export interface ActionTextContext extends Numbers {
  /** Of the flow: whether it has a tag (mod_vlan_vid), and which protocol (mod_tp_src). */
  readonly match?: Match;
}

interface State extends ActionTextContext {
  tagged: boolean;
}

const ALL_64 = 0xffff_ffff_ffff_ffffn;
const setField = (field: ActionOf<'set_field'>['field'], value: number | bigint): Action => ({
  kind: 'set_field',
  field,
  value,
});
/** Before and after `->`. */
const arrow = (p: Piece): readonly [Piece, Piece] => p.cut('->') ?? p.fail(`"${p.text}" has no "->"`);
function parseSetField(p: Piece, ctx: State): Action {
  const i = p.text.lastIndexOf('->');
  if (i < 0) return p.fail(`"${p.text}" has no "->"`);
  const target = p.slice(i + 2);
  const info: FieldInfo = fieldOfText(target.text) ?? target.fail(`"${target.text}" is no field`);
  if (info.spec.access === 'ro') target.fail(`${target.text} cannot be written`);
  const [value, mask] = parseValue(info, p.slice(0, i), ctx);
  if (info.variable)
    return { kind: 'set_field', field: info.name, value, bytes: Math.max(1, Math.ceil(value.toString(16).length / 2)) };
  const whole = mask === info.ones;
  const masked = typeof value === 'bigint' ? value & (mask as bigint) : (value & (mask as number)) >>> 0;
  return { kind: 'set_field', field: info.name, value: whole ? value : masked, ...(whole ? {} : { mask }) };
}

function parseLoad(p: Piece): Action {
  const [value, to] = arrow(p);
  const target = parseSubfield(to);
  const n = value.big(target.bits);
  return { kind: 'load', target, value: target.bits <= 32 ? Number(n) : n };
}

function parseMove(p: Piece): Action {
  const [from, to] = arrow(p);
  const source = parseSubfield(from);
  const target = parseSubfield(to);
  if (source.bits !== target.bits) p.fail(`${source.bits} bits into ${target.bits}`);
  return { kind: 'move', source, target };
}

function parseOutput(p: Piece, ctx: State): Action {
  if (p.text.includes('=')) {
    const o = options(p);
    const port = o.get('port') ?? p.fail('no port');
    const maxLen = o.get('max_len') ?? p.fail('no max_len');
    return { kind: 'output_trunc', port: parsePort(port, ctx), maxLen: maxLen.number(32) };
  }
  const port = findPort(p, ctx);
  if (port !== undefined) return { kind: 'output', port };
  return { kind: 'output_reg', source: findSubfield(p) ?? p.fail(`"${p.text}" is neither a port nor a field`) };
}

function parseController(p: Piece): Action {
  if (p.text === '') return { kind: 'output', port: PORT.CONTROLLER };
  if (/^[0-9x]/.test(p.text)) return toController(p.number(16));
  const o = options(p);
  const maxLen = o.get('max_len')?.number(16);
  const controllerId = o.get('id')?.number(16);
  const reasonText = o.get('reason')?.text;
  const reason = PACKET_IN_REASONS.find((r) => r === reasonText);
  if (reasonText !== undefined && reason === undefined) p.fail(`"${reasonText}" is no reason`);
  const userdata = o.get('userdata');
  const pause = o.has('pause');
  const meterId = o.get('meter_id')?.number(32);
  if (!controllerId && (reason === undefined || reason === 'action') && !userdata && !pause && meterId === undefined)
    return toController(maxLen ?? 0xffff);
  return {
    kind: 'controller',
    ...(maxLen !== undefined && maxLen !== 0xffff && { maxLen }),
    ...(controllerId && { controllerId }),
    ...(reason && reason !== 'action' && { reason }),
    ...(userdata && { userdata: hexBytes(userdata) }),
    ...(pause && { pause }),
    ...(meterId !== undefined && { meterId }),
  };
}
const toController = (maxLen: number): Action =>
  maxLen === 0xffff ? { kind: 'output', port: PORT.CONTROLLER } : { kind: 'output', port: PORT.CONTROLLER, maxLen };

function parseResubmit(p: Piece, ctx: State, parenthesized: boolean): Action {
  if (!parenthesized) return { kind: 'resubmit', port: parsePort(p, ctx) };
  const [port, table, ct] = p.text.split(',').map((part) => part.trim());
  const piece = (text: string): Piece => new Piece(text);
  return {
    kind: 'resubmit',
    ...(port && { port: parsePort(piece(port), ctx) }),
    ...(table && { table: parseTable(piece(table), ctx) }),
    ...(ct === 'ct' && { ct: true }),
  };
}

const ALGS: Readonly<Record<string, number>> = { ftp: 21, tftp: 69 };
function parseCt(p: Piece, ctx: State): Action {
  const ct: { -readonly [K in keyof ActionOf<'ct'>]: ActionOf<'ct'>[K] } = { kind: 'ct' };
  for (const part of p.split()) {
    const { name, arg } = part.call();
    const value = (): Piece => arg ?? part.fail(`${name} has no value`);
    if (name === 'commit' || name === 'force') ct[name] = true;
    else if (name === 'table') ct.table = parseTable(value(), ctx);
    else if (name === 'zone') {
      const zone = value();
      const n = /^[0-9]/.test(zone.text) ? zone.number(16) : parseSubfield(zone);
      if (n !== 0) ct.zone = n;
    } else if (name === 'alg') ct.alg = ALGS[value().text] ?? value().number(16);
    else if (name === 'nat') ct.nat = arg === undefined ? {} : parseNat(arg);
    else if (name === 'exec') ct.exec = parseList(value(), ctx);
    else part.fail(`ct has no "${name}"`);
  }
  return ct;
}

function parseConjunction(p: Piece): Action {
  const m = /^(\w+)\s*,\s*(\d+)\s*\/\s*(\d+)$/.exec(p.text);
  if (m === null) return p.fail(`"${p.text}" is not id,k/n`);
  const [clause, of] = [Number(m[2]), Number(m[3])];
  if (clause < 1 || clause > of || of < 2 || of > 64) p.fail('k must be 1..n and n 2..64');
  return { kind: 'conjunction', id: new Piece(m[1] as string).number(32), clause, of };
}

function transportField(ctx: State, p: Piece, side: 'src' | 'dst'): ActionOf<'set_field'>['field'] {
  const proto = ctx.match?.nw_proto;
  if (proto === 6) return `tcp_${side}`;
  if (proto === 17) return `udp_${side}`;
  if (proto === 132) return `sctp_${side}`;
  return p.fail('only flows of tcp, udp or sctp have ports to modify');
}

type Parse = (arg: Piece, ctx: State, whole: Piece) => Action | Action[] | Instruction;
const mac = (p: Piece): bigint => parseValue(FIELD_INFO.eth_src, p, {})[0] as bigint;
const ipv4 = (p: Piece): number => parseValue(FIELD_INFO.ip_src, p, {})[0] as number;

/** Names of actions and instructions. Names that are old are said in the way of OpenFlow 1.3, as ovs-ofctl does. */
const PARSE: Readonly<Record<string, Parse>> = {
  output: parseOutput,
  controller: (p) => parseController(p),
  group: (p) => ({ kind: 'group', group: p.number(32) }),
  set_field: parseSetField,
  load: (p) => parseLoad(p),
  reg_load: (p) => parseLoad(p),
  move: (p) => parseMove(p),
  push: (p) => ({ kind: 'push', field: parseSubfield(p) }),
  pop: (p) => ({ kind: 'pop', field: parseSubfield(p) }),
  delete_field: (p) => ({
    kind: 'delete_field',
    field: (fieldOfText(p.text) ?? p.fail(`"${p.text}" is no field`)).name,
  }),
  enqueue: (p, ctx) => {
    const [port, queue] = p.split(/[\s,:]/) as (Piece | undefined)[];
    if (!port || !queue) return p.fail('enqueue takes port and queue');
    return [
      { kind: 'set_queue', queue: queue.number(32) },
      { kind: 'output', port: parsePort(port, ctx), maxLen: 0xffff },
      { kind: 'pop_queue' },
    ];
  },
  mod_vlan_vid: (p, ctx) => {
    const set = setField('vlan_vid', 0x1000 | p.number(12));
    if (ctx.tagged) return [set];
    ctx.tagged = true;
    return [{ kind: 'push_vlan', ethType: 0x8100 }, set];
  },
  mod_vlan_pcp: (p, ctx) => {
    const set = setField('vlan_pcp', p.number(3));
    if (ctx.tagged) return [set];
    ctx.tagged = true;
    return [{ kind: 'push_vlan', ethType: 0x8100 }, set];
  },
  set_vlan_vid: (p) => setField('vlan_vid', 0x1000 | p.number(12)),
  set_vlan_pcp: (p) => setField('vlan_pcp', p.number(3)),
  strip_vlan: (_, ctx) => {
    ctx.tagged = false;
    return { kind: 'pop_vlan' };
  },
  pop_vlan: (_, ctx) => {
    ctx.tagged = false;
    return { kind: 'pop_vlan' };
  },
  push_vlan: (p, ctx) => {
    ctx.tagged = true;
    return { kind: 'push_vlan', ethType: p.number(16) };
  },
  mod_dl_src: (p) => setField('eth_src', mac(p)),
  mod_dl_dst: (p) => setField('eth_dst', mac(p)),
  mod_nw_src: (p) => setField('ip_src', ipv4(p)),
  mod_nw_dst: (p) => setField('ip_dst', ipv4(p)),
  mod_nw_tos: (p) => setField('ip_dscp', p.number(8) >>> 2),
  mod_nw_ecn: (p) => setField('nw_ecn', p.number(2)),
  mod_nw_ttl: (p) => ({ kind: 'mod_nw_ttl', ttl: p.number(8) }),
  mod_tp_src: (p, ctx) => setField(transportField(ctx, p, 'src'), p.number(16)),
  mod_tp_dst: (p, ctx) => setField(transportField(ctx, p, 'dst'), p.number(16)),
  dec_ttl: (p) =>
    p.text === '' ? { kind: 'dec_ttl' } : { kind: 'dec_ttl', controllerIds: p.split().map((id) => id.number(16)) },
  set_mpls_label: (p) => setField('mpls_label', p.number(20)),
  set_mpls_tc: (p) => setField('mpls_tc', p.number(3)),
  set_mpls_ttl: (p) => ({ kind: 'set_mpls_ttl', ttl: p.number(8) }),
  dec_mpls_ttl: () => ({ kind: 'dec_mpls_ttl' }),
  push_mpls: (p) => ({ kind: 'push_mpls', ethType: p.number(16) }),
  pop_mpls: (p) => ({ kind: 'pop_mpls', ethType: p.number(16) }),
  dec_nsh_ttl: () => ({ kind: 'dec_nsh_ttl' }),
  set_queue: (p) => ({ kind: 'set_queue', queue: p.number(32) }),
  pop_queue: () => ({ kind: 'pop_queue' }),
  set_tunnel: (p) => setField('tun_id', p.big(64)),
  set_tunnel64: (p) => setField('tun_id', p.big(64)),
  fin_timeout: (p) => {
    const o = options(p);
    return {
      kind: 'fin_timeout',
      idleTimeout: o.get('idle_timeout')?.number(16) ?? 0,
      hardTimeout: o.get('hard_timeout')?.number(16) ?? 0,
    };
  },
  resubmit: (p, ctx, whole) => parseResubmit(p, ctx, whole.text.includes('(')),
  learn: (p, ctx) => parseLearn(p, ctx),
  conjunction: (p) => parseConjunction(p),
  multipath: (p) => parseMultipath(p),
  bundle: (p, ctx) => parseBundle(p, ctx, false),
  bundle_load: (p, ctx) => parseBundle(p, ctx, true),
  note: (p) => ({ kind: 'note', data: padNote(hexBytes(p)) }),
  exit: () => ({ kind: 'exit' }),
  sample: parseSample,
  ct: parseCt,
  ct_clear: () => ({ kind: 'ct_clear' }),
  nat: (p) => ({ kind: 'nat', nat: parseNat(p) }),
  clone: (p, ctx) => ({ kind: 'clone', actions: parseList(p, ctx) }),
  encap: (p) => parseEncap(p),
  decap: (p) => parseDecap(p),
  debug_recirc: () => ({ kind: 'debug_recirc' }),
  debug_slow: () => ({ kind: 'debug_slow' }),
  meter: (p) => ({ kind: 'meter', meter: p.number(32) }) as Instruction,
  clear_actions: () => ({ kind: 'clear_actions' }),
  write_actions: (p, ctx) => ({ kind: 'write_actions', actions: /^drop$/i.test(p.text) ? [] : parseList(p, ctx) }),
  write_metadata: (p) => {
    const [value, mask] = p.cut('/') ?? [p, undefined];
    return { kind: 'write_metadata', value: value.big(64), mask: mask?.big(64) ?? ALL_64 } as Instruction;
  },
  goto_table: (p, ctx) => ({ kind: 'goto_table', table: parseTable(p, ctx) }),
};

/** A note fills its action: six bytes, then eight at a time. */
function padNote(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array(6 + 8 * Math.ceil(Math.max(0, data.length - 6) / 8));
  padded.set(data);
  return padded;
}

const INSTRUCTIONS: ReadonlySet<string> = new Set([
  'meter',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
]);

function parseOne(p: Piece, ctx: State): Action | Action[] | Instruction {
  const { name, arg, target } = p.call();
  if (name === 'check_pkt_larger') {
    if (arg === undefined || target === undefined) return p.fail('check_pkt_larger takes (bytes)->bit');
    const bit = parseSubfield(target);
    if (bit.bits !== 1) target.fail('the target must be one bit');
    return { kind: 'check_pkt_larger', bytes: arg.number(16), target: bit };
  }
  const parse = PARSE[name.toLowerCase()];
  if (parse !== undefined) return parse(arg ?? p.slice(p.text.length), ctx, p);
  const port = findPort(p, ctx);
  return port === undefined ? p.fail(`no action is called "${name}"`) : { kind: 'output', port };
}

/** Actions only, as ct and clone hold them. */
function parseList(p: Piece, ctx: State): Action[] {
  const out: Action[] = [];
  for (const part of p.split()) {
    const result = parseOne(part, ctx);
    if (Array.isArray(result)) out.push(...result);
    else if (INSTRUCTIONS.has(result.kind) && result.kind !== 'meter') part.fail(`${result.kind} may not stand here`);
    else out.push(result as Action);
  }
  return out;
}

const ORDER = ['meter', 'apply_actions', 'clear_actions', 'write_actions', 'write_metadata', 'goto_table'];

/** Reads what follows `actions=` of a flow. */
export function parseInstructionsPiece(p: Piece, context: ActionTextContext): Instruction[] {
  const vlan = context.match?.vlan_vid;
  const state: State = {
    ...context,
    tagged: typeof vlan === 'object' ? (vlan[0] & vlan[1] & 0x1000) !== 0 : vlan !== undefined && (vlan & 0x1000) !== 0,
  };
  if (/^(drop)?$/i.test(p.text)) return [];
  const actions: Action[] = [];
  const rest: Instruction[] = [];
  for (const part of p.split()) {
    const result = parseOne(part, state);
    if (Array.isArray(result)) actions.push(...result);
    else if (INSTRUCTIONS.has(result.kind)) {
      if (rest.some((i) => i.kind === result.kind)) part.fail(`${result.kind} comes twice`);
      rest.push(result as Instruction);
    } else actions.push(result as Action);
  }
  if (actions.length > 0) rest.push({ kind: 'apply_actions', actions });
  return rest.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/** Reads a list of actions, `ct(table=1,zone=5),output:2`. Throws `OpenFlowTextError`. */
export function parseActions(text: string, context: ActionTextContext = {}): Action[] {
  const state: State = { ...context, tagged: false };
  return /^\s*(drop)?\s*$/i.test(text) ? [] : parseList(new Piece(text).slice(0), state);
}

/** Reads instructions: actions stand in one apply_actions, `goto_table:5` and the like beside it. Throws `OpenFlowTextError`. */
export const parseInstructions = (text: string, context: ActionTextContext = {}): Instruction[] =>
  parseInstructionsPiece(new Piece(text).slice(0), context);

export { parseList };
