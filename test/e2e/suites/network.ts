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

  /** In a pod: ends with the first answer. The packets are many, since one may be lost. */
  const ping = async (pod: string, address: string, ...args: readonly string[]) => {
    const { netns } = await lab.pod(pod);
    const command = ['ping', '-n', '-c', '1', '-i', '0.2', '-w', '10', ...args, address];
    return lab.run('ip', ['netns', 'exec', netns, ...command]);
  };
  const answered = { code: 0, stdout: expect.stringContaining('1 received') };
  /** As long as nothing must come. */
  const shortly = ['-w', '1'];
  const curl = (node: string, address: string, port: number) => {
    const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
    return lab.run('ip', ['netns', 'exec', lab.netns(node), 'curl', '-sS', '-m', '10', url]);
  };

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
      const to = await ip('net/two-a', 4);
      const sized = (bytes: number) => ['-M', 'do', '-s', String(bytes - 28)];
      expect(await ping('net/one-a', to, ...sized(1442))).toMatchObject(answered);
      const larger = await ping('net/one-a', to, ...sized(1443), ...shortly);
      expect(larger).toMatchObject({ code: 1, stdout: expect.stringContaining(', 0 received') });
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
          const answer = await curl('node1', await ip(pod, family), 8080);
          expect(answer).toMatchObject({ code: 0, stdout: expect.stringContaining(pod) });
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
        () => ({ protocol: 'tcp', address, port: 80, timeoutMs: 10_000 }) as const,
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
      const answer = await curl('node2', address, 80);
      expect(answer).toMatchObject({ code: 0, stdout: expect.stringContaining('net/web-') });
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
      await lab.must('ip', ['-n', pod.netns, 'addr', 'add', `${other}/32`, 'dev', 'lo']);
      try {
        const target = await ip('net/two-a', 4);
        const spoofed = await ping('net/one-a', target, '-I', other, ...shortly);
        expect(spoofed).toMatchObject({ code: 1, stdout: expect.stringContaining(', 0 received') });
        expect(await ping('net/one-a', target)).toMatchObject(answered);
      } finally {
        await lab.must('ip', ['-n', pod.netns, 'addr', 'del', `${other}/32`, 'dev', 'lo']);
      }
    });

    it("sends nothing from another pod's MAC", async () => {
      const pod = await lab.pod('net/one-a');
      const target = await ip('net/one-b', 4);
      const views = await lab.podViews();
      const mac = (name: string) => views.find((v) => `${v.namespace}/${v.name}` === name)?.attachment?.mac ?? '';
      expect(await ping('net/one-a', target)).toMatchObject(answered);
      await lab.must('ip', ['-n', pod.netns, 'link', 'set', 'eth0', 'address', mac('net/one-b')]);
      try {
        const spoofed = await ping('net/one-a', target, ...shortly);
        expect(spoofed).toMatchObject({ code: 1, stdout: expect.stringContaining(', 0 received') });
      } finally {
        await lab.must('ip', ['-n', pod.netns, 'link', 'set', 'eth0', 'address', mac('net/one-a')]);
      }
      expect(await ping('net/one-a', target)).toMatchObject(answered);
    });
  });
}
