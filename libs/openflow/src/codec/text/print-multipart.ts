import type {
  FlowMonitor,
  FlowStats,
  FlowStatsFilter,
  FlowUpdate,
  GroupStats,
  MeterStats,
  MultipartReply,
  MultipartRequest,
} from '../messages/multipart-types.js';
import { GROUP, PORT } from '../ports.js';
import type { WireVersion } from '../version.js';
import { formatActions } from './format-actions.js';
import { formatFlowFlags, formatGroup } from './format-flow.js';
import { matchParts } from './format-match.js';
import {
  printControllerStatus,
  printGroupFeatures,
  printIpfixBridge,
  printIpfixFlow,
  printQueues,
} from './print-control.js';
import { METER_NAMES, printMeterConfig } from './print-mods.js';
import { count, duration, printPort, printPortStats, printQueueStats } from './print-ports.js';
import { printTableDesc, printTableFeatures, printTableStats } from './print-tables.js';
import { bitNames, formatPort, hex, removedReason } from './values.js';

// Requests for statistics and their replies, as `ovs-ofctl ofp-print` writes them.

function printFilter(f: FlowStatsFilter): string {
  const parts = f.tableId === 0xff ? [] : [`table=${f.tableId}`];
  if (f.outPort !== PORT.ANY) parts.push(`out_port=${formatPort(f.outPort)}`);
  const match = matchParts(f.match).join();
  return [...parts, ...(match === '' ? [] : [match])].join(' ');
}

const formatGroupId = (id: number): string => (id === GROUP.ALL ? 'ALL' : id === GROUP.ANY ? 'ANY' : `${id}`);

/** What follows `request (OF1.3) (xid=0x1):`. */
export function printRequest(m: MultipartRequest, version: WireVersion): string {
  switch (m.type) {
    case 'flow':
    case 'aggregate':
      return printFilter(m);
    case 'port':
      return `port_no=${formatPort(m.portNo)}`;
    case 'port_desc':
      return `port=${formatPort(m.portNo ?? PORT.ANY)}`;
    case 'queue':
      return `port=${formatPort(m.portNo)} queue=${m.queueId === 0xffffffff ? 'ALL' : m.queueId}`;
    case 'group':
      return `group_id=${formatGroupId(m.groupId)}`;
    case 'group_desc':
      return `group_id=${formatGroupId(m.groupId ?? GROUP.ALL)}`;
    case 'meter':
    case 'meter_config':
      return `meter=${METER_NAMES[m.meterId] ?? m.meterId}`;
    case 'flow_monitor':
      return lines(m.monitors.map(printMonitor));
    case 'unknown':
      return `type=${m.typeNumber} ${m.body.length} bytes`;
    case 'desc':
    case 'table':
    case 'group_features':
    case 'meter_features':
    case 'table_desc':
    case 'ipfix_bridge':
    case 'ipfix_flow':
    case 'controller_status':
      return '';
    case 'queue_desc':
      return `port=${formatPort(m.portNo)}${m.queueId === 0xffffffff ? '' : ` queue=${m.queueId}`}`;
    case 'table_features':
      return printTableFeatures(m.tables, version);
  }
}

function printFlow(f: FlowStats): string {
  const head = [
    `cookie=0x${f.cookie.toString(16)}`,
    `duration=${duration(f.durationSec, f.durationNsec)}`,
    `table=${f.tableId}`,
    `n_packets=${count(f.packetCount)}`,
    `n_bytes=${count(f.byteCount)}`,
  ];
  if (f.idleTimeout !== 0) head.push(`idle_timeout=${f.idleTimeout}`);
  if (f.hardTimeout !== 0) head.push(`hard_timeout=${f.hardTimeout}`);
  let text = ` ${head.join(', ')}, `;
  const flags = formatFlowFlags(f.flags);
  if (flags.length > 0) text += `${flags.join(' ')} `;
  if (f.importance !== 0) text += `importance=${f.importance}, `;
  if (f.idleSec !== undefined) text += `idle_age=${f.idleSec}, `;
  const match = matchParts(f.match);
  if (f.priority !== 0x8000) match.unshift(`priority=${f.priority}`);
  return `${text}${match.length > 0 ? `${match.join()} ` : ''}actions=${formatActions(f.instructions)}`;
}

function printMeterStats(m: MeterStats): string {
  const bands = m.bands.map((b, i) => `${i}: packet_count:${b.packetCount} byte_count:${b.byteCount}\n`).join('');
  return `meter:${METER_NAMES[m.meterId] ?? m.meterId} flow_count:${m.flowCount} packet_in_count:${m.packetInCount} byte_in_count:${m.byteInCount} duration:${duration(m.durationSec, m.durationNsec)} bands:\n${bands}`;
}

