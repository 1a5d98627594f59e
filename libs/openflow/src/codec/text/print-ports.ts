import { formatMac } from '../addresses.js';
import type { PortStats, QueueStats } from '../messages/multipart-types.js';
import type { Port } from '../messages/structures.js';
import { printIntelCounters } from './print-counters.js';
import { formatPort } from './values.js';

// Ports and their counters as `ovs-ofctl ofp-print` writes them.

const named = (bits: number, names: readonly string[]): string[] =>
  names.filter((name, i) => name !== '' && (bits >>> i) & 1);
const CONFIG = ['PORT_DOWN', '', 'NO_RECV', '', '', 'NO_FWD', 'NO_PACKET_IN'];
const STATE = ['LINK_DOWN', 'BLOCKED', 'LIVE'];
const FEATURES = [
  '10MB-HD',
  '10MB-FD',
  '100MB-HD',
  '100MB-FD',
  '1GB-HD',
  '1GB-FD',
  '10GB-FD',
  '40GB-FD',
  '100GB-FD',
  '1TB-FD',
  'OTHER',
  'COPPER',
  'FIBER',
  'AUTO_NEG',
  'AUTO_PAUSE',
  'AUTO_PAUSE_ASYM',
];
const words = (bits: number, names: readonly string[]): string => named(bits, names).join(' ') || '0';
export const portConfig = (bits: number): string => words(bits, CONFIG);
export const portFeatures = (bits: number): string => words(bits, FEATURES);

/** ` 3(eth0): addr:...` and the lines below it. */
export function printPort(p: Port): string {
  const lines = [
    ` ${formatPort(p.portNo)}(${/^[ -~]*/.exec(p.name)?.[0]}): addr:${formatMac(p.hwAddr)}`,
    `     config:     ${portConfig(p.config)}`,
    `     state:      ${words(p.state, STATE)}`,
  ];
  if (p.curr !== 0) lines.push(`     current:    ${portFeatures(p.curr)}`);
  if (p.advertised !== 0) lines.push(`     advertised: ${portFeatures(p.advertised)}`);
  if (p.supported !== 0) lines.push(`     supported:  ${portFeatures(p.supported)}`);
  if (p.peer !== 0) lines.push(`     peer:       ${portFeatures(p.peer)}`);
  lines.push(`     speed: ${Math.trunc(p.currSpeed / 1000)} Mbps now, ${Math.trunc(p.maxSpeed / 1000)} Mbps max`);
  return lines.join('\n');
}

/** `1.5s`, as precise as it needs to be, at least in milliseconds. */
export function duration(sec: number, nsec: number): string {
  if (sec === 0xffffffff && nsec === 0xffffffff) return '?';
  // Cut off behind the milliseconds where the rest is zero, otherwise all digits without trailing zeros.
  const digits = nsec
    .toString()
    .padStart(9, '0')
    .replace(/0{1,6}$/, '');
  return nsec === 0 ? `${sec}s` : `${sec}.${digits}s`;
}

const NONE = 0xffff_ffff_ffff_ffffn;
/** `?` for counters that are not kept. */
export const count = (n: bigint): string => (n === NONE ? '?' : `${n}`);

export function printPortStats(p: PortStats): string {
  const port = formatPort(p.portNo);
  const text =
    `  port ${port.padStart(2)}: rx pkts=${count(p.rxPackets)}, bytes=${count(p.rxBytes)}, drop=${count(p.rxDropped)}, ` +
    `errs=${count(p.rxErrors)}, frame=${count(p.rxFrameErrors)}, over=${count(p.rxOverErrors)}, crc=${count(p.rxCrcErrors)}\n` +
    `           tx pkts=${count(p.txPackets)}, bytes=${count(p.txBytes)}, drop=${count(p.txDropped)}, ` +
    `errs=${count(p.txErrors)}, coll=${count(p.collisions)}`;
  const time = duration(p.durationSec, p.durationNsec);
  const extra = printIntelCounters(p.properties);
  return `${text}${time === '?' ? '' : `\n           duration=${time}`}${extra}`;
}

export const printQueueStats = (q: QueueStats): string =>
  `  port ${formatPort(q.portNo)} queue ${q.queueId}: bytes=${count(q.txBytes)}, pkts=${count(q.txPackets)}, ` +
  `errors=${count(q.txErrors)}, duration=${duration(q.durationSec, q.durationNsec)}`;
