import { describe, expect, it } from 'vitest';
import { KubeCache } from './cache.js';
import { type KubeClient, type KubeObject, KubeRefusal, type WatchEvent } from './client.js';

const EXPIRED = new KubeRefusal(410, 'too old resource version');
const event = (version: string): WatchEvent<KubeObject> => ({
  type: 'ADDED',
  object: { metadata: { name: `o${version}`, resourceVersion: version } },
});

/** What one watch does before the server ends it. */
interface Watch {
  readonly lastsMs?: number;
  readonly events?: readonly WatchEvent<KubeObject>[];
  readonly fails?: Error;
}

/** Runs a cache against watches that go as said; answers what was asked of the server, and how long it rested in between. */
async function runAgainst(watches: readonly Watch[]): Promise<readonly (string | number)[]> {
  const said: (string | number)[] = [];
  const stop = new AbortController();
  const left = [...watches];
  let now = 0;
  const client = {
    list: async () => {
      said.push('list');
      return { items: [], resourceVersion: '1' };
    },
    watch: async (_path: string, from: string, changed: (e: WatchEvent<KubeObject>) => void) => {
      const watch = left.shift();
      if (watch === undefined) {
        stop.abort();
        throw new Error('stopped');
      }
      said.push(`watch from ${from}`);
      for (const e of watch.events ?? []) changed(e);
      now += watch.lastsMs ?? 0;
      if (watch.fails !== undefined) throw watch.fails;
    },
  } as unknown as KubeClient;
  const rest = async (ms: number) => {
    said.push(ms);
    now += ms;
  };
  const cache = new KubeCache(client, '/api/v1/pods', () => undefined, { now: () => now, random: () => 0, rest });
  await cache.run(stop.signal);
  return said;
}

describe('a copy of the API server', () => {
  const away = new Error('connection refused');
  it.each<[name: string, watches: readonly Watch[], expected: readonly (string | number)[]]>([
    [
      'goes on at once after a watch that has lasted',
      [{ lastsMs: 240_000 }, { lastsMs: 240_000, events: [event('7')] }, { lastsMs: 240_000 }],
      ['list', 'watch from 1', 'watch from 1', 'watch from 7'],
    ],
    [
      'rests longer and longer where the server ends watches at once',
      [{}, {}, { lastsMs: 999 }, { lastsMs: 1_000 }, {}],
      ['list', 'watch from 1', 100, 'watch from 1', 200, 'watch from 1', 400, 'watch from 1', 'watch from 1', 100],
    ],
    [
      'rests before it lists again what failed',
      [{ fails: away }, { fails: away }, { events: [event('8')], fails: away }],
      ['list', 'watch from 1', 100, 'list', 'watch from 1', 200, 'list', 'watch from 1', 100, 'list'],
    ],
    [
      'lists again at once when its version is too old, but not again and again',
      [{ lastsMs: 240_000, fails: EXPIRED }, { fails: EXPIRED }, { fails: EXPIRED }],
      ['list', 'watch from 1', 'list', 'watch from 1', 100, 'list', 'watch from 1', 200, 'list'],
    ],
  ])('%s', async (_, watches, expected) => {
    expect(await runAgainst(watches)).toEqual(expected);
  });
});
