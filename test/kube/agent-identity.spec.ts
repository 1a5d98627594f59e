import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, NodeConfig, path, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { type Harness, startHarness } from '../../apps/controller/src/testing/harness.js';
import { RawClient } from './api-client.js';
import { SERVERS, type Server } from './servers.js';

/** Agents with tokens of their own, as kubelets project them, towards a controller that asks an API server about them. */

const SYSTEM = '/api/v1/namespaces/heddle-system';
const API_TOKEN = 'the-token-of-the-operators';
const NODE = { underlayMtu: 1500, datapathType: 'netdev', addresses: [] } as const;

describe.each(SERVERS)('$title', ({ skip, start }) => {
  describe.skipIf(skip)('an agent', () => {
    let api: Server;
    let kube: RawClient;
    let folder: TestFolder;
    let h: Harness;
    const tokens: Record<string, string> = {};

    const tokenOf = async (account: string, pod: string | undefined, audience = 'heddle') => {
      const boundObjectRef = pod === undefined ? undefined : { kind: 'Pod', apiVersion: 'v1', name: pod };
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: 3600, boundObjectRef },
      };
      const made = await kube.must(kube.post(`${SYSTEM}/serviceaccounts/${account}/token`, body));
      return made.status.token as string;
    };
    const podOn = (node: string | undefined, name: string, serviceAccountName: string, namespace = 'heddle-system') =>
      kube.must(
        kube.post(`/api/v1/namespaces/${namespace}/pods`, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name },
          spec: { ...(node && { nodeName: node }), serviceAccountName, containers: [{ name: 'c', image: 'i' }] },
        }),
      );
    const client = (token: string | undefined) =>
      new ApiClient({ url: `http://127.0.0.1:${h.controller.apiPorts[0]}`, ...(token && { token }) });

    beforeAll(async () => {
      api = await start();
      kube = new RawClient(api);
      folder = new TestFolder();
      await kube.must(kube.post('/api/v1/namespaces', { metadata: { name: 'heddle-system' } }));
      for (const name of ['heddle-agent', 'somebody'])
        await kube.must(kube.post(`${SYSTEM}/serviceaccounts`, { metadata: { name } }));
      for (const name of ['node1', 'node2']) {
        await kube.must(kube.post('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name } }));
        await podOn(name, `agent-${name}`, 'heddle-agent');
        tokens[name] = await tokenOf('heddle-agent', `agent-${name}`);
      }
      await podOn('node1', 'somebody', 'somebody');
      tokens.somebody = await tokenOf('somebody', 'somebody');
      tokens.unbound = await tokenOf('heddle-agent', undefined);
      tokens.elsewhere = await tokenOf('heddle-agent', 'agent-node1', 'elsewhere');
      tokens.api = API_TOKEN;
      writeFileSync(join(folder.path, 'token'), API_TOKEN);
      h = await startHarness(folder, {
        HEDDLE_SOURCE: 'kubernetes',
        KUBECONFIG: await api.kubeconfigFile(folder.path),
        HEDDLE_API_LISTEN: `tcp:127.0.0.1:0,unix:${folder.socket}`,
        HEDDLE_API_TOKEN_FILE: join(folder.path, 'token'),
        HEDDLE_AGENT_ACCOUNT: 'heddle-system/heddle-agent',
      });
      for (const [i, name] of ['node1', 'node2'].entries())
        await client(tokens[name]).put(path(ROUTES.agentNode, name), NodeConfig, {
          body: { ...NODE, encapIp: `172.31.99.${i + 1}` },
        });
    }, 180_000);
    afterAll(async () => {
      await h?.stop();
      kube?.close();
      await api?.stop();
      folder?.remove();
    });

    /** A request of each route for agents, for a node. */
    const requests = (
      node: string,
      portKey: number,
    ): Record<string, [method: string, path: string, body?: object]> => ({
      [`PUT ${ROUTES.agentNode}`]: ['PUT', path(ROUTES.agentNode, node), { ...NODE, encapIp: '172.31.99.2' }],
      [`GET ${ROUTES.agentNodeConfig}`]: ['GET', path(ROUTES.agentNodeConfig, node)],
      [`GET ${ROUTES.agentAttachments}`]: ['GET', path(ROUTES.agentAttachments, node)],
      [`POST ${ROUTES.agentAttach}`]: [
        'POST',
        ROUTES.agentAttach,
        { node, containerId: 'c1', ifname: 'eth0', namespace: 'default', pod: 'a', waitMs: 10_000 },
      ],
      [`POST ${ROUTES.agentRealized}`]: ['POST', ROUTES.agentRealized, { portKey, timeoutMs: 5_000 }],
      [`POST ${ROUTES.agentNodeRealized}`]: ['POST', path(ROUTES.agentNodeRealized, node), { timeoutMs: 5_000 }],
      [`POST ${ROUTES.agentDetach}`]: ['POST', ROUTES.agentDetach, { node, containerId: 'c1', ifname: 'eth0' }],
    });
    const outcome = (token: string | undefined, [method, route, body]: [string, string, object?]) =>
      client(token)
        .text(method, route, { body })
        .then(
          () => 'ok',
          (e: { status: number; message: string }) => `${e.status} ${e.message}`,
        );

    it('may do for its node what agents do, and nothing for another node', async () => {
      // The operations of the document, so that a new one cannot be forgotten here.
      const document = await h.client.get(
        ROUTES.openapi,
        z.object({
          paths: z.record(z.string(), z.record(z.string(), z.object({ 'x-heddle-permission': z.string() }))),
        }),
      );
      const ofAgents = Object.entries(document.paths).flatMap(([route, methods]) =>
        Object.entries(methods)
          .filter(([, operation]) => operation['x-heddle-permission'] === 'agent')
          .map(([method]) => `${method.toUpperCase()} ${route.replaceAll(/\{(\w+)\}/g, ':$1')}`),
      );
      expect(Object.keys(requests('node2', 1)).sort()).toEqual(ofAgents.sort());

      h.switches.connect('node2');
      await podOn('node2', 'a', 'default', 'default');
      const own = requests('node2', 1);
      for (const [name, request] of Object.entries(own)) {
        if (name.includes('detach')) continue;
        expect([name, await outcome(tokens.node2, request)]).toEqual([name, 'ok']);
      }
      for (const [name, request] of Object.entries(own))
        expect([name, await outcome(tokens.node1, request)]).toEqual([
          name,
          '403 this token is of the agent of node node1: it may not speak for node node2',
        ]);
      expect(await outcome(tokens.node2, requests('node2', 1)[`POST ${ROUTES.agentDetach}`] ?? ['', ''])).toBe('ok');
    });

    it('gets no pod that the cluster has given to nobody yet, or to another node', async () => {
      await podOn(undefined, 'pending', 'default', 'default');
      await podOn('node2', 'elsewhere', 'default', 'default');
      const attach = (pod: string): [string, string, object] => [
        'POST',
        ROUTES.agentAttach,
        { node: 'node1', containerId: `c-${pod}`, ifname: 'eth0', namespace: 'default', pod, waitMs: 300 },
      ];
      await expect.poll(() => h.controller.runtime.world.objects.pods.has('default/elsewhere')).toBe(true);
      expect(await outcome(tokens.node1, attach('pending'))).toMatch(/^404 /);
      expect(await outcome(tokens.node1, attach('elsewhere'))).toMatch(/^409 .*belongs on node node2/);
    });

    it.each<[whose: string, status: RegExp]>([
      ['somebody', /^403 the token is that of system:serviceaccount:heddle-system:somebody; agents have/],
      ['unbound', /^403 the token does not say on which node its pod runs/],
      ['elsewhere', /^401 wrong bearer token: neither the API token nor a token .* audience "heddle"/],
      ['nobody', /^401 no or wrong bearer token/],
    ])('is not who has the token of %s', async (whose, status) => {
      expect(await outcome(tokens[whose], ['GET', path(ROUTES.agentNodeConfig, 'node1')])).toMatch(status);
    });

    it('shows by its connections from where its switch may come', async () => {
      await outcome(tokens.node1, ['GET', path(ROUTES.agentNodeConfig, 'node1')]);
      const permits = (node: string, from: string) => h.controller.runtime.origins?.permits(node, `ssl:${from}:40000`);
      // What it announced, and, as it spoke from the controller's own machine, nothing else.
      expect(['172.31.99.1', '172.31.99.2', '192.0.2.9'].map((from) => permits('node1', from))).toEqual([
        true,
        false,
        false,
      ]);
      expect(permits('a-node-whose-agent-was-not-seen', '192.0.2.9')).toBe(true);
    });

    it('is not an operator, who may do everything', async () => {
      expect(await outcome(tokens.node1, ['GET', ROUTES.nodes])).toMatch(
        /^403 the agent of node node1 may not do this/,
      );
      expect(await outcome(tokens.node1, ['DELETE', path(ROUTES.node, 'node1')])).toMatch(/^403 /);
      expect(await outcome(tokens.api, ['GET', ROUTES.nodes])).toBe('ok');
      expect(await outcome(tokens.api, ['GET', path(ROUTES.agentNodeConfig, 'node1')])).toBe('ok');
    });

    it('with a token of a pod that is gone is refused', async () => {
      await podOn('node1', 'short', 'heddle-agent');
      const token = await tokenOf('heddle-agent', 'short');
      await kube.must(kube.delete(`${SYSTEM}/pods/short`, { gracePeriodSeconds: 0 }));
      const spec = { token, audiences: ['heddle'] };
      const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec };
      await expect
        .poll(
          async () =>
            (await kube.post('/apis/authentication.k8s.io/v1/tokenreviews', review)).body.status.authenticated,
        )
        .not.toBe(true);
      expect(await outcome(token, ['GET', path(ROUTES.agentNodeConfig, 'node1')])).toMatch(/^401 /);
    });
  });
});
