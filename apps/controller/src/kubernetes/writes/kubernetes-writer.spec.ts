import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../testing/manual-clock.js';
import type { KubeClient, KubeRequest } from '../kube-client.js';
import type { NodeState, TrackedObject } from './cluster-state.js';
import { KubernetesWriter } from './kubernetes-writer.js';

const turn = () => new Promise((done) => setImmediate(done));

/** A writer over one node, without definitions of realizations; `seen` is what the API server has of the node. */
function newWriter() {
  const clock = new ManualClock();
  const requests: { method: string; path: string; body: unknown }[] = [];
  const seen: TrackedObject = { uid: 'u1', generation: 0 };
  const cluster = {
    generation: 1,
    node: { name: 'node1', connected: false, realizedGeneration: 0, lastError: null } as NodeState,
    about: new Map([['node1', seen]]),
  };
  const client = {
    async request(method: string, path: string, { body }: KubeRequest = {}) {
      if (path.includes('heddle.dev')) throw new Error('not here');
      requests.push({ method, path, body });
      const [condition] =
        (body as { status?: { conditions: { status: string; reason: string }[] } }).status?.conditions ?? [];
      if (condition !== undefined)
        cluster.about.set('node1', { ...seen, networkUnavailable: `${condition.status} ${condition.reason}` });
    },
  } as unknown as KubeClient;
  const writer = new KubernetesWriter({
    client,
    clock,
    instance: 'spec',
    random: () => 0,
    wallClock: () => new Date(clock.now()),
    onError: () => {},
    state: {
      inSync: () => true,
      generation: () => cluster.generation,
      nodes: () => [cluster.node],
      nodesOf: () => undefined,
      problems: () => [],
      problemsOf: () => [],
      crowded: () => [],
      tracked: (kind) => (kind === 'Node' ? cluster.about : new Map()),
    },
  });
  writer.start();
  const pass = async (ms: number) => {
    for (let i = 0; i < ms; i += 500) {
      clock.advance(500);
      for (let j = 0; j < 4; j++) await turn();
    }
  };
  const conditions = () =>
    requests.flatMap(({ body }) => (body as { status?: { conditions: object[] } }).status?.conditions ?? []);
  const set = (change: Partial<NodeState>) => {
    cluster.node = { ...cluster.node, ...change };
  };
  return { cluster, requests, conditions, pass, set };
}

describe('the condition NetworkUnavailable', () => {
  it('is not True before switches have had the time to come back after a start', async () => {
    const { pass, conditions } = newWriter();
    await pass(55_000);
    expect(conditions()).toEqual([]);
    await pass(10_000);
    expect(conditions()).toMatchObject([{ status: 'True', reason: 'HeddleIsDown' }]);
  });

  it('stays over an absence of less than ten seconds, and changes once for a longer one', async () => {
    const { pass, conditions, set } = newWriter();
    set({ connected: true, realizedGeneration: 1 });
    await pass(70_000);
    expect(conditions()).toMatchObject([{ status: 'False', reason: 'HeddleIsUp' }]);
    for (let i = 0; i < 5; i++) {
      set({ connected: false });
      await pass(8_000);
      set({ connected: true });
      await pass(2_000);
    }
    expect(conditions().length).toBe(1);
    set({ connected: false });
    await pass(60_000);
    expect(conditions()).toMatchObject([{ status: 'False' }, { status: 'True' }]);
    set({ connected: true });
    await pass(5_000);
    expect(conditions()).toMatchObject([{ status: 'False' }, { status: 'True' }, { status: 'False' }]);
  });

  it('is written anew when somebody else has written it, and not in a race with them', async () => {
    const { pass, conditions, set, cluster } = newWriter();
    set({ connected: true, realizedGeneration: 1 });
    await pass(70_000);
    for (let i = 0; i < 60; i++) {
      cluster.about.set('node1', { uid: 'u1', generation: 0, networkUnavailable: 'True NoRouteCreated' });
      await pass(1_000);
    }
    expect(conditions().length).toBeGreaterThan(3);
    expect(conditions().length).toBeLessThanOrEqual(1 + 6);
  });
});

describe('a switch that is connected and acknowledges nothing', () => {
  it('is told of after thirty seconds, once', async () => {
    const { pass, requests, set, cluster } = newWriter();
    const events = () => requests.filter((r) => r.path.includes('/events')).map((r) => r.body);
    set({ connected: true, realizedGeneration: 1 });
    await pass(5_000);
    cluster.generation = 2;
    await pass(25_000);
    expect(events()).toEqual([]);
    set({ lastError: 'OFPBFC_MSG_FAILED' });
    await pass(120_000);
    expect(events()).toMatchObject([
      {
        metadata: { namespace: 'default' },
        reason: 'NotAcknowledging',
        regarding: { kind: 'Node', name: 'node1', uid: 'u1' },
        note: expect.stringContaining('OFPBFC_MSG_FAILED'),
      },
    ]);
  });

  it('is not told of while it comes nearer', async () => {
    const { pass, requests, set, cluster } = newWriter();
    for (let i = 2; i < 60; i++) {
      cluster.generation = i + 1;
      set({ connected: true, realizedGeneration: i });
      await pass(2_000);
    }
    expect(requests.filter((r) => r.path.includes('/events'))).toEqual([]);
  });
});
