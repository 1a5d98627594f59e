import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSwitchDatabase, type SwitchDatabase } from '../../apps/node-agent/src/ovs/database.js';
import { type PodPort, PodPorts } from '../../apps/node-agent/src/ovs/pod-ports.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const pod = (n: number): PodPort => ({
  name: `hd${n.toString(16).padStart(13, '0')}`,
  containerId: `c${n}`,
  ifname: 'eth0',
  namespace: 'shop',
  pod: `p${n}`,
  portKey: n,
  ofport: 300 + n,
  mac: '0a:58:0a:f4:00:05',
  ips: ['10.244.0.5', 'fd00:10:244::5'],
  netns: '/var/run/netns/p',
  network: 'heddle',
  podUid: `u${n}`,
  ownQdisc: n % 2 === 1,
});

describe.skipIf(!hasOvs())("pods' ports in the switch's database", () => {
  let testSwitch: TestSwitch;
  let database: SwitchDatabase;
  const end = new AbortController();
  beforeAll(async () => {
    testSwitch = await startSwitch();
    database = await openSwitchDatabase(testSwitch.ovsdb, end.signal);
  });
  afterAll(async () => {
    end.abort();
    await database?.client.close();
    await testSwitch?.stop();
  });

  it('are read back as they were written', async () => {
    const ports = new PodPorts(database, 30_000);
    await ports.add(pod(1));
    expect(ports.list()).toEqual([pod(1)]);
    expect(ports.get(pod(1).name)).toEqual(pod(1));
    await ports.remove(pod(1).name);
    expect(ports.list()).toEqual([]);
  });

  it('go together while a transaction is in flight', async () => {
    const ports = new PodPorts(database, 30_000);
    await Promise.all(Array.from({ length: 20 }, (_, i) => ports.add(pod(i))));
    expect(ports.list()).toHaveLength(20);
    expect(ports.counters).toEqual({ transactions: 2, jobs: 20 });
    await Promise.all(Array.from({ length: 20 }, (_, i) => ports.remove(pod(i).name)));
    expect(ports.list()).toEqual([]);
    expect(ports.counters).toEqual({ transactions: 4, jobs: 40 });
  });

  it('that the server refuses do not hinder the others', async () => {
    const ports = new PodPorts(database, 30_000);
    await ports.add(pod(1));
    const results = await Promise.allSettled([pod(2), pod(1), pod(3), pod(4)].map((p) => ports.add(p)));
    expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(
      ports
        .list()
        .map((p) => p.portKey)
        .sort(),
    ).toEqual([1, 2, 3, 4]);
    for (const n of [1, 2, 3, 4]) await ports.remove(pod(n).name);
  });

  it('are refused when their number is taken', async () => {
    const ports = new PodPorts(database, 30_000);
    await ports.add(pod(1));
    await expect(ports.add({ ...pod(2), ofport: pod(1).ofport })).rejects.toThrow(/301 is taken/);
    await ports.remove(pod(1).name);
    await ports.remove(pod(2).name);
  });

  it('are not waited for longer than told', async () => {
    const ports = new PodPorts(database, 200);
    testSwitch.freeze();
    await expect(ports.add(pod(5))).rejects.toThrow(/did not add port .* in 200 ms/);
    testSwitch.thaw();
    await ports.remove(pod(5).name);
  });
});
