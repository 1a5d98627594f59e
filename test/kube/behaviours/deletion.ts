import { expect, it } from 'vitest';
import { configMap, names, pod, type Suite } from './suite.js';

/** Grace, preconditions, finalizers, namespaces; and what a killed server still has. */
export function deleteObjects(s: Suite): void {
  it('deletes a pod without a node at once, one on a node after its grace period', async () => {
    const { core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/pods`, pod('free')));
    await s.client.must(s.client.delete(`${core}/pods/free`));
    expect((await s.client.get(`${core}/pods/free`)).code).toBe(404);
    const made = await s.client.must(
      s.client.post(`${core}/pods`, pod('bound', { spec: { nodeName: 'n1', terminationGracePeriodSeconds: 40 } })),
    );
    const watch = await s.client.watch(`${core}/pods?watch=true&resourceVersion=${made.metadata.resourceVersion}`);
    const { metadata } = await s.client.must(s.client.delete(`${core}/pods/bound`));
    expect([metadata.deletionGracePeriodSeconds, metadata.generation]).toEqual([40, 2]);
    expect(Date.parse(metadata.deletionTimestamp)).toBeGreaterThan(Date.now() + 30_000);
    // Once more changes nothing; sooner is possible, later is not.
    const again = await s.client.must(s.client.delete(`${core}/pods/bound`));
    expect(again.metadata.resourceVersion).toBe(metadata.resourceVersion);
    const sooner = await s.client.must(s.client.delete(`${core}/pods/bound?gracePeriodSeconds=5`));
    expect(sooner.metadata.deletionGracePeriodSeconds).toBe(5);
    // The kubelet confirms.
    await s.client.must(
      s.client.delete(`${core}/pods/bound`, { gracePeriodSeconds: 0, preconditions: { uid: made.metadata.uid } }),
    );
    expect((await s.client.get(`${core}/pods/bound`)).code).toBe(404);
    await watch.until((e) => e.at(-1)?.type === 'DELETED');
    expect(watch.summary()).toEqual(['MODIFIED bound', 'MODIFIED bound', 'MODIFIED bound', 'DELETED bound']);
    watch.close();
  });

  it('deletes only the object that is meant', async () => {
    const { core } = await s.namespace();
    const made = await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const other = { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } };
    expect(await s.client.delete(`${core}/configmaps/a`, other)).toMatchObject({
      code: 409,
      body: { reason: 'Conflict' },
    });
    expect((await s.client.delete(`${core}/configmaps/a`, { preconditions: { resourceVersion: '1' } })).code).toBe(409);
    const { code, body } = await s.client.delete(`${core}/configmaps/a`, { preconditions: { uid: made.metadata.uid } });
    expect({ code, body }).toMatchObject({
      code: 200,
      body: {
        kind: 'Status',
        status: 'Success',
        details: { name: 'a', kind: 'configmaps', uid: made.metadata.uid },
      },
    });
    expect((await s.client.delete(`${core}/configmaps/a`)).code).toBe(404);
  });

  it('keeps an object until its finalizers are gone', async () => {
    const { core } = await s.namespace();
    await s.client.must(
      s.client.post(`${core}/configmaps`, { metadata: { name: 'a', finalizers: ['heddle.dev/a', 'heddle.dev/b'] } }),
    );
    const marked = await s.client.must(s.client.delete(`${core}/configmaps/a`));
    expect(marked.metadata.deletionTimestamp).toBeDefined();
    await s.client.must(
      s.client.patch('merge', `${core}/configmaps/a`, { metadata: { finalizers: ['heddle.dev/b'] } }),
    );
    expect((await s.client.get(`${core}/configmaps/a`)).code).toBe(200);
    await s.client.must(s.client.patch('merge', `${core}/configmaps/a`, { metadata: { finalizers: null } }));
    expect((await s.client.get(`${core}/configmaps/a`)).code).toBe(404);
  });

  it('deletes what a selector names', async () => {
    const { core } = await s.namespace();
    for (const [n, l] of [
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'y'],
    ] as const)
      await s.client.must(s.client.post(`${core}/configmaps`, configMap(n, {}, { l })));
    await s.client.must(s.client.delete(`${core}/configmaps?labelSelector=l%3Dx`));
    expect(names(await s.client.must(s.client.get(`${core}/configmaps`)))).toEqual(['c']);
  });

  it('takes nothing new into a namespace that is being deleted', async () => {
    const { core, ns } = await s.namespace();
    await s.client.must(
      s.client.post(`${core}/configmaps`, { metadata: { name: 'held', finalizers: ['heddle.dev/a'] } }),
    );
    await s.client.must(s.client.delete(`/api/v1/namespaces/${ns}`));
    expect((await s.client.must(s.client.get(`/api/v1/namespaces/${ns}`))).status.phase).toBe('Terminating');
    expect(await s.client.post(`${core}/configmaps`, configMap('late'))).toMatchObject({
      code: 403,
      body: { reason: 'Forbidden' },
    });
  });

  it('keeps its objects when it is killed and started again', async () => {
    const { core } = await s.namespace();
    const made = await s.client.must(s.client.post(`${core}/configmaps`, configMap('a')));
    const watch = await s.client.watch(
      `${core}/configmaps?watch=true&resourceVersion=${made.metadata.resourceVersion}`,
    );
    await s.server.kill();
    await watch.untilEnd();
    await expect(s.client.get(`${core}/configmaps/a`)).rejects.toThrow();
    await s.server.restart();
    expect((await s.client.must(s.client.get(`${core}/configmaps/a`))).metadata).toMatchObject({
      uid: made.metadata.uid,
      resourceVersion: made.metadata.resourceVersion,
    });
  });
}
