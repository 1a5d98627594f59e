import type { Subfield } from '../fields/match.js';
import type { FieldName } from '../fields/table.js';

/** An address with its family: a number for 4, a bigint for 6. */
export type IpValue = { readonly family: 4; readonly value: number } | { readonly family: 6; readonly value: bigint };

/** Address translation inside `ct`. No `type` means: apply what the connection already has. */
export interface Nat {
  readonly type?: 'src' | 'dst';
  readonly ip?: { readonly min: IpValue; readonly max?: IpValue };
  readonly port?: { readonly min: number; readonly max?: number };
  readonly persistent?: boolean;
  readonly hash?: boolean;
  readonly random?: boolean;
}

/** One step of `learn`: where the bits come from and what they become in the learned flow. */
export type LearnSpec =
  | { readonly kind: 'match' | 'load'; readonly source: Subfield; readonly target: Subfield }
  | { readonly kind: 'match' | 'load'; readonly value: bigint; readonly target: Subfield }
  | { readonly kind: 'output'; readonly source: Subfield };

/** Property of `encap`, as it came. */
export interface EncapProperty {
  readonly propClass: number;
  readonly type: number;
  readonly body: Uint8Array;
}

/** Fields that a hash covers (`multipath`, `bundle`), by Open vSwitch's numbers. */
export const HASH_FIELDS = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'nw_src',
  'nw_dst',
  'symmetric_l3',
] as const;
/** One of `HASH_FIELDS`. */
export type HashFields = (typeof HASH_FIELDS)[number];

/** How `multipath` picks a link. */
export const MULTIPATH_ALGORITHMS = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const;
/** One of `MULTIPATH_ALGORITHMS`. */
export type MultipathAlgorithm = (typeof MULTIPATH_ALGORITHMS)[number];

/** Why a packet went to the controller, by number (OF1.4, 7.4.1). */
export const PACKET_IN_REASONS = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const;
/** One of `PACKET_IN_REASONS`; a number where it has no name. */
export type PacketInReason = (typeof PACKET_IN_REASONS)[number] | number;

