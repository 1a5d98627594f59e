import type { PolicyCountersView, PolicyView, VerdictView } from '@heddle/api';
import { describe, expect, it } from 'vitest';
import { countersPath } from './policies.js';
import { policiesText, policyCountersText, policyLogText } from './views.js';

describe('what policies did', () => {
  it.each([
    ['shop/db', '/v1/policies/shop/db/counters'],
    ['guard', '/v1/cluster-policies/guard/counters'],
    ['anp/guard', '/v1/cluster-policies/anp%2Fguard/counters'],
    ['banp/default', '/v1/cluster-policies/banp%2Fdefault/counters'],
  ])('%s is asked for at %s', (policy, path) => {
    expect(countersPath(policy)).toBe(path);
  });
  it('is shown beside each policy, nothing for those that decided nothing', () => {
    const policy = (name: string, log: 'none' | 'all'): PolicyView => ({
      ...{ kind: 'NetworkPolicy', namespace: 'shop', name, tier: 'NetworkPolicy', priority: null, log },
      ...{ policyTypes: ['Ingress'], existingConnections: 'recheck', subjects: ['shop/db-0'] },
    });
    const totals = [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'db', allowed: 120, denied: 7 }];
    expect(policiesText([policy('db', 'all'), policy('web', 'none')], totals).split('\n')).toEqual([
      'KIND           NAMESPACE  POLICY  TIER           PRIORITY  TYPES    LOG   ALLOWED  DENIED  APPLIES TO',
      'NetworkPolicy  shop       db      NetworkPolicy  -         Ingress  all   120      7       shop/db-0',
      'NetworkPolicy  shop       web     NetworkPolicy  -         Ingress  none  0        0       shop/db-0',
    ]);
  });
  it('is shown rule by rule', () => {
    const nothing = { name: '', verdict: 'denied', packets: 0, bytes: 0, since: null } as const;
    const counters: PolicyCountersView = {
      ...{ kind: 'ClusterNetworkPolicy', namespace: '', name: 'guard' },
      rules: [
        {
          ...{ direction: 'ingress', rule: 0, name: 'no-ssh', verdict: 'denied', note: null, packets: 7, bytes: 420 },
          since: '2026-01-02T03:04:05.000Z',
        },
        { ...nothing, direction: 'ingress', rule: 64, note: 'it has no place' },
        { ...nothing, direction: 'ingress', rule: 65, note: 'it has no place' },
        { ...nothing, direction: 'egress', rule: null, note: null },
      ],
    };
    expect(policyCountersText(counters).split('\n')).toEqual([
      'ClusterNetworkPolicy/guard',
      'DIRECTION  RULE               VERDICT  PACKETS  BYTES  SINCE',
      'ingress    rule 0 (no-ssh)    denied   7        420    2026-01-02T03:04:05.000Z',
      'ingress    rule 64            denied   0        0      -',
      'ingress    rule 65            denied   0        0      -',
      'egress     no rule allows it  denied   0        0      -',
      'note on ingress rule 64, ingress rule 65: it has no place',
    ]);
  });
  it('is told line by line', () => {
    const event: VerdictView = {
      ...{ seq: 1, time: '2026-01-02T03:04:05.000Z', verdict: 'denied', direction: 'ingress', node: 'node1' },
      ...{ from: 'shop/web-0', to: 'shop/db-0', protocol: 'tcp', port: 5432, policies: ['shop/a', 'shop/b'] },
      ...{ rule: null, count: 3 },
    };
    const allowed: VerdictView = {
      ...event,
      verdict: 'allowed',
      protocol: 'icmp',
      port: null,
      policies: ['x'],
      rule: 2,
    };
    expect(policyLogText([event, allowed]).split('\n')).toEqual([
      '2026-01-02T03:04:05.000Z denied ingress shop/web-0 -> shop/db-0 tcp/5432 x3 on node1: shop/a, shop/b, no rule allows it',
      '2026-01-02T03:04:05.000Z allowed ingress shop/web-0 -> shop/db-0 icmp x3 on node1: x rule 2',
    ]);
  });
});
