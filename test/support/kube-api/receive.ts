import { badRequest, StatusError } from './errors.ts';
import { withoutNulls } from './patch.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { checkSchema, unknownMembers } from './schema.ts';
import { requireShape } from './shapes.ts';
import { isObject, type Json, type KubeObject, type Metadata } from './types.ts';

export interface WriteOptions {
  readonly subresource?: 'status' | undefined;
  /** Strict: members that the schema does not know are refused. */
  readonly fieldValidation?: string | undefined;
}

/** A copy of what a client sent, with apiVersion, kind and metadata as they must be, in the stored form. */
export function received(
  resource: Resource,
  namespace: string | undefined,
  body: Json,
  options: WriteOptions,
  /** The status of an object whose members have wrong types. */
  misfit = 400,
): KubeObject {
  if (!isObject(body)) throw badRequest('the object provided is unrecognized (must be of type object)');
  const apiVersion = apiVersionOf(resource);
  const said = `${body.apiVersion ?? apiVersion}, Kind=${body.kind ?? resource.kind}`;
  if (said !== `${apiVersion}, Kind=${resource.kind}`)
    throw badRequest(
      `the API version in the data (${said}) does not match the expected API version (${apiVersion}, Kind=${resource.kind})`,
    );
  if (body.metadata !== undefined && !isObject(body.metadata)) throw badRequest('metadata must be an object');
  if ((body.metadata?.namespace ?? '') !== '' && body.metadata?.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (options.fieldValidation === 'Strict' && resource.schema !== undefined) {
    const unknown = unknownMembers(body, resource.schema);
    if (unknown.length > 0)
      throw badRequest(
        `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${unknown.map((u) => `unknown field "${u}"`).join(', ')}`,
      );
  }
  requireShape(resource, body as KubeObject, misfit);
  // A null is no member at all, but for custom resources, where a schema may allow it.
  const copy = (resource.custom ? structuredClone(body) : withoutNulls(body)) as KubeObject;
  copy.apiVersion = apiVersion;
  copy.kind = resource.kind;
  copy.metadata ??= {} as Metadata;
  if (namespace !== undefined) copy.metadata.namespace = namespace;
  for (const map of [copy.metadata.labels, copy.metadata.annotations])
    for (const [key, value] of Object.entries(map ?? {})) if (value === null && map !== undefined) map[key] = '';
  return resource.convert?.from(copy) ?? copy;
}

/** Apply needs to know the type of every member before it can merge. @throws StatusError 500, as the real server */
export function requireTypes(resource: Resource, patch: Json): void {
  requireShape(resource, patch, 500);
  const wrong = schemaCauses(resource, patch).find((c) => c.reason === 'FieldValueTypeInvalid');
  const unknown = resource.schema === undefined ? [] : unknownMembers(patch, resource.schema);
  if (unknown.length > 0)
    throw new StatusError(500, '', `failed to create typed patch object: .${unknown[0]}: field not declared in schema`);
  if (wrong !== undefined)
    throw new StatusError(500, '', `failed to create typed patch object: .${wrong.field}: ${wrong.message}`);
}

export function schemaCauses(resource: Resource, object: KubeObject) {
  if (resource.schema === undefined) return [];
  const { apiVersion: _a, kind: _k, metadata: _m, ...rest } = object;
  return checkSchema(rest, resource.schema);
}
