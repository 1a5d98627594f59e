import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { writeAtomically } from './files.js';
import type { LabPaths } from './paths.js';

/** One object of a manifest, as far as the lab needs to know it. */
export interface ManifestObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How many pods it makes: 1 for a Pod, spec.replicas for a Deployment ..., else 0. */
  readonly pods: number;
}

export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

const YAML = /\.(ya?ml|json)$/;
const REPLICATED = new Set(['Deployment', 'ReplicaSet', 'StatefulSet']);
const CLUSTER_SCOPED = new Set([
  'Namespace',
  'Node',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

/** The YAML files of a directory (not of its folders), or the one file. @throws Error when there is none */
export async function readManifests(source: string): Promise<ManifestFile[]> {
  const info = await stat(source).catch(() => undefined);
  if (info === undefined) throw new Error(`${source}: no such file or directory`);
  const files = info.isDirectory()
    ? (await readdir(source))
        .filter((n) => YAML.test(n) && !n.startsWith('.'))
        .sort()
        .map((n) => join(source, n))
    : [source];
  if (files.length === 0) throw new Error(`${source}: no .yaml, .yml or .json file in this directory`);
  const read = await Promise.all(files.map(async (f) => ({ name: basename(f), text: await readFile(f, 'utf8') })));
  const wrong = read.find((f) => !YAML.test(f.name));
  if (wrong !== undefined) throw new Error(`${wrong.name}: the name of a manifest ends in .yaml, .yml or .json`);
  return read;
}

/** Puts files into the watched directory, in the order given; a file of the same name is replaced. Returns the names that changed. */
export async function putManifests(paths: LabPaths, files: readonly ManifestFile[]): Promise<string[]> {
  await mkdir(paths.manifests, { recursive: true });
  const changed: string[] = [];
  for (const { name, text } of files) {
    const there = await readFile(join(paths.manifests, name), 'utf8').catch(() => undefined);
    if (there === text) continue;
    await writeAtomically(join(paths.manifests, name), text);
    changed.push(name);
  }
  return changed;
}

/** What the directory holds of files of these names. */
export async function manifestsInPlace(paths: LabPaths, names: readonly string[]): Promise<ManifestFile[]> {
  const read = names.map(async (name) => {
    const text = await readFile(join(paths.manifests, name), 'utf8').catch(() => undefined);
    return text === undefined ? [] : [{ name, text }];
  });
  return (await Promise.all(read)).flat();
}

/** Takes a file out of the watched directory and returns what it held. @throws Error that lists the files there are */
export async function removeManifest(paths: LabPaths, name: string): Promise<ManifestFile> {
  const file = join(paths.manifests, basename(name));
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) {
    const names = (await readdir(paths.manifests).catch(() => [] as string[])).filter((n) => YAML.test(n));
    throw new Error(`${basename(name)} has not been applied; applied are: ${names.sort().join(', ') || 'none'}`);
  }
  await rm(file);
  return { name: basename(name), text };
}

/** The objects of manifests. What cannot be read is left out here: the controller reports it, with file and line. */
export function objectsOf(files: readonly ManifestFile[]): ManifestObject[] {
  return files.flatMap((f) => parseAllDocuments(f.text)).flatMap((d) => (d.errors.length > 0 ? [] : objects(d.toJS())));
}

interface Loose {
  readonly kind?: unknown;
  readonly items?: unknown;
  readonly metadata?: {
    readonly name?: unknown;
    readonly namespace?: unknown;
    readonly labels?: Record<string, string>;
  };
  readonly spec?: { readonly replicas?: unknown };
}

function objects(value: unknown): ManifestObject[] {
  if (typeof value !== 'object' || value === null) return [];
  const o = value as Loose;
  if (o.kind === 'List' && Array.isArray(o.items)) return o.items.flatMap(objects);
  if (typeof o.kind !== 'string' || typeof o.metadata?.name !== 'string') return [];
  return [
    {
      kind: o.kind,
      namespace: CLUSTER_SCOPED.has(o.kind) ? '' : String(o.metadata.namespace ?? 'default'),
      name: o.metadata.name,
      labels: o.metadata.labels ?? {},
      pods: o.kind === 'Pod' ? 1 : REPLICATED.has(o.kind) ? Number(o.spec?.replicas ?? 1) : 0,
    },
  ];
}
