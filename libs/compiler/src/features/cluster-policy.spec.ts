import { describe, expect, it } from 'vitest';
import { type Compiler } from '../compiler.js';
import { createEvaluator, l4Packet } from '../evaluate/index.js';
import { cidr, nodeName } from '../model/brands.js';
import type { ClusterPolicyFact, FactChange, NamedPort } from '../model/facts.js';
import type { NodeFlowSet } from '../model/output.js';
import { type TableName } from '../pipeline/tables.js';
import { clusterPolicyKey } from '../policy/shape.js';
import { compile, flowsOf, ruleText } from '../testing/compile.js';
import {
  attach,
  cluster,
  clusterPolicy,
  clusterRule,
  config,
  domain,
  noClusterPolicy,
  node,
  pod,
  podsWith,
  policy,
} from '../testing/facts.js';
import { BAND_SLOTS, bandPriority, FIXED_PRIORITY } from './policy-order.js';

/** Flows of a table of node1 as ovs-ofctl text without the miss; numbers of objects and conjunctions differ from test to test. */
function flows(compiler: Compiler, table: TableName, n = 1): string[] {
  return flowsOf(compiler, n, table)
    .filter((f) => f.priority > 0 && f.priority < FIXED_PRIORITY.ownNode)
    .map((f) =>
      ruleText(f)
        .replace(/0x[0-9a-f]+->reg(4|5|14)/, 'RULE->reg$1')
        .replaceAll(/(conjunction\(|conj_id=)\d+/g, '$1N'),
    )
    .sort();
}
const TOP = bandPriority(5, 0);

// Identities are numbered in the order in which pods come: x/a 0x100, x/b 0x101.
const A = [pod('x/a', { app: 'a' }), attach('x/a', 1, 2)];
const B = [pod('x/b', { app: 'b' }), attach('x/b', 2, 2)];
const forA = { subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'a' } } } };
const B_PEER = podsWith({ app: 'b' });

describe('the order of cluster policies', () => {
  it('keeps bands of priorities apart, below what is fixed and above the miss', () => {
    const all = Array.from({ length: 1001 }, (_, p) => [bandPriority(p, 0), bandPriority(p, BAND_SLOTS - 1)] as const);
    expect(all.every(([first, last]) => last <= first)).toBe(true);
    expect(all.slice(1).every(([first], i) => first < (all[i]?.[1] ?? 0))).toBe(true);
    expect([all[0]?.[0], all[1000]?.[1]]).toEqual([65_128, 65]);
    expect(FIXED_PRIORITY.ownNode).toBeGreaterThan(65_128);
  });
  it('is that of priorities, then names, then places in the list; each rule has its own priority', () => {
    const deny = clusterRule('Deny', [B_PEER]);
    const compiler = compile(
      cluster(),
      A,
      B,
      clusterPolicy('b', { ...forA, ingress: [deny, deny] }),
      clusterPolicy('a', { ...forA, ingress: [deny] }),
      clusterPolicy('z', { ...forA, priority: 4, ingress: [deny] }),
      clusterPolicy('egress', { ...forA, egress: [deny] }),
      clusterPolicy('base', { ...forA, tier: 'Baseline', ingress: [deny] }),
    );
    const order = flowsOf(compiler, 1, 'IngressAdmin')
      .filter((f) => f.match.conj_id !== undefined)
      .map((f) => [f.priority, f.provenance.why] as const)
      .sort(([p], [q]) => q - p);
    expect(order).toEqual([
      [bandPriority(4, 0), 'Ingress rule 0 of ClusterNetworkPolicy z denies.'],
      [bandPriority(5, 0), 'Ingress rule 0 of ClusterNetworkPolicy a denies.'],
      [bandPriority(5, 1), 'Ingress rule 0 of ClusterNetworkPolicy b denies.'],
      [bandPriority(5, 2), 'Ingress rule 1 of ClusterNetworkPolicy b denies.'],
    ]);
  });
  it('has no place of its own for the 65th rule of a priority, and says so', () => {
    const rules = (n: number) => Array.from({ length: n }, () => clusterRule('Deny', [B_PEER]));
    const compiler = compile(
      cluster(),
      A,
      B,
      clusterPolicy('a', { ...forA, ingress: rules(40) }),
      clusterPolicy('b', { ...forA, ingress: rules(26), egress: rules(1) }),
    );
    const crowded = (name: string) =>
      compiler.clusterPolicy(name)?.rules.flatMap((r) => (r.crowded ? [`${r.direction} ${r.index}`] : []));
    expect(crowded('a')).toEqual([]);
    expect(crowded('b')).toEqual(['ingress 24', 'ingress 25']);
    // All of them are there, in the last place.
    expect(flows(compiler, 'IngressAdmin').filter((f) => f.includes('conj_id'))).toHaveLength(66);
  });
});

