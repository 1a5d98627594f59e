import { cause } from './errors.ts';
import { setCondition } from './kind-rules.ts';
import { schemaMergeKeys } from './merge-keys.ts';
import { METADATA_FIELDS, type Resource, resourceName, storageRules } from './resources.ts';
import type { Schema } from './schema.ts';
import type { FieldReaders } from './selectors.ts';
import type { Cause, Json, KubeObject } from './types.ts';

/** `.spec.target.name` of selectableFields. */
function selectable(fields: readonly { jsonPath: string }[] | undefined): FieldReaders {
  const entries = (fields ?? []).map(({ jsonPath }) => {
    const parts = jsonPath.split('.').filter((p) => p !== '');
    return [parts.join('.'), (o: KubeObject) => String(parts.reduce((v: Json, p) => v?.[p], o) ?? '')] as const;
  });
  return Object.fromEntries(entries);
}

/** What a CustomResourceDefinition makes served: one resource a version. Versions differ in apiVersion only (conversion None). */
export function resourcesOf(crd: KubeObject): readonly Resource[] {
  const { group, names, scope, versions } = crd.spec;
  return versions
    .filter((v: Json) => v.served === true)
    .map((v: Json): Resource => {
      const schema: Schema | undefined = v.schema?.openAPIV3Schema;
      const apiVersion = `${group}/${v.name}`;
      const status = v.subresources?.status !== undefined;
      const stored = versions.find((other: Json) => other.storage === true)?.name;
      return {
        group,
        version: v.name,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        kind: names.kind,
        shortNames: names.shortNames ?? [],
        namespaced: scope === 'Namespaced',
        custom: true,
        status,
        statusWritesMetadata: false,
        keepsStatusOnCreate: false,
        generation: status ? 'all' : 'all-with-status',
        unconditionalUpdate: false,
        createOnUpdate: false,
        storage: resourceName({ group, plural: names.plural }),
        fields: { ...METADATA_FIELDS, ...selectable(v.selectableFields) },
        mergeKeys: schemaMergeKeys(schema),
        rules: storageRules,
        schema,
        convert:
          v.name === stored
            ? undefined
            : { to: (o) => ({ ...o, apiVersion }), from: (o) => ({ ...o, apiVersion: `${group}/${stored}` }) },
      };
    });
}

function structuralCauses(schema: Json, path: string): Cause[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const causes: Cause[] = [];
  const free = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if ((schema.type ?? '') === '' && !free)
    causes.push(cause.required(`${path}.type`, 'must not be empty for specified object fields'));
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    causes.push(...structuralCauses(member, `${path}.properties[${name}]`));
  if (schema.items !== undefined) causes.push(...structuralCauses(schema.items, `${path}.items`));
  if (typeof schema.additionalProperties === 'object')
    causes.push(...structuralCauses(schema.additionalProperties, `${path}.additionalProperties`));
  return causes;
}

/** What is wrong with a definition. */
export function definitionCauses(crd: KubeObject): readonly Cause[] {
  const { group, names, scope, versions } = crd.spec ?? {};
  const causes: Cause[] = [];
  if ((group ?? '') === '') causes.push(cause.required('spec.group'));
  if (!['Namespaced', 'Cluster'].includes(scope))
    causes.push(cause.unsupported('spec.scope', scope ?? '', ['Cluster', 'Namespaced']));
  for (const member of ['plural', 'kind'])
    if ((names?.[member] ?? '') === '') causes.push(cause.required(`spec.names.${member}`));
  if (crd.metadata.name !== `${names?.plural}.${group}`)
    causes.push(cause.invalid('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  const list: Json[] = Array.isArray(versions) ? versions : [];
  if (list.filter((v) => v.storage === true).length !== 1)
    causes.push(cause.invalid('spec.versions', list, 'must have exactly one version marked as storage version'));
  list.forEach((v, i) => {
    // A schema that all versions share is reported in its old place.
    const path = list.length === 1 ? 'spec.validation.openAPIV3Schema' : `spec.versions[${i}].schema.openAPIV3Schema`;
    if (v.schema?.openAPIV3Schema === undefined) causes.push(cause.required(path, 'schemas are required'));
    else causes.push(...structuralCauses(v.schema.openAPIV3Schema, path));
  });
  return causes;
}

/** Names filled in, and the status that the API server's own controllers would give. */
export function establish(crd: KubeObject): void {
  const { names } = crd.spec;
  names.singular ??= names.kind.toLowerCase();
  names.listKind ??= `${names.kind}List`;
  crd.spec.conversion ??= { strategy: 'None' };
  const accepted = setCondition(crd.status?.conditions, 'NamesAccepted', 'True', {
    reason: 'NoConflicts',
    message: 'no conflicts found',
  });
  crd.status = {
    conditions: setCondition(accepted, 'Established', 'True', {
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
    }),
    acceptedNames: names,
    storedVersions: crd.spec.versions.filter((v: Json) => v.storage).map((v: Json) => v.name),
  };
}
