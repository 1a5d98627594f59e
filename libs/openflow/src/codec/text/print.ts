import { formatMac } from '../addresses.js';
import { OpenFlowDecodeError } from '../errors.js';
import { type Decoded, decodeMessage } from '../messages/codec.js';
import type { Role } from '../messages/structures.js';
import { experimenterOf, headOf } from '../messages/table.js';
import type { FlowRemoved, Message, SwitchConfig } from '../messages/types.js';
import { VERSIONS, type Version, versionOfWire, type WireVersion } from '../version.js';
import { matchParts } from './format-match.js';
import {
  printAsync,
  printControllerStatus,
  printCtFlush,
  printQueues,
  printTlvMod,
  printTlvReply,
} from './print-control.js';
import { asText, carriesText, hexDump } from './print-error.js';
import { printFlowMod, printGroupMod, printMeterMod, printNxFlowMod } from './print-mods.js';
import { printReply, printRequest } from './print-multipart.js';
import { printPacketIn, printPacketOut } from './print-packets.js';
import { duration, portConfig, portFeatures, printPort } from './print-ports.js';
import { printTableMod, printTableStatus } from './print-tables.js';
import { bitNames, formatPort, hex, removedReason } from './values.js';

// Messages as `ovs-ofctl ofp-print` writes them.

/** Kinds whose name there is not the kind in capitals. */
const NAMES: { readonly [K in Message['kind']]?: string } = {
  bundle_add: 'BUNDLE_ADD_MESSAGE',
  request_forward: 'REQUESTFORWARD',
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
    : `${family}T_${NAMES[m.kind] ?? m.kind.replace(/^nx_/, '').toUpperCase()}`;
}

const CAPABILITIES = [
  'FLOW_STATS',
  'TABLE_STATS',
  'PORT_STATS',
  'GROUP_STATS',
  '',
  'IP_REASM',
  'QUEUE_STATS',
  '',
  'PORT_BLOCKED',
  'BUNDLES',
  'FLOW_MONITORING',
];
const CAPABILITY_BITS = 0x76f;
const FRAGMENTS = ['normal', 'drop', 'reassemble', 'nx-match'];
const ROLE_REASONS: Readonly<Record<string, string>> = {
  master_request: 'primary_request',
  config: 'configuration_changed',
  experimenter: 'experimenter_data_changed',
};

const printConfig = (m: SwitchConfig<'get_config_reply' | 'set_config'>): string =>
  ` frags=${FRAGMENTS[m.flags & 3]} miss_send_len=${m.missSendLen}\n`;

function printFlowRemoved(m: Omit<FlowRemoved, 'kind'>): string {
  const match = matchParts(m.match);
  if (m.priority !== 0x8000) match.unshift(`priority=${m.priority}`);
  const parts = [match.join(), `reason=${removedReason(m.reason)}`];
  if (m.tableId !== 0xff) parts.push(`table_id=${m.tableId}`);
  if (m.cookie !== 0n) parts.push(`cookie:${hex(m.cookie)}`);
  parts.push(`duration${duration(m.durationSec, m.durationNsec)}`, `idle${m.idleTimeout}`);
  if (m.hardTimeout !== 0) parts.push(`hard${m.hardTimeout}`);
  parts.push(`pkts${m.packetCount}`, `bytes${m.byteCount}`);
  return ` ${parts.join(' ')}\n`;
}

const bundleFlags = (flags: number): string => bitNames(flags, ['atomic', 'ordered']);
const printRole = (role: Role | number, generationId: bigint | undefined): string =>
  ` role=${role}${generationId === undefined || generationId === NO_GENERATION ? '' : ` generation_id=${generationId}`}`;
const NO_GENERATION = 0xffff_ffff_ffff_ffffn;

/** Values of any kind as JSON with bytes in hexadecimal: what is shown of messages that are not known. */
const asData = (m: Message): string =>
  JSON.stringify(m, (_, v: unknown) =>
    typeof v === 'bigint'
      ? `0x${v.toString(16)}`
      : v instanceof Uint8Array
        ? Array.from(v, (b) => b.toString(16).padStart(2, '0')).join('')
        : v,
  );

