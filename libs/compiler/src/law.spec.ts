import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCompiler } from './compiler.js';
import { cidr, nodeName } from './model/brands.js';
import type { ExistingConnections, FactChange, PolicyLogging } from './model/facts.js';
import {
  attach,
  blocks,
  cluster,
  clusterPolicy,
  clusterRule,
  config,
  countingIds,
  detach,
  domain,
  endpoints,
  hold,
  namespace,
  noClusterPolicy,
  node,
  noNode,
  noPod,
  noPolicy,
  noService,
  pod,
  podsWith,
  policy,
  service,
} from './testing/facts.js';
import { dump, EXPANDERS, fromScratch, Mirror, type State, stateOf, type Walk } from './testing/law.js';

// The law: what a compiler holds depends on the facts that stand, never on the way that led to them.

const web = [{ protocol: 'TCP', port: 80 } as const];
const named = [{ protocol: 'TCP', port: 'http' } as const];
const http = (port: number) => ({ namedPorts: [{ name: 'http', protocol: 'TCP' as const, port }] });
const allowFrom = (label: string) => ({ peers: [{ podSelector: { matchLabels: { app: label } } }], ports: web });

const shop = [
  ...cluster(),
  namespace('shop', { team: 'a' }),
  pod('shop/web-1', { app: 'web' }, http(8080)),
  attach('shop/web-1', 1, 2),
  pod('shop/web-2', { app: 'web' }, http(8080)),
  attach('shop/web-2', 2, 2),
  pod('shop/db-1', { app: 'db' }, http(9090)),
  attach('shop/db-1', 2, 3),
  pod('other/x', { app: 'x' }),
  attach('other/x', 3, 2),
];
const guard = policy('shop/guard', { podSelector: { matchLabels: { app: 'db' } }, ingress: [allowFrom('web')] });
const guard2 = policy('shop/guard-2', {
  podSelector: { matchLabels: { app: 'db' } },
  ingress: [allowFrom('web'), { peers: [], ports: [] }],
});
const open = policy('shop/open', {
  podSelector: {},
  ingress: [{ peers: [], ports: [] }],
  egress: [{ peers: [], ports: [] }],
});
const out = policy('shop/out', {
  podSelector: {},
  egress: [
    { peers: [{ namespaceSelector: {} }], ports: named },
    { peers: [{ ipBlock: { cidr: cidr('10.0.0.0/8'), except: [cidr('10.1.0.0/16')] } }], ports: web },
  ],
});
const replica = policy('shop/replica', {
  podSelector: { matchLabels: { 'statefulset.kubernetes.io/pod-name': 'db-1' } },
  ingress: [],
});
const web80 = [{ protocol: 'TCP', port: 80 } as const];
const fence = clusterPolicy('fence', {
  priority: 5,
  ingress: [clusterRule('Deny', [podsWith({ app: 'x' })], { ports: web80 }), clusterRule('Pass', [podsWith({})])],
  egress: [clusterRule('Accept', [{ kind: 'nodes', selector: { matchLabels: { zone: 'a' } } }])],
});
const names = clusterPolicy('names', {
  subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } },
  egress: [
    clusterRule('Accept', [{ kind: 'domains', names: ['example.com', '*.example.com'] }], { ports: web80 }),
    clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('0.0.0.0/0')] }]),
  ],
});
const base = clusterPolicy('base', {
  tier: 'Baseline',
  subject: { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: {} },
  ingress: [clusterRule('Deny', [podsWith({ 'statefulset.kubernetes.io/pod-name': 'db-1' })])],
  egress: [clusterRule('Accept', [podsWith({ app: 'db' })], { ports: named })],
});
const svc = service('shop/web', ['10.96.0.10', 'fd00:10:96::10'], [{ name: 'http', protocol: 'TCP', port: 80 }]);
const eps = (...list: string[]) => endpoints('shop/web', { http: list });

const held = (() => {
  const compiler = createCompiler(countingIds());
  compiler.apply(shop);
  return compiler.identityOf('shop', 'db-1')?.key ?? '';
})();

/** The same policy, under its key, with a wish to be told. */
function telling(change: FactChange, logging: PolicyLogging): FactChange {
  if (change.kind !== 'policy' || change.value === undefined) throw new TypeError(change.kind);
  const name = change.key.split('/')[1] ?? '';
  return { ...change, value: { ...change.value, name, logging } };
}

