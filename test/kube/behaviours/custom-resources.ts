import { expect, it } from 'vitest';
import type { Json } from '../../support/kube-api/index.js';
import { widget, widgetDefinition } from '../widgets.js';
import { fieldsOf, type Suite } from './suite.js';

/** Definitions, and the checks of their objects. */
export function serveCustomResources(s: Suite): void {
  it('serves a resource as soon as its definition is established, and no longer than that', async () => {
    const gadgets = widgetDefinition();
    gadgets.metadata.name = 'gadgets.test.heddle.dev';
    Object.assign(gadgets.spec, { scope: 'Cluster', names: { plural: 'gadgets', kind: 'Gadget' } });
    const list = '/apis/test.heddle.dev/v1alpha1/gadgets';
    expect((await s.client.get(list)).code).toBe(404);
    const definition = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await s.client.must(s.client.post(definition, gadgets));
    await expect.poll(async () => (await s.client.get(list)).code, { timeout: 20_000 }).toBe(200);
    const { status } = await s.client.must(s.client.get(`${definition}/gadgets.test.heddle.dev`));
    const conditions = Object.fromEntries(status.conditions.map((x: Json) => [x.type, x.status]));
    expect(conditions).toMatchObject({ Established: 'True', NamesAccepted: 'True' });
    expect(status.acceptedNames).toMatchObject({
      plural: 'gadgets',
      singular: 'gadget',
      kind: 'Gadget',
      listKind: 'GadgetList',
    });
    const { resources } = await s.client.must(s.client.get('/apis/test.heddle.dev/v1alpha1'));
    expect(resources.map((r: Json) => r.name)).toEqual(expect.arrayContaining(['gadgets', 'gadgets/status']));
    const body = { ...widget('g', { size: 1 }), kind: 'Gadget' };
    const made = await s.client.must(s.client.post(list, body));
    const watch = await s.client.watch(`${list}?watch=true&resourceVersion=${made.metadata.resourceVersion}`);
    await s.client.must(s.client.delete(`${definition}/gadgets.test.heddle.dev`));
    await watch.until((e) => e.some((x) => x.type === 'DELETED'));
    await expect.poll(async () => (await s.client.get(list)).code, { timeout: 20_000 }).toBe(404);
    watch.close();
  });

  it.each([
    ['a wrong type', { size: 'big' }, ['spec.size']],
    ['a member that is missing', {}, ['spec.size']],
    ['too small a number', { size: 0 }, ['spec.size']],
    ['too large a number', { size: 11 }, ['spec.size']],
    ['a value that is not in the list', { size: 1, color: 'blue' }, ['spec.color']],
    ['text that is too long', { size: 1, label: 'abcdef' }, ['spec.label']],
    ['text of another form', { size: 1, label: 'A' }, ['spec.label']],
    ['a boolean where number or text is wanted', { size: 1, port: true }, ['spec.port']],
    ['an element without its key', { size: 1, peers: [{ weight: 1 }] }, ['spec.peers[0].name']],
    ['a wrong type in an element', { size: 1, peers: [{ name: 'a', weight: 'x' }] }, ['spec.peers[0].weight']],
    ['an element twice', { size: 1, peers: [{ name: 'a' }, { name: 'a' }] }, ['spec.peers[1]']],
    ['two faults', { size: 'x', label: 'A' }, ['spec.label', 'spec.size']],
  ])('refuses a custom resource with %s and says where', async (_, spec, fields) => {
    const { ns } = await s.namespace();
    const reply = await s.client.post(await s.widgets(ns), widget('w', spec));
    expect({ code: reply.code, reason: reply.body.reason }).toEqual({ code: 422, reason: 'Invalid' });
    expect([...new Set(fieldsOf(reply.body))].sort()).toEqual(expect.arrayContaining(fields));
    expect(reply.body.message).toContain('Widget.test.heddle.dev "w" is invalid');
  });

  it('fills defaults of a custom resource, drops what its schema does not know, and counts its generations', async () => {
    const { ns } = await s.namespace();
    const list = await s.widgets(ns);
    const made = await s.client.must(
      s.client.post(list, { ...widget('w', { size: 1, unknown: 1, peers: [{ name: 'a' }] }), status: { ready: true } }),
    );
    expect(made.spec).toEqual({ size: 1, color: 'red', peers: [{ name: 'a' }] });
    expect([made.status, made.metadata.generation]).toEqual([undefined, 1]);
    const strict = await s.client.post(`${list}?fieldValidation=Strict`, widget('v', { size: 1, unknown: 1 }));
    expect(strict).toMatchObject({ code: 400, body: { reason: 'BadRequest' } });
    expect(strict.body.message).toContain('unknown field "spec.unknown"');
    const path = `${list}/w`;
    expect(
      (await s.client.must(s.client.patch('merge', path, { metadata: { labels: { a: 'b' } } }))).metadata.generation,
    ).toBe(1);
    const ready = await s.client.must(
      s.client.patch('merge', `${path}/status`, {
        metadata: { labels: { a: 'c' } },
        spec: { size: 9 },
        status: { ready: true, nodes: 3 },
      }),
    );
    expect([ready.status, ready.spec.size, ready.metadata.generation, ready.metadata.labels]).toEqual([
      { ready: true, nodes: 3 },
      1,
      1,
      { a: 'b' },
    ]);
    const bigger = await s.client.must(s.client.patch('merge', path, { spec: { size: 2 }, status: { ready: false } }));
    expect([bigger.status.ready, bigger.spec.size, bigger.metadata.generation]).toEqual([true, 2, 2]);
    expect((await s.client.patch('merge', `${path}/status`, { status: { nodes: 'many' } })).code).toBe(422);
    expect((await s.client.patch('strategic', path, { spec: { size: 3 } })).code).toBe(415);
    expect(
      (await s.client.must(s.client.patch('json', path, [{ op: 'replace', path: '/spec/size', value: 3 }]))).spec.size,
    ).toBe(3);
    // PUT needs the version that it is based on.
    expect((await s.client.put(path, widget('w', { size: 4 }))).code).toBe(422);
    expect((await s.client.put(path, { ...bigger, spec: { size: 4 } })).code).toBe(409);
    const merged = await s.client.must(
      s.client.patch(
        'apply',
        `${path}?fieldManager=m&force=true`,
        widget('w', { size: 5, peers: [{ name: 'b', weight: 1 }] }),
      ),
    );
    expect(merged.spec).toMatchObject({ size: 5, peers: [{ name: 'a' }, { name: 'b', weight: 1 }] });
  });

  it('refuses a definition that is not structural', async () => {
    const bad = widgetDefinition();
    bad.metadata.name = 'bads.test.heddle.dev';
    bad.spec.names = { plural: 'bads', kind: 'Bad' };
    delete bad.spec.versions[0].schema.openAPIV3Schema.properties.spec.type;
    const reply = await s.client.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', bad);
    expect(reply.code).toBe(422);
    expect(fieldsOf(reply.body)).toContain('spec.validation.openAPIV3Schema.properties[spec].type');
    const misnamed = { ...widgetDefinition(), metadata: { name: 'x.test.heddle.dev' } };
    expect(
      fieldsOf((await s.client.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', misnamed)).body),
    ).toContain('metadata.name');
  });
}
