import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates } from '../certificates.ts';
import { freePort } from '../ports.ts';
import { ApiServer, type Attributes } from './api-server.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { startEndpointSlices } from './endpoint-slices.ts';
import { StatusError } from './errors.ts';
import { Handlers } from './handlers.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { startNamespaces } from './namespaces.ts';
import type { Resource } from './resources.ts';
import { fieldSelector, labelSelector } from './selectors.ts';
import { ServiceAccountTokens } from './tokens.ts';
import type { Json, KubeObject } from './types.ts';
import { WatchHub } from './watch.ts';

export interface KubeApiOptions extends ClusterOptions {
  /** Default: one that is free. */
  readonly port?: number;
  readonly host?: string;
  /** Serve https, with a certificate for localhost and 127.0.0.1. Default true: kubectl gives no token to a server without it. */
  readonly tls?: boolean;
  /** Users by bearer token besides `admin`, whose token is made; false: nobody is asked for one. */
  readonly tokens?: Readonly<Record<string, string>> | false;
  /** Answers 403 where this is false. Default: everything is allowed. */
  readonly authorize?: (attributes: Attributes) => boolean;
  /** Keep the EndpointSlices of services with selectors, as kube-controller-manager does. Default false. */
  readonly endpointSlices?: boolean;
  /** Empty and remove namespaces that are deleted, as kube-controller-manager does. Default true. */
  readonly namespaces?: boolean;
  /** Default 60 s. */
  readonly bookmarkIntervalMs?: number;
}

export interface Stats {
  /** Requests by verb and resource: `list pods`, `patch nodes/status`, `create leases.coordination.k8s.io`. */
  readonly requests: Readonly<Record<string, number>>;
  /** Each thing that was asked for, once a user and namespace. */
  readonly attributes: readonly Attributes[];
  /** Open watches. */
  readonly watches: number;
}

