import { Attachment, DomainView, NodeConfig, PolicyView, ProblemView, path, ROUTES, StatusView } from '@heddle/api';
import { cookie, nodeName, TABLE_ID } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dnsReply, udpFrame } from '../../testing/dns-messages.js';
import { TestFolder } from '../../testing/folder.js';
import { type Harness, startHarness } from '../../testing/harness.js';

const pod = (name: string, labels: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: ${labels} }\nspec: { containers: [{ name: c }] }\n`;
const cnp = (name: string, tier: string, priority: number, rest: string, annotations = '{}') =>
  `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: ${name}, annotations: ${annotations} }
spec:
  tier: ${tier}
  priority: ${priority}
  subject: { pods: { podSelector: { matchLabels: { app: web } } } }
${rest}`;
const DENY = '  ingress: [{ action: Deny, from: [{ namespaces: {} }] }]';
const OTHERS = `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: early }
spec:
  priority: 3
  subject: { namespaces: {} }
  egress: [{ action: Pass, to: [{ nodes: {} }] }]
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: { name: default }
spec: { subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop, annotations: { heddle.dev/log: drops } }
spec: { podSelector: { matchLabels: { app: web } } }
`;

let folder: TestFolder;
let h: Harness;
beforeEach(() => {
  folder = new TestFolder();
});
afterEach(async () => {
  await h?.stop();
  folder.remove();
});
const attach = async () => {
  const node = { encapIp: '172.31.99.1', addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
  await h.client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body: node });
  h.switches.connect('node1');
  const body = { node: 'node1', containerId: 'c1', ifname: 'eth0', namespace: 'shop', pod: 'web' };
  return await h.client.post(ROUTES.agentAttach, Attachment, { body });
};

describe('policies', () => {
  it('stand in the order in which they judge, with what they apply to', async () => {
    folder.write('pods.yaml', [pod('web', '{ app: web }'), pod('db', '{ app: db }')].join('---\n'));
    folder.write(
      'policies.yaml',
      [
        cnp('zz', 'Admin', 1, DENY, '{ heddle.dev/existing-connections: cut }'),
        cnp('aa', 'Admin', 7, DENY),
        cnp('base', 'Baseline', 5, DENY),
        OTHERS,
      ].join('\n---\n'),
    );
    h = await startHarness(folder);
    const view = (
      kind: string,
      name: string,
      tier: string,
      priority: number | null,
      types: string[],
      more: object,
    ) => ({
      kind,
      namespace: '',
      name,
      tier,
      priority,
      policyTypes: types,
      existingConnections: 'recheck',
      log: 'none',
      subjects: ['shop/web'],
      ...more,
    });
    const everybody = { subjects: ['shop/db', 'shop/web'] };
    expect(await h.client.get(ROUTES.policies, z.array(PolicyView))).toEqual([
      view('ClusterNetworkPolicy', 'zz', 'Admin', 1, ['Ingress'], { existingConnections: 'cut' }),
      view('AdminNetworkPolicy', 'early', 'Admin', 3, ['Egress'], everybody),
      view('ClusterNetworkPolicy', 'aa', 'Admin', 7, ['Ingress'], {}),
      view('NetworkPolicy', 'web', 'NetworkPolicy', null, ['Ingress'], { namespace: 'shop', log: 'drops' }),
      view('ClusterNetworkPolicy', 'base', 'Baseline', 5, ['Ingress'], {}),
      view('BaselineAdminNetworkPolicy', 'default', 'Baseline', 1000, ['Ingress'], everybody),
    ]);
    const status = await h.client.get(ROUTES.status, StatusView);
    expect([status.counts.policies, status.source.problems]).toEqual([6, 0]);
  });

  it('whose rules have no place of their own at their priority are told', async () => {
    const rules = (n: number) => `  egress:\n${'  - { action: Deny, to: [{ nodes: {} }] }\n'.repeat(n)}`;
    const crowd = (name: string, n: number, priority = 4) => cnp(name, 'Admin', priority, rules(n));
    folder.write('c.yaml', [crowd('c', 25), crowd('a', 25), crowd('b', 20), crowd('alone', 25, 5)].join('---\n'));
    h = await startHarness(folder);
    const problems = await h.client.get(ROUTES.problems, z.array(ProblemView));
    // 25 of a, 20 of b and 19 of c are the 64 that have one.
    expect(problems).toEqual([
      {
        severity: 'warning',
        file: 'c.yaml',
        line: 1,
        object: { kind: 'ClusterNetworkPolicy', namespace: '', name: 'c' },
        reason: expect.stringMatching(
          /^spec\.egress\[19\], .*spec\.egress\[24\]: more than 64 rules .* give some of these policies another priority$/,
        ),
      },
    ]);
  });
});

it('labels of a Node are those of the machine that its agent has registered', async () => {
  const node = (labels: string) =>
    folder.write('node.yaml', `apiVersion: v1\nkind: Node\nmetadata: { name: node1, labels: ${labels} }\n`);
  const labels = () => h.compiler.fact('node', 'node1')?.labels;
  node('{ zone: a }');
  folder.write('pods.yaml', pod('web', '{ app: web }'));
  h = await startHarness(folder);
  expect(labels()).toBeUndefined();
  await attach();
  expect(labels()).toEqual({ zone: 'a' });
  node('{ zone: b }');
  await expect.poll(labels).toEqual({ zone: 'b' });
  folder.write('node.yaml', '');
  await expect.poll(() => h.compiler.fact('node', 'node1')).toBeDefined();
  await expect.poll(labels).toBeUndefined();
});

describe('names', () => {
  it('that a policy asks for get the addresses that an observed answer gives, and lose them with the policy', async () => {
    folder.write('pods.yaml', pod('web', '{ app: web }'));
    folder.write(
      'names.yaml',
      cnp('names', 'Admin', 1, '  egress: [{ action: Accept, to: [{ domainNames: ["*.example.com"] }] }]'),
    );
    h = await startHarness(folder);
    await attach();
    const domains = () => h.client.get(ROUTES.domains, z.array(DomainView));
    expect(await domains()).toEqual([]);
    // Somebody has to be there to be told of changes.
    h.compiler.node(nodeName('node1'));
    const before = h.switches.notified.length;
    const answer = { name: 'www.example.com', ttl: 300, data: '192.0.2.80' };
    const payload = dnsReply({ question: 'www.example.com', answers: [answer] });
    const addresses = { source: '10.96.0.10', destination: '10.244.0.2', sourcePort: 53, destinationPort: 40_000 };
    const data = udpFrame({ ...addresses, payload });
    h.switches.packetIn({
      node: nodeName('node1'),
      tableId: TABLE_ID.IngressAdmin,
      cookie: cookie('dns', 1),
      reason: 'action',
      fields: {},
      totalLength: data.length,
      data,
    });
    await expect.poll(() => h.switches.notified.slice(before).map((n) => n.nodes)).toEqual([['node1']]);
    expect(h.compiler.fact('domain', 'www.example.com')?.addresses).toEqual(['192.0.2.80']);
    expect(await domains()).toEqual([
      { name: 'www.example.com', addresses: [{ address: '192.0.2.80', secondsLeft: expect.any(Number) }] },
    ]);
    folder.write('names.yaml', '');
    await h.client.get(ROUTES.status, StatusView, { query: { waitMs: 5_000 } });
    await expect.poll(() => h.compiler.fact('domain', 'www.example.com')).toBeUndefined();
    expect(await domains()).toEqual([]);
  });
});
