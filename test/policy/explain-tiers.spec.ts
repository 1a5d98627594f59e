import { type ExplainQuery, explain, type FactChange, parseExplainEnd } from '@heddle/compiler';
import { expect, test } from 'vitest';
import { clusterPolicy, denyIngress, everywhere, from, namespace, podOf, policy, tcpPort, to } from './cases/build.js';
import { Fabric } from './fabric.js';
import { factsOf } from './facts.js';
import { clusterUnder } from './pods.js';

// What an explanation says of tiers, sentence by sentence. Pods x/a, x/b, z/a on n1; x/c, y/a, z/b on n2; y/b, y/c, z/c on n3.
const cluster = clusterUnder({
  policies: [policy('x', 'deny', denyIngress)],
  clusterPolicies: [
    clusterPolicy('guard', {
      tier: 'Admin',
      priority: 7,
      subject: namespace('x'),
      ingress: [
        { ...from('Accept', [podOf('y', 'a')], [tcpPort(80)]), name: 'web' },
        from('Pass', [namespace('x')]),
        from('Deny', [namespace('y')]),
      ],
      egress: [
        to('Accept', [{ domainNames: ['*.example.com'] }]),
        to('Accept', [{ nodes: { matchLabels: { zone: 'b' } } }]),
        to('Deny', [{ nodes: {} }]),
      ],
    }),
    clusterPolicy('base', {
      tier: 'Baseline',
      priority: 0,
      subject: everywhere,
      ingress: [from('Deny', [everywhere])],
    }),
  ],
});
const fabric = new Fabric();
fabric.become(factsOf(cluster));

const ask = (source: string, target: string, protocol: ExplainQuery['protocol'], port: number, of = fabric.compiler) =>
  explain(of, { from: parseExplainEnd(source) as never, to: parseExplainEnd(target), protocol, port });
/** Decisions of policies about IPv4; the way there is told elsewhere. */
const judged = (answer: ReturnType<typeof ask>) =>
  answer.paths
    .find((p) => p.family === 4)
    ?.decisions.filter((d) => /Admin|Policy|Baseline/.test(d.stage))
    .map((d) => `${d.stage} ${d.decision} [${d.objects.map((o) => `${o.kind} ${o.name}`).join(', ')}] ${d.reason}`);

const NONE = (pod: string) => `EgressPolicy allowed [] No policy isolates ${pod} for egress.`;

test.each<readonly [string, string, number, string, readonly string[]]>([
  [
    'y/a',
    'x/a',
    80,
    'allowed',
    [
      NONE('y/a'),
      'IngressAdmin allowed [ClusterNetworkPolicy guard] ingress rule 0 (web) of ClusterNetworkPolicy guard (Admin, priority 7) accepts TCP 80 from y/a for x/a.',
    ],
  ],
  [
    'y/b',
    'x/a',
    80,
    'denied',
    [
      NONE('y/b'),
      'IngressAdmin denied [ClusterNetworkPolicy guard] ingress rule 2 of ClusterNetworkPolicy guard (Admin, priority 7) denies TCP 80 from y/b for x/a.',
    ],
  ],
  [
    'x/b',
    'x/a',
    80,
    'denied',
    [
      NONE('x/b'),
      'IngressAdmin passed [ClusterNetworkPolicy guard] ingress rule 1 of ClusterNetworkPolicy guard (Admin, priority 7) passes on TCP 80 from x/b for x/a.',
      'IngressPolicy denied [NetworkPolicy deny] x/a is isolated for ingress by x/deny, and no rule allows TCP 80 from x/b.',
    ],
  ],
  [
    'x/b',
    'y/a',
    80,
    'denied',
    [
      NONE('x/b'),
      'IngressPolicy allowed [] No policy isolates y/a for ingress.',
      'IngressBaseline denied [ClusterNetworkPolicy base] ingress rule 0 of ClusterNetworkPolicy base (Baseline, priority 0) denies TCP 80 from x/b for y/a.',
    ],
  ],
  [
    'x/a',
    '192.168.7.1',
    22,
    'denied',
    [
      'EgressAdmin denied [ClusterNetworkPolicy guard] egress rule 2 of ClusterNetworkPolicy guard (Admin, priority 7) denies TCP 22 to 192.168.7.1 for x/a.',
    ],
  ],
  [
    'x/a',
    '203.0.113.8',
    443,
    'allowed',
    [
      'EgressAdmin allowed [ClusterNetworkPolicy guard] egress rule 0 of ClusterNetworkPolicy guard (Admin, priority 7) accepts TCP 443 to 203.0.113.8 for x/a.',
    ],
  ],
])('%s to %s, TCP %s: %s', (source, target, port, verdict, want) => {
  const answer = ask(source, target, 'TCP', port);
  expect([answer.verdict, judged(answer)]).toEqual([verdict, want]);
});

