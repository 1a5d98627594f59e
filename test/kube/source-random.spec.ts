import { afterEach, expect, it } from 'vitest';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { quickClock } from '../support/quick-clock.js';
import { WatchedSource } from './support.js';

let api: KubeApi;
let source: WatchedSource;

afterEach(async () => {
  await source?.stop();
  await api?.stop();
});

/** mulberry32, so that a run that fails can be repeated. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const turn = () => new Promise((done) => setImmediate(done));
const pod = (name: string, version: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { version: String(version) } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});

/**
 * Objects come, change and go while watches are cut and ended, versions expire, requests fail, the server is killed and comes
 * back, and the listener is slow or fails. In the end the source has what the server has; and what was there all the time was
 * never said to be gone.
 */
it.each([1, 2, 3, 4, 5, 6].map((seed) => ({ seed })))(
  'ends up with what the server has, without a flap (seed $seed)',
  async ({ seed }) => {
    const random = randomOf(seed);
    api = await startKubeApi({ historyLimit: 40 });
    const stays = Array.from({ length: 20 }, (_, i) => `stays${i}`);
    for (const name of stays) api.put(pod(name, 0));
    source = await WatchedSource.create(api, { idleMs: 300, clock: quickClock(4) });
    await source.start();
    let away = false;
    const mends: (() => void)[] = [];
    const faults: readonly (() => unknown)[] = [
      () => api.dropWatches('pods', 'cut'),
      () => api.dropWatches(undefined, 'end'),
      () => api.expire('pods'),
      () => api.bookmark(),
      () => {
        const code = [500, 503, 429, 403, 504][random(5)] as number;
        mends.push(api.fail((a) => a.resource === 'pods', code, 1 + random(3)));
        api.dropWatches('pods');
      },
      async () => {
        if (!away) await api.kill();
        away = true;
      },
      async () => {
        if (away) await api.restart();
        away = false;
      },
      () => {
        source.fails = 1;
      },
      () => source.source.refresh().catch(() => undefined),
    ];
    for (let i = 0; i < 600; i++) {
      const name = `p${random(30)}`;
      const what = random(10);
      if (what < 5) api.put(pod(name, i));
      else if (what < 8) api.remove('pods', name, 'default');
      else if (what < 9) api.put(pod(stays[random(stays.length)] as string, i));
      if (random(15) === 0) void (await faults[random(faults.length)]?.());
      for (let n = random(4); n > 0; n--) await turn();
    }
    for (const mend of mends) mend();
    if (away) await api.restart();
    const wanted = () =>
      Object.fromEntries(
        api.objects('pods').map(({ metadata }) => [metadata.name, [metadata.uid, metadata.labels?.version]]),
      );
    const seen = () =>
      Object.fromEntries(
        [...source.objects.pods.values()].map((value) => {
          const { name, uid, labels } = value as { name: string; uid: string; labels: { version: string } };
          return [name, [uid, labels.version]];
        }),
      );
    await expect.poll(seen, { timeout: 40_000 }).toEqual(wanted());
    const gone = source.told('pods').filter((key) => key.startsWith('-default/stays'));
    expect(gone).toEqual([]);
    await expect.poll(() => source.source.problems()).toEqual([]);
  },
  90_000,
);
