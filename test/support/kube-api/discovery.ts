import { apiVersionOf, type Resource } from './resources.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const SUBRESOURCES: Readonly<
  Record<string, readonly { name: string; kind: string; group?: string; version?: string; verbs: string[] }[]>
> = {
  pods: [
    { name: 'pods/binding', kind: 'Binding', verbs: ['create'] },
    { name: 'pods/eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
  ],
  serviceaccounts: [
    {
      name: 'serviceaccounts/token',
      kind: 'TokenRequest',
      group: 'authentication.k8s.io',
      version: 'v1',
      verbs: ['create'],
    },
  ],
};

const groupVersions = (resources: readonly Resource[], group: string) => [
  ...new Set(resources.filter((r) => r.group === group).map((r) => r.version)),
];

export const apiVersions = (address: string) => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
});

function apiGroup(resources: readonly Resource[], name: string) {
  const versions = groupVersions(resources, name).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions, preferredVersion: versions[0] };
}

export const apiGroupList = (resources: readonly Resource[]) => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: [...new Set(resources.map((r) => r.group))].filter((g) => g !== '').map((g) => apiGroup(resources, g)),
});

/** /apis/GROUP; undefined if there is no such group. */
export function apiGroupDocument(resources: readonly Resource[], group: string): object | undefined {
  if (!resources.some((r) => r.group === group)) return undefined;
  return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(resources, group) };
}

/** /api/v1 or /apis/GROUP/VERSION; undefined if nothing is served there. */
export function apiResourceList(resources: readonly Resource[], group: string, version: string): object | undefined {
  const here = resources.filter((r) => r.group === group && r.version === version);
  if (here.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: here.flatMap((r) => [
      {
        name: r.plural,
        singularName: r.singular,
        namespaced: r.namespaced,
        kind: r.kind,
        verbs: VERBS,
        ...(r.shortNames.length === 0 ? {} : { shortNames: r.shortNames }),
      },
      ...(r.status
        ? [
            {
              name: `${r.plural}/status`,
              singularName: '',
              namespaced: r.namespaced,
              kind: r.kind,
              verbs: ['get', 'patch', 'update'],
            },
          ]
        : []),
      ...(r.group === '' ? (SUBRESOURCES[r.plural] ?? []) : []).map((s) => ({
        ...s,
        singularName: '',
        namespaced: true,
      })),
    ]),
  };
}

/** The Kubernetes version whose behaviour is followed. */
export const VERSION = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.2+small',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
};
