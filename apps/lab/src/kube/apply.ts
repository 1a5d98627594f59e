import { parseAllDocuments } from 'yaml';
import type { ManifestFile } from '../host/manifests.js';
import { waitFor } from '../host/run.js';
import { isStatus, type KubeClient, type KubeMeta, KubeRefusal } from './client.js';
import { holdsLease } from './nodes.js';
import { RestMapper, type RestMapping } from './rest-mapping.js';
import { ensureServiceAccount } from './service-accounts.js';

/** An object as a manifest gives it. */
interface Given {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeMeta;
  readonly spec?: Workload;
}
interface Workload {
  readonly replicas?: number;
  readonly template?: { readonly metadata?: KubeMeta; readonly spec?: object };
}

const PARALLEL = 8;
/** Kinds that others need, in this order before all others. */
const FIRST = ['Namespace', 'CustomResourceDefinition', 'ServiceAccount'];
const REPLICATED: readonly string[] = ['Deployment', 'ReplicaSet', 'StatefulSet'];
const GONE_TIMEOUT_MS = 60_000;
const SERVED_TIMEOUT_MS = 10_000;

/** @throws Error that names the file of what is no object */
function objectsIn(file: ManifestFile): Given[] {
  return parseAllDocuments(file.text).flatMap((document) => {
    if (document.errors[0] !== undefined) throw new Error(`${file.name}: ${document.errors[0].message}`);
    const flatten = (value: unknown): Given[] => {
      if (value === null || value === undefined) return [];
      const o = value as Partial<Given> & { readonly items?: readonly unknown[] };
      if (o.kind?.endsWith('List') === true && Array.isArray(o.items)) return o.items.flatMap(flatten);
      if (o.apiVersion === undefined || o.kind === undefined || o.metadata?.name === undefined)
        throw new Error(`${file.name}: an object without apiVersion, kind or metadata.name`);
      return [o as Given];
    };
    return flatten(document.toJS());
  });
}

/** Pods in the place of a workload, named as the manifests source names them. */
function podsOf({ kind, metadata, spec }: Given): Given[] {
  const { replicas = 1, template = {} } = spec ?? {};
  return Array.from({ length: replicas }, (_, i) => {
    const name = `${metadata.name}-${i}`;
    const own: Readonly<Record<string, string>> =
      kind === 'StatefulSet'
        ? { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(i) }
        : {};
    const { labels, annotations } = template.metadata ?? {};
    const { namespace } = metadata;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        ...(namespace !== undefined && { namespace }),
        labels: { ...labels, ...own },
        ...(annotations && { annotations }),
      },
      spec: template.spec ?? {},
    };
  });
}

/** Applies and deletes manifests at an API server. */
export class KubeApplier {
  private readonly mapper: RestMapper;

  constructor(private readonly client: KubeClient) {
    this.mapper = new RestMapper(client);
  }

