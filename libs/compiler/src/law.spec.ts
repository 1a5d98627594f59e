import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCompiler } from './compiler.js';
import { nodeName } from './model/brands.js';
import type { FactChange } from './model/facts.js';
import {
  attach,
  blocks,
  cluster,
  clusterPolicy,
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
  service,
} from './testing/facts.js';
import { dump, EXPANDERS, fromScratch, Mirror, type State, stateOf, type Walk } from './testing/law.js';
import {
  base,
  eps,
  fence,
  guard,
  guard2,
  held,
  http,
  names,
  open,
  out,
  regarding,
  replica,
  shop,
  svc,
  telling,
} from './testing/shop.js';

// The law: what a compiler holds depends on the facts that stand, never on the way that led to them.

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