/** The same policy, with a wish for connections that there are. */
function regarding(change: FactChange, existing: ExistingConnections): FactChange {
  if (change.kind !== 'policy' || change.value === undefined) throw new TypeError(change.kind);
  return { ...change, value: { ...change.value, existing } };
}

const LISTS: Readonly<Record<string, readonly State[]>> = {
  'pods come and go': [
    stateOf(cluster()),
    stateOf(shop),
    stateOf(shop, noPod('shop/web-2')),
    stateOf(shop, detach('shop/web-1')),
    stateOf(shop, attach('shop/db-1', 1, 9)),
  ],
  'policies come and go': [
    stateOf(shop, guard),
    stateOf(shop, guard, guard2),
    stateOf(shop, guard, guard2, open, out),
    stateOf(shop, out, replica),
    stateOf(shop),
  ],
  'labels change under policies': [
    stateOf(shop, guard, out),
    stateOf(shop, guard, out, pod('shop/web-1', { app: 'db' }, http(1))),
    stateOf(shop, guard, out, namespace('shop', { team: 'b' })),
    stateOf(shop, guard, out, pod('shop/db-1', { app: 'gone' }), hold('shop/db-1', held)),
    stateOf(shop, guard, out, pod('shop/db-1', { app: 'gone' })),
    stateOf(shop, guard, out, namespace('new'), pod('new/n', { app: 'web' }, http(7)), attach('new/n', 3, 7)),
  ],
  'services and endpoints': [
    stateOf(shop, svc),
    stateOf(shop, svc, eps('10.244.1.2 8080')),
    stateOf(shop, svc, eps('10.244.1.2 8080', '10.244.2.2 8080', 'fd00:10:244:1::2 8080')),
    stateOf(shop, eps('10.244.1.2 8080')),
    stateOf(
      shop,
      svc,
      eps('10.244.1.2 8080'),
      service('shop/same', ['10.96.0.11'], [{ name: 'http', protocol: 'TCP', port: 81 }]),
      endpoints('shop/same', { http: ['10.244.1.2 8080'] }),
    ),
  ],
  'nodes and blocks': [
    stateOf(shop, guard, out),
    stateOf(shop, guard, out, noNode(2)),
    stateOf(shop, guard, out, noNode(2), noNode(3)),
    stateOf(shop, guard, out, node(4), blocks(4), attach('shop/web-1', 4, 2)),
    stateOf(shop, guard, attach('shop/web-1', 1, 200)),
    stateOf(
      shop.map(
        (c): FactChange =>
          c.kind === 'node' && c.key === 'node2' && c.value !== undefined
            ? { ...c, value: { ...c.value, tunnelOfport: 7 as never } }
            : c,
      ),
      guard,
    ),
  ],
  'the setting changes': [
    stateOf(shop, guard, out, svc),
    stateOf(shop, guard, out, svc, config({ encap: 'vxlan' })),
    stateOf(shop, guard, out, svc, config({ families: [4] })),
    new Map([...stateOf(shop, guard, out, svc)].filter(([, c]) => c.kind !== 'config')),
  ],
  'policies that want to be told': [
    stateOf(shop, guard, out),
    stateOf(shop, telling(guard, 'all'), out),
    stateOf(shop, telling(guard, 'all'), guard2, telling(out, 'drops')),
    stateOf(shop, telling(guard, 'drops'), telling(guard2, 'all'), open, noPod('shop/web-2')),
    stateOf(shop, telling(open, 'all'), telling({ ...open, key: 'shop/open-2' }, 'all'), guard),
    stateOf(shop, guard, guard2),
  ],
  'cluster policies': [
    stateOf(shop, fence),
    stateOf(shop, fence, names, node(1, { zone: 'a' })),
    stateOf(shop, fence, names, base, node(2, { zone: 'a' }), domain('www.example.com', '192.0.2.1')),
    stateOf(
      shop,
      names,
      base,
      guard,
      domain('www.example.com', '192.0.2.2', '2001:db8::2'),
      domain('example.com', '192.0.2.1'),
    ),
    stateOf(shop, clusterPolicy('a', { ...fence.value }), fence, names, svc, eps('10.244.1.2 8080')),
    stateOf(shop, clusterPolicy('fence', { ...fence.value, priority: 6 }), names, config({ encap: 'vxlan' })),
    stateOf(shop, clusterPolicy('fence', { ...fence.value, tier: 'Baseline' }), config({ families: [6] })),
    stateOf(shop),
  ],
  'policies that keep and cut': [
    stateOf(shop, guard, out),
    stateOf(shop, regarding(guard, 'keep'), out),
    stateOf(shop, regarding(guard, 'keep'), guard2, regarding(out, 'cut')),
    stateOf(shop, regarding(guard, 'cut'), regarding(guard2, 'keep'), open),
    stateOf(shop, regarding(open, 'cut'), regarding(out, 'keep')),
    stateOf(shop, guard, guard2),
  ],
  'facts that contradict each other': [
    stateOf(shop, attach('other/x', 1, 2)),
    stateOf(shop, svc, service('other/clash', ['10.96.0.10'], [{ name: '', protocol: 'TCP', port: 80 }])),
    stateOf(shop),
  ],
};

