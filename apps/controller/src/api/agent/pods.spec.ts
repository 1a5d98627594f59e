import { join } from 'node:path';
import { Attachment, NodeRealizedAnswer, PodView, path, ROUTES, ServiceView } from '@heddle/api';
import { nodeName } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ADD, shopPod, useShop, WEB_ONLY } from '../../testing/shop.js';

const shop = useShop();

describe('the life of a pod', () => {
  it('goes from registration over attach and realized to detach', async () => {
    await shop.start();
    expect(await shop.register()).toEqual({
      generation: 2,
      node: 'node1',
      datapathId: '4865646400000001',
      encap: 'geneve',
      podMtu: 1442,
      clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'],
      serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
      routerMac: '0a:58:00:00:00:01',
      routerIps: ['169.254.1.1', 'fe80::1'],
      gateway: { mac: '0a:59:00:00:00:01', ips: ['10.244.0.1', 'fd00:10:244::1'], ofport: 2 },
      tunnelOfport: 1,
      openflowTargets: ['tcp::6653'],
      ovsdbTargets: ['tcp::6640'],
      peers: [],
    });
    shop.h.switches.connect('node1');
    const attachment = await shop.attach();
    expect(attachment).toEqual({
      ...ADD,
      portKey: 1,
      ofport: 256,
      mac: '0a:5a:00:00:00:01',
      ips: ['10.244.0.2', 'fd00:10:244::2'],
      mtu: 1442,
    });
    expect(await shop.attach()).toEqual(attachment);
    expect(await shop.realized(1, 20_000)).toMatchObject({ portKey: 1, realized: true });
    const services = await shop.h.client.get(ROUTES.services, z.array(ServiceView));
    expect(services).toMatchObject([
      {
        clusterIps: ['10.96.1.0', 'fd00:10:96::100'],
        ports: [{ port: 80, targetPort: 'http', endpoints: ['10.244.0.2:8080', '[fd00:10:244::2]:8080'] }],
      },
    ]);
    const pods = await shop.h.client.get(ROUTES.pods, z.array(PodView));
    expect(pods.map((p) => [p.name, p.attachment?.node, p.attachment?.realized])).toEqual([
      ['web-0', 'node1', true],
      ['web-1', undefined, undefined],
    ]);
    const detach = { body: { node: 'node1', containerId: 'c1', ifname: 'eth0' } };
    await shop.h.client.post(ROUTES.agentDetach, z.object({}), detach);
    await shop.h.client.post(ROUTES.agentDetach, z.object({}), detach);
    expect(await shop.h.client.get(path(ROUTES.agentAttachments, 'node1'), z.array(Attachment))).toEqual([]);
    expect(shop.h.compiler.fact('attachment', 'shop/web-0')).toBeUndefined();
    expect(shop.h.compiler.fact('endpoints', 'shop/web')).toMatchObject({ ports: [{ endpoints: [] }] });
  });

  it('waits for a pod that the source does not know yet', async () => {
    await shop.start();
    await shop.register();
    const waiting = shop.attach({ ...ADD, pod: 'late', waitMs: 20_000 });
    shop.folder.write('late.yaml', shopPod('late', '{ a: b }'));
    expect(await waiting).toMatchObject({ pod: 'late' });
  });

  it('tells an agent when the switch of its node has acknowledged everything', async () => {
    await shop.start();
    const wait = (name: string, timeoutMs: number) =>
      shop.h.client.post(path(ROUTES.agentNodeRealized, name), NodeRealizedAnswer, { body: { timeoutMs } });
    await expect(wait('node1', 0)).rejects.toMatchObject({ code: 'unknown_node' });
    const { generation } = await shop.register();
    await expect(wait('node1', 0)).rejects.toMatchObject({ code: 'timeout', status: 504 });
    const waiting = wait('node1', 20_000);
    shop.h.switches.connect('node1');
    expect((await waiting).generation).toBeGreaterThanOrEqual(generation);
  });

  it('is not realized before the switch has acknowledged it', async () => {
    await shop.start();
    await shop.register();
    shop.h.switches.connect('node1');
    shop.h.switches.automatic = false;
    const { portKey } = await shop.attach();
    await expect(shop.realized(portKey, 30)).rejects.toMatchObject({ code: 'timeout', status: 504 });
    const waiting = shop.realized(portKey, 20_000);
    shop.h.switches.acknowledgeAll();
    expect(await waiting).toMatchObject({ realized: true });
  });

  it.each<[name: string, body: object, code: string, status: number, message: RegExp]>([
    ['an unknown pod', { ...ADD, pod: 'nobody', waitMs: 0 }, 'unknown_pod', 404, /no pod shop\/nobody/],
    ['an unknown node', { ...ADD, node: 'node9' }, 'unknown_node', 404, /node node9 has not registered/],
    ['a pod of another node', { ...ADD, pod: 'pinned' }, 'conflict', 409, /belongs on node node2/],
    ["a pod in the host's network", { ...ADD, pod: 'host' }, 'bad_request', 400, /host's network/],
    ['no container', { ...ADD, containerId: '' }, 'bad_request', 400, /containerId/],
    ['a path as container', { ...ADD, containerId: '../x' }, 'bad_request', 400, /containerId/],
    ['a wrong type', { ...ADD, waitMs: 'soon' }, 'bad_request', 400, /waitMs/],
  ])('refuses to attach %s', async (_, body, code, httpStatus, message) => {
    shop.folder.write('pinned.yaml', shopPod('pinned', '{}').replace('spec: {', 'spec: { nodeName: node2,'));
    shop.folder.write('host.yaml', shopPod('host', '{}').replace('spec: {', 'spec: { hostNetwork: true,'));
    await shop.start();
    await shop.register();
    await expect(shop.attach(body)).rejects.toMatchObject({
      code,
      status: httpStatus,
      message: expect.stringMatching(message),
    });
    expect(shop.h.controller.runtime.allocations.attachments.size).toBe(0);
  });

  it('names the pool that is empty', async () => {
    shop.folder.write('many.yaml', Array.from({ length: 70 }, (_, i) => shopPod(`p${i}`, '{}')).join('---\n'));
    await shop.start({ HEDDLE_CLUSTER_CIDR: '10.9.0.0/26', HEDDLE_SERVICE_CIDR: '10.96.0.0/16' });
    await shop.register();
    for (let i = 0; i < 62; i++) await shop.attach({ ...ADD, containerId: `c${i}`, pod: `p${i}` });
    await expect(shop.attach({ ...ADD, containerId: 'c62', pod: 'p62' })).rejects.toMatchObject({
      code: 'pool_exhausted',
      status: 409,
      message: expect.stringContaining('10.9.0.0/26'),
    });
  });
});

describe('a restart', () => {
  const flows = () => {
    const set = shop.h.compiler.node(nodeName('node1')) ?? expect.fail('there is no node1');
    return {
      flows: [...set.flows].sort(([a], [b]) => (a < b ? -1 : 1)),
      groups: [...set.groups].sort(([a], [b]) => a - b),
    };
  };

  it('compiles the same flows with the same cookies, and knows everything that it answered', async () => {
    const database = { HEDDLE_DATABASE_URL: `sqlite:${join(shop.folder.path, 'db')}` };
    // Another order than that of the facts after a restart, so that numbers are given in another order too.
    await shop.start(database);
    const config = await shop.register();
    const first = await shop.attach();
    shop.folder.write('policy.yaml', WEB_ONLY);
    await shop.status(10);
    const second = await shop.attach({ ...ADD, containerId: 'c2', pod: 'web-1' });
    const before = flows();
    expect(before.flows.length).toBeGreaterThan(100);
    expect(before.groups).toHaveLength(2);
    await shop.h.stop();
    await shop.start(database);
    expect(shop.h.controller.runtime.engine.generation).toBe(1);
    expect(flows()).toEqual(before);
    expect(await shop.register()).toEqual(config);
    expect(await shop.attach()).toEqual(first);
    expect(await shop.h.client.get(path(ROUTES.agentAttachments, 'node1'), z.array(Attachment))).toEqual([
      first,
      second,
    ]);
  });
});
