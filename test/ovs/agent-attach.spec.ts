import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

describe.skipIf(!canRunNodes())('a node agent and heddle-cni on a real switch', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
  });
  afterAll(() => node?.stop());

  it('attaches a pod', async () => {
    const netns = await node.addPodNetns('a');
    const added = await node.cni({ command: 'ADD', containerId: 'c-a', netns, args: podArgs('shop', 'a') });
    console.log(added.stdout, added.ms);
    expect(added.status, added.stdout).toBe(0);
    console.log(await node.vsctl('show'));
    console.log(
      await node.podExec('a', 'ip', 'addr'),
      await node.podExec('a', 'ip', 'route'),
      await node.podExec('a', 'ip', '-6', 'route'),
      await node.podExec('a', 'ip', 'neigh'),
    );
    console.log(
      await node.exec('ip', 'addr'),
      await node.exec('ip', 'route'),
      await node.exec('nft', 'list', 'ruleset'),
    );
    const deleted = await node.cni({ command: 'DEL', containerId: 'c-a', netns });
    console.log(deleted.stdout, deleted.ms);
    console.log(node.agentLog());
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
  });
});
