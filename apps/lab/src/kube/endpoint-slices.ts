import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { KubeClient } from './client.js';
import { isStatus } from './client.js';
import { isOver, isReady, type KubePod, type KubeService, type KubeSlice, selects } from './objects.js';

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const US = 'heddle-lab';
/** As kube-controller-manager has it by default. */
const ENDPOINTS_PER_SLICE = 100;

type Slice = KubeSlice & { readonly metadata: { readonly namespace: string } };
type Port = { readonly name: string; readonly protocol: string; readonly port: number };

/**
 * The EndpointSlices of a service with a selector, as kube-controller-manager makes them: one set for each family and each outcome of named ports. Their names
 * are made from what they are for, so that the same endpoints give the same slices.
 */
export function slicesOf(service: KubeService, pods: Iterable<KubePod>): Slice[] {
  const { name, namespace = 'default', uid } = service.metadata;
  const { selector, ports = [], ipFamilies, publishNotReadyAddresses = false } = service.spec;
  if (selector === undefined || Object.keys(selector).length === 0) return [];
  const groups = new Map<string, { family: 'IPv4' | 'IPv6'; ports: readonly Port[]; endpoints: object[] }>();
  const chosen = [...pods]
    .filter((p) => p.metadata.namespace === namespace && selects(selector, p.metadata.labels) && !isOver(p))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const pod of chosen) {
    const served = ports.flatMap((p): Port[] => {
      const protocol = p.protocol ?? 'TCP';
      const port = targetOf(pod, p.targetPort ?? p.port, protocol);
      return port === undefined ? [] : [{ name: p.name ?? '', protocol, port }];
    });
    const terminating = pod.metadata.deletionTimestamp !== undefined;
    const serving = isReady(pod);
    for (const { ip } of pod.status?.podIPs ?? []) {
      const family = isIPv6(ip) ? 'IPv6' : 'IPv4';
      if (ipFamilies !== undefined && !ipFamilies.includes(family)) continue;
      const key = `${family} ${JSON.stringify(served)}`;
      const group = groups.get(key) ?? { family, ports: served, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push({
        addresses: [ip],
        conditions: { ready: publishNotReadyAddresses || (serving && !terminating), serving, terminating },
        nodeName: pod.spec.nodeName,
        targetRef: { kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
      });
    }
  }
  return [...groups].flatMap(([key, group]) => {
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 8);
    const count = Math.ceil(group.endpoints.length / ENDPOINTS_PER_SLICE);
    return Array.from({ length: count }, (_, i): Slice => {
      const meta = {
        name: `${name}-${hash}-${i}`,
        namespace,
        labels: { 'kubernetes.io/service-name': name, [MANAGED_BY]: US },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid: uid ?? '', controller: true }],
      };
      return {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: meta,
        addressType: group.family,
        ports: group.ports,
        endpoints: group.endpoints.slice(i * ENDPOINTS_PER_SLICE, (i + 1) * ENDPOINTS_PER_SLICE),
      };
    });
  });
}

/** A port's number in one pod; undefined if the pod has no port of that name. */
function targetOf(pod: KubePod, target: number | string, protocol: string): number | undefined {
  if (typeof target === 'number') return target;
  if (/^\d+$/.test(target)) return Number(target);
  const ports = pod.spec.containers.flatMap((c) => c.ports ?? []);
  return ports.find((p) => p.name === target && (p.protocol ?? 'TCP') === protocol)?.containerPort;
}

export interface SliceChanges {
  readonly create: readonly Slice[];
  readonly replace: readonly Slice[];
  readonly remove: readonly Slice[];
}

/** What to write so that the slices that carry our name are the wanted ones. Those of others are left alone. */
export function sliceChanges(wanted: readonly Slice[], present: Iterable<KubeSlice>): SliceChanges {
  const left = new Map<string, Slice>();
  for (const s of present)
    if (s.metadata.labels?.[MANAGED_BY] === US) left.set(`${s.metadata.namespace}/${s.metadata.name}`, s as Slice);
  const [create, replace]: [Slice[], Slice[]] = [[], []];
  for (const slice of wanted) {
    const key = `${slice.metadata.namespace}/${slice.metadata.name}`;
    const old = left.get(key);
    left.delete(key);
    if (old === undefined) create.push(slice);
    else if (content(old) !== content(slice))
      replace.push({ ...slice, metadata: { ...slice.metadata, resourceVersion: old.metadata.resourceVersion ?? '' } });
  }
  return { create, replace, remove: [...left.values()] };
}

/** What matters of a slice, in one order of keys: the server adds defaults and gives keys in its own order. */
function content({ ports, endpoints }: KubeSlice): string {
  const port = (p: object) => pick(p, ['name', 'protocol', 'port']);
  const endpoint = (e: object) => {
    const { conditions = {}, targetRef = {}, ...rest } = e as { conditions?: object; targetRef?: object };
    return [
      pick(rest, ['addresses', 'nodeName']),
      pick(conditions, ['ready', 'serving', 'terminating']),
      pick(targetRef, ['uid']),
    ];
  };
  return JSON.stringify([(ports ?? []).map(port), (endpoints ?? []).map(endpoint)]);
}
const pick = (o: object, keys: readonly string[]) => keys.map((k) => (o as Record<string, unknown>)[k] ?? null);

const pathOf = (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;

/** Writes them. What another writer was faster with is looked at again at the next call. */
export async function writeSlices(client: KubeClient, { create, replace, remove }: SliceChanges): Promise<void> {
  const ignore = (e: unknown) => {
    // The service or its namespace is going, or the copy that we compared with is old.
    if (!isStatus(e, 404, 409, 403)) throw e;
  };
  for (const s of create) await client.create(pathOf(s.metadata.namespace), s).catch(ignore);
  for (const s of replace)
    await client.request('PUT', `${pathOf(s.metadata.namespace)}/${s.metadata.name}`, s).catch(ignore);
  for (const s of remove) await client.delete(`${pathOf(s.metadata.namespace)}/${s.metadata.name}`).catch(ignore);
}
