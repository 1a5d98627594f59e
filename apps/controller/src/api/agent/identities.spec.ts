import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ADD, NODE, shopPod, useShop } from '../../testing/shop.js';

const GUARD = `${shopPod('guard', '{ app: guard }')}---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: guard, namespace: shop }
spec: { podSelector: { matchLabels: { app: guard } }, ingress: [{ from: [{ podSelector: {} }] }] }
`;

const shop = useShop();

describe('an identity that changes', () => {
  const held = () => shop.h.compiler.fact('hold', 'shop/a');
  /** Pod a on node1, and on node2 a pod whose policy names every pod of the namespace as a peer. */
  const twoNodes = async (connected: readonly string[] = ['node1', 'node2'], given?: Record<string, string>) => {
    shop.folder.write('a.yaml', shopPod('a', '{ v: "1" }'));
    shop.folder.write('guard.yaml', GUARD);
    await shop.start(given);
    for (const [i, name] of ['node1', 'node2'].entries())
      await shop.register(name, { ...NODE, encapIp: `172.31.99.${i + 1}` });
    for (const name of connected) shop.h.switches.connect(name);
    await shop.attach({ ...ADD, pod: 'a' });
    await shop.attach({ ...ADD, node: 'node2', containerId: 'c2', pod: 'guard' });
    await shop.status(1_000);
  };

  it('that concerns its own node only is switched over at once', async () => {
    await twoNodes();
    shop.folder.write('guard.yaml', shopPod('guard', '{ app: guard }'));
    await shop.status(1_000);
    shop.h.switches.automatic = false;
    const carried = () => shop.h.compiler.carriedIdentityOf('shop', 'a')?.number;
    const before = carried();
    shop.folder.write('a.yaml', shopPod('a', '{ v: "2" }'));
    await shop.h.controller.runtime.source.refresh();
    expect(held()).toBeUndefined();
    expect(carried()).not.toBe(before);
    // Not while a switch may still lack what an earlier change brought.
    shop.folder.write('a.yaml', shopPod('a', '{ v: "3" }'));
    await shop.h.controller.runtime.source.refresh();
    expect(held()?.identityKey).toContain('"2"');
  });

  it('is held until every switch knows the new one', async () => {
    await twoNodes();
    shop.h.switches.automatic = false;
    shop.folder.write('a.yaml', shopPod('a', '{ v: "2" }'));
    await shop.h.controller.runtime.source.refresh();
    const { generation } = shop.h.controller.runtime.engine;
    expect(held()?.identityKey).toContain('"1"');
    const waiting = shop.status(20_000);
    shop.h.switches.acknowledge('node1', generation);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(held()).toBeDefined();
    shop.h.switches.automatic = true;
    shop.h.switches.acknowledge('node2', generation);
    expect(await waiting).toMatchObject({ realized: true, generation: generation + 1 });
    expect(held()).toBeUndefined();
  });

  it('is not held for by a switch that is away', async () => {
    await twoNodes(['node1']);
    shop.folder.write('a.yaml', shopPod('a', '{ v: "2" }'));
    await shop.h.controller.runtime.source.refresh();
    await expect.poll(held).toBeUndefined();
    expect(await shop.status(50)).toMatchObject({
      realized: false,
      waitingFor: ['node2: its switch is not connected'],
    });
  });

  it('is held on by a controller that starts in the middle', async () => {
    const database = { HEDDLE_DATABASE_URL: `sqlite:${join(shop.folder.path, 'db')}` };
    await twoNodes(undefined, database);
    const carried = () => shop.h.compiler.carriedIdentityOf('shop', 'a')?.number;
    const before = carried();
    shop.h.switches.automatic = false;
    shop.folder.write('a.yaml', shopPod('a', '{ v: "2" }'));
    await shop.h.controller.runtime.source.refresh();
    // As a driver does before it sends.
    await shop.h.controller.runtime.allocations.flush();
    await shop.h.stop();

    await shop.start(database);
    expect([carried(), held()?.identityKey]).toEqual([before, expect.stringContaining('"1"')]);
    shop.h.switches.connect('node1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(carried()).toBe(before);
    shop.h.switches.connect('node2');
    expect(await shop.status(20_000)).toMatchObject({ realized: true });
    expect(held()).toBeUndefined();
    expect(carried()).not.toBe(before);
    await shop.h.controller.runtime.allocations.flush();
    await shop.h.stop();

    await shop.start(database);
    expect(held()).toBeUndefined();
  });

  it('that comes back to what is carried is let go at once', async () => {
    await twoNodes();
    shop.h.switches.automatic = false;
    for (const [version, expected] of [
      ['2', true],
      ['3', true],
      ['1', false],
    ] as const) {
      shop.folder.write('a.yaml', shopPod('a', `{ v: "${version}" }`));
      await shop.h.controller.runtime.source.refresh();
      expect(held() !== undefined).toBe(expected);
      expect(held()?.identityKey ?? '"1"').toContain('"1"');
    }
  });
});
