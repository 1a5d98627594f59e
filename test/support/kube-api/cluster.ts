import { randomBytes, randomUUID } from 'node:crypto';
import { ServiceAddresses } from './addresses.ts';
import { BUILTIN } from './builtin.ts';
import { definitionCauses, establish, resourcesOf } from './crd.ts';
import {
  alreadyExists,
  badRequest,
  cause,
  conflict,
  forbidden,
  invalid,
  MODIFIED,
  notFound,
  StatusError,
  unsupportedMediaType,
} from './errors.ts';
import { applyKeys, isAtomicInApply } from './merge-keys.ts';
import { dropUndefined, generationChanges, metadataCauses, NO_WRITABLE, onlyWritable, ordered } from './metadata.ts';
import { jsonPatch, mergePatch, strategicPatch, withoutDropped, withoutNulls } from './patch.ts';
import { received, requireTypes, schemaCauses, type WriteOptions } from './receive.ts';
import { type Resource, ResourceTable } from './resources.ts';
import { applySchema } from './schema.ts';
import { type Collection, objectKey, Store } from './store.ts';
import { isObject, type Json, type KubeObject, type Metadata, sameJson, timestamp } from './types.ts';

export interface ClusterOptions {
  /** Changes kept for each resource; what is older is 410. Default 10000. */
  readonly historyLimit?: number;
  /** Default 10.96.0.0/16 and fd00:10:96::/112. */
  readonly serviceCidrs?: readonly string[];
}

export type PatchKind = 'json' | 'merge' | 'strategic' | 'apply';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

const SYSTEM_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/** The objects of a cluster and the rules by which they change: all of the API but HTTP. */
export class Cluster {
  readonly store: Store;
  readonly resources = new ResourceTable();
  readonly addresses: ServiceAddresses;
  /** The last applied configuration, by object and manager: what apply needs of managedFields, which are not kept. */
  private readonly applied = new Map<string, Json>();

