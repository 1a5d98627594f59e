import type { MergeKeys } from './patch.ts';
import type { Schema } from './schema.ts';
import type { FieldReaders } from './selectors.ts';
import type { Cause, KubeObject } from './types.ts';

/** What the rules of a kind may need besides the object. */
export interface KindContext {
  /** Gives a service address of the family that is free, or takes the wanted one; undefined if that one is taken. */
  allocateClusterIp(family: 'IPv4' | 'IPv6', wanted?: string): string | undefined;
  releaseClusterIp(address: string): void;
  allocateNodePort(wanted?: number): number | undefined;
  releaseNodePort(port: number): void;
  readonly families: readonly ('IPv4' | 'IPv6')[];
}

/** What a kind adds to what every kind does. All change the object that they get, which is nobody else's. */
export interface KindRules {
  /** Fills what a user leaves out, at every write. */
  readonly defaults?: (object: KubeObject) => void;
  readonly create?: (object: KubeObject, context: KindContext) => readonly Cause[];
  readonly update?: (next: KubeObject, before: KubeObject, context: KindContext) => readonly Cause[];
  readonly removed?: (object: KubeObject, context: KindContext) => void;
  /** Seconds between the order to delete and the end; undefined: at once. */
  readonly gracePeriod?: (object: KubeObject, wanted: number | undefined) => number | undefined;
}

/** Of kinds that are only stored. */
export const storageRules: KindRules = {};

/** One resource as it is served: a row of `builtin.ts`, or a version of a CRD. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** Of a CustomResourceDefinition: lists name the kind of every item, strategic patches are refused, all members are checked. */
  readonly custom: boolean;
  /** Has the subresource `status`. */
  readonly status: boolean;
  /** A write to `status` may change labels and annotations too (kinds of the core; never custom resources). */
  readonly statusWritesMetadata: boolean;
  /** `status` of a new object is what the creator wrote (nodes). */
  readonly keepsStatusOnCreate: boolean;
  /** Members whose change raises metadata.generation; 'all' is all but metadata and status, and what the other words say; undefined: the kind has none. */
  readonly generation: 'all' | 'all-with-status' | 'all-with-labels' | readonly string[] | undefined;
  /** PUT without metadata.resourceVersion. */
  readonly unconditionalUpdate: boolean;
  /** PUT of what is not there creates it. */
  readonly createOnUpdate: boolean;
  /** Objects of several versions and groups may be stored together, as this one. */
  readonly storage: string;
  readonly fields: FieldReaders;
  readonly mergeKeys: MergeKeys;
  readonly rules: KindRules;
  readonly schema: Schema | undefined;
  /** From the stored form to this one and back, if they differ. */
  readonly convert:
    | { readonly to: (o: KubeObject) => KubeObject; readonly from: (o: KubeObject) => KubeObject }
    | undefined;
}

export const apiVersionOf = (r: { readonly group: string; readonly version: string }): string =>
  r.group === '' ? r.version : `${r.group}/${r.version}`;
/** `pods`, `leases.coordination.k8s.io`. */
export const resourceName = (r: { readonly group: string; readonly plural: string }): string =>
  r.group === '' ? r.plural : `${r.plural}.${r.group}`;

/** metadata.name and metadata.namespace, which every resource has. */
export const METADATA_FIELDS: FieldReaders = {
  'metadata.name': (o) => o.metadata.name,
  'metadata.namespace': (o) => o.metadata.namespace ?? '',
};

/** All resources that are served. */
export class ResourceTable {
  private readonly byPath = new Map<string, Resource>();

  add(resource: Resource): void {
    this.byPath.set(`${apiVersionOf(resource)}/${resource.plural}`, resource);
  }
  remove(resource: Resource): void {
    this.byPath.delete(`${apiVersionOf(resource)}/${resource.plural}`);
  }
  find(group: string, version: string, plural: string): Resource | undefined {
    return this.byPath.get(`${apiVersionOf({ group, version })}/${plural}`);
  }
  all(): readonly Resource[] {
    return [...this.byPath.values()];
  }
  /** By kind, plural, `plural.group` or short name; the first that is served. */
  named(name: string, apiVersion?: string): Resource | undefined {
    return this.all().find(
      (r) =>
        (apiVersion === undefined || apiVersionOf(r) === apiVersion) &&
        [r.kind, r.plural, resourceName(r), r.singular, ...r.shortNames].includes(name),
    );
  }
}
