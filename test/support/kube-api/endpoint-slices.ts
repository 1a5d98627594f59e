import type { Cluster } from './cluster.ts';
import type { Resource } from './resources.ts';
import { matchesLabels } from './selectors.ts';
import type { Collection } from './store.ts';
import { isObject, type Json, type KubeObject, sameJson } from './types.ts';

/** As kube-controller-manager has it. */
const MAX_ENDPOINTS = 100;
const MANAGED_BY = 'endpointslice-controller.k8s.io';

const familyOf = (address: string) => (address.includes(':') ? 'IPv6' : 'IPv4');
const isReady = (pod: KubeObject) =>
  (pod.status?.conditions ?? []).some((c: Json) => c.type === 'Ready' && c.status === 'True');

/** The number of a service's target port in a pod; undefined if the pod has no port of that name. */
function targetPort(pod: KubeObject, port: Json): number | undefined {
  if (typeof port.targetPort === 'number') return port.targetPort;
  for (const container of pod.spec?.containers ?? [])
    for (const p of container.ports ?? [])
      if (p.name === port.targetPort && (p.protocol ?? 'TCP') === port.protocol) return p.containerPort;
  return undefined;
}

function endpointOf(service: KubeObject, pod: KubeObject, address: string): Json {
  const serving = isReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const published = service.spec.publishNotReadyAddresses === true;
  return {
    addresses: [address],
    conditions: { ready: published || (serving && !terminating), serving, terminating },
    nodeName: pod.spec.nodeName,
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
  };
}

/** The wanted slices of one service: for each family and set of port numbers, a hundred endpoints each. */
function wantedSlices(
  service: KubeObject,
  pods: readonly KubeObject[],
): readonly { addressType: string; ports: Json; endpoints: Json[] }[] {
  const families: readonly string[] = service.spec.ipFamilies ?? ['IPv4'];
  const groups = new Map<string, { addressType: string; ports: Json; endpoints: Json[] }>();
  for (const addressType of families)
    for (const pod of pods) {
      const address = (pod.status?.podIPs ?? [])
        .map((p: Json) => p.ip)
        .find((ip: string) => familyOf(ip) === addressType);
      if (address === undefined || ['Succeeded', 'Failed'].includes(pod.status?.phase)) continue;
      const ports = (service.spec.ports ?? []).flatMap((p: Json) => {
        const number = targetPort(pod, p);
        return number === undefined ? [] : [{ name: p.name ?? '', protocol: p.protocol, port: number }];
      });
      const key = JSON.stringify([addressType, ports]);
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      group.endpoints.push(endpointOf(service, pod, address));
      groups.set(key, group);
    }
  const slices = [...groups.values()].flatMap((g) =>
    Array.from({ length: Math.ceil(g.endpoints.length / MAX_ENDPOINTS) }, (_, i) => ({
      ...g,
      endpoints: g.endpoints.slice(i * MAX_ENDPOINTS, (i + 1) * MAX_ENDPOINTS),
    })),
  );
  // A service without endpoints has an empty slice for each family.
  const missing = families.filter((f) => !slices.some((s) => s.addressType === f));
  return [...slices, ...missing.map((addressType) => ({ addressType, ports: [], endpoints: [] }))];
}

/** Objects of a collection by keys of theirs, kept up to date: tens of thousands of pods are not searched at every change. */
function indexed(collection: Collection, keysOf: (object: KubeObject) => readonly string[]) {
  const groups = new Map<string, Map<string, KubeObject>>();
  const add = (object: KubeObject, key: string) => {
    for (const name of keysOf(object)) {
      const members = groups.get(name) ?? new Map<string, KubeObject>();
      groups.set(name, members.set(key, object));
    }
  };
  for (const [key, { object }] of collection.entries) add(object, key);
  const stop = collection.listen(({ before, entry, deleted, key }) => {
    const now = new Set(deleted ? [] : keysOf(entry.object));
    // What stays keeps its place in the group, so that the order of endpoints does not change with every update.
    for (const name of before === undefined ? [] : keysOf(before.object))
      if (!now.has(name)) groups.get(name)?.delete(key);
    if (!deleted) add(entry.object, key);
  });
  return { of: (name: string): readonly KubeObject[] => [...(groups.get(name)?.values() ?? [])], stop };
}

