import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROLLER } from '../../apps/lab/src/host/services.js';
import { UNDERLAY_BRIDGE } from '../../apps/node-agent/src/ovs/plan.js';
import { ROOT, TestLab, until } from '../support/lab.js';

const lab = new TestLab();
const NODES = ['node1', 'node2', 'node3'];

beforeAll(async () => {
  await lab.up(join(ROOT, 'test/e2e/fixtures/network'));
}, 180_000);
afterAll(() => lab.down());

const everything = async () =>
  Promise.all(NODES.map(async (n) => ({ node: n, flows: await lab.flows(n), groups: await lab.groups(n) })));

/** What is denied costs the whole time. */
const DENIED_MS = 1_500;
async function reaches(from: string, to: string, timeoutMs = 10_000): Promise<boolean> {
  const address = (await lab.pod(to)).ips[0] ?? '';
  return (await lab.probeOne(from, { protocol: 'tcp', address, port: 8080, timeoutMs })).outcome === 'ok';
}

const denyTwo = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny-two, namespace: net }
spec: { podSelector: { matchLabels: { app: two } }, policyTypes: [Ingress] }
`;

describe('the controller goes away', () => {
  it('traffic goes on and nothing changes on the switches; started again with nothing changed it sends no flow-mod', async () => {
    const before = await everything();
    expect(before.every((b) => b.flows.length > 20)).toBe(true);
    await lab.kill(CONTROLLER);
    expect(await reaches('net/one-a', 'net/two-a')).toBe(true);
    expect(await everything()).toEqual(before);
    await lab.startController();
    await lab.realized();
    expect((await lab.nodes()).map((n) => [n.name, n.modsAtConnect, n.modsSent])).toEqual(NODES.map((n) => [n, 0, 0]));
    expect(await everything()).toEqual(before);
  });

  it('manifests changed meanwhile: only the difference is sent', async () => {
    await lab.kill(CONTROLLER);
    lab.writeManifest('while-away.yaml', denyTwo);
    expect(await reaches('net/one-a', 'net/two-a')).toBe(true);
    await lab.startController();
    await lab.realized();
    const sent = Object.fromEntries((await lab.nodes()).map((n) => [n.name, n.modsAtConnect]));
    // two-a lives on node2: its isolation is a flow or two there, and nothing anywhere else.
    expect(sent.node1).toBe(0);
    expect(sent.node3).toBe(0);
    expect(sent.node2).toBeGreaterThan(0);
    expect(sent.node2).toBeLessThan(6);
    expect(await reaches('net/one-a', 'net/two-a', DENIED_MS)).toBe(false);
    expect(await reaches('net/two-a', 'net/one-a')).toBe(true);
    lab.removeManifest('while-away.yaml');
    await until('the policy is gone', () => reaches('net/one-a', 'net/two-a', DENIED_MS));
  });
});

describe('ovs-vswitchd restarts', () => {
  it('its flows are whole again within 2 s of its reconnecting, without a restart of anything else', async () => {
    const before = await everything();
    const remote = async () => (await lab.nodes()).find((n) => n.name === 'node2')?.openflow.remote ?? null;
    const old = await remote();
    await lab.restartVswitchd('node2');
    const started = performance.now();
    const wanted = before.find((b) => b.node === 'node2')?.flows.length ?? 0;
    // The controller may not have seen the end of the old connection yet: the network that would tell it died with the switch.
    await until('the switch has connected again', async () => ![null, old].includes(await remote()));
    const connected = performance.now();
    await until('all flows are back', async () => (await lab.flows('node2')).length >= wanted, 10_000);
    const whole = performance.now();
    console.log(
      JSON.stringify({
        benchmark: 'vswitchd restart',
        flows: wanted,
        connectedAfterMs: Math.round(connected - started),
        wholeAfterConnectMs: Math.round(whole - connected),
      }),
    );
    await until('flows and groups are as before', async () => {
      expect(await everything()).toEqual(before);
      return true;
    });
    await until('traffic passes', () => reaches('net/one-a', 'net/two-a', DENIED_MS));
  });
});

describe('a switch has forgotten the next hops of its tunnels', () => {
  it('its agent tells them, and the first packet arrives', async () => {
    // Nothing that the switch could learn from by itself: the kernel knows all for ever and asks nobody.
    for (const { encapIp } of (await lab.nodes()).filter(({ name }) => name !== 'node1')) {
      const device = ['neigh', 'show', 'dev', UNDERLAY_BRIDGE, encapIp];
      const { stdout } = await lab.must('ip', ['-n', lab.netns('node1'), ...device]);
      const mac = /lladdr (\S+)/.exec(stdout)?.[1] ?? 'none';
      await lab.must('ip', [
        ...['-n', lab.netns('node1'), 'neigh', 'replace', encapIp],
        ...['lladdr', mac, 'dev', UNDERLAY_BRIDGE, 'nud', 'permanent'],
      ]);
    }
    await lab.appctl('node1', 'tnl/neigh/flush');
    await lab.appctl('node1', 'revalidator/purge');
    expect((await lab.lab('restart', 'agent', 'node1')).code).toBe(0);
    await lab.nextHopsKnown('node1');
    const address = (await lab.pod('net/two-a')).ips[0] ?? '';
    expect(await lab.lab('exec', 'net/one-a', '--', 'ping', '-n', '-c', '1', '-W', '10', address)).toMatchObject({
      code: 0,
    });
  });
});
