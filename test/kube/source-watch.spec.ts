import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { WatchedSource } from './support.js';

let api: KubeApi;
let source: WatchedSource;

beforeEach(async () => {
  api = await startKubeApi();
});
afterEach(async () => {
  await source.stop();
  await api.stop();
});

const pod = (name: string, labels: Record<string, string> = {}, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'SECRET', value: 'x' }] }] },
  ...extra,
});
const putPods = (from: number, to: number) => {
  for (let i = from; i < to; i++) api.put(pod(`p${String(i).padStart(4, '0')}`));
};
const names = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `default/p${String(from + i).padStart(4, '0')}`);
const lists = () => api.stats().requests['list pods'] ?? 0;
const watches = () => api.stats().requests['watch pods'] ?? 0;
const begin = async (options = {}) => {
  source = await WatchedSource.create(api, options);
  await source.start();
};

describe('the first list', () => {
  it('comes in pages and is whole', async () => {
    putPods(0, 1_201);
    await begin();
    expect(source.keys('pods')).toEqual(names(0, 1_201));
    expect(lists()).toBe(3);
  });

  it('is not handed over before every kind has one', async () => {
    const mend = api.fail((a) => a.verb === 'list' && a.resource === 'networkpolicies', 500);
    putPods(0, 3);
    source = await WatchedSource.create(api);
    let started = false;
    const starting = source.start().then(() => {
      started = true;
    });
    await expect.poll(() => api.stats().requests['list networkpolicies.networking.k8s.io'] ?? 0).toBeGreaterThan(2);
    expect(started).toBe(false);
    expect(source.source.problems().map((p) => p.reason)).toEqual([
      expect.stringMatching(/^networkpolicies cannot be watched, .*HTTP 500/),
    ]);
    mend();
    await starting;
    expect(source.keys('pods')).toEqual(names(0, 3));
    expect(source.source.problems()).toEqual([]);
  });

  it('starts anew when it expires between two pages', async () => {
    putPods(0, 600);
    let pages = 0;
    const expire = api.fail((a) => {
      if (a.verb === 'list' && a.resource === 'pods' && ++pages === 2) api.expire('pods');
      return false;
    }, 500);
    await begin();
    expire();
    expect(source.keys('pods')).toEqual(names(0, 600));
    expect(pages).toBeGreaterThan(3);
  });
});

describe('a change', () => {
  it('is told with its new value, a removal with none', async () => {
    putPods(0, 2);
    await begin();
    api.put(pod('p0002', { app: 'new' }));
    api.remove('pods', 'p0000', 'default');
    await source.until('pods', names(1, 3));
    expect(source.objects.pods.get('default/p0002')).toMatchObject({ name: 'p0002', labels: { app: 'new' } });
    expect(source.told('pods').sort()).toEqual(['-default/p0000', 'default/p0002']);
  });

  it('of nothing that we use is not told', async () => {
    api.put(pod('a'));
    await begin();
    for (let i = 0; i < 50; i++)
      api.put(pod('a', {}, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', n: i }] } }));
    for (let i = 0; i < 50; i++)
      api.put({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n1' },
        status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: `2026-01-01T00:00:${10 + i}Z` }] },
      });
    api.put(pod('last'));
    await source.until('pods', ['default/a', 'default/last']);
    await source.until('nodes', ['n1']);
    expect(source.told('pods')).toEqual(['default/last']);
    expect(source.told('nodes')).toEqual(['n1']);
  });

  it('that comes while the listener is at work is told together with others, the last of each', async () => {
    await begin();
    let open = () => {};
    source.gate = new Promise((resolve) => {
      open = resolve;
    });
    putPods(0, 1);
    for (let i = 0; i < 20; i++) api.put(pod('q', { n: String(i) }));
    await source.source.refresh().constructor;
    putPods(1, 100);
    open();
    source.gate = undefined;
    await source.until('pods', [...names(0, 100), 'default/q']);
    expect(source.heard.length).toBeLessThanOrEqual(4);
    expect(source.objects.pods.get('default/q')).toMatchObject({ labels: { n: '19' } });
  });

  it('that the listener could not take is told again, unless a later one took its place', async () => {
    await begin();
    source.fails = 1;
    api.put(pod('a', { v: '1' }));
    await expect.poll(() => source.errors.length).toBe(1);
    api.put(pod('a', { v: '2' }));
    api.put(pod('b'));
    await source.until('pods', ['default/a', 'default/b']);
    expect(source.objects.pods.get('default/a')).toMatchObject({ labels: { v: '2' } });
  });

  it('has gone through when refresh resolves', async () => {
    await begin();
    for (let i = 0; i < 20; i++) {
      putPods(i, i + 1);
      await source.source.refresh();
      expect(source.keys('pods')).toEqual(names(0, i + 1));
    }
  });
});

