import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Cluster } from './cluster.ts';
import { apiGroupDocument, apiGroupList, apiResourceList, apiVersions, VERSION } from './discovery.ts';
import { forbidden, methodNotAllowed, noSuchPath, StatusError, unauthorized } from './errors.ts';
import type { Answer, Handlers } from './handlers.ts';
import { openApiDocument, openApiIndex } from './openapi.ts';
import { flag, parseTarget, type Target, type Verb } from './requests.ts';
import type { Resource } from './resources.ts';

/** Who asks for what: what RBAC would decide on. */
export interface Attributes {
  readonly user: string;
  readonly verb: Verb;
  readonly group: string;
  /** `pods`, `pods/status`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

export interface ServerOptions {
  readonly host: string;
  readonly tls: { readonly key: string; readonly cert: string } | undefined;
  /** User by bearer token; undefined: everybody may ask. */
  readonly tokens: ReadonlyMap<string, string> | undefined;
  /** False: 403. Everything is allowed without it. */
  readonly authorize: ((attributes: Attributes) => boolean) | undefined;
  /** A fault to answer with instead. */
  readonly fault: (attributes: Attributes) => StatusError | undefined;
}

/** Made, and never stored. */
const TOKEN_REVIEWS = { group: 'authentication.k8s.io', plural: 'tokenreviews', kind: 'TokenReview' } as const;
const OPEN_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version']);

/** HTTP in front of the cluster: who may ask, what is asked, what was asked. */
export class ApiServer {
  readonly requests = new Map<string, number>();
  readonly attributes = new Map<string, Attributes>();
  private readonly cluster: Cluster;
  private readonly handlers: Handlers;
  private readonly options: ServerOptions;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  constructor(cluster: Cluster, handlers: Handlers, options: ServerOptions) {
    this.cluster = cluster;
    this.handlers = handlers;
    this.options = options;
  }