function printGroupStats(g: GroupStats): string {
  const buckets = g.buckets.flatMap((b, i) =>
    b.packetCount === 0xffff_ffff_ffff_ffffn
      ? []
      : [`bucket${i}:packet_count=${b.packetCount},byte_count=${b.byteCount}`],
  );
  return ` ${[
    `group_id=${g.groupId}`,
    ...(g.durationSec === 0xffffffff ? [] : [`duration=${duration(g.durationSec, g.durationNsec)}`]),
    `ref_count=${g.refCount}`,
    `packet_count=${g.packetCount}`,
    `byte_count=${g.byteCount}`,
    ...buckets,
  ].join()}`;
}

const MONITOR_FLAGS = ['initial', 'add', 'delete', 'modify', 'actions', 'no-abbrev', 'own'];
function printMonitor(m: FlowMonitor): string {
  if (m.command === 'delete') return ` id=${m.id} command=delete`;
  const parts = [` id=${m.id}`, `flags=${bitNames(m.flags, MONITOR_FLAGS, ',')}`];
  if (m.outPort !== PORT.ANY) parts.push(`out_port=${formatPort(m.outPort)}`);
  if (m.outGroup !== 0 && m.outGroup !== GROUP.ANY) parts.push(`out_group=${m.outGroup | 0}`);
  if (m.tableId !== 0xff) parts.push(`table=${m.tableId}`);
  const match = matchParts(m.match ?? {});
  return [...parts, ...(match.length > 0 ? [match.join()] : [])].join(' ');
}

const EVENTS = { initial: 'INITIAL', added: 'ADDED', removed: 'DELETED', modified: 'MODIFIED' } as const;
function printUpdate(u: FlowUpdate): string {
  if (u.event === 'abbrev') return ` event=ABBREV xid=0x${u.xid.toString(16)}`;
  if (u.event === 'paused' || u.event === 'resumed') return ` event=${u.event.toUpperCase()}`;
  const parts = [` event=${EVENTS[u.event]}`];
  if (u.event === 'removed') parts.push(`reason=${removedReason(u.reason)}`);
  parts.push(`table=${u.tableId}`);
  if (u.idleTimeout !== 0) parts.push(`idle_timeout=${u.idleTimeout}`);
  if (u.hardTimeout !== 0) parts.push(`hard_timeout=${u.hardTimeout}`);
  parts.push(`cookie=${hex(u.cookie)}`);
  const match = matchParts(u.match);
  if (match.length > 0) parts.push(match.join());
  if (u.instructions.length > 0) parts.push(`actions=${formatActions(u.instructions)}`);
  return parts.join(' ');
}

const lines = (list: readonly string[]): string => list.map((line) => `\n${line}`).join('');

/** What follows `reply (OF1.3) (xid=0x1):`; undefined for types that are not printed. */
export function printReply(m: MultipartReply, version: WireVersion): string | undefined {
  switch (m.type) {
    case 'flow':
      return lines(m.elements.map(printFlow));
    case 'aggregate':
      return m.elements
        .map((e) => `packet_count=${e.packetCount} byte_count=${e.byteCount} flow_count=${e.flowCount}`)
        .join();
    case 'port':
      return `${m.elements.length} ports${lines(m.elements.map(printPortStats))}`;
    case 'queue':
      return `${m.elements.length} queues${lines(m.elements.map(printQueueStats))}`;
    case 'group':
      return lines(m.elements.map(printGroupStats));
    case 'group_desc':
      return lines(m.elements.map((g) => ` ${formatGroup(g)}`));
    case 'port_desc':
      return lines([...m.elements].sort((a, b) => a.portNo - b.portNo).map(printPort));
    case 'flow_monitor':
      return lines(m.elements.map(printUpdate));
    case 'table':
      return printTableStats(m.elements);
    case 'table_desc':
      return m.elements.map(printTableDesc).join('');
    case 'table_features':
      return printTableFeatures(m.elements, version);
    case 'queue_desc':
      return printQueues(m.elements);
    case 'ipfix_bridge':
      return printIpfixBridge(m.elements);
    case 'ipfix_flow':
      return printIpfixFlow(m.elements);
    case 'controller_status':
      return lines(m.elements.map((s) => ` ${printControllerStatus(s)}`));
    case 'meter':
      return lines(m.elements.map(printMeterStats));
    case 'meter_config':
      return lines(m.elements.map(printMeterConfig));
    case 'group_features':
      return m.elements.map(printGroupFeatures).join('');
    case 'desc': {
      const [d] = m.elements;
      return (
        d &&
        lines([
          `Manufacturer: ${d.manufacturer}`,
          `Hardware: ${d.hardware}`,
          `Software: ${d.software}`,
          `Serial Num: ${d.serial}`,
          `DP Description: ${d.datapath}`,
        ])
      );
    }
    case 'meter_features': {
      const [f] = m.elements;
      if (f === undefined) return '';
      return lines([
        `max_meter:${f.maxMeters} max_bands:${f.maxBands} max_color:${f.maxColor}`,
        `band_types: ${bitNames(f.bandTypes, ['', 'drop', 'dscp_remark'])}`,
        `capabilities: ${bitNames(f.capabilities, ['kbps', 'pktps', 'burst', 'stats'])}`,
      ]);
    }
    case 'unknown':
      return undefined;
  }
}
