import type { ClusterPolicyFact, Compiler, FactChange, NetworkPolicyFact } from '@heddle/compiler';
import { expect, it } from 'vitest';
import { Deciders } from '../policy-log/deciders.js';
import type { Total } from './accumulator.js';
import { PolicyTotals } from './policy-totals.js';

const rule = (action: 'Accept' | 'Deny' | 'Pass') => ({ name: '', action, peers: [], ports: [] });
const total = (packets: number): { packets: number; bytes: number; since: number } => ({ packets, bytes: 0, since: 1 });

it('totals of policies follow what is counted, and what the policies are', () => {
  const facts = new Map<string, Partial<ClusterPolicyFact> | Partial<NetworkPolicyFact>>([
    ['policy x/p', { ingress: [{ peers: [], ports: [] }] }],
    ['clusterPolicy guard', { ingress: [rule('Deny'), rule('Pass')], egress: [] }],
  ]);
  let looked = 0;
  const compiler = {
    fact: (kind: FactChange['kind'], key: string) => facts.get(`${kind} ${key}`),
  } as unknown as Compiler;
  const deciders = new Deciders(compiler, { keyOf: () => undefined });
  const looking = {
    policyIn: (object: string) => deciders.policyIn(object),
    named(object: string) {
      looked++;
      return deciders.named(object);
    },
  };
  const counted = {
    allowed: total(3),
    isolated: total(4),
    denied: total(5),
    passed: total(6),
    gone: total(7),
  };
  const totals = new Map<string, Total>([
    ['policy/x/p/ingress/0', counted.allowed],
    ['isolated/x/p/ingress', counted.isolated],
    ['policy//guard/ingress/0', counted.denied],
    ['policy//guard/ingress/1', counted.passed],
    ['policy/x/gone/ingress/0', counted.gone],
  ]);
  const policyTotals = new PolicyTotals(compiler, looking);
  const seen = () =>
    Object.fromEntries([...policyTotals.of(totals)].map(([policy, t]) => [policy, [t.allowed, t.denied]]));

  expect(seen()).toEqual({ 'x/p': [3, 4], '/guard': [0, 5] });
  expect(looked).toBe(5);
  counted.allowed.packets += 10;
  expect(seen()).toEqual({ 'x/p': [13, 4], '/guard': [0, 5] });
  expect(looked).toBe(5);
  facts.set('clusterPolicy guard', { ingress: [rule('Accept'), rule('Deny')], egress: [] });
  expect(seen()).toEqual({ 'x/p': [13, 4], '/guard': [5, 6] });
  facts.delete('policy x/p');
  facts.set('policy x/gone', { ingress: [{ peers: [], ports: [] }] });
  expect(seen()).toEqual({ '/guard': [5, 6], 'x/gone': [7, 0] });
});
