import type { Action, Instruction, PacketInReason } from '../actions/types.js';
import type { Match } from '../fields/match.js';
import type { Version } from '../version.js';
import type {
  CtFlush,
  ExperimenterMessage,
  FlowMonitorControl,
  TlvTableMod,
  TlvTableReply,
} from './extension-types.js';
import type { MultipartReply, MultipartRequest } from './multipart-types.js';
import type {
  Bucket,
  ControllerStatus,
  FlowRemovedReason,
  GroupProperties,
  GroupType,
  MeterBand,
  Port,
  Property,
  Queue,
  Role,
  TableSettings,
} from './structures.js';

/** The first message of each side (OF1.3 §7.5.1). */
export interface Hello {
  readonly kind: 'hello';
  /** The header's version where it is none of ours: any version may say hello. */
  readonly wireVersion?: number;
  /** From the version bitmap; absent when the peer sent none (then the header's version is the highest it speaks). Wire numbers: 1 is OF1.0, 4 is OF1.3. */
  readonly versions?: readonly number[];
  /** Elements other than the bitmap. */
  readonly elements?: readonly Property[];
}

/** An error (OF1.5 §7.5.4), with names for the numbers that are known. */
export interface ErrorMessage {
  readonly kind: 'error';
  /** The header's version where it is none of ours: any version may refuse a hello. */
  readonly wireVersion?: number;
  /** `OFPET_...` by name, `experimenter` for the vendors' errors, `type N` where unknown. */
  readonly type: string;
  /** `OFP...` or `NX...` by name, `code N` where unknown. */
  readonly code: string;
  readonly typeNumber: number;
  /** The code; for experimenter errors the 16-bit subtype. */
  readonly codeNumber: number;
  /** Set with typeNumber 0xffff. */
  readonly experimenter?: number;
  /** At least the first 64 bytes of the message at fault; text for a failed hello. */
  readonly data: Uint8Array;
}

/** What the switch is: its datapath id, tables and capabilities (OF1.3 §7.3.1). */
export interface FeaturesReply {
  readonly kind: 'features_reply';
  readonly datapathId: bigint;
  readonly buffers: number;
  readonly tables: number;
  readonly auxiliaryId: number;
  readonly capabilities: number;
  readonly reserved: number;
}

/** How the switch treats fragments (`flags`), and how many bytes of a packet it sends to the controller. */
export interface SwitchConfig<K extends 'get_config_reply' | 'set_config'> {
  readonly kind: K;
  readonly flags: number;
  readonly missSendLen: number;
}

/** What a flow mod does; the strict forms mean exactly one flow. */
export type FlowModCommand = 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';

/** `flags` of flow mods and flow statistics. */
export const FLOW_FLAG = {
  SEND_FLOW_REM: 1,
  CHECK_OVERLAP: 2,
  RESET_COUNTS: 4,
  NO_PKT_COUNTS: 8,
  NO_BYT_COUNTS: 16,
} as const;

/** Adds, changes or deletes flows (OF1.3 §7.3.4.1). `flowMod` fills in the defaults. */
export interface FlowMod {
  readonly kind: 'flow_mod';
  readonly command: FlowModCommand;
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  /** Seconds; 0 is never. */
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly bufferId: number;
  readonly outPort: number;
  readonly outGroup: number;
  readonly flags: number;
  /** 1.4 and later; 0 otherwise. */
  readonly importance: number;
  readonly match: Match;
  readonly instructions: readonly Instruction[];
}

/** What a group mod does. `add_or_mod` is of Open vSwitch; inserting and removing buckets needs 1.5. */
export type GroupModCommand = 'add' | 'modify' | 'delete' | 'insert_bucket' | 'remove_bucket' | 'add_or_mod';

/** Adds, changes or deletes a group, or in 1.5 buckets of it (OF1.5 §7.3.4.3). `groupMod` fills in the defaults. */
export interface GroupMod extends GroupProperties {
  readonly kind: 'group_mod';
  readonly command: GroupModCommand;
  readonly type: GroupType;
  readonly groupId: number;
  /** insert_bucket: after which; remove_bucket: which. Default BUCKET.ALL. */
  readonly commandBucketId?: number;
  readonly buckets: readonly Bucket[];
}

/** A packet that came to the controller (OF1.3 §7.4.1), with the metadata that it had. */
export interface PacketIn {
  readonly kind: 'packet_in';
  readonly bufferId: number;
  /** Length of the whole packet, of which `data` may be the beginning. */
  readonly totalLen: number;
  readonly reason: PacketInReason;
  readonly tableId: number;
  readonly cookie: bigint;
  readonly match: Match;
  readonly data: Uint8Array;
}

