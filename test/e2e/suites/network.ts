import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, type TestLab } from '../../support/lab.js';

const FAMILIES = [4, 6] as const;

const lateBackend = `
apiVersion: v1
kind: Pod
metadata: { name: late, namespace: net, labels: { app: nobody } }
spec:
  containers: [{ name: echo, image: heddle/echo, ports: [{ containerPort: 80 }] }]
`;

/** Pods, services and what must not get through, with real packets. `source` gives the arguments of `up` that say where objects come from. */
export function networkSuite(lab: TestLab, source: () => Promise<readonly string[]> = async () => []): void {
  const ip = async (pod: string, family: 4 | 6) =>
    (await lab.pod(pod)).ips.find((a) => a.includes(':') === (family === 6)) ?? `no IPv${family} address of ${pod}`;
  const clusterIp = async (service: string, family: 4 | 6) =>
    (await lab.service(service)).clusterIps.find((a) => a.includes(':') === (family === 6)) ?? `no IPv${family}`;

  beforeAll(async () => {
    await lab.up(join(ROOT, 'test/e2e/fixtures/network'), ...(await source()));
  }, 180_000);
  afterAll(() => lab.down());

  describe('pods reach each other', () => {
    const places = [
      ['on one node', 'net/one-a', 'net/one-b'],
      ['on two nodes', 'net/one-a', 'net/two-a'],
      ['on two nodes, the other way', 'net/three-a', 'net/one-b'],
    ] as const;
    const protocols = [
      ['tcp', 8080],
      ['udp', 9000],
      ['icmp', 0],
    ] as const;
    for (const [where, from, to] of places)
      for (const family of FAMILIES)
        it.each(protocols)(`${where}, IPv${family}, %s`, async (protocol, port) => {
          const result = await lab.probeOne(from, { protocol, port, address: await ip(to, family) });
          expect(result).toMatchObject({ outcome: 'ok' });
          if (protocol !== 'icmp') expect(result.pod).toBe(to);
          // No translation between pods: the other side sees the sender's own address.
          if (protocol !== 'icmp') expect(result.peer).toContain(await ip(from, family));
        });

    it.each(FAMILIES)('100 MB survive the way between nodes, IPv%s', async (family) => {
      const bytes = 100_000_000;
      const result = await lab.probeOne('net/one-a', {
        protocol: 'tcp',
        port: 8080,
        address: await ip('net/two-a', family),
        bytes,
        timeoutMs: 100_000,
      });
      expect(result).toMatchObject({ outcome: 'ok', bytes });
    });

    it('packets of the full MTU pass between nodes without fragments', async () => {
      // 1500 - 58 (IPv4, UDP, Geneve with one option, Ethernet) = 1442; minus IPv4 and ICMP headers.
      const pod = await lab.pod('net/one-a');
      const to = await ip('net/two-a', 4);
      const ping = (size: number) =>
        lab.run('ip', ['netns', 'exec', pod.netns, 'ping', '-M', 'do', '-c', '2', '-W', '3', '-s', String(size), to]);
      expect((await ping(1442 - 28)).code).toBe(0);
      expect((await ping(1442 - 27)).code).not.toBe(0);
    });

    it('a closed port is refused at once, so ICMP errors and resets find their way back', async () => {
      const address = await ip('net/two-a', 4);
      expect(await lab.probeOne('net/one-a', { protocol: 'tcp', port: 4444, address })).toMatchObject({
        outcome: 'refused',
      });
      expect(await lab.probeOne('net/one-a', { protocol: 'udp', port: 4444, address })).toMatchObject({
        outcome: 'refused',
      });
    });

    it('a node reaches its own pods and those of other nodes', async () => {
      for (const family of FAMILIES)
        for (const pod of ['net/one-a', 'net/two-a']) {
          const address = await ip(pod, family);
          const url = `http://${family === 6 ? `[${address}]` : address}:8080/`;
          const r = await lab.run('ip', ['netns', 'exec', lab.netns('node1'), 'curl', '-s', '-m', '5', url]);
          expect(r.stdout).toContain(pod);
        }
    });

    it('a pod reaches its node and, masqueraded, what is outside the cluster', async () => {
      // The underlay's bridge is outside the cluster: it has no route to pods, so an answer proves the masquerade.
      for (const address of ['172.31.99.1', '172.31.99.254'])
        expect(await lab.probeOne('net/one-a', { protocol: 'icmp', port: 0, address })).toMatchObject({
          outcome: 'ok',
        });
      expect(await lab.probeOne('net/one-a', { protocol: 'icmp', port: 0, address: 'fd00:31:99::fe' })).toMatchObject({
        outcome: 'ok',
      });
    });
  });

  describe('ClusterIP services', () => {
    it.each(FAMILIES)('spread over all backends and answer from the frontend, IPv%s', async (family) => {
      const address = await clusterIp('net/web', family);
      const probes = Array.from(
        { length: 60 },
        () => ({ protocol: 'tcp', address, port: 80, timeoutMs: 5_000 }) as const,
      );
      const results = await lab.probe('net/one-a', probes);
      expect(results.filter((r) => r.outcome !== 'ok')).toEqual([]);
      expect(new Set(results.map((r) => r.pod))).toEqual(new Set(['net/web-0', 'net/web-1', 'net/web-2']));
    });

    it.each(FAMILIES)('serve several ports, by number and by name, TCP and UDP, IPv%s', async (family) => {
      const address = await clusterIp('net/web', family);
      expect(await lab.probeOne('net/two-a', { protocol: 'tcp', address, port: 8000 })).toMatchObject({
        outcome: 'ok',
      });
      expect(await lab.probeOne('net/two-a', { protocol: 'udp', address, port: 53 })).toMatchObject({ outcome: 'ok' });
    });

    it.each(FAMILIES)('carry bulk data, IPv%s', async (family) => {
      const address = await clusterIp('net/web', family);
      const bytes = 5_000_000;
      expect(
        await lab.probeOne('net/three-a', { protocol: 'tcp', address, port: 80, bytes, timeoutMs: 60_000 }),
      ).toMatchObject({ outcome: 'ok', bytes });
    });

    it.each(FAMILIES)('bring a pod back to itself, IPv%s', async (family) => {
      const address = await clusterIp('net/self', family);
      const result = await lab.probeOne('net/two-a', { protocol: 'tcp', address, port: 80, bytes: 1_000_000 });
      expect(result).toMatchObject({ outcome: 'ok', bytes: 1_000_000 });
    });

    it.each(FAMILIES)('without endpoints refuse at once, IPv%s', async (family) => {
      const address = await clusterIp('net/empty', family);
      const tcp = await lab.probeOne('net/one-a', { protocol: 'tcp', address, port: 80 });
      expect(tcp.outcome).toBe('refused');
      const udp = await lab.probeOne('net/one-a', { protocol: 'udp', address, port: 53 });
      expect(udp.outcome).toBe('refused');
    });

    it.each(FAMILIES)('answer the nodes themselves, IPv%s', async (family) => {
      const address = await clusterIp('net/web', family);
      const url = `http://${family === 6 ? `[${address}]` : address}/`;
      const r = await lab.run('ip', ['netns', 'exec', lab.netns('node2'), 'curl', '-s', '-m', '5', url]);
      expect(r.stdout).toContain('net/web-');
    });

    it('follow their backends', async () => {
      const view = await lab.service('net/web');
      expect(view.ports.find((p) => p.name === 'http')?.endpoints).toHaveLength(6);
      await lab.apply('late.yaml', lateBackend);
      expect((await lab.service('net/empty')).ports.find((p) => p.name === 'tcp')?.endpoints).toHaveLength(2);
      const address = await clusterIp('net/empty', 4);
      expect(await lab.probeOne('net/one-a', { protocol: 'tcp', address, port: 80 })).toMatchObject({
        outcome: 'ok',
        pod: 'net/late',
      });
      await lab.delete('late.yaml');
      expect(await lab.probeOne('net/one-a', { protocol: 'tcp', address, port: 80 })).toMatchObject({
        outcome: 'refused',
      });
    });
  });

  describe('a pod cannot pretend to be another', () => {
    it("sends nothing from another pod's address", async () => {
      const pod = await lab.pod('net/one-a');
      const other = await ip('net/one-b', 4);
      const inPod = (...args: readonly string[]) => lab.run('ip', ['netns', 'exec', pod.netns, ...args]);
      await lab.must('ip', ['-n', pod.netns, 'addr', 'add', `${other}/32`, 'dev', 'lo']);
      try {
        const target = await ip('net/two-a', 4);
        expect((await inPod('ping', '-c', '1', '-W', '2', '-I', other, target)).code).not.toBe(0);
        expect((await inPod('ping', '-c', '1', '-W', '2', target)).code).toBe(0);
      } finally {
        await lab.must('ip', ['-n', pod.netns, 'addr', 'del', `${other}/32`, 'dev', 'lo']);
      }
    });

    it("sends nothing from another pod's MAC", async () => {
      const pod = await lab.pod('net/one-a');
      const target = await ip('net/one-b', 4);
      const views = await lab.podViews();
      const mac = (name: string) => views.find((v) => `${v.namespace}/${v.name}` === name)?.attachment?.mac ?? '';
      const ping = () =>
        lab.run('ip', ['netns', 'exec', pod.netns, 'ping', '-c', '1', '-W', '2', target]).then((r) => r.code);
      expect(await ping()).toBe(0);
      await lab.must('ip', ['-n', pod.netns, 'link', 'set', 'eth0', 'address', mac('net/one-b')]);
      try {
        expect(await ping()).not.toBe(0);
      } finally {
        await lab.must('ip', ['-n', pod.netns, 'link', 'set', 'eth0', 'address', mac('net/one-a')]);
      }
      expect(await ping()).toBe(0);
    });
  });
}
