import { expect, it } from 'vitest';
import type { Json } from '../../support/kube-api/index.js';
import { configMap, pod, type Suite } from './suite.js';

/** Who may ask, what is served, what is created. */
export function answerRequests(s: Suite): void {
  it('answers 401 without a token and with a wrong one', async () => {
    for (const token of [undefined, 'wrong']) {
      const { code, body } = await s.client.send('GET', '/api/v1/pods', { token });
      expect({ code, kind: body.kind, reason: body.reason }).toEqual({
        code: 401,
        kind: 'Status',
        reason: 'Unauthorized',
      });
    }
  });

  it('describes what it serves', async () => {
    expect((await s.client.get('/version')).body).toMatchObject({ major: '1', minor: '36' });
    expect((await s.client.get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const groups = (await s.client.get('/apis')).body.groups.map((g: Json) => g.preferredVersion.groupVersion);
    expect(groups).toEqual(
      expect.arrayContaining([
        'networking.k8s.io/v1',
        'discovery.k8s.io/v1',
        'coordination.k8s.io/v1',
        'events.k8s.io/v1',
        'apiextensions.k8s.io/v1',
      ]),
    );
    const { resources } = (await s.client.get('/api/v1')).body;
    expect(resources.find((r: Json) => r.name === 'pods')).toMatchObject({
      kind: 'Pod',
      namespaced: true,
      singularName: 'pod',
      shortNames: ['po'],
    });
    expect(resources.find((r: Json) => r.name === 'nodes')).toMatchObject({ kind: 'Node', namespaced: false });
    expect(resources.map((r: Json) => r.name)).toEqual(
      expect.arrayContaining(['pods/status', 'pods/binding', 'nodes/status', 'services/status']),
    );
    expect((await s.client.get('/apis/networking.k8s.io')).body).toMatchObject({
      kind: 'APIGroup',
      name: 'networking.k8s.io',
    });
    expect((await s.client.get('/apis/no.such.group/v1')).code).toBe(404);
    expect((await s.client.get('/api/v1/gadgets')).code).toBe(404);
  });

  it('creates an object once and gives it identity', async () => {
    const { core, ns } = await s.namespace();
    const made = await s.client.must(s.client.post(`${core}/configmaps`, configMap('a', { k: 'v' })));
    expect(made).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'a', namespace: ns },
      data: { k: 'v' },
    });
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(made.metadata.resourceVersion).toMatch(/^\d+$/);
    expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await s.client.post(`${core}/configmaps`, configMap('a'))).toMatchObject({
      code: 409,
      body: { reason: 'AlreadyExists', message: 'configmaps "a" already exists' },
    });
    expect(await s.client.get(`${core}/configmaps/b`)).toMatchObject({
      code: 404,
      body: { reason: 'NotFound', details: { name: 'b', kind: 'configmaps' } },
    });
  });

  it('completes generateName', async () => {
    const { core } = await s.namespace();
    const made = await s.client.must(s.client.post(`${core}/configmaps`, { metadata: { generateName: 'x-' } }));
    expect(made.metadata.name).toMatch(/^x-[a-z0-9]{5}$/);
  });

  it.each([
    ['a namespace that is not there', '/api/v1/namespaces/nowhere/configmaps', configMap('a'), 404, 'NotFound'],
    ['a name with capitals', '/api/v1/namespaces/default/configmaps', configMap('A'), 422, 'Invalid'],
    ['no name', '/api/v1/namespaces/default/configmaps', { data: {} }, 422, 'Invalid'],
    [
      'another namespace in the body',
      '/api/v1/namespaces/default/configmaps',
      { metadata: { name: 'a', namespace: 'kube-system' } },
      400,
      'BadRequest',
    ],
    [
      'a resourceVersion',
      '/api/v1/namespaces/default/configmaps',
      { metadata: { name: 'a', resourceVersion: '1' } },
      500,
      undefined,
    ],
    ['another kind', '/api/v1/namespaces/default/configmaps', pod('a'), 400, 'BadRequest'],
    ['text that is not JSON', '/api/v1/namespaces/default/configmaps', '{', 400, 'BadRequest'],
    ['a wrong type', '/api/v1/namespaces/default/pods', pod('a', { spec: { hostNetwork: 'yes' } }), 400, 'BadRequest'],
    [
      'a pod without containers',
      '/api/v1/namespaces/default/pods',
      pod('a', { spec: { containers: [] } }),
      422,
      'Invalid',
    ],
    [
      'a service without ports',
      '/api/v1/namespaces/default/services',
      { metadata: { name: 'a' }, spec: {} },
      422,
      'Invalid',
    ],
    [
      'a policy with a bad CIDR',
      '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
      {
        metadata: { name: 'a' },
        spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/33' } }] }] },
      },
      422,
      'Invalid',
    ],
  ])('refuses to create with %s', async (_, path, body, code, reason) => {
    const reply = await s.client.post(path as string, body);
    expect({ code: reply.code, reason: reply.body.reason }).toEqual({ code, reason });
  });
}
