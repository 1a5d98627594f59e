import { NodeView, PolicyView, ProblemView, ROUTES } from '@heddle/api';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { shopPod, useShop } from '../../testing/shop.js';

const shop = useShop();

describe('status', () => {
  it('waits for a change on the disk that nobody has noticed yet', async () => {
    await shop.start();
    await shop.register();
    shop.h.switches.connect('node1');
    shop.folder.write('more.yaml', shopPod('more', '{}'));
    expect(await shop.status(20_000)).toMatchObject({
      realized: true,
      counts: { pods: 3, services: 1 },
      waitingFor: [],
    });
  });

  it('says at the time-out what it waited for', async () => {
    await shop.start();
    await shop.register();
    shop.h.switches.connect('node1');
    shop.h.switches.automatic = false;
    await shop.attach();
    const { waitingFor, realized: done } = await shop.status(40);
    expect(done).toBe(false);
    expect(waitingFor).toEqual([expect.stringMatching(/^node1: its switch has acknowledged generation \d+ of \d+$/)]);
  });

  it('shows nodes, problems of the source and of what it asks for', async () => {
    shop.folder.write(
      'bad.yaml',
      'apiVersion: v1\nkind: Service\nmetadata: { name: bad }\nspec:\n  clusterIP: 10.1.1.1\n  ports: [{ port: 80 }]\n',
    );
    shop.folder.write('broken.yaml', 'a: [\n');
    await shop.start();
    await shop.register();
    shop.h.switches.connect('node1');
    const nodes = await shop.h.client.get(ROUTES.nodes, z.array(NodeView));
    expect(nodes).toMatchObject([
      { name: 'node1', key: 1, blocks: ['10.244.0.0/26', 'fd00:10:244::/122'], openflow: { connected: true } },
    ]);
    const problems = await shop.h.client.get(ROUTES.problems, z.array(ProblemView));
    expect(problems.map((p) => [p.file, p.severity])).toEqual([
      ['broken.yaml', 'error'],
      ['bad.yaml', 'error'],
    ]);
    expect(problems[1]).toMatchObject({ line: 1, reason: expect.stringContaining('not in the service CIDR') });
    const policies = await shop.h.client.get(ROUTES.policies, z.array(PolicyView));
    expect(policies).toEqual([]);
  });
});