describe('a pod', () => {
  it('is trimmed to what is used, without its environment', async () => {
    api.put(pod('a', { app: 'x' }));
    await begin();
    const uid = api.object('pods', 'a', 'default')?.metadata.uid;
    expect(source.objects.pods.get('default/a')).toEqual({
      namespace: 'default',
      name: 'a',
      labels: { app: 'x' },
      serviceAccount: 'default',
      hostNetwork: false,
      namedPorts: [],
      nodeName: '',
      containers: [{ name: 'c', image: 'i', command: [], args: [], env: {}, ports: [] }],
      uid,
    });
  });

  it('that was made anew under its name has another uid', async () => {
    api.put(pod('a'));
    await begin();
    const before = source.objects.pods.get('default/a') as { uid: string };
    api.remove('pods', 'a', 'default');
    api.put(pod('a'));
    await expect
      .poll(() => (source.objects.pods.get('default/a') as { uid: string } | undefined)?.uid)
      .not.toBeOneOf([before.uid, undefined]);
  });

  it.each([['Succeeded'], ['Failed']])('in the phase %s is finished', async (phase) => {
    api.put(pod('a', {}, { status: { phase: 'Running' } }));
    await begin();
    expect(source.objects.pods.get('default/a')).not.toHaveProperty('finished');
    api.put(pod('a', {}, { status: { phase } }));
    await expect.poll(() => source.objects.pods.get('default/a')).toHaveProperty('finished', true);
  });

  it('of a static manifest has the UID that the kubelet uses', async () => {
    const metadata = { name: 'a', namespace: 'default', annotations: { 'kubernetes.io/config.mirror': 'hash' } };
    api.put({ ...pod('a'), metadata });
    await begin();
    expect(source.objects.pods.get('default/a')).toHaveProperty('uid', 'hash');
  });
});

describe('an EndpointSlice', () => {
  it('gives ready addresses, and the others as draining', async () => {
    api.put({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 's1', namespace: 'default', labels: { 'kubernetes.io/service-name': 's' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: true } },
        { addresses: ['10.0.0.2'], conditions: { ready: false } },
        { addresses: ['10.0.0.3'] },
        { addresses: ['10.0.0.4'], conditions: { ready: false, serving: true, terminating: true } },
      ],
      ports: [{ name: '', protocol: 'TCP', port: 80 }],
    });
    await begin();
    expect(source.objects.slices.get('default/s1')).toMatchObject({
      addresses: ['10.0.0.1', '10.0.0.3'],
      draining: ['10.0.0.2', '10.0.0.4'],
      lastResort: ['10.0.0.4'],
    });
  });
});

describe('the watch', () => {
  it.each([['cut'], ['end']] as const)('goes on from where it was when its socket is %s', async (how) => {
    await begin();
    const listsBefore = lists();
    for (let i = 0; i < 10; i++) {
      putPods(i, i + 1);
      expect(api.dropWatches('pods', how)).toBeLessThanOrEqual(1);
      await source.until('pods', names(0, i + 1));
    }
    expect(lists()).toBe(listsBefore);
    expect(source.told('pods')).toEqual(names(0, 10));
  });

  it('goes on when it has been silent for too long', async () => {
    await begin({ idleMs: 100 });
    await expect.poll(() => watches()).toBeGreaterThan(2);
    const listsBefore = lists();
    putPods(0, 1);
    await source.until('pods', names(0, 1));
    expect(lists()).toBe(listsBefore);
  });

  it('goes on from the version of a bookmark, where that of the last object is too old', async () => {
    await begin();
    putPods(0, 1);
    await source.until('pods', names(0, 1));
    const listsBefore = lists();
    api.expire('pods');
    api.bookmark();
    api.dropWatches('pods', 'end');
    putPods(1, 2);
    await source.until('pods', names(0, 2));
    expect(lists()).toBe(listsBefore);
  });

  it('of a version that is too old ends in a list, of which only the difference is told', async () => {
    putPods(0, 700);
    await begin();
    api.dropWatches('pods');
    api.remove('pods', 'p0000', 'default');
    putPods(700, 701);
    api.expire('pods');
    await source.until('pods', names(1, 701));
    expect(source.told('pods').sort()).toEqual(['-default/p0000', 'default/p0700']);
    expect(source.heard.length).toBe(1);
    expect(lists()).toBe(4);
  });
});

describe('an API server that is killed', () => {
  it('leaves everything as it is, and brings the difference when it is back', async () => {
    putPods(0, 50);
    await begin();
    await api.kill();
    await expect.poll(() => source.source.problems().length).toBeGreaterThan(0);
    expect(source.source.problems()[0]).toMatchObject({
      severity: 'error',
      reason: expect.stringMatching(/cannot be watched, what is known of them stays/),
    });
    // Nobody waits for it.
    await source.source.refresh();
    api.remove('pods', 'p0000', 'default');
    putPods(50, 52);
    await api.restart();
    await source.until('pods', names(1, 52));
    expect(source.told('pods').sort()).toEqual(['-default/p0000', 'default/p0050', 'default/p0051']);
    await expect.poll(() => source.source.problems()).toEqual([]);
  });

  it('in the middle of churn, again and again, loses nothing', async () => {
    await begin();
    const alive = new Set<string>();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 200; i++) {
        const name = `c${(i * 7 + round * 13) % 60}`;
        if (alive.delete(`default/${name}`)) api.remove('pods', name, 'default');
        else {
          api.put(pod(name, { round: String(round) }));
          alive.add(`default/${name}`);
        }
        if (i === 100) await api.kill();
        if (i % 20 === 0) await new Promise((done) => setImmediate(done));
      }
      if (round === 3) api.expire();
      await api.restart();
    }
    await source.until('pods', [...alive]);
    for (const { metadata } of api.objects('pods'))
      expect(source.objects.pods.get(`default/${metadata.name}`)).toMatchObject({
        uid: metadata.uid,
        labels: metadata.labels,
      });
  }, 60_000);

  it('before the first list is waited for', async () => {
    putPods(0, 1);
    source = await WatchedSource.create(api);
    await api.kill();
    const starting = source.start();
    await expect.poll(() => source.source.problems().length).toBeGreaterThan(0);
    await api.restart();
    await starting;
    expect(source.keys('pods')).toEqual(names(0, 1));
  });
});
