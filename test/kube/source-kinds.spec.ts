import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER_POLICY_CRD, denyingClusterPolicy, POLICY_GROUP } from '../support/cluster-policies.js';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { quickClock } from '../support/quick-clock.js';
import { WatchedSource } from './support.js';

let api: KubeApi;
let source: WatchedSource;

beforeEach(async () => {
  api = await startKubeApi();
});
afterEach(async () => {
  await source.stop();
  await api.stop();
});
const begin = async () => {
  source = await WatchedSource.create(api, { clock: quickClock(4), pollMs: 200 });
  await source.start();
};

const policy = (name: string, port: unknown, generation = 1) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'default', generation },
  spec: { podSelector: {}, ingress: [{ ports: [{ port, protocol: 'TCP' }] }] },
});

describe('a custom resource', () => {
  it('is noticed when it is installed later, and gone with its definition', async () => {
    await begin();
    expect(source.keys('clusterPolicies')).toEqual([]);
    expect(source.source.problems()).toEqual([]);
    api.put(CLUSTER_POLICY_CRD);
    api.put(denyingClusterPolicy('a'));
    await source.until('clusterPolicies', ['a']);
    // By its watch and not by another list.
    const lists = api.stats().requests[`list clusternetworkpolicies.${POLICY_GROUP}`];
    api.put(denyingClusterPolicy('b'));
    await source.until('clusterPolicies', ['a', 'b']);
    expect(api.stats().requests[`list clusternetworkpolicies.${POLICY_GROUP}`]).toBe(lists);
    api.remove('customresourcedefinitions', CLUSTER_POLICY_CRD.metadata.name);
    await source.until('clusterPolicies', []);
  });

  it('keeps its objects when the server says for a moment that it has none of that kind', async () => {
    api.put(CLUSTER_POLICY_CRD);
    api.put(denyingClusterPolicy('a'));
    await begin();
    api.fail((a) => a.resource === 'clusternetworkpolicies', 404, 2);
    api.dropWatches('clusternetworkpolicies');
    await expect.poll(() => api.stats().requests[`watch clusternetworkpolicies.${POLICY_GROUP}`]).toBeGreaterThan(1);
    api.put(denyingClusterPolicy('b'));
    await source.until('clusterPolicies', ['a', 'b']);
    expect(source.told('clusterPolicies')).toEqual(['b']);
  });
});

describe('an object that does not validate', () => {
  it('leaves its last good value and everything else as it is, and is named with its field', async () => {
    await begin();
    api.put(policy('a', 80));
    api.put(policy('b', 80));
    await source.until('policies', ['default/a', 'default/b']);
    const good = source.objects.policies.get('default/a');
    api.put(policy('a', 'Not A Port'));
    api.put(policy('c', 80));
    await source.until('policies', ['default/a', 'default/b', 'default/c']);
    expect(source.objects.policies.get('default/a')).toEqual(good);
    expect(source.source.problems()).toEqual([
      {
        severity: 'error',
        file: 'kubernetes:/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/a',
        line: null,
        object: { kind: 'NetworkPolicy', namespace: 'default', name: 'a' },
        reason: expect.stringMatching(/^spec\.ingress\[0\]\.ports\[0\]\.port: "Not A Port" is not a port name/),
      },
    ]);
    expect(source.problemsTold.length).toBe(1);
    api.put(policy('a', 81));
    await expect.poll(() => source.objects.policies.get('default/a')).not.toEqual(good);
    await expect.poll(() => source.source.problems()).toEqual([]);
  });

  it('goes like any other', async () => {
    await begin();
    api.put(policy('a', 80));
    await source.until('policies', ['default/a']);
    api.put(policy('a', 'Not A Port'));
    await expect.poll(() => source.source.problems().length).toBe(1);
    api.remove('networkpolicies', 'a', 'default');
    await source.until('policies', []);
    await expect.poll(() => source.source.problems()).toEqual([]);
  });
});

describe('where an object stands', () => {
  it('is its path at the API server', async () => {
    api.put(policy('a', 80));
    await begin();
    const place = (kind: string, namespace: string, name: string) => source.source.placeOf({ kind, namespace, name });
    expect(place('NetworkPolicy', 'default', 'a')).toEqual({
      file: 'kubernetes:/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/a',
      line: null,
    });
    expect(place('Namespace', '', 'default')).toEqual({ file: 'kubernetes:/api/v1/namespaces/default', line: null });
    expect(place('Pod', 'default', 'nobody')).toBeUndefined();
  });
});
