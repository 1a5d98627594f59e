import { formatIpv4 } from '../addresses.js';
import type { CtFlush, CtTuple, TlvMap, TlvTableMod, TlvTableReply } from '../messages/extension-types.js';
import type { GroupFeatures, IpfixStats } from '../messages/multipart-types.js';
import type { ControllerStatus, Queue } from '../messages/structures.js';
import type { AsyncMasks } from '../messages/types.js';
import { actionNames } from './action-names.js';
import { formatIpv6Text, formatPort, hex } from './values.js';

// What controls a switch beside its flows, groups, meters and tables, as `ovs-ofctl ofp-print` writes it.

/** Names of reasons by bit. */
const REASONS: readonly (readonly [
  key: Exclude<keyof AsyncMasks, 'properties'>,
  label: string,
  names: readonly string[],
  known: number,
])[] = [
  ['packetIn', 'PACKET_IN', ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'], 0x3f],
  ['portStatus', 'PORT_STATUS', ['add', 'delete', 'modify'], 7],
  ['flowRemoved', 'FLOW_REMOVED', ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'], 0x3f],
  ['roleStatus', 'ROLE_STATUS', ['primary_request', 'configuration_changed', 'experimenter_data_changed'], 7],
  ['tableStatus', 'TABLE_STATUS', ['', '', '', 'vacancy_down', 'vacancy_up'], 0x18],
  ['requestForward', 'REQUESTFORWARD', ['group_mod_request', 'meter_mod_request'], 3],
];
// 1.3 has fewer reasons for packet-ins.
const PACKET_IN_13 = 7;

export function printAsync(m: AsyncMasks, before14: boolean): string {
  let text = '';
  for (const side of ['primary', 'secondary'] as const) {
    text += `\n ${side}:\n`;
    for (const [key, label, names, known] of REASONS) {
      const bits = (m[key]?.[side] ?? 0) & (before14 && key === 'packetIn' ? PACKET_IN_13 : known);
      const on = names.filter((name, i) => name !== '' && (bits >>> i) & 1);
      text += `${label.padStart(16)}:${bits === 0 ? ' (off)' : on.map((name) => ` ${name}`).join('')}\n`;
    }
  }
  return text;
}

const mappings = (maps: readonly TlvMap[]): string =>
  ` mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------${maps
    .map(
      (m) =>
        `\n ${hex(m.optionClass).padStart(6)}  ${hex(m.optionType).padStart(4)}  ${`${m.optionLength}`.padStart(6)}  tun_metadata${m.index}`,
    )
    .join('')}`;
const TLV_COMMANDS = { add: 'ADD', delete: 'DEL', clear: 'CLEAR' } as const;
export const printTlvMod = (m: TlvTableMod): string =>
  `\n ${TLV_COMMANDS[m.command]}${m.command === 'clear' ? '' : mappings(m.maps)}`;
export const printTlvReply = (m: TlvTableReply): string =>
  `\n max option space=${m.maxOptionSpace} max fields=${m.maxFields}\n` +
  ` allocated option space=${m.maps.reduce((sum, map) => sum + map.optionLength, 0)}\n\n${mappings(m.maps)}`;

function printTuple(t: CtTuple | undefined, nwProto: number, family: 4 | 6): string {
  const address = (ip: CtTuple['src']): string =>
    ip === undefined ? '::' : ip.family === 4 ? formatIpv4(ip.value) : formatIpv6Text(ip.value);
  const prefix = family === 4 ? 'ct_nw' : 'ct_ipv6';
  const rest =
    nwProto === 1 || nwProto === 58
      ? `icmp_id=${t?.icmpId ?? 0},icmp_type=${t?.icmpType ?? 0},icmp_code=${t?.icmpCode ?? 0}`
      : `ct_tp_src=${t?.srcPort ?? 0},ct_tp_dst=${t?.dstPort ?? 0}`;
  return `${prefix}_src=${address(t?.src)},${prefix}_dst=${address(t?.dst)},${rest}`;
}
export function printCtFlush(m: CtFlush): string {
  const ips = [m.original?.src, m.original?.dst, m.reply?.src, m.reply?.dst];
  const family = ips.some((ip) => ip?.family === 4) ? 4 : 6;
  const masked = (
    name: string,
    value: number | bigint | undefined,
    mask: number | bigint | undefined,
    all: number | bigint,
  ): string =>
    value === undefined && mask === undefined
      ? ''
      : `${name}=${hex(value ?? 0)}${mask === undefined || mask === all ? '' : `/${hex(mask)}`} `;
  return (
    ` zone=${m.zone ?? 0} ${masked('mark', m.mark, m.markMask, 0xffffffff)}` +
    `${masked('labels', m.label, m.labelMask, (1n << 128n) - 1n)}` +
    `'${printTuple(m.original, m.nwProto, family)},ct_nw_proto=${m.nwProto}' '${printTuple(m.reply, m.nwProto, family)}'`
  );
}

const NONE = 0xffff_ffff_ffff_ffffn;
function ipfix(s: IpfixStats, indent: number): string {
  const n = (value: bigint): string => (value === NONE ? '?' : `${value}`);
  return (
    `flows=${n(s.flows)}, current flows=${n(s.currentFlows)}, sampled pkts=${n(s.packets)}, ipv4 ok=${n(s.ipv4Packets)}, ` +
    `ipv6 ok=${n(s.ipv6Packets)}, tx pkts=${n(s.txPackets)}\n${' '.repeat(indent)}pkts errs=${n(s.errorPackets)}, ` +
    `ipv4 errs=${n(s.ipv4ErrorPackets)}, ipv6 errs=${n(s.ipv6ErrorPackets)}, tx errs=${n(s.txErrors)}\n`
  );
}
export const printIpfixBridge = (list: readonly IpfixStats[]): string =>
  list.map((s) => `\n  bridge ipfix: ${ipfix(s, 16)}`).join('');
export const printIpfixFlow = (list: readonly IpfixStats[]): string =>
  ` ${list.length} ids\n${list.map((s) => `  id ${`${s.collectorSetId}`.padStart(3)}: ${ipfix(s, 10)}`).join('')}`;

function rate(name: string, value: number | undefined): string {
  if (value === undefined || value === 0xffff) return '';
  return value <= 1000 ? ` ${name}:${Math.trunc(value / 10)}.${value % 10}%` : ` ${name}:(disabled)`;
}
/** Queues by port and number. */
export function printQueues(queues: readonly Queue[]): string {
  const sorted = [...queues].sort((a, b) => a.portNo - b.portNo || a.queueId - b.queueId);
  let text = ' ';
  let port = 0;
  for (const q of sorted) {
    if (q.portNo !== port) text += `port=${formatPort(q.portNo)}\n`;
    port = q.portNo;
    text += `queue ${q.queueId}:${rate('min_rate', q.minRate)}${rate('max_rate', q.maxRate)}\n`;
  }
  return text;
}

const GROUP_TYPES = ['all', 'select', 'indirect', 'fast failover'];
export function printGroupFeatures(f: GroupFeatures): string {
  let text = `\n Group table:\n    Types:  0x${f.types.toString(16)}\n    Capabilities:  0x${f.capabilities.toString(16)}\n`;
  GROUP_TYPES.forEach((name, i) => {
    if (((f.types >>> i) & 1) === 0) return;
    text += `    ${name} group:\n       max_groups=${hex(f.maxGroups[i] ?? 0)}\n       actions: ${actionNames(f.actions[i] ?? 0)}\n`;
  });
  return text;
}

/** Open vSwitch has no text for it. */
export const printControllerStatus = (s: ControllerStatus): string =>
  `short_id=${s.shortId} role=${s.role} reason=${s.reason} channel_status=${s.channelStatus}${s.uri === undefined ? '' : ` uri=${s.uri}`}`;
