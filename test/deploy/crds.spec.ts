import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectionOf, realizationBody, statusBody } from '../../apps/controller/src/kubernetes/writes/realization.js';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { build, DEPLOY } from './kustomize.js';

// biome-ignore lint/suspicious/noExplicitAny: OpenAPI schemas
type Any = any;

const CRDS = build(DEPLOY).filter(({ kind }) => kind === 'CustomResourceDefinition');
const cases = CRDS.map((crd) => [crd.metadata.name, crd] as const);

/** Every schema below this one with its path. */
function* schemas(schema: Any, path = 'schema'): Generator<[path: string, schema: Any]> {
  yield [path, schema];
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* schemas(child, `${path}.${name}`);
  if (schema.items !== undefined) yield* schemas(schema.items, `${path}[]`);
}

describe.each(cases)('%s', (name, { spec }) => {
  const [version] = spec.versions;
  const root = version.schema.openAPIV3Schema;

  it('is named as it says', () => {
    expect(name).toBe(`${spec.names.plural}.${spec.group}`);
    expect(spec.names.listKind).toBe(`${spec.names.kind}List`);
    expect(spec.versions.filter((v: Any) => v.storage)).toHaveLength(1);
    expect(version.subresources).toEqual({ status: {} });
  });

  // https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
  it('has a structural schema', () => {
    for (const [path, schema] of schemas(root)) {
      expect(typeof schema.type, path).toBe('string');
      if (schema.type === 'array') expect(schema.items, path).toBeDefined();
      for (const required of schema.required ?? []) expect(Object.keys(schema.properties), path).toContain(required);
      for (const key of Object.keys(schema)) expect(KNOWN_KEYWORDS, `${path} ${key}`).toContain(key);
      for (const key of schema['x-kubernetes-list-map-keys'] ?? [])
        expect(schema.items.required, `${path} must require its key`).toContain(key);
    }
  });

  it('bounds every text and list that a CEL rule may have to walk', () => {
    const target = root.properties.spec.properties.target;
    for (const [path, schema] of schemas(target))
      if (schema.type === 'string') expect(schema.maxLength, path).toBeGreaterThan(0);
  });

  it('prints columns that exist', () => {
    for (const { name: column, jsonPath } of version.additionalPrinterColumns) {
      const steps = jsonPath
        .replace(/\[\?.*?\]/, '[]')
        .split(/\.|(?=\[)/)
        .filter((step: string) => step !== '');
      let schema = root;
      for (const step of steps) {
        if (schema.type === 'object' && schema.properties === undefined && steps[0] === 'metadata') break;
        schema = step === '[]' ? schema.items : schema.properties?.[step];
        expect(schema, `${column}: ${jsonPath} at ${step}`).toBeDefined();
      }
    }
  });
});

const KNOWN_KEYWORDS = [
  ...['type', 'description', 'properties', 'required', 'items', 'enum', 'format', 'pattern', 'minimum'],
  ...['minLength', 'maxLength', 'maxItems'],
  ...['x-kubernetes-validations', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys'],
];

describe('what the controller writes', () => {
  let api: KubeApi;
  let ask: (method: string, path: string, body: object, type?: string) => Promise<{ status: number; body: Any }>;
  beforeAll(async () => {
    api = await startKubeApi({ tls: false, tokens: false });
    for (const crd of CRDS) api.put(crd);
    ask = async (method, path, body, type = 'application/json') => {
      const answer = await fetch(api.url + path, {
        method,
        body: JSON.stringify(body),
        headers: { 'content-type': type },
      });
      return { status: answer.status, body: await answer.json() };
    };
  });
  afterAll(() => api.stop());

  const STATE = {
    ...{ observedGeneration: 2, generation: 7, wanted: 3, acknowledged: 2, slowestNode: 'node3', lastError: undefined },
    ...{ programmed: false, reason: 'Waiting', message: '2 of 3 nodes have acknowledged it' },
  };
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    namespace: 'default',
    name: 'p',
    uid: 'u',
  };
  const target = (namespace: string) => ({ ...policy, namespace });

  it.each([
    ['a namespaced target', 'default'],
    ['a target without a namespace', ''],
  ])('fits for %s', async (_, namespace) => {
    const one = target(namespace);
    const made = await ask('POST', collectionOf(one), realizationBody(one));
    expect(made).toMatchObject({ status: 201 });
    const name = made.body.metadata.name;
    const status = statusBody(STATE, '2026-01-01T00:00:00Z');
    const patched = await ask('PATCH', `${collectionOf(one)}/${name}/status`, status, 'application/merge-patch+json');
    expect(patched).toMatchObject({ status: 200 });
    // Nothing was pruned: every field that is written is in the schema.
    const wanted = JSON.parse(JSON.stringify(status), (_key, value) => value ?? undefined);
    expect(patched.body.status).toEqual(wanted.status);
  });

  it.each<[name: string, change: object]>([
    ['a number for a name', { target: { ...policy, name: 7 } }],
    ['no uid', { target: { apiVersion: 'v1', kind: 'Service', name: 's' } }],
    ['no target', {}],
  ])('is refused with %s', async (_, spec) => {
    const body = { ...realizationBody({ ...target('default'), name: 'refused' }), spec };
    expect(await ask('POST', collectionOf(target('default')), body)).toMatchObject({ status: 422 });
  });
});
