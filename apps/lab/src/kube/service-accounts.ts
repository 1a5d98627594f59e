import { isStatus, type KubeClient, type KubeObject } from './client.js';

const knownTo = new WeakMap<KubeClient, Set<string>>();

/** Makes the service account `default` in every namespace: without it the API server admits no pod there, and who makes it otherwise does not run. */
export async function ensureServiceAccounts(client: KubeClient): Promise<void> {
  const known = knownTo.get(client) ?? new Set<string>();
  knownTo.set(client, known);
  const { items } = await client.list<KubeObject & { readonly status?: { readonly phase?: string } }>(
    '/api/v1/namespaces',
  );
  for (const { metadata, status } of items) {
    if (known.has(metadata.uid ?? '') || status?.phase === 'Terminating') continue;
    await ensureServiceAccount(client, metadata.name);
    known.add(metadata.uid ?? '');
  }
}

export async function ensureServiceAccount(client: KubeClient, namespace: string): Promise<void> {
  await client
    .create(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace },
    })
    .catch((e: unknown) => {
      if (!isStatus(e, 404, 409)) throw e;
    });
}