  async listen(port: number): Promise<number> {
    const listener: RequestListener = (request, response) => void this.serve(request, response);
    const { tls, host } = this.options;
    const server =
      tls === undefined ? createServer(listener) : createTlsServer({ key: tls.key, cert: tls.cert }, listener);
    this.server = server;
    // Watches are silent for long, and clients keep their connections.
    server.requestTimeout = 0;
    server.keepAliveTimeout = 120_000;
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true);
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    return (server.address() as { port: number }).port;
  }

  /** Takes no more connections and cuts those there are. */
  async close(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy()); // the client has gone; nobody else cares
    try {
      const answer = await this.answer(request, response);
      if (answer !== undefined) send(response, answer);
    } catch (e) {
      const status =
        e instanceof StatusError ? e : new StatusError(500, 'InternalError', `Internal error: ${(e as Error).stack}`);
      if (response.headersSent) response.destroy();
      else send(response, { code: status.code, body: status.toStatus() });
    }
  }

  private user(request: IncomingMessage): string | undefined {
    if (this.options.tokens === undefined) return 'system:anonymous';
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    return token === undefined ? undefined : this.options.tokens.get(token);
  }

  private answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> | Answer | undefined {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.replace(/\/$/, '');
    const user = this.user(request);
    if (user === undefined && !(OPEN_PATHS.has(path) && request.headers.authorization === undefined))
      throw unauthorized();
    const { accept } = request.headers;
    if (accept !== undefined && !/application\/(json|\*)|\*\/\*/.test(accept))
      throw new StatusError(406, 'NotAcceptable', 'only the following media types are accepted: application/json');
    const document = this.document(path, request);
    if (document !== undefined) return { code: 200, body: document };
    const target = parseTarget(path);
    if (target === undefined) throw noSuchPath();
    if (target.plural.startsWith('selfsubject')) return review(target);
    if (target.group === TOKEN_REVIEWS.group && target.plural === TOKEN_REVIEWS.plural) {
      if (request.method !== 'POST' || target.name !== undefined) throw methodNotAllowed();
      const about = { group: target.group, resource: target.plural, namespace: undefined, name: undefined };
      this.admit({ user: user ?? 'system:anonymous', verb: 'create', ...about }, TOKEN_REVIEWS);
      return this.handlers.reviewToken(request);
    }
    const resource = this.cluster.resources.find(target.group, target.version, target.plural);
    if (resource === undefined || (target.namespace !== undefined && !resource.namespaced)) throw noSuchPath();
    const verb = verbOf(request, url.searchParams, target);
    if (resource.namespaced && target.namespace === undefined && !['list', 'watch', 'create'].includes(verb))
      throw methodNotAllowed();
    this.admit(
      {
        user: user ?? 'system:anonymous',
        verb,
        group: target.group,
        resource: subject(resource, target),
        namespace: target.namespace,
        name: target.name,
      },
      resource,
    );
    return this.handlers.handle({ request, response, query: url.searchParams, resource, target, verb });
  }

  /** Counts, lets faults happen, and asks whether it is allowed. */
  private admit(attributes: Attributes, resource: Pick<Resource, 'group' | 'plural' | 'kind'>): void {
    const { verb, group } = attributes;
    const counted = `${verb} ${group === '' ? attributes.resource : `${attributes.resource}.${group}`}`;
    this.requests.set(counted, (this.requests.get(counted) ?? 0) + 1);
    this.attributes.set(`${attributes.user} ${counted} ${attributes.namespace ?? ''}`, attributes);
    const fault = this.options.fault(attributes);
    if (fault !== undefined) throw fault;
    if (this.options.authorize?.(attributes) === false)
      throw forbidden(
        resource,
        attributes.name ?? '',
        `User "${attributes.user}" cannot ${verb} resource "${attributes.resource}" in API group "${group}"${attributes.namespace === undefined ? ' at the cluster scope' : ` in the namespace "${attributes.namespace}"`}`,
      );
  }

  private document(path: string, request: IncomingMessage): object | string | undefined {
    if (path === '/healthz' || path === '/livez' || path === '/readyz') return 'ok';
    if (path === '/version') return VERSION;
    const resources = this.cluster.resources.all();
    if (path === '/api') return apiVersions(request.headers.host ?? '');
    if (path === '/apis') return apiGroupList(resources);
    if (path === '/openapi/v3') return openApiIndex(resources);
    if (path.startsWith('/openapi/v3/')) return openApiDocument(resources, path.slice('/openapi/v3/'.length));
    const parts = path.split('/').slice(1);
    if (parts[0] === 'api' && parts.length === 2) return apiResourceList(resources, '', parts[1] as string);
    if (parts[0] === 'apis' && parts.length === 2) return apiGroupDocument(resources, parts[1] as string);
    if (parts[0] === 'apis' && parts.length === 3)
      return apiResourceList(resources, parts[1] as string, parts[2] as string);
    return undefined;
  }
}

const subject = (resource: Resource, target: Target): string =>
  target.subresource === undefined ? resource.plural : `${resource.plural}/${target.subresource}`;

function verbOf(request: IncomingMessage, query: URLSearchParams, target: Target): Verb {
  const one = target.name !== undefined;
  switch (request.method) {
    case 'GET':
      return flag(query, 'watch') ? 'watch' : one ? 'get' : 'list';
    case 'POST':
      if (one && target.subresource === undefined) throw methodNotAllowed();
      return 'create';
    case 'PUT':
      if (!one) throw methodNotAllowed();
      return 'update';
    case 'PATCH':
      if (!one) throw methodNotAllowed();
      return 'patch';
    case 'DELETE':
      return one ? 'delete' : 'deletecollection';
    default:
      throw methodNotAllowed();
  }
}

/** Access reviews about oneself: everything is allowed. */
const review = (target: Target): Answer => ({
  code: 201,
  body: {
    kind: 'SelfSubjectAccessReview',
    apiVersion: `${target.group}/${target.version}`,
    metadata: {},
    spec: {},
    status: { allowed: true },
  },
});

function send(response: ServerResponse, { code, body }: Answer): void {
  const plain = body === 'ok';
  const text = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  response.writeHead(code, {
    'Content-Type': plain ? 'text/plain' : 'application/json',
    'Content-Length': text.length,
  });
  response.end(text);
}
