import { type ClusterPeer, type ClusterRule, cidr } from '@heddle/compiler';
import type { z } from 'zod';
import type { ClusterPolicyManifest } from './cluster-policy-schemas.js';
import { describeIssue, isRecord } from './issues.js';

const EVERYWHERE: readonly ClusterPeer[] = [{ kind: 'networks', cidrs: [cidr('0.0.0.0/0'), cidr('::/0')] }];
const DENY_ALL: ClusterRule = { name: '', action: 'Deny', peers: EVERYWHERE, ports: [] };

export interface FailedClosed<B extends ClusterPolicyManifest> {
  readonly body: B;
  readonly warnings: readonly string[];
}

/**
 * A cluster policy of which some rules cannot be understood. As the API wants it ("fail closed"), such a rule matches nothing
 * if it accepts, and denies everything if it denies or passes; the others count as they are. Undefined if more than rules is
 * not understood.
 */
export function failClosed<B extends ClusterPolicyManifest>(
  schema: z.ZodType<B>,
  object: unknown,
): FailedClosed<B> | undefined {
  const issues = schema.safeParse(object).error?.issues ?? [];
  const places = new Set<string>();
  for (const { path } of issues) {
    const [spec, direction, index] = path;
    if (spec !== 'spec' || (direction !== 'ingress' && direction !== 'egress') || typeof index !== 'number')
      return undefined;
    places.add(`${direction}/${index}`);
  }
  if (!isRecord(object) || !isRecord(object.spec)) return undefined;
  const { spec } = object;
  const understood = (direction: 'ingress' | 'egress') =>
    listOf(spec[direction]).filter((_, i) => !places.has(`${direction}/${i}`));
  const rest = { ...object, spec: { ...spec, ingress: understood('ingress'), egress: understood('egress') } };
  const parsed = schema.safeParse(rest);
  if (!parsed.success) return undefined;

  const rules = (direction: 'ingress' | 'egress'): readonly ClusterRule[] => {
    const good = [...parsed.data.spec[direction]];
    return listOf(spec[direction]).flatMap((rule, i): readonly (ClusterRule | undefined)[] => {
      if (!places.has(`${direction}/${i}`)) return [good.shift()];
      return accepts(rule) ? [] : [DENY_ALL];
    }) as readonly ClusterRule[];
  };
  const effects = [...places].map((place) => {
    const [direction = '', index = ''] = place.split('/');
    const effect = accepts(listOf(spec[direction])[Number(index)]) ? 'matches nothing' : 'denies everything';
    return `spec.${direction}[${index}]: until the rule is understood it ${effect}`;
  });
  return {
    body: { ...parsed.data, spec: { ...parsed.data.spec, ingress: rules('ingress'), egress: rules('egress') } },
    warnings: [...issues.map(describeIssue), ...effects],
  };
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const accepts = (rule: unknown): boolean => isRecord(rule) && (rule.action === 'Accept' || rule.action === 'Allow');
