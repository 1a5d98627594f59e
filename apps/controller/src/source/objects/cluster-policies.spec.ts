import { clusterPolicyObject } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import { readManifest } from '../manifests/read-manifest.js';
import { resolveObjects } from '../manifests/resolve-objects.js';
import type { SourceClusterPolicy } from '../model.js';

const cnp = (spec: string, head = 'metadata: { name: p }') => `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
${head}
spec:
  tier: Admin
  priority: 10
  subject: { namespaces: {} }
${spec}`;
const anp = (spec: string) => `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: p }
spec:
  priority: 10
  subject: { namespaces: {} }
${spec}`;
const banp = (spec: string, name = 'default') => `apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: { name: ${name} }
spec:
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { a: b } } } }
${spec}`;

function resolve(text: string) {
  const reading = readManifest('f.yaml', text);
  const { objects, problems } = resolveObjects(reading.objects);
  return { objects, problems: [...reading.problems, ...problems] };
}
function only(text: string): SourceClusterPolicy {
  const { objects, problems } = resolve(text);
  expect(problems).toEqual([]);
  const [policy, ...others] = objects.clusterPolicies.values();
  expect(others).toEqual([]);
  return policy as SourceClusterPolicy;
}

describe('what a ClusterNetworkPolicy says', () => {
  const egress = (rule: string) => only(cnp(`  egress: [${rule}]`)).egress;

  it.each<[name: string, rule: string, expected: unknown]>([
    [
      'namespaces are all their pods',
      '{ action: Deny, to: [{ namespaces: { matchLabels: { a: b } } }] }',
      { kind: 'pods', namespaceSelector: { matchLabels: { a: 'b' } }, podSelector: {} },
    ],
    [
      'a namespaceSelector that is not there selects every namespace',
      '{ action: Pass, to: [{ pods: { podSelector: { matchLabels: { a: b } } } }] }',
      { kind: 'pods', namespaceSelector: {}, podSelector: { matchLabels: { a: 'b' } } },
    ],
    ['nodes', '{ action: Deny, to: [{ nodes: {} }] }', { kind: 'nodes', selector: {} }],
    [
      'networks, without host bits',
      '{ action: Deny, to: [{ networks: [10.1.2.3/8, "FD00::1/16"] }] }',
      { kind: 'networks', cidrs: ['10.0.0.0/8', 'fd00::/16'] },
    ],
    [
      'domain names in lower case, without the final dot',
      '{ action: Accept, to: [{ domainNames: ["*.Example.COM.", a_b.example.org] }] }',
      { kind: 'domains', names: ['*.example.com', 'a_b.example.org'] },
    ],
  ])('%s', (_, rule, expected) => {
    expect(egress(rule)[0]?.peers).toEqual([expected]);
  });

  it.each<[name: string, protocols: string, ports: unknown]>([
    ['no protocols', '', []],
    ['a number', ', protocols: [{ tcp: { destinationPort: { number: 80 } } }]', [{ protocol: 'TCP', port: 80 }]],
    [
      'a range',
      ', protocols: [{ udp: { destinationPort: { range: { start: 5, end: 9 } } } }]',
      [{ protocol: 'UDP', port: 5, endPort: 9 }],
    ],
    [
      'several',
      ', protocols: [{ sctp: { destinationPort: { number: 9 } } }, { tcp: { destinationPort: { number: 9 } } }]',
      [
        { protocol: 'SCTP', port: 9 },
        { protocol: 'TCP', port: 9 },
      ],
    ],
    [
      'a name, which is of any protocol',
      ', protocols: [{ destinationNamedPort: dns }]',
      [
        { protocol: 'TCP', port: 'dns' },
        { protocol: 'UDP', port: 'dns' },
        { protocol: 'SCTP', port: 'dns' },
      ],
    ],
  ])('ports: %s', (_, protocols, ports) => {
    const [rule] = only(
      cnp(`  ingress: [{ name: r, action: Accept, from: [{ namespaces: {} }]${protocols} }]`),
    ).ingress;
    expect(rule).toEqual({
      name: 'r',
      action: 'Accept',
      peers: [{ kind: 'pods', namespaceSelector: {}, podSelector: {} }],
      ports,
    });
  });

  it('is cluster-scoped whatever namespace the manifest names', () => {
    const text = cnp('  egress: [{ action: Deny, to: [{ nodes: {} }] }]', 'metadata: { name: p, namespace: x }');
    expect(readManifest('f.yaml', text).objects.map((o) => o.object)).toEqual([
      { kind: 'ClusterNetworkPolicy', namespace: '', name: 'p' },
    ]);
  });
});

