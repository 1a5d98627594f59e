import { Attachment, NodeConfig, NodeView, ProblemView, path, ROUTES, StatusView } from '@heddle/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { type Harness, startHarness } from '../../apps/controller/src/testing/harness.js';
import { RawClient } from './api-client.js';
import { SERVERS, type Server } from './servers.js';

/** A controller over an API server from which Nodes are deleted. */

const NAMES = ['node1', 'node2', 'node3', 'node4'];

describe.each(SERVERS)('$title', ({ skip, start }) => {
  describe.skipIf(skip)('nodes', () => {
    let api: Server;
    let kube: RawClient;
    let folder: TestFolder;
    let h: Harness;

    beforeEach(async () => {
      api = await start();
      kube = new RawClient(api);
      folder = new TestFolder();
      for (const name of NAMES)
        await kube.must(kube.post('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name } }));
      const KUBECONFIG = await api.kubeconfigFile(folder.path);
      h = await startHarness(folder, { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG, HEDDLE_NODE_GRACE_SECONDS: '0.5' });
      for (const name of NAMES) await register(name);
      h.switches.connect('node1');
    });
    afterEach(async () => {
      await h?.stop();
      kube?.close();
      await api?.stop();
      folder?.remove();
    });

    const register = (name: string) =>
      h.client.put(path(ROUTES.agentNode, name), NodeConfig, {
        body: { encapIp: `172.31.99.${name.slice(-1)}`, addresses: [], underlayMtu: 1500, datapathType: 'netdev' },
      });
    const deleteNode = (name: string) => kube.must(kube.delete(`/api/v1/nodes/${name}`));
    const nodes = async () => (await h.client.get(ROUTES.nodes, z.array(NodeView))).map(({ name }) => name);
    const problems = async () =>
      (await h.client.get(ROUTES.problems, z.array(ProblemView))).map(
        ({ object, reason }) => [object?.name, reason] as const,
      );
    const peers = async () =>
      (await h.client.get(path(ROUTES.agentNodeConfig, 'node1'), NodeConfig)).peers.map(({ name }) => name);

    it('that were deleted go: nobody has tunnels to them or waits for their switches, and their addresses are free', async () => {
      await kube.must(
        kube.post('/api/v1/namespaces/default/pods', {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'a' },
          spec: { nodeName: 'node3', containers: [{ name: 'c', image: 'i' }] },
        }),
      );
      await h.client.post(ROUTES.agentAttach, Attachment, {
        body: { node: 'node3', containerId: 'c1', ifname: 'eth0', namespace: 'default', pod: 'a', waitMs: 10_000 },
      });
      expect(await peers()).toEqual(['node2', 'node3', 'node4']);
      await deleteNode('node3');
      // The pod is there until the cluster's garbage collection has deleted it.
      await expect
        .poll(problems)
        .toContainEqual(['node3', expect.stringMatching(/the cluster has 1 pod on it: the node stays/)]);
      await kube.must(kube.delete('/api/v1/namespaces/default/pods/a', { gracePeriodSeconds: 0 }));
      await expect.poll(nodes).toEqual(['node1', 'node2', 'node4']);
      expect(await problems()).toEqual([]);
      expect(await peers()).toEqual(['node2', 'node4']);
      const { waitingFor, counts } = await h.client.get(ROUTES.status, StatusView);
      expect(waitingFor.join()).not.toContain('node3');
      expect(counts.attached).toBe(0);
      expect(await h.client.text('GET', ROUTES.metrics)).toContain('\nheddle_nodes_departed_total 1\n');
      // The machine was not gone for good.
      await kube.must(kube.post('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node3' } }));
      await register('node3');
      expect(await nodes()).toEqual(NAMES);
    });

    it('that are connected stay, and are a problem', async () => {
      await deleteNode('node1');
      await expect.poll(problems).toEqual([['node1', expect.stringMatching(/its switch is connected/)]]);
      expect(await nodes()).toEqual(NAMES);
      h.switches.disconnect('node1');
      await expect.poll(nodes).toEqual(['node2', 'node3', 'node4']);
    });

    it('whose agent waits for its configuration stay', async () => {
      const { generation } = await h.client.get(path(ROUTES.agentNodeConfig, 'node2'), NodeConfig);
      const gone = new AbortController();
      const polling = h.client.get(path(ROUTES.agentNodeConfig, 'node2'), NodeConfig, {
        query: { after: generation, waitMs: 60_000 },
        signal: gone.signal,
      });
      const ended = expect(polling).rejects.toThrow();
      await deleteNode('node2');
      await expect.poll(problems).toEqual([['node2', expect.stringMatching(/its agent is connected/)]]);
      gone.abort();
      await ended;
      await expect.poll(nodes).toEqual(['node1', 'node3', 'node4']);
    });

    it('that go all at once are not believed to be gone', async () => {
      // Connected until all of it has arrived, so that none goes as the first one.
      for (const name of NAMES) h.switches.connect(name);
      const reasons = async () => new Map(await problems());
      for (const name of ['node2', 'node3']) await deleteNode(name);
      await expect.poll(async () => (await reasons()).size).toBe(2);
      for (const name of NAMES) h.switches.disconnect(name);
      const many = expect.stringMatching(/^2 of 4 nodes are without a Node object, which is more than a third/);
      await expect.poll(reasons).toEqual(
        new Map([
          ['node2', many],
          ['node3', many],
        ]),
      );
      for (const name of ['node1', 'node4']) await deleteNode(name);
      const all = expect.stringMatching(/^the API server has no Node object at all, which is not believed/);
      await expect.poll(reasons).toEqual(new Map(NAMES.map((name) => [name, all])));
      expect(await nodes()).toEqual(NAMES);
    });
  });
});
