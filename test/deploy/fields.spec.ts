import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as models from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { build, DEPLOY, type KubeObject, readDocuments } from './kustomize.js';

// Every field of every manifest against the types of the Kubernetes API, as the client library has them from its OpenAPI document: a field that is
// misspelled or in the wrong place is dropped by the API server without a word to whoever wrote it.

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}
const attributesOf = (type: string): readonly Attribute[] | undefined =>
  (models as unknown as Record<string, { getAttributeTypeMap?: () => Attribute[] }>)[type]?.getAttributeTypeMap?.();

/** `apps/v1 Deployment` -> V1Deployment, `apiextensions.k8s.io/v1 CustomResourceDefinition` -> V1CustomResourceDefinition. */
const typeOf = ({ apiVersion, kind }: KubeObject): string => {
  const version = apiVersion.split('/').at(-1) ?? '';
  return `${version.charAt(0).toUpperCase()}${version.slice(1)}${kind}`;
};

const PLAIN: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  IntOrString: (value) => typeof value === 'string' || typeof value === 'number',
  any: () => true,
};

/** What does not fit, as `path: why`. */
function mistakes(value: unknown, type: string, path: string): string[] {
  const plain = PLAIN[type];
  if (plain !== undefined) return plain(value) ? [] : [`${path}: ${JSON.stringify(value)} is no ${type}`];
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list !== undefined)
    return Array.isArray(value)
      ? value.flatMap((one, i) => mistakes(one, list, `${path}[${i}]`))
      : [`${path}: is no list`];
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: is no ${type}`];
  if (map !== undefined) return Object.entries(value).flatMap(([key, one]) => mistakes(one, map, `${path}.${key}`));
  const attributes = attributesOf(type);
  if (attributes === undefined) return [`${path}: there is no type ${type}`];
  return Object.entries(value).flatMap(([key, one]) => {
    const attribute = attributes.find(({ baseName }) => baseName === key);
    return attribute === undefined
      ? [`${path}.${key}: ${type} has no such field`]
      : mistakes(one, attribute.type, `${path}.${key}`);
  });
}

/** Kinds of others, whose definitions we have not. */
const FOREIGN = /^cert-manager\.io\//;

const sources: [name: string, objects: () => readonly KubeObject[]][] = [
  ...['.', 'uninstall', ...readdirSync(join(DEPLOY, 'overlays')).map((name) => `overlays/${name}`)].map(
    (dir): [string, () => KubeObject[]] => [dir, () => build(join(DEPLOY, dir))],
  ),
  ...readdirSync(join(DEPLOY, 'smoke')).map((file): [string, () => KubeObject[]] => [
    `smoke/${file}`,
    () => readDocuments(join(DEPLOY, 'smoke', file)),
  ]),
];

describe('fields of the manifests', () => {
  it.each(sources)('deploy/%s has only those that Kubernetes knows', (_, objects) => {
    const found = objects()
      .filter(({ apiVersion }) => !FOREIGN.test(apiVersion))
      .flatMap((object) => mistakes(object, typeOf(object), `${object.kind}/${object.metadata.name}`));
    expect(found).toEqual([]);
  });

  it.each<[name: string, object: object, mistake: string]>([
    ['a misspelled field', { spec: { tolerationz: [] } }, 'Pod/p.spec.tolerationz: V1PodSpec has no such field'],
    ['a field in the wrong place', { hostNetwork: true }, 'Pod/p.hostNetwork: V1Pod has no such field'],
    ['a text for a number', { spec: { priority: '1' } }, 'Pod/p.spec.priority: "1" is no number'],
    ['an entry for a list', { spec: { volumes: {} } }, 'Pod/p.spec.volumes: is no list'],
  ])('%s is found', (_, more, mistake) => {
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, ...more } as unknown as KubeObject;
    expect(mistakes(object, typeOf(object), 'Pod/p')).toEqual([mistake]);
  });
});