describe('a cluster policy', () => {
  it.each<[string, ClusterPolicyFact['tier'], 'Accept' | 'Deny' | 'Pass', string, string]>([
    ['Admin', 'Admin', 'Accept', 'RULE->reg5,goto_table:PolicyLog', 'RULE->reg4,goto_table:Route'],
    ['Admin', 'Admin', 'Deny', 'RULE->reg14,goto_table:Denied', 'RULE->reg14,goto_table:Denied'],
    ['Admin', 'Admin', 'Pass', 'goto_table:IngressPolicy', 'goto_table:EgressPolicy'],
    ['Baseline', 'Baseline', 'Accept', 'RULE->reg5,goto_table:PolicyLog', 'RULE->reg4,goto_table:Route'],
    ['Baseline', 'Baseline', 'Deny', 'RULE->reg14,goto_table:Denied', 'RULE->reg14,goto_table:Denied'],
    ['Baseline', 'Baseline', 'Pass', 'goto_table:PolicyLog', 'goto_table:Route'],
  ])('in the tier %s, %s: %s', (_, tier, action, ingress, egress) => {
    const rules = [clusterRule(action, [B_PEER])];
    const compiler = compile(cluster(), A, B, clusterPolicy('p', { ...forA, tier, ingress: rules, egress: rules }));
    const set = (text: string) => `${text.startsWith('RULE') ? 'set_field:' : ''}${text}`;
    expect(flows(compiler, `Ingress${tier}`)).toEqual([
      `priority=${TOP},conj_id=N actions=${set(ingress)}`,
      `priority=${TOP},reg1=0x101 actions=conjunction(N,2/2)`,
      `priority=${TOP},reg2=0x100 actions=conjunction(N,1/2)`,
    ]);
    expect(flows(compiler, `Egress${tier}`)).toEqual([
      `priority=${TOP},conj_id=N actions=${set(egress)}`,
      `priority=${TOP},reg1=0x100 actions=conjunction(N,1/2)`,
      `priority=${TOP},reg2=0x101 actions=conjunction(N,2/2)`,
    ]);
  });
  it('for every pod asks for no subject, and isolates nobody', () => {
    const compiler = compile(cluster(), A, B, clusterPolicy('p', { ingress: [clusterRule('Deny', [B_PEER])] }));
    expect(flows(compiler, 'IngressAdmin')).toEqual([
      `priority=${TOP},reg1=0x101 actions=set_field:RULE->reg14,goto_table:Denied`,
    ]);
    expect(compiler.isolatedBy('ingress', 0x100)).toEqual([]);
    expect(flows(compiler, 'IngressAdmin', 3)).toEqual([]);
    expect(compiler.subjectsOf(clusterPolicyKey('p'))).toEqual(['x/a', 'x/b']);
  });
  it('for every pod asks for ports by what each subject calls so', () => {
    const named = (name: string, port: number): { namedPorts: readonly NamedPort[] } => ({
      namedPorts: [{ name, protocol: 'TCP', port }],
    });
    const compiler = compile(
      cluster(),
      config({ families: [4] }),
      pod('x/a', { app: 'a' }, named('http', 8080)),
      attach('x/a', 1, 2),
      pod('x/b', { app: 'b' }, named('other', 80)),
      attach('x/b', 1, 3),
      clusterPolicy('p', {
        ingress: [clusterRule('Deny', [B_PEER], { ports: [{ protocol: 'TCP', port: 'http' }] })],
        egress: [clusterRule('Deny', [podsWith({ app: 'a' })], { ports: [{ protocol: 'TCP', port: 'http' }] })],
      }),
    );
    expect(flows(compiler, 'IngressAdmin')).toEqual([
      `priority=${TOP},conj_id=N actions=set_field:RULE->reg14,goto_table:Denied`,
      `priority=${TOP},reg1=0x101 actions=conjunction(N,2/3)`,
      `priority=${TOP},reg2=0x100 actions=conjunction(N,1/3)`,
      `priority=${TOP},tcp,tp_dst=8080 actions=conjunction(N,3/3)`,
    ]);
    expect(flows(compiler, 'EgressAdmin')).toEqual([
      `priority=${TOP},conj_id=N actions=set_field:RULE->reg14,goto_table:Denied`,
      `priority=${TOP},reg2=0x100 actions=conjunction(N,1/2)`,
      `priority=${TOP},tcp,tp_dst=8080 actions=conjunction(N,2/2)`,
    ]);
  });
  it('takes nodes by their labels and all of their addresses, networks and domains by theirs', () => {
    const to = (...peers: Parameters<typeof clusterRule>[1]) =>
      flows(
        compile(
          cluster(),
          config({ families: [4] }),
          node(2, { zone: 'a' }),
          A,
          domain('example.com', '192.0.2.1'),
          domain('a.b.example.com', '192.0.2.2', '2001:db8::1'),
          domain('myexample.com', '192.0.2.3'),
          clusterPolicy('p', { egress: [clusterRule('Accept', peers)] }),
        ),
        'EgressAdmin',
      ).map((f) => f.replace(/^priority=\d+,ip,(.*) actions.*/, '$1'));
    expect(to({ kind: 'nodes', selector: { matchLabels: { zone: 'a' } } })).toEqual([
      'nw_dst=10.244.2.1',
      'nw_dst=172.31.99.2',
    ]);
    expect(to({ kind: 'nodes', selector: {} })).toHaveLength(6);
    expect(to({ kind: 'networks', cidrs: [cidr('192.0.2.0/24'), cidr('2001:db8::/32')] })).toEqual([
      'nw_dst=192.0.2.0/24',
    ]);
    const remembered = /^priority=\d+,ct_label=0x[0-9a-f]+\/0xffffffff,reg0=0x1000000\/0x1000000 /;
    const names = (...list: string[]) => to({ kind: 'domains', names: list }).filter((f) => !remembered.test(f));
    expect(names('example.com')).toEqual(['nw_dst=192.0.2.1']);
    expect(names('*.example.com')).toEqual(['nw_dst=192.0.2.2']);
    expect(names('*.com')).toHaveLength(3);
    expect(names('b.example.com')).toEqual([]);
    expect(to({ kind: 'domains', names: ['nobody.example'] })).toEqual([expect.stringMatching(remembered)]);
  });
  it('does nothing with domains but accept', () => {
    const rules = (['Deny', 'Pass'] as const).map((a) => clusterRule(a, [{ kind: 'domains', names: ['example.com'] }]));
    const compiler = compile(cluster(), A, domain('example.com', '192.0.2.1'), clusterPolicy('p', { egress: rules }));
    expect(flows(compiler, 'EgressAdmin')).toEqual([]);
  });
  it('without peers does nothing', () => {
    const compiler = compile(cluster(), A, clusterPolicy('p', { ingress: [clusterRule('Deny', [])] }));
    expect(flows(compiler, 'IngressAdmin')).toEqual([]);
  });
  it('lets a pod tell its own node from others by address alone; network policy never comes between the two', () => {
    const isolated = policy('x/p', { podSelector: {}, egress: [] });
    expect(flows(compile(cluster(), A, isolated), 'EgressPolicy')).toEqual([
      'priority=100,reg1=0x100 actions=set_field:RULE->reg14,goto_table:Denied',
      'priority=400,reg1=0x100,reg2=0x1 actions=goto_table:Route',
    ]);
  });
  it('counts per-replica labels that it selects on', () => {
    const pods = (hash: string, h: number) => [
      pod(`x/${hash}`, { app: 'a', 'pod-template-hash': hash }),
      attach(`x/${hash}`, 1, h),
    ];
    const compiler = compile(cluster(), pods('1', 2), pods('2', 3));
    const same = () => compiler.identityOf('x', '1')?.number === compiler.identityOf('x', '2')?.number;
    expect(same()).toBe(true);
    compiler.apply([clusterPolicy('p', { ingress: [clusterRule('Deny', [podsWith({ 'pod-template-hash': '1' })])] })]);
    expect(same()).toBe(false);
    compiler.apply([noClusterPolicy('p')]);
    expect(same()).toBe(true);
  });
  it('is told with what it selects; one that was an object of another kind is its object', () => {
    const compiler = compile(
      cluster(),
      A,
      B,
      clusterPolicy('anp/p', {
        ...forA,
        egress: [clusterRule('Deny', [B_PEER, { kind: 'nodes', selector: {} }], { name: 'no-b' })],
      }),
    );
    const resolved = compiler.clusterPolicy('anp/p');
    expect(resolved).toMatchObject({ tier: 'Admin', priority: 5, namespace: '', name: 'anp/p', isolates: [] });
    expect(resolved?.subjects.map((s) => s.number)).toEqual([0x100]);
    expect(resolved?.rules[0]).toMatchObject({ name: 'no-b', action: 'Deny', crowded: false });
    expect(resolved?.rules[0]?.peerIdentities.map((s) => s.number)).toEqual([0x101]);
    expect(resolved?.rules[0]?.peerAddresses).toHaveLength(12);
    expect([compiler.clusterPolicy('p'), compiler.policy('anp/p')]).toEqual([undefined, undefined]);
    const [owner] = [...(compiler.node(nodeName('node1'))?.flows.values() ?? [])].filter(
      (f) => f.match.conj_id !== undefined,
    );
    expect(owner?.provenance).toMatchObject({
      owners: [{ kind: 'AdminNetworkPolicy', namespace: '', name: 'p' }],
      why: 'Egress rule 0 (no-b) of AdminNetworkPolicy p denies.',
    });
  });
});

