import { formatMac } from '../addresses.js';
import type { Decoded } from '../messages/codec.js';
import { experimenterOf } from '../messages/table.js';
import type { FlowRemoved, Message, PacketOut, SwitchConfig } from '../messages/types.js';
import { NO_BUFFER } from '../ports.js';
import { VERSIONS, type Version } from '../version.js';
import { formatActions } from './format-actions.js';
import { matchParts } from './format-match.js';
import { printFlowMod, printGroupMod, printMeterMod } from './print-mods.js';
import { printReply, printRequest } from './print-multipart.js';
import { duration, portConfig, portFeatures, printPort } from './print-ports.js';
import { formatPort, hex, removedReason } from './values.js';

// Messages as `ovs-ofctl ofp-print` writes them. Packets inside packet_in and packet_out are not dissected.

/** Kinds whose name there is not the kind in capitals. */
const NAMES: { readonly [K in Message['kind']]?: string } = {
  bundle_add: 'BUNDLE_ADD_MESSAGE',
};

/** Whose message it is: names of the standard's and of the experimenters' messages begin differently. */
const FAMILIES: ReadonlyMap<number, string> = new Map([
  [0, 'OFP'],
  [0x2320, 'NX'],
  [0x4f4e4600, 'ONF'],
]);

function nameOf(m: Message, version: Version): string {
  const family = FAMILIES.get(experimenterOf(m, VERSIONS[version])) ?? 'OFP';
  return m.kind === 'multipart_request' || m.kind === 'multipart_reply'
    ? `${family}ST_${m.type.toUpperCase()} ${m.kind === 'multipart_reply' ? 'reply' : 'request'}`
    : `${family}T_${NAMES[m.kind] ?? m.kind.toUpperCase()}`;
}

const CAPABILITIES: readonly (readonly [number, string])[] = [
  [1, 'FLOW_STATS'],
  [2, 'TABLE_STATS'],
  [4, 'PORT_STATS'],
  [8, 'GROUP_STATS'],
  [0x20, 'IP_REASM'],
  [0x40, 'QUEUE_STATS'],
  [0x100, 'PORT_BLOCKED'],
  [0x200, 'BUNDLES'],
  [0x400, 'FLOW_MONITORING'],
];
const FRAGMENTS = ['normal', 'drop', 'reassemble', 'nx-match'];
const ROLE_REASONS: Readonly<Record<string, string>> = {
  master_request: 'primary_request',
  config: 'configuration_changed',
  experimenter: 'experimenter_data_changed',
};

