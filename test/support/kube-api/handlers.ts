import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cluster } from './cluster.ts';
import { badRequest, cause, conflict, invalid, methodNotAllowed, noSuchPath, StatusError } from './errors.ts';
import { setCondition } from './kind-rules.ts';
import { flag, numberParameter, readObject, readPatch, type Target, type Verb } from './requests.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { fieldSelector, labelSelector, type Predicate } from './selectors.ts';
import type { Entry } from './store.ts';
import type { ServiceAccountTokens } from './tokens.ts';
import { isObject, type Json } from './types.ts';
import type { WatchHub } from './watch.ts';

/** A request for objects of one resource. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly resource: Resource;
  readonly target: Target;
  readonly verb: Verb;
}

export interface Answer {
  readonly code: number;
  readonly body: object | string;
}
const ok = (body: object | string): Answer => ({ code: 200, body });
const created = (body: object): Answer => ({ code: 201, body });

/** Turns calls into operations on the cluster. Undefined: a watch has taken the response. */
export class Handlers {
  private readonly cluster: Cluster;
  private readonly watches: WatchHub;
  private readonly tokens: ServiceAccountTokens;

  constructor(cluster: Cluster, watches: WatchHub, tokens: ServiceAccountTokens) {
    this.cluster = cluster;
    this.watches = watches;
    this.tokens = tokens;
  }

  /** A TokenReview: nothing is stored. */
  async reviewToken(request: IncomingMessage): Promise<Answer> {
    return created(this.tokens.review(await readObject(request)));
  }

  handle(call: Call): Promise<Answer | undefined> | Answer | undefined {
    const { subresource } = call.target;
    if (call.query.get('dryRun') !== null) throw badRequest('dryRun is not supported by this server');
    if (subresource !== undefined && subresource !== 'status') return this.subresource(call, subresource);
    if (subresource === 'status' && !call.resource.status) throw noSuchPath();
    switch (call.verb) {
      case 'get':
        return ok(this.cluster.get(call.resource, call.target.namespace, call.target.name as string));
      case 'list':
        return ok(this.list(call));
      case 'watch':
        return this.watch(call);
      case 'create':
        return this.create(call);
      case 'update':
        return this.update(call);
      case 'patch':
        return this.patch(call);
      case 'delete':
        return this.delete(call);
      case 'deletecollection':
        return this.deleteCollection(call);
    }
  }

  private selector({ query, resource }: Call): Predicate | undefined {
    const labels = labelSelector(query.get('labelSelector'));
    const fields = fieldSelector(query.get('fieldSelector'), resource.fields);
    const { convert } = resource;
    const converted: Predicate | undefined =
      fields === undefined || convert === undefined ? fields : (o) => fields(convert.to(o));
    if (labels === undefined || converted === undefined) return labels ?? converted;
    return (o) => labels(o) && converted(o);
  }

