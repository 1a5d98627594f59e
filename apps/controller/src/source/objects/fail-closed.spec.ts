import { describe, expect, it } from 'vitest';
import { clusterPolicyOf } from './cluster-policies.js';
import { failClosed } from './fail-closed.js';
import { KINDS } from './schemas.js';

const nodes = [{ nodes: {} }];
const policy = (spec: Readonly<Record<string, unknown>>) => ({
  metadata: { name: 'p' },
  spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...spec },
});
const read = (spec: Readonly<Record<string, unknown>>) => {
  const schema = KINDS.ClusterNetworkPolicy.schema;
  const found = failClosed(schema, policy(spec));
  return found && { policy: clusterPolicyOf(found.body), ...found };
};
const denyAll = {
  name: '',
  action: 'Deny',
  peers: [{ kind: 'networks', cidrs: ['0.0.0.0/0', '::/0'] }],
  ports: [],
};

describe('a rule that is not understood', () => {
  it('matches nothing where it accepts, and the others keep their order', () => {
    const found = read({
      egress: [
        { name: 'a', action: 'Deny', to: nodes },
        { name: 'b', action: 'Accept', to: [{ services: {} }] },
        { name: 'c', action: 'Accept', to: nodes },
      ],
    });
    expect(found?.policy.egress.map((r) => r.name)).toEqual(['a', 'c']);
    expect(found?.warnings).toEqual([
      expect.stringMatching(/^spec\.egress\[1\]\.to\[0\]: services: not known here/),
      expect.stringMatching(/^spec\.egress\[1\]\.to\[0\]: exactly one of/),
      'spec.egress[1]: until the rule is understood it matches nothing',
    ]);
  });

  it.each(['Deny', 'Pass', 'Reject', undefined])('denies everything where its action is %s', (action) => {
    const found = read({
      ingress: [
        { name: 'a', action, from: [{}] },
        { name: 'b', action: 'Accept', from: [{ namespaces: {} }] },
      ],
    });
    expect(found?.policy.ingress).toMatchObject([denyAll, { name: 'b' }]);
  });
});

it.each<[name: string, spec: Readonly<Record<string, unknown>>]>([
  ['a subject', { subject: {}, egress: [{ action: 'Deny', to: [{}] }] }],
  ['a field of the policy', { rules: [] }],
  ['the list of rules', { egress: 'all' }],
])('%s that is not understood leaves nothing to go by', (_, spec) => {
  expect(read(spec)).toBeUndefined();
});
