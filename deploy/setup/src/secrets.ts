import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { isIPv6 } from 'node:net';

/** A Secret, as far as it is used here; values are text, not base64. */
export interface Secret {
  readonly name: string;
  readonly type: 'Opaque' | 'kubernetes.io/tls';
  readonly data: Readonly<Record<string, string>>;
  readonly resourceVersion?: string;
}

/** The Secrets of one namespace. */
export interface SecretStore {
  get(name: string): Promise<Secret | undefined>;
  /** `taken`: somebody else has made it meanwhile. */
  create(secret: Secret): Promise<'created' | 'taken'>;
  /** Only if nobody has changed it since it was read. */
  replace(secret: Secret): Promise<'replaced' | 'changed'>;
}

/** An answer of the API server that is no answer to our question. */
export class ApiServerError extends Error {
  override readonly name = 'ApiServerError';
  constructor(
    readonly status: number,
    what: string,
    body: string,
  ) {
    super(`${what}: the API server answered ${status}: ${body.slice(0, 300)}`);
  }
}

export interface ApiServer {
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly namespace: string;
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const TIMEOUT_MS = 10_000;

/** The API server as a pod finds it. @throws Error outside of a cluster */
export function inCluster(env: Readonly<Record<string, string | undefined>>): ApiServer {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port) throw new Error('KUBERNETES_SERVICE_HOST and _PORT are not set: this program runs in a pod');
  const read = (name: string) => readFileSync(`${ACCOUNT}/${name}`, 'utf8').trim();
  const authority = isIPv6(host) ? `[${host}]` : host;
  return {
    url: `https://${authority}:${port}`,
    token: read('token'),
    ca: read('ca.crt'),
    namespace: read('namespace'),
  };
}

/** Secrets by the API server. Three requests need no client library. */
export function secretStore(api: ApiServer): SecretStore {
  const base = `/api/v1/namespaces/${api.namespace}/secrets`;
  return {
    async get(name) {
      const { status, body } = await call(api, 'GET', `${base}/${name}`);
      if (status === 404) return undefined;
      if (status !== 200) throw new ApiServerError(status, `reading Secret ${name}`, body);
      return decode(JSON.parse(body) as Manifest);
    },
    async create(secret) {
      const { status, body } = await call(api, 'POST', base, encode(api, secret));
      if (status === 409) return 'taken';
      if (status !== 201) throw new ApiServerError(status, `creating Secret ${secret.name}`, body);
      return 'created';
    },
    async replace(secret) {
      const { status, body } = await call(api, 'PUT', `${base}/${secret.name}`, encode(api, secret));
      if (status === 409) return 'changed';
      if (status !== 200) throw new ApiServerError(status, `replacing Secret ${secret.name}`, body);
      return 'replaced';
    },
  };
}

interface Manifest {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

const mapValues = (data: Readonly<Record<string, string>>, change: (text: string) => string) =>
  Object.fromEntries(Object.entries(data).map(([name, text]) => [name, change(text)]));

function decode({ metadata, type, data }: Manifest): Secret {
  return {
    name: metadata.name,
    type: type === 'kubernetes.io/tls' ? type : 'Opaque',
    data: mapValues(data ?? {}, (text) => Buffer.from(text, 'base64').toString('utf8')),
    ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
  };
}

function encode(api: ApiServer, { name, type, data, resourceVersion }: Secret): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: api.namespace,
      labels: { 'app.kubernetes.io/part-of': 'heddle', 'app.kubernetes.io/managed-by': 'heddle-setup' },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type,
    data: mapValues(data, (text) => Buffer.from(text).toString('base64')),
  });
}

function call(api: ApiServer, method: string, path: string, body?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, api.url),
      {
        method,
        ca: api.ca,
        timeout: TIMEOUT_MS,
        headers: { authorization: `Bearer ${api.token}`, 'content-type': 'application/json' },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    sent.on('error', (cause) => reject(new Error(`cannot reach ${api.url}: ${cause.message}`, { cause })));
    sent.end(body);
  });
}
