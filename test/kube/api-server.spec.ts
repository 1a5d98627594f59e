import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/kube-api/index.js';
import { RawClient } from './api-client.js';
import { SERVERS, type Server } from './servers.js';
import { widget, widgetDefinition } from './widgets.js';

const pod = (name: string, more: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...more.metadata },
  spec: { containers: [{ name: 'c', image: 'pause:1' }], ...more.spec },
});
const configMap = (name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});
const names = (list: Json): string[] => list.items.map((o: Json) => o.metadata.name);
const fieldsOf = (status: Json): string[] => (status.details?.causes ?? []).map((c: Json) => c.field);

for (const { title, skip, start } of SERVERS)
  describe.skipIf(skip)(title, { timeout: 60_000 }, () => {
    let api: Server;
    let c: RawClient;
    let count = 0;

    beforeAll(async () => {
      api = await start();
      c = new RawClient(api);
    }, 180_000);
    afterAll(async () => {
      c?.close();
      await api?.stop();
    });

    /** A namespace of its own for each test. */
    const namespace = async (): Promise<{ ns: string; core: string }> => {
      const ns = `test-${++count}`;
      await c.must(c.post('/api/v1/namespaces', { metadata: { name: ns } }));
      return { ns, core: `/api/v1/namespaces/${ns}` };
    };
    const widgets = async (ns: string): Promise<string> => {
      const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      const reply = await c.post(path, widgetDefinition());
      expect([201, 409]).toContain(reply.code);
      const list = `/apis/test.heddle.dev/v1alpha1/namespaces/${ns}/widgets`;
      await expect.poll(async () => (await c.get(list)).code, { timeout: 20_000 }).toBe(200);
      return list;
    };

    it('answers 401 without a token and with a wrong one', async () => {
      for (const token of [undefined, 'wrong']) {
        const { code, body } = await c.send('GET', '/api/v1/pods', { token });
        expect({ code, kind: body.kind, reason: body.reason }).toEqual({
          code: 401,
          kind: 'Status',
          reason: 'Unauthorized',
        });
      }
    });

    it('describes what it serves', async () => {
      expect((await c.get('/version')).body).toMatchObject({ major: '1', minor: '36' });
      expect((await c.get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
      const groups = (await c.get('/apis')).body.groups.map((g: Json) => g.preferredVersion.groupVersion);
      expect(groups).toEqual(
        expect.arrayContaining([
          'networking.k8s.io/v1',
          'discovery.k8s.io/v1',
          'coordination.k8s.io/v1',
          'events.k8s.io/v1',
          'apiextensions.k8s.io/v1',
        ]),
      );
      const { resources } = (await c.get('/api/v1')).body;
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
      expect((await c.get('/apis/networking.k8s.io')).body).toMatchObject({
        kind: 'APIGroup',
        name: 'networking.k8s.io',
      });
      expect((await c.get('/apis/no.such.group/v1')).code).toBe(404);
      expect((await c.get('/api/v1/gadgets')).code).toBe(404);
    });

    it('creates an object once and gives it identity', async () => {
      const { core, ns } = await namespace();
      const made = await c.must(c.post(`${core}/configmaps`, configMap('a', { k: 'v' })));
      expect(made).toMatchObject({
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'a', namespace: ns },
        data: { k: 'v' },
      });
      expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(made.metadata.resourceVersion).toMatch(/^\d+$/);
      expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(await c.post(`${core}/configmaps`, configMap('a'))).toMatchObject({
        code: 409,
        body: { reason: 'AlreadyExists', message: 'configmaps "a" already exists' },
      });
      expect(await c.get(`${core}/configmaps/b`)).toMatchObject({
        code: 404,
        body: { reason: 'NotFound', details: { name: 'b', kind: 'configmaps' } },
      });
    });

    it('completes generateName', async () => {
      const { core } = await namespace();
      const made = await c.must(c.post(`${core}/configmaps`, { metadata: { generateName: 'x-' } }));
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
      [
        'a wrong type',
        '/api/v1/namespaces/default/pods',
        pod('a', { spec: { hostNetwork: 'yes' } }),
        400,
        'BadRequest',
      ],
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
      const reply = await c.post(path as string, body);
      expect({ code: reply.code, reason: reply.body.reason }).toEqual({ code, reason });
    });

    it('lists in pages of one moment', async () => {
      const { core } = await namespace();
      for (const n of ['a', 'b', 'c', 'd', 'e']) await c.must(c.post(`${core}/configmaps`, configMap(n)));
      const first = await c.must(c.get(`${core}/configmaps?limit=2`));
      expect(names(first)).toEqual(['a', 'b']);
      expect(first.metadata.remainingItemCount).toBe(3);
      // What happens between the pages is not seen.
      await c.must(c.delete(`${core}/configmaps/c`));
      await c.must(c.post(`${core}/configmaps`, configMap('cc')));
      await c.must(c.patch('merge', `${core}/configmaps/d`, { data: { late: 'yes' } }));
      const next = await c.must(
        c.get(`${core}/configmaps?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`),
      );
      expect(names(next)).toEqual(['c', 'd']);
      expect(next.items[1].data ?? {}).toEqual({});
      const last = await c.must(
        c.get(`${core}/configmaps?limit=2&continue=${encodeURIComponent(next.metadata.continue)}`),
      );
      expect(names(last)).toEqual(['e']);
      expect(last.metadata.continue ?? '').toBe('');
      expect([next, last].map((l) => l.metadata.resourceVersion)).toEqual([
        first.metadata.resourceVersion,
        first.metadata.resourceVersion,
      ]);
      expect(names(await c.must(c.get(`${core}/configmaps`)))).toEqual(['a', 'b', 'cc', 'd', 'e']);
    });

    it('lists the state of an exact resourceVersion', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const { resourceVersion } = (await c.must(c.get(`${core}/configmaps`))).metadata;
      await c.must(c.post(`${core}/configmaps`, configMap('b')));
      expect(
        names(await c.must(c.get(`${core}/configmaps?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`))),
      ).toEqual(['a']);
      expect(names(await c.must(c.get(`${core}/configmaps?resourceVersion=${resourceVersion}`)))).toEqual(['a', 'b']);
    });

    it('does not repeat the kind of the items of its own kinds, and does for custom resources', async () => {
      const { core, ns } = await namespace();
      await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const list = await c.must(c.get(`${core}/configmaps`));
      expect([list.kind, list.items[0].kind, list.items[0].apiVersion]).toEqual([
        'ConfigMapList',
        undefined,
        undefined,
      ]);
      const path = await widgets(ns);
      await c.must(c.post(path, widget('w', { size: 1 })));
      const custom = await c.must(c.get(path));
      expect([custom.kind, custom.items[0].kind]).toEqual(['WidgetList', 'Widget']);
    });

    it('selects by label and by field', async () => {
      const { core } = await namespace();
      for (const [n, node, app] of [
        ['a', 'n1', 'web'],
        ['b', 'n2', 'web'],
        ['c', '', 'db'],
      ] as const)
        await c.must(
          c.post(
            `${core}/pods`,
            pod(n, { metadata: { labels: { app } }, spec: node === '' ? {} : { nodeName: node } }),
          ),
        );
      const selected = async (query: string) => names(await c.must(c.get(`${core}/pods?${query}`)));
      expect(await selected('labelSelector=app%3Dweb')).toEqual(['a', 'b']);
      expect(await selected('labelSelector=app!%3Dweb')).toEqual(['c']);
      expect(await selected(`labelSelector=${encodeURIComponent('app in (web,db),!tier')}`)).toEqual(['a', 'b', 'c']);
      expect(await selected('labelSelector=tier')).toEqual([]);
      expect(await selected('fieldSelector=spec.nodeName%3Dn1')).toEqual(['a']);
      expect(await selected('fieldSelector=spec.nodeName%3D')).toEqual(['c']);
      expect(await selected('fieldSelector=spec.nodeName!%3D,metadata.name!%3Da')).toEqual(['b']);
      expect(await selected('fieldSelector=status.phase%3DPending&labelSelector=app%3Ddb')).toEqual(['c']);
      expect((await c.get(`${core}/pods?fieldSelector=spec.color%3Dred`)).code).toBe(400);
      expect((await c.get(`${core}/pods?labelSelector=%3D%3D`)).code).toBe(400);
    });

    it('watches from a list on: every change once, in order', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/configmaps`, configMap('old')));
      const { resourceVersion } = (await c.must(c.get(`${core}/configmaps`))).metadata;
      await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const watch = await c.watch(`${core}/configmaps?watch=true&resourceVersion=${resourceVersion}`);
      await c.must(c.patch('merge', `${core}/configmaps/a`, { data: { k: 'v' } }));
      const gone = (await c.must(c.get(`${core}/configmaps/a`))).metadata.resourceVersion;
      await c.must(c.delete(`${core}/configmaps/a`));
      await c.must(c.post(`${core}/configmaps`, configMap('b')));
      const events = await watch.until((e) => e.length >= 4);
      expect(watch.summary()).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED b']);
      const versions = events.map((e) => Number(e.object.metadata.resourceVersion));
      expect(versions).toEqual([...versions].sort((x, y) => x - y));
      // A deletion has a version of its own.
      expect(versions[2]).toBeGreaterThan(Number(gone));
      expect(events[1]?.object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', data: { k: 'v' } });
      watch.close();
    });

    it('watches without a resourceVersion from what there is', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/configmaps`, configMap('a')));
      await c.must(c.post(`${core}/configmaps`, configMap('b')));
      const watch = await c.watch(`${core}/configmaps?watch=true`);
      await watch.until((e) => e.length >= 2);
      expect(watch.summary().sort()).toEqual(['ADDED a', 'ADDED b']);
      watch.close();
    });

    it('shows a watch with a selector what enters and leaves it', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/configmaps`, configMap('a', {}, { app: 'web' })));
      const { resourceVersion } = (await c.must(c.get(`${core}/configmaps`))).metadata;
      const watch = await c.watch(
        `${core}/configmaps?watch=true&labelSelector=app%3Dweb&resourceVersion=${resourceVersion}`,
      );
      await c.must(c.post(`${core}/configmaps`, configMap('b', {}, { app: 'db' })));
      await c.must(c.patch('merge', `${core}/configmaps/b`, { metadata: { labels: { app: 'web' } } }));
      await c.must(c.patch('merge', `${core}/configmaps/a`, { metadata: { labels: { app: 'db' } } }));
      const left = await c.must(c.get(`${core}/configmaps/a`));
      await c.must(c.delete(`${core}/configmaps/a`));
      await c.must(c.delete(`${core}/configmaps/b`));
      const events = await watch.until((e) => e.length >= 3);
      expect(watch.summary()).toEqual(['ADDED b', 'DELETED a', 'DELETED b']);
      // What left is shown as it was last seen, at the time when it left.
      expect(events[1]?.object.metadata).toMatchObject({
        labels: { app: 'web' },
        resourceVersion: left.metadata.resourceVersion,
      });
      watch.close();
    });

    it('watches one field: the pods of a node', async () => {
      const { core } = await namespace();
      const watch = await c.watch(`${core}/pods?watch=true&fieldSelector=spec.nodeName%3Dn1`);
      await c.must(c.post(`${core}/pods`, pod('a', { spec: { nodeName: 'n1' } })));
      await c.must(c.post(`${core}/pods`, pod('b', { spec: { nodeName: 'n2' } })));
      await c.must(c.post(`${core}/pods`, pod('c')));
      await c.must(c.post(`${core}/pods/c/binding`, { metadata: { name: 'c' }, target: { kind: 'Node', name: 'n1' } }));
      await watch.until((e) => e.length >= 2);
      expect(watch.summary()).toEqual(['ADDED a', 'ADDED c']);
      watch.close();
    });

    it('ends a watch at its time, and says before how far it had come', async () => {
      const { core } = await namespace();
      const { resourceVersion } = (await c.must(c.get(`${core}/configmaps`))).metadata;
      const watch = await c.watch(
        `${core}/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=4&resourceVersion=${resourceVersion}`,
      );
      const made = await c.must(c.post(`${core}/configmaps`, configMap('a')));
      await watch.untilEnd();
      const bookmarks = watch.events.filter((e) => e.type === 'BOOKMARK');
      expect(bookmarks.length).toBeGreaterThan(0);
      expect(bookmarks.at(-1)?.object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1' });
      expect(Number(bookmarks.at(-1)?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(
        Number(made.metadata.resourceVersion),
      );
      expect(bookmarks.at(-1)?.object.metadata.name ?? '').toBe('');
      expect(watch.summary()).toEqual(['ADDED a']);
    });

    it('streams a first list and marks its end', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const watch = await c.watch(`${core}/configmaps?${query}`);
      await watch.until((e) => e.some((x) => x.type === 'BOOKMARK'));
      await c.must(c.post(`${core}/configmaps`, configMap('b')));
      await watch.until((e) => e.length >= 3);
      expect(watch.events.map((e) => e.type)).toEqual(['ADDED', 'BOOKMARK', 'ADDED']);
      expect(watch.events[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
      watch.close();
    });

    it('refuses to watch or to go on with what is too old', async () => {
      const { core } = await namespace();
      for (const n of ['a', 'b', 'c']) await c.must(c.post(`${core}/configmaps`, configMap(n)));
      const first = await c.must(c.get(`${core}/configmaps?limit=1`));
      await c.must(c.delete(`${core}/configmaps/b`));
      await api.expire();
      // An event of the stream, not the answer of the request.
      const watch = await c.watch(`${core}/configmaps?watch=true&resourceVersion=${first.metadata.resourceVersion}`);
      await watch.untilEnd();
      expect(watch.events).toHaveLength(1);
      expect(watch.events[0]).toMatchObject({
        type: 'ERROR',
        object: { kind: 'Status', code: 410, reason: 'Expired' },
      });
      const page = await c.get(`${core}/configmaps?limit=1&continue=${encodeURIComponent(first.metadata.continue)}`);
      expect(page).toMatchObject({ code: 410, body: { kind: 'Status', reason: 'Expired' } });
      // Its token goes on with what there is now.
      const rest = await c.must(
        c.get(`${core}/configmaps?continue=${encodeURIComponent(page.body.metadata.continue)}`),
      );
      expect(names(rest)).toEqual(['c']);
      expect(
        await c.get(`${core}/configmaps?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`),
      ).toMatchObject({ code: 410 });
      expect((await c.get(`${core}/configmaps?continue=nonsense`)).code).toBe(400);
    });

    it('refuses a write that is based on an old version', async () => {
      const { core } = await namespace();
      const made = await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const changed = await c.must(c.put(`${core}/configmaps/a`, { ...made, data: { k: '1' } }));
      expect(await c.put(`${core}/configmaps/a`, { ...made, data: { k: '2' } })).toMatchObject({
        code: 409,
        body: {
          reason: 'Conflict',
          message:
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
        },
      });
      expect(
        (
          await c.patch('merge', `${core}/configmaps/a`, {
            metadata: { resourceVersion: made.metadata.resourceVersion },
            data: { k: '3' },
          })
        ).code,
      ).toBe(409);
      // The same again changes nothing.
      const again = await c.must(c.put(`${core}/configmaps/a`, changed));
      expect(again.metadata.resourceVersion).toBe(changed.metadata.resourceVersion);
      // Without a version it is meant for whatever there is.
      expect((await c.must(c.put(`${core}/configmaps/a`, configMap('a', { k: '4' })))).data).toEqual({ k: '4' });
      expect((await c.put(`${core}/configmaps/a`, configMap('b'))).code).toBe(400);
      expect((await c.put(`${core}/configmaps/b`, configMap('b'))).code).toBe(404);
      expect(
        (
          await c.put(`${core}/configmaps/a`, {
            ...configMap('a'),
            metadata: { name: 'a', uid: '00000000-0000-0000-0000-000000000000' },
          })
        ).code,
      ).toBe(409);
    });

    it('applies the three kinds of patches', async () => {
      const { core } = await namespace();
      const spec = {
        containers: [
          { name: 'c', image: 'pause:1' },
          { name: 'd', image: 'pause:1' },
        ],
      };
      await c.must(c.post(`${core}/pods`, pod('p', { spec, metadata: { labels: { a: '1', b: '2' } } })));
      const path = `${core}/pods/p`;
      const images = (o: Json) => o.spec.containers.map((x: Json) => `${x.name}=${x.image}`);
      expect(
        (await c.must(c.patch('merge', path, { metadata: { labels: { a: null, c: '3' } } }))).metadata.labels,
      ).toEqual({ b: '2', c: '3' });
      // Strategic: elements of a list have a key. Merge: a list is replaced, which a pod does not allow.
      expect(
        images(await c.must(c.patch('strategic', path, { spec: { containers: [{ name: 'd', image: 'pause:2' }] } }))),
      ).toEqual(['c=pause:1', 'd=pause:2']);
      expect((await c.patch('merge', path, { spec: { containers: [{ name: 'd', image: 'pause:3' }] } })).code).toBe(
        422,
      );
      const operations = [
        { op: 'test', path: '/spec/containers/0/name', value: 'c' },
        { op: 'replace', path: '/spec/containers/0/image', value: 'pause:4' },
        { op: 'add', path: '/metadata/labels/x~1y', value: 'z' },
        { op: 'remove', path: '/metadata/labels/b' },
      ];
      const patched = await c.must(c.patch('json', path, operations));
      expect(images(patched)).toEqual(['c=pause:4', 'd=pause:2']);
      expect(patched.metadata.labels).toEqual({ c: '3', 'x/y': 'z' });
      expect(await c.patch('json', path, [{ op: 'test', path: '/metadata/labels/c', value: '4' }])).toMatchObject({
        code: 422,
        body: { reason: 'Invalid' },
      });
      expect((await c.send('PATCH', path, { body: {} })).code).toBe(415);
      expect((await c.patch('merge', `${core}/pods/q`, {})).code).toBe(404);
    });

    it('merges conditions by type in a strategic patch, and lets one be deleted', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/pods`, pod('p', { spec: { nodeName: 'n1' } })));
      const path = `${core}/pods/p/status`;
      const conditions = (o: Json) => o.status.conditions.map((x: Json) => `${x.type}=${x.status}`).sort();
      await c.must(
        c.patch('strategic', path, {
          status: {
            phase: 'Running',
            conditions: [
              { type: 'Ready', status: 'False' },
              { type: 'Mine', status: 'True' },
            ],
          },
        }),
      );
      const changed = await c.must(
        c.patch('strategic', path, { status: { conditions: [{ type: 'Ready', status: 'True' }] } }),
      );
      expect(conditions(changed)).toEqual(['Mine=True', 'Ready=True']);
      expect(changed.status.phase).toBe('Running');
      const less = await c.must(
        c.patch('strategic', path, { status: { conditions: [{ type: 'Mine', $patch: 'delete' }] } }),
      );
      expect(conditions(less)).toEqual(['Ready=True']);
    });

    it('applies what a manager wants, and takes away what he no longer wants', async () => {
      const { core } = await namespace();
      const path = `${core}/configmaps/a?fieldManager=m`;
      const wanted = (data: Json) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data });
      expect(await c.patch('apply', path, wanted({ k: '1', l: '1' }))).toMatchObject({ code: 201 });
      await c.must(c.patch('merge', `${core}/configmaps/a`, { data: { other: 'x' } }));
      const { code, body } = await c.patch('apply', path, wanted({ k: '2' }));
      expect({ code, data: body.data }).toEqual({ code: 200, data: { k: '2', other: 'x' } });
      expect((await c.patch('apply', `${core}/configmaps/a`, wanted({}))).code).toBe(422);
    });

    it('keeps spec and status apart', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/pods`, { ...pod('p', { spec: { nodeName: 'n1' } }), status: { phase: 'Running' } }));
      const path = `${core}/pods/p`;
      const made = await c.must(c.get(path));
      expect([made.status.phase, made.metadata.generation]).toEqual(['Pending', 1]);
      const changed = await c.must(
        c.put(`${path}/status`, {
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
      const back = await c.must(
        c.patch('merge', path, { metadata: { labels: { l: '1' } }, status: { phase: 'Failed' } }),
      );
      expect([back.metadata.labels, back.status.phase]).toEqual([{ l: '1' }, 'Running']);
    });

    it('writes the status of nodes, which may be there from the start', async () => {
      const node = `node-${++count}`;
      const conditions = [{ type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated', message: 'no' }];
      await c.must(c.post('/api/v1/nodes', { metadata: { name: node }, status: { conditions } }));
      const path = `/api/v1/nodes/${node}`;
      expect((await c.must(c.get(path))).status.conditions).toMatchObject(conditions);
      const done = { type: 'NetworkUnavailable', status: 'False', reason: 'HeddleIsUp', message: 'up' };
      const patched = await c.must(
        c.patch('strategic', `${path}/status`, {
          status: { conditions: [done], addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
        }),
      );
      expect(patched.status).toMatchObject({
        conditions: [done],
        addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
      });
      expect(
        (await c.must(c.patch('merge', path, { spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'] } }))).spec
          .podCIDR,
      ).toBe('10.1.0.0/24');
      await c.must(c.delete(path));
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
      const { ns } = await namespace();
      const list = `${version === 'v1' ? '/api/v1' : `/apis/${version}`}/namespaces/${ns}/${plural}`;
      expect((await c.must(c.post(list, body))).metadata.generation).toBe(1);
      expect(
        (await c.must(c.patch('merge', `${list}/o`, { metadata: { annotations: { a: 'b' } } }))).metadata.generation,
      ).toBe(1);
      expect((await c.must(c.patch('merge', `${list}/o`, change))).metadata.generation).toBe(2);
    });

    it('deletes a pod without a node at once, one on a node after its grace period', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/pods`, pod('free')));
      await c.must(c.delete(`${core}/pods/free`));
      expect((await c.get(`${core}/pods/free`)).code).toBe(404);
      const made = await c.must(
        c.post(`${core}/pods`, pod('bound', { spec: { nodeName: 'n1', terminationGracePeriodSeconds: 40 } })),
      );
      const watch = await c.watch(`${core}/pods?watch=true&resourceVersion=${made.metadata.resourceVersion}`);
      const { metadata } = await c.must(c.delete(`${core}/pods/bound`));
      expect([metadata.deletionGracePeriodSeconds, metadata.generation]).toEqual([40, 2]);
      expect(Date.parse(metadata.deletionTimestamp)).toBeGreaterThan(Date.now() + 30_000);
      // Once more changes nothing; sooner is possible, later is not.
      const again = await c.must(c.delete(`${core}/pods/bound`));
      expect(again.metadata.resourceVersion).toBe(metadata.resourceVersion);
      const sooner = await c.must(c.delete(`${core}/pods/bound?gracePeriodSeconds=5`));
      expect(sooner.metadata.deletionGracePeriodSeconds).toBe(5);
      // The kubelet confirms.
      await c.must(
        c.delete(`${core}/pods/bound`, { gracePeriodSeconds: 0, preconditions: { uid: made.metadata.uid } }),
      );
      expect((await c.get(`${core}/pods/bound`)).code).toBe(404);
      await watch.until((e) => e.at(-1)?.type === 'DELETED');
      expect(watch.summary()).toEqual(['MODIFIED bound', 'MODIFIED bound', 'MODIFIED bound', 'DELETED bound']);
      watch.close();
    });

    it('deletes only the object that is meant', async () => {
      const { core } = await namespace();
      const made = await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const other = { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } };
      expect(await c.delete(`${core}/configmaps/a`, other)).toMatchObject({
        code: 409,
        body: { reason: 'Conflict' },
      });
      expect((await c.delete(`${core}/configmaps/a`, { preconditions: { resourceVersion: '1' } })).code).toBe(409);
      const { code, body } = await c.delete(`${core}/configmaps/a`, { preconditions: { uid: made.metadata.uid } });
      expect({ code, body }).toMatchObject({
        code: 200,
        body: {
          kind: 'Status',
          status: 'Success',
          details: { name: 'a', kind: 'configmaps', uid: made.metadata.uid },
        },
      });
      expect((await c.delete(`${core}/configmaps/a`)).code).toBe(404);
    });

    it('keeps an object until its finalizers are gone', async () => {
      const { core } = await namespace();
      await c.must(
        c.post(`${core}/configmaps`, { metadata: { name: 'a', finalizers: ['heddle.dev/a', 'heddle.dev/b'] } }),
      );
      const marked = await c.must(c.delete(`${core}/configmaps/a`));
      expect(marked.metadata.deletionTimestamp).toBeDefined();
      await c.must(c.patch('merge', `${core}/configmaps/a`, { metadata: { finalizers: ['heddle.dev/b'] } }));
      expect((await c.get(`${core}/configmaps/a`)).code).toBe(200);
      await c.must(c.patch('merge', `${core}/configmaps/a`, { metadata: { finalizers: null } }));
      expect((await c.get(`${core}/configmaps/a`)).code).toBe(404);
    });

    it('deletes what a selector names', async () => {
      const { core } = await namespace();
      for (const [n, l] of [
        ['a', 'x'],
        ['b', 'x'],
        ['c', 'y'],
      ] as const)
        await c.must(c.post(`${core}/configmaps`, configMap(n, {}, { l })));
      await c.must(c.delete(`${core}/configmaps?labelSelector=l%3Dx`));
      expect(names(await c.must(c.get(`${core}/configmaps`)))).toEqual(['c']);
    });

    it('takes nothing new into a namespace that is being deleted', async () => {
      const { core, ns } = await namespace();
      await c.must(c.post(`${core}/configmaps`, { metadata: { name: 'held', finalizers: ['heddle.dev/a'] } }));
      await c.must(c.delete(`/api/v1/namespaces/${ns}`));
      expect((await c.must(c.get(`/api/v1/namespaces/${ns}`))).status.phase).toBe('Terminating');
      expect(await c.post(`${core}/configmaps`, configMap('late'))).toMatchObject({
        code: 403,
        body: { reason: 'Forbidden' },
      });
    });

    it('binds a pod to a node once', async () => {
      const { core } = await namespace();
      await c.must(c.post(`${core}/pods`, pod('p')));
      const binding = (node: string) => ({ metadata: { name: 'p' }, target: { kind: 'Node', name: node } });
      expect((await c.post(`${core}/pods/p/binding`, binding('n1'))).code).toBe(201);
      const bound = await c.must(c.get(`${core}/pods/p`));
      expect(bound.spec.nodeName).toBe('n1');
      expect(bound.status.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
      expect((await c.post(`${core}/pods/p/binding`, binding('n2'))).code).toBe(409);
      expect((await c.patch('merge', `${core}/pods/p`, { spec: { nodeName: 'n2' } })).code).toBe(422);
    });

    it('gives services addresses and node ports', async () => {
      const { core } = await namespace();
      const service = (n: string, spec: Json) => ({
        metadata: { name: n },
        spec: { ports: [{ port: 80 }], ...spec },
      });
      const one = await c.must(c.post(`${core}/services`, service('one', {})));
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
      const both = await c.must(c.post(`${core}/services`, service('both', { ipFamilyPolicy: 'PreferDualStack' })));
      expect(both.spec.ipFamilies).toEqual(['IPv4', 'IPv6']);
      expect(both.spec.clusterIPs[1]).toMatch(/^fd00:10:96::/);
      const six = await c.must(c.post(`${core}/services`, service('six', { ipFamilies: ['IPv6'] })));
      expect(six.spec.clusterIP).toMatch(/^fd00:10:96::/);
      const headless = await c.must(c.post(`${core}/services`, service('headless', { clusterIP: 'None' })));
      expect(headless.spec.clusterIPs).toEqual(['None']);
      const open = await c.must(c.post(`${core}/services`, service('open', { type: 'NodePort' })));
      expect(open.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30000);
      expect(open.spec.externalTrafficPolicy).toBe('Cluster');
      const taken = await c.post(`${core}/services`, service('thief', { clusterIP: one.spec.clusterIP }));
      expect({ code: taken.code, fields: fieldsOf(taken.body) }).toEqual({ code: 422, fields: ['spec.clusterIPs'] });
      expect(
        (
          await c.patch('merge', `${core}/services/one`, {
            spec: { clusterIP: '10.96.77.7', clusterIPs: ['10.96.77.7'] },
          })
        ).code,
      ).toBe(422);
      // A writer that leaves the address out keeps it.
      expect(
        (await c.must(c.put(`${core}/services/one`, service('one', { selector: { a: 'b' } })))).spec.clusterIP,
      ).toBe(one.spec.clusterIP);
      await c.must(c.delete(`${core}/services/one`));
      expect(
        (await c.must(c.post(`${core}/services`, service('heir', { clusterIP: one.spec.clusterIP })))).spec.clusterIP,
      ).toBe(one.spec.clusterIP);
    });

    it('fills in what a policy leaves out', async () => {
      const { ns } = await namespace();
      const path = `/apis/networking.k8s.io/v1/namespaces/${ns}/networkpolicies`;
      const made = await c.must(
        c.post(path, { metadata: { name: 'p' }, spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } }),
      );
      expect(made.spec).toEqual({
        podSelector: {},
        egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
        policyTypes: ['Ingress', 'Egress'],
      });
    });

    it('serves a resource as soon as its definition is established, and no longer than that', async () => {
      const gadgets = widgetDefinition();
      gadgets.metadata.name = 'gadgets.test.heddle.dev';
      Object.assign(gadgets.spec, { scope: 'Cluster', names: { plural: 'gadgets', kind: 'Gadget' } });
      const list = '/apis/test.heddle.dev/v1alpha1/gadgets';
      expect((await c.get(list)).code).toBe(404);
      const definition = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      await c.must(c.post(definition, gadgets));
      await expect.poll(async () => (await c.get(list)).code, { timeout: 20_000 }).toBe(200);
      const { status } = await c.must(c.get(`${definition}/gadgets.test.heddle.dev`));
      const conditions = Object.fromEntries(status.conditions.map((x: Json) => [x.type, x.status]));
      expect(conditions).toMatchObject({ Established: 'True', NamesAccepted: 'True' });
      expect(status.acceptedNames).toMatchObject({
        plural: 'gadgets',
        singular: 'gadget',
        kind: 'Gadget',
        listKind: 'GadgetList',
      });
      const { resources } = await c.must(c.get('/apis/test.heddle.dev/v1alpha1'));
      expect(resources.map((r: Json) => r.name)).toEqual(expect.arrayContaining(['gadgets', 'gadgets/status']));
      const body = { ...widget('g', { size: 1 }), kind: 'Gadget' };
      const made = await c.must(c.post(list, body));
      const watch = await c.watch(`${list}?watch=true&resourceVersion=${made.metadata.resourceVersion}`);
      await c.must(c.delete(`${definition}/gadgets.test.heddle.dev`));
      await watch.until((e) => e.some((x) => x.type === 'DELETED'));
      await expect.poll(async () => (await c.get(list)).code, { timeout: 20_000 }).toBe(404);
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
      const { ns } = await namespace();
      const reply = await c.post(await widgets(ns), widget('w', spec));
      expect({ code: reply.code, reason: reply.body.reason }).toEqual({ code: 422, reason: 'Invalid' });
      expect([...new Set(fieldsOf(reply.body))].sort()).toEqual(expect.arrayContaining(fields));
      expect(reply.body.message).toContain('Widget.test.heddle.dev "w" is invalid');
    });

    it('fills defaults of a custom resource, drops what its schema does not know, and counts its generations', async () => {
      const { ns } = await namespace();
      const list = await widgets(ns);
      const made = await c.must(
        c.post(list, { ...widget('w', { size: 1, unknown: 1, peers: [{ name: 'a' }] }), status: { ready: true } }),
      );
      expect(made.spec).toEqual({ size: 1, color: 'red', peers: [{ name: 'a' }] });
      expect([made.status, made.metadata.generation]).toEqual([undefined, 1]);
      const strict = await c.post(`${list}?fieldValidation=Strict`, widget('v', { size: 1, unknown: 1 }));
      expect(strict).toMatchObject({ code: 400, body: { reason: 'BadRequest' } });
      expect(strict.body.message).toContain('unknown field "spec.unknown"');
      const path = `${list}/w`;
      expect((await c.must(c.patch('merge', path, { metadata: { labels: { a: 'b' } } }))).metadata.generation).toBe(1);
      const ready = await c.must(
        c.patch('merge', `${path}/status`, {
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
      const bigger = await c.must(c.patch('merge', path, { spec: { size: 2 }, status: { ready: false } }));
      expect([bigger.status.ready, bigger.spec.size, bigger.metadata.generation]).toEqual([true, 2, 2]);
      expect((await c.patch('merge', `${path}/status`, { status: { nodes: 'many' } })).code).toBe(422);
      expect((await c.patch('strategic', path, { spec: { size: 3 } })).code).toBe(415);
      expect((await c.must(c.patch('json', path, [{ op: 'replace', path: '/spec/size', value: 3 }]))).spec.size).toBe(
        3,
      );
      // PUT needs the version that it is based on.
      expect((await c.put(path, widget('w', { size: 4 }))).code).toBe(422);
      expect((await c.put(path, { ...bigger, spec: { size: 4 } })).code).toBe(409);
      const merged = await c.must(
        c.patch(
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
      const reply = await c.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', bad);
      expect(reply.code).toBe(422);
      expect(fieldsOf(reply.body)).toContain('spec.validation.openAPIV3Schema.properties[spec].type');
      const misnamed = { ...widgetDefinition(), metadata: { name: 'x.test.heddle.dev' } };
      expect(
        fieldsOf((await c.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', misnamed)).body),
      ).toContain('metadata.name');
    });

    it('lets one holder renew a lease', async () => {
      const { ns } = await namespace();
      const list = `/apis/coordination.k8s.io/v1/namespaces/${ns}/leases`;
      const spec = { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' };
      const made = await c.must(c.post(list, { metadata: { name: 'l' }, spec }));
      expect(made.spec).toEqual(spec);
      const renewed = await c.must(
        c.put(`${list}/l`, { ...made, spec: { ...spec, renewTime: '2026-01-01T00:00:05.000000Z' } }),
      );
      expect((await c.put(`${list}/l`, { ...made, spec: { ...spec, holderIdentity: 'b' } })).code).toBe(409);
      expect((await c.put(`${list}/l`, { metadata: { name: 'l' }, spec })).code).toBe(422);
      expect((await c.must(c.get(`${list}/l`))).metadata.resourceVersion).toBe(renewed.metadata.resourceVersion);
    });

    it('shows an event in both of its forms', async () => {
      const { ns } = await namespace();
      const regarding = { kind: 'Pod', namespace: ns, name: 'p', apiVersion: 'v1' };
      const modern = `/apis/events.k8s.io/v1/namespaces/${ns}/events`;
      await c.must(
        c.post(modern, {
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
      const list = await c.must(
        c.get(`/api/v1/namespaces/${ns}/events?fieldSelector=involvedObject.name%3Dp,reason%3DAddressPoolEmpty`),
      );
      expect(list.items).toMatchObject([
        { involvedObject: regarding, message: 'no address is free', reportingComponent: 'heddle.dev/controller' },
      ]);
      expect((await c.must(c.get(`${modern}?fieldSelector=regarding.kind%3DPod`))).items).toMatchObject([
        { regarding, note: 'no address is free' },
      ]);
      const elsewhere = {
        metadata: { name: 'f' },
        involvedObject: { ...regarding, namespace: 'other' },
        reason: 'r',
      };
      expect((await c.post(`/api/v1/namespaces/${ns}/events`, elsewhere)).code).toBe(422);
    });

    it('keeps its objects when it is killed and started again', async () => {
      const { core } = await namespace();
      const made = await c.must(c.post(`${core}/configmaps`, configMap('a')));
      const watch = await c.watch(`${core}/configmaps?watch=true&resourceVersion=${made.metadata.resourceVersion}`);
      await api.kill();
      await watch.untilEnd();
      await expect(c.get(`${core}/configmaps/a`)).rejects.toThrow();
      await api.restart();
      expect((await c.must(c.get(`${core}/configmaps/a`))).metadata).toMatchObject({
        uid: made.metadata.uid,
        resourceVersion: made.metadata.resourceVersion,
      });
    });
  });