const LATE = nodeName('node2');

function obeysTheLaw(walk: Walk): void {
  const ids = countingIds();
  const compiler = createCompiler(ids);
  const mirror = new Mirror();
  for (const { changes, state } of walk) {
    // Most nodes are asked for before they exist, one only when a state is looked at.
    for (const c of changes) if (c.kind === 'node' && c.key !== LATE) compiler.node(nodeName(c.key));
    mirror.take(compiler, compiler.apply(changes).nodes);
    if (state === undefined) continue;
    mirror.look(compiler, LATE);
    const scratch = fromScratch(ids, state);
    expect(dump(compiler)).toEqual(dump(scratch));
    expect(mirror.dump()).toEqual(Mirror.of(scratch));
  }
}

describe.each(Object.keys(LISTS))('incremental equals from scratch: %s', (list) => {
  it.each(Object.keys(EXPANDERS))('%s', (way) => {
    obeysTheLaw((EXPANDERS[way] as (typeof EXPANDERS)[string])(LISTS[list] as readonly State[]));
  });
});

it('holds on random walks', () => {
  const changes: readonly FactChange[] = [
    ...shop,
    guard,
    guard2,
    open,
    out,
    replica,
    telling(guard, 'drops'),
    telling(out, 'all'),
    telling(open, 'all'),
    svc,
    eps('10.244.1.2 8080'),
    eps('10.244.1.2 8080', '10.244.2.2 8080'),
    hold('shop/db-1', held),
    hold('shop/db-1', undefined),
    noNode(1),
    noNode(2),
    noPod('shop/web-1'),
    noPod('shop/db-1'),
    noPolicy('shop/guard'),
    noPolicy('shop/out'),
    noPolicy('shop/open'),
    fence,
    names,
    base,
    clusterPolicy('also', { ...fence.value }),
    noClusterPolicy('fence'),
    noClusterPolicy('names'),
    domain('www.example.com', '192.0.2.1'),
    domain('www.example.com', '192.0.2.2'),
    domain('www.example.com'),
    node(2, { zone: 'a' }),
    node(2),
    noService('shop/web'),
    detach('shop/web-2'),
    attach('shop/web-2', 3, 99),
    pod('shop/web-2', { app: 'db', 'statefulset.kubernetes.io/pod-name': 'db-1' }),
    pod('shop/web-1', { app: 'web', 'pod-template-hash': '1' }, http(8080)),
    pod('shop/web-1', {}, { hostNetwork: true }),
    namespace('shop', { team: 'c' }),
    namespace('other', { team: 'a' }),
    config({ encap: 'vxlan' }),
    config({ families: [6] }),
    config(),
  ];
  const one = fc.integer({ min: 0, max: changes.length - 1 });
  const walks = fc.array(fc.array(one, { maxLength: 6 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(walks, (batches) => {
      let state = stateOf(shop, guard, out);
      const walk: { changes: FactChange[]; state: State }[] = [{ changes: [...state.values()], state }];
      for (const batch of batches) {
        const list = batch.map((i) => changes[i] as FactChange);
        state = stateOf([...state.values()], list);
        walk.push({ changes: list, state });
      }
      obeysTheLaw(walk);
    }),
    { numRuns: 60, seed: 4865 },
  );
  // Seconds of work, on a busy machine many more.
}, 120_000);

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
  it('a new identity leaves a rule for every pod alone', () => {
    const all = clusterPolicy('all', {
      egress: [clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('10.0.0.0/8')] }])],
    });
    const { steps: done, nodes } = steps([...shop, all], [pod('shop/new', { app: 'new' }), attach('shop/new', 3, 8)]);
    expect(Object.keys(done).filter((s) => ['selector', ...CLUSTER_STEPS].includes(s))).toEqual([]);
    expect([...nodes.keys()]).toEqual(['node3']);
  });
});
