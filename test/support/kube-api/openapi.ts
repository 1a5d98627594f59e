import { apiVersionOf, type Resource } from './resources.ts';

// kubectl asks here whether a server checks members itself (fieldValidation), and refuses to apply where it cannot find out.
// Schemas are left out: kubectl has its own for the kinds of the core, and custom resources are merged without.

const folderOf = (r: Resource) => (r.group === '' ? 'api/v1' : `apis/${apiVersionOf(r)}`);

/** /openapi/v3: one document a group and version. */
export const openApiIndex = (resources: readonly Resource[]) => ({
  paths: Object.fromEntries(resources.map((r) => [folderOf(r), { serverRelativeURL: `/openapi/v3/${folderOf(r)}` }])),
});

const parameter = (name: string) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } });

function operation(resource: Resource, action: string) {
  const { group, version, kind } = resource;
  return {
    parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map(parameter),
    responses: { 200: { description: 'OK' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  };
}

/** /openapi/v3/api/v1, /openapi/v3/apis/GROUP/VERSION; undefined if nothing is served there. */
export function openApiDocument(resources: readonly Resource[], folder: string): object | undefined {
  const here = resources.filter((r) => folderOf(r) === folder);
  if (here.length === 0) return undefined;
  const paths = here.flatMap((r) => {
    const list = `/${folder}/${r.namespaced ? 'namespaces/{namespace}/' : ''}${r.plural}`;
    return [
      [list, { post: operation(r, 'post') }],
      [`${list}/{name}`, { patch: operation(r, 'patch'), put: operation(r, 'put') }],
    ];
  });
  const info = { title: 'Kubernetes', version: 'unversioned' };
  return { openapi: '3.0.0', info, paths: Object.fromEntries(paths), components: { schemas: {} } };
}