describe('what is refused, with its line and reason', () => {
  const rule = (text: string) => cnp(`  egress:\n  - ${text}`);
  it.each<[name: string, text: string, line: number, reason: RegExp]>([
    ['no tier', cnp('').replace('  tier: Admin\n', ''), 4, /spec\.tier/],
    ['a tier of its own', cnp('').replace('Admin', 'Gold'), 5, /spec\.tier/],
    ['priority 1001', cnp('').replace('10', '1001'), 6, /spec\.priority/],
    ['no subject', cnp('').replace('{ namespaces: {} }', '{}'), 7, /exactly one of namespaces, pods .* not none/],
    [
      'two subjects',
      cnp('').replace('{ namespaces: {} }', '{ namespaces: {}, pods: { podSelector: {} } }'),
      7,
      /not namespaces and pods/,
    ],
    ['a field of another version', cnp('  ports: []'), 4, /ports/],
    ['a rule without peers', rule('{ action: Deny, to: [] }'), 9, /spec\.egress\[0\]\.to/],
    ['a rule without action', rule('{ to: [{ nodes: {} }] }'), 9, /spec\.egress\[0\]\.action/],
    ['Allow, as it was called before', rule('{ action: Allow, to: [{ nodes: {} }] }'), 9, /"Accept"/],
    ['a field that is not known', rule('{ action: Deny, to: [{ nodes: {} }], ports: [] }'), 9, /ports: not known here/],
    ['a peer that is not known', rule('{ action: Deny, to: [{ services: {} }] }'), 9, /services: not known here/],
    ['two kinds in one peer', rule('{ action: Deny, to: [{ nodes: {}, namespaces: {} }] }'), 9, /exactly one of/],
    ['an address without prefix', rule('{ action: Deny, to: [{ networks: [10.0.0.1] }] }'), 9, /not ADDRESS\/PREFIX/],
    ['no networks', rule('{ action: Deny, to: [{ networks: [] }] }'), 9, /networks/],
    ['a star within a name', rule('{ action: Accept, to: [{ domainNames: [a.*.com] }] }'), 9, /not a domain name/],
    ['one label', rule('{ action: Accept, to: [{ domainNames: [localhost] }] }'), 9, /not a domain name/],
    ['a star alone', rule('{ action: Accept, to: [{ domainNames: ["*"] }] }'), 9, /not a domain name/],
    ['names in a rule that denies', rule('{ action: Deny, to: [{ domainNames: [a.com] }] }'), 9, /rules that accept/],
    [
      'a named port beside networks',
      rule('{ action: Deny, to: [{ networks: [10.0.0.0/8] }], protocols: [{ destinationNamedPort: web }] }'),
      9,
      /a named port is a port of a pod/,
    ],
    [
      'a range upside down',
      rule(
        '{ action: Deny, to: [{ nodes: {} }], protocols: [{ tcp: { destinationPort: { range: { start: 9, end: 9 } } } }] }',
      ),
      9,
      /start 9 is not below end 9/,
    ],
    [
      'a protocol without port',
      rule('{ action: Deny, to: [{ nodes: {} }], protocols: [{ tcp: {} }] }'),
      9,
      /tcp\.destinationPort/,
    ],
    [
      'nodes as a source',
      cnp('  ingress:\n  - { action: Deny, from: [{ nodes: {} }] }'),
      9,
      /nodes: not known here; known are namespaces, pods/,
    ],
    ['26 rules', cnp(`  egress:\n${'  - { action: Deny, to: [{ nodes: {} }] }\n'.repeat(26)}`), 8, /spec\.egress/],
    ['a baseline of another name', banp('', 'mine'), 3, /its name is "default"/],
    ['a baseline that passes', banp('  egress:\n  - { action: Pass, to: [{ nodes: {} }] }'), 7, /action/],
    [
      'names in a baseline',
      banp('  egress:\n  - { action: Allow, to: [{ domainNames: [a.com] }] }'),
      7,
      /domainNames: not known here/,
    ],
    ['Accept, as it is called now', anp('  egress:\n  - { action: Accept, to: [{ nodes: {} }] }'), 8, /"Allow"/],
    [
      'protocols in an AdminNetworkPolicy',
      anp('  egress:\n  - { action: Deny, to: [{ nodes: {} }], protocols: [] }'),
      8,
      /protocols: not known/,
    ],
    [
      'two ports in one',
      anp('  egress:\n  - { action: Deny, to: [{ nodes: {} }], ports: [{ namedPort: a, portNumber: { port: 1 } }] }'),
      8,
      /exactly one of/,
    ],
  ])('%s', (_, text, line, reason) => {
    const { objects, problems } = resolve(text);
    expect(objects.clusterPolicies.size).toBe(0);
    expect(problems).toContainEqual(
      expect.objectContaining({ severity: 'error', line, reason: expect.stringMatching(reason) }),
    );
  });
});

