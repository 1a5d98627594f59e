import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NodeConfig, path, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../apps/controller/src/clock.js';
import { createKubeClient, type KubeClient } from '../../apps/controller/src/kubernetes/kube-client.js';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { startHarness } from '../../apps/controller/src/testing/harness.js';
import { CLUSTER_POLICIES, CLUSTER_POLICY_CRD, denyingClusterPolicy } from '../support/cluster-policies.js';
import { quickClock } from '../support/quick-clock.js';
import { SERVERS, type Server } from './servers.js';
import { WatchedSource } from './support.js';

/** The source and what is written back, over the small API server and, where there is one, a real one. */

const CRDS = resolve(import.meta.dirname, '../../deploy/base/crds');
const PODS = '/api/v1/namespaces/default/pods';
const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
const SETTLE = { timeout: 60_000, interval: 50 };

const pod = (name: string, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
});
const policy = (name: string, podSelector: object = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'default' },
  spec: { podSelector, policyTypes: ['Ingress'] },
});

describe.each(SERVERS)('over $title', ({ skip, start }) => {
  describe.skipIf(skip)('a watched cluster', () => {
    let server: Server;
    let folder: string;
    let kube: KubeClient;

    beforeAll(async () => {
      server = await start();
      folder = mkdtempSync(join(tmpdir(), 'heddle-servers-'));
      kube = await createKubeClient(await server.kubeconfigFile(folder), systemClock);
    }, 180_000);
    afterAll(async () => {
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const create = (collection: string, body: object) => kube.request('POST', collection, { body });
    const remove = (object: string) => kube.request('DELETE', object, { body: { gracePeriodSeconds: 0 } });
    const crd = (name: string) => parse(readFileSync(join(CRDS, name), 'utf8'));
    const install = (body: object) => create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', body);

    it('is followed through changes, a kill and versions that are too old, and only differences are told', async () => {
      for (const name of ['a', 'b', 'c']) await create(PODS, pod(name));
      const source = await WatchedSource.create(server);
      try {
        await source.start();
        const mine = () => source.keys('pods').filter((key) => key.startsWith('default/'));
        expect(mine()).toEqual(['default/a', 'default/b', 'default/c']);
        await kube.request('PATCH', `${PODS}/a`, {
          body: { metadata: { labels: { app: 'x' } } },
          contentType: 'application/merge-patch+json',
        });
        await expect.poll(() => source.objects.pods.get('default/a'), SETTLE).toMatchObject({ labels: { app: 'x' } });
        // A status is nothing that we use.
        await kube.request('PATCH', `${PODS}/b/status`, {
          body: { status: { phase: 'Running', message: 'x' } },
          contentType: 'application/merge-patch+json',
        });
        await create(POLICIES, policy('p'));
        await expect.poll(() => source.keys('policies'), SETTLE).toEqual(['default/p']);
        await source.source.refresh();
        expect(source.told('pods')).toEqual(['default/a']);

        await server.kill();
        await expect.poll(() => source.source.problems().length, SETTLE).toBeGreaterThan(0);
        await server.restart();
        await remove(`${PODS}/b`);
        await create(PODS, pod('d'));
        await expect.poll(mine, SETTLE).toEqual(['default/a', 'default/c', 'default/d']);
        await expect.poll(() => source.source.problems(), SETTLE).toEqual([]);

        await server.expire();
        await remove(`${PODS}/c`);
        await create(PODS, pod('e'));
        await expect.poll(mine, SETTLE).toEqual(['default/a', 'default/d', 'default/e']);
        expect(source.told('pods').sort()).toEqual(['-default/b', '-default/c', 'default/a', 'default/d', 'default/e']);
        expect(source.told('namespaces').filter((key) => key.startsWith('-'))).toEqual([]);
        await remove(`${POLICIES}/p`);
        await expect.poll(() => source.keys('policies'), SETTLE).toEqual([]);
      } finally {
        await source.stop();
      }
    }, 240_000);

    it('is followed in a kind that is installed later', async () => {
      const source = await WatchedSource.create(server, { pollMs: 200 });
      try {
        await source.start();
        expect(source.source.problems()).toEqual([]);
        await install(CLUSTER_POLICY_CRD);
        // A real server takes a moment to serve it.
        await expect
          .poll(
            () =>
              create(CLUSTER_POLICIES, denyingClusterPolicy('late')).then(
                () => true,
                () => false,
              ),
            SETTLE,
          )
          .toBe(true);
        await expect.poll(() => source.keys('clusterPolicies'), SETTLE).toEqual(['late']);
        await remove(`${CLUSTER_POLICIES}/late`);
        await expect.poll(() => source.keys('clusterPolicies'), SETTLE).toEqual([]);
      } finally {
        await source.stop();
      }
    }, 120_000);

    it('is told how far its objects are, in what it takes for valid', async () => {
      for (const name of ['realizations.yaml', 'clusterrealizations.yaml']) await install(crd(name));
      await expect
        .poll(
          () =>
            kube.request('GET', '/apis/heddle.dev/v1alpha1/realizations').then(
              () => true,
              () => false,
            ),
          SETTLE,
        )
        .toBe(true);
      await create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } });
      await create(POLICIES, policy('good'));
      await create(
        POLICIES,
        policy('never', { matchLabels: { a: 'x' }, matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }),
      );
      const files = new TestFolder();
      const KUBECONFIG = await server.kubeconfigFile(files.path);
      const settings = { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG, HEDDLE_LEASE: 'default/heddle' };
      const h = await startHarness(files, settings, quickClock(5));
      try {
        await h.client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, {
          body: { encapIp: '172.31.99.1', addresses: [], underlayMtu: 1500, datapathType: 'netdev' },
        });
        h.switches.connect('node1');
        const get = (object: string) => kube.request('GET', object) as Promise<{ status?: object; spec?: object }>;
        await expect
          .poll(() => get('/api/v1/nodes/node1'), SETTLE)
          .toMatchObject({
            status: {
              conditions: expect.arrayContaining([
                expect.objectContaining({ type: 'NetworkUnavailable', status: 'False', reason: 'HeddleIsUp' }),
              ]),
            },
          });
        await expect
          .poll(
            () =>
              get('/apis/heddle.dev/v1alpha1/namespaces/default/realizations/networkpolicy-good').catch(
                () => undefined,
              ),
            SETTLE,
          )
          .toMatchObject({
            spec: { target: { kind: 'NetworkPolicy', name: 'good' } },
            status: {
              observedGeneration: 1,
              conditions: [{ type: 'Programmed', status: 'True', reason: 'Acknowledged' }],
            },
          });
        // The API server's own Service has one too.
        await expect
          .poll(
            () =>
              get('/apis/heddle.dev/v1alpha1/namespaces/default/realizations/service-kubernetes').catch(
                () => undefined,
              ),
            SETTLE,
          )
          .toMatchObject({ status: { conditions: [{ type: 'Programmed', status: 'True' }] } });
        const events = async () =>
          (
            (await kube.request('GET', '/apis/events.k8s.io/v1/namespaces/default/events')) as {
              items: { reason: string }[];
            }
          ).items;
        await expect
          .poll(async () => (await events()).filter((e) => e.reason === 'NoEffect'), SETTLE)
          .toMatchObject([
            { regarding: { kind: 'NetworkPolicy', name: 'never' }, note: expect.stringContaining('can never select') },
          ]);
        await remove(`${POLICIES}/good`);
        await expect
          .poll(
            () =>
              get('/apis/heddle.dev/v1alpha1/namespaces/default/realizations/networkpolicy-good').then(
                () => 'there',
                (e) => e.status,
              ),
            SETTLE,
          )
          .toBe(404);
        expect(await get('/apis/coordination.k8s.io/v1/namespaces/default/leases/heddle')).toMatchObject({
          spec: { leaseTransitions: 0 },
        });
      } finally {
        await h.stop();
        files.remove();
      }
    }, 240_000);
  });
});