/** What Open vSwitch's NXT_PACKET_IN2 says, and NXT_RESUME sends back. All ones as `cookie`: none. */
export interface PacketBody extends Omit<PacketIn, 'kind'> {
  readonly userdata?: Uint8Array;
  /** Opaque state of a paused packet; a resume has to carry it. */
  readonly continuation?: Uint8Array;
  readonly properties?: readonly Property[];
}

/** A packet for the switch to send (OF1.3 §7.3.7). */
export interface PacketOut {
  readonly kind: 'packet_out';
  readonly bufferId: number;
  readonly inPort: number;
  readonly actions: readonly Action[];
  readonly data: Uint8Array;
  /** 1.5: the whole match; only in_port can be said before. */
  readonly match?: Match;
}

/** A flow is gone (OF1.3 §7.4.2). Durations since it was added. */
export interface FlowRemoved {
  readonly kind: 'flow_removed';
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly reason: FlowRemovedReason;
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly packetCount: bigint;
  readonly byteCount: bigint;
  readonly match: Match;
}

/** A port came, went or changed (OF1.3 §7.4.3). */
export interface PortStatus {
  readonly kind: 'port_status';
  readonly reason: 'add' | 'delete' | 'modify' | number;
  readonly port: Port;
}

/** Asks for a role or says which one it is (OF1.3 §7.3.9). `generationId` is all ones where unknown. */
export interface RoleMessage<K extends 'role_request' | 'role_reply'> {
  readonly kind: K;
  readonly role: Role | number;
  readonly generationId: bigint;
  /** 1.5: the controller's short id, 0 where unset. */
  readonly shortId?: number;
}

/** The switch has changed the role of this connection (OF1.4 §7.4.4). */
export interface RoleStatus {
  readonly kind: 'role_status';
  readonly role: Role | number;
  readonly reason: 'master_request' | 'config' | 'experimenter' | number;
  readonly generationId: bigint;
  readonly properties?: readonly Property[];
}

/** Which asynchronous messages are wanted: a bit for each reason, as primary or equal, and as secondary. */
export interface AsyncMask {
  readonly primary?: number;
  readonly secondary?: number;
}
/** Which asynchronous messages this connection wants or gets (OF1.4 §7.3.10). */
export interface AsyncConfig<K extends 'set_async' | 'get_async_reply'> extends AsyncMasks {
  readonly kind: K;
}
/** The masks of all kinds of asynchronous messages. */
export interface AsyncMasks {
  readonly packetIn?: AsyncMask;
  readonly portStatus?: AsyncMask;
  readonly flowRemoved?: AsyncMask;
  /** 1.4 and later. */
  readonly roleStatus?: AsyncMask;
  readonly tableStatus?: AsyncMask;
  readonly requestForward?: AsyncMask;
  readonly properties?: readonly Property[];
}

/** What a bundle control message asks or answers. */
export type BundleControlType =
  | 'open_request'
  | 'open_reply'
  | 'close_request'
  | 'close_reply'
  | 'commit_request'
  | 'commit_reply'
  | 'discard_request'
  | 'discard_reply';

/** Bundle flags. */
export const BUNDLE_FLAG = { ATOMIC: 1, ORDERED: 2 } as const;

/** Opens, closes, commits or discards a bundle, or answers that (OF1.4 §7.3.9). */
export interface BundleControl {
  readonly kind: 'bundle_control';
  readonly bundleId: number;
  readonly type: BundleControlType | number;
  readonly flags: number;
  readonly properties?: readonly Property[];
}

/** In 1.3 an ONF extension, from 1.4 on a message of its own. The inner message always has the outer xid. */
export interface BundleAdd {
  readonly kind: 'bundle_add';
  readonly bundleId: number;
  readonly flags: number;
  readonly message: Message;
  readonly properties?: readonly Property[];
}

/** Meter flags. */
export const METER_FLAG = { KBPS: 1, PKTPS: 2, BURST: 4, STATS: 8 } as const;
/** Adds, changes or deletes a meter (OF1.3 §7.3.4.4). Bundles cannot hold it. */
export interface MeterMod {
  readonly kind: 'meter_mod';
  readonly command: 'add' | 'modify' | 'delete';
  readonly flags: number;
  readonly meterId: number;
  readonly bands: readonly MeterBand[];
}

/** Changes the configuration of a port (OF1.3 §7.3.4.3); only bits of `config` in `mask`. */
export interface PortMod {
  readonly kind: 'port_mod';
  readonly portNo: number;
  readonly hwAddr: bigint;
  readonly config: number;
  readonly mask: number;
  readonly advertise: number;
}

