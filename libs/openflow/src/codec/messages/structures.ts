import type { Action } from '../actions/types.js';
import type { FieldName } from '../fields/table.js';

/** Structures that messages and multipart bodies share. */

export type Role = 'nochange' | 'equal' | 'primary' | 'secondary';

/** How a group picks buckets: all, one by hash, the only one, the first that is alive. */
export type GroupType = 'all' | 'select' | 'indirect' | 'ff';
/** Reserved bucket ids for insert_bucket and remove_bucket (1.5). */
export const BUCKET = { MAX: 0xffffff00, FIRST: 0xfffffffd, LAST: 0xfffffffe, ALL: 0xffffffff } as const;

/** One bucket of a group (OF1.5 §7.3.4.3.1). */
export interface Bucket {
  /** 1.5; before it, a bucket's place in the list. */
  readonly bucketId?: number;
  /** `select` groups only; default 1 there when encoding, 0 elsewhere. */
  readonly weight?: number;
  readonly watchPort?: number;
  readonly watchGroup?: number;
  readonly actions: readonly Action[];
  /** 1.5: properties that this library does not know. */
  readonly properties?: readonly Property[];
}

/** What can be said about a group beside its buckets. */
export interface GroupProperties {
  /** Open vSwitch: `hash` or `dp_hash`, in 1.5 only (Netronome experimenter property). */
  readonly selectionMethod?: string;
  readonly selectionMethodParam?: bigint;
  /** The property carries the number that Open vSwitch 2.4 mistook for Netronome's. */
  readonly selectionVendor?: 'compat';
  /** Fields to hash over, each with its mask. */
  readonly selectionFields?: { readonly [F in FieldName]?: number | bigint };
  /** 1.5: properties that this library does not know. */
  readonly properties?: readonly Property[];
}

/** A property kept as it came. */
export interface Property {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Why a flow is gone; a number where it has no name. */
export type FlowRemovedReason =
  | 'idle_timeout'
  | 'hard_timeout'
  | 'delete'
  | 'group_delete'
  | 'meter_delete'
  | 'eviction'
  | number;

/** A port as features, port_status and port_desc describe it. */
export interface Port {
  readonly portNo: number;
  readonly hwAddr: bigint;
  readonly name: string;
  readonly config: number;
  readonly state: number;
  readonly curr: number;
  readonly advertised: number;
  readonly supported: number;
  readonly peer: number;
  /** kbit/s */
  readonly currSpeed: number;
  readonly maxSpeed: number;
  /** 1.4: properties other than Ethernet. */
  readonly properties?: readonly Property[];
}

/** One band of a meter. `rate` and `burstSize` are in kbit/s or packets/s, as the flags of the meter say. */
export interface MeterBand {
  readonly type: 'drop' | 'dscp_remark' | number;
  readonly rate: number;
  readonly burstSize: number;
  /** dscp_remark only. */
  readonly precLevel?: number;
  /** Other bands: what follows burst size. */
  readonly body?: Uint8Array;
}
/** A setting of a table, in table mods, descriptions and status. */
export interface TableSettings {
  readonly tableId: number;
  /** 1.4: bit 2 eviction, bit 3 vacancy events. 1.3: what happens to packets that nothing matches. */
  readonly config: number;
  /** 1.4: what flows are evicted by; bit 0 other, bit 1 importance, bit 2 lifetime. */
  readonly evictionFlags?: number;
  /** 1.4: percentages of free space. `vacancy` is the present one; 0 in a table mod. */
  readonly vacancy?: { readonly down: number; readonly up: number; readonly vacancy: number };
  readonly properties?: readonly Property[];
}
/** 1.5: the state of a connection with a controller. Open vSwitch does not send it. */
export interface ControllerStatus {
  readonly shortId: number;
  readonly role: Role | number;
  readonly reason:
    | 'request'
    | 'channel_status'
    | 'role'
    | 'controller_added'
    | 'controller_removed'
    | 'short_id'
    | 'experimenter'
    | number;
  readonly channelStatus: 'up' | 'down' | number;
  readonly uri?: string;
  readonly properties?: readonly Property[];
}

/** A queue; rates in tenths of a percent, above 1000 disabled. */
export interface Queue {
  readonly portNo: number;
  readonly queueId: number;
  readonly minRate?: number;
  readonly maxRate?: number;
  readonly properties?: readonly Property[];
}