function printConfig(m: SwitchConfig<'get_config_reply' | 'set_config'>): string {
  return ` frags=${FRAGMENTS[m.flags & 3]} miss_send_len=${m.missSendLen}`;
}
function printFlowRemoved(m: FlowRemoved): string {
  const match = matchParts(m.match);
  if (m.priority !== 0x8000) match.unshift(`priority=${m.priority}`);
  const parts = [...(match.length > 0 ? [match.join()] : []), `reason=${removedReason(m.reason)}`];
  if (m.tableId !== 0xff) parts.push(`table_id=${m.tableId}`);
  if (m.cookie !== 0n) parts.push(`cookie:${hex(m.cookie)}`);
  parts.push(`duration${duration(m.durationSec, m.durationNsec)}`, `idle${m.idleTimeout}`);
  if (m.hardTimeout !== 0) parts.push(`hard${m.hardTimeout}`);
  parts.push(`pkts${m.packetCount}`, `bytes${m.byteCount}`);
  return ` ${parts.join(' ')}`;
}
function printPacketOut(m: PacketOut): string {
  const match = m.match === undefined ? `in_port=${formatPort(m.inPort)}` : matchParts(m.match).join();
  const rest = m.bufferId === NO_BUFFER ? `data_len=${m.data.length}` : `buffer=0x${m.bufferId.toString(16)}`;
  return ` ${match} actions=${formatActions(m.actions)} ${rest}`;
}
const asText = (data: Uint8Array): string =>
  Array.from(data, (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`)).join(
    '',
  );
const bundleFlags = (flags: number): string =>
  ['atomic', 'ordered'].filter((_, i) => (flags >>> i) & 1).join(' ') || '0';

/** Values of any kind as JSON with bytes in hexadecimal: what is shown of messages that have no text of their own here. */
const asData = (m: Message): string =>
  JSON.stringify(m, (_, v: unknown) =>
    typeof v === 'bigint'
      ? `0x${v.toString(16)}`
      : v instanceof Uint8Array
        ? Array.from(v, (b) => b.toString(16).padStart(2, '0')).join('')
        : v,
  );

/** What follows `NAME (OF1.3) (xid=0x1):`, with its own leading space or line break. */
function printBody({ version, xid, message: m }: Decoded): string {
  switch (m.kind) {
    case 'flow_mod':
      return ` ${printFlowMod(m)}`;
    case 'group_mod':
      return printGroupMod(m);
    case 'meter_mod':
      return ` ${printMeterMod(m)}`;
    case 'multipart_request': {
      const text = printRequest(m);
      return text === '' || text.startsWith('\n') ? text : ` ${text}`;
    }
    case 'multipart_reply': {
      const text = printReply(m);
      if (text === undefined) return ` ${asData(m)}`;
      return text.startsWith('\n') || text === '' ? text : ` ${text}`;
    }
    case 'features_request':
    case 'get_config_request':
    case 'barrier_request':
    case 'barrier_reply':
    case 'get_async_request':
    case 'tlv_table_request':
    case 'flow_monitor_paused':
    case 'flow_monitor_resumed':
      return '';
    case 'hello':
      return m.versions === undefined ? '' : `\n version bitmap: ${m.versions.map((v) => `0x0${v}`).join(', ')}`;
    case 'echo_request':
    case 'echo_reply':
      return ` ${m.data.length} bytes of payload`;
    case 'error':
      return ` ${m.code}\n${asText(m.data)}`;
    case 'features_reply':
      return ` dpid:${m.datapathId.toString(16).padStart(16, '0')}\nn_tables:${m.tables}, n_buffers:${m.buffers}\ncapabilities: ${CAPABILITIES.filter(
        ([bit]) => m.capabilities & bit,
      )
        .map(([, name]) => name)
        .join(' ')}`;
    case 'get_config_reply':
    case 'set_config':
      return printConfig(m);
    case 'flow_removed':
      return printFlowRemoved(m);
    case 'port_status':
      return ` ${{ add: 'ADD', delete: 'DEL', modify: 'MOD' }[m.reason] ?? m.reason}:${printPort(m.port)}`;
    case 'port_mod':
      return ` port: ${formatPort(m.portNo)}: addr:${formatMac(m.hwAddr)}\n     config: ${portConfig(m.config)}\n     mask:   ${portConfig(m.mask)}\n     advertise: ${m.advertise === 0 ? 'UNCHANGED' : portFeatures(m.advertise)}`;
    case 'packet_out':
      return printPacketOut(m);
    case 'role_request':
    case 'role_reply':
      return ` role=${m.role}${m.role === 'nochange' || m.role === 'equal' ? '' : ` generation_id=${m.generationId}`}`;
    case 'role_status':
      return ` role=${m.role}${m.generationId === 0xffff_ffff_ffff_ffffn ? '' : ` generation_id=${m.generationId}`} reason=${ROLE_REASONS[m.reason] ?? m.reason}`;
    case 'bundle_control':
      return `\n bundle_id=0x${m.bundleId.toString(16)} type=${`${m.type}`.toUpperCase()} flags=${bundleFlags(m.flags)}`;
    case 'bundle_add':
      return `\n bundle_id=0x${m.bundleId.toString(16)} flags=${bundleFlags(m.flags)}\n${formatMessage({ version, xid, message: m.message })}`;
    default:
      return ` ${asData(m)}`;
  }
}

/**
 * One message as `ovs-ofctl ofp-print` prints it. Packets are not dissected; messages that have no text here
 * (packet_in, asynchronous configuration, some statistics, what is unknown) are shown as data.
 */
export function formatMessage(decoded: Decoded): string {
  return `${nameOf(decoded.message, decoded.version)} (${decoded.version}) (xid=0x${decoded.xid.toString(16)}):${printBody(decoded)}`;
}