describe('a connection to a name', () => {
  const web = clusterRule('Accept', [{ kind: 'domains', names: ['example.com'] }]);
  const nothingElse = clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('0.0.0.0/0')] }]);

  /** A compiler whose node1 sees packets of x/a; connections stay while facts change. */
  function world(...facts: readonly FactChange[]) {
    const compiler = compile(cluster(), A, [...facts]);
    const taken = (): NodeFlowSet => {
      const set = compiler.node(nodeName('node1'));
      return { flows: new Map(set?.flows), groups: new Map(set?.groups) };
    };
    let now = taken();
    const evaluator = createEvaluator({ nodes: () => now });
    return {
      change: (...changes: readonly FactChange[]) => {
        compiler.apply(changes);
        now = taken();
      },
      passes: (dst: string, srcPort: number) => {
        const l3 = { ethSrc: '0a:58:0a:f4:01:02', ethDst: '0a:58:00:00:00:01', src: '10.244.1.2', dst };
        const packet = l4Packet({ ...l3, protocol: 'tcp', srcPort, dstPort: 443 });
        return evaluator.send('node1', 258, packet).deliveries.length > 0;
      },
    };
  }
  const open = () => {
    const w = world(domain('example.com', '192.0.2.1'), clusterPolicy('p', { egress: [web, nothingElse] }));
    expect([w.passes('192.0.2.1', 1000), w.passes('192.0.2.2', 1000)]).toEqual([true, false]);
    return w;
  };

  it('goes on when the name has moved, while new ones follow the name', () => {
    const w = open();
    w.change(domain('example.com', '192.0.2.2'));
    expect([w.passes('192.0.2.1', 1000), w.passes('192.0.2.1', 1001)]).toEqual([true, false]);
    expect(w.passes('192.0.2.2', 1002)).toBe(true);
    w.change(domain('example.com'));
    expect([w.passes('192.0.2.1', 1000), w.passes('192.0.2.2', 1002), w.passes('192.0.2.2', 1003)]).toEqual([
      true,
      true,
      false,
    ]);
  });
  it('goes on when rules come before its own', () => {
    const w = open();
    const before = clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('198.51.100.0/24')] }]);
    w.change(domain('example.com'), clusterPolicy('p', { egress: [before, web, nothingElse] }));
    expect(w.passes('192.0.2.1', 1000)).toBe(true);
  });
  it('ends with its rule, or when the rule is about other names', () => {
    const w = open();
    const other = clusterRule('Accept', [{ kind: 'domains', names: ['example.org'] }]);
    w.change(domain('example.com'), clusterPolicy('p', { egress: [other, nothingElse] }));
    expect(w.passes('192.0.2.1', 1000)).toBe(false);
  });
  it('is denied by a rule that is judged before', () => {
    const w = open();
    w.change(clusterPolicy('first', { priority: 0, egress: [nothingElse] }));
    expect(w.passes('192.0.2.1', 1000)).toBe(false);
  });
});