const PACKET_IN_FORMATS: Readonly<Record<number, string>> = { 0: 'standard', 1: 'nxt_packet_in', 2: 'nxt_packet_in2' };
const bitmap = (versions: readonly number[]): string =>
  versions
    .filter((v) => v > 0 && v < 32)
    .map((v) => `0x${v.toString(16).padStart(2, '0')}`)
    .join(', ');

/** What follows `NAME (OF1.3) (xid=0x1):`, with its own leading space or line break. */
function printBody({ version, xid, message: m }: Decoded, dump: boolean): string {
  const wire = VERSIONS[version];
  switch (m.kind) {
    case 'flow_mod':
      return ` ${printFlowMod(m)}`;
    case 'nx_flow_mod':
      return ` ${printNxFlowMod(m)}`;
    case 'group_mod':
      return printGroupMod(m);
    case 'meter_mod':
      return ` ${printMeterMod(m)}`;
    case 'multipart_request':
    case 'multipart_reply': {
      const text = m.kind === 'multipart_request' ? printRequest(m, wire) : printReply(m, wire);
      const more = m.more ? ' flags=[more]' : '';
      if (text === undefined) return `${more} ${asData(m)}`;
      return `${more}${/^($|[\n ])/.test(text) ? text : ` ${text}`}`;
    }
    case 'features_request':
    case 'get_config_request':
    case 'barrier_request':
    case 'barrier_reply':
    case 'get_async_request':
    case 'tlv_table_request':
    case 'flow_monitor_paused':
    case 'flow_monitor_resumed':
    case 'nx_flow_age':
      return '';
    case 'hello': {
      const versions = m.versions ?? Array.from({ length: m.wireVersion ?? wire }, (_, i) => i + 1);
      return `\n version bitmap: ${bitmap(versions)}`;
    }
    case 'echo_request':
    case 'echo_reply':
      return ` ${m.data.length} bytes of payload\n${dump ? hexDump(m.data) : ''}`;
    case 'error':
      return ` ${m.code}\n${carriesText(m) ? asText(m.data) : printBytes(m.data)}`;
    case 'features_reply':
      return (
        ` dpid:${m.datapathId.toString(16).padStart(16, '0')}\nn_tables:${m.tables}, n_buffers:${m.buffers}` +
        `${m.auxiliaryId === 0 ? '' : `, auxiliary_id:${m.auxiliaryId}`}\n` +
        `capabilities: ${bitNames(m.capabilities & CAPABILITY_BITS, CAPABILITIES)}\n`
      );
    case 'get_config_reply':
    case 'set_config':
      return printConfig(m);
    case 'flow_removed':
      return printFlowRemoved(m);
    case 'nx_flow_removed':
      return printFlowRemoved({ ...m, hardTimeout: 0 });
    case 'packet_in':
    case 'packet_in2':
    case 'nx_packet_in':
    case 'resume':
      return printPacketIn(m, wire);
    case 'packet_out':
      return printPacketOut(m);
    case 'port_status':
      return ` ${{ add: 'ADD', delete: 'DEL', modify: 'MOD' }[m.reason] ?? m.reason}:${printPort(m.port)}`;
    case 'port_mod':
      return ` port: ${formatPort(m.portNo)}: addr:${formatMac(m.hwAddr)}\n     config: ${portConfig(m.config)}\n     mask:   ${portConfig(m.mask)}\n     advertise: ${m.advertise === 0 ? 'UNCHANGED' : portFeatures(m.advertise)}`;
    case 'table_mod':
      return printTableMod(m, wire);
    case 'table_status':
      return printTableStatus(m);
    case 'queue_get_config_request':
      return ` port=${formatPort(m.portNo)}`;
    case 'queue_get_config_reply':
      // Each queue says its port too, which may be 0 there.
      return printQueues(m.queues.map((q) => ({ ...q, portNo: m.portNo })));
    case 'role_request':
      return printRole(m.role, m.role === 'nochange' ? undefined : m.generationId);
    case 'role_reply':
      return printRole(m.role, m.generationId);
    case 'nx_role_request':
    case 'nx_role_reply':
      return printRole(m.role, undefined);
    case 'role_status':
      return `${printRole(m.role, m.generationId)} reason=${ROLE_REASONS[m.reason] ?? '(unknown)'}`;
    case 'controller_status':
      return ` ${printControllerStatus(m)}`;
    case 'set_async':
    case 'get_async_reply':
      return printAsync(m, wire === 4);
    case 'nx_set_async_config':
    case 'nx_set_async_config2':
      return printAsync(m, true);
    case 'request_forward': {
      if (m.request.kind === 'group_mod') return ` reason=group_mod${printGroupMod(m.request)}`;
      if (m.request.kind === 'meter_mod') return ` reason=meter_mod ${printMeterMod(m.request)}`;
      return `\n${print({ version, xid: m.requestXid, message: m.request }, dump)}`;
    }
    case 'bundle_control':
      return `\n bundle_id=${hex(m.bundleId)} type=${`${m.type}`.toUpperCase()} flags=${bundleFlags(m.flags)}`;
    case 'bundle_add':
      return `\n bundle_id=${hex(m.bundleId)} flags=${bundleFlags(m.flags)}\n${print({ version, xid, message: m.message }, dump)}`;
    case 'tlv_table_mod':
      return printTlvMod(m);
    case 'tlv_table_reply':
      return printTlvReply(m);
    case 'set_packet_in_format':
      return ` format=${PACKET_IN_FORMATS[m.format] ?? m.format}`;
    case 'set_controller_id':
      return ` id=${m.id}`;
    case 'flow_monitor_cancel':
      return ` id=${m.id}`;
    case 'nx_flow_mod_table_id':
      return ` ${m.enable ? 'enable' : 'disable'}`;
    case 'ct_flush_zone':
      return ` zone_id=${m.zone}`;
    case 'ct_flush':
      return printCtFlush(m);
    case 'experimenter':
    case 'unknown':
      return ` ${asData(m)}`;
  }
}