/** Every action. `unknown` holds what this library does not know and encodes to the same bytes. */
export type Action =
  | { readonly kind: 'output'; readonly port: number /** Only with PORT.CONTROLLER. */; readonly maxLen?: number }
  | { readonly kind: 'output_reg'; readonly source: Subfield; readonly maxLen?: number }
  | { readonly kind: 'output_trunc'; readonly port: number; readonly maxLen: number }
  | { readonly kind: 'group'; readonly group: number }
  | {
      readonly kind: 'controller';
      /** Default 65535: everything. */
      readonly maxLen?: number;
      readonly controllerId?: number;
      readonly reason?: PacketInReason;
      readonly userdata?: Uint8Array;
      readonly pause?: boolean;
      readonly meterId?: number;
      /** It came as controller2 although the older form could say it. */
      readonly via?: 'controller2';
    }
  | {
      readonly kind: 'bundle';
      readonly fields: HashFields;
      readonly basis: number;
      readonly algorithm: 'active_backup' | 'hrw';
      readonly members: readonly number[];
      /** Present for `bundle_load`: the chosen port is written here instead of being sent to. */
      readonly target?: Subfield;
    }
  | {
      readonly kind: 'set_field';
      readonly field: FieldName;
      readonly value: number | bigint;
      /** Only masked bits are written. Before 1.5 the encoder says it with `load`. */
      readonly mask?: number | bigint;
      /** It came as the Nicira action reg_load2 and goes out so before 1.5. */
      readonly via?: 'reg_load2';
      /** Bytes on the wire of a tun_metadata value; default the fewest that hold it. */
      readonly bytes?: number;
    }
  | { readonly kind: 'load'; readonly target: Subfield; readonly value: number | bigint }
  | {
      readonly kind: 'move';
      readonly source: Subfield;
      readonly target: Subfield /** Form before 1.5; default `nicira`. */;
      readonly via?: 'onf';
    }
  | { readonly kind: 'push'; readonly field: Subfield }
  | { readonly kind: 'pop'; readonly field: Subfield }
  | { readonly kind: 'delete_field'; readonly field: FieldName }
  | { readonly kind: 'set_vlan_vid'; readonly vid: number }
  | { readonly kind: 'set_vlan_pcp'; readonly pcp: number }
  | { readonly kind: 'pop_vlan' }
  | { readonly kind: 'push_vlan'; readonly ethType: number }
  | { readonly kind: 'mod_dl_src'; readonly mac: bigint }
  | { readonly kind: 'mod_dl_dst'; readonly mac: bigint }
  | { readonly kind: 'mod_nw_src'; readonly ip: number }
  | { readonly kind: 'mod_nw_dst'; readonly ip: number }
  | { readonly kind: 'mod_nw_tos'; readonly tos: number }
  | { readonly kind: 'mod_nw_ecn'; readonly ecn: number }
  | { readonly kind: 'mod_nw_ttl'; readonly ttl: number }
  | { readonly kind: 'mod_tp_src'; readonly port: number }
  | { readonly kind: 'mod_tp_dst'; readonly port: number }
  | { readonly kind: 'dec_ttl'; readonly controllerIds?: readonly number[] }
  | { readonly kind: 'set_mpls_label'; readonly label: number }
  | { readonly kind: 'set_mpls_tc'; readonly tc: number }
  | { readonly kind: 'set_mpls_ttl'; readonly ttl: number }
  | { readonly kind: 'dec_mpls_ttl' }
  | { readonly kind: 'push_mpls'; readonly ethType: number }
  | { readonly kind: 'pop_mpls'; readonly ethType: number }
  | { readonly kind: 'dec_nsh_ttl' }
  | { readonly kind: 'set_queue'; readonly queue: number }
  | { readonly kind: 'pop_queue' }
  | { readonly kind: 'set_tunnel'; readonly id: number }
  | { readonly kind: 'set_tunnel64'; readonly id: bigint }
  | { readonly kind: 'fin_timeout'; readonly idleTimeout: number; readonly hardTimeout: number }
  | {
      readonly kind: 'resubmit';
      /** Absent: the packet's own in_port. */
      readonly port?: number;
      /** Absent: the current table. */
      readonly table?: number;
      /** Look up with the connection's original direction. */
      readonly ct?: boolean;
      /** It came in the oldest form, which cannot name a table, and goes out so. */
      readonly via?: 'resubmit';
    }
  | {
      readonly kind: 'learn';
      readonly table: number;
      readonly priority: number;
      readonly cookie: bigint;
      readonly idleTimeout: number;
      readonly hardTimeout: number;
      readonly finIdleTimeout: number;
      readonly finHardTimeout: number;
      readonly sendFlowRemoved?: boolean;
      readonly deleteLearned?: boolean;
      /** At most so many flows (learn2). */
      readonly limit?: number;
      /** Set to 1 if the flow was learned, 0 if the limit stood in the way (learn2). */
      readonly result?: Subfield;
      readonly specs: readonly LearnSpec[];
    }
  | {
      readonly kind: 'conjunction';
      readonly id: number;
      /** 1-based, as the text `conjunction(id,k/n)` says it. */
      readonly clause: number;
      readonly of: number;
    }
  | {
      readonly kind: 'multipath';
      readonly fields: HashFields;
      readonly basis: number;
      readonly algorithm: MultipathAlgorithm;
      /** Links are 0..links-1. */
      readonly links: number;
      readonly arg: number;
      readonly target: Subfield;
    }
  | { readonly kind: 'note'; readonly data: Uint8Array }
  | { readonly kind: 'exit' }
  | {
      readonly kind: 'sample';
      readonly probability: number;
      readonly collectorSetId: number;
      readonly obsDomainId: number | Subfield;
      readonly obsPointId: number | Subfield;
      readonly samplingPort?: number;
      readonly direction?: 'ingress' | 'egress';
    }
  | {
      readonly kind: 'ct';
      readonly commit?: boolean;
      readonly force?: boolean;
      readonly zone?: number | Subfield;
      /** Where the packet goes on with its ct_state. */
      readonly table?: number;
      /** IANA port of the helper: 21 ftp, 69 tftp. */
      readonly alg?: number;
      readonly nat?: Nat;
      readonly exec?: readonly Action[];
    }
  | { readonly kind: 'ct_clear' }
  /** Only where a peer puts `nat` behind other nested actions; otherwise it is `ct.nat`. */
  | { readonly kind: 'nat'; readonly nat: Nat }
  | { readonly kind: 'clone'; readonly actions: readonly Action[] }
  | {
      readonly kind: 'encap';
      readonly packetType: number;
      readonly headerSize: number;
      readonly properties: readonly EncapProperty[];
    }
  | { readonly kind: 'decap'; readonly packetType: number }
  | { readonly kind: 'check_pkt_larger'; readonly bytes: number; readonly target: Subfield }
  | { readonly kind: 'write_metadata'; readonly value: bigint; readonly mask: bigint }
  | { readonly kind: 'meter'; readonly meter: number }
  | { readonly kind: 'debug_recirc' }
  | { readonly kind: 'debug_slow' }
  | {
      readonly kind: 'unknown';
      readonly type: number /** All that follows type and length. */;
      readonly body: Uint8Array;
    };

/** One kind of action. */
export type ActionOf<K extends Action['kind']> = Extract<Action, { kind: K }>;

/** Every instruction. */
export type Instruction =
  | { readonly kind: 'apply_actions'; readonly actions: readonly Action[] }
  | { readonly kind: 'write_actions'; readonly actions: readonly Action[] }
  | { readonly kind: 'clear_actions' }
  | { readonly kind: 'goto_table'; readonly table: number }
  | { readonly kind: 'write_metadata'; readonly value: bigint; readonly mask: bigint }
  /** An instruction up to 1.4, an action from 1.5 on. */
  | { readonly kind: 'meter'; readonly meter: number }
  | { readonly kind: 'unknown'; readonly type: number; readonly body: Uint8Array };
