import type { Flow, NodeDelta, NodeName } from '@heddle/compiler';
import type { FlowCount, Match } from 'openflow-ts';

/** One switch as its driver sees it. */
export interface SwitchState {
  readonly connected: boolean;
  /** OpenFlow version in use. */
  readonly version: string | null;
  readonly remote: string | null;
  readonly lastError: string | null;
  /** The newest generation all of whose changes for the node are acknowledged on this connection; 0 if none. */
  readonly realizedGeneration: number;
  /** Flow and group mods acknowledged so far, over all connections. */
  readonly modsSent: number;
  /** Mods that the read-back of the present connection called for. */
  readonly modsAtConnect: number;
  /**
   * Another number each time that the switch has acknowledged a change of what it judges packets by; not there before the first
   * since the controller started, and never one that an earlier controller gave.
   */
  readonly policyEpoch?: number | undefined;
}

/** A copy of a packet that a flow told the controller of. */
export interface PacketInEvent {
  readonly node: NodeName;
  /** Table and cookie of the flow. */
  readonly tableId: number;
  readonly cookie: bigint;
  /** Why the switch sent it, in OpenFlow's words; a flow's own action is `action`. */
  readonly reason: string | number;
  /** What the packet carried beside its bytes: registers (`readRegister`), ct_state, tunnel fields, in_port. */
  readonly fields: Match;
  /** Bytes of the packet as it came in. */
  readonly totalLength: number;
  /** The packet from its Ethernet header on. Open vSwitch sends all of it, whatever length the flow asks for. */
  readonly data: Uint8Array;
}

/** How often a flow of a policy has matched. */
export interface CountedFlow extends Omit<FlowCount, 'flow'> {
  /** It is about to be removed. */
  readonly leaves: boolean;
}

/** Counters of flows of policies on one switch; of those that have matched. */
export interface CountsEvent {
  readonly node: NodeName;
  /** `all`: what is not among them has not matched, or is not there. `leaving`: some of them are about to be removed. */
  readonly kind: 'all' | 'leaving';
  readonly counts: readonly CountedFlow[];
  /** The flows that are removed, whether they have matched or not. */
  readonly leaving: readonly Flow[];
  /** OpenFlow version of the connection: `FlowCount.key` is comparable within one. */
  readonly version: string;
}

/** What the core needs of the OpenFlow drivers. */
export interface SwitchesPort {
  notify(generation: number, deltas: ReadonlyMap<NodeName, NodeDelta>): void;
  state(node: NodeName): SwitchState | undefined;
  /** The node is gone: its connection ends, and what was known of its switch is forgotten. */
  forget(node: NodeName): void;
  onRealized(listener: (node: NodeName, generation: number) => void): void;
  /**
   * Calls for each packet that flows tell of, in the order in which a switch sent them. They wait in a bounded queue for
   * each switch and are taken between other work; what does not fit is dropped and counted.
   */
  onPacketIn(listener: (event: PacketInEvent) => void): void;
  /** Sends a packet through the tables of a switch, as if it had come in by the port. Nothing happens while it is away. */
  packetOut(node: NodeName, inPort: number, data: Uint8Array): void;
  /** Calls when counters were read: when a switch has connected, before flows are removed, and when somebody asked. */
  onCounts(listener: (event: CountsEvent) => void): void;
  /** Reads the counters of a switch, unless it is away or has changes to make. Resolves with whether it did. */
  readCounts(node: NodeName): Promise<boolean>;
}

/** What the API shows of the OVSDB side. */
export interface OvsdbPort {
  state(node: NodeName): { readonly connected: boolean; readonly ovsVersion: string | null } | undefined;
}
