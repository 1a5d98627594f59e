import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programs } from '../../apps/lab/src/host/controller.js';
import { askPod } from '../../apps/lab/src/probe/ask.js';
import { ROOT, TestLab, until } from '../support/lab.js';

// docs/migrate-from-flannel.md says that pods of both networks reach each other while nodes are switched. In flannel's place there is what it makes of
// a node: a bridge with the pods of the node, routes to the other nodes' ranges, and its masquerading; and kube-proxy's rule that drops what the
// kernel's connection tracking takes for invalid.

const lab = new TestLab();
const RANGE = '10.233.0.0/16';
const UNDERLAY = (n: number) => `172.31.99.${n}`;
const children: ChildProcess[] = [];

interface OtherPod {
  readonly netns: string;
  readonly ip: string;
  readonly socket: string;
}

const must = (command: string, ...args: readonly string[]) => lab.must(command, args);

async function otherNetwork(n: number, peer: number): Promise<OtherPod> {
  const node = lab.netns(`node${n}`);
  const netns = lab.netns(`other${n}`);
  const ip = `10.233.${n}.5`;
  await must('ip', 'netns', 'add', netns);
  await must('ip', '-n', node, 'link', 'add', 'name', 'cni0', 'type', 'bridge');
  await must('ip', '-n', node, 'link', 'add', 'name', 'vother', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
  await must('ip', '-n', node, 'link', 'set', 'vother', 'master', 'cni0', 'up');
  await must('ip', '-n', node, 'link', 'set', 'cni0', 'up');
  await must('ip', '-n', node, 'addr', 'add', `10.233.${n}.1/24`, 'dev', 'cni0');
  await must('ip', '-n', netns, 'link', 'set', 'lo', 'up');
  await must('ip', '-n', netns, 'link', 'set', 'eth0', 'up');
  await must('ip', '-n', netns, 'addr', 'add', `${ip}/24`, 'dev', 'eth0');
  await must('ip', '-n', netns, 'route', 'add', 'default', 'via', `10.233.${n}.1`);
  // The userspace datapath takes frames as they are.
  await must('ip', 'netns', 'exec', netns, 'ethtool', '-K', 'eth0', 'tx', 'off');
  await must('ip', '-n', node, 'route', 'add', `10.233.${peer}.0/24`, 'via', UNDERLAY(peer));
  const rules = [
    'add table ip other',
    'add chain ip other nat { type nat hook postrouting priority 100; }',
    `add rule ip other nat ip saddr ${RANGE} ip daddr ${RANGE} return`,
    `add rule ip other nat ip saddr ${RANGE} ip daddr != 224.0.0.0/4 masquerade`,
    `add rule ip other nat ip saddr != ${RANGE} ip daddr 10.233.${n}.0/24 return`,
    `add rule ip other nat ip saddr != ${RANGE} ip daddr ${RANGE} masquerade`,
    'add chain ip other filter { type filter hook forward priority 0; }',
    'add rule ip other filter ct state invalid drop',
  ];
  await must('ip', 'netns', 'exec', node, 'nft', rules.join('; '));
  const socket = join(lab.paths.stateDir, `other${n}.sock`);
  const config = { pod: `other/${n}`, socket, ports: [{ port: 8080, protocol: 'TCP' }] };
  const program = ['setpriv', '--pdeathsig', 'KILL', process.execPath, programs().podProgram];
  const child = spawn('ip', ['netns', 'exec', netns, ...program], {
    env: { ...process.env, HEDDLE_LAB_POD: JSON.stringify(config) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(child);
  await until(`the server of ${netns}`, async () => existsSync(socket));
  return { netns, ip, socket };
}

describe('two networks beside each other', () => {
  let other: Record<string, OtherPod>;
  beforeAll(async () => {
    await lab.up(join(ROOT, 'test/e2e/fixtures/network'));
    other = { 'other/1': await otherNetwork(1, 2), 'other/2': await otherNetwork(2, 1) };
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    for (const { netns } of Object.values(other ?? {})) await lab.run('ip', ['netns', 'del', netns]);
    await lab.down();
  });

  const address = async (pod: string) => other[pod]?.ip ?? ((await lab.pod(pod)).ips[0] as string);
  const gateway = async (node: string) => (await lab.nodes()).find((n) => n.name === node)?.gatewayIps[0];

  it.each<[from: string, to: string, seenAs: string | (() => Promise<string | undefined>)]>([
    // Of one network, as before.
    ['other/1', 'other/2', '10.233.1.5'],
    ['net/one-a', 'net/two-a', () => address('net/one-a')],
    // Between them, on one node and on two: with an address of the node.
    ['other/1', 'net/one-a', () => gateway('node1')],
    ['other/1', 'net/two-a', () => gateway('node1')],
    ['other/2', 'net/one-a', () => gateway('node2')],
    ['net/one-a', 'other/1', '10.233.1.1'],
    ['net/one-a', 'other/2', UNDERLAY(1)],
    ['net/two-a', 'other/1', UNDERLAY(2)],
  ])('%s reaches %s', async (from, to, seenAs) => {
    const probe = { protocol: 'tcp', address: await address(to), port: 8080, timeoutMs: 10_000 } as const;
    const socket = other[from]?.socket ?? (await lab.pod(from)).probeSocket;
    const [result] = await askPod(from, socket, [probe]);
    expect(result).toMatchObject({ outcome: 'ok', pod: to });
    expect(result?.peer?.replace(/:\d+$/, '')).toBe(typeof seenAs === 'string' ? seenAs : await seenAs());
  });
});
