import { isStatus, type KubeClient } from './client.js';

/** How objects of a kind are addressed. */
export interface RestMapping {
  readonly namespaced: boolean;
  /** Path of one object, or of the list without a name. */
  path(namespace: string, name?: string): string;
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
}

/** Finds where the API server serves a kind, by its discovery documents. */
export class RestMapper {
  private readonly lists = new Map<string, Promise<ResourceList | undefined>>();

  constructor(private readonly client: KubeClient) {}

  /** Undefined if the server does not serve it. */
  async find(apiVersion: string, kind: string): Promise<RestMapping | undefined> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const list = await this.list(root);
    // Subresources are listed as NAME/SUBRESOURCE, with kinds of their own.
    const found = list?.resources.find((r) => r.kind === kind && !r.name.includes('/'));
    if (found === undefined) {
      // A CRD may be applied meanwhile.
      this.lists.delete(root);
      return undefined;
    }
    return {
      namespaced: found.namespaced,
      path: (namespace, name) =>
        [
          root,
          ...(found.namespaced ? ['namespaces', namespace] : []),
          found.name,
          ...(name === undefined ? [] : [name]),
        ].join('/'),
    };
  }

  private list(root: string): Promise<ResourceList | undefined> {
    const known = this.lists.get(root);
    if (known !== undefined) return known;
    const asked = this.client.get<ResourceList>(root).catch((e: unknown) => {
      if (isStatus(e, 404)) return undefined;
      this.lists.delete(root);
      throw e;
    });
    this.lists.set(root, asked);
    return asked;
  }
}
