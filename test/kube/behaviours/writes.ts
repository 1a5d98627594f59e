import { expect, it } from 'vitest';
import type { Json } from '../../support/kube-api/index.js';
import { configMap, pod, type Suite } from './suite.js';

/** Conflicts, patches, status, generations. */
export function write(s: Suite): void {
  it('refuses a write that is based on an old version', async () => {
    const { core } = await s.namespace();
    const made = await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const changed = await s.client.must(s.client.put(`${core}/configmaps/a`, { ...made, data: { k: '1' } }));
    expect(await s.client.put(`${core}/configmaps/a`, { ...made, data: { k: '2' } })).toMatchObject({
      code: 409,
      body: {
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      },
    });
    expect(
      (
        await s.client.patch('merge', `${core}/configmaps/a`, {
          metadata: { resourceVersion: made.metadata.resourceVersion },
          data: { k: '3' },
        })
      ).code,
    ).toBe(409);
    // The same again changes nothing.
    const again = await s.client.must(s.client.put(`${core}/configmaps/a`, changed));
    expect(again.metadata.resourceVersion).toBe(changed.metadata.resourceVersion);
    // Without a version it is meant for whatever there is.
    expect((await s.client.must(s.client.put(`${core}/configmaps/a`, configMap('a', { k: '4' })))).data).toEqual({
      k: '4',
    });
    expect((await s.client.put(`${core}/configmaps/a`, configMap('b'))).code).toBe(400);
    expect((await s.client.put(`${core}/configmaps/b`, configMap('b'))).code).toBe(404);
    expect(
      (
        await s.client.put(`${core}/configmaps/a`, {
          ...configMap('a'),
          metadata: { name: 'a', uid: '00000000-0000-0000-0000-000000000000' },
        })
      ).code,
    ).toBe(409);
  });

  it('applies the three kinds of patches', async () => {
    const { core } = await s.namespace();
    const spec = {
      containers: [
        { name: 'c', image: 'pause:1' },
        { name: 'd', image: 'pause:1' },
      ],
    };
    await s.client.must(s.client.post(`${core}/pods`, pod('p', { spec, metadata: { labels: { a: '1', b: '2' } } })));
    const path = `${core}/pods/p`;
    const images = (o: Json) => o.spec.containers.map((x: Json) => `${x.name}=${x.image}`);
    expect(
      (await s.client.must(s.client.patch('merge', path, { metadata: { labels: { a: null, c: '3' } } }))).metadata
        .labels,
    ).toEqual({ b: '2', c: '3' });
    // Strategic: elements of a list have a key. Merge: a list is replaced, which a pod does not allow.
    expect(
      images(
        await s.client.must(
          s.client.patch('strategic', path, { spec: { containers: [{ name: 'd', image: 'pause:2' }] } }),
        ),
      ),
    ).toEqual(['c=pause:1', 'd=pause:2']);
    expect(
      (await s.client.patch('merge', path, { spec: { containers: [{ name: 'd', image: 'pause:3' }] } })).code,
    ).toBe(422);
    const operations = [
      { op: 'test', path: '/spec/containers/0/name', value: 'c' },
      { op: 'replace', path: '/spec/containers/0/image', value: 'pause:4' },
      { op: 'add', path: '/metadata/labels/x~1y', value: 'z' },
      { op: 'remove', path: '/metadata/labels/b' },
    ];
    const patched = await s.client.must(s.client.patch('json', path, operations));
    expect(images(patched)).toEqual(['c=pause:4', 'd=pause:2']);
    expect(patched.metadata.labels).toEqual({ c: '3', 'x/y': 'z' });
    expect(await s.client.patch('json', path, [{ op: 'test', path: '/metadata/labels/c', value: '4' }])).toMatchObject({
      code: 422,
      body: { reason: 'Invalid' },
    });
    expect((await s.client.send('PATCH', path, { body: {} })).code).toBe(415);
    expect((await s.client.patch('merge', `${core}/pods/q`, {})).code).toBe(404);
  });

  it('merges conditions by type in a strategic patch, and lets one be deleted', async () => {
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/pods`, pod('p', { spec: { nodeName: 'n1' } })));
    const path = `${core}/pods/p/status`;
    const conditions = (o: Json) => o.status.conditions.map((x: Json) => `${x.type}=${x.status}`).sort();
    await s.client.must(
      s.client.patch('strategic', path, {
        status: {
          phase: 'Running',
          conditions: [
            { type: 'Ready', status: 'False' },
            { type: 'Mine', status: 'True' },
          ],
        },
      }),
    );
    const changed = await s.client.must(
      s.client.patch('strategic', path, { status: { conditions: [{ type: 'Ready', status: 'True' }] } }),
    );
    expect(conditions(changed)).toEqual(['Mine=True', 'Ready=True']);
    expect(changed.status.phase).toBe('Running');
    const less = await s.client.must(
      s.client.patch('strategic', path, { status: { conditions: [{ type: 'Mine', $patch: 'delete' }] } }),
    );
    expect(conditions(less)).toEqual(['Ready=True']);
  });

  it('applies what a manager wants, and takes away what he no longer wants', async () => {
    const { core } = await s.namespace();
    const path = `${core}/configmaps/a?fieldManager=m`;
    const wanted = (data: Json) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data });
    expect(await s.client.patch('apply', path, wanted({ k: '1', l: '1' }))).toMatchObject({ code: 201 });
    await s.client.must(s.client.patch('merge', `${core}/configmaps/a`, { data: { other: 'x' } }));
    const { code, body } = await s.client.patch('apply', path, wanted({ k: '2' }));
    expect({ code, data: body.data }).toEqual({ code: 200, data: { k: '2', other: 'x' } });
    expect((await s.client.patch('apply', `${core}/configmaps/a`, wanted({}))).code).toBe(422);
  });

  it('keeps spec and status apart', async () => {
    const { core } = await s.namespace();
    await s.client.must(
      s.client.post(`${core}/pods`, { ...pod('p', { spec: { nodeName: 'n1' } }), status: { phase: 'Running' } }),
    );
    const path = `${core}/pods/p`;
    const made = await s.client.must(s.client.get(path));
    expect([made.status.phase, made.metadata.generation]).toEqual(['Pending', 1]);
    const changed = await s.client.must(
      s.client.put(`${path}/status`, {
        ...made,
        spec: { ...made.spec, containers: [{ ...made.spec.containers[0], image: 'other:1' }] },
        status: { phase: 'Running', podIP: '10.0.0.9', podIPs: [{ ip: '10.0.0.9' }] },
      }),
    );
    expect([changed.spec.containers[0].image, changed.status.phase, changed.status.podIP]).toEqual([
      'pause:1',
      'Running',
      '10.0.0.9',
    ]);
    const back = await s.client.must(
      s.client.patch('merge', path, { metadata: { labels: { l: '1' } }, status: { phase: 'Failed' } }),
    );
    expect([back.metadata.labels, back.status.phase]).toEqual([{ l: '1' }, 'Running']);
  });

  it('writes the status of nodes, which may be there from the start', async () => {
    const node = 'written-node';
    const conditions = [{ type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated', message: 'no' }];
    await s.client.must(s.client.post('/api/v1/nodes', { metadata: { name: node }, status: { conditions } }));
    const path = `/api/v1/nodes/${node}`;
    expect((await s.client.must(s.client.get(path))).status.conditions).toMatchObject(conditions);
    const done = { type: 'NetworkUnavailable', status: 'False', reason: 'HeddleIsUp', message: 'up' };
    const patched = await s.client.must(
      s.client.patch('strategic', `${path}/status`, {
        status: { conditions: [done], addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
      }),
    );
    expect(patched.status).toMatchObject({
      conditions: [done],
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    });
    expect(
      (
        await s.client.must(
          s.client.patch('merge', path, { spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'] } }),
        )
      ).spec.podCIDR,
    ).toBe('10.1.0.0/24');
    await s.client.must(s.client.delete(path));
  });

  it.each([
    ['pods', 'v1', pod('o'), { spec: { activeDeadlineSeconds: 9 } }],
    [
      'networkpolicies',
      'networking.k8s.io/v1',
      { metadata: { name: 'o' }, spec: { podSelector: {} } },
      { spec: { podSelector: { matchLabels: { a: 'b' } } } },
    ],
    [
      'endpointslices',
      'discovery.k8s.io/v1',
      { metadata: { name: 'o' }, addressType: 'IPv4', endpoints: [], ports: [] },
      { endpoints: [{ addresses: ['10.0.0.1'] }] },
    ],
  ])('counts generations of the spec only: %s', async (plural, version, body, change) => {
    const { ns } = await s.namespace();
    const list = `${version === 'v1' ? '/api/v1' : `/apis/${version}`}/namespaces/${ns}/${plural}`;
    expect((await s.client.must(s.client.post(list, body))).metadata.generation).toBe(1);
    expect(
      (await s.client.must(s.client.patch('merge', `${list}/o`, { metadata: { annotations: { a: 'b' } } }))).metadata
        .generation,
    ).toBe(1);
    expect((await s.client.must(s.client.patch('merge', `${list}/o`, change))).metadata.generation).toBe(2);
  });
}
