import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Attributes,
  type Json,
  type KubeApi,
  type KubeApiOptions,
  startKubeApi,
} from '../support/kube-api/index.js';
import { RawClient } from './api-client.js';

const ROOT = join(import.meta.dirname, '../..');

/** What the small server offers to tests beyond the API itself. */
describe('the small API server in tests', () => {
  let dir: string;
  let api: KubeApi;
  let c: RawClient;
  const start = async (options: KubeApiOptions = {}) => {
    api = await startKubeApi(options);
    c = new RawClient(api);
  };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'heddle-kube-api-spec-'));
  });
  afterEach(async () => {
    c.close();
    await api.stop();
    rmSync(dir, { recursive: true });
  });

  const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
  const pod = (name: string, ip: string, ready: boolean, labels: Record<string, string> = { app: 'web' }): Json => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  });

  it('counts requests by verb and resource, and who asked', async () => {
    await start({ tokens: { secret: 'system:node:n1' } });
    await c.get('/api/v1/nodes');
    await c.get('/api/v1/nodes');
    await c.send('POST', '/api/v1/nodes', { body: node('n1'), token: 'secret' });
    await c.patch('merge', '/api/v1/nodes/n1/status', { status: {} });
    await c.get('/apis/coordination.k8s.io/v1/leases');
    const watch = await c.watch('/api/v1/pods?watch=true');
    expect(api.stats()).toMatchObject({
      requests: {
        'list nodes': 2,
        'create nodes': 1,
        'patch nodes/status': 1,
        'list leases.coordination.k8s.io': 1,
        'watch pods': 1,
      },
      watches: 1,
    });
    expect(api.stats().attributes.filter((a) => a.user === 'system:node:n1')).toEqual([
      { user: 'system:node:n1', verb: 'create', group: '', resource: 'nodes', namespace: undefined, name: undefined },
    ]);
    watch.close();
    api.resetStats();
    expect(api.stats().requests).toEqual({});
  });

  it('refuses what is not allowed', async () => {
    const allowed = ({ verb, resource }: Attributes) => verb === 'get' && resource === 'nodes';
    await start({ authorize: allowed });
    api.put(node('n1'));
    expect((await c.get('/api/v1/nodes/n1')).code).toBe(200);
    expect(await c.get('/api/v1/nodes')).toMatchObject({ code: 403, body: { reason: 'Forbidden' } });
    expect((await c.delete('/api/v1/nodes/n1')).body.message).toContain('User "admin" cannot delete resource "nodes"');
  });

  it('fails as often as it is told to', async () => {
    await start();
    const end = api.fail(({ resource }) => resource === 'nodes', 500, 2);
    const codes = [];
    for (let i = 0; i < 3; i++) codes.push((await c.get('/api/v1/nodes')).code);
    expect(codes).toEqual([500, 500, 200]);
    end();
    api.fail(({ verb }) => verb === 'create', 429);
    expect((await c.post('/api/v1/nodes', node('n1'))).code).toBe(429);
  });

  it('cuts or ends watches of one resource', async () => {
    await start();
    const pods = await c.watch('/api/v1/pods?watch=true');
    const nodes = await c.watch('/api/v1/nodes?watch=true');
    expect(api.dropWatches('pods')).toBe(1);
    await pods.untilEnd();
    api.put(node('n1'));
    await nodes.until((events) => events.length === 1);
    expect(api.dropWatches(undefined, 'end')).toBe(1);
    await nodes.untilEnd();
  });

  it('sends bookmarks when it is told to', async () => {
    await start();
    const watch = await c.watch('/api/v1/pods?watch=true&allowWatchBookmarks=true');
    const { metadata } = api.put(node('n1'));
    api.bookmark();
    const events = await watch.until((seen) => seen.length === 1);
    expect(events[0]).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { resourceVersion: metadata.resourceVersion } },
    });
    watch.close();
  });

  it('puts, shows and removes objects without HTTP, and watches see it', async () => {
    await start();
    const watch = await c.watch('/api/v1/pods?watch=true');
    api.put(pod('a', '10.0.0.1', true));
    api.put(pod('b', '10.0.0.2', true, { app: 'db' }));
    api.put(pod('a', '10.0.0.3', true));
    expect(api.objects('pods', { labelSelector: 'app=db' }).map((o) => o.metadata.name)).toEqual(['b']);
    expect(api.object('pods', 'a', 'default')?.status.podIP).toBe('10.0.0.3');
    expect([api.remove('pods', 'a', 'default'), api.remove('pods', 'a', 'default')]).toEqual([true, false]);
    await watch.until((events) => events.at(-1)?.type === 'DELETED');
    expect(watch.events.at(-1)?.object.status.podIP).toBe('10.0.0.3');
    watch.close();
    expect(() => api.put({ apiVersion: 'v1', kind: 'Gadget', metadata: { name: 'x' } })).toThrow('no resource');
  });

  it('forgets no more than its history limit', async () => {
    await start({ historyLimit: 10 });
    const { metadata } = api.put(node('first'));
    for (let i = 0; i < 30; i++) api.put(node(`n${i}`));
    const watch = await c.watch(`/api/v1/nodes?watch=true&resourceVersion=${metadata.resourceVersion}`);
    await watch.untilEnd();
    expect(watch.events).toMatchObject([{ type: 'ERROR', object: { code: 410 } }]);
  });

  it('keeps the EndpointSlices of services as readiness and selectors say', async () => {
    await start({ endpointSlices: true });
    api.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    });
    const endpoints = () =>
      api
        .objects('endpointslices', { labelSelector: 'kubernetes.io/service-name=s' })
        .flatMap((slice) =>
          (slice.endpoints ?? []).map((e: Json) => `${e.addresses[0]}:${slice.ports[0].port} ${e.conditions.ready}`),
        );
    await expect
      .poll(() => api.objects('endpointslices', { labelSelector: 'kubernetes.io/service-name=s' }).length)
      .toBe(1);
    api.put(pod('a', '10.0.0.1', true));
    api.put(pod('b', '10.0.0.2', false));
    api.put(pod('c', '10.0.0.3', true, { app: 'db' }));
    await expect.poll(endpoints).toEqual(['10.0.0.1:8080 true', '10.0.0.2:8080 false']);
    api.put(pod('b', '10.0.0.2', true));
    await c.must(c.delete('/api/v1/namespaces/default/pods/a'));
    await expect.poll(endpoints).toEqual(['10.0.0.1:8080 false', '10.0.0.2:8080 true']);
    api.remove('pods', 'a', 'default');
    api.remove('pods', 'b', 'default');
    await expect.poll(endpoints).toEqual([]);
    api.remove('services', 's', 'default');
    await expect.poll(() => api.objects('endpointslices').length).toBe(0);
  });

  it('empties a namespace that is deleted and removes it when the last pod is gone', async () => {
    await start();
    await c.must(c.post('/api/v1/namespaces', { metadata: { name: 'shop' } }));
    api.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', namespace: 'shop' } });
    api.put({ ...pod('p', '10.0.0.1', true), metadata: { name: 'p', namespace: 'shop' } });
    await c.must(c.delete('/api/v1/namespaces/shop'));
    await expect.poll(() => api.objects('configmaps', { namespace: 'shop' }).length).toBe(0);
    expect((await c.get('/api/v1/namespaces/shop')).body.status.phase).toBe('Terminating');
    await c.must(c.delete('/api/v1/namespaces/shop/pods/p?gracePeriodSeconds=0'));
    await expect.poll(async () => (await c.get('/api/v1/namespaces/shop')).code).toBe(404);
  });

  it('runs from a shell and is found through its kubeconfig', async () => {
    await start();
    const file = join(dir, 'kubeconfig');
    const child: ChildProcess = spawn(
      join(ROOT, 'node_modules/.bin/node'),
      [...[join(ROOT, 'test/support/kube-api/main.ts'), '--kubeconfig', file, '--endpoint-slices']],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ended = once(child, 'exit');
    try {
      for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
        expect(line).toMatch(/^ready https:\/\/127\.0\.0\.1:\d+$/);
        break;
      }
      const config = new KubeConfig();
      config.loadFromFile(file);
      const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
      expect(items.map((n) => n.metadata?.name)).toContain('kube-system');
    } finally {
      child.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
  });
});
