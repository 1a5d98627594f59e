import type { IpValue } from '../actions/types.js';
import type { Property } from './structures.js';

// Messages of Open vSwitch and of ONF that stand in no version of the standard. NXT forms of the standard's own messages are in types.ts.

/** Which Geneve option (class, type, length in bytes) is which tun_metadata field. */
export interface TlvMap {
  readonly optionClass: number;
  readonly optionType: number;
  /** A multiple of 4, 4..124. */
  readonly optionLength: number;
  /** N of tun_metadataN, 0..63. */
  readonly index: number;
}
/** Changes which Geneve options are tun_metadata fields. Extension of Open vSwitch. */
export interface TlvTableMod {
  readonly kind: 'tlv_table_mod';
  readonly command: 'add' | 'delete' | 'clear';
  readonly maps: readonly TlvMap[];
}
/** Which Geneve options are tun_metadata fields. */
export interface TlvTableReply {
  readonly kind: 'tlv_table_reply';
  /** Option bytes that all fields may take together. */
  readonly maxOptionSpace: number;
  readonly maxFields: number;
  readonly maps: readonly TlvMap[];
}

/** The tuple of one direction of a connection. */
export interface CtTuple {
  readonly src?: IpValue;
  readonly dst?: IpValue;
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly icmpId?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly properties?: readonly Property[];
}
/** NXT_CT_FLUSH: forgets the connections that match. */
export interface CtFlush {
  readonly kind: 'ct_flush';
  /** 0: any. */
  readonly nwProto: number;
  readonly zone?: number;
  readonly original?: CtTuple;
  readonly reply?: CtTuple;
  /** Open vSwitch 3.2 and later. */
  readonly mark?: number;
  readonly markMask?: number;
  readonly label?: bigint;
  readonly labelMask?: bigint;
  readonly properties?: readonly Property[];
}

/** Ends a flow monitor in 1.3 (extension of ONF). */
export interface FlowMonitorControl {
  readonly kind: 'flow_monitor_cancel';
  readonly id: number;
}

/** A message of an experimenter that this library does not know; body follows experimenter and type. */
export interface ExperimenterMessage {
  readonly kind: 'experimenter';
  readonly experimenter: number;
  readonly type: number;
  readonly body: Uint8Array;
}
