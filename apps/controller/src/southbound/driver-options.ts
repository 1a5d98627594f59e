import type { CountsEvent, PacketInEvent, SwitchState } from '../core/ports.js';
import type { DesiredState, SouthboundClock } from './desired.js';
import type { Origins } from './origins.js';

/** What the drivers need of the rest of the controller. */
export interface DriverOptions extends Origins {
  readonly desired: DesiredState;
  readonly clock: SouthboundClock;
  /**
   * Undefined if every number given out so far is durable, else resolves when it is so. A switch gets a bundle meanwhile, and is told
   * to commit it afterwards; if it rejects, the bundle is discarded.
   */
  readonly beforeCommit: () => Promise<void> | undefined;
  /** True when the desired state is whole: nothing is sent to or deleted from a switch before. */
  readonly inSync: () => boolean;
  /** Whether the identity travels in a Geneve option. */
  readonly encap: 'geneve' | 'vxlan';
  /** Between two looks for changes that others made. Default 60000. */
  readonly driftIntervalMs?: number | undefined;
  /** Deadline of one bundle. Default 30000. */
  readonly bundleTimeoutMs?: number | undefined;
  /** Told when a node's `policyEpoch` is another although nothing new is realized: somebody's change was repaired. */
  readonly changed?: (() => void) | undefined;
}

/** Where one node's switch stands; beside what the core needs, what the drivers' own figures are. */
export interface NodeSwitchState extends SwitchState {
  readonly bundlesSent: number;
  /** Times that the whole switch was read back and compared. */
  readonly readBacks: number;
  /** Flows and groups of ours that somebody else had changed, added or removed. */
  readonly driftFound: number;
  /** Packets that flows told of and listeners got, and those that came faster than they were taken. */
  readonly packetIns: number;
  readonly packetInsDropped: number;
}

/** What a driver tells. */
export interface DriverEvents {
  realized(generation: number): void;
  packetIn(event: PacketInEvent): void;
  counts(event: CountsEvent): void;
}
