import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  configurePodLink,
  createPodLink,
  deleteHostLink,
  hostLinkExists,
  netnsState,
} from '../../apps/node-agent/src/host/links.js';
import { hostInterfaceName } from '../../apps/node-agent/src/host/pod-link.js';
import { canRunNodes } from '../support/node.js';

describe.skipIf(!canRunNodes())("a pod's link", () => {
  const name = `hdagent-link-${process.pid}`;
  const netns = `/var/run/netns/${name}`;
  const link = { hostInterface: hostInterfaceName(name, 'eth0'), podInterface: 'eth0', netns, mtu: 1400 };
  const addressing = {
    mac: '0a:58:0a:f4:00:05',
    mtu: 1400,
    ips: ['10.244.0.5'],
    routerIps: ['169.254.1.1'],
    routerMac: '0a:58:00:00:00:01',
  };
  const inPod = (...argv: readonly string[]) =>
    execFileSync('nsenter', [`--net=${netns}`, ...argv], { encoding: 'utf8' });
  beforeEach(() => {
    execFileSync('ip', ['netns', 'add', name]);
  });
  afterEach(async () => {
    if (hostLinkExists(link.hostInterface)) await deleteHostLink(link.hostInterface);
    execFileSync('ip', ['netns', 'del', name]);
  });

  it.each([
    ['keeps its offloads with the kernel datapath', 'keep', 'on'],
    ['has no checksum offload with the userspace datapath', 'off', 'off'],
  ] as const)('%s', async (_name, offload, state) => {
    await createPodLink(link);
    await configurePodLink(netns, 'eth0', { offload, egress: undefined }, Promise.resolve(addressing));
    expect(inPod('ethtool', '-k', 'eth0')).toMatch(new RegExp(`^tx-checksumming: ${state}$`, 'm'));
    expect(inPod('ip', '-br', 'addr', 'show', 'eth0')).toMatch(/^eth0@\S+ +UP +10.244.0.5\/32/);
  });

  it('is not configured when nobody says how', async () => {
    await createPodLink(link);
    const why = Promise.reject(new Error('no lease'));
    await expect(configurePodLink(netns, 'eth0', { offload: 'off', egress: undefined }, why)).rejects.toThrow(
      /not needed any more/,
    );
    expect(inPod('ip', '-br', 'link', 'show', 'eth0')).toMatch(/ DOWN /);
  });

  it('can be removed twice, and is gone with its namespace', async () => {
    await createPodLink(link);
    await deleteHostLink(link.hostInterface);
    await deleteHostLink(link.hostInterface);
    await createPodLink(link);
    execFileSync('ip', ['netns', 'del', name]);
    for (const end = Date.now() + 30_000; hostLinkExists(link.hostInterface) && Date.now() < end; )
      await new Promise((done) => setTimeout(done, 10));
    expect([hostLinkExists(link.hostInterface), netnsState(netns)]).toEqual([false, 'absent']);
    execFileSync('ip', ['netns', 'add', name]);
  });

  it("'s namespace is told apart from our own", () => {
    expect([netnsState(netns), netnsState('/proc/self/ns/net')]).toEqual(['present', 'own']);
  });
});
