import { describe, expect, it } from 'vitest';
import {
  domainsText,
  explainText,
  flowsText,
  nodesText,
  podsText,
  policiesText,
  problemsText,
  removedNodeText,
  statusText,
} from './views.js';

const policy = { kind: 'NetworkPolicy', namespace: 'shop', name: 'default-deny' };

describe('answers as text', () => {
  it('explain: verdict first, then what decided, then near misses; flows only when asked for', () => {
    const because = "The sender's labels do not meet app=api: they have app=visitor.";
    const view = {
      from: 'v/visitor',
      to: 'shop/db',
      protocol: 'tcp',
      port: 5432,
      verdict: 'denied' as const,
      summary: 'default-deny isolates shop/db.',
      paths: [
        {
          family: 4 as const,
          source: '10.244.0.5',
          destination: '10.244.1.2',
          verdict: 'denied' as const,
          decisions: [
            { node: 'node2', stage: 'ingress', decision: 'denied', objects: [policy], reason: 'no rule allows it' },
          ],
          nearMisses: [{ object: { ...policy, name: 'db-from-api' }, rule: 'ingress rule 0', because }],
          flows: [
            { node: 'node2', table: 'IngressPolicy', text: 'priority=10,reg2=0x101 actions=drop', owners: [policy] },
          ],
        },
      ],
    };
    const brief = `v/visitor -> shop/db tcp/5432: DENIED

default-deny isolates shop/db.

  IPv4  10.244.0.5 -> 10.244.1.2: denied
    node2  ingress: denied
        NetworkPolicy/shop/default-deny
        no rule allows it
    Would be allowed by NetworkPolicy/shop/db-from-api, ingress rule 0, but:
        The sender's labels do not meet app=api: they have app=visitor.`;
    expect(explainText(view, false)).toBe(brief);
    expect(explainText(view, true)).toBe(`${brief}
    Flows that the IPv4 packet meets:
      node2  IngressPolicy: priority=10,reg2=0x101 actions=drop  # NetworkPolicy/shop/default-deny`);
  });

  const path = (family: 4 | 6, a: string, b: string, block: string, deny: string) => ({
    family,
    source: a,
    destination: b,
    verdict: 'denied' as const,
    decisions: [
      {
        node: 'node1',
        stage: 'Route',
        decision: 'routed',
        objects: [{ kind: 'Block', namespace: '', name: block }],
        reason: `Addresses in ${block} are on node2.`,
      },
      { node: 'node2', stage: 'IngressPolicy', decision: 'denied', objects: [policy], reason: deny },
    ],
    nearMisses: [],
    flows: [],
  });
  const question = { from: 'v/visitor', to: 'shop/db', protocol: 'tcp', port: 80, verdict: 'denied' as const };
  const four = path(4, '10.244.0.5', '10.244.1.2', '10.244.1.0/26', 'No rule allows TCP 80.');

  it('explain: families that are decided alike stand together, with the addresses of both', () => {
    const six = path(6, 'fd00::5', 'fd00::1:2', 'fd00::1:0/122', 'No rule allows TCP 80.');
    expect(
      explainText({ ...question, summary: 'No.', paths: [four, six] }, false),
    ).toBe(`v/visitor -> shop/db tcp/80: DENIED

No.

  IPv4  10.244.0.5 -> 10.244.1.2: denied
  IPv6  fd00::5 -> fd00::1:2: denied
    node1  Route: routed
        Block/10.244.1.0/26
        Block/fd00::1:0/122
        Addresses in 10.244.1.0/26 are on node2.
        Addresses in fd00::1:0/122 are on node2.
    node2  IngressPolicy: denied
        NetworkPolicy/shop/default-deny
        No rule allows TCP 80.`);
  });

  it('explain: families that are decided differently stand apart', () => {
    const six = path(6, 'fd00::5', 'fd00::1:2', 'fd00::1:0/122', 'No rule allows TCP 81.');
    expect(explainText({ ...question, summary: 'No.', paths: [four, six] }, false).split('\n\n')).toHaveLength(4);
  });

  it('flows: by table in the order of the pipeline, with owner and reason', () => {
    const flow = (table: string, tableId: number, text: string, realized: boolean) => ({
      table,
      tableId,
      priority: 10,
      cookie: '0x1',
      match: '',
      actions: '',
      text,
      feature: 'policy',
      owners: [policy],
      why: 'it isolates.',
      realized,
    });
    const flows = [flow('Output', 90, 'f3', true), flow('Classify', 0, 'f1', true), flow('Output', 90, 'f4', false)];
    expect(flowsText({ node: 'node1', flows, groups: ['group_id=1'] })).toBe(`Classify (table 0)
  f1
      policy of NetworkPolicy/shop/default-deny: it isolates.

Output (table 90)
  f3
      policy of NetworkPolicy/shop/default-deny: it isolates.
  f4
      NOT REALIZED; policy of NetworkPolicy/shop/default-deny: it isolates.

Groups
  group_id=1`);
    expect(flowsText({ node: 'node1', flows: [], groups: [] })).toBe('no such flows on node1');
  });

  it('policies: with the place of their tier and priority', () => {
    const common = { existingConnections: 'recheck' as const, log: 'none' as const };
    const text = policiesText([
      {
        ...common,
        kind: 'ClusterNetworkPolicy',
        namespace: '',
        name: 'guard',
        tier: 'Admin',
        priority: 10,
        policyTypes: ['Ingress', 'Egress'],
        subjects: [],
      },
      { ...common, ...policy, tier: 'NetworkPolicy', priority: null, policyTypes: ['Ingress'], subjects: ['shop/db'] },
    ]);
    expect(text.split('\n').map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
      ['KIND', 'NAMESPACE', 'POLICY', 'TIER', 'PRIORITY', 'TYPES', 'APPLIES TO'],
      ['ClusterNetworkPolicy', '-', 'guard', 'Admin', '10', 'Ingress,Egress', 'no pod'],
      ['NetworkPolicy', 'shop', 'default-deny', 'NetworkPolicy', '-', 'Ingress', 'shop/db'],
    ]);
  });

  it('domains: a line for each address', () => {
    const addresses = [
      { address: '192.0.2.1', secondsLeft: 30 },
      { address: '2001:db8::1', secondsLeft: 5 },
    ];
    expect(
      domainsText([{ name: 'example.com', addresses }])
        .split('\n')
        .slice(1),
    ).toEqual([
      expect.stringMatching(/^example\.com +192\.0\.2\.1 +30 s$/),
      expect.stringMatching(/^example\.com +2001:db8::1 +5 s$/),
    ]);
  });

  it('status: says what it waits for', () => {
    const text = statusText({
      version: '0.1.0',
      realized: false,
      generation: 7,
      source: { kind: 'manifests', location: '/m', inSync: true, problems: 0 },
      nodes: { total: 3, connected: 2, realized: 2 },
      counts: { pods: 6, attached: 5, services: 3, policies: 4, identities: 5, flows: 400 },
      waitingFor: ['node3 is not connected'],
    });
    expect(text.split('\n').slice(0, 3)).toEqual([
      'NOT realized',
      '  waiting for: node3 is not connected',
      'generation  7',
    ]);
  });

  it('nodes: a switch that is not connected stands out with its reason', () => {
    const text = nodesText([
      {
        name: 'node1',
        key: 1,
        encapIp: '172.31.99.1',
        datapathId: '0000000000000001',
        blocks: ['10.244.0.0/26'],
        gatewayIps: [],
        openflow: { connected: false, version: null, remote: null, lastError: 'refused' },
        ovsdb: { connected: true, ovsVersion: '3.1.0' },
        realizedGeneration: 1,
        desiredGeneration: 2,
        flows: 10,
        groups: 0,
        modsSent: 0,
        modsAtConnect: 0,
        pods: 0,
      },
    ]);
    expect(text.split('\n')).toEqual([
      'NODE   ENCAP IP     OPENFLOW     OVS    REALIZED  PODS  FLOWS  GROUPS  BLOCKS',
      'node1  172.31.99.1  NO: refused  3.1.0  1/2       0     10     0       10.244.0.0/26',
    ]);
  });

  it('a removed node: what was given back', () => {
    expect(removedNodeText({ node: 'node3', blocks: ['10.244.0.128/26'], detached: ['a/b', 'a/c'] })).toBe(
      'node node3 is removed\nblocks given back: 10.244.0.128/26\ndetached: a/b a/c',
    );
  });

  it('pods: one that is not attached has no address, identity or realization', () => {
    const pod = {
      namespace: 'a',
      name: 'b',
      labels: { app: 'x', tier: 'y' },
      requestedNode: '',
      hostNetwork: false,
      containers: [],
      attachment: null,
    };
    expect(podsText([pod]).split('\n')[1]).toBe('a          b    -     not attached  -         -         app=x,tier=y');
  });

  it('problems: file, line, object and reason in one line', () => {
    expect(problemsText([{ severity: 'error', file: 'a.yaml', line: 3, object: policy, reason: 'bad port' }])).toBe(
      'error: a.yaml:3: NetworkPolicy/shop/default-deny: bad port',
    );
    expect(problemsText([])).toBe('no problems');
  });
});
