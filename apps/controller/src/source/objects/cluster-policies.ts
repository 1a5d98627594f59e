import {
  ADMIN_POLICY_PREFIX,
  BASELINE_POLICY_PREFIX,
  type ClusterPeer,
  type LabelSelector,
  type NamespacedSelector,
} from '@heddle/compiler';
import type { SourceClusterPolicy } from '../model.js';
import type { ClusterPolicyManifest } from './cluster-policy-schemas.js';
import { contradictionOf } from './contradictions.js';
import { policyOptions, policyOptionWarnings } from './policy-options.js';
import type { ManifestOf } from './schemas.js';

/** ClusterNetworkPolicy and its forerunners to the one form that is compiled. */

type Body = ClusterPolicyManifest;

/** The only BaselineAdminNetworkPolicy comes behind every ClusterNetworkPolicy of its tier that says an earlier priority. */
const BASELINE_PRIORITY = 1_000;

export function clusterPolicyOf(body: ManifestOf<'ClusterNetworkPolicy'>): SourceClusterPolicy {
  return { ...common(body), name: body.metadata.name, tier: body.spec.tier, priority: body.spec.priority };
}

export function adminPolicyOf(body: ManifestOf<'AdminNetworkPolicy'>): SourceClusterPolicy {
  const name = `${ADMIN_POLICY_PREFIX}${body.metadata.name}`;
  return { ...common(body), name, tier: 'Admin', priority: body.spec.priority };
}

export function baselinePolicyOf(body: ManifestOf<'BaselineAdminNetworkPolicy'>): SourceClusterPolicy {
  const name = `${BASELINE_POLICY_PREFIX}${body.metadata.name}`;
  return { ...common(body), name, tier: 'Baseline', priority: BASELINE_PRIORITY };
}

function common({ metadata, spec }: Body): Omit<SourceClusterPolicy, 'name' | 'tier' | 'priority'> {
  return {
    subject: subjectOf(spec),
    ingress: spec.ingress,
    egress: spec.egress,
    ...policyOptions(metadata.annotations),
  };
}

function subjectOf({ subject }: Body['spec']): NamespacedSelector {
  return subject.pods ?? { namespaceSelector: subject.namespaces ?? {}, podSelector: {} };
}

/** What a policy says that has no effect, a sentence each. */
export function clusterPolicyWarnings({ metadata, spec }: Body): readonly string[] {
  const warnings = [...policyOptionWarnings(metadata.annotations)];
  const subject = contradictionIn(subjectOf(spec));
  if (subject !== undefined) warnings.push(`spec.subject: can never select a pod: ${subject}`);
  if (spec.ingress.length + spec.egress.length === 0) warnings.push('spec: without rules the policy has no effect');
  for (const direction of ['ingress', 'egress'] as const)
    for (const [i, rule] of spec[direction].entries()) {
      const reasons = rule.peers.map(peerContradiction);
      if (reasons.every((r) => r !== undefined))
        warnings.push(`spec.${direction}[${i}]: the rule can never match: ${reasons[0]}`);
    }
  return warnings;
}

function contradictionIn({ namespaceSelector, podSelector }: NamespacedSelector): string | undefined {
  return contradictionOf(namespaceSelector) ?? contradictionOf(podSelector);
}

function peerContradiction(peer: ClusterPeer): string | undefined {
  if (peer.kind === 'pods') return contradictionIn(peer);
  return peer.kind === 'nodes' ? contradictionOf(peer.selector) : undefined;
}

/** As `clusterPolicyWarnings`, for a selector of a NetworkPolicy. */
export const neverSelects = (selector: LabelSelector): readonly string[] => {
  const reason = contradictionOf(selector);
  return reason === undefined ? [] : [`spec.podSelector: can never select a pod: ${reason}`];
};