export interface ObjectQuery {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** What tests use of a small or of a real API server. */
export interface ApiHandle {
  readonly url: string;
  /** Text of a kubeconfig of the user `admin`. */
  kubeconfig(user?: string): string;
  /** Writes it into a folder and gives its path. */
  kubeconfigFile(dir: string, user?: string): Promise<string>;
  /** The bearer token of a user. */
  token(user?: string): string | undefined;
  /** Ends the server for good. */
  stop(): Promise<void>;
  /** Ends it as kill -9 does: every socket is cut. */
  kill(): Promise<void>;
  /** After kill(): the same address, the same data. */
  restart(): Promise<void>;
}

export interface KubeApi extends ApiHandle {
  /** Makes every resourceVersion that was read before too old (410); of one resource (`pods`) or of all. */
  expire(resource?: string): void;
  /** Cuts the sockets of open watches (or ends the answers), of one resource or of all. Gives their number. */
  dropWatches(resource?: string, how?: 'cut' | 'end'): number;
  /** Sends a bookmark to every watch that wants them. */
  bookmark(): void;
  /** Answers the next requests that match with an error. Gives a function that ends this. */
  fail(matches: (attributes: Attributes) => boolean, code: number, times?: number): () => void;
  stats(): Stats;
  resetStats(): void;
  /** The stored objects of a resource by plural, kind or `plural.group`, in their order. */
  objects(resource: string, query?: ObjectQuery): readonly KubeObject[];
  /** One object; undefined if it is not there. */
  object(resource: string, name: string, namespace?: string): KubeObject | undefined;
  /** Creates or replaces without HTTP: many objects at once. With `status`, that is written too. */
  put(object: Json): KubeObject;
  /** Deletes without HTTP and without grace; false if it was not there. */
  remove(resource: string, name: string, namespace?: string): boolean;
  readonly cluster: Cluster;
  /** What a kubelet asks for: tokens of service accounts. */
  readonly accountTokens: ServiceAccountTokens;
}

const DEFAULT_USER = 'admin';

/** Starts a small Kubernetes API server in this process. */
export async function startKubeApi(options: KubeApiOptions = {}): Promise<KubeApi> {
  const cluster = new Cluster(options);
  const watches = new WatchHub(cluster.store, options.bookmarkIntervalMs ?? 60_000);
  const identity = options.tls !== false ? makeCertificates(['kube-api']).identity('kube-api') : undefined;
  const tokens = options.tokens === false ? undefined : new Map(Object.entries(options.tokens ?? {}));
  tokens?.set(randomBytes(16).toString('hex'), DEFAULT_USER);
  const faults = new Set<{ matches: (a: Attributes) => boolean; code: number; left: number }>();
  const accountTokens = new ServiceAccountTokens(cluster, tokens);
  const handlers = new Handlers(cluster, watches, accountTokens);
  const server = new ApiServer(cluster, handlers, {
    host: options.host ?? '127.0.0.1',
    tls:
      identity === undefined
        ? undefined
        : { key: readFileSync(identity.key, 'utf8'), cert: readFileSync(identity.cert, 'utf8') },
    tokens,
    authorize: options.authorize,
    fault: (attributes) => {
      for (const fault of faults) {
        if (fault.left === 0 || !fault.matches(attributes)) continue;
        fault.left -= 1;
        return new StatusError(
          fault.code,
          fault.code === 429 ? 'TooManyRequests' : 'InternalError',
          'a fault of the test',
        );
      }
      return undefined;
    },
  });
  const controllers = [
    ...(options.namespaces === false ? [] : [startNamespaces(cluster)]),
    ...(options.endpointSlices === true ? [startEndpointSlices(cluster)] : []),
  ];
  const port = await server.listen(options.port ?? (await freePort()));
  const url = `${identity === undefined ? 'http' : 'https'}://${options.host ?? '127.0.0.1'}:${port}`;
  const named = (name: string): Resource => {
    const found = cluster.resources.named(name);
    if (found === undefined) throw new RangeError(`no resource ${name}`);
    return found;
  };
  const storageOf = (name: string | undefined) => (name === undefined ? undefined : named(name).storage);
  const api: KubeApi = {
    url,
    cluster,
    accountTokens,
    token: (user = DEFAULT_USER) => [...(tokens ?? [])].find(([, name]) => name === user)?.[0],
    kubeconfig: (user = DEFAULT_USER) =>
      kubeconfigText({
        server: url,
        user,
        token: api.token(user),
        authority: identity && readFileSync(identity.ca, 'utf8'),
      }),
    async kubeconfigFile(dir, user = DEFAULT_USER) {
      const file = join(dir, `${user.replaceAll(/[^a-z0-9-]/gi, '-')}.kubeconfig`);
      await writeFile(file, api.kubeconfig(user), { mode: 0o600 });
      return file;
    },
    async stop() {
      for (const stop of controllers) stop();
      watches.close();
      await server.close();
    },
    kill: () => server.close(),
    async restart() {
      await server.close();
      await server.listen(port);
    },
    expire(resource) {
      const chosen = resource === undefined ? cluster.resources.all() : [named(resource)];
      for (const r of chosen) cluster.collection(r).expire();
    },
    dropWatches: (resource, how = 'cut') => watches.drop(storageOf(resource), how),
    bookmark: () => watches.bookmark(),
    fail(matches, code, times = Number.POSITIVE_INFINITY) {
      const fault = { matches, code, left: times };
      faults.add(fault);
      return () => faults.delete(fault);
    },
    stats: () => ({
      requests: Object.fromEntries([...server.requests].sort()),
      attributes: [...server.attributes.values()],
      watches: watches.size,
    }),
    resetStats() {
      server.requests.clear();
      server.attributes.clear();
    },
    objects(resource, query = {}) {
      const r = named(resource);
      const labels = labelSelector(query.labelSelector);
      const fields = fieldSelector(query.fieldSelector, r.fields);
      const page = cluster.collection(r).list({
        limit: 0,
        continue: undefined,
        revision: undefined,
        prefix: query.namespace === undefined ? '' : `${query.namespace}/`,
        matches: (o) => (labels?.(o) ?? true) && (fields?.(o) ?? true),
      });
      return page.entries.map((e) => e.object);
    },
    object: (resource, name, namespace) =>
      cluster.collection(named(resource)).entries.get(namespace === undefined ? name : `${namespace}/${name}`)?.object,
    put: (object) => put(cluster, object),
    remove(resource, name, namespace) {
      const r = named(resource);
      if (api.object(resource, name, namespace) === undefined) return false;
      cluster.delete(r, namespace, name, { gracePeriodSeconds: 0 });
      return true;
    },
  };
  return api;
}

function put(cluster: Cluster, object: Json): KubeObject {
  const resource = cluster.resources.named(object.kind, object.apiVersion);
  if (resource === undefined) throw new RangeError(`no resource for ${object.apiVersion} ${object.kind}`);
  const namespace = resource.namespaced ? (object.metadata.namespace ?? 'default') : undefined;
  const { name } = object.metadata;
  const known = cluster.collection(resource).entries.get(namespace === undefined ? name : `${namespace}/${name}`);
  const metadata = { ...object.metadata, resourceVersion: known?.object.metadata.resourceVersion };
  const stored =
    known === undefined
      ? cluster.create(resource, namespace, object)
      : cluster.update(resource, namespace, name, { ...object, metadata });
  if (object.status === undefined || !resource.status) return stored;
  return cluster.update(resource, namespace, name, { ...stored, status: object.status }, { subresource: 'status' });
}