  private list(call: Call): string {
    const { query, resource, target } = call;
    const version = numberParameter(query, 'resourceVersion');
    const match = query.get('resourceVersionMatch');
    const token = query.get('continue') || undefined;
    if (match !== null && query.get('resourceVersion') === null)
      throw this.listOptions(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden unless resourceVersion is provided',
      );
    if (token !== undefined && version !== undefined && version !== 0)
      throw badRequest('specifying resource version is not allowed when using continue');
    if (version !== undefined) this.refuseFuture(version);
    const page = this.cluster.collection(resource).list({
      limit: numberParameter(query, 'limit') ?? 0,
      continue: token,
      revision: match === 'Exact' ? version : undefined,
      prefix: target.namespace === undefined ? '' : `${target.namespace}/`,
      matches: this.selector(call),
    });
    const metadata = {
      resourceVersion: String(page.revision),
      ...(page.continue === undefined ? {} : { continue: page.continue }),
      ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
    };
    const head = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata };
    return `${JSON.stringify(head).slice(0, -1)},"items":[${page.entries.map((e) => this.item(resource, e)).join(',')}]}`;
  }

  /** Items of the core's lists do not say their kind. */
  private item(resource: Resource, entry: Entry): string {
    const json = resource.convert === undefined ? entry.json : JSON.stringify(resource.convert.to(entry.object));
    if (resource.custom) return json;
    const prefix = JSON.stringify({ kind: resource.kind, apiVersion: apiVersionOf(resource) }).slice(0, -1);
    return json.startsWith(`${prefix},`) ? `{${json.slice(prefix.length + 1)}` : json;
  }

  private refuseFuture(version: number): void {
    const current = this.cluster.store.revision;
    if (version > current)
      throw new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${version}, current: ${current}`, {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }],
        retryAfterSeconds: 1,
      });
  }

  private listOptions(field: string, message: string): StatusError {
    return invalid({ group: 'meta.k8s.io', plural: 'listoptions', kind: 'ListOptions' }, '', [
      cause.forbidden(field, message),
    ]);
  }

  private watch(call: Call): undefined {
    const { query, resource, target } = call;
    const version = numberParameter(query, 'resourceVersion');
    const initialEvents = flag(query, 'sendInitialEvents');
    if (initialEvents && query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw this.listOptions(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    const seconds = numberParameter(query, 'timeoutSeconds');
    const named: Predicate | undefined = target.name === undefined ? undefined : (o) => o.metadata.name === target.name;
    const selected = this.selector(call);
    this.watches.start(call.response, resource, this.cluster.collection(resource), {
      revision: version === undefined || version === 0 ? undefined : version,
      bookmarks: flag(query, 'allowWatchBookmarks'),
      initialEvents,
      timeoutMs: seconds === undefined || seconds === 0 ? undefined : seconds * 1000,
      namespace: target.namespace,
      matches: named === undefined || selected === undefined ? (named ?? selected) : (o) => named(o) && selected(o),
    });
    return undefined;
  }

  private writeOptions({ query, target }: Call) {
    return {
      subresource: target.subresource as 'status' | undefined,
      fieldValidation: query.get('fieldValidation') ?? undefined,
      fieldManager: query.get('fieldManager') ?? undefined,
    };
  }

  private async create(call: Call): Promise<Answer> {
    const { resource, target } = call;
    const body = await readObject(call.request);
    const namespace = resource.namespaced ? (target.namespace ?? body?.metadata?.namespace) : undefined;
    if (resource.namespaced && (namespace ?? '') === '') throw methodNotAllowed();
    return created(this.cluster.create(resource, namespace, body, this.writeOptions(call)));
  }

  private async update(call: Call): Promise<Answer> {
    const { resource, target } = call;
    const body = await readObject(call.request);
    const answer = this.cluster.has(resource, target.namespace, target.name as string) ? ok : created;
    return answer(
      this.cluster.update(resource, target.namespace, target.name as string, body, this.writeOptions(call)),
    );
  }

  private async patch(call: Call): Promise<Answer> {
    const { resource, target } = call;
    const { kind, patch } = await readPatch(call.request);
    const answer = this.cluster.has(resource, target.namespace, target.name as string) ? ok : created;
    return answer(
      this.cluster.patch(resource, target.namespace, target.name as string, kind, patch, this.writeOptions(call)),
    );
  }

  private deleteOptions(query: URLSearchParams, body: Json) {
    return {
      gracePeriodSeconds: numberParameter(query, 'gracePeriodSeconds') ?? body?.gracePeriodSeconds,
      preconditions: isObject(body?.preconditions) ? body.preconditions : undefined,
    };
  }

  private async delete(call: Call): Promise<Answer> {
    const { resource, target } = call;
    const options = this.deleteOptions(call.query, await readObject(call.request));
    const { object, gone } = this.cluster.delete(resource, target.namespace, target.name as string, options);
    if (!gone || RETURNS_DELETED.has(resource.kind)) return ok(object);
    const { name, uid } = object.metadata;
    const details = { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural, uid };
    return ok({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
  }

  private async deleteCollection(call: Call): Promise<Answer> {
    const { resource, target } = call;
    const options = this.deleteOptions(call.query, await readObject(call.request));
    const matches = this.selector(call);
    const prefix = target.namespace === undefined ? '' : `${target.namespace}/`;
    const { entries } = this.cluster
      .collection(resource)
      .list({ limit: 0, continue: undefined, revision: undefined, prefix, matches });
    const items = entries.map(
      ({ object }) => this.cluster.delete(resource, object.metadata.namespace, object.metadata.name, options).object,
    );
    const metadata = { resourceVersion: String(this.cluster.store.revision) };
    return ok({ kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items });
  }

  private subresource(call: Call, subresource: string): Promise<Answer> {
    const known = call.resource.group === '' ? `${call.resource.plural}/${subresource}` : '';
    if (call.verb !== 'create' && known !== 'namespaces/finalize') throw noSuchPath();
    if (known === 'pods/binding') return this.bind(call);
    if (known === 'pods/eviction') return this.evict(call);
    if (known === 'serviceaccounts/token') return this.token(call);
    if (known === 'namespaces/finalize') return this.finalize(call);
    throw noSuchPath();
  }

  /** What a scheduler does: gives a pod its node, once. */
  private async bind({ request, resource, target }: Call): Promise<Answer> {
    const body = await readObject(request);
    const pod = this.cluster.get(resource, target.namespace, target.name as string);
    if (body?.metadata?.name !== pod.metadata.name)
      throw badRequest('name in URL does not match name in Binding object');
    const node = body?.target?.name;
    if (typeof node !== 'string' || node === '')
      throw invalid({ ...resource, kind: 'Binding' }, pod.metadata.name, [cause.required('target.name')]);
    if ((pod.spec.nodeName ?? '') !== '')
      throw conflict(
        { group: '', plural: 'pods/binding', kind: 'Binding' },
        pod.metadata.name,
        `pod ${pod.metadata.name} is already assigned to node "${pod.spec.nodeName}"`,
      );
    this.cluster.bind(resource, pod, node, setCondition(pod.status?.conditions, 'PodScheduled', 'True'));
    return created(SUCCESS);
  }

  private async evict({ request, resource, target }: Call): Promise<Answer> {
    const body = await readObject(request);
    this.cluster.delete(resource, target.namespace, target.name as string, body?.deleteOptions);
    return created(SUCCESS);
  }

  private async token({ request, resource, target }: Call): Promise<Answer> {
    const body = await readObject(request);
    const account = this.cluster.get(resource, target.namespace, target.name as string);
    const status = this.tokens.issue(account, body?.spec);
    const metadata = { name: target.name, namespace: target.namespace };
    return created({
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata,
      spec: body?.spec ?? {},
      status,
    });
  }

  private async finalize({ request, target }: Call): Promise<Answer> {
    const body = await readObject(request);
    if ((body?.spec?.finalizers ?? []).length === 0) this.cluster.finalizeNamespace(target.name as string);
    return ok(body ?? {});
  }
}

const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
/** Kinds whose deletion answers with the object and not with a Status. */
const RETURNS_DELETED = new Set(['Pod', 'Service', 'ServiceAccount']);