describe('the forerunners', () => {
  it('are cluster policies of their own name, so that they are not mixed up with others', () => {
    const text = [
      cnp('  egress: [{ action: Deny, to: [{ nodes: {} }] }]'),
      anp(`  egress:
  - action: Allow
    to: [{ networks: [10.0.0.0/8] }]
    ports: [{ portNumber: { port: 80 } }, { portRange: { protocol: UDP, start: 1, end: 9 } }]`),
      banp('  ingress: [{ name: x, action: Deny, from: [{ namespaces: {} }], ports: [{ namedPort: web }] }]'),
    ].join('\n---\n');
    const { objects, problems } = resolve(text);
    expect(problems).toEqual([]);
    expect([...objects.clusterPolicies.keys()]).toEqual(['p', 'anp/p', 'banp/default']);
    expect([...objects.clusterPolicies.keys()].map(clusterPolicyObject)).toEqual([
      { kind: 'ClusterNetworkPolicy', name: 'p' },
      { kind: 'AdminNetworkPolicy', name: 'p' },
      { kind: 'BaselineAdminNetworkPolicy', name: 'default' },
    ]);
    expect(objects.clusterPolicies.get('anp/p')).toEqual({
      name: 'anp/p',
      tier: 'Admin',
      priority: 10,
      subject: { namespaceSelector: {}, podSelector: {} },
      ingress: [],
      egress: [
        {
          name: '',
          action: 'Accept',
          peers: [{ kind: 'networks', cidrs: ['10.0.0.0/8'] }],
          ports: [
            { protocol: 'TCP', port: 80 },
            { protocol: 'UDP', port: 1, endPort: 9 },
          ],
        },
      ],
    });
    expect(objects.clusterPolicies.get('banp/default')).toMatchObject({
      tier: 'Baseline',
      subject: { namespaceSelector: {}, podSelector: { matchLabels: { a: 'b' } } },
      ingress: [{ name: 'x', action: 'Deny', ports: [{ port: 'web' }, { port: 'web' }, { port: 'web' }] }],
    });
  });
});

