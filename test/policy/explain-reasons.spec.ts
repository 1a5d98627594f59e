import { type ExplainQuery, explain, parseExplainEnd } from '@heddle/compiler';
import { beforeAll, describe, expect, test } from 'vitest';
import { denyIngress, egressTo, ingressFrom, ns, pod, policy, tcp } from './cases/build.js';
import { Fabric } from './fabric.js';
import { factsOf } from './facts.js';
import { clusterUnder } from './pods.js';

// What an explanation says, sentence by sentence. Pods x/a, x/b on n1; y/a on n2; y/b, y/c on n3; z/a on n1.
const fabric = new Fabric();
beforeAll(() => {
  const policies = [
    policy('x', 'deny', denyIngress),
    policy(
      'x',
      'a-from-y-b',
      ingressFrom(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('b') }], [tcp(80)]),
    ),
    policy('x', 'b-from-b', ingressFrom(pod('b'), [{ podSelector: pod('b') }], [tcp('serve-81-tcp')])),
    policy(
      'z',
      'a-out',
      egressTo(pod('a'), [{ ipBlock: { cidr: 'cluster', except: ['pod:y/c'] } }, { podSelector: pod('b') }]),
    ),
  ];
  fabric.become(factsOf(clusterUnder({ policies })));
  fabric.compiler.apply([{ kind: 'endpoints', key: 'z/c', value: undefined }]);
});

const ask = (from: string, to: string, protocol: ExplainQuery['protocol'], port?: number) =>
  explain(fabric.compiler, { from: parseExplainEnd(from) as never, to: parseExplainEnd(to), protocol, port });
const refs = (objects: readonly { kind: string; namespace: string; name: string }[]) =>
  objects.map((o) => [o.kind, o.namespace, o.name].filter((t) => t !== '').join('/')).join(' ');

const isolatedA = 'x/a is isolated for ingress by x/a-from-y-b, x/deny, and no rule allows';
type Row = readonly [
  from: string,
  to: string,
  protocol: ExplainQuery['protocol'],
  port: number | undefined,
  verdict: string,
  ipv4: readonly string[],
];
const rows: readonly Row[] = [
  [
    'y/b',
    'x/a',
    'TCP',
    80,
    'allowed',
    [
      'n3 EgressPolicy allowed [] No policy isolates y/b for egress.',
      'n3 Route routed [Block/10.244.0.0/26 Node/n1] Addresses in 10.244.0.0/26 are on n1.',
      'n1 Route routed [Pod/x/a] Pod x/a is here.',
      'n1 IngressPolicy allowed [NetworkPolicy/x/a-from-y-b] Allowed by ingress rule 0 of x/a-from-y-b.',
      'n1 Output delivered [Pod/x/a] It comes to pod x/a.',
    ],
  ],
  [
    'x/b',
    'x/a',
    'TCP',
    80,
    'denied',
    [
      'n1 EgressPolicy allowed [] No policy isolates x/b for egress.',
      'n1 Route routed [Pod/x/a] Pod x/a is here.',
      `n1 IngressPolicy denied [NetworkPolicy/x/a-from-y-b NetworkPolicy/x/deny] ${isolatedA} TCP 80 from x/b.`,
    ],
  ],
  [
    '8.8.8.8',
    'x/a',
    'TCP',
    80,
    'denied',
    [
      'n1 Route routed [Pod/x/a] Pod x/a is here.',
      `n1 IngressPolicy denied [NetworkPolicy/x/a-from-y-b NetworkPolicy/x/deny] ${isolatedA} TCP 80 from 8.8.8.8.`,
    ],
  ],
  [
    '10.244.0.1',
    'x/a',
    'TCP',
    80,
    'allowed',
    [
      'n1 Route routed [Pod/x/a] Pod x/a is here.',
      "n1 IngressAdmin allowed [] A pod's own node always reaches it.",
      'n1 Output delivered [Pod/x/a] It comes to pod x/a.',
    ],
  ],
  [
    'z/a',
    '10.244.0.1',
    'TCP',
    80,
    'allowed',
    [
      'n1 EgressPolicy allowed [] No network policy keeps z/a from its own node and from itself.',
      'n1 Route routed [Node/n1] The address belongs to n1.',
      'n1 Output delivered [] It comes to the network of n1.',
    ],
  ],
  [
    'x/a',
    '8.8.8.8',
    'UDP',
    53,
    'allowed',
    [
      'n1 EgressPolicy allowed [] No policy isolates x/a for egress.',
      'n1 Route routed [Node/n1] Everything outside of the cluster is reached through n1.',
      'n1 Output delivered [] It comes to the network of n1.',
    ],
  ],
  [
    'x/a',
    '10.244.0.63',
    'TCP',
    80,
    'denied',
    [
      'n1 EgressPolicy allowed [] No policy isolates x/a for egress.',
      'n1 Route denied [] No pod of the cluster has this address.',
    ],
  ],
  [
    'x/a',
    'svc:z/c',
    'TCP',
    80,
    'rejected',
    ['n1 ServiceLB rejected [Service/z/c] Service z/c TCP 80 has no ready endpoints.'],
  ],
  ['x/a', '10.96.0.200', 'TCP', 80, 'rejected', ['n1 ServiceLB rejected [] No service has this address and port.']],
  [
    'x/a',
    'svc:x/a',
    'TCP',
    80,
    'allowed',
    [
      'n1 ServiceLB balanced [Service/x/a] Service x/a TCP 80 is balanced over its ready endpoints.',
      'n1 Route allowed [Pod/x/a] Pod x/a always reaches itself.',
      'n1 Output delivered [Pod/x/a] It comes to pod x/a.',
    ],
  ],
];
test.each(rows)('%s to %s, %s %s', (from, to, protocol, port, verdict, want) => {
  const answer = ask(from, to, protocol, port);
  const got = answer.paths
    .find((p) => p.family === 4)
    ?.decisions.map((d) => `${d.node} ${d.stage} ${d.decision} [${refs(d.objects)}] ${d.reason}`);
  expect([answer.verdict, got]).toEqual([verdict, want]);
});

