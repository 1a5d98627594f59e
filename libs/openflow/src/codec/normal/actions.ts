import type { Action, ActionOf, Instruction, IpValue, Nat } from '../actions/types.js';
import { FIELD_INFO } from '../fields/info.js';
import type { FieldName } from '../fields/table.js';
import { PORT } from '../ports.js';
import { significantOnes } from './match.js';

/** Any way of writing bits of a field as loads of up to 64 bits, one for each run of ones in the mask. */
function loads(field: FieldName, value: bigint, mask: bigint): Action[] {
  const out: Action[] = [];
  const end = FIELD_INFO[field].bytes * 8;
  let at = 0;
  while (at < end) {
    if (((mask >> BigInt(at)) & 1n) === 0n) {
      at++;
      continue;
    }
    let bits = 1;
    while (bits < 64 && at + bits < end && (mask >> BigInt(at + bits)) & 1n) bits++;
    out.push({ kind: 'load', target: { field, offset: at, bits }, value: BigInt.asUintN(bits, value >> BigInt(at)) });
    at += bits;
  }
  return out;
}

const set = (field: FieldName, value: number | bigint, mask?: number | bigint): Action[] =>
  loads(field, BigInt(value), BigInt(mask ?? significantOnes(field)));

const equalIp = (a: IpValue, b: IpValue): boolean => a.family === b.family && a.value === b.value;

function normalizeNat(nat: Nat): Nat {
  const { type, ip, port } = nat;
  return {
    ...(type && { type }),
    ...(ip && { ip: ip.max === undefined || equalIp(ip.min, ip.max) ? { min: ip.min } : ip }),
    ...(port && { port: port.max === undefined || port.min === port.max ? { min: port.min } : port }),
    ...(nat.persistent && { persistent: true }),
    ...(nat.hash && { hash: true }),
    ...(nat.random && { random: true }),
  };
}

function normalizeController(a: ActionOf<'controller'>): Action {
  return {
    kind: 'controller',
    ...(a.maxLen !== undefined && a.maxLen !== 0xffff && { maxLen: a.maxLen }),
    ...(a.controllerId && { controllerId: a.controllerId }),
    ...(a.reason !== undefined && a.reason !== 'action' && a.reason !== 1 && { reason: a.reason }),
    ...(a.userdata?.length && { userdata: a.userdata }),
    ...(a.pause && { pause: true }),
    ...(a.meterId !== undefined && { meterId: a.meterId }),
  };
}

function normalizeCt(a: ActionOf<'ct'>): Action {
  const exec = a.exec === undefined ? [] : normalizeActions(a.exec);
  return {
    kind: 'ct',
    ...(a.commit && { commit: true }),
    ...(a.force && { force: true }),
    ...(a.zone !== undefined && a.zone !== 0 && { zone: a.zone }),
    ...(a.table !== undefined && a.table !== 0xff && { table: a.table }),
    ...(a.alg && { alg: a.alg }),
    ...(a.nat && { nat: normalizeNat(a.nat) }),
    ...(exec.length > 0 && { exec }),
  };
}

type Rewrites = { readonly [K in Action['kind']]?: (a: ActionOf<K>) => Action | Action[] };

