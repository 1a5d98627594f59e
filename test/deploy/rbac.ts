import type { KubeObject } from './kustomize.js';

/** One thing that somebody asks the API server for. */
export interface Asked {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/status`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** One verb on one resource that an account has been given. */
export interface Grant {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Undefined: in every namespace. */
  readonly namespace: string | undefined;
  /** Undefined: whatever the name. */
  readonly names: readonly string[] | undefined;
}

/** Everything that roles and bindings give to a service account, a line for each verb and resource. */
export function grantsOf(objects: readonly KubeObject[], namespace: string, account: string): Grant[] {
  return objects.flatMap((binding) => {
    if (!binding.kind.endsWith('RoleBinding')) return [];
    const subjects: { kind: string; name: string; namespace: string }[] = binding.subjects;
    if (!subjects.some((s) => s.kind === 'ServiceAccount' && s.name === account && s.namespace === namespace))
      return [];
    const role = objects.find(
      ({ kind, metadata }) => kind === binding.roleRef.kind && metadata.name === binding.roleRef.name,
    );
    if (role === undefined)
      throw new Error(`${binding.metadata.name} binds ${binding.roleRef.name}, which is not there`);
    const within = binding.kind === 'RoleBinding' ? binding.metadata.namespace : undefined;
    const rules: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[] = role.rules;
    return rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map((verb) => ({ verb, group, resource, namespace: within, names: resourceNames })),
        ),
      ),
    );
  });
}

export const allows = (grant: Grant, asked: Asked): boolean =>
  grant.verb === asked.verb &&
  grant.group === asked.group &&
  grant.resource === asked.resource &&
  (grant.namespace === undefined || grant.namespace === asked.namespace) &&
  (grant.names === undefined || (asked.name !== undefined && grant.names.includes(asked.name)));

export const grantText = ({ verb, group, resource }: Pick<Grant, 'verb' | 'group' | 'resource'>): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}`;
