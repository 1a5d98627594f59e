import { describe, expect, it } from 'vitest';
import { watchedKinds } from './kinds.js';

const kinds = new Map(watchedKinds().map((k) => [k.kind, k]));
const policy = (spec: object) => ({
  metadata: { name: 'p', uid: 'u', managedFields: [] },
  spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...spec },
  status: { conditions: [] },
});

describe('a cluster policy of a version that is newer than what is known here', () => {
  const read = (spec: object) => kinds.get('ClusterNetworkPolicy')?.read(policy(spec));

  it('counts, but for rules that are not understood: they fail closed, and that is told', () => {
    const from = [{ namespaces: {} }];
    const ingress = [
      { action: 'Accept', from, icmp: {} },
      { name: 'known', action: 'Accept', from },
      { action: 'Deny', from: [{}] },
    ];
    expect(read({ ingress })).toMatchObject({
      key: 'p',
      reading: {
        kind: 'value',
        value: {
          name: 'p',
          ingress: [
            { name: 'known', action: 'Accept' },
            { action: 'Deny', peers: [{ kind: 'networks', cidrs: ['0.0.0.0/0', '::/0'] }] },
          ],
        },
        warnings: [
          expect.stringMatching(/^spec\.ingress\[0\]: icmp: not known here/),
          expect.stringMatching(/^spec\.ingress\[2\]\.from\[0\]: exactly one of/),
          expect.stringMatching(/^spec\.ingress\[0\]: .*matches nothing$/),
          expect.stringMatching(/^spec\.ingress\[2\]: .*denies everything$/),
        ],
      },
    });
  });

  it('is broken where more than rules is not understood', () => {
    expect(read({ tier: 'Gold', egress: [] })).toMatchObject({ key: 'p', reading: { kind: 'broken' } });
  });
});

it('the forerunners have keys of their own beside cluster policies', () => {
  const names = ['ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'] as const;
  expect(names.map((n) => [kinds.get(n)?.into, kinds.get(n)?.keyIn('p')])).toEqual([
    ['clusterPolicies', 'p'],
    ['clusterPolicies', 'anp/p'],
    ['clusterPolicies', 'banp/p'],
  ]);
});
