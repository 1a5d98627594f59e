import { beforeAll, expect, it } from 'vitest';
import { TRUTH_TABLE } from '../policy/truth-table.js';
import { TestLab, until } from '../support/lab.js';
import { policySuite } from './suites/policy.js';

const lab = new TestLab();
// The table's pods are on three nodes.
const ASIDE = 'node4';
const { establish } = policySuite({ lab, cases: TRUTH_TABLE, source: async () => ['--nodes', '4'] });

it('the table has at least 40 cases', () => {
  expect(TRUTH_TABLE.length).toBeGreaterThanOrEqual(40);
});

// A switch is read back once a minute: what is done to it before the table is looked at when that has been measured.
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'aside', name },
  spec: { nodeName: ASIDE, containers: [{ name: 'c', image: 'heddle/echo' }] },
});
const everything = async () => ({ flows: await lab.flows(ASIDE), groups: await lab.groups(ASIDE) });
let before: Awaited<ReturnType<typeof everything>>;
beforeAll(async () => {
  await lab.apply('aside.yaml', ['one', 'two'].map((name) => JSON.stringify(pod(name))).join('\n---\n'));
  before = await everything();
  // Of table 0 the number is not written.
  expect(before.flows.filter((f) => /^cookie=0x48\w+, (?!table=)/.test(f)).length).toBeGreaterThan(2);
  await lab.ofctl(ASIDE, 'add-flow', 'cookie=0x1234,table=200,priority=7,actions=drop');
  await lab.ofctl(ASIDE, 'del-flows', 'cookie=0x4800000000000000/0xff00000000000000,table=0');
}, 180_000);

it('a flow that somebody changed on a node beside is repaired, a foreign one is left alone', async () => {
  await establish({ policies: [] });
  const address = (await lab.pod('aside/two')).ips[0] ?? '';
  const probe = { protocol: 'tcp', address, port: 8080, timeoutMs: 1_500 } as const;
  await until(
    'the drift check has repaired the table',
    async () => (await lab.probeOne('aside/one', probe)).outcome === 'ok',
    90_000,
  );
  const { flows } = await everything();
  expect(flows.filter((f) => f.includes('cookie=0x1234'))).toHaveLength(1);
  await lab.ofctl(ASIDE, 'del-flows', 'cookie=0x1234/-1,table=200');
  expect(await everything()).toEqual(before);
}, 120_000);
