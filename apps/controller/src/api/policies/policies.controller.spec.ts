import { PolicyCountersView, PolicyLogView, PolicyTotalView, path, ROUTES } from '@heddle/api';
import { cookie, nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../../testing/folder.js';
import { type Harness, startHarness } from '../../testing/harness.js';

const MANIFEST = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: guard, namespace: shop, annotations: { heddle.dev/log: drops } }
spec:
  podSelector: {}
  ingress: [{ ports: [{ port: 80 }] }]
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: old }
spec:
  priority: 5
  subject: { namespaces: {} }
  ingress: [{ name: no, action: Deny, from: [{ namespaces: {} }] }]
`;

describe('policies at work', () => {
  let harness: Harness;

  beforeEach(async () => {
    const folder = new TestFolder();
    folder.write('policies.yaml', MANIFEST);
    harness = await startHarness(folder);
  });
  afterEach(async () => {
    await harness.stop();
    harness.folder.remove();
  });

  function count(policy: string, packets: number): void {
    const { compiler, switches } = harness;
    const found = policy.startsWith('/') ? compiler.clusterPolicy(policy.slice(1)) : compiler.policy(policy);
    const object = found?.rules[0]?.objectId ?? expect.fail(`no policy ${policy}`);
    const flow = { cookie: cookie('policy', object), tableId: 61, priority: 300, key: policy, leaves: false };
    switches.counts({
      ...{ node: nodeName('node1'), kind: 'leaving', leaving: [], version: 'OF1.5' },
      counts: [{ ...flow, packets, bytes: packets * 60 }],
    });
  }

  it('are counted rule by rule, a policy without packets too', async () => {
    const counters = () => harness.client.get(path(ROUTES.policyCounters, 'shop', 'guard'), PolicyCountersView);
    expect(await counters()).toEqual({
      ...{ kind: 'NetworkPolicy', namespace: 'shop', name: 'guard' },
      rules: [
        { direction: 'ingress', rule: 0, name: '', verdict: 'allowed', note: null, packets: 0, bytes: 0, since: null },
        {
          direction: 'ingress',
          rule: null,
          name: '',
          verdict: 'denied',
          note: null,
          packets: 0,
          bytes: 0,
          since: null,
        },
      ],
    });
    count('shop/guard', 7);
    expect((await counters()).rules[0]).toMatchObject({
      packets: 7,
      bytes: 420,
      since: expect.stringMatching(/^20.*Z$/),
    });
  });
  it('are counted under the kind of object that they were written as', async () => {
    count('/anp/old', 3);
    expect(await harness.client.get(path(ROUTES.clusterPolicyCounters, 'anp/old'), PolicyCountersView)).toMatchObject({
      ...{ kind: 'AdminNetworkPolicy', namespace: '', name: 'old' },
      rules: [{ name: 'no', verdict: 'denied', packets: 3 }],
    });
    expect(await harness.client.get(ROUTES.policyTotals, z.array(PolicyTotalView))).toEqual([
      { kind: 'AdminNetworkPolicy', namespace: '', name: 'old', allowed: 0, denied: 3 },
    ]);
  });
  it('that are not there have no counters', async () => {
    for (const route of [path(ROUTES.policyCounters, 'shop', 'no'), path(ROUTES.clusterPolicyCounters, 'no')])
      await expect(harness.client.get(route, PolicyCountersView)).rejects.toMatchObject({ code: 'not_found' });
  });
  it('are metrics, by policy and by node', async () => {
    count('shop/guard', 7);
    count('/anp/old', 3);
    const text = await harness.client.text('GET', ROUTES.metrics);
    expect(text).toContain('heddle_policy_packets_total{namespace="shop",policy="guard",verdict="allowed"} 7\n');
    expect(text).toContain('heddle_policy_packets_total{namespace="",policy="anp/old",verdict="denied"} 3\n');
    expect(text).toContain('heddle_policy_dropped_packets_total{node="node1",direction="ingress"} 3\n');
  });
  it('have an empty log at first, and a wrong question is refused', async () => {
    expect(await harness.client.get(ROUTES.policyLog, PolicyLogView)).toEqual({ newest: 0, events: [] });
    await expect(
      harness.client.get(ROUTES.policyLog, PolicyLogView, { query: { verdict: 'maybe' } }),
    ).rejects.toMatchObject({ code: 'bad_request' });
  });
});
