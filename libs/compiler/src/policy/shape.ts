import type { Cidr } from '../model/brands.js';
import { type ExistingConnections, factKey, type PolicyLogging } from '../model/facts.js';
import type { Prefix } from '../pipeline/address.js';
import type { RulePorts } from './ports.js';

export type Direction = 'ingress' | 'egress';
export const DIRECTIONS = ['ingress', 'egress'] as const;

/** Tiers in the order in which they judge. Every NetworkPolicy is in the tier of that name. */
export type Tier = 'Admin' | 'NetworkPolicy' | 'Baseline';
export type RuleAction = 'Accept' | 'Deny' | 'Pass';

/**
 * Policies of both kinds under keys of one kind: NAMESPACE/NAME, where a cluster policy has no namespace. Its name may have
 * a slash of its own (see `clusterPolicyObject`).
 */
export const clusterPolicyKey = (name: string): string => factKey('', name);
/** Name of the cluster policy under a key; undefined for the key of a NetworkPolicy. */
export const clusterPolicyName = (key: string): string | undefined => (key.startsWith('/') ? key.slice(1) : undefined);

/** A peer of a rule as the policy says it. A peer that says nothing selects nothing. */
export type PeerShape =
  | {
      readonly kind: 'pods';
      /** Canonical selector; undefined: the policy's own namespace. */
      readonly namespaceSelector: string | undefined;
      readonly podSelector: string;
      readonly selection: string;
    }
  | {
      readonly kind: 'block';
      readonly cidr: Cidr;
      readonly except: readonly Cidr[];
      readonly prefixes: readonly Prefix[];
    }
  /** Addresses of the machines that a canonical selector selects. */
  | { readonly kind: 'nodes'; readonly selector: string }
  /** Addresses that these names have by now. */
  | { readonly kind: 'domains'; readonly names: readonly string[] };

export interface RuleShape {
  readonly direction: Direction;
  /** Place in the policy's list, from 0. */
  readonly index: number;
  /** As the policy's author calls it; often empty. */
  readonly name: string;
  /** What happens to what it matches. Rules of a NetworkPolicy accept. */
  readonly action: RuleAction;
  /** Undefined: every peer. */
  readonly peers: readonly PeerShape[] | undefined;
  readonly ports: RulePorts;
  /** Rules of a policy that cuts: a digest of all that the policy says. With another the rule is another rule. */
  readonly edition?: string;
}

/** A policy of either kind in canonical form. */
export interface PolicyShape {
  readonly tier: Tier;
  /** 0 to 1000, the lowest is judged first; 0 in the tier NetworkPolicy, whose policies have no order. */
  readonly priority: number;
  /** Empty for a ClusterNetworkPolicy. */
  readonly namespace: string;
  readonly name: string;
  /** Canonical selector of the subjects' namespaces; undefined: the policy's own. */
  readonly namespaceSelector: string | undefined;
  readonly podSelector: string;
  /** Selection of the subjects. */
  readonly subjects: string;
  /** Directions in which subjects are isolated by being selected; none for a ClusterNetworkPolicy. */
  readonly isolates: readonly Direction[];
  readonly rules: readonly RuleShape[];
  /** Of which decisions switches tell. */
  readonly logging: PolicyLogging;
  /** What becomes of connections that were allowed before. */
  readonly existing: ExistingConnections;
}

/** Canonical text under which a rule's number is recorded; the number is what ct_label carries. */
export function ruleObject(
  policy: string,
  rule: Pick<RuleShape, 'direction' | 'index' | 'peers' | 'ports' | 'edition'>,
): string {
  if (rule.edition !== undefined) return `policy/${policy}/${rule.direction}/${rule.index}@${rule.edition}`;
  const names = rule.peers?.flatMap((p) => (p.kind === 'domains' ? p.names : [])) ?? [];
  if (names.length === 0) return `policy/${policy}/${rule.direction}/${rule.index}`;
  // A connection to a name lives as long as its rule does, wherever in the list that stands: the text is what the rule says.
  return `policy/${policy}/${rule.direction}/domains/${JSON.stringify([names, rule.ports])}`;
}
