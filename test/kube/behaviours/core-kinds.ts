import { expect, it } from 'vitest';
import type { Json } from '../../support/kube-api/index.js';
import { fieldsOf, pod, type Suite } from './suite.js';

/** What single kinds of the core add. */
export function serveCoreKinds(s: Suite): void {
  it('binds a pod to a node once', async () => {
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/pods`, pod('p')));
    const binding = (node: string) => ({ metadata: { name: 'p' }, target: { kind: 'Node', name: node } });
    expect((await s.client.post(`${core}/pods/p/binding`, binding('n1'))).code).toBe(201);
    const bound = await s.client.must(s.client.get(`${core}/pods/p`));
    expect(bound.spec.nodeName).toBe('n1');
    expect(bound.status.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    expect((await s.client.post(`${core}/pods/p/binding`, binding('n2'))).code).toBe(409);
    expect((await s.client.patch('merge', `${core}/pods/p`, { spec: { nodeName: 'n2' } })).code).toBe(422);
  });

  it('gives services addresses and node ports', async () => {
    const { core } = await s.namespace();
    const service = (n: string, spec: Json) => ({
      metadata: { name: n },
      spec: { ports: [{ port: 80 }], ...spec },
    });
    const one = await s.client.must(s.client.post(`${core}/services`, service('one', {})));
    expect(one.spec).toMatchObject({
      type: 'ClusterIP',
      clusterIPs: [one.spec.clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    expect(one.spec.clusterIP).toMatch(/^10\.96\./);
    expect(one.status).toEqual({ loadBalancer: {} });
    const both = await s.client.must(
      s.client.post(`${core}/services`, service('both', { ipFamilyPolicy: 'PreferDualStack' })),
    );
    expect(both.spec.ipFamilies).toEqual(['IPv4', 'IPv6']);
    expect(both.spec.clusterIPs[1]).toMatch(/^fd00:10:96::/);
    const six = await s.client.must(s.client.post(`${core}/services`, service('six', { ipFamilies: ['IPv6'] })));
    expect(six.spec.clusterIP).toMatch(/^fd00:10:96::/);
    const headless = await s.client.must(s.client.post(`${core}/services`, service('headless', { clusterIP: 'None' })));
    expect(headless.spec.clusterIPs).toEqual(['None']);
    const open = await s.client.must(s.client.post(`${core}/services`, service('open', { type: 'NodePort' })));
    expect(open.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30000);
    expect(open.spec.externalTrafficPolicy).toBe('Cluster');
    const taken = await s.client.post(`${core}/services`, service('thief', { clusterIP: one.spec.clusterIP }));
    expect({ code: taken.code, fields: fieldsOf(taken.body) }).toEqual({ code: 422, fields: ['spec.clusterIPs'] });
    expect(
      (
        await s.client.patch('merge', `${core}/services/one`, {
          spec: { clusterIP: '10.96.77.7', clusterIPs: ['10.96.77.7'] },
        })
      ).code,
    ).toBe(422);
    // A writer that leaves the address out keeps it.
    expect(
      (await s.client.must(s.client.put(`${core}/services/one`, service('one', { selector: { a: 'b' } })))).spec
        .clusterIP,
    ).toBe(one.spec.clusterIP);
    await s.client.must(s.client.delete(`${core}/services/one`));
    expect(
      (await s.client.must(s.client.post(`${core}/services`, service('heir', { clusterIP: one.spec.clusterIP })))).spec
        .clusterIP,
    ).toBe(one.spec.clusterIP);
  });

  it('fills in what a policy leaves out', async () => {
    const { ns } = await s.namespace();
    const path = `/apis/networking.k8s.io/v1/namespaces/${ns}/networkpolicies`;
    const made = await s.client.must(
      s.client.post(path, { metadata: { name: 'p' }, spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } }),
    );
    expect(made.spec).toEqual({
      podSelector: {},
      egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
      policyTypes: ['Ingress', 'Egress'],
    });
  });

  it('lets one holder renew a lease', async () => {
    const { ns } = await s.namespace();
    const list = `/apis/coordination.k8s.io/v1/namespaces/${ns}/leases`;
    const spec = { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' };
    const made = await s.client.must(s.client.post(list, { metadata: { name: 'l' }, spec }));
    expect(made.spec).toEqual(spec);
    const renewed = await s.client.must(
      s.client.put(`${list}/l`, { ...made, spec: { ...spec, renewTime: '2026-01-01T00:00:05.000000Z' } }),
    );
    expect((await s.client.put(`${list}/l`, { ...made, spec: { ...spec, holderIdentity: 'b' } })).code).toBe(409);
    expect((await s.client.put(`${list}/l`, { metadata: { name: 'l' }, spec })).code).toBe(422);
    expect((await s.client.must(s.client.get(`${list}/l`))).metadata.resourceVersion).toBe(
      renewed.metadata.resourceVersion,
    );
  });

  it('shows an event in both of its forms', async () => {
    const { ns } = await s.namespace();
    const regarding = { kind: 'Pod', namespace: ns, name: 'p', apiVersion: 'v1' };
    const modern = `/apis/events.k8s.io/v1/namespaces/${ns}/events`;
    await s.client.must(
      s.client.post(modern, {
        metadata: { name: 'e' },
        regarding,
        reason: 'AddressPoolEmpty',
        note: 'no address is free',
        type: 'Warning',
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'heddle.dev/controller',
        reportingInstance: 'heddle-1',
        action: 'Attach',
      }),
    );
    const list = await s.client.must(
      s.client.get(`/api/v1/namespaces/${ns}/events?fieldSelector=involvedObject.name%3Dp,reason%3DAddressPoolEmpty`),
    );
    expect(list.items).toMatchObject([
      { involvedObject: regarding, message: 'no address is free', reportingComponent: 'heddle.dev/controller' },
    ]);
    expect((await s.client.must(s.client.get(`${modern}?fieldSelector=regarding.kind%3DPod`))).items).toMatchObject([
      { regarding, note: 'no address is free' },
    ]);
    const elsewhere = {
      metadata: { name: 'f' },
      involvedObject: { ...regarding, namespace: 'other' },
      reason: 'r',
    };
    expect((await s.client.post(`/api/v1/namespaces/${ns}/events`, elsewhere)).code).toBe(422);
  });
}