describe('near misses', () => {
  const near: readonly (readonly [string, string, ExplainQuery['protocol'], number | undefined, readonly string[]])[] =
    [
      ['y/b', 'x/a', 'TCP', 81, ['a-from-y-b ingress rule 0: The port is TCP 81; the rule allows TCP 80.']],
      [
        'y/b',
        'x/a',
        'ICMP',
        undefined,
        ['a-from-y-b ingress rule 0: The rule lists ports; ICMP passes by rules without ports only.'],
      ],
      ['y/a', 'x/a', 'TCP', 80, ["a-from-y-b ingress rule 0: The sender's labels do not meet pod=b: they have pod=a."]],
      [
        'x/b',
        'x/a',
        'TCP',
        80,
        ['a-from-y-b ingress rule 0: The labels of namespace x do not meet ns=y: they have ns=x.'],
      ],
      ['x/c', 'x/a', 'TCP', 80, []],
      [
        'y/b',
        'x/b',
        'TCP',
        81,
        ['b-from-b ingress rule 0: A podSelector alone selects pods of namespace x; the sender is in y.'],
      ],
      ['x/a', 'x/b', 'TCP', 80, []],
      [
        'z/a',
        'y/c',
        'TCP',
        80,
        ['a-out egress rule 0: The receiver 10.244.0.135 is in 10.244.0.0/16 but in its exception 10.244.0.135/32.'],
      ],
      ['z/a', '8.8.8.8', 'UDP', 53, ['a-out egress rule 0: The receiver 8.8.8.8 is not in 10.244.0.0/16.']],
      ['y/b', 'x/a', 'TCP', 80, []],
    ];
  test.each(near)('%s to %s, %s %s', (from, to, protocol, port, want) => {
    const [path] = ask(from, to, protocol, port).paths;
    expect(path?.nearMisses.map((n) => `${n.object.name} ${n.rule}: ${n.because}`)).toEqual(want);
  });
});

describe('near misses by a selector', () => {
  const both = { matchLabels: { pod: 'b', tier: 'front' } };
  const own = new Fabric();
  own.become(
    factsOf(
      clusterUnder({
        policies: [
          policy('x', 'two', ingressFrom(pod('a'), [{ namespaceSelector: ns('y'), podSelector: both }], [tcp(80)])),
        ],
      }),
    ),
  );
  test.each<readonly [name: string, from: string, port: number, want: readonly string[]]>([
    [
      'of two labels that fail',
      'y/a',
      80,
      ["The sender's labels do not meet pod=b, tier=front: they have pod=a, no tier."],
    ],
    ['of which one label fails', 'y/b', 80, ["The sender's labels do not meet tier=front: they have no tier."]],
    ['where the other selector fails too', 'z/a', 80, []],
    ['where the port fails too', 'y/b', 81, []],
  ])('%s', (_, from, port, want) => {
    const query = { from: parseExplainEnd(from) as never, to: parseExplainEnd('x/a'), protocol: 'TCP', port } as const;
    const [path] = explain(own.compiler, query).paths;
    expect([path?.verdict, path?.nearMisses.map((n) => n.because)]).toEqual(['denied', want]);
  });
});