const labelKeys = ({ metadata }: KubeObject): readonly string[] =>
  Object.entries(metadata.labels ?? {}).map(([key, value]) => `${metadata.namespace}/${key}=${value}`);

const serviceKeys = ({ metadata }: KubeObject): readonly string[] => {
  const name = metadata.labels?.['kubernetes.io/service-name'];
  const ours = metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === MANAGED_BY;
  return ours && name !== undefined ? [`${metadata.namespace}/${name}`] : [];
};

/** Keeps the EndpointSlices of services with selectors. Gives a function that stops it. */
export function startEndpointSlices(cluster: Cluster): () => void {
  const named = (name: string): Resource => cluster.resources.named(name) as Resource;
  const slices = named('endpointslices');
  const services = cluster.collection(named('services'));
  const pods = cluster.collection(named('pods'));
  // Before the listeners below: they find the new state here.
  const podsOf = indexed(pods, labelKeys);
  const servicesOf = indexed(services, (service) => [service.metadata.namespace as string]);
  const slicesOf = indexed(cluster.collection(slices), serviceKeys);
  const dirty = new Set<string>();
  let scheduled = false;

  const sync = (key: string): void => {
    const [namespace] = key.split('/') as [string];
    const service = services.entries.get(key)?.object;
    const selector = service?.spec?.selector;
    const [first] = Object.entries(isObject(selector) ? selector : {});
    const selected =
      first === undefined
        ? []
        : podsOf
            .of(`${namespace}/${first[0]}=${first[1]}`)
            .filter((pod) => matchesLabels(selector, pod.metadata.labels));
    const wanted = service !== undefined && isObject(selector) ? wantedSlices(service, selected) : [];
    const free = [...slicesOf.of(key)];
    for (const slice of wanted) {
      // One that holds most of it already is kept, so that few objects change.
      const at = free.findIndex(
        (o) =>
          o.addressType === slice.addressType &&
          (sameJson(o.ports ?? [], slice.ports) || (o.endpoints ?? []).length === 0 || slice.endpoints.length === 0),
      );
      const [old] = at < 0 ? [] : free.splice(at, 1);
      if (old !== undefined)
        cluster.update(slices, namespace, old.metadata.name, {
          ...old,
          ports: slice.ports,
          endpoints: slice.endpoints,
        });
      else if (service !== undefined) cluster.create(slices, namespace, newSlice(service, slice));
    }
    for (const old of free) cluster.delete(slices, namespace, old.metadata.name);
  };

  const schedule = (key: string) => {
    dirty.add(key);
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      const keys = [...dirty];
      dirty.clear();
      for (const k of keys) if (!terminating(cluster, k)) sync(k);
    });
  };
  const ofPod = (pod: KubeObject | undefined) => {
    if (pod === undefined) return;
    for (const { metadata, spec } of servicesOf.of(pod.metadata.namespace as string))
      if (isObject(spec?.selector) && matchesLabels(spec.selector, pod.metadata.labels))
        schedule(`${metadata.namespace}/${metadata.name}`);
  };
  for (const key of services.entries.keys()) schedule(key);
  const stops = [
    podsOf.stop,
    servicesOf.stop,
    slicesOf.stop,
    services.listen((event) => schedule(event.key)),
    pods.listen((event) => {
      ofPod(event.before?.object);
      ofPod(event.entry.object);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

const terminating = (cluster: Cluster, key: string): boolean =>
  cluster.store.collection('namespaces').entries.get(key.split('/')[0] as string)?.object.metadata.deletionTimestamp !==
  undefined;

function newSlice(service: KubeObject, slice: { addressType: string; ports: Json; endpoints: Json[] }): Json {
  const { name, uid } = service.metadata;
  return {
    metadata: {
      generateName: `${name}-`,
      labels: { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': MANAGED_BY },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true }],
    },
    ...slice,
  };
}
