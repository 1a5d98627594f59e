import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

/** The other end of the node's eth0. */
const UNDERLAY = '172.31.99.254';

describe.skipIf(!canRunNodes())("an agent empties the userspace datapath's cache of decisions", () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
  });
  afterAll(() => node?.stop());

  const control = () => join(node.dir, 'vswitchd.ctl');
  const appctl = (...args: readonly string[]) => node.exec('ovs-appctl', '-t', control(), ...args);
  const needsIt = async () => / 3\.1\.[0-2]\b/.test(await appctl('version'));
  /** Cached decisions about pings of the node. */
  const cached = async () =>
    (await appctl('dpctl/dump-flows')).split('\n').filter((line) => line.includes(`eth_type(0x0800)`));
  const logged = (event: string) =>
    node
      .agentLog()
      .split('\n')
      .filter((line) => line.includes(`"msg":"${event}"`))
      .map((line) => JSON.parse(line) as { readonly policyEpoch?: number });
  /** Times that the agent has asked for its configuration. */
  const asked = () => node.controller.calls.filter((call) => call.endsWith('/config')).length;
  const until = (look: () => void | Promise<void>) => vi.waitFor(look, { timeout: 30_000, interval: 10 });
  const fill = async () => {
    await node.exec('ping', '-c', '3', '-i', '0.1', UNDERLAY);
    expect(await cached()).not.toEqual([]);
  };

  it('when policies have changed in the switch, and only then', async (context) => {
    if (!(await needsIt())) return context.skip();
    await fill();
    const attached = node.cni({
      command: 'ADD',
      containerId: 'c-a',
      netns: await node.addPodNetns('a'),
      args: podArgs('shop', 'a'),
    });
    expect((await attached).status).toBe(0);
    const before = asked();
    node.controller.reconfigure({ podMtu: 1_400 });
    await until(() => expect(asked()).toBeGreaterThan(before));
    expect(logged('datapath_purged')).toEqual([]);
    await fill();

    node.controller.changePolicies();
    await until(() => expect(logged('datapath_purged')).toHaveLength(1));
    expect(await cached()).toEqual([]);
    expect(logged('datapath_purged')[0]?.policyEpoch).toBe(1);
  });

  it('a few times for a burst, and after its last change', async (context) => {
    if (!(await needsIt())) return context.skip();
    const before = logged('datapath_purged').length;
    const startedAt = performance.now();
    for (let i = 0; i < 40; i++) {
      node.controller.changePolicies();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const last = node.controller.config.policyEpoch;
    await until(() => expect(logged('datapath_purged').at(-1)?.policyEpoch).toBe(last));
    // Five in a row at most, one for each second that has passed, one for what came meanwhile.
    const seconds = Math.ceil((performance.now() - startedAt) / 1_000);
    expect(logged('datapath_purged').length - before).toBeLessThanOrEqual(6 + seconds);
  });

  it('tells once that it cannot, and goes on', async (context) => {
    if (!(await needsIt())) return context.skip();
    const purges = logged('datapath_purged').length;
    await rename(control(), `${control()}.away`);
    for (const _ of [1, 2]) {
      const before = asked();
      node.controller.changePolicies();
      await until(() => expect(asked()).toBeGreaterThan(before));
    }
    expect(logged('datapath_not_purged')).toHaveLength(1);
    expect(await node.cni({ command: 'STATUS' })).toMatchObject({ status: 0 });
    await rename(`${control()}.away`, control());
    node.controller.changePolicies();
    await until(() => expect(logged('datapath_purged')).toHaveLength(purges + 1));
  });

  it('at its start, for what changed while it was away', async (context) => {
    if (!(await needsIt())) return context.skip();
    await node.endAgent('SIGTERM');
    const purges = logged('datapath_purged').length;
    node.controller.changePolicies();
    await node.startAgent();
    await until(() => expect(logged('datapath_purged')).toHaveLength(purges + 1));
    expect(logged('datapath_purged').at(-1)?.policyEpoch).toBe(node.controller.config.policyEpoch);
  });
});
