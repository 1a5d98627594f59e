import {
  type Action,
  type ActionOf,
  type EncapProperty,
  type Instruction,
  type LearnSpec,
  type Nat,
  PACKET_IN_REASONS,
} from '../actions/types.js';
import { formatIpv4, formatIpv6, formatMac } from '../addresses.js';
import { FIELD_INFO } from '../fields/info.js';
import { PORT } from '../ports.js';
import { formatPort, formatSubfield, formatTable, formatValue, hex, type Names } from './values.js';

type Format<K extends Action['kind']> = (a: ActionOf<K>, names: Names) => string;

const dotted = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('.');
const plain = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const call = (name: string, parts: readonly (string | false | undefined)[]): string =>
  `${name}(${parts.filter((p) => p !== false && p !== undefined).join()})`;
const four = (n: number): string => `0x${n.toString(16).padStart(4, '0')}`;

function formatController(a: ActionOf<'controller'>): string {
  const maxLen = a.maxLen ?? 0xffff;
  const usual = a.reason === undefined || a.reason === 'action' || a.reason === 1;
  if (usual && !a.controllerId && !a.userdata?.length && !a.pause && a.meterId === undefined)
    return `CONTROLLER:${maxLen}`;
  return call('controller', [
    !usual && `reason=${typeof a.reason === 'number' ? (PACKET_IN_REASONS[a.reason] ?? a.reason) : a.reason}`,
    maxLen !== 0xffff && `max_len=${maxLen}`,
    !!a.controllerId && `id=${a.controllerId}`,
    !!a.userdata?.length && `userdata=${dotted(a.userdata)}`,
    a.pause && 'pause',
    a.meterId !== undefined && `meter_id=${a.meterId}`,
  ]);
}

function formatLearnSpec(spec: LearnSpec, names: Names): string {
  if (spec.kind === 'output') return `output:${formatSubfield(spec.source)}`;
  const { target } = spec;
  const info = FIELD_INFO[target.field];
  const to = formatSubfield(target);
  if (spec.kind === 'load') return `load:${'value' in spec ? hex(spec.value) : formatSubfield(spec.source)}->${to}`;
  if ('value' in spec) {
    if (target.offset !== 0 || target.bits !== info.bits) return `${to}=${hex(spec.value)}`;
    return `${learnName(target.field)}=${formatValue(info, info.wide ? spec.value : Number(spec.value), undefined, names)}`;
  }
  const from = formatSubfield(spec.source);
  return from === to ? to : `${to}=${from}`;
}
/** Open vSwitch calls its 16-bit in_port just so, and ours in_port_oxm. */
const learnName = (field: string): string => textName(field);
export const textName = (field: string): string =>
  field === 'in_port_nxm' ? 'in_port' : field === 'in_port' ? 'in_port_oxm' : field;

function formatLearn(a: ActionOf<'learn'>, names: Names): string {
  return call('learn', [
    `table=${formatTable(a.table, names)}`,
    a.idleTimeout !== 0 && `idle_timeout=${a.idleTimeout}`,
    a.hardTimeout !== 0 && `hard_timeout=${a.hardTimeout}`,
    a.finIdleTimeout !== 0 && `fin_idle_timeout=${a.finIdleTimeout}`,
    a.finHardTimeout !== 0 && `fin_hard_timeout=${a.finHardTimeout}`,
    a.priority !== 0x8000 && `priority=${a.priority}`,
    a.sendFlowRemoved && 'send_flow_rem',
    a.deleteLearned && 'delete_learned',
    a.cookie !== 0n && `cookie=${hex(a.cookie)}`,
    !!a.limit && `limit=${a.limit}`,
    a.result && `result_dst=${formatSubfield(a.result)}`,
    ...a.specs.map((spec) => formatLearnSpec(spec, names)),
  ]);
}

function formatNat(nat: Nat): string {
  if (nat.type === undefined) return 'nat';
  let range = '';
  if (nat.ip !== undefined) {
    const { min, max } = nat.ip;
    const brackets = nat.port !== undefined && min.family === 6;
    const show = (ip: typeof min): string =>
      ip.family === 4 ? formatIpv4(ip.value) : brackets ? `[${formatIpv6(ip.value)}]` : formatIpv6(ip.value);
    range = show(min);
    if (max !== undefined && max.value !== min.value) range += `-${show(max)}`;
  }
  if (nat.port !== undefined) {
    range += `:${nat.port.min}`;
    if (nat.port.max !== undefined && nat.port.max !== nat.port.min) range += `-${nat.port.max}`;
  }
  return call('nat', [
    range === '' ? nat.type : `${nat.type}=${range}`,
    nat.persistent && 'persistent',
    nat.hash && 'hash',
    nat.random && 'random',
  ]);
}