/** Changes the configuration of a table (OF1.4 §7.3.4.1). */
export type TableMod = { readonly kind: 'table_mod' } & TableSettings;

/** 1.4: a table's free space crossed a threshold. */
export interface TableStatus {
  readonly kind: 'table_status';
  readonly reason: 'vacancy_down' | 'vacancy_up' | number;
  readonly table: TableSettings;
}

/** Another controller's group mod or meter mod. 1.3: an extension of ONF. */
export interface RequestForward {
  readonly kind: 'request_forward';
  /** The xid that the other controller gave it. */
  readonly requestXid: number;
  readonly request: Message;
}

/** NXT_FLOW_MOD: a flow mod with NXMs. The table stands in it only where NXT_FLOW_MOD_TABLE_ID said so. */
export interface NxFlowMod {
  readonly kind: 'nx_flow_mod';
  readonly command: FlowModCommand;
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly bufferId: number;
  readonly outPort: number;
  readonly flags: number;
  readonly match: Match;
  /** The cookie that a modification or deletion is about. */
  readonly cookieMatch?: readonly [value: bigint, mask: bigint];
  readonly instructions: readonly Instruction[];
}
/** NXT_FLOW_REMOVED. */
export interface NxFlowRemoved extends Omit<FlowRemoved, 'kind' | 'hardTimeout'> {
  readonly kind: 'nx_flow_removed';
}
/** NXT_PACKET_IN. */
export interface NxPacketIn extends Omit<PacketIn, 'kind'> {
  readonly kind: 'nx_packet_in';
}

/** Every message. What is unknown keeps its type and body. */
export type Message =
  | Hello
  | ErrorMessage
  | { readonly kind: 'echo_request'; readonly data: Uint8Array }
  | { readonly kind: 'echo_reply'; readonly data: Uint8Array }
  | ExperimenterMessage
  | { readonly kind: 'features_request' }
  | { readonly kind: 'get_config_request' }
  | { readonly kind: 'barrier_request' }
  | { readonly kind: 'barrier_reply' }
  | { readonly kind: 'get_async_request' }
  | { readonly kind: 'tlv_table_request' }
  | FeaturesReply
  | SwitchConfig<'get_config_reply'>
  | SwitchConfig<'set_config'>
  | PacketIn
  | FlowRemoved
  | PortStatus
  | PacketOut
  | FlowMod
  | GroupMod
  | PortMod
  | TableMod
  | MeterMod
  | MultipartRequest
  | MultipartReply
  | RoleMessage<'role_request'>
  | RoleMessage<'role_reply'>
  | RoleStatus
  | AsyncConfig<'set_async'>
  | AsyncConfig<'get_async_reply'>
  | BundleControl
  | BundleAdd
  | TlvTableMod
  | TlvTableReply
  | { readonly kind: 'set_packet_in_format'; readonly format: number }
  | { readonly kind: 'set_controller_id'; readonly id: number }
  | { readonly kind: 'ct_flush_zone'; readonly zone: number }
  | ({ readonly kind: 'packet_in2' } & PacketBody)
  | ({ readonly kind: 'resume' } & PacketBody)
  | TableStatus
  | RequestForward
  | ({ readonly kind: 'controller_status' } & ControllerStatus)
  /** 1.3; from 1.4 on the multipart `queue_desc`. */
  | { readonly kind: 'queue_get_config_request'; readonly portNo: number }
  | { readonly kind: 'queue_get_config_reply'; readonly portNo: number; readonly queues: readonly Queue[] }
  | CtFlush
  /** Nicira's forms from before 1.2, which Open vSwitch still takes in every version. */
  | NxFlowMod
  | NxFlowRemoved
  | NxPacketIn
  | { readonly kind: 'nx_role_request'; readonly role: Role | number }
  | { readonly kind: 'nx_role_reply'; readonly role: Role | number }
  | ({ readonly kind: 'nx_set_async_config' } & AsyncMasks)
  /** 1.3: what `set_async` of 1.4 says. */
  | ({ readonly kind: 'nx_set_async_config2' } & AsyncMasks)
  | { readonly kind: 'nx_flow_mod_table_id'; readonly enable: boolean }
  | { readonly kind: 'nx_flow_age' }
  | FlowMonitorControl
  | { readonly kind: 'flow_monitor_paused' }
  | { readonly kind: 'flow_monitor_resumed' }
  | { readonly kind: 'unknown'; readonly type: number; readonly body: Uint8Array };

/** One kind of message. */
export type MessageOf<K extends Message['kind']> = Extract<Message, { kind: K }>;

/** Version and transaction id, which stand in the header of every message. */
export interface MessageHeader {
  readonly version: Version;
  readonly xid: number;
}
