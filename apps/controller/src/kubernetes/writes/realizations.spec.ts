import { expect, it } from 'vitest';
import { deferred } from '../../deferred.js';
import { ManualClock } from '../../testing/manual-clock.js';
import type { KubeClient } from '../kube-client.js';
import type { NodeState, TrackedObject } from './cluster-state.js';
import { Realizations } from './realizations.js';
import { WriteQueue } from './write-queue.js';

const POLICY = { kind: 'NetworkPolicy', namespace: 'shop', name: 'db' };
const turn = () => new Promise((done) => setImmediate(done));

it('writes nothing for what it had begun to read when another controller took over', async () => {
  const clock = new ManualClock();
  const answer = deferred<{ items: never[] }>();
  const requests: string[] = [];
  const request = (method: string): Promise<unknown> => {
    requests.push(method);
    return method === 'GET' ? answer.promise : Promise.resolve({});
  };
  const client = { request } as unknown as KubeClient;
  const policies = new Map<string, TrackedObject>([['shop/db', { uid: 'u1', generation: 1 }]]);
  const queue = new WriteQueue({ clock, random: () => 0, perSecond: 5, burst: 10, onError: () => {} });
  const nodes: NodeState[] = [];
  const realizations = new Realizations({
    client,
    clock,
    queue,
    wallClock: () => new Date(clock.now()),
    kinds: { NetworkPolicy: 'networking.k8s.io/v1' },
    state: {
      inSync: () => true,
      generation: () => 1,
      nodes: () => nodes,
      nodesOf: () => undefined,
      problems: () => [],
      problemsOf: () => [],
      crowded: () => [],
      tracked: () => policies,
    },
  });
  const pass = async () => {
    clock.advance(2_000);
    for (let i = 0; i < 8; i++) await turn();
  };

  realizations.tick();
  realizations.forget();
  answer.resolve({ items: [] });
  await pass();
  realizations.touched([POLICY]);
  await pass();
  expect(requests.filter((method) => method !== 'GET')).toEqual([]);

  // And takes up the work when it leads again.
  realizations.tick();
  await pass();
  await pass();
  // Not before there is a node: it would say that all of none have acknowledged it, and stay so.
  expect(requests.filter((method) => method !== 'GET')).toEqual([]);
  nodes.push({ name: 'n1', connected: true, realizedGeneration: 1, lastError: null });
  for (let i = 0; i < 4; i++) await pass();
  expect(requests.filter((method) => method !== 'GET')).toEqual(['POST', 'PATCH']);
});
