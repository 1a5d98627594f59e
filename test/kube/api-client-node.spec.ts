import {
  CoreV1Api,
  CustomObjectsApi,
  type Informer,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  type V1Pod,
} from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SERVERS, type Server } from './servers.js';

const NS = 'default';
const patchAs = (strategy: string) => setHeaderOptions('Content-Type', strategy);
const pod = (name: string): V1Pod => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'pause:1' }] } });

/** The Kubernetes client for Node.js on our servers: its configuration, its calls, its informer. */
for (const { title, skip, start } of SERVERS)
  describe.skipIf(skip)(`@kubernetes/client-node with ${title}`, { timeout: 60_000 }, () => {
    let api: Server;
    let config: KubeConfig;
    let core: CoreV1Api;
    const informers: Informer<V1ConfigMap>[] = [];

    beforeAll(async () => {
      api = await start();
      config = new KubeConfig();
      config.loadFromString(api.kubeconfig());
      core = config.makeApiClient(CoreV1Api);
    }, 180_000);
    afterEach(async () => {
      for (const informer of informers.splice(0)) await informer.stop();
    });
    afterAll(() => api?.stop());

    /** An informer of the ConfigMaps with one label, and what it has told. */
    const informer = async (label: string) => {
      const told: string[] = [];
      const selector = `suite=${label}`;
      const made = makeInformer<V1ConfigMap>(
        config,
        `/api/v1/namespaces/${NS}/configmaps`,
        () => core.listNamespacedConfigMap({ namespace: NS, labelSelector: selector }),
        selector,
      );
      informers.push(made);
      made.on('add', (o) => told.push(`add ${o.metadata?.name}`));
      made.on('update', (o) => told.push(`update ${o.metadata?.name} ${o.data?.k}`));
      made.on('delete', (o) => told.push(`delete ${o.metadata?.name}`));
      made.on('error', (e) => told.push(`error ${(e as { statusCode?: number }).statusCode ?? ''}`.trim()));
      return { made, told };
    };
    const configMap = (name: string, suite: string): V1ConfigMap => ({ metadata: { name, labels: { suite } } });

    it('lists, reads, and maps errors', async () => {
      await core.createNamespacedPod({ namespace: NS, body: pod('listed') });
      const page = await core.listNamespacedPod({ namespace: NS, limit: 1 });
      expect(page.items.map((p) => p.metadata?.name)).toEqual(['listed']);
      expect(page.items[0]?.metadata?.creationTimestamp).toBeInstanceOf(Date);
      await expect(core.readNamespacedPod({ namespace: NS, name: 'nobody' })).rejects.toMatchObject({ code: 404 });
      await expect(core.createNamespacedPod({ namespace: NS, body: pod('listed') })).rejects.toMatchObject({
        code: 409,
      });
    });

    it('patches in all ways', async () => {
      await core.createNamespacedPod({ namespace: NS, body: pod('patched') });
      const at = { namespace: NS, name: 'patched' };
      await core.patchNamespacedPod(
        { ...at, body: { metadata: { labels: { a: '1' } } } },
        patchAs(PatchStrategy.MergePatch),
      );
      await core.patchNamespacedPod(
        { ...at, body: [{ op: 'add', path: '/metadata/labels/b', value: '2' }] },
        patchAs(PatchStrategy.JsonPatch),
      );
      const patched = await core.patchNamespacedPodStatus(
        { ...at, body: { status: { conditions: [{ type: 'Mine', status: 'True' }] } } },
        patchAs(PatchStrategy.StrategicMergePatch),
      );
      expect(patched.metadata?.labels).toEqual({ a: '1', b: '2' });
      expect(patched.status?.conditions).toMatchObject([{ type: 'Mine', status: 'True' }]);
      const applied = await core.patchNamespacedConfigMap(
        {
          namespace: NS,
          name: 'applied',
          fieldManager: 'suite',
          body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { k: 'v' } },
        },
        patchAs(PatchStrategy.ServerSideApply),
      );
      expect(applied.data).toEqual({ k: 'v' });
    });

    it('reads custom resources, and 404 where there is no such resource', async () => {
      const custom = config.makeApiClient(CustomObjectsApi);
      await expect(
        custom.listClusterCustomObject({ group: 'no.such.group', version: 'v1', plural: 'nothings' }),
      ).rejects.toMatchObject({ code: 404 });
    });

    it('hears of every change through an informer', async () => {
      await core.createNamespacedConfigMap({ namespace: NS, body: configMap('first', 'inform') });
      const { made, told } = await informer('inform');
      await made.start();
      await core.createNamespacedConfigMap({ namespace: NS, body: configMap('second', 'inform') });
      await core.createNamespacedConfigMap({ namespace: NS, body: configMap('foreign', 'other') });
      await core.patchNamespacedConfigMap(
        { namespace: NS, name: 'second', body: { data: { k: 'v' } } },
        patchAs(PatchStrategy.MergePatch),
      );
      await core.deleteNamespacedConfigMap({ namespace: NS, name: 'first' });
      await expect.poll(() => told).toEqual(['add first', 'add second', 'update second v', 'delete first']);
    });

    it('starts an informer again with what has changed after the server was killed', async () => {
      const { made, told } = await informer('killed');
      await made.start();
      await core.createNamespacedConfigMap({ namespace: NS, body: configMap('before', 'killed') });
      await expect.poll(() => told).toEqual(['add before']);
      await api.kill();
      // The library's informer ends with an error here; who uses it must start it again.
      await expect.poll(() => told.at(-1)).toBe('error');
      await api.restart();
      await core.createNamespacedConfigMap({ namespace: NS, body: configMap('after', 'killed') });
      await made.start();
      await expect.poll(() => told.at(-1)).toBe('add after');
    });
  });
