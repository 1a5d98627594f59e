import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Attachment, NodeConfig, path, ROUTES } from '@heddle/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { type Harness, startHarness } from '../../apps/controller/src/testing/harness.js';
import { CLUSTER_POLICY_CRD, denyingClusterPolicy } from '../support/cluster-policies.js';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { quickClock } from '../support/quick-clock.js';

const CRDS = ['realizations', 'clusterrealizations'].map((name) =>
  parse(readFileSync(resolve(import.meta.dirname, `../../deploy/base/crds/${name}.yaml`), 'utf8')),
);

/** What is written waits for seconds, so that it is written once. */
const clock = quickClock(5);

let api: KubeApi;
let folder: TestFolder;
let h: Harness | undefined;

beforeEach(async () => {
  api = await startKubeApi();
  folder = new TestFolder();
});
afterEach(async () => {
  await h?.stop();
  h = undefined;
  await api.stop();
  folder.remove();
});

const harness = () => h ?? expect.fail('not started');
const start = async (environment: Readonly<Record<string, string>> = {}) => {
  const KUBECONFIG = await api.kubeconfigFile(folder.path);
  const settings = { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG, HEDDLE_DATABASE_URL: `sqlite:${folder.path}/db` };
  h = await startHarness(folder, { ...settings, ...environment }, clock);
};
const register = async (name: string, last: number) => {
  await harness().client.put(path(ROUTES.agentNode, name), NodeConfig, {
    body: { encapIp: `172.31.99.${last}`, addresses: [], underlayMtu: 1500, datapathType: 'netdev' },
  });
};
const putNode = (name: string) => api.put({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
const putPod = (name: string, labels: Record<string, string> = {}) =>
  api.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
const putPolicy = (name: string, spec: object = { podSelector: {}, policyTypes: ['Ingress'] }) =>
  api.put({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'default' },
    spec,
  });
const attach = (pod: string, node: string) =>
  harness().client.post(ROUTES.agentAttach, Attachment, {
    body: { node, containerId: `c-${pod}`, ifname: 'eth0', namespace: 'default', pod, waitMs: 5_000 },
  });
const condition = (node: string) =>
  (api.object('nodes', node)?.status?.conditions ?? []).find((c: { type: string }) => c.type === 'NetworkUnavailable');
const realization = (name: string) => api.object('realizations', name, 'default');
const programmed = (name: string) => {
  const status = realization(name)?.status;
  return (
    status?.conditions?.[0] && { ...status, conditions: undefined, ...{ programmed: status.conditions[0].status } }
  );
};
// Stored in the form of v1, whatever version they were written in.
const events = (reason: string) => api.objects('events').filter((e) => e.reason === reason);
const writes = () =>
  Object.entries(api.stats().requests)
    .filter(([verb]) => /^(create|patch|update|delete) /.test(verb))
    .reduce((sum, [, count]) => sum + count, 0);
const LONG = { timeout: 30_000 };

describe('the condition NetworkUnavailable', () => {
  it('is False once the agent has registered and the switch is in sync, and is written once', async () => {
    putNode('node1');
    await start();
    await register('node1', 1);
    harness().switches.connect('node1');
    await expect.poll(() => condition('node1'), LONG).toMatchObject({ status: 'False', reason: 'HeddleIsUp' });
    const before = writes();
    for (let i = 0; i < 20; i++) {
      putPod(`p${i}`);
      await harness().controller.runtime.source.refresh();
    }
    // The next second's look has come and gone when another node has its condition.
    putNode('node2');
    await register('node2', 2);
    harness().switches.connect('node2');
    await expect.poll(() => condition('node2'), LONG).toMatchObject({ status: 'False' });
    expect(writes()).toBe(before + 1);
  });

  it('leaves other conditions alone', async () => {
    api.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node1' },
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'x' }] },
    });
    await start();
    await register('node1', 1);
    harness().switches.connect('node1');
    await expect.poll(() => condition('node1'), LONG).toBeDefined();
    expect(api.object('nodes', 'node1')?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', reason: 'KubeletReady' }),
    );
  });
});