test.each<readonly [string, string, number, readonly string[]]>([
  ['y/a', 'x/a', 81, ['guard ingress rule 0 (web): The port is TCP 81; the rule allows TCP 80.']],
  [
    'x/a',
    '192.168.7.1',
    22,
    [
      'guard egress rule 0: The receiver 192.168.7.1 is not an address that *.example.com was seen to have.',
      'guard egress rule 1: The receiver 192.168.7.1 is not an address of a node with zone=b.',
    ],
  ],
])('near misses: %s to %s, TCP %s', (source, target, port, want) => {
  const [path] = ask(source, target, 'TCP', port).paths;
  expect(path?.nearMisses.map((n) => `${n.object.name} ${n.rule}: ${n.because}`)).toEqual(want);
});

test('a denial names the cluster policy that nearly allowed it', () => {
  expect(ask('y/a', 'x/a', 'TCP', 81).summary).toBe(
    'y/a to x/a: denied. ingress rule 2 of ClusterNetworkPolicy guard (Admin, priority 7) denies TCP 81 from y/a for x/a. It would be allowed by ingress rule 0 (web) of ClusterNetworkPolicy guard, but: The port is TCP 81; the rule allows TCP 80.',
  );
});

test.each<readonly [string, string, string, string, RegExp]>([
  ['Accept where it should deny', 'y/b', 'guard', 'allowed', /the policies of x\/a would drop it/],
  ['Deny where it should accept', 'y/a', 'none', 'denied', /the policies of x\/a would accept it/],
])('a switch that does otherwise is told on: %s', (_, source, flows, verdict, reason) => {
  const stale = new Fabric();
  const change = (c: FactChange): FactChange =>
    c.kind === 'clusterPolicy' && c.key === 'guard' && c.value !== undefined
      ? {
          ...c,
          value: { ...c.value, ingress: c.value.ingress.map((r) => ({ ...r, action: ACTIONS[flows] as 'Deny' })) },
        }
      : c;
  stale.become(new Map([...factsOf(cluster)].map(([id, c]) => [id, change(c)])));
  const mixed = { ...fabric.compiler, node: stale.compiler.node };
  const answer = ask(source, 'x/a', 'TCP', 80, mixed);
  expect(answer.verdict).toBe(verdict);
  expect(answer.paths[0]?.decisions.find((d) => d.decision === 'disagreement')).toMatchObject({
    objects: [{ kind: 'ClusterNetworkPolicy', namespace: '', name: 'guard' }],
    reason: expect.stringMatching(reason),
  });
});
const ACTIONS: Readonly<Record<string, string>> = { guard: 'Accept', none: 'Deny' };

test('a rule that has no place of its own is told with what that means', () => {
  const denial = from('Deny', [podOf('y', 'a')], [tcpPort(80)]);
  const spec = { tier: 'Admin', priority: 7, subject: namespace('x') } as const;
  const crowd = new Fabric();
  crowd.become(
    factsOf(
      clusterUnder({
        policies: [],
        clusterPolicies: [
          clusterPolicy('a', { ...spec, ingress: Array.from({ length: 64 }, () => from('Deny', [podOf('y', 'b')])) }),
          clusterPolicy('b', { ...spec, ingress: [denial] }),
        ],
      }),
    ),
  );
  const answer = ask('y/a', 'x/a', 'TCP', 80, crowd.compiler);
  expect([answer.verdict, judged(answer)?.at(-1)]).toEqual([
    'denied',
    'IngressAdmin denied [ClusterNetworkPolicy b] ingress rule 0 of ClusterNetworkPolicy b (Admin, priority 7) denies TCP 80 from y/a for x/a. ' +
      'Note: more than 64 rules of one direction have this tier and priority: those beyond share the last place, so where they contradict ' +
      'each other either may count; give some of these policies another priority.',
  ]);
  expect(judged(ask('y/b', 'x/a', 'TCP', 80, crowd.compiler))?.at(-1)).toMatch(/denies TCP 80 from y\/b for x\/a\.$/);
});
