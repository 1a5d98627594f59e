import type { Instruction } from '../actions/types.js';
import type { Match } from '../fields/match.js';
import type { FieldName } from '../fields/table.js';
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
  TableSettings,
} from './structures.js';

/** Which flows a flow or aggregate request means. */
export interface FlowStatsFilter {
  readonly tableId: number;
  readonly outPort: number;
  readonly outGroup: number;
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  readonly match: Match;
}

/** A flow as the switch reports it. */
export interface FlowStats {
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly match: Match;
  readonly instructions: readonly Instruction[];
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly flags: number;
  readonly importance: number;
  readonly packetCount: bigint;
  readonly byteCount: bigint;
  /** Since the flow last matched; 1.5 only. */
  readonly idleSec?: number;
  readonly idleNsec?: number;
}

/** A group as the switch reports it. */
export interface GroupDesc extends GroupProperties {
  readonly groupId: number;
  readonly type: GroupType;
  readonly buckets: readonly Bucket[];
}

/** Counters of a group and of its buckets, in their order. */
export interface GroupStats {
  readonly groupId: number;
  readonly refCount: number;
  readonly packetCount: bigint;
  readonly byteCount: bigint;
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly buckets: readonly { readonly packetCount: bigint; readonly byteCount: bigint }[];
}

/** Who made the switch, as it says itself; texts of up to 255 characters (32 for the serial number). */
export interface Description {
  readonly manufacturer: string;
  readonly hardware: string;
  readonly software: string;
  readonly serial: string;
  readonly datapath: string;
}

/** Counters of a table. */
export interface TableStats {
  readonly tableId: number;
  readonly activeCount: number;
  readonly lookupCount: bigint;
  readonly matchedCount: bigint;
}

/** Counters of a port. All ones: the switch does not count it. */
export interface PortStats {
  readonly portNo: number;
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
  readonly rxErrors: bigint;
  readonly txErrors: bigint;
  readonly rxFrameErrors: bigint;
  readonly rxOverErrors: bigint;
  readonly rxCrcErrors: bigint;
  readonly collisions: bigint;
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly properties?: readonly Property[];
}

/** Counters of a queue. */
export interface QueueStats {
  readonly portNo: number;
  readonly queueId: number;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly properties?: readonly Property[];
}

/** A meter as the switch reports it. */
export interface MeterConfig {
  readonly flags: number;
  readonly meterId: number;
  readonly bands: readonly MeterBand[];
}

/** Counters of a meter and of its bands, in their order. */
export interface MeterStats {
  readonly meterId: number;
  readonly flowCount: number;
  readonly packetInCount: bigint;
  readonly byteInCount: bigint;
  readonly durationSec: number;
  readonly durationNsec: number;
  readonly bands: readonly { readonly packetCount: bigint; readonly byteCount: bigint }[];
}

/** What groups the switch can have; lists by group type: all, select, indirect, ff. */
export interface GroupFeatures {
  readonly types: number;
  readonly capabilities: number;
  readonly maxGroups: readonly number[];
  readonly actions: readonly number[];
}

/** What meters the switch can have. */
export interface MeterFeatures {
  readonly maxMeters: number;
  readonly bandTypes: number;
  readonly capabilities: number;
  readonly maxBands: number;
  readonly maxColor: number;
}

/** An instruction or action by its number alone; `body`: an experimenter's numbers. */
export interface ActionId {
  readonly type: number;
  readonly body?: Uint8Array;
}
/** A field by its header; `field` where it is known. */
export interface FieldId {
  readonly field?: FieldName;
  readonly masked: boolean;
  readonly header: number;
  readonly experimenter?: number;
}
/** What a table can do; `miss`: with packets that no flow of it matches. */
export type TableFeature =
  | {
      readonly of: 'instructions' | 'write_actions' | 'apply_actions';
      readonly miss: boolean;
      readonly ids: readonly ActionId[];
    }
  | { readonly of: 'next_tables'; readonly miss: boolean; readonly tables: readonly number[] }
  | {
      readonly of: 'match' | 'wildcards' | 'write_set_field' | 'apply_set_field';
      readonly miss: boolean;
      readonly fields: readonly FieldId[];
    }
  | { readonly of: 'unknown'; readonly type: number; readonly body: Uint8Array };
/** What one table can do (OF1.5 §7.3.5.18). */
export interface TableFeatures {
  readonly tableId: number;
  /** 1.5: 0 replace, 1 modify, 2 enable, 3 disable. */
  readonly command: number;
  /** 1.5. */
  readonly features: number;
  readonly name: string;
  readonly metadataMatch: bigint;
  readonly metadataWrite: bigint;
  readonly capabilities: number;
  readonly maxEntries: number;
  readonly properties: readonly TableFeature[];
}

/** Counters of IPFIX of Open vSwitch, of a bridge or of a collector set. */
export interface IpfixStats {
  readonly flows: bigint;
  readonly currentFlows: bigint;
  readonly packets: bigint;
  readonly ipv4Packets: bigint;
  readonly ipv6Packets: bigint;
  readonly errorPackets: bigint;
  readonly ipv4ErrorPackets: bigint;
  readonly ipv6ErrorPackets: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly collectorSetId: number;
}