describe('a Realization', () => {
  beforeEach(() => {
    for (const crd of CRDS) api.put(crd);
  });

  it('says how many nodes have acknowledged a policy, and which one is waited for', async () => {
    await start();
    for (const [i, node] of ['node1', 'node2', 'node3'].entries()) {
      await register(node, i + 1);
      harness().switches.connect(node);
    }
    putPod('a');
    putPod('b');
    await attach('a', 'node1');
    await attach('b', 'node2');
    harness().switches.automatic = false;
    putPolicy('deny');
    await expect
      .poll(() => programmed('networkpolicy-deny'), LONG)
      .toMatchObject({
        observedGeneration: 1,
        nodes: { wanted: 2, acknowledged: 0 },
        programmed: 'False',
      });
    const { generation } = harness().controller.runtime.engine;
    harness().switches.acknowledge('node1', generation);
    await expect
      .poll(() => programmed('networkpolicy-deny'), LONG)
      .toMatchObject({
        nodes: { wanted: 2, acknowledged: 1 },
        slowestNode: 'node2',
        programmed: 'False',
      });
    harness().switches.acknowledge('node2', generation);
    await expect
      .poll(() => programmed('networkpolicy-deny'), LONG)
      .toMatchObject({
        nodes: { wanted: 2, acknowledged: 2 },
        slowestNode: 'node2',
        generation,
        programmed: 'True',
      });
    expect(realization('networkpolicy-deny')).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'NetworkPolicy', name: 'deny' }] },
      spec: { target: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', name: 'deny' } },
    });
  });

  it('goes with its target, and follows a target that is made anew', async () => {
    await start();
    putPolicy('p');
    await expect.poll(() => programmed('networkpolicy-p')?.programmed, LONG).toBe('True');
    const uid = () => realization('networkpolicy-p')?.spec.target.uid;
    const before = uid();
    api.remove('networkpolicies', 'p', 'default');
    putPolicy('p');
    await expect.poll(uid, LONG).not.toBeOneOf([before, undefined]);
    api.remove('networkpolicies', 'p', 'default');
    await expect.poll(() => realization('networkpolicy-p'), LONG).toBeUndefined();
  });

  it('tells what is wrong with a policy', async () => {
    await start();
    putPolicy('wrong', { podSelector: {}, ingress: [{ ports: [{ port: 'Not A Port', protocol: 'TCP' }] }] });
    await expect
      .poll(() => programmed('networkpolicy-wrong'), LONG)
      .toMatchObject({
        programmed: 'False',
        lastError: expect.stringContaining('spec.ingress[0].ports[0].port'),
      });
    await expect
      .poll(() => events('Invalid'), LONG)
      .toMatchObject([
        {
          involvedObject: { kind: 'NetworkPolicy', name: 'wrong', namespace: 'default' },
          message: expect.stringContaining('Not A Port'),
          type: 'Warning',
        },
      ]);
  });

  it('notes which rules of a cluster policy have no place of their own, as long as it is so', async () => {
    api.put(CLUSTER_POLICY_CRD);
    putNode('node1');
    await start();
    await register('node1', 1);
    harness().switches.connect('node1');
    const putDenials = (name: string, rules: number) => {
      const ingress = Array.from({ length: rules }, () => ({ action: 'Deny', from: [{ namespaces: {} }] }));
      api.put(denyingClusterPolicy(name, { ingress }));
    };
    const message = () =>
      api.object('clusterrealizations', 'clusternetworkpolicy-b')?.status?.conditions?.[0]?.message ?? '';
    putDenials('b', 2);
    await expect.poll(message, LONG).toMatch(/ have acknowledged it$/);
    for (const [name, rules] of Object.entries({ a1: 25, a2: 25, a3: 13 })) putDenials(name, rules);
    await expect.poll(message, LONG).toMatch(/ have acknowledged it; note: spec\.ingress\[1\]: more than 64 rules /);
    await expect
      .poll(() => events('CrowdedPriority'), LONG)
      .toMatchObject([{ involvedObject: { kind: 'ClusterNetworkPolicy', name: 'b' } }]);
    api.remove('clusternetworkpolicies', 'a1');
    await expect.poll(message, LONG).toMatch(/ have acknowledged it$/);
  });

  it('is not written again by a controller that starts and finds what it would write', async () => {
    for (let i = 0; i < 5; i++) putPolicy(`p${i}`);
    await start();
    for (let i = 0; i < 5; i++)
      await expect.poll(() => programmed(`networkpolicy-p${i}`)?.programmed, LONG).toBe('True');
    await harness().stop();
    const stale = realization('networkpolicy-p0');
    api.remove('networkpolicies', 'p0', 'default');
    api.resetStats();
    await start();
    // What it writes is the one thing that is not so any more.
    await expect.poll(() => realization('networkpolicy-p0'), LONG).toBeUndefined();
    putPolicy('last');
    await expect.poll(() => programmed('networkpolicy-last')?.programmed, LONG).toBe('True');
    expect(stale).toBeDefined();
    expect(
      Object.fromEntries(
        Object.entries(api.stats().requests).filter(([verb]) => /realizations/.test(verb) && !/^list/.test(verb)),
      ),
    ).toEqual({
      'create realizations.heddle.dev': 1,
      'delete realizations.heddle.dev': 1,
      'patch realizations/status.heddle.dev': 1,
    });
  });
});