const ALGS: Readonly<Record<number, string>> = { 21: 'ftp', 69: 'tftp' };
function formatCt(a: ActionOf<'ct'>, names: Names): string {
  return call('ct', [
    a.commit && 'commit',
    a.force && 'force',
    a.table !== undefined && a.table !== 0xff && `table=${formatTable(a.table, names)}`,
    a.zone !== undefined && a.zone !== 0 && `zone=${typeof a.zone === 'number' ? a.zone : formatSubfield(a.zone)}`,
    a.nat && formatNat(a.nat),
    a.exec !== undefined && a.exec.length > 0 && `exec(${formatList(a.exec, names)})`,
    a.alg !== undefined && a.alg !== 0 && `alg=${ALGS[a.alg] ?? a.alg}`,
  ]);
}

/** Packet types that have a name in `encap`. */
export const ENCAP_NAMES: Readonly<Record<number, string>> = {
  0: 'ethernet',
  100687: 'nsh',
  100423: 'mpls',
  100424: 'mpls_mc',
};
/** `decap()`: whatever the header says comes next. */
export const USE_NEXT_PROTO = 0xfffe;
const NSH_CLASS = 4;
function formatEncapProperty(p: EncapProperty): string {
  if (p.propClass === NSH_CLASS && p.type === 1 && p.body.length >= 1) return `md_type=${p.body[0]}`;
  if (p.propClass === NSH_CLASS && p.type === 2 && p.body.length >= 4) {
    const [c1 = 0, c2 = 0, type = 0, length = 0] = p.body;
    return `tlv(${four((c1 << 8) | c2)},${type},0x${plain(p.body.slice(4, 4 + length))})`;
  }
  return `property(${p.propClass},${p.type},0x${plain(p.body)})`;
}
function formatEncap(a: ActionOf<'encap'>): string {
  const name = ENCAP_NAMES[a.packetType] ?? `packet_type(${a.packetType >>> 16},${four(a.packetType & 0xffff)})`;
  return a.properties.length === 0
    ? `encap(${name})`
    : `encap(${name}(${a.properties.map(formatEncapProperty).join()}))`;
}

function formatBundle(a: ActionOf<'bundle'>, names: Names): string {
  return call(a.target === undefined ? 'bundle' : 'bundle_load', [
    a.fields,
    `${a.basis}`,
    a.algorithm,
    'ofport',
    a.target && formatSubfield(a.target),
    `members:${a.members.map((m) => formatPort(m, names)).join()}`,
  ]);
}

