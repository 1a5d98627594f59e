import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const NOTHING = { ports: [], links: [], leases: [] };

// What kubelet and its container runtime do to a CNI executable over the life of pods: sandboxes that are given up, names that come back, calls that
// come late, twice or never.
describe.skipIf(!canRunNodes())('a node agent under kubelet', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
  });
  afterAll(() => node?.stop());
  afterEach(() => {
    node.controller.behaviour.realizedDelayMs = 0;
  });

  const add = async (containerId: string, args: string, more: object = {}) => {
    const netns = await node.addPodNetns(containerId);
    return { netns, ...(await node.cni({ command: 'ADD', containerId, netns, args, ...more })) };
  };
  const del = (containerId: string, netns?: string) =>
    node.cni({ command: 'DEL', containerId, ...(netns === undefined ? {} : { netns }) });
  const portOf = async (containerId: string) => {
    const find = ['--no-heading', '--columns=name', 'find', 'Interface', `external_ids:container-id=${containerId}`];
    return (await node.vsctl('--format=csv', '--data=bare', ...find)).trim();
  };

  it.each([
    ['another pod under the same name', 'u-2'],
    ['another sandbox of the same pod', 'u-1'],
  ])('%s takes the place of the earlier one, whose late DEL changes nothing', async (_name, uid) => {
    const first = await add('old', podArgs('shop', 'db-0', 'u-1'));
    const second = await add('new', podArgs('shop', 'db-0', uid));
    expect([first.status, second.status]).toEqual([0, 0]);
    // The earlier port has gone already: its DEL may never come.
    expect((await node.left()).leases).toEqual(['new/eth0']);
    expect((await node.left()).ports).toEqual([await portOf('new')]);
    expect(await node.vsctl('get', 'Interface', await portOf('new'), 'external_ids:heddle-pod-uid')).toContain(uid);

    const before = await node.left();
    expect((await del('old', first.netns)).status).toBe(0);
    expect((await del('old')).status).toBe(0);
    expect(await node.left()).toEqual(before);
    const check = { command: 'CHECK', containerId: 'new', netns: second.netns, config: { prevResult: second.json } };
    expect((await node.cni(check)).status).toBe(0);
    expect((await del('new')).status).toBe(0);
    expect(await node.left()).toEqual(NOTHING);
    for (const pod of ['old', 'new']) await node.removePodNetns(pod);
  });

  it('a static pod, whose UID is a hash, in a namespace of the runtime', async () => {
    const uid = '7b9a1d0c3e5f42608897abcdef012345';
    expect((await add('static', podArgs('kube-system', 'etcd-node1', uid))).status).toBe(0);
    const ids = await node.vsctl('get', 'Interface', await portOf('static'), 'external_ids');
    expect(ids).toContain(`heddle-pod-uid="${uid}"`);
    expect((await del('static')).status).toBe(0);
    await node.removePodNetns('static');
  });

  it('an ADD whose executable the runtime has killed is taken back, and the same call succeeds then', async () => {
    node.controller.behaviour.realizedDelayMs = 60_000;
    const impatience = new AbortController();
    const netns = await node.addPodNetns('slow');
    const call = { command: 'ADD', containerId: 'slow', netns, args: podArgs('shop', 'slow') };
    const killed = node.cni({ ...call, signal: impatience.signal });
    killed.catch(() => undefined);
    await eventually(async () => expect((await node.left()).ports).toHaveLength(1));
    impatience.abort();
    await expect(killed).rejects.toThrow(/abort/i);
    // Before the switch would have been given up, after 15 s.
    await eventually(async () => expect(await node.left()).toEqual(NOTHING), 12_000);

    node.controller.behaviour.realizedDelayMs = 0;
    expect((await node.cni(call)).status).toBe(0);
    expect((await node.left()).leases).toEqual(['slow/eth0']);
    expect((await del('slow')).status).toBe(0);
    await node.removePodNetns('slow');
  });

  it('the repetition of a killed ADD may come before that has been taken back', async () => {
    node.controller.behaviour.realizedDelayMs = 60_000;
    const impatience = new AbortController();
    const netns = await node.addPodNetns('twice');
    const call = { command: 'ADD', containerId: 'twice', netns, args: podArgs('shop', 'twice') };
    const killed = node.cni({ ...call, signal: impatience.signal });
    killed.catch(() => undefined);
    await eventually(async () => expect((await node.left()).links).toHaveLength(1));
    impatience.abort();
    node.controller.behaviour.realizedDelayMs = 0;
    expect((await node.cni(call)).status).toBe(0);
    const left = await node.left();
    expect([left.ports.length, left.links.length, left.leases]).toEqual([1, 1, ['twice/eth0']]);
    expect((await del('twice')).status).toBe(0);
    await node.removePodNetns('twice');
  });

  it('a sandbox given up and the one after it, both being attached at once, end with the later alone', async () => {
    const args = podArgs('shop', 'race');
    const both = await Promise.all([add('r1', args), add('r2', args)]);
    expect(both.map((b) => b.status)).toContain(0);
    const [holder = ''] = (await node.left()).leases;
    const kept = holder.replace('/eth0', '');
    await eventually(async () => expect((await node.left()).ports).toEqual([await portOf(kept)]));
    expect((await del(kept === 'r1' ? 'r2' : 'r1')).status).toBe(0);
    expect((await node.left()).leases).toEqual([holder]);
    expect((await del(kept)).status).toBe(0);
    expect(await node.left()).toEqual(NOTHING);
  });

  it('an agent that starts does not give the lease back to the sandbox before', async () => {
    await add('s1', podArgs('shop', 'sts-0', 'u-1'));
    await node.endAgent('SIGTERM');
    // Attached elsewhere meanwhile, as a controller restored from a backup could have it.
    const lease = node.controller.attachments.get('s1/eth0');
    if (lease === undefined) throw new Error('no lease');
    node.controller.attachments.clear();
    node.controller.attachments.set('s2/eth0', {
      ...lease,
      containerId: 's2',
      portKey: lease.portKey + 1,
      ofport: 999,
    });
    const attaches = node.controller.calls.filter((c) => c.endsWith('/attach')).length;
    await node.startAgent();
    // The other one has no port here, so it goes too; but nobody was asked to attach s1 again.
    expect(node.controller.calls.filter((c) => c.endsWith('/attach')).length).toBe(attaches);
    expect(await node.left()).toEqual(NOTHING);
  });

  it('STATUS tells of a switch that does not work although its database answers', async () => {
    process.kill(node.vswitchdPid(), 'SIGSTOP');
    try {
      await eventually(async () => expect((await node.cni({ command: 'STATUS' })).json).toMatchObject({ code: 51 }));
      expect((await node.cni({ command: 'STATUS' })).json.msg).toMatch(/ovs-vswitchd does not answer/);
    } finally {
      process.kill(node.vswitchdPid(), 'SIGCONT');
    }
    await eventually(async () => expect((await node.cni({ command: 'STATUS' })).status).toBe(0));
  });
});
