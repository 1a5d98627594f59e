import type { ObjectRef } from '@heddle/api';
import { BAND_SLOTS, type Compiler, CROWDED, clusterPolicyObject } from '@heddle/compiler';
import type { SourceClusterPolicy } from '../source/model.js';

/** Of more rules the first ones are named. */
const MAX_NAMED = 10;

/** A cluster policy with rules that have no place of their own in the order. */
export interface CrowdedPolicy {
  readonly object: ObjectRef;
  /** Which rules, what that means, and what to do. */
  readonly reason: string;
}

/** Cheap enough to be asked every second: only of policies that share a priority with many rules anything is computed. */
export function crowdedPolicies(
  compiler: Pick<Compiler, 'crowdedRules'>,
  policies: Iterable<SourceClusterPolicy>,
): readonly CrowdedPolicy[] {
  return mayBeCrowded(policies).flatMap(({ name }): readonly CrowdedPolicy[] => {
    const rules = compiler.crowdedRules(name).map((r) => `spec.${r.direction}[${r.index}]`);
    if (rules.length === 0) return [];
    const more = rules.length > MAX_NAMED ? ` and ${rules.length - MAX_NAMED} more` : '';
    const reason = `${rules.slice(0, MAX_NAMED).join(', ')}${more}: ${CROWDED}`;
    return [{ object: { ...clusterPolicyObject(name), namespace: '' }, reason }];
  });
}

/** Policies that share a priority with so many rules that some may have no place of their own. */
function mayBeCrowded(policies: Iterable<SourceClusterPolicy>): readonly SourceClusterPolicy[] {
  const groups = new Map<string, { readonly members: SourceClusterPolicy[]; ingress: number; egress: number }>();
  for (const policy of policies) {
    const key = `${policy.tier} ${policy.priority}`;
    const group = groups.get(key) ?? { members: [], ingress: 0, egress: 0 };
    group.members.push(policy);
    group.ingress += policy.ingress.length;
    group.egress += policy.egress.length;
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((g) => (Math.max(g.ingress, g.egress) > BAND_SLOTS ? g.members : []));
}
