import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SourceObjects } from '../model.js';
import { type FileObjects, ObjectsOfFiles } from './objects-of-files.js';
import { readManifest } from './read-manifest.js';

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const meta = (kind: string, name: string, labels: object = {}) => ({
  metadata: { name, namespace: 'x', labels },
  kind,
});

/** Few names, so that definitions meet, shadow each other and hang together across files. */
const document = fc.oneof(
  fc.tuple(pick('a', 'b', 'c-0'), pick('1', '2')).map(([name, v]) => ({
    apiVersion: 'v1',
    ...meta('Pod', name, { v }),
    spec: { containers: [{ name: 'c' }] },
  })),
  fc.tuple(pick('s', 't'), fc.boolean()).map(([name, selects]) => ({
    apiVersion: 'v1',
    ...meta('Service', name),
    spec: { ports: [{ port: 80 }], ...(selects ? { selector: { v: '1' } } : {}) },
  })),
  fc.tuple(pick('e', 'f'), pick('s', 't')).map(([name, service]) => ({
    apiVersion: 'discovery.k8s.io/v1',
    ...meta('EndpointSlice', name, { 'kubernetes.io/service-name': service }),
    addressType: 'IPv4',
    ports: [{ port: 80 }],
    endpoints: [{ addresses: ['10.0.0.1'] }],
  })),
  pick('p', 'q').map((name) => ({
    apiVersion: 'networking.k8s.io/v1',
    ...meta('NetworkPolicy', name),
    spec: { podSelector: {} },
  })),
  { weight: 1, arbitrary: fc.constant({ apiVersion: 'v1', ...meta('Pod', 'broken'), spec: { containers: 7 } }) },
  {
    weight: 1,
    arbitrary: pick(1, 2).map((replicas) => ({
      apiVersion: 'apps/v1',
      ...meta('Deployment', 'c'),
      spec: {
        replicas,
        selector: { matchLabels: { v: '1' } },
        template: { metadata: { labels: { v: '1' } }, spec: { containers: [{ name: 'c' }] } },
      },
    })),
  },
);
const file = fc.array(document, { maxLength: 3 });
const step = fc.tuple(pick('1.yaml', '2.yaml', '3.yaml'), fc.option(file, { nil: undefined }));

const plain = (objects: SourceObjects) =>
  Object.fromEntries(Object.entries(objects).map(([kind, map]) => [kind, new Map([...map].sort())]));

describe('objects of files', () => {
  it('are the same after changes as when everything is read at once', () => {
    let alone = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const one = new ObjectsOfFiles();
        one.all(new Map());
        const files = new Map<string, FileObjects>();
        const world: Record<string, Map<string, unknown>> = {};
        for (const [path, documents] of steps) {
          if (documents === undefined) files.delete(path);
          else files.set(path, readManifest(path, documents.map((d) => JSON.stringify(d)).join('\n---\n')));
          const sorted = new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
          // One that did not change may be among them.
          const change = one.change(new Map([...files, [path, files.get(path)]]));
          if (change?.kind === 'all')
            for (const [kind, map] of Object.entries(change.objects)) world[kind] = new Map(map);
          if (change?.kind === 'some') {
            alone++;
            for (const [kind, delta] of Object.entries(change.delta))
              for (const [key, value] of delta) {
                world[kind] ??= new Map();
                if (value === undefined) world[kind].delete(key);
                else world[kind].set(key, value);
              }
          }
          const whole = new ObjectsOfFiles();
          const expected = plain(whole.all(sorted));
          for (const kind of Object.keys(expected))
            expect(new Map([...(world[kind] ?? [])].sort()), kind).toEqual(expected[kind]);
          expect(new Set(one.problems.map((p) => JSON.stringify(p)))).toEqual(
            new Set(whole.problems.map((p) => JSON.stringify(p))),
          );
          for (const name of ['a', 'b', 'c-0'])
            expect(one.placeOf({ kind: 'Pod', namespace: 'x', name })).toEqual(
              whole.placeOf({ kind: 'Pod', namespace: 'x', name }),
            );
        }
      }),
      { numRuns: 150 },
    );
    // Both ways were taken.
    expect(alone).toBeGreaterThan(80);
  });
});
