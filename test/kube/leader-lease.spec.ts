import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { createKubeClient } from '../../apps/controller/src/kubernetes/kube-client.js';
import { LeaderLease } from '../../apps/controller/src/kubernetes/writes/leader-lease.js';
import { ManualClock } from '../../apps/controller/src/testing/manual-clock.js';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';

let api: KubeApi;
let folder: string;
/** One clock for all: a few seconds pass when it says so. */
let clock: ManualClock;
const all: LeaderLease[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-lease-'));
  clock = new ManualClock();
  api = await startKubeApi();
});
afterEach(async () => {
  await Promise.all(all.splice(0).map((l) => l.stop()));
  await api.stop();
  rmSync(folder, { recursive: true });
});

async function contender(identity: string): Promise<LeaderLease> {
  const lease = new LeaderLease({
    client: await createKubeClient(await api.kubeconfigFile(folder), systemClock),
    clock,
    wallClock: () => new Date(),
    namespace: 'default',
    name: 'heddle',
    identity,
    changed: () => {},
    onError: () => {},
  });
  all.push(lease);
  lease.start();
  return lease;
}
const holder = () => api.object('leases', 'heddle', 'default')?.spec;
/** Lets time pass, and lets everybody look again every five seconds. */
async function pass(ms: number): Promise<void> {
  const everybody = () => Promise.all(all.map((l) => l.idle()));
  // Who is still looking would miss the time that passes.
  await everybody();
  for (let i = 0; i < ms; i += 5_000) {
    clock.advance(5_000);
    await everybody();
  }
}

it('is held by one, for as long as it lives', async () => {
  const a = await contender('a');
  await expect.poll(() => a.leads).toBe(true);
  const b = await contender('b');
  await pass(60_000);
  expect([a.leads, b.leads]).toEqual([true, false]);
  expect(holder()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
});

it('is given back at a stop, and taken over at once', async () => {
  const a = await contender('a');
  await expect.poll(() => a.leads).toBe(true);
  const b = await contender('b');
  await a.stop();
  expect(a.leads).toBe(false);
  await pass(5_000);
  await expect.poll(() => b.leads).toBe(true);
  expect(holder()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

it('is lost by a holder that cannot renew it, before another one may take it', async () => {
  const a = await contender('a');
  await expect.poll(() => a.leads).toBe(true);
  const mend = api.fail((x) => x.resource === 'leases', 500);
  await pass(10_000);
  expect(a.leads).toBe(false);
  expect(holder()).toMatchObject({ holderIdentity: 'a' });
  mend();
  await pass(5_000);
  await expect.poll(() => a.leads).toBe(true);
});

it('of a holder that is gone is taken over after its duration, by one of two', async () => {
  api.put({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'heddle', namespace: 'default' },
    spec: { holderIdentity: 'gone', leaseDurationSeconds: 15, leaseTransitions: 3 },
  });
  const [b, c] = [await contender('b'), await contender('c')];
  await Promise.all(all.map((l) => l.idle()));
  await pass(10_000);
  expect([b.leads, c.leads]).toEqual([false, false]);
  await pass(10_000);
  await expect.poll(() => [b.leads, c.leads].filter(Boolean)).toHaveLength(1);
  expect(holder()).toMatchObject({ leaseTransitions: 4 });
});
