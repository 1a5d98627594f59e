import type { Json } from '../support/kube-api/index.js';

/** A resource of our own: every check that a structural schema has. */
export const widgetDefinition = (): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.test.heddle.dev' },
  spec: {
    group: 'test.heddle.dev',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wdg'] },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'integer', minimum: 1, maximum: 10 },
                  color: { type: 'string', enum: ['red', 'green'], default: 'red' },
                  label: { type: 'string', maxLength: 5, pattern: '^[a-z]*$' },
                  port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
                  peers: {
                    type: 'array',
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, weight: { type: 'integer' } },
                    },
                    maxItems: 2,
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                  },
                },
              },
              status: { type: 'object', properties: { ready: { type: 'boolean' }, nodes: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
});

export const widget = (name: string, spec: Json): Json => ({
  apiVersion: 'test.heddle.dev/v1alpha1',
  kind: 'Widget',
  metadata: { name },
  spec,
});