const FORMAT: { readonly [K in Action['kind']]: Format<K> } = {
  output: (a, names) => {
    if (a.port === PORT.CONTROLLER) return `CONTROLLER:${a.maxLen ?? 0xffff}`;
    const text = formatPort(a.port, names);
    return a.port >= PORT.MAX ? text : `output:${text}`;
  },
  output_reg: (a) => `output:${formatSubfield(a.source)}`,
  output_trunc: (a, names) => `output(port=${formatPort(a.port, names)},max_len=${a.maxLen})`,
  group: (a) => `group:${a.group}`,
  controller: formatController,
  bundle: formatBundle,
  set_field: (a, names) =>
    `set_field:${formatValue(FIELD_INFO[a.field], a.value, a.mask, names)}->${textName(a.field)}`,
  load: (a) => `load:${hex(a.value)}->${formatSubfield(a.target)}`,
  move: (a) => `move:${formatSubfield(a.source)}->${formatSubfield(a.target)}`,
  push: (a) => `push:${formatSubfield(a.field)}`,
  pop: (a) => `pop:${formatSubfield(a.field)}`,
  delete_field: (a) => `delete_field:${textName(a.field)}`,
  set_vlan_vid: (a) => `set_vlan_vid:${a.vid}`,
  set_vlan_pcp: (a) => `set_vlan_pcp:${a.pcp}`,
  pop_vlan: () => 'pop_vlan',
  push_vlan: (a) => `push_vlan:0x${a.ethType.toString(16)}`,
  mod_dl_src: (a) => `mod_dl_src:${formatMac(a.mac)}`,
  mod_dl_dst: (a) => `mod_dl_dst:${formatMac(a.mac)}`,
  mod_nw_src: (a) => `mod_nw_src:${formatIpv4(a.ip)}`,
  mod_nw_dst: (a) => `mod_nw_dst:${formatIpv4(a.ip)}`,
  mod_nw_tos: (a) => `mod_nw_tos:${a.tos}`,
  mod_nw_ecn: (a) => `mod_nw_ecn:${a.ecn}`,
  mod_nw_ttl: (a) => `mod_nw_ttl:${a.ttl}`,
  mod_tp_src: (a) => `mod_tp_src:${a.port}`,
  mod_tp_dst: (a) => `mod_tp_dst:${a.port}`,
  dec_ttl: (a) => (a.controllerIds === undefined ? 'dec_ttl' : `dec_ttl(${a.controllerIds.join()})`),
  set_mpls_label: (a) => `set_mpls_label(${a.label})`,
  set_mpls_tc: (a) => `set_mpls_tc(${a.tc})`,
  set_mpls_ttl: (a) => `set_mpls_ttl(${a.ttl})`,
  dec_mpls_ttl: () => 'dec_mpls_ttl',
  push_mpls: (a) => `push_mpls:${four(a.ethType)}`,
  pop_mpls: (a) => `pop_mpls:${four(a.ethType)}`,
  dec_nsh_ttl: () => 'dec_nsh_ttl',
  set_queue: (a) => `set_queue:${a.queue}`,
  pop_queue: () => 'pop_queue',
  set_tunnel: (a) => `set_tunnel:${hex(a.id)}`,
  set_tunnel64: (a) => `set_tunnel64:${hex(a.id)}`,
  fin_timeout: (a) =>
    call('fin_timeout', [
      a.idleTimeout !== 0 && `idle_timeout=${a.idleTimeout}`,
      a.hardTimeout !== 0 && `hard_timeout=${a.hardTimeout}`,
    ]),
  resubmit: (a, names) => {
    const port = a.port === undefined || a.port === PORT.IN_PORT ? '' : formatPort(a.port, names);
    const table = a.table === undefined || a.table === 0xff ? '' : formatTable(a.table, names);
    if (port !== '' && table === '' && !a.ct) return `resubmit:${port}`;
    return `resubmit(${port},${table}${a.ct ? ',ct' : ''})`;
  },
  learn: formatLearn,
  conjunction: (a) => `conjunction(${a.id},${a.clause}/${a.of})`,
  multipath: (a) =>
    call('multipath', [a.fields, `${a.basis}`, a.algorithm, `${a.links}`, `${a.arg}`, formatSubfield(a.target)]),
  note: (a) => `note:${dotted(a.data)}`,
  exit: () => 'exit',
  sample: (a, names) =>
    call('sample', [
      `probability=${a.probability}`,
      `collector_set_id=${a.collectorSetId}`,
      `obs_domain_id=${typeof a.obsDomainId === 'number' ? a.obsDomainId : formatSubfield(a.obsDomainId)}`,
      `obs_point_id=${typeof a.obsPointId === 'number' ? a.obsPointId : formatSubfield(a.obsPointId)}`,
      a.samplingPort !== undefined &&
        a.samplingPort !== PORT.ANY &&
        `sampling_port=${formatPort(a.samplingPort, names)}`,
      a.direction,
    ]),
  ct: formatCt,
  ct_clear: () => 'ct_clear',
  nat: (a) => formatNat(a.nat),
  clone: (a, names) => `clone(${formatList(a.actions, names)})`,
  encap: formatEncap,
  decap: (a) =>
    a.packetType === USE_NEXT_PROTO
      ? 'decap()'
      : `decap(packet_type(ns=${a.packetType >>> 16},type=${hex(a.packetType & 0xffff)}))`,
  check_pkt_larger: (a) => `check_pkt_larger(${a.bytes})->${formatSubfield(a.target)}`,
  write_metadata: (a) => formatWriteMetadata(a),
  meter: (a) => `meter:${a.meter}`,
  debug_recirc: () => 'debug_recirc',
  debug_slow: () => 'debug_slow',
  unknown: (a) => `unknown(${a.type},0x${plain(a.body)})`,
};

function formatWriteMetadata(a: { readonly value: bigint; readonly mask: bigint }): string {
  return `write_metadata:${hex(a.value)}${a.mask === 0xffff_ffff_ffff_ffffn ? '' : `/${hex(a.mask)}`}`;
}

const formatOne = (a: Action, names: Names): string =>
  (FORMAT[a.kind] as (a: Action, names: Names) => string)(a, names);
const formatList = (actions: readonly Action[], names: Names): string => actions.map((a) => formatOne(a, names)).join();

const INSTRUCTION_ORDER = [
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
  'unknown',
];

function formatInstruction(i: Instruction, names: Names): string {
  switch (i.kind) {
    case 'apply_actions':
      return formatList(i.actions, names);
    case 'write_actions':
      return `write_actions(${i.actions.length === 0 ? 'drop' : formatList(i.actions, names)})`;
    case 'clear_actions':
      return 'clear_actions';
    case 'goto_table':
      return `goto_table:${formatTable(i.table, names)}`;
    case 'write_metadata':
      return formatWriteMetadata(i);
    case 'meter':
      return `meter:${i.meter}`;
    case 'unknown':
      return `unknown_instruction(${i.type},0x${plain(i.body)})`;
  }
}

const isInstruction = (x: Action | Instruction): x is Instruction =>
  x.kind === 'apply_actions' || x.kind === 'write_actions' || x.kind === 'clear_actions' || x.kind === 'goto_table';

/** Actions or instructions in ovs-ofctl's language, `ct(table=1,zone=5)`; nothing at all is `drop`. */
export function formatActions(list: readonly (Action | Instruction)[], names: Names = {}): string {
  let text: string;
  if (list.some(isInstruction)) {
    const sorted = [...(list as readonly Instruction[])].sort(
      (a, b) => INSTRUCTION_ORDER.indexOf(a.kind) - INSTRUCTION_ORDER.indexOf(b.kind),
    );
    text = sorted
      .map((i) => formatInstruction(i, names))
      .filter((t) => t !== '')
      .join();
  } else text = formatList(list as readonly Action[], names);
  return text === '' ? 'drop' : text;
}
