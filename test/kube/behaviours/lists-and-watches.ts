import { expect, it } from 'vitest';
import { widget } from '../widgets.js';
import { configMap, names, pod, type Suite } from './suite.js';

/** Lists of one moment and every change after it. */
export function listAndWatch(s: Suite): void {
  it('lists in pages of one moment', async () => {
    const { core } = await s.namespace();
    for (const n of ['a', 'b', 'c', 'd', 'e']) await s.client.must(s.client.post(`${core}/configmaps`, configMap(n)));
    const first = await s.client.must(s.client.get(`${core}/configmaps?limit=2`));
    expect(names(first)).toEqual(['a', 'b']);
    expect(first.metadata.remainingItemCount).toBe(3);
    // What happens between the pages is not seen.
    await s.client.must(s.client.delete(`${core}/configmaps/c`));
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('cc')));
    await s.client.must(s.client.patch('merge', `${core}/configmaps/d`, { data: { late: 'yes' } }));
    const next = await s.client.must(
      s.client.get(`${core}/configmaps?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`),
    );
    expect(names(next)).toEqual(['c', 'd']);
    expect(next.items[1].data ?? {}).toEqual({});
    const last = await s.client.must(
      s.client.get(`${core}/configmaps?limit=2&continue=${encodeURIComponent(next.metadata.continue)}`),
    );
    expect(names(last)).toEqual(['e']);
    expect(last.metadata.continue ?? '').toBe('');
    expect([next, last].map((l) => l.metadata.resourceVersion)).toEqual([
      first.metadata.resourceVersion,
      first.metadata.resourceVersion,
    ]);
    expect(names(await s.client.must(s.client.get(`${core}/configmaps`)))).toEqual(['a', 'b', 'cc', 'd', 'e']);
  });

  it('lists the state of an exact resourceVersion', async () => {
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const { resourceVersion } = (await s.client.must(s.client.get(`${core}/configmaps`))).metadata;
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('b')));
    expect(
      names(
        await s.client.must(
          s.client.get(`${core}/configmaps?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`),
        ),
      ),
    ).toEqual(['a']);
    expect(names(await s.client.must(s.client.get(`${core}/configmaps?resourceVersion=${resourceVersion}`)))).toEqual([
      'a',
      'b',
    ]);
  });

  it('does not repeat the kind of the items of its own kinds, and does for custom resources', async () => {
    const { core, ns } = await s.namespace();
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const list = await s.client.must(s.client.get(`${core}/configmaps`));
    expect([list.kind, list.items[0].kind, list.items[0].apiVersion]).toEqual(['ConfigMapList', undefined, undefined]);
    const path = await s.widgets(ns);
    await s.client.must(s.client.post(path, widget('w', { size: 1 })));
    const custom = await s.client.must(s.client.get(path));
    expect([custom.kind, custom.items[0].kind]).toEqual(['WidgetList', 'Widget']);
  });

  it('selects by label and by field', async () => {
    const { core } = await s.namespace();
    for (const [n, node, app] of [
      ['a', 'n1', 'web'],
      ['b', 'n2', 'web'],
      ['c', '', 'db'],
    ] as const)
      await s.client.must(
        s.client.post(
          `${core}/pods`,
          pod(n, { metadata: { labels: { app } }, spec: node === '' ? {} : { nodeName: node } }),
        ),
      );
    const selected = async (query: string) => names(await s.client.must(s.client.get(`${core}/pods?${query}`)));
    expect(await selected('labelSelector=app%3Dweb')).toEqual(['a', 'b']);
    expect(await selected('labelSelector=app!%3Dweb')).toEqual(['c']);
    expect(await selected(`labelSelector=${encodeURIComponent('app in (web,db),!tier')}`)).toEqual(['a', 'b', 'c']);
    expect(await selected('labelSelector=tier')).toEqual([]);
    expect(await selected('fieldSelector=spec.nodeName%3Dn1')).toEqual(['a']);
    expect(await selected('fieldSelector=spec.nodeName%3D')).toEqual(['c']);
    expect(await selected('fieldSelector=spec.nodeName!%3D,metadata.name!%3Da')).toEqual(['b']);
    expect(await selected('fieldSelector=status.phase%3DPending&labelSelector=app%3Ddb')).toEqual(['c']);
    expect((await s.client.get(`${core}/pods?fieldSelector=spec.color%3Dred`)).code).toBe(400);
    expect((await s.client.get(`${core}/pods?labelSelector=%3D%3D`)).code).toBe(400);
  });

  it('watches from a list on: every change once, in order', async () => {
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('old')));
    const { resourceVersion } = (await s.client.must(s.client.get(`${core}/configmaps`))).metadata;
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const watch = await s.client.watch(`${core}/configmaps?watch=true&resourceVersion=${resourceVersion}`);
    await s.client.must(s.client.patch('merge', `${core}/configmaps/a`, { data: { k: 'v' } }));
    const gone = (await s.client.must(s.client.get(`${core}/configmaps/a`))).metadata.resourceVersion;
    await s.client.must(s.client.delete(`${core}/configmaps/a`));
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('b')));
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
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('b')));
    const watch = await s.client.watch(`${core}/configmaps?watch=true`);
    await watch.until((e) => e.length >= 2);
    expect(watch.summary().sort()).toEqual(['ADDED a', 'ADDED b']);
    watch.close();
  });

  it('shows a watch with a selector what enters and leaves it', async () => {
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('a', {}, { app: 'web' })));
    const { resourceVersion } = (await s.client.must(s.client.get(`${core}/configmaps`))).metadata;
    const watch = await s.client.watch(
      `${core}/configmaps?watch=true&labelSelector=app%3Dweb&resourceVersion=${resourceVersion}`,
    );
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('b', {}, { app: 'db' })));
    await s.client.must(s.client.patch('merge', `${core}/configmaps/b`, { metadata: { labels: { app: 'web' } } }));
    await s.client.must(s.client.patch('merge', `${core}/configmaps/a`, { metadata: { labels: { app: 'db' } } }));
    const left = await s.client.must(s.client.get(`${core}/configmaps/a`));
    await s.client.must(s.client.delete(`${core}/configmaps/a`));
    await s.client.must(s.client.delete(`${core}/configmaps/b`));
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
    const { core } = await s.namespace();
    const watch = await s.client.watch(`${core}/pods?watch=true&fieldSelector=spec.nodeName%3Dn1`);
    await s.client.must(s.client.post(`${core}/pods`, pod('a', { spec: { nodeName: 'n1' } })));
    await s.client.must(s.client.post(`${core}/pods`, pod('b', { spec: { nodeName: 'n2' } })));
    await s.client.must(s.client.post(`${core}/pods`, pod('c')));
    await s.client.must(
      s.client.post(`${core}/pods/c/binding`, { metadata: { name: 'c' }, target: { kind: 'Node', name: 'n1' } }),
    );
    await watch.until((e) => e.length >= 2);
    expect(watch.summary()).toEqual(['ADDED a', 'ADDED c']);
    watch.close();
  });

  it('ends a watch at its time, and says before how far it had come', async () => {
    const { core } = await s.namespace();
    const { resourceVersion } = (await s.client.must(s.client.get(`${core}/configmaps`))).metadata;
    const watch = await s.client.watch(
      `${core}/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=4&resourceVersion=${resourceVersion}`,
    );
    const made = await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
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
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const watch = await s.client.watch(`${core}/configmaps?${query}`);
    await watch.until((e) => e.some((x) => x.type === 'BOOKMARK'));
    await s.client.must(s.client.post(`${core}/configmaps`, configMap('b')));
    await watch.until((e) => e.length >= 3);
    expect(watch.events.map((e) => e.type)).toEqual(['ADDED', 'BOOKMARK', 'ADDED']);
    expect(watch.events[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    watch.close();
  });

  it('refuses to watch or to go on with what is too old', async () => {
    const { core } = await s.namespace();
    for (const n of ['a', 'b', 'c']) await s.client.must(s.client.post(`${core}/configmaps`, configMap(n)));
    const first = await s.client.must(s.client.get(`${core}/configmaps?limit=1`));
    await s.client.must(s.client.delete(`${core}/configmaps/b`));
    await s.server.expire();
    // An event of the stream, not the answer of the request.
    const watch = await s.client.watch(
      `${core}/configmaps?watch=true&resourceVersion=${first.metadata.resourceVersion}`,
    );
    await watch.untilEnd();
    expect(watch.events).toHaveLength(1);
    expect(watch.events[0]).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
    const page = await s.client.get(
      `${core}/configmaps?limit=1&continue=${encodeURIComponent(first.metadata.continue)}`,
    );
    expect(page).toMatchObject({ code: 410, body: { kind: 'Status', reason: 'Expired' } });
    // Its token goes on with what there is now.
    const rest = await s.client.must(
      s.client.get(`${core}/configmaps?continue=${encodeURIComponent(page.body.metadata.continue)}`),
    );
    expect(names(rest)).toEqual(['c']);
    expect(
      await s.client.get(
        `${core}/configmaps?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`,
      ),
    ).toMatchObject({ code: 410 });
    expect((await s.client.get(`${core}/configmaps?continue=nonsense`)).code).toBe(400);
  });
}
