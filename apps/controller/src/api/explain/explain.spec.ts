import { ExplainView, FlowsView, path, ROUTES } from '@heddle/api';
import { describe, expect, it } from 'vitest';
import { ADD, useShop, WEB_ONLY } from '../../testing/shop.js';

const shop = useShop();

describe('explain and flows', () => {
  const explain = (query: Record<string, string | number>) => shop.h.client.get(ROUTES.explain, ExplainView, { query });

  it('say which policy decides, and which flows it has', async () => {
    shop.folder.write('policy.yaml', WEB_ONLY);
    await shop.start();
    await shop.register();
    await shop.attach();
    await shop.attach({ ...ADD, containerId: 'c2', pod: 'web-1' });
    const denied = await explain({ from: 'shop/web-0', to: 'shop/web-1', protocol: 'TCP', port: 9999 });
    expect(denied.verdict).toBe('denied');
    expect(JSON.stringify(denied.paths)).toContain('"NetworkPolicy"');
    expect((await explain({ from: 'shop/web-0', to: 'svc:shop/web', port: 80 })).verdict).toBe('allowed');
    const query = { object: 'NetworkPolicy/shop/web-only' };
    const { flows } = await shop.h.client.get(path(ROUTES.nodeFlows, 'node1'), FlowsView, { query });
    expect(flows.length).toBeGreaterThan(0);
    expect(flows.filter((f) => !f.owners.some((o) => o.name === 'web-only'))).toEqual([]);
    const text = flows.map((f) => f.text).join('\n');
    expect(text).toMatch(/^cookie=0x48[0-9a-f]{14}, table=\d+, priority=\d+,.* actions=/m);
  });

  it('narrow to a table', async () => {
    await shop.start();
    await shop.register();
    const query = { table: 'AntiSpoof' };
    const { flows, groups } = await shop.h.client.get(path(ROUTES.nodeFlows, 'node1'), FlowsView, { query });
    expect(new Set(flows.map((f) => f.table))).toEqual(new Set(['AntiSpoof']));
    expect(groups).toEqual([]);
  });

  it.each<[name: string, query: Record<string, string | number>, message: RegExp]>([
    ['without a port', { from: 'a/b', to: 'c/d', protocol: 'udp' }, /udp needs one/],
    ['from a service', { from: 'svc:a/b', to: 'c/d', port: 1 }, /a service sends nothing/],
    ['to nonsense', { from: 'a/b', to: 'what', port: 1 }, /to: "what" is not/],
    ['with an unknown protocol', { from: 'a/b', to: 'c/d', protocol: 'gre' }, /protocol/],
  ])('refuse a question %s', async (_, query, message) => {
    await shop.start();
    await expect(explain(query)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(message),
    });
  });
});
