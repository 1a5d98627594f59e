import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT, TestLab, until } from '../support/lab.js';

// What policies decide in a running cluster: told of line by line, and counted, packet by packet.

const lab = new TestLab();
const [ONE, TWO, OTHER] = ['net/one-a', 'net/two-a', 'net/three-a'] as const;
const LATEST_MS = 60_000;

/** Pods of "one" may do everything to those of "two", others nothing. */
const watched = (more = '') => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: watched, namespace: net, annotations: { heddle.dev/log: all } }
spec:
  podSelector: { matchLabels: { app: two } }
  ingress:
  - from: [{ podSelector: { matchLabels: { app: one } } }]
${more}`;

beforeAll(async () => {
  await lab.up(join(ROOT, 'test/e2e/fixtures/network'));
  await lab.apply('watched.yaml', watched());
}, 180_000);
afterAll(() => lab.down());

/** Sends a pod's pings to "two"; an answer comes to each or to none, or the counts to come would be wrong. */
const ping = async (from: string, n: number, answered: boolean): Promise<void> => {
  const address = (await lab.pod(TWO)).ips[0] ?? '';
  const args = ['-n', '-q', '-i', '0.2', '-W', '1', '-c', String(n), address];
  const { stdout } = await lab.lab('exec', from, '--', 'ping', ...args);
  expect(stdout).toContain(`${n} packets transmitted, ${answered ? n : 0} received`);
};
/** Lines of `heddle policies net/watched`: place and packets. */
const counters = async () => {
  const { stdout } = await lab.must(join(ROOT, 'apps/cli/bin/heddle'), ['policies', 'net/watched']);
  return [...stdout.matchAll(/^ingress +(rule \d+|no rule allows it) +\w+ +(\d+)/gm)].map((m) => [m[1], Number(m[2])]);
};
const counted = (...wanted: readonly (readonly [string, number])[]) =>
  until(
    `counters ${JSON.stringify(wanted)}`,
    async () => {
      const now = JSON.stringify(await counters());
      if (now !== JSON.stringify(wanted)) throw new Error(now);
      return true;
    },
    LATEST_MS,
  );
const logged = async (...args: readonly string[]) => (await lab.heddle('policy-log', ...args)).stdout;

it('tells of denials and of connections that a rule allowed, each once with its count', async () => {
  await ping(ONE, 4, true);
  await ping(OTHER, 3, false);
  await until('both events', async () => (await logged()).trim().split('\n').length === 2, LATEST_MS);
  expect(await logged('--verdict', 'allowed')).toMatch(
    /allowed ingress net\/one-a -> net\/two-a icmp x1 on node2: net\/watched rule 0\n$/,
  );
  expect(await logged('--verdict', 'denied', '--pod', OTHER)).toMatch(
    /denied ingress net\/three-a -> net\/two-a icmp x3 on node2: net\/watched, no rule allows it\n$/,
  );
}, 120_000);

it('counts exactly what was sent, over recompilation and restarts of controller and switch', async () => {
  await counted(['rule 0', 4], ['no rule allows it', 3]);
  await lab.apply('watched.yaml', watched('  - from: [{ podSelector: { matchLabels: { app: nobody } } }]\n'));
  await ping(ONE, 5, true);
  await ping(OTHER, 2, false);
  await counted(['rule 0', 9], ['rule 1', 0], ['no rule allows it', 5]);
  await lab.restartController();
  await lab.realized();
  await counted(['rule 0', 9], ['rule 1', 0], ['no rule allows it', 5]);
  await ping(ONE, 3, true);
  await counted(['rule 0', 12], ['rule 1', 0], ['no rule allows it', 5]);
  await lab.restartVswitchd('node2');
  await lab.realized();
  // Packets pass node2 again, of a kind that no rule judges.
  const address = (await lab.pod(OTHER)).ips[0] ?? '';
  await until(
    'node2 forwards again',
    async () => (await lab.probeOne(TWO, { protocol: 'icmp', address, port: 0, timeoutMs: 1_000 })).outcome === 'ok',
  );
  await ping(OTHER, 7, false);
  await counted(['rule 0', 12], ['rule 1', 0], ['no rule allows it', 12]);
  expect(await lab.metrics()).toMatch(
    /heddle_policy_packets_total\{namespace="net",policy="watched",verdict="denied"\} 12\n/,
  );
  expect((await lab.heddle('policies', '-o', 'wide')).stdout).toMatch(/net +watched .* all +12 +12 +net\/two-a/);
}, 300_000);
