import { Attachment, NodeConfig, ProblemView, path, ROUTES, StatusView } from '@heddle/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { type Harness, startHarness } from '../../apps/controller/src/testing/harness.js';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';

/** A whole controller, but for its switches, over an API server. */

let api: KubeApi;
let folder: TestFolder;
let h: Harness;

beforeEach(async () => {
  api = await startKubeApi({ endpointSlices: true });
  folder = new TestFolder();
});
afterEach(async () => {
  await h?.stop();
  await api.stop();
  folder.remove();
});

const start = async (environment: Readonly<Record<string, string>> = {}) => {
  const KUBECONFIG = await api.kubeconfigFile(folder.path);
  h = await startHarness(folder, { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG, ...environment });
  await h.client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, {
    body: { encapIp: '172.31.99.1', addresses: ['172.31.99.1'], underlayMtu: 1500, datapathType: 'netdev' },
  });
  h.switches.connect('node1');
};
const putPod = (name: string, labels: Record<string, string>, status: object = { phase: 'Pending' }) =>
  api.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 8080, name: 'http' }] }] },
    status,
  });
const uidOf = (name: string) => api.object('pods', name, 'default')?.metadata.uid as string;
const attach = (pod: string, containerId: string, podUid: string | undefined, waitMs = 5_000) =>
  h.client.post(ROUTES.agentAttach, Attachment, {
    body: { node: 'node1', containerId, ifname: 'eth0', namespace: 'default', pod, podUid, waitMs },
  });
const fact = (kind: 'attachment' | 'service' | 'endpoints' | 'pod', key: string) =>
  h.controller.runtime.facts.get(kind, key);
const problems = () => h.client.get(ROUTES.problems, z.array(ProblemView));
const ready = (ip: string) => ({
  phase: 'Running',
  podIP: ip,
  podIPs: [{ ip }],
  conditions: [{ type: 'Ready', status: 'True' }],
});

describe('services', () => {
  it('have the addresses that the API server gave, and the endpoints that EndpointSlices say', async () => {
    await start();
    api.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'default' },
      spec: { selector: { app: 's' }, ports: [{ port: 80, targetPort: 'http' }] },
    });
    const { clusterIP } = api.object('services', 's', 'default')?.spec ?? {};
    await expect.poll(() => fact('service', 'default/s')).toMatchObject({ clusterIps: [clusterIP] });
    putPod('a', { app: 's' });
    putPod('b', { app: 's' });
    const [a, b] = [await attach('a', 'c1', uidOf('a')), await attach('b', 'c2', uidOf('b'))];
    putPod('a', { app: 's' }, ready(a.ips[0] as string));
    putPod('b', { app: 's' }, { ...ready(b.ips[0] as string), conditions: [{ type: 'Ready', status: 'False' }] });
    await expect
      .poll(() => fact('endpoints', 'default/s'))
      .toMatchObject({ ports: [{ endpoints: [{ ip: a.ips[0], port: 8080 }] }], draining: [b.ips[0]] });
    api.remove('services', 's', 'default');
    await expect
      .poll(() => [fact('service', 'default/s'), fact('endpoints', 'default/s')])
      .toEqual([undefined, undefined]);
  });

  it('with an address outside of the service CIDR are served and reported', async () => {
    await start({ HEDDLE_SERVICE_CIDR: '10.222.0.0/16' });
    api.put({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'x', namespace: 'default', labels: { 'kubernetes.io/service-name': 'far' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.1'] }],
      ports: [{ name: '', port: 443 }],
    });
    api.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'far', namespace: 'default' },
      spec: { ports: [{ port: 443 }] },
    });
    const { clusterIP } = api.object('services', 'far', 'default')?.spec ?? {};
    await expect.poll(() => fact('service', 'default/far')).toMatchObject({ clusterIps: [clusterIP] });
    await expect
      .poll(() => fact('endpoints', 'default/far'))
      .toMatchObject({ ports: [{ endpoints: [{ ip: '192.0.2.1', port: 443 }] }] });
    expect(await problems()).toContainEqual(
      expect.objectContaining({
        file: 'kubernetes:/api/v1/namespaces/default/services/far',
        reason: `the clusterIP ${clusterIP} is outside the service CIDR that Heddle was given`,
      }),
    );
  });
});

describe('a pod that is made anew under its name', () => {
  it('is not attached with the labels of the old one, whichever of the two calls', async () => {
    await start();
    putPod('a', { v: 'old' });
    const old = uidOf('a');
    await attach('a', 'c1', old);
    expect(fact('attachment', 'default/a')).toBeDefined();
    await expect(attach('a', 'c2', 'a-uid-that-is-not-here-yet', 100)).rejects.toMatchObject({ code: 'unknown_pod' });
    api.remove('pods', 'a', 'default');
    putPod('a', { v: 'new' });
    // The lease of the old pod is not the new one's.
    await expect.poll(() => fact('attachment', 'default/a')).toBeUndefined();
    await expect(attach('a', 'c3', old, 100)).rejects.toMatchObject({ code: 'unknown_pod' });
    const lease = await attach('a', 'c2', uidOf('a'));
    expect(fact('attachment', 'default/a')).toMatchObject({ portKey: lease.portKey });
    expect(fact('pod', 'default/a')).toMatchObject({ labels: { v: 'new' } });
  });

  it('is waited for', async () => {
    await start();
    putPod('a', { v: 'old' });
    await attach('a', 'c1', uidOf('a'));
    const mend = api.fail((a) => a.resource === 'pods' && a.verb === 'watch', 500);
    api.dropWatches('pods');
    api.remove('pods', 'a', 'default');
    putPod('a', { v: 'new' });
    const waiting = attach('a', 'c2', uidOf('a'), 20_000);
    await expect.poll(() => fact('pod', 'default/a')).toMatchObject({ labels: { v: 'old' } });
    mend();
    await waiting;
    expect(fact('pod', 'default/a')).toMatchObject({ labels: { v: 'new' } });
  });
});

it('takes the address from a pod whose containers have ended', async () => {
  await start();
  putPod('job', { app: 'job' });
  await attach('job', 'c1', uidOf('job'));
  expect(fact('attachment', 'default/job')).toBeDefined();
  putPod('job', { app: 'job' }, { phase: 'Succeeded' });
  await expect.poll(() => fact('attachment', 'default/job')).toBeUndefined();
});

it('answers its probes and its status while the API server is away at the start, and comes to itself', async () => {
  putPod('a', {});
  const kubeconfig = await api.kubeconfigFile(folder.path);
  await api.kill();
  const starting = startHarness(folder, { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG: kubeconfig });
  const { ApiClient } = await import('@heddle/api');
  const client = new ApiClient({ url: `unix:${folder.socket}` });
  await expect
    .poll(() => client.get(ROUTES.status, StatusView).catch(() => undefined))
    .toMatchObject({ source: { kind: 'kubernetes', inSync: false } });
  await expect(
    client.post(ROUTES.agentAttach, Attachment, {
      body: { node: 'node1', containerId: 'c', ifname: 'eth0', namespace: 'default', pod: 'a' },
    }),
  ).rejects.toMatchObject({ code: 'unknown_node' });
  await api.restart();
  h = await starting;
  expect(await client.get(ROUTES.status, StatusView)).toMatchObject({
    source: { inSync: true, location: api.url },
    counts: { pods: 1 },
  });
});