  constructor(options: ClusterOptions = {}) {
    this.store = new Store(options.historyLimit ?? 10_000);
    this.addresses = new ServiceAddresses(options.serviceCidrs ?? ['10.96.0.0/16', 'fd00:10:96::/112']);
    for (const resource of BUILTIN) this.resources.add(resource);
    for (const name of SYSTEM_NAMESPACES)
      this.create(this.resource('', 'v1', 'namespaces'), undefined, { metadata: { name } });
    const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }];
    const metadata = { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } };
    this.create(this.resource('', 'v1', 'services'), 'default', { metadata, spec: { ports } });
  }

  private resource(group: string, version: string, plural: string): Resource {
    const found = this.resources.find(group, version, plural);
    if (found === undefined) throw new RangeError(`no resource ${group}/${version}/${plural}`);
    return found;
  }

  collection(resource: Resource): Collection {
    return this.store.collection(resource.storage);
  }

  has(resource: Resource, namespace: string | undefined, name: string): boolean {
    return this.collection(resource).entries.has(objectKey(namespace, name));
  }

  /** @throws StatusError 404 */
  get(resource: Resource, namespace: string | undefined, name: string): KubeObject {
    const entry = this.collection(resource).entries.get(objectKey(namespace, name));
    if (entry === undefined) throw notFound(resource, name);
    return resource.convert?.to(entry.object) ?? entry.object;
  }

  /** @throws StatusError 400, 403, 404, 409, 422 */
  create(resource: Resource, namespace: string | undefined, body: Json, options: WriteOptions = {}): KubeObject {
    const object = received(resource, namespace, body, options);
    const { metadata } = object;
    if ((metadata.name ?? '') === '') {
      if ((metadata.generateName ?? '') === '')
        throw invalid(resource, '', [cause.required('metadata.name', 'name or generateName is required')]);
      metadata.name = `${metadata.generateName}${randomBytes(4).readUInt32BE().toString(36).padStart(5, '0').slice(0, 5)}`;
    }
    if ((metadata.resourceVersion ?? '') !== '')
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
    if (namespace !== undefined) this.requireNamespace(resource, namespace, metadata.name);
    const collection = this.collection(resource);
    const key = objectKey(namespace, metadata.name);
    object.metadata = {
      ...onlyWritable(metadata),
      name: metadata.name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      resourceVersion: '',
      ...(resource.generation === undefined ? {} : { generation: 1 }),
      creationTimestamp: timestamp(),
    };
    if (resource.status && !resource.keepsStatusOnCreate) delete object.status;
    resource.rules.defaults?.(object);
    const checked = resource.schema === undefined ? object : (applySchema(object, resource.schema, true) as KubeObject);
    const causes = [...metadataCauses(resource, checked.metadata), ...schemaCauses(resource, checked)];
    if (causes.length > 0) throw invalid(resource, metadata.name, causes);
    const found = resource.rules.create?.(checked, this.addresses) ?? [];
    if (found.length > 0) throw invalid(resource, metadata.name, found);
    // Last, as in the real server: what is wrong in itself is said first.
    if (collection.entries.has(key)) {
      resource.rules.removed?.(checked, this.addresses);
      throw alreadyExists(resource, metadata.name);
    }
    if (isDefinition(resource)) this.define(resource, checked);
    return this.give(resource, collection.write(key, ordered(checked)).object);
  }

  /** PUT. @throws StatusError 400, 404, 409, 422 */
  update(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    body: Json,
    options: WriteOptions = {},
  ): KubeObject {
    const object = received(resource, namespace, body, options);
    const entry = this.collection(resource).entries.get(objectKey(namespace, name));
    if (entry === undefined) {
      if (!resource.createOnUpdate || options.subresource !== undefined) throw notFound(resource, name);
      return this.create(
        resource,
        namespace,
        { ...body, metadata: { ...body?.metadata, name, resourceVersion: '' } },
        options,
      );
    }
    if (object.metadata.name !== name)
      throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
    if ((object.metadata.resourceVersion ?? '') === '' && !resource.unconditionalUpdate)
      throw invalid(resource, name, [cause.invalid('metadata.resourceVersion', 0, 'must be specified for an update')]);
    return this.replace(resource, entry.object, object, options.subresource);
  }

  /** Puts a received object in the place of a stored one; the common end of PUT and PATCH. */
  private replace(
    resource: Resource,
    before: KubeObject,
    received: KubeObject,
    subresource: 'status' | undefined,
  ): KubeObject {
    const { name, namespace, resourceVersion, uid } = before.metadata;
    const wanted = received.metadata;
    if ((wanted.uid ?? '') !== '' && wanted.uid !== uid)
      throw conflict(
        resource,
        name,
        `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`,
      );
    if ((wanted.resourceVersion ?? '') !== '' && wanted.resourceVersion !== resourceVersion)
      throw conflict(resource, name, MODIFIED);
    const keepsMetadata = subresource === 'status' && !resource.statusWritesMetadata;
    const writable = keepsMetadata ? onlyWritable(before.metadata) : onlyWritable(wanted);
    if (subresource === 'status' && before.metadata.ownerReferences !== undefined)
      writable.ownerReferences = before.metadata.ownerReferences;
    const metadata: Metadata = { ...before.metadata, ...NO_WRITABLE, ...writable };
    let next: KubeObject;
    if (subresource === 'status')
      next = { ...before, metadata, status: received.status ?? (resource.custom ? undefined : {}) };
    else next = { ...received, metadata, ...(resource.status ? { status: before.status } : {}) };
    if (next.status === undefined) delete next.status;
    next = structuredClone(next);
    resource.rules.defaults?.(next);
    if (resource.schema !== undefined) next = applySchema(next, resource.schema, true) as KubeObject;
    const causes = [...metadataCauses(resource, next.metadata), ...schemaCauses(resource, next)];
    if (subresource === undefined) causes.push(...(resource.rules.update?.(next, before, this.addresses) ?? []));
    const added = (next.metadata.finalizers ?? []).filter((f) => !(before.metadata.finalizers ?? []).includes(f));
    if (before.metadata.deletionTimestamp !== undefined && added.length > 0)
      causes.push(
        cause.forbidden('metadata.finalizers', 'no new finalizers can be added if the object is being deleted'),
      );
    if (causes.length > 0) throw invalid(resource, name, causes);
    if (isDefinition(resource)) this.define(resource, next);
    if (next.metadata.generation !== undefined && generationChanges(resource, before, next))
      next.metadata.generation += 1;
    const key = objectKey(namespace, name);
    const collection = this.collection(resource);
    const ending = next.metadata.deletionTimestamp !== undefined && next.metadata.deletionGracePeriodSeconds === 0;
    if (ending && (next.metadata.finalizers ?? []).length === 0 && !isNamespace(resource))
      return this.removeAtUpdate(resource, next);
    if (sameJson(dropUndefined(next), before)) return this.give(resource, before);
    return this.give(resource, collection.write(key, ordered(dropUndefined(next))).object);
  }

  /** @throws StatusError 400, 404, 409, 415, 422 */
  patch(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    kind: PatchKind,
    sent: Json,
    options: WriteOptions & { readonly fieldManager?: string | undefined } = {},
  ): KubeObject {
    if (kind === 'strategic' && resource.custom)
      throw unsupportedMediaType([
        'application/json-patch+json',
        'application/merge-patch+json',
        'application/apply-patch+yaml',
      ]);
    const patch = kind === 'apply' ? withoutNulls(sent) : sent;
    if (kind !== 'json' && !isObject(patch)) throw badRequest('json: cannot unmarshal into a patch: not an object');
    const appliedKey = `${resource.storage} ${objectKey(namespace, name)} ${options.fieldManager} ${options.subresource}`;
    if (kind === 'apply' && (options.fieldManager ?? '') === '')
      throw new StatusError(
        422,
        'Invalid',
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      );
    const entry = this.collection(resource).entries.get(objectKey(namespace, name));
    if (entry === undefined && (kind !== 'apply' || options.subresource !== undefined)) throw notFound(resource, name);
    if (kind === 'apply') requireTypes(resource, patch);
    if (entry === undefined) {
      const made = this.create(resource, namespace, { ...patch, metadata: { ...patch.metadata, name } }, options);
      this.applied.set(appliedKey, patch);
      return made;
    }
    const current = resource.convert?.to(entry.object) ?? entry.object;
    const patched = this.patched(resource, current, kind, patch, this.applied.get(appliedKey));
    const object = received(resource, namespace, patched, options, 422);
    if (object.metadata.name !== name)
      throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
    const result = this.replace(resource, entry.object, object, options.subresource);
    if (kind === 'apply') this.applied.set(appliedKey, patch);
    return result;
  }

  private patched(resource: Resource, current: KubeObject, kind: PatchKind, patch: Json, last: Json): Json {
    if (kind === 'json') return jsonPatch(current, patch);
    if (kind === 'merge') return mergePatch(current, patch);
    const keys = resource.mergeKeys;
    const base =
      kind === 'apply' && last !== undefined ? withoutDropped(current, last, patch, applyKeys(keys)) : current;
    if (kind === 'strategic') return strategicPatch(base, patch, keys);
    return strategicPatch(base, patch, applyKeys(keys), resource.custom ? undefined : isAtomicInApply);
  }

  /** Removes the object, or marks it when it has a grace period or finalizers. Answers with the object as it is then. */
  delete(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): { readonly object: KubeObject; readonly gone: boolean } {
    const entry = this.collection(resource).entries.get(objectKey(namespace, name));
    if (entry === undefined) throw notFound(resource, name);
    const { object } = entry;
    const { metadata } = object;
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (uid !== undefined && uid !== metadata.uid)
      throw conflict(
        resource,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
      );
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
      throw conflict(
        resource,
        name,
        `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
      );
    if (isNamespace(resource)) return { object: this.terminateNamespace(resource, object), gone: false };
    const grace = resource.rules.gracePeriod?.(object, options.gracePeriodSeconds) ?? 0;
    if (grace > 0 || (metadata.finalizers ?? []).length > 0)
      return { object: this.mark(resource, object, grace), gone: false };
    // A pod is marked before it goes, also when it goes at once.
    const last = resource.rules.gracePeriod === undefined ? object : this.mark(resource, object, 0);
    return { object: this.remove(resource, last), gone: true };
  }

  private mark(resource: Resource, object: KubeObject, grace: number): KubeObject {
    const { metadata } = object;
    const marked = metadata.deletionTimestamp !== undefined;
    // A later order can only make it shorter.
    if (marked && grace >= (metadata.deletionGracePeriodSeconds ?? 0)) return this.give(resource, object);
    const start = marked
      ? Date.parse(metadata.deletionTimestamp as string) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
      : Date.now();
    const next: KubeObject = {
      ...object,
      metadata: {
        ...metadata,
        ...(metadata.generation === undefined || marked ? {} : { generation: metadata.generation + 1 }),
        deletionTimestamp: timestamp(start + grace * 1000),
        deletionGracePeriodSeconds: grace,
      },
    };
    return this.give(
      resource,
      this.collection(resource).write(objectKey(metadata.namespace, metadata.name), ordered(next)).object,
    );
  }

  private remove(resource: Resource, object: KubeObject): KubeObject {
    const { namespace, name } = object.metadata;
    if (isDefinition(resource)) this.undefine(object);
    const removed = this.collection(resource).remove(objectKey(namespace, name));
    resource.rules.removed?.(object, this.addresses);
    const prefix = `${resource.storage} ${objectKey(namespace, name)} `;
    if (this.applied.size > 0)
      for (const key of this.applied.keys()) if (key.startsWith(prefix)) this.applied.delete(key);
    return this.give(resource, removed.object);
  }

  /** An update that takes the last finalizer: its object is answered, but was never stored. */
  private removeAtUpdate(resource: Resource, next: KubeObject): KubeObject {
    this.remove(resource, next);
    return this.give(resource, ordered(dropUndefined(next)));
  }

  private terminateNamespace(resource: Resource, object: KubeObject): KubeObject {
    if (object.metadata.deletionTimestamp !== undefined) return object;
    const metadata = { ...object.metadata, deletionTimestamp: timestamp() };
    const next = { ...object, metadata, status: { ...object.status, phase: 'Terminating' } };
    return this.collection(resource).write(object.metadata.name, ordered(next)).object;
  }

  /** Gives a pod its node. */
  bind(resource: Resource, pod: KubeObject, node: string, conditions: Json): KubeObject {
    const next = { ...pod, spec: { ...pod.spec, nodeName: node }, status: { ...pod.status, conditions } };
    return this.collection(resource).write(objectKey(pod.metadata.namespace, pod.metadata.name), next).object;
  }

  /** What the namespace controller does when nothing is left in a namespace. */
  finalizeNamespace(name: string): void {
    const collection = this.store.collection('namespaces');
    if (collection.entries.get(name)?.object.metadata.deletionTimestamp !== undefined) collection.remove(name);
  }

  private requireNamespace(resource: Resource, namespace: string, name: string): void {
    const found = this.store.collection('namespaces').entries.get(namespace)?.object;
    if (found === undefined) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace);
    if (found.metadata.deletionTimestamp !== undefined)
      throw forbidden(
        resource,
        name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
        [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${namespace} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      );
  }

  private give(resource: Resource, object: KubeObject): KubeObject {
    return resource.convert?.to(object) ?? object;
  }

  private define(resource: Resource, crd: KubeObject): void {
    const causes = definitionCauses(crd);
    if (causes.length > 0) throw invalid(resource, crd.metadata.name, causes);
    establish(crd);
    for (const old of this.servedBy(crd)) this.resources.remove(old);
    for (const served of resourcesOf(crd)) this.resources.add(served);
  }

  private undefine(crd: KubeObject): void {
    const served = this.servedBy(crd);
    const first = served[0];
    if (first !== undefined)
      for (const entry of [...this.collection(first).entries.values()]) this.remove(first, entry.object);
    for (const resource of served) this.resources.remove(resource);
  }

  private servedBy(crd: KubeObject): readonly Resource[] {
    return this.resources
      .all()
      .filter((r) => r.custom && r.group === crd.spec.group && r.plural === crd.spec.names.plural);
  }
}

const isNamespace = (r: Resource) => r.kind === 'Namespace' && r.group === '';
const isDefinition = (r: Resource) => r.kind === 'CustomResourceDefinition' && r.group === 'apiextensions.k8s.io';
