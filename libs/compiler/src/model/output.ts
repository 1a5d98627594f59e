import type { Bucket, Instruction, Match } from 'openflow-ts/codec';
import type { NodeName } from './brands.js';

/** What the compiler gives: the flows and groups that each node should have, and who is responsible for each. */

/** Features that put flows on switches; the number is the `feature` byte of the cookie. */
export const FEATURES = {
  pipeline: 0,
  node: 1,
  pod: 2,
  service: 3,
  policy: 4,
  isolation: 5,
  policyLog: 6,
  dns: 7,
} as const;
export type Feature = keyof typeof FEATURES;

export interface ObjectRef {
  /** Kubernetes kind (Pod, Service, NetworkPolicy, Node ...) or one of ours (Block, Pipeline). */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Who put a flow there and why. */
export interface Provenance {
  readonly feature: Feature;
  readonly owners: readonly ObjectRef[];
  /** One sentence. */
  readonly why: string;
  /** Numbers of the rules that decide alike by this one flow, ascending; its cookie then has a number of its own. */
  readonly objects?: readonly number[] | undefined;
}

export interface Flow {
  /** Identity of the flow in a switch: table, priority and match. */
  readonly key: string;
  readonly tableId: number;
  readonly priority: number;
  readonly match: Match;
  readonly instructions: readonly Instruction[];
  readonly cookie: bigint;
  readonly provenance: Provenance;
}

/** A select group. Groups have no cookie: those with an id in our range (see GROUP_IDS) are ours. */
export interface Group {
  readonly id: number;
  readonly buckets: readonly Bucket[];
  readonly provenance: Provenance;
}
/** Group ids that we own on a switch. */
export const GROUP_IDS = { min: 0x4800_0000, max: 0x48ff_ffff } as const;

/** Desired state of one node. The maps are live views: they change with the next `apply`. */
export interface NodeFlowSet {
  readonly flows: ReadonlyMap<string, Flow>;
  readonly groups: ReadonlyMap<number, Group>;
}

/** What an `apply` changed on a node: keys whose flow or group is new, different or gone. */
export interface NodeDelta {
  readonly flows: ReadonlySet<string>;
  readonly groups: ReadonlySet<number>;
}

export interface ApplyResult {
  /** Nodes that were asked for at least once (`Compiler.node`) and on which something changed. */
  readonly nodes: ReadonlyMap<NodeName, NodeDelta>;
  /** Evaluations of each kind of step that this apply needed. */
  readonly steps: Readonly<Record<string, number>>;
}

/**
 * Recorded numbers. `number(kind, key)` gives the same number for the same key for ever; a key not seen before gets a free
 * number at once (the caller makes it durable before any switch hears of it).
 */
export interface IdSource {
  number(kind: IdKind, key: string): number;
}
export const ID_KINDS = ['identity', 'group', 'conjunction', 'object'] as const;
export type IdKind = (typeof ID_KINDS)[number];
