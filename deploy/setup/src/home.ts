import type { SecretStore } from './secrets.js';

/** A Secret like the others, so that the same right to write it suffices; what it holds is no secret. */
export const HOME = 'heddle-controller-home';

export interface HomeOptions {
  readonly store: SecretStore;
  readonly node: string;
  readonly databaseUrl: string;
  readonly exists: (file: string) => boolean;
  readonly say: (line: string) => void;
}

/**
 * A database in a file belongs to one node. A controller that starts on another one would begin with an empty database there,
 * give every pod another address, and cut off those that run; so it does not start.
 * @throws Error that says what to do
 */
export async function stayHome({ store, node, databaseUrl, exists, say }: HomeOptions): Promise<void> {
  if (!databaseUrl.startsWith('sqlite:')) return;
  const file = databaseUrl.slice('sqlite:'.length);
  const known = await store.get(HOME);
  const home = known?.data.node;
  if (home === node) {
    if (!exists(file)) say(`${file} is gone from ${node}: the controller starts with an empty database`);
    return;
  }
  // Whoever brought the file here has moved it on purpose.
  if (home !== undefined && !exists(file))
    throw new Error(
      `the controller's database is on node ${home}, and this is ${node}. Pin the Deployment heddle-controller to ${home}, or copy ` +
        `/var/lib/heddle-controller from there. To begin anew, with other addresses for all pods: ` +
        `kubectl -n heddle-system delete secret ${HOME}`,
    );
  const next = { name: HOME, type: 'Opaque' as const, data: { node } };
  const outcome =
    known === undefined
      ? await store.create(next)
      : await store.replace({ ...next, ...(known.resourceVersion && { resourceVersion: known.resourceVersion }) });
  if (outcome !== 'created' && outcome !== 'replaced')
    throw new Error(`Secret ${HOME} was written by somebody else; trying again`);
  say(`the controller's database is on node ${node}`);
}
