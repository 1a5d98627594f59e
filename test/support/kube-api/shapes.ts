import { StatusError } from './errors.ts';
import type { Resource } from './resources.ts';
import { isObject, type Json, type KubeObject } from './types.ts';

/** The type of a member: a JSON type, `*` for anything, `[T]` a list of it, `{T}` an object with any keys. */
type Shape =
  | 'string'
  | 'int'
  | 'bool'
  | 'int|string'
  | '*'
  | readonly [Shape]
  | { readonly [member: string]: Shape }
  | MapOf;
interface MapOf {
  readonly $values: Shape;
}
const map = (values: Shape): MapOf => ({ $values: values });
const STRINGS = map('string');

const METADATA: Shape = {
  name: 'string',
  generateName: 'string',
  namespace: 'string',
  uid: 'string',
  resourceVersion: 'string',
  labels: STRINGS,
  annotations: STRINGS,
  finalizers: ['string'],
  ownerReferences: [{ apiVersion: 'string', kind: 'string', name: 'string', uid: 'string', controller: 'bool' }],
};
const SELECTOR: Shape = {
  matchLabels: STRINGS,
  matchExpressions: [{ key: 'string', operator: 'string', values: ['string'] }],
};
const CONDITIONS: Shape = [{ type: 'string', status: 'string', reason: 'string', message: 'string' }];
const CONTAINER: Shape = {
  name: 'string',
  image: 'string',
  command: ['string'],
  args: ['string'],
  ports: [{ name: 'string', containerPort: 'int', hostPort: 'int', protocol: 'string', hostIP: 'string' }],
  env: [{ name: 'string', value: 'string' }],
};
const PEERS: Shape = [
  { podSelector: SELECTOR, namespaceSelector: SELECTOR, ipBlock: { cidr: 'string', except: ['string'] } },
];
const POLICY_PORTS: Shape = [{ port: 'int|string', endPort: 'int', protocol: 'string' }];

/** The members that networking reads. What is not named here is stored as it comes. */
const SHAPES: Readonly<Record<string, Shape>> = {
  Pod: {
    spec: {
      nodeName: 'string',
      hostNetwork: 'bool',
      serviceAccountName: 'string',
      restartPolicy: 'string',
      terminationGracePeriodSeconds: 'int',
      containers: [CONTAINER],
      initContainers: [CONTAINER],
      nodeSelector: STRINGS,
    },
    status: { phase: 'string', podIP: 'string', podIPs: [{ ip: 'string' }], conditions: CONDITIONS, hostIP: 'string' },
  },
  Node: {
    spec: { podCIDR: 'string', podCIDRs: ['string'], unschedulable: 'bool' },
    status: { addresses: [{ type: 'string', address: 'string' }], conditions: CONDITIONS },
  },
  Namespace: { status: { phase: 'string' } },
  Service: {
    spec: {
      type: 'string',
      clusterIP: 'string',
      clusterIPs: ['string'],
      ipFamilies: ['string'],
      ipFamilyPolicy: 'string',
      selector: STRINGS,
      externalIPs: ['string'],
      loadBalancerSourceRanges: ['string'],
      publishNotReadyAddresses: 'bool',
      ports: [{ name: 'string', protocol: 'string', port: 'int', targetPort: 'int|string', nodePort: 'int' }],
    },
  },
  ConfigMap: { data: STRINGS, binaryData: STRINGS },
  Secret: { data: STRINGS, type: 'string' },
  EndpointSlice: {
    addressType: 'string',
    endpoints: [
      {
        addresses: ['string'],
        conditions: { ready: 'bool', serving: 'bool', terminating: 'bool' },
        hostname: 'string',
        nodeName: 'string',
      },
    ],
    ports: [{ name: 'string', protocol: 'string', port: 'int' }],
  },
  NetworkPolicy: {
    spec: {
      podSelector: SELECTOR,
      policyTypes: ['string'],
      ingress: [{ from: PEERS, ports: POLICY_PORTS }],
      egress: [{ to: PEERS, ports: POLICY_PORTS }],
    },
  },
  Lease: {
    spec: {
      holderIdentity: 'string',
      leaseDurationSeconds: 'int',
      leaseTransitions: 'int',
      renewTime: 'string',
      acquireTime: 'string',
    },
  },
};

const isMap = (shape: Shape): shape is MapOf => isObject(shape) && '$values' in shape;

const CHECKS: Readonly<Record<string, (value: Json) => boolean>> = {
  string: (v) => typeof v === 'string',
  int: (v) => Number.isInteger(v),
  bool: (v) => typeof v === 'boolean',
  'int|string': (v) => typeof v === 'string' || Number.isInteger(v),
  '*': () => true,
};

/** The path of the first member of a wrong type, with the wanted type; undefined if there is none. */
function misfit(value: Json, shape: Shape, path: string): readonly [string, string] | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof shape === 'string') return CHECKS[shape]?.(value) === true ? undefined : [path, shape];
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [path, 'list'];
    return firstOf(value.map((v) => () => misfit(v, (shape as readonly [Shape])[0], path)));
  }
  if (!isObject(value)) return [path, 'object'];
  if (isMap(shape)) return firstOf(Object.values(value).map((v) => () => misfit(v, shape.$values, path)));
  return firstOf(
    Object.entries(shape as Readonly<Record<string, Shape>>).map(
      ([key, inner]) =>
        () =>
          misfit(value[key], inner, path === '' ? key : `${path}.${key}`),
    ),
  );
}

function firstOf<T>(tries: readonly (() => T | undefined)[]): T | undefined {
  for (const attempt of tries) {
    const found = attempt();
    if (found !== undefined) return found;
  }
  return undefined;
}

const REASONS: Readonly<Record<number, string>> = { 400: 'BadRequest', 422: 'Invalid' };

/** @throws StatusError 400 (or the code given) if a member has another type than the kind declares, as decoding fails in the real server */
export function requireShape(resource: Resource, object: KubeObject, code = 400): void {
  const found = misfit(
    object,
    { metadata: METADATA, ...(resource.custom ? {} : (SHAPES[resource.kind] as object)) },
    '',
  );
  if (found === undefined) return;
  const [path, type] = found;
  throw new StatusError(
    code,
    REASONS[code] ?? '',
    `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: json: cannot unmarshal into Go struct field ${resource.kind}.${path} of type ${type}`,
  );
}