describe('annotations', () => {
  const body = '  egress: [{ action: Deny, to: [{ nodes: {} }] }]';
  const annotated = (annotations: string) => cnp(body, `metadata: { name: p, annotations: { ${annotations} } }`);

  it.each<[annotations: string, options: Record<string, string>]>([
    ['heddle.dev/existing-connections: keep', { existing: 'keep' }],
    ['heddle.dev/existing-connections: cut, heddle.dev/log: all', { existing: 'cut', logging: 'all' }],
    ['heddle.dev/log: drops', { logging: 'drops' }],
    ['heddle.dev/log: none, heddle.dev/existing-connections: recheck', {}],
    ['example.com/log: all', {}],
  ])('%s', (annotations, options) => {
    const { name, tier, priority, subject, ingress, egress, ...rest } = only(annotated(annotations));
    expect(rest).toEqual(options);
  });

  it.each<[annotations: string, reason: RegExp]>([
    ['heddle.dev/existing-connections: drop', /existing-connections"\]: "drop" is not keep, recheck or cut; recheck/],
    ['heddle.dev/log: "yes"', /annotations\["heddle\.dev\/log"\]: "yes" is not none, drops or all; none counts/],
    ['heddle.dev/logging: all', /no such annotation/],
  ])('%s is told, and the policy counts', (annotations, reason) => {
    const { objects, problems } = resolve(annotated(annotations));
    const policy = objects.clusterPolicies.get('p');
    expect(policy).toMatchObject({ egress: [{ action: 'Deny' }] });
    expect(policy).not.toHaveProperty('logging');
    expect(policy).not.toHaveProperty('existing');
    expect(problems).toEqual([
      expect.objectContaining({ severity: 'warning', line: 1, reason: expect.stringMatching(reason) }),
    ]);
  });

  it('are those of a NetworkPolicy too', () => {
    const { objects, problems } = resolve(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: n, annotations: { heddle.dev/log: all, heddle.dev/existing-connections: x } }
spec: { podSelector: {} }`);
    expect(objects.policies.get('default/n')).toMatchObject({ logging: 'all', ingress: [] });
    expect(problems.map((p) => p.reason)).toEqual([expect.stringMatching(/"x" is not keep/)]);
  });
});

describe('what can never match is told', () => {
  it.each<[name: string, text: string, reason: RegExp]>([
    ['a policy without rules', cnp(''), /without rules/],
    [
      'a subject whose label would need two values',
      cnp('  egress: [{ action: Deny, to: [{ nodes: {} }] }]').replace(
        '{ namespaces: {} }',
        '{ namespaces: { matchLabels: { a: b }, matchExpressions: [{ key: a, operator: In, values: [c] }] } }',
      ),
      /spec\.subject: .*the label a/,
    ],
    [
      'a rule whose only peer excludes itself',
      cnp(
        '  egress: [{ action: Deny, to: [{ nodes: { matchExpressions: [{ key: a, operator: Exists }, { key: a, operator: DoesNotExist }] } }] }]',
      ),
      /spec\.egress\[0\]: .*to be there and not to be there/,
    ],
    [
      'a NetworkPolicy',
      `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: n }
spec:
  podSelector: { matchExpressions: [{ key: a, operator: NotIn, values: [b] }], matchLabels: { a: b } }`,
      /spec\.podSelector: can never select/,
    ],
  ])('%s', (_, text, reason) => {
    expect(resolve(text).problems).toEqual([
      expect.objectContaining({ severity: 'warning', reason: expect.stringMatching(reason) }),
    ]);
  });

  it('a label that may be absent is no contradiction', () => {
    const text = cnp('  egress: [{ action: Deny, to: [{ nodes: {} }] }]').replace(
      '{ namespaces: {} }',
      '{ namespaces: { matchExpressions: [{ key: a, operator: NotIn, values: [b] }, { key: a, operator: DoesNotExist }] } }',
    );
    expect(resolve(text).problems).toEqual([]);
  });
});

describe('Node', () => {
  it('gives labels', () => {
    const { objects, problems } = resolve(
      'apiVersion: v1\nkind: Node\nmetadata: { name: n1.example, labels: { zone: a } }\n',
    );
    expect(problems).toEqual([]);
    expect([...objects.nodes]).toEqual([['n1.example', { name: 'n1.example', labels: { zone: 'a' } }]]);
  });
});