  /**
   * Applies the objects of files, and deletes what the files held `before` and do not hold now. Namespaces that are missing are made. Where no
   * kube-controller-manager runs, pods are made in the place of Deployments, ReplicaSets and StatefulSets.
   * @returns how many objects were applied
   * @throws Error that lists what the server refuses; the rest is applied all the same
   */
  async apply(files: readonly ManifestFile[], before: readonly ManifestFile[]): Promise<number> {
    const managed = await holdsLease(this.client, 'kube-controller-manager');
    const given = this.expand(files, managed);
    const names = new Set(given.map(nameOf));
    const old = new Map(this.expand(before, managed).map((o) => [nameOf(o), o]));
    await this.removeAll([...old.values()].filter((o) => !names.has(nameOf(o))));
    await this.ensureNamespaces(given, managed);
    const refused: string[] = [];
    const rank = ({ kind }: Given) => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length);
    for (let r = 0; r <= FIRST.length; r++)
      await inParallel(
        given.filter((o) => rank(o) === r),
        (o) =>
          this.applyOne(o, old.get(nameOf(o))).catch((e: unknown) => {
            if (!(e instanceof KubeRefusal)) throw e;
            refused.push(`${nameOf(o)}: ${e.message}`);
          }),
      );
    if (refused.length > 0)
      throw new Error(
        `${refused.length} of ${given.length} objects were refused:\n  ${refused.slice(0, 20).join('\n  ')}`,
      );
    return given.length;
  }

  /** Deletes the objects of files, the last first. */
  async remove(files: readonly ManifestFile[]): Promise<void> {
    const managed = await holdsLease(this.client, 'kube-controller-manager');
    await this.removeAll(this.expand(files, managed).reverse());
  }

  private expand(files: readonly ManifestFile[], managed: boolean): Given[] {
    const given = files.flatMap(objectsIn);
    return managed ? given : given.flatMap((o) => (REPLICATED.includes(o.kind) ? podsOf(o) : [o]));
  }

  private async removeAll(objects: readonly Given[]): Promise<void> {
    const left: string[] = [];
    // Namespaces last: without a kube-controller-manager nobody empties them.
    for (const last of [false, true])
      await inParallel(
        objects.filter((o) => (o.kind === 'Namespace') === last),
        async (o) => {
          const path = (await this.mappingOf(o)).path(o.metadata.namespace ?? 'default', o.metadata.name);
          await this.client.delete(path).catch((e: unknown) => {
            if (!isStatus(e, 404)) throw e;
          });
          if (!last) left.push(path);
        },
      );
    await inParallel(left, async (path) => {
      await waitFor(
        `${path} is still there`,
        GONE_TIMEOUT_MS,
        async () => ((await this.client.find(path)) === undefined ? true : undefined),
        100,
      );
    });
  }

  private async ensureNamespaces(given: readonly Given[], managed: boolean): Promise<void> {
    const wanted = new Set(given.filter((o) => o.kind === 'Namespace').map((o) => o.metadata.name));
    for (const o of given) if (o.metadata.namespace !== undefined) wanted.add(o.metadata.namespace);
    for (const name of wanted) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await this.client.create('/api/v1/namespaces', namespace).catch((e: unknown) => {
        if (!isStatus(e, 409)) throw e;
      });
      if (!managed) await ensureServiceAccount(this.client, name);
    }
  }

  private async mappingOf({ apiVersion, kind }: Given): Promise<RestMapping> {
    return waitFor(
      `the API server does not serve ${kind} of ${apiVersion}`,
      // A CRD applied a moment ago is served a moment later; what has no CRD is not waited for.
      apiVersion.includes('.') && !apiVersion.includes('.k8s.io/') ? SERVED_TIMEOUT_MS : 0,
      () => this.mapper.find(apiVersion, kind),
      200,
    );
  }

  private async applyOne(object: Given, before: Given | undefined): Promise<void> {
    const mapping = await this.mappingOf(object);
    const { name, namespace = 'default' } = object.metadata;
    const path = mapping.path(namespace, name);
    const apply = () =>
      this.client.request(
        'PATCH',
        `${path}?fieldManager=heddle-lab&force=true`,
        mapping.namespaced ? { ...object, metadata: { ...object.metadata, namespace } } : object,
        'application/apply-patch+yaml',
      );
    const removed = before === undefined ? undefined : removals(before, object);
    try {
      // Server-side apply takes away what its manager gave before. Not every server keeps book of that, so it is said.
      if (removed !== undefined)
        await this.client.mergePatch(path, removed).catch((e: unknown) => {
          if (!isStatus(e, 404)) throw e;
        });
      await apply();
    } catch (e) {
      // A pod's containers and node are fixed: as with a changed manifest, it is another pod then.
      if (object.kind !== 'Pod' || !isStatus(e, 422) || (await this.client.find(path)) === undefined) throw e;
      await this.removeAll([object]);
      await apply();
    }
  }
}

/** A merge patch that takes away the keys of maps that are no longer there; undefined if there are none. Lists are replaced whole. */
export function removals(before: object, after: object): object | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, old] of Object.entries(before)) {
    const now = (after as Record<string, unknown>)[key];
    if (now === undefined) patch[key] = null;
    else if (isMap(old) && isMap(now)) {
      const inner = removals(old, now);
      if (inner !== undefined) patch[key] = inner;
    }
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

const isMap = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

const nameOf = ({ kind, metadata }: Given): string =>
  [kind, ...(metadata.namespace === undefined ? [] : [metadata.namespace]), metadata.name].join('/');

async function inParallel<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
}
