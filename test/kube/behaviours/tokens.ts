import { expect, it } from 'vitest';
import type { Json } from '../../support/kube-api/index.js';
import { pod, type Suite } from './suite.js';

const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';

/** Tokens of service accounts that are bound to pods, and what is said about them. */
export function reviewTokens(s: Suite): void {
  const review = async (token: string, audiences?: readonly string[]) => {
    const { code, body } = await s.client.post(REVIEWS, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, ...(audiences && { audiences }) },
    });
    expect(code).toBe(201);
    return body.status as Json;
  };
  /** An account, a pod of it on node n1, and a token of the pod for the audience `ours`. */
  const account = async () => {
    const { ns, core } = await s.namespace();
    await s.client.must(s.client.post(`${core}/serviceaccounts`, { metadata: { name: 'agent' } }));
    const spec = { serviceAccountName: 'agent', nodeName: 'n1' };
    const made = await s.client.must(s.client.post(`${core}/pods`, pod('p', { spec })));
    const request = (more: Json = {}) =>
      s.client.post(`${core}/serviceaccounts/agent/token`, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: ['ours'],
          expirationSeconds: 3600,
          boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: made.metadata.uid },
          ...more,
        },
      });
    return { ns, core, uid: made.metadata.uid as string, request };
  };
  const tokenOf = (reply: Json): string => reply.status.token;

  it('says of a token of a pod whose it is, and on which node the pod runs', async () => {
    const { ns, uid, request } = await account();
    const token = tokenOf(await s.client.must(request()));
    expect(await review(token, ['ours', 'theirs'])).toMatchObject({
      authenticated: true,
      audiences: ['ours'],
      user: {
        username: `system:serviceaccount:${ns}:agent`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${ns}`, 'system:authenticated'],
        extra: {
          'authentication.kubernetes.io/node-name': ['n1'],
          'authentication.kubernetes.io/pod-name': ['p'],
          'authentication.kubernetes.io/pod-uid': [uid],
        },
      },
    });
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ aud: ['ours'], 'kubernetes.io': { namespace: ns, pod: { name: 'p' } } });
    expect(claims.exp - Date.now() / 1_000).toBeGreaterThan(3_500);
  });

  it('does not know it for another audience, nor for the API server', async () => {
    const { request } = await account();
    const token = tokenOf(await s.client.must(request()));
    for (const audiences of [['theirs'], undefined]) {
      const status = await review(token, audiences);
      expect([status.authenticated ?? false, typeof status.error]).toEqual([false, 'string']);
    }
  });

  it('does not know it any more when its pod is gone', async () => {
    const { core, request } = await account();
    const token = tokenOf(await s.client.must(request()));
    await s.client.must(s.client.delete(`${core}/pods/p`, { gracePeriodSeconds: 0 }));
    await expect
      .poll(async () => (await review(token, ['ours'])).authenticated ?? false, { timeout: 30_000 })
      .toBe(false);
  });

  it('says of a token that is bound to nothing no node', async () => {
    const { request } = await account();
    const token = tokenOf(await s.client.must(request({ boundObjectRef: undefined })));
    const { authenticated, user } = await review(token, ['ours']);
    expect([authenticated, user.extra?.['authentication.kubernetes.io/node-name']]).toEqual([true, undefined]);
  });

  it('knows neither what is no token nor, for others, the token of a user', async () => {
    for (const token of ['x', 'a.b.c', s.server.token() ?? ''])
      expect((await review(token, ['ours'])).authenticated ?? false).toBe(false);
  });

  it('gives no token for a pod of another account, or of another UID', async () => {
    const { core, request } = await account();
    await s.client.must(s.client.post(`${core}/pods`, pod('other', { spec: { serviceAccountName: 'default' } })));
    const ref = { kind: 'Pod', apiVersion: 'v1' };
    expect((await request({ boundObjectRef: { ...ref, name: 'other' } })).code).toBe(400);
    expect((await request({ boundObjectRef: { ...ref, name: 'p', uid: 'another' } })).code).toBe(409);
    expect((await request({ boundObjectRef: { ...ref, name: 'nobody' } })).code).toBe(404);
  });
}