test('a denial fits into one sentence for a person paged at night', () => {
  expect(ask('y/b', 'x/a', 'TCP', 81).summary).toBe(
    `y/b to x/a: denied. ${isolatedA} TCP 81 from y/b. It would be allowed by ingress rule 0 of x/a-from-y-b, but: The port is TCP 81; the rule allows TCP 80.`,
  );
});

test('the flows are those of the switches, node by node, with the clauses of a conjunction', () => {
  const [path] = ask('y/b', 'x/a', 'TCP', 80).paths;
  const policyFlows = path?.flows.filter((f) => f.table === 'IngressPolicy') ?? [];
  expect(policyFlows.map((f) => f.text.replace(/cookie=\S+ /, '').replace(/set_field\S+?(?=,)/, 'set_field'))).toEqual([
    expect.stringMatching(/^table=61, priority=200,reg2=0x\w+ actions=conjunction\(\d+,1\/3\)$/),
    expect.stringMatching(/^table=61, priority=200,reg1=0x\w+ actions=conjunction\(\d+,2\/3\)$/),
    expect.stringMatching(/^table=61, priority=200,tcp,tp_dst=80 actions=conjunction\(\d+,3\/3\)$/),
    expect.stringMatching(/^table=61, priority=200,conj_id=\d+ actions=set_field,goto_table:65$/),
  ]);
  expect([...new Set(path?.flows.map((f) => f.node))]).toEqual(['n3', 'n1']);
});

const unknown: readonly (readonly [string, string, ExplainQuery['protocol'], number | undefined, RegExp])[] = [
  ['x/q', 'x/a', 'TCP', 80, /There is no pod x\/q/],
  ['x/a', 'svc:x/q', 'TCP', 80, /There is no service x\/q/],
  ['svc:x/a', 'x/a', 'TCP', 80, /connections come from pods/],
  ['x/a', 'svc:x/b', 'ICMP', undefined, /to ports only/],
  ['x/a', 'x/b', 'TCP', undefined, /TCP needs a port/],
  ['10.0.0.1', 'fd00::1', 'TCP', 80, /no address family in common/],
];
test.each(unknown)('no answer: %s to %s, %s %s', (from, to, protocol, port, summary) => {
  const answer = ask(from, to, protocol, port);
  expect([answer.verdict, answer.paths]).toEqual(['unknown', []]);
  expect(answer.summary).toMatch(summary);
});

test('a switch that does other than the policies say is told on', () => {
  const other = new Fabric();
  const strict = factsOf(clusterUnder({ policies: [policy('x', 'deny', denyIngress)] }));
  other.become(strict);
  const stale = new Fabric();
  stale.become(factsOf(clusterUnder({ policies: [] })));
  // Policies of one cluster, flows of another: as if the compiler had forgotten to isolate.
  const mixed = { ...other.compiler, node: stale.compiler.node };
  const answer = explain(mixed, {
    from: parseExplainEnd('y/a') as never,
    to: parseExplainEnd('x/a'),
    protocol: 'TCP',
    port: 80,
  });
  expect(answer.verdict).toBe('allowed');
  expect(answer.paths[0]?.decisions.find((d) => d.decision === 'disagreement')).toMatchObject({
    objects: [{ kind: 'NetworkPolicy', namespace: 'x', name: 'deny' }],
    reason: expect.stringContaining('the policies of x/a would drop it'),
  });
});

test('backends that are judged differently are paths of their own', () => {
  const own = new Fabric();
  own.become(factsOf(clusterUnder({ policies: [policy('x', 'deny-a', { podSelector: pod('a') })] })));
  own.compiler.apply([
    {
      kind: 'endpoints',
      key: 'y/a',
      value: {
        namespace: 'y',
        service: 'y/a',
        ports: [
          {
            name: 'tcp-80',
            endpoints: ['10.244.0.2', '10.244.0.3', '10.244.0.8'].map((ip) => ({ ip: ip as never, port: 80 })),
          },
        ],
      },
    },
  ]);
  const { verdict, paths } = explain(own.compiler, {
    from: parseExplainEnd('z/c') as never,
    to: parseExplainEnd('svc:y/a'),
    protocol: 'TCP',
    port: 80,
  });
  expect(verdict).toBe('denied');
  expect(paths.filter((p) => p.family === 4).map((p) => [p.verdict, p.destination])).toEqual([
    ['denied', '10.96.0.13:80 -> 10.244.0.2:80 (x/a)'],
    ['allowed', '10.96.0.13:80 -> 10.244.0.3:80 (x/b) (and 1 more alike)'],
  ]);
});
