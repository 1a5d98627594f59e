import {
  Attachment,
  NodeConfig,
  NodeView,
  path,
  RealizedAnswer,
  RemovedNodeView,
  ROUTES,
  StatusView,
} from '@heddle/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { WEB } from '../../apps/controller/src/testing/shop.js';
import { ControlledSwitch } from '../support/controlled-switch.js';
import { hasOvs, type TestSwitch } from '../support/ovs.js';

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }] }]
`;

describe.skipIf(!hasOvs())('the controller over a real switch', () => {
  let real: ControlledSwitch;

  beforeEach(async () => {
    real = new ControlledSwitch();
    real.folder.write('shop.yaml', WEB);
    await real.start();
  });
  afterEach(() => real.end());

  /** Registers node1, dials its switch in and attaches both pods. */
  async function bringUp(): Promise<TestSwitch> {
    const ovs = await real.addSwitch();
    await real.connect();
    for (const [i, pod] of ['web-0', 'web-1'].entries()) {
      const attach = { node: 'node1', containerId: `c${i}`, ifname: 'eth0', namespace: 'shop', pod };
      const { portKey } = await real.client.post(ROUTES.agentAttach, Attachment, { body: attach });
      const realized = { portKey, timeoutMs: 10_000 };
      await real.client.post(ROUTES.agentRealized, RealizedAnswer, { body: realized });
    }
    return ovs;
  }
  const settled = () => real.settled();
  const node1 = async () => {
    const [node] = await real.client.get(ROUTES.nodes, z.array(NodeView));
    return node ?? expect.fail('there is no node');
  };

  it('has every flow on the switch when it says that all is realized', async () => {
    const { flows } = await bringUp();
    expect(await settled()).toMatchObject({ realized: true, nodes: { total: 1, connected: 1, realized: 1 } });
    const node = await node1();
    expect(node.flows).toBeGreaterThan(100);
    expect(await flows()).toHaveLength(node.flows);
  });

  it('sends nothing after a restart without changes, not even when a manifest broke meanwhile', async () => {
    const { flows } = await bringUp();
    await settled();
    const before = await flows();
    await real.stop();
    real.folder.write('shop.yaml', 'kind: [');
    await real.start();
    expect(await settled()).toMatchObject({ realized: true, source: { problems: 1 } });
    expect(await node1()).toMatchObject({ modsAtConnect: 0, modsSent: 0 });
    expect(await flows()).toEqual(before);
  });

  it('sends only the difference after a restart with a change', async () => {
    const { flows } = await bringUp();
    await settled();
    const before = new Set(await flows());
    await real.stop();
    real.folder.write('policy.yaml', POLICY);
    await real.start();
    await settled();
    const after = await flows();
    const fresh = after.filter((flow) => !before.has(flow));
    expect(fresh.length).toBeGreaterThan(0);
    expect(after.length).toBe(before.size + fresh.length);
    expect((await node1()).modsAtConnect).toBe(fresh.length);
  });

  it("puts a pod's packets under the new identity only after the flows for it are there", async () => {
    const { flows } = await bringUp();
    real.folder.write('policy.yaml', POLICY);
    await settled();
    const classify = async () => (await flows('in_port=256,table=0')).join();
    const before = await classify();
    real.folder.write(
      'shop.yaml',
      WEB.replaceAll('app: web }', 'app: web, tier: front }').replace(
        'selector: { matchLabels: { app: web, tier: front }',
        'selector: { matchLabels: { app: web }',
      ),
    );
    expect(await settled()).toMatchObject({ realized: true, waitingFor: [] });
    expect(await classify()).not.toBe(before);
  });

  it('gives a node another policy epoch when policies change in its switch, and for nothing else', async () => {
    real.folder.write('shop.yaml', WEB.replace('replicas: 2', 'replicas: 3'));
    real.folder.write('policy.yaml', POLICY);
    await bringUp();
    await settled();
    const config = (query: object = {}) =>
      real.client.get(path(ROUTES.agentNodeConfig, 'node1'), NodeConfig, { query: { ...query }, timeoutMs: 60_000 });
    const attach = async (pod: string) => {
      const body = { node: 'node1', containerId: `c-${pod}`, ifname: 'eth0', namespace: 'shop', pod };
      const { portKey } = await real.client.post(ROUTES.agentAttach, Attachment, { body });
      await real.client.post(ROUTES.agentRealized, RealizedAnswer, { body: { portKey, timeoutMs: 10_000 } });
    };
    const { policyEpoch: first = 0, generation: after } = await config();
    /** The answer to an agent that knows this epoch, as soon as there is another. */
    const next = async (policyEpoch: number) =>
      (await config({ after, policyEpoch, waitMs: 30_000 })).policyEpoch ?? expect.fail('there is no epoch');

    // One more pod of labels that policies have been told of, and one less.
    await attach('web-2');
    await real.client.text('POST', ROUTES.agentDetach, {
      body: { node: 'node1', containerId: 'c-web-2', ifname: 'eth0' },
    });
    await settled();
    expect((await config()).policyEpoch ?? 0).toBe(first);

    const waiting = next(first);
    real.folder.write('policy.yaml', POLICY.replace('ingress: [{', 'ingress: []\n  egress: [{'));
    const second = await waiting;
    expect(second).toBeGreaterThan(first);
    const waitingAgain = next(second);
    real.folder.write('policy.yaml', '');
    const third = await waitingAgain;
    expect(third).toBeGreaterThan(second);

    // An agent of before, which asks for no epoch, is not told of any.
    expect((await config({ after, waitMs: 200 })).policyEpoch).toBe(third);
    await real.stop();
    await real.start();
    await settled();
    expect((await config()).policyEpoch).toBeUndefined();
    real.folder.write('policy.yaml', POLICY);
    expect(await next(third)).toBeGreaterThan(third);
  });

  it('takes the flows for a node that is removed off its peers, and lets go of its switch', async () => {
    const { flows } = await bringUp();
    await settled();
    const before = await flows();
    const body = { encapIp: '172.31.99.2', addresses: ['172.31.99.2'], underlayMtu: 1500, datapathType: 'netdev' };
    await real.client.put(path(ROUTES.agentNode, 'node2'), NodeConfig, { body });
    await expect.poll(async () => (await flows()).length).toBeGreaterThan(before.length);
    expect(await real.client.get(ROUTES.status, StatusView, { query: { waitMs: 50 } })).toMatchObject({
      realized: false,
    });
    await real.client.delete(path(ROUTES.node, 'node2'), RemovedNodeView);
    expect(await settled()).toMatchObject({ realized: true, nodes: { total: 1 } });
    await expect.poll(() => flows()).toEqual(before);

    const remove = (force: string) =>
      real.client.delete(path(ROUTES.node, 'node1'), RemovedNodeView, { query: { force } });
    await expect(remove('false')).rejects.toMatchObject({ code: 'conflict' });
    expect(await remove('true')).toMatchObject({ detached: ['shop/web-0', 'shop/web-1'] });
    expect(await settled()).toMatchObject({ realized: true, nodes: { total: 0 } });
    // A machine that comes back under the name is a new one: the switch of the old one does not count as its switch.
    await real.client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body });
    expect(await node1()).toMatchObject({ key: 3, openflow: { connected: false }, realizedGeneration: 0 });
  });
});
