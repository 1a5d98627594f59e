import { NodeConfig, path, RemovedNodeView, ROUTES } from '@heddle/api';
import { nodeName } from '@heddle/compiler';
import { beforeEach, describe, expect, it } from 'vitest';
import { ADD, NODE, useShop } from '../../testing/shop.js';

const shop = useShop();

describe('the configuration of a node', () => {
  const config = (after: number, waitMs: number) =>
    shop.h.client.get(path(ROUTES.agentNodeConfig, 'node1'), NodeConfig, { query: { after, waitMs } });

  it('is answered when a peer joins', async () => {
    await shop.start();
    const { generation } = await shop.register();
    const waiting = config(generation, 20_000);
    await shop.register('node2', { ...NODE, encapIp: '172.31.99.2' });
    expect(await waiting).toMatchObject({
      generation: generation + 1,
      peers: [{ name: 'node2', encapIp: '172.31.99.2' }],
    });
  });

  it('is answered unchanged when the time is up, and at once to who knows another life', async () => {
    await shop.start();
    const { generation } = await shop.register();
    expect(await config(generation, 20)).toMatchObject({ generation });
    expect(await config(generation + 100, 60_000)).toMatchObject({ generation });
  });
});

describe('a node that is gone', () => {
  const two = { ...NODE, encapIp: '172.31.99.2', addresses: ['172.31.99.2'] };
  const remove = (name: string, force?: string) =>
    shop.h.client.delete(path(ROUTES.node, name), RemovedNodeView, { query: { force } });
  beforeEach(async () => {
    await shop.start();
    await shop.register();
    await shop.register('node2', two);
    shop.h.switches.connect('node1');
  });

  it('is not waited for, known to no peer, and leaves no flow behind', async () => {
    const before = shop.h.compiler.node(nodeName('node1'))?.flows.size ?? 0;
    expect(await shop.status(50)).toMatchObject({
      realized: false,
      waitingFor: ['node2: its switch is not connected'],
    });
    const waiting = shop.status(10_000);
    const { generation } = await shop.register();
    expect(await remove('node2')).toEqual({
      node: 'node2',
      blocks: ['10.244.0.64/26', 'fd00:10:244::40/122'],
      detached: [],
    });
    // Who waited is answered; the removal itself is a generation more.
    expect(await waiting).toMatchObject({ nodes: { total: 1 } });
    expect(await shop.status(20_000)).toMatchObject({ realized: true });
    const config = await shop.register();
    expect(config.peers).toEqual([]);
    expect(config.generation).toBeGreaterThan(generation);
    expect(shop.h.compiler.node(nodeName('node2'))).toBeUndefined();
    expect(shop.h.compiler.node(nodeName('node1'))?.flows.size).toBeLessThan(before);
    expect(shop.h.switches.state(nodeName('node2'))).toBeUndefined();
  });

  it('stays while pods are attached to it, unless forced', async () => {
    await shop.attach({ ...ADD, node: 'node2' });
    await expect(remove('node2')).rejects.toMatchObject({ code: 'conflict', status: 409, details: ['shop/web-0'] });
    await expect(remove('node2', 'false')).rejects.toMatchObject({ code: 'conflict' });
    expect(await remove('node2', '')).toMatchObject({ detached: ['shop/web-0'] });
    expect(shop.h.compiler.fact('attachment', 'shop/web-0')).toBeUndefined();
    expect(await shop.attach({ ...ADD, containerId: 'c2' })).toMatchObject({ node: 'node1', portKey: 2 });
    expect((await shop.status(20_000)).realized).toBe(true);
  });

  it('may come back as a new one', async () => {
    const { datapathId } = await shop.register('node2', two);
    await remove('node2');
    await expect(remove('node2')).rejects.toMatchObject({ code: 'not_found', status: 404 });
    await shop.register('node3', two);
    const again = await shop.register('node2', { ...two, encapIp: '172.31.99.3' });
    expect(again.datapathId).not.toBe(datapathId);
  });
});