/** Bytes that ought to be a message, or the beginning of one. */
function printBytes(data: Uint8Array): string {
  if (data.length === 0) return 'OpenFlow message is empty\n';
  if (data.length < 8) return `OpenFlow packet too short (only ${data.length} bytes):\n${hexDump(data)}`;
  const length = ((data[2] as number) << 8) | (data[3] as number);
  if (length < data.length) return `(***only uses ${length} bytes out of ${data.length}***)\n${hexDump(data)}`;
  if (length > data.length) {
    const head = printHead(data);
    return `${head === '' ? '' : `${head}\n`}(***truncated to ${data.length} bytes from ${length}***)\n${hexDump(data)}`;
  }
  try {
    return print(decodeMessage(data), false);
  } catch (error) {
    if (!(error instanceof OpenFlowDecodeError)) throw error;
    const head = printHead(data);
    return `${head === '' ? '' : `${head} `}***decode error: ${error.message}***\n${hexDump(data)}`;
  }
}
/** Name, version and xid of a message of which only the beginning is there; empty where that does not tell. */
function printHead(data: Uint8Array): string {
  const version = versionOfWire(data[0] as number);
  if (version === undefined) return '';
  const wire = VERSIONS[version];
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const kind = kindOfHead(view, wire);
  return kind === undefined ? '' : `${kind} (${version}) (xid=0x${view.getUint32(4).toString(16)}):`;
}
function kindOfHead(view: DataView, wire: WireVersion): string | undefined {
  const found = headOf(view, wire);
  if (found === undefined) return undefined;
  const family = FAMILIES.get(found.experimenter) ?? 'OFP';
  if (found.multipart !== undefined) return `${family}ST_${found.name.toUpperCase()} ${found.multipart}`;
  return `${family}T_${NAMES[found.name as Message['kind']] ?? found.name.replace(/^nx_/, '').toUpperCase()}`;
}

/** The version as `ovs-ofctl` writes it; 1.0 is not mentioned. */
function versionText(decoded: Decoded): string {
  const m = decoded.message;
  const other = m.kind === 'hello' || m.kind === 'error' ? m.wireVersion : undefined;
  if (other === undefined) return ` (${decoded.version})`;
  if (other <= 3) return other === 1 ? '' : ` (OF1.${other - 1})`;
  return ` (OF 0x${other.toString(16).padStart(2, '0')})`;
}

const print = (decoded: Decoded, dump: boolean): string =>
  `${nameOf(decoded.message, decoded.version)}${versionText(decoded)} (xid=0x${decoded.xid.toString(16)}):${printBody(decoded, dump)}`;

/** One message as `ovs-ofctl ofp-print` prints it. What is unknown is shown as data. */
export const formatMessage = (decoded: Decoded): string => print(decoded, true);
