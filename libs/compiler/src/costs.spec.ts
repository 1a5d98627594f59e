import { describe, expect, it } from 'vitest';
import { createCompiler } from './compiler.js';
import { cidr, nodeName } from './model/brands.js';
import type { FactChange } from './model/facts.js';
import { attach, clusterPolicy, clusterRule, countingIds, domain, pod, podsWith, policy } from './testing/facts.js';
import { allowFrom, base, eps, fence, guard, guard2, http, names, open, out, shop, svc } from './testing/shop.js';

// A change is compiled at its own cost: which steps it evaluates, and which nodes it touches.

describe('a change costs what changed', () => {
  const steps = (before: readonly FactChange[], change: readonly FactChange[]) => {
    const compiler = createCompiler(countingIds());
    compiler.apply(before);
    for (const name of compiler.nodes()) compiler.node(name);
    return compiler.apply(change);
  };
  const POLICY_STEPS = ['policy', 'policyRule', 'policySubjects', 'policyShape', 'rulePeers', 'selector', 'isolation'];

  it('another replica on a node that has one evaluates no policy step and touches no other node', () => {
    const { steps: done, nodes } = steps(
      [...shop, guard, guard2, open],
      [pod('shop/web-9', { app: 'web' }, http(8080)), attach('shop/web-9', 2, 9)],
    );
    expect(Object.keys(done).filter((s) => POLICY_STEPS.includes(s))).toEqual([]);
    expect([...nodes.keys()]).toEqual(['node2']);
    expect(done.pod).toBe(1);
  });
  it('a label that no policy looks at and that tells replicas apart changes nothing', () => {
    const { steps: done, nodes } = steps(
      [...shop, guard, out],
      [pod('shop/web-1', { app: 'web', 'pod-template-hash': 'f00' }, http(8080))],
    );
    expect(nodes.size).toBe(0);
    expect(done).toEqual({ identity: 1 });
  });
  it('a policy touches the nodes of its subjects only', () => {
    const { nodes } = steps([...shop], [guard]);
    expect([...nodes.keys()]).toEqual(['node2']);
  });
  it('a policy without subjects compiles no rule', () => {
    const { steps: done, nodes } = steps(shop, [
      policy('shop/none', { podSelector: { matchLabels: { app: 'none' } }, ingress: [allowFrom('web')] }),
    ]);
    expect(nodes.size).toBe(0);
    expect(done.policyRule).toBeUndefined();
  });
  it('an endpoint changes two groups or flows a node and no other feature', () => {
    const { steps: done, nodes } = steps(
      [...shop, svc, eps('10.244.1.2 8080'), guard],
      [eps('10.244.1.2 8080', '10.244.2.2 8080')],
    );
    // The pod that joins is plain no more.
    expect(done).toEqual({ endpointAddresses: 1, plain: 1, service: 1 });
    const delta = nodes.get(nodeName('node3'));
    expect([delta?.flows.size, delta?.groups.size]).toEqual([1, 1]);
  });
  it('the same facts again change nothing and evaluate nothing', () => {
    const { steps: done, nodes } = steps([...shop, guard, svc], structuredClone([...shop, guard, svc]));
    expect(done).toEqual({});
    expect(nodes.size).toBe(0);
  });
  it('a pod elsewhere joins the peers of a rule by one flow where the rule is', () => {
    const { nodes } = steps(
      [...shop, guard],
      [pod('shop/web-new', { app: 'web', tier: 'new' }), attach('shop/web-new', 3, 8)],
    );
    expect([...nodes].map(([n, d]) => [n, d.flows.size]).sort()).toEqual([
      ['node2', 1],
      ['node3', 16],
    ]);
  });

  // Every pod of web is a subject, every pod of db a peer.
  const wide = clusterPolicy('wide', {
    subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } },
    ingress: [clusterRule('Deny', [podsWith({ app: 'x' })])],
    egress: [clusterRule('Accept', [podsWith({ app: 'db' })])],
  });
  const neighbour = (name: string, priority: number) => clusterPolicy(name, { ...wide.value, priority });
  const CLUSTER_STEPS = [...POLICY_STEPS, 'clusterPolicy', 'firstRank'];

  it('another replica of a subject of cluster policies evaluates no policy step and touches no other node', () => {
    const { steps: done, nodes } = steps(
      [...shop, wide, fence, base],
      [pod('shop/web-9', { app: 'web' }, http(8080)), attach('shop/web-9', 2, 9)],
    );
    expect(Object.keys(done).filter((s) => CLUSTER_STEPS.includes(s))).toEqual([]);
    // Its address is told to the nodes of a policy that names every pod as a peer of egress; none does.
    expect([...nodes.keys()]).toEqual(['node2']);
  });
  it('a cluster policy touches the nodes of its subjects only', () => {
    const { nodes } = steps(shop, [wide]);
    expect([...nodes.keys()].sort()).toEqual(['node1', 'node2']);
  });
  it('a new priority moves no rule of another', () => {
    const { steps: done } = steps([...shop, neighbour('b', 5), neighbour('c', 7)], [neighbour('a', 6)]);
    expect([done.clusterPolicy, done.policyRule]).toEqual([1, 2]);
  });
  it('a policy with an equal priority moves the rules of those behind it by name, and no others', () => {
    const before = [...shop, neighbour('a', 5), neighbour('c', 5), neighbour('d', 6)];
    expect(steps(before, [neighbour('b', 5)]).steps).toMatchObject({ clusterPolicy: 2, policyRule: 4 });
    expect(steps(before, [neighbour('e', 5)]).steps).toMatchObject({ clusterPolicy: 1, policyRule: 2 });
  });
  it('an answer of DNS changes the rules that name it, by a flow for each address', () => {
    const { steps: done, nodes } = steps(
      [...shop, names, wide, domain('a.example.com', '192.0.2.1')],
      [domain('a.example.com', '192.0.2.1', '192.0.2.2')],
    );
    expect(done.policyRule).toBe(1);
    expect([...nodes].map(([n, d]) => [n, d.flows.size]).sort()).toEqual([
      ['node1', 1],
      ['node2', 1],
    ]);
    expect(steps([...shop, names, wide], [domain('example.org', '192.0.2.1')]).nodes.size).toBe(0);
  });
  it('a new identity leaves rules alone that name every pod as peers; egress is told its address', () => {
    const peers = [{ namespaceSelector: {} }];
    const friends = policy('shop/friends', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ peers, ports: [] }],
      egress: [{ peers, ports: [] }],
    });
    const { steps: done, nodes } = steps(
      [...shop, friends],
      [pod('other/new', { app: 'new' }), attach('other/new', 3, 8)],
    );
    expect(Object.keys(done).filter((s) => CLUSTER_STEPS.includes(s))).toEqual([]);
    expect(nodes.get(nodeName('node2'))?.flows.size).toBe(2);
    expect([...nodes.keys()].sort()).toEqual(['node2', 'node3']);
  });
  it('a new identity leaves a rule for every pod alone', () => {
    const all = clusterPolicy('all', {
      egress: [clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('10.0.0.0/8')] }])],
    });
    const { steps: done, nodes } = steps([...shop, all], [pod('shop/new', { app: 'new' }), attach('shop/new', 3, 8)]);
    expect(Object.keys(done).filter((s) => ['selector', ...CLUSTER_STEPS].includes(s))).toEqual([]);
    expect([...nodes.keys()]).toEqual(['node3']);
  });
});