/** Kinds that can be said in more than one way. All others are their own normal form. */
const REWRITE: Rewrites = {
  output: (a) =>
    a.port === PORT.CONTROLLER && a.maxLen !== undefined && a.maxLen !== 0xffff ? a : { kind: 'output', port: a.port },
  output_reg: (a) => (a.maxLen === 0xffff ? { kind: 'output_reg', source: a.source } : a),
  controller: normalizeController,
  set_field: (a) =>
    FIELD_INFO[a.field].variable && a.mask === undefined
      ? { kind: 'set_field', field: a.field, value: a.value }
      : set(a.field, a.value, a.mask),
  load: (a) => {
    const { field, offset, bits } = a.target;
    const whole = offset === 0 && bits === FIELD_INFO[field].bits;
    if (FIELD_INFO[field].variable && whole) return { kind: 'set_field', field, value: BigInt(a.value) };
    const shift = BigInt(offset);
    return loads(field, BigInt(a.value) << shift, ((1n << BigInt(bits)) - 1n) << shift);
  },
  move: (a) => ({ kind: 'move', source: a.source, target: a.target }),
  mod_dl_src: (a) => set('eth_src', a.mac),
  mod_dl_dst: (a) => set('eth_dst', a.mac),
  mod_nw_src: (a) => set('ip_src', a.ip),
  mod_nw_dst: (a) => set('ip_dst', a.ip),
  mod_nw_tos: (a) => set('ip_dscp', a.tos >>> 2),
  mod_nw_ecn: (a) => set('nw_ecn', a.ecn),
  set_vlan_vid: (a) => set('vlan_vid', 0x1000 | a.vid),
  set_vlan_pcp: (a) => set('vlan_pcp', a.pcp),
  set_mpls_label: (a) => set('mpls_label', a.label),
  set_mpls_tc: (a) => set('mpls_tc', a.tc),
  set_tunnel: (a) => set('tun_id', BigInt(a.id)),
  set_tunnel64: (a) => set('tun_id', a.id),
  dec_ttl: (a) => (a.controllerIds?.length === 1 && a.controllerIds[0] === 0 ? { kind: 'dec_ttl' } : a),
  resubmit: (a) => ({
    kind: 'resubmit',
    ...(a.port !== undefined && a.port !== PORT.IN_PORT && { port: a.port }),
    ...(a.table !== undefined && a.table !== 0xff && { table: a.table }),
    ...(a.ct && { ct: true }),
  }),
  note: (a) => {
    // A note fills its action: six bytes, then eight at a time.
    const data = new Uint8Array(6 + 8 * Math.ceil(Math.max(0, a.data.length - 6) / 8));
    data.set(a.data);
    return { kind: 'note', data };
  },
  ct: normalizeCt,
  nat: (a) => ({ kind: 'nat', nat: normalizeNat(a.nat) }),
  clone: (a) => ({ kind: 'clone', actions: normalizeActions(a.actions) }),
  learn: (a) => ({
    ...a,
    sendFlowRemoved: a.sendFlowRemoved ?? false,
    deleteLearned: a.deleteLearned ?? false,
    limit: a.limit ?? 0,
  }),
};

/** One way to say each action: bits are written by `load`, defaults are left out. */
export function normalizeActions(actions: readonly Action[]): Action[] {
  const out: Action[] = [];
  for (const action of actions) {
    const rewrite = REWRITE[action.kind] as ((a: Action) => Action | Action[]) | undefined;
    const result = rewrite === undefined ? action : rewrite(action);
    if (Array.isArray(result)) out.push(...result);
    else out.push(result);
  }
  return out;
}

const ORDER = ['apply_actions', 'clear_actions', 'write_actions', 'write_metadata', 'goto_table', 'unknown'] as const;

/** Instructions in the order of their execution, a meter as the first action (as 1.5 has it), nothing that does nothing. */
export function normalizeInstructions(instructions: readonly Instruction[]): Instruction[] {
  const meter: Action[] = [];
  const apply: Action[] = [];
  const rest: Instruction[] = [];
  for (const i of instructions) {
    if (i.kind === 'meter') meter.push({ kind: 'meter', meter: i.meter });
    else if (i.kind === 'apply_actions') apply.push(...normalizeActions(i.actions));
    else if (i.kind === 'write_actions') rest.push({ kind: 'write_actions', actions: normalizeActions(i.actions) });
    else rest.push(i);
  }
  const actions = [...meter, ...apply];
  if (actions.length > 0) rest.unshift({ kind: 'apply_actions', actions });
  const rank = (i: Instruction): number => (i.kind === 'meter' ? -1 : ORDER.indexOf(i.kind));
  return rest.sort((a, b) => rank(a) - rank(b));
}
