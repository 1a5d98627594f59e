import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

/** A Kubernetes object as it stands in a manifest. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of many kinds
  readonly [key: string]: any;
}

interface Kustomization {
  readonly resources?: readonly string[];
  readonly images?: readonly { readonly name: string; readonly newName?: string; readonly newTag?: string }[];
  readonly patches?: readonly { readonly patch: string }[];
}

/** All that deploy/ uses of kustomize; another key is an error, so that nothing is left out silently. */
const KNOWN = new Set(['apiVersion', 'kind', 'resources', 'images', 'patches']);

/** Documents of a YAML file. @throws Error with file and reason */
export function readDocuments(file: string): KubeObject[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${file}: ${error.message}`);
    return document.toJS() as KubeObject;
  });
}

/** What `kubectl kustomize DIR` gives, for the part of kustomize that deploy/ uses: resources, strategic merge patches, images. */
export function build(dir: string): KubeObject[] {
  const file = join(dir, 'kustomization.yaml');
  const kustomization = parse(readFileSync(file, 'utf8')) as Kustomization;
  const unknown = Object.keys(kustomization).filter((key) => !KNOWN.has(key));
  if (unknown.length > 0) throw new Error(`${file}: ${unknown.join(', ')} is not understood here`);
  let objects = (kustomization.resources ?? []).flatMap((name) => {
    const path = resolve(dir, name);
    return statSync(path).isDirectory() ? build(path) : readDocuments(path);
  });
  for (const { patch } of kustomization.patches ?? []) {
    const wanted = parse(patch) as KubeObject;
    const target = objects.find((object) => identity(object) === identity(wanted));
    if (target === undefined) throw new Error(`${file}: there is no ${identity(wanted)} to patch`);
    const { $patch, ...change } = wanted;
    objects = objects.flatMap((object) => {
      if (object !== target) return [object];
      return $patch === 'delete' ? [] : [merge(object, change) as KubeObject];
    });
  }
  const images = kustomization.images ?? [];
  return images.length === 0 ? objects : objects.map((object) => withImages(object, images) as KubeObject);
}

export const identity = ({ apiVersion, kind, metadata }: KubeObject): string =>
  `${apiVersion.split('/').slice(0, -1)} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

/** Merge keys of lists (x-kubernetes-patch-merge-key of the API's types); other lists are replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
};

type Json = { readonly [key: string]: unknown };
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Strategic merge: null deletes, lists with a merge key are merged, entries that are new come first. */
function merge(base: unknown, change: unknown, field = ''): unknown {
  const key = MERGE_KEYS[field];
  if (Array.isArray(change) && key !== undefined) return mergeList((base ?? []) as Json[], change as Json[], key);
  if (!isObject(change)) return change;
  const merged: Record<string, unknown> = isObject(base) ? { ...base } : {};
  for (const [name, value] of Object.entries(change))
    if (value === null) delete merged[name];
    else merged[name] = merge(merged[name], value, name);
  return merged;
}

function mergeList(base: readonly Json[], change: readonly Json[], key: string): Json[] {
  const added = change.filter((one) => one.$patch === undefined && !base.some((old) => old[key] === one[key]));
  const kept = base.flatMap((old) => {
    const one = change.find((candidate) => candidate[key] === old[key]);
    if (one === undefined) return [old];
    return one.$patch === 'delete' ? [] : [merge(old, one) as Json];
  });
  return [...added.map((one) => merge({}, one) as Json), ...kept];
}

function withImages(value: unknown, images: NonNullable<Kustomization['images']>): unknown {
  if (Array.isArray(value)) return value.map((one) => withImages(one, images));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const found = key === 'image' ? images.find(({ name }) => name === child) : undefined;
      if (found === undefined) return [key, withImages(child, images)];
      return [key, `${found.newName ?? found.name}:${found.newTag ?? 'latest'}`];
    }),
  );
}

export const DEPLOY = resolve(dirname(new URL(import.meta.url).pathname), '../../deploy');