/** `flags` of a flow monitor, by their numbers in 1.4; ONLY_OWN is translated for 1.3, which has no NO_ABBREV. */
export const FLOW_MONITOR_FLAG = {
  /** Report the flows that are there already, as `initial` (1.3: as `added`). */
  INITIAL: 1,
  ADD: 2,
  REMOVED: 4,
  MODIFY: 8,
  /** Updates carry instructions. */
  INSTRUCTIONS: 0x10,
  /** Changes by this connection are reported in full, not as `abbrev`. Open vSwitch refuses it. */
  NO_ABBREV: 0x20,
  /** Only changes by this connection. */
  ONLY_OWN: 0x40,
} as const;

/** What to watch: changes of the flows that match, in a table (0xff: all) and with an output (ANY: whatever). */
export interface FlowMonitor {
  /** Chosen by the controller; what it cancels by. */
  readonly id: number;
  /** 1.3 only adds. It deletes by the message `flow_monitor_cancel`. */
  readonly command: 'add' | 'modify' | 'delete';
  readonly flags: number;
  readonly outPort: number;
  /** From 1.4 on. */
  readonly outGroup: number;
  readonly tableId: number;
  /** May be absent in a delete only. */
  readonly match?: Match;
}

/** A change of a flow that a monitor reports. */
export type FlowUpdate =
  | {
      /** `initial` from 1.4 on; 1.3 says `added`. */
      readonly event: 'initial' | 'added' | 'removed' | 'modified';
      /** Why it was removed; 0 (`idle_timeout`) in other events. */
      readonly reason: FlowRemovedReason;
      readonly tableId: number;
      readonly priority: number;
      readonly idleTimeout: number;
      readonly hardTimeout: number;
      readonly cookie: bigint;
      readonly match: Match;
      /** Empty unless the monitor asked for them. */
      readonly instructions: readonly Instruction[];
    }
  /** A change that this connection made itself, by the xid of the message that did. */
  | { readonly event: 'abbrev'; readonly xid: number }
  /** The switch drops updates until `resumed`, and then reports what changed meanwhile. 1.3: messages of their own. */
  | { readonly event: 'paused' }
  | { readonly event: 'resumed' };

/** Element type of a reply, by multipart type. A reply of one structure has one element. */
export interface MultipartElements {
  desc: Description;
  flow: FlowStats;
  aggregate: { readonly packetCount: bigint; readonly byteCount: bigint; readonly flowCount: number };
  table: TableStats;
  port: PortStats;
  queue: QueueStats;
  group: GroupStats;
  group_desc: GroupDesc;
  group_features: GroupFeatures;
  meter: MeterStats;
  meter_config: MeterConfig;
  meter_features: MeterFeatures;
  port_desc: Port;
  table_desc: TableSettings;
  table_features: TableFeatures;
  /** From 1.4 on; a message of its own in 1.3. */
  queue_desc: Queue;
  ipfix_bridge: IpfixStats;
  ipfix_flow: IpfixStats;
  /** 1.5 */
  controller_status: ControllerStatus;
  flow_monitor: FlowUpdate;
  /** Not decoded yet: one element with the body of the part. */
  unknown: { readonly type: number; readonly body: Uint8Array };
}
/** Kinds of multipart messages by name. */
export type MultipartType = keyof MultipartElements;

type Requests =
  | { readonly type: 'desc' }
  | { readonly type: 'table' }
  | { readonly type: 'group_features' }
  | { readonly type: 'meter_features' }
  | { readonly type: 'table_desc' }
  | ({ readonly type: 'flow' } & FlowStatsFilter)
  | ({ readonly type: 'aggregate' } & FlowStatsFilter)
  | { readonly type: 'port'; readonly portNo: number }
  /** A port other than ANY can be asked for from 1.5 on. */
  | { readonly type: 'port_desc'; readonly portNo?: number }
  | { readonly type: 'queue'; readonly portNo: number; readonly queueId: number }
  | { readonly type: 'group'; readonly groupId: number }
  /** A group other than ALL can be asked for from 1.5 on. */
  | { readonly type: 'group_desc'; readonly groupId?: number }
  | { readonly type: 'meter'; readonly meterId: number }
  | { readonly type: 'meter_config'; readonly meterId: number }
  | { readonly type: 'ipfix_bridge' }
  | { readonly type: 'ipfix_flow' }
  | { readonly type: 'controller_status' }
  | { readonly type: 'queue_desc'; readonly portNo: number; readonly queueId: number }
  /** Without tables a question, with tables a wish. */
  | { readonly type: 'table_features'; readonly tables: readonly TableFeatures[] }
  | { readonly type: 'flow_monitor'; readonly monitors: readonly FlowMonitor[] }
  | { readonly type: 'unknown'; readonly typeNumber: number; readonly body: Uint8Array };

/** A multipart request; `more` announces another part with the same xid. */
export type MultipartRequest = { readonly kind: 'multipart_request'; readonly more?: boolean } & Requests;

/** One part of a multipart reply; the session concatenates `elements` until a part has `more: false`. */
export type MultipartReply = {
  [T in MultipartType]: {
    readonly kind: 'multipart_reply';
    readonly type: T;
    readonly more: boolean;
    readonly elements: readonly MultipartElements[T][];
  };
}[MultipartType];
