import { ACTION_CODEC } from '../actions/codec.js';
import { OpenFlowDecodeError } from '../errors.js';
import type { Match } from '../fields/match.js';
import { readProperties } from '../messages/properties.js';
import type { NxPacketIn, PacketBody, PacketOut } from '../messages/types.js';
import { NO_BUFFER } from '../ports.js';
import type { WireVersion } from '../version.js';
import { ByteReader } from '../wire/reader.js';
import { formatActions } from './format-actions.js';
import { matchParts } from './format-match.js';
import { formatPacket } from './packet.js';
import { formatPort } from './values.js';

// Packets that travel in messages, as `ovs-ofctl ofp-print` writes them.

const NO_COOKIE = 0xffff_ffff_ffff_ffffn;
const hexOf = (bytes: Uint8Array, separator = ''): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(separator);

/** Fields around a packet; those that are unknown say nothing. */
function metadata(match: Match): string {
  const { unknown: _, ...known } = match;
  return matchParts(known).join();
}
const packetTypeOf = (match: Match): number => (typeof match.packet_type === 'number' ? match.packet_type : 0);

// enum nx_continuation_prop_type, which Open vSwitch keeps to itself
const BRIDGE = 0x8000;
const STACK = 0x8001;
const MIRRORS = 0x8002;
const CONNTRACKED = 0x8003;
const TABLE = 0x8004;
const COOKIE = 0x8005;
const ACTIONS = 0x8006;
const ACTION_SET = 0x8007;
const ODP_PORT = 0x8008;

/** What a paused packet will go on with. It belongs to the switch that sent it; only that of Open vSwitch is understood. */
function printContinuation(bytes: Uint8Array, version: WireVersion): string {
  const r = new ByteReader(bytes);
  const stack: string[] = [];
  const actions: string[] = [];
  const actionSet: string[] = [];
  let bridge = '';
  let mirrors = '';
  let conntracked = '';
  let port = '';
  let table = 0;
  let cookie = 0n;
  const list = (): string => {
    r.skip(4);
    const found = ACTION_CODEC[version].readActions(r);
    return found.length === 0 ? '' : formatActions(found);
  };
  try {
    readProperties(r, (type) => {
      if (type === BRIDGE) {
        // Words as the switch has them in memory, which is little-endian wherever Open vSwitch usually runs.
        const id = (hexOf(r.rest()).match(/.{8}/g) ?? [])
          .map((word) => (word.match(/../g) ?? []).reverse().join(''))
          .join('');
        bridge = ` continuation.bridge=${[id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join('-')}\n`;
      } else if (type === STACK) stack.unshift(`0x${hexOf(r.rest()).replace(/^0+(?=.)/, '')}`.replace(/^0x0$/, '0'));
      else if (type === MIRRORS) mirrors = ` continuation.mirrors=0x${r.u32().toString(16)}\n`;
      else if (type === CONNTRACKED) conntracked = ' continuation.conntracked=true\n';
      else if (type === TABLE) table = r.u8();
      else if (type === COOKIE) {
        r.skip(4);
        cookie = r.u64();
      } else if (type === ACTIONS) {
        actions.push(`unroll_xlate(table=${table}, cookie=${cookie})`);
        const text = list();
        if (text !== '') actions.push(text);
      } else if (type === ACTION_SET) actionSet.push(list());
      else if (type === ODP_PORT) port = ` continuation.odp_port=${r.u32()}\n`;
      return true;
    });
  } catch (error) {
    if (!(error instanceof OpenFlowDecodeError)) throw error;
    return ` continuation=${hexOf(bytes)}\n`;
  }
  return (
    bridge +
    (stack.length > 0 ? ` continuation.stack=(top) ${stack.join(' ')} (bottom)\n` : '') +
    mirrors +
    conntracked +
    (actions.length > 0 ? ` continuation.actions=${actions.join()}\n` : '') +
    (actionSet.length > 0 ? ` continuation.action_set=${actionSet.join()}\n` : '') +
    port
  );
}

export function printPacketIn(m: PacketBody | Omit<NxPacketIn, 'kind'>, version: WireVersion): string {
  let text = m.tableId === 0 ? '' : ` table_id=${m.tableId}`;
  if (m.cookie !== NO_COOKIE) text += ` cookie=0x${m.cookie.toString(16)}`;
  text += ` total_len=${m.totalLen} ${metadata(m.match)} (via ${m.reason}) data_len=${m.data.length}`;
  if (m.bufferId === NO_BUFFER) {
    text += ' (unbuffered)';
    if (m.totalLen !== m.data.length) text += ' (***total_len != data_len***)';
  } else {
    text += ` buffer=0x${m.bufferId.toString(16).padStart(8, '0')}`;
    if (m.totalLen < m.data.length) text += ' (***total_len < data_len***)';
  }
  text += '\n';
  if ('userdata' in m && m.userdata !== undefined && m.userdata.length > 0)
    text += ` userdata=${hexOf(m.userdata, '.')}\n`;
  if ('continuation' in m && m.continuation !== undefined) text += printContinuation(m.continuation, version);
  return `${text}${formatPacket(m.data, packetTypeOf(m.match))}\n`;
}

export function printPacketOut(m: PacketOut): string {
  const match = m.match === undefined ? `in_port=${formatPort(m.inPort)}` : metadata(m.match);
  const text = ` ${match} actions=${formatActions(m.actions)}`;
  if (m.bufferId !== NO_BUFFER) return `${text} buffer=0x${m.bufferId.toString(16).padStart(8, '0')}`;
  const packet = m.data.length > 0 ? `\n${formatPacket(m.data, packetTypeOf(m.match ?? {}))}\n` : '';
  return `${text} data_len=${m.data.length}${packet}`;
}