it('writes no realizations where the definitions are not installed', async () => {
  putPolicy('p');
  putNode('node1');
  await start();
  await register('node1', 1);
  harness().switches.connect('node1');
  await expect.poll(() => condition('node1'), LONG).toBeDefined();
  expect(writes()).toBe(1);
});

describe('an event', () => {
  it('tells of a pod that got no address', async () => {
    await start({ HEDDLE_CLUSTER_CIDR: '10.244.0.0/26', HEDDLE_SERVICE_CIDR: '10.96.0.0/16' });
    await register('node1', 1);
    const names = Array.from({ length: 64 }, (_, i) => `p${i}`);
    for (const name of names) putPod(name);
    const outcomes = [];
    for (const name of names)
      outcomes.push(
        await attach(name, 'node1').then(
          () => 'ok',
          (e) => e.code,
        ),
      );
    expect(outcomes.filter((o) => o === 'pool_exhausted').length).toBeGreaterThan(0);
    await expect
      .poll(() => events('AddressPoolEmpty').length, LONG)
      .toBe(outcomes.filter((o) => o === 'pool_exhausted').length);
    expect(events('AddressPoolEmpty')[0]).toMatchObject({ involvedObject: { kind: 'Pod', namespace: 'default' } });
  });

  it('tells of a policy that can never match', async () => {
    await start();
    putPolicy('never', {
      podSelector: { matchLabels: { a: 'x' }, matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] },
    });
    await expect
      .poll(() => events('NoEffect'), LONG)
      .toMatchObject([
        { involvedObject: { name: 'never' }, message: expect.stringContaining('can never select a pod') },
      ]);
  });
});

it('writes at most a few times a second, whatever happens', async () => {
  for (const crd of CRDS) api.put(crd);
  await start();
  const startedAt = clock.now();
  for (let i = 0; i < 60; i++) putPolicy(`p${i}`);
  await expect.poll(() => api.objects('realizations').length, LONG).toBeGreaterThanOrEqual(30);
  const seconds = (clock.now() - startedAt) / 1_000;
  // Five objects a second after a burst of ten; each new one is two requests.
  expect(writes()).toBeLessThanOrEqual(2 * (10 + 5 * seconds + 1));
});

it('writes nothing while another controller holds the Lease, and begins when that one is gone', async () => {
  const held = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'heddle', namespace: 'default' },
    spec: { holderIdentity: 'other', leaseDurationSeconds: 3_600 },
  };
  api.put(held);
  putNode('node1');
  await start({ HEDDLE_LEASE: 'default/heddle' });
  await register('node1', 1);
  harness().switches.connect('node1');
  // It has looked twice: what it would have written is overdue.
  await expect.poll(() => api.stats().requests['get leases.coordination.k8s.io']).toBeGreaterThan(1);
  expect(writes()).toBe(0);
  api.put({ ...held, spec: { holderIdentity: '' } });
  await expect.poll(() => condition('node1')).toMatchObject({ status: 'False' });
  expect(api.object('leases', 'heddle', 'default')?.spec.leaseTransitions).toBe(1);
});
