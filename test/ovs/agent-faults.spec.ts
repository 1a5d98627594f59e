import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Refusal } from '../support/fake-controller.js';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const NOTHING = { ports: [], links: [], leases: [] };
const refusal = (status: number, code: Refusal['code'], message: string): Refusal => ({ status, code, message });

/** An ADD whose switch does not answer, which the agent waits for for ten seconds. */
async function addToStalledSwitch() {
  const node = await startNode();
  try {
    await node.startAgent();
    const netns = await node.addPodNetns('a');
    process.kill(node.vswitchdPid(), 'SIGSTOP');
    const { json } = await node
      .cni({ command: 'ADD', containerId: 'c-a', netns, args: podArgs('shop', 'a') })
      .finally(() => process.kill(node.vswitchdPid(), 'SIGCONT'));
    return { json, left: await node.left() };
  } finally {
    await node.stop();
  }
}

describe.skipIf(!canRunNodes())('an ADD that fails leaves nothing', () => {
  let node: TestNode;
  /** On a node of its own, that does nothing but wait while the other is tested. */
  let stalled: ReturnType<typeof addToStalledSwitch>;
  let netns: string;
  let original: TestNode['controller']['behaviour'];
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
    netns = await node.addPodNetns('a');
    original = { ...node.controller.behaviour };
    stalled = addToStalledSwitch();
    stalled.catch(() => undefined);
  });
  afterAll(() => node?.stop());
  afterEach(() => {
    Object.assign(node.controller.behaviour, original);
  });
  const add = (more: object = {}) =>
    node.cni({ command: 'ADD', containerId: 'c-a', netns, args: podArgs('shop', 'a'), ...more });

  it.each<[string, Partial<TestNode['controller']['behaviour']>, number, RegExp]>([
    // what fails, how, code, sentence
    [
      'no address left',
      { refuseAttach: refusal(409, 'pool_exhausted', 'subnet default has no free block') },
      100,
      /address pool is exhausted: subnet default/,
    ],
    ['a pod that nobody knows', { refuseAttach: refusal(404, 'unknown_pod', 'no pod shop/a') }, 11, /no pod shop\/a/],
    ['a controller that forgot the node', { refuseAttach: refusal(404, 'unknown_node', 'node1?') }, 11, /node1\?/],
    ['a port number that is taken', { lease: (l) => ({ ...l, ofport: 2 }) }, 103, /2 is taken/],
    [
      'an address that the kernel refuses',
      { lease: (l) => ({ ...l, ips: ['10.244.0.999'] }) },
      102,
      /cannot configure the interface eth0/,
    ],
    ['a MAC that the kernel refuses', { lease: (l) => ({ ...l, mac: '01:00:5e:00:00:01' }) }, 102, /cannot configure/],
    [
      'flows not acknowledged',
      { refuseRealized: refusal(504, 'timeout', 'switch node1 did not acknowledge in 15 s') },
      11,
      /did not acknowledge/,
    ],
  ])('%s', async (_name, behaviour, code, sentence) => {
    Object.assign(node.controller.behaviour, behaviour);
    const { status, json } = await add();
    expect(status).toBe(1);
    expect(json.code).toBe(code);
    expect(json.msg).toMatch(sentence);
    expect(await node.left()).toEqual(NOTHING);
    expect(await node.podExec('a', 'ip', '-br', 'link')).not.toMatch(/eth0/);
  });

  it('an interface of that name in the container', async () => {
    await node.podExec('a', 'ip', 'link', 'add', 'name', 'eth0', 'type', 'veth', 'peer', 'name', 'x');
    expect((await add()).json).toMatchObject({ code: 101, msg: 'an interface eth0 exists in the container already' });
    expect(await node.left()).toEqual(NOTHING);
    await node.podExec('a', 'ip', 'link', 'del', 'eth0');
  });

  it('a namespace that does not exist, of which the controller does not even hear', async () => {
    const before = node.controller.calls.length;
    expect((await add({ netns: '/var/run/netns/hdagent-none' })).json.code).toBe(3);
    expect(node.controller.calls.slice(before).filter((c) => c.includes('attach'))).toEqual([]);
  });

  it("the node's own namespace", async () => {
    expect((await add({ netns: `/var/run/netns/${node.netns}` })).json).toMatchObject({ code: 4 });
  });

  it('no controller, which is told in 11 without waiting for one', async () => {
    await node.controller.down();
    try {
      const { json } = await add();
      // What a deadline ends is told in other words.
      expect(json).toMatchObject({
        code: 11,
        msg: expect.stringMatching(/cannot reach the controller.*: connect ENOENT/),
      });
      await eventually(async () => expect((await node.cni({ command: 'STATUS' })).json?.code).toBe(50));
    } finally {
      await node.controller.up();
    }
    await eventually(async () => expect((await node.cni({ command: 'STATUS' })).status).toBe(0));
    expect(await node.left()).toEqual(NOTHING);
  });

  it('a lease that cannot be given back at once is given back later', async () => {
    Object.assign(node.controller.behaviour, {
      refuseRealized: refusal(504, 'timeout', 'no'),
      refuseDetach: refusal(503, 'unavailable', 'not now'),
    });
    expect((await add()).status).toBe(1);
    expect(await node.left()).toEqual({ ports: [], links: [], leases: ['c-a/eth0'] });
    Object.assign(node.controller.behaviour, original);
    await eventually(async () => expect(await node.left()).toEqual(NOTHING));
  });

  it('a repetition for an interface that is attached, which stays', async () => {
    expect((await add()).status).toBe(0);
    expect((await add()).json).toMatchObject({ code: 101 });
    const left = await node.left();
    expect([left.ports.length, left.links.length, left.leases]).toEqual([1, 1, ['c-a/eth0']]);
  });

  it('DEL while the controller is away frees port and link at once, and the lease when it is back', async () => {
    await node.controller.down();
    try {
      expect((await node.cni({ command: 'DEL', containerId: 'c-a' })).status).toBe(0);
      expect(await node.left()).toEqual({ ports: [], links: [], leases: ['c-a/eth0'] });
    } finally {
      await node.controller.up();
    }
    await eventually(async () => expect(await node.left()).toEqual(NOTHING));
  });

  it('a switch that does not answer', async () => {
    const { json, left } = await stalled;
    expect(json).toMatchObject({ code: 11, msg: expect.stringMatching(/did not add port hd/) });
    expect(left).toEqual(NOTHING);
  });
});
