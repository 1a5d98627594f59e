import type {
  FlowMonitor,
  FlowStats,
  FlowStatsFilter,
  FlowUpdate,
  GroupStats,
  MultipartReply,
  MultipartRequest,
} from '../messages/multipart-types.js';
import { GROUP, PORT } from '../ports.js';
import { formatActions } from './format-actions.js';
import { formatFlowFlags, formatGroup } from './format-flow.js';
import { matchParts } from './format-match.js';
import { METER_NAMES } from './print-mods.js';
import { duration, printPort, printPortStats, printQueueStats } from './print-ports.js';
import { bitNames, formatPort, hex, removedReason } from './values.js';

// Requests for statistics and their replies, as `ovs-ofctl ofp-print` writes them.

function printFilter(f: FlowStatsFilter): string {
  const parts = f.tableId === 0xff ? [] : [`table=${f.tableId}`];
  if (f.outPort !== PORT.ANY) parts.push(`out_port=${formatPort(f.outPort)}`);
  if (f.outGroup !== GROUP.ANY) parts.push(`out_group=${f.outGroup}`);
  if (f.cookieMask !== 0n) parts.push(`cookie=${hex(f.cookie)}/${hex(f.cookieMask)}`);
  return [...parts, ...matchParts(f.match)].join();
}

/** What follows `request (OF1.3) (xid=0x1):`. */
export function printRequest(m: MultipartRequest): string {
  switch (m.type) {
    case 'flow':
    case 'aggregate':
      return printFilter(m);
    case 'port':
      return `port_no=${formatPort(m.portNo)}`;
    case 'port_desc':
      return m.portNo === undefined ? '' : `port=${formatPort(m.portNo)}`;
    case 'queue':
      return `port=${formatPort(m.portNo)} queue=${m.queueId === 0xffffffff ? 'ALL' : m.queueId}`;
    case 'group':
      return m.groupId === GROUP.ALL ? 'group_id=ALL' : `group_id=${m.groupId}`;
    case 'group_desc':
      return m.groupId === undefined ? '' : `group_id=${m.groupId}`;
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
      return '';
  }
}

function printFlow(f: FlowStats): string {
  const head = [
    `cookie=0x${f.cookie.toString(16)}`,
    `duration=${duration(f.durationSec, f.durationNsec)}`,
    `table=${f.tableId}`,
    `n_packets=${f.packetCount}`,
    `n_bytes=${f.byteCount}`,
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

function printGroupStats(g: GroupStats): string {
  const buckets = g.buckets.map((b, i) => `bucket${i}:packet_count=${b.packetCount},byte_count=${b.byteCount}`);
  return ` ${[
    `group_id=${g.groupId}`,
    `duration=${duration(g.durationSec, g.durationNsec)}`,
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
export function printReply(m: MultipartReply): string | undefined {
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
      return lines(m.elements.map(printPort));
    case 'flow_monitor':
      return lines(m.elements.map(printUpdate));
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
      const bands = ['drop', 'dscp_remark'].filter((_, i) => (f.bandTypes >>> (i + 1)) & 1);
      const capabilities = ['kbps', 'pktps', 'burst', 'stats'].filter((_, i) => (f.capabilities >>> i) & 1);
      return lines([
        `max_meter:${f.maxMeters} max_bands:${f.maxBands} max_color:${f.maxColor}`,
        `band_types: ${bands.join(' ') || '0'}`,
        `capabilities: ${capabilities.join(' ') || '0'}`,
      ]);
    }
    default:
      return undefined;
  }
}
