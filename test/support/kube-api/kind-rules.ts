import { isIP } from 'node:net';
import { cause } from './errors.ts';
import type { KindRules } from './resources.ts';
import { type Cause, isObject, type Json, type KubeObject, sameJson, timestamp } from './types.ts';

export const fill = (object: Record<string, Json>, defaults: Readonly<Record<string, Json>>): void => {
  for (const [key, value] of Object.entries(defaults)) object[key] ??= structuredClone(value);
};
export const listOf = (value: Json): Record<string, Json>[] => (Array.isArray(value) ? value.filter(isObject) : []);

function containerDefaults(container: Record<string, Json>, hostNetwork: boolean): void {
  const tag = /:([^/:@]+)$/.exec(container.image ?? '')?.[1];
  fill(container, {
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent',
  });
  for (const port of listOf(container.ports)) {
    port.protocol ??= 'TCP';
    if (hostNetwork) port.hostPort ??= port.containerPort;
  }
  for (const name of ['readinessProbe', 'livenessProbe', 'startupProbe'])
    if (isObject(container[name]))
      fill(container[name], { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
}

function podDefaults(pod: KubeObject): void {
  // Nobody may take away what the server has computed; resources are not looked at here.
  if (isObject(pod.status)) pod.status.qosClass ??= 'BestEffort';
  if (!isObject(pod.spec)) return;
  // As the plugin DefaultTolerationSeconds does.
  const tolerations = listOf(pod.spec.tolerations);
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'])
    if (!tolerations.some((t) => t.key === key || t.key === undefined))
      tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
  pod.spec.tolerations = tolerations;
  fill(pod.spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    securityContext: {},
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
    priority: 0,
  });
  pod.spec.serviceAccount = pod.spec.serviceAccountName;
  const containers = [...listOf(pod.spec.containers), ...listOf(pod.spec.initContainers)];
  for (const container of containers) containerDefaults(container, pod.spec.hostNetwork === true);
}

const POD_SPEC_MUTABLE = new Set([
  'activeDeadlineSeconds',
  'terminationGracePeriodSeconds',
  'tolerations',
  'schedulingGates',
]);
/** The spec without what an update may change. */
function fixedSpec(spec: Json): Json {
  const rest = Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !POD_SPEC_MUTABLE.has(key)));
  for (const list of ['containers', 'initContainers'])
    if (Array.isArray(rest[list])) rest[list] = rest[list].map(({ image: _, ...c }: Record<string, Json>) => c);
  return rest;
}

const pod: KindRules = {
  defaults: podDefaults,
  create: (o) => {
    o.status = { phase: 'Pending', qosClass: 'BestEffort' };
    const containers = listOf(o.spec?.containers);
    if (containers.length === 0) return [cause.required('spec.containers')];
    return containers.flatMap((c, i) =>
      typeof c.name === 'string' && c.name !== '' ? [] : [cause.required(`spec.containers[${i}].name`)],
    );
  },
  update: (next, before) => {
    const [deadline, was] = [next.spec?.activeDeadlineSeconds, before.spec?.activeDeadlineSeconds];
    if (was !== undefined && (deadline ?? Number.POSITIVE_INFINITY) > was)
      return [
        cause.invalid('spec.activeDeadlineSeconds', deadline ?? null, `must be less than or equal to previous value`),
      ];
    return sameJson(fixedSpec(next.spec), fixedSpec(before.spec))
      ? []
      : [
          cause.forbidden(
            'spec',
            'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
          ),
        ];
  },
  gracePeriod: (o, wanted) => {
    const running = (o.spec?.nodeName ?? '') !== '' && !['Succeeded', 'Failed'].includes(o.status?.phase);
    return running ? (wanted ?? o.spec.terminationGracePeriodSeconds ?? 30) : 0;
  },
};

const namespace: KindRules = {
  defaults: (o) => {
    o.metadata.labels = { ...o.metadata.labels, 'kubernetes.io/metadata.name': o.metadata.name };
  },
  create: (o) => {
    o.spec = { ...o.spec, finalizers: ['kubernetes'] };
    o.status = { phase: 'Active' };
    return [];
  },
  update: (next, before) => {
    next.spec = before.spec;
    return [];
  },
};

const CIDR = /^([0-9.]+\/([12]?\d|3[0-2])|[0-9a-fA-F:]+(:[0-9.]+)?\/(\d{1,2}|1[01]\d|12[0-8]))$/;
function networkPolicyCauses(o: KubeObject): readonly Cause[] {
  const causes: Cause[] = [];
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    listOf(o.spec?.[direction]).forEach((rule, r) => {
      const path = `spec.${direction}[${r}]`;
      listOf(rule[peers]).forEach((peer, p) => {
        const at = `${path}.${peers}[${p}]`;
        if (peer.ipBlock !== undefined && !CIDR.test(peer.ipBlock?.cidr ?? ''))
          causes.push(
            cause.invalid(
              `${at}.ipBlock.cidr`,
              peer.ipBlock?.cidr ?? '',
              'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ),
          );
        if (Object.keys(peer).length === 0) causes.push(cause.required(at, 'must specify a peer'));
      });
      listOf(rule.ports).forEach((port, p) => {
        if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol))
          causes.push(cause.unsupported(`${path}.ports[${p}].protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
        if (typeof port.port === 'number' && (port.port < 1 || port.port > 65535))
          causes.push(cause.invalid(`${path}.ports[${p}].port`, port.port, 'must be between 1 and 65535, inclusive'));
      });
    });
  return causes;
}

const networkPolicy: KindRules = {
  defaults: (o) => {
    if (!isObject(o.spec)) o.spec = {};
    o.spec.podSelector ??= {};
    o.spec.policyTypes ??= listOf(o.spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    for (const rule of [...listOf(o.spec.ingress), ...listOf(o.spec.egress)])
      for (const port of listOf(rule.ports)) port.protocol ??= 'TCP';
  },
  create: networkPolicyCauses,
  update: networkPolicyCauses,
};

function endpointSliceCauses(o: KubeObject): readonly Cause[] {
  const family = { IPv4: 4, IPv6: 6 }[o.addressType as string];
  return listOf(o.endpoints).flatMap((endpoint, e) =>
    ((endpoint.addresses ?? []) as string[]).flatMap((address, a) =>
      family === undefined || isIP(address) === family
        ? []
        : [cause.invalid(`endpoints[${e}].addresses[${a}]`, address, `must be an ${o.addressType} address`)],
    ),
  );
}

const endpointSlice: KindRules = {
  defaults: (o) => {
    for (const port of listOf(o.ports)) fill(port, { name: '', protocol: 'TCP' });
    // An empty list comes back as null.
    for (const list of ['endpoints', 'ports']) if (listOf(o[list]).length === 0) o[list] = null;
  },
  create: (o) => (o.addressType === undefined ? [cause.required('addressType')] : endpointSliceCauses(o)),
  update: (next, before) =>
    next.addressType === before.addressType
      ? endpointSliceCauses(next)
      : [cause.invalid('addressType', next.addressType, 'field is immutable')],
};

const node: KindRules = {
  create: (o) => {
    fill(o, { spec: {}, status: {} });
    // The node lifecycle controller takes it away when the node is ready.
    const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
    const taints = listOf(o.spec.taints);
    if (!taints.some((t) => t.key === taint.key)) o.spec.taints = [...taints, taint];
    return [];
  },
  update: (next, before) => {
    const [was, is] = [before.spec?.podCIDRs ?? [], next.spec?.podCIDRs ?? []];
    return was.length > 0 && !sameJson(was, is)
      ? [cause.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')]
      : [];
  },
};

const secret: KindRules = {
  defaults: (o) => {
    o.type ??= 'Opaque';
    for (const [key, text] of Object.entries(o.stringData ?? {}))
      o.data = { ...o.data, [key]: Buffer.from(text as string).toString('base64') };
    delete o.stringData;
  },
};

const event: KindRules = {
  create: (o) =>
    (o.eventTime ?? '') !== ''
      ? []
      : o.metadata.namespace === (o.involvedObject?.namespace ?? 'default')
        ? []
        : [
            cause.invalid(
              'involvedObject.namespace',
              o.involvedObject?.namespace ?? '',
              'does not match event.namespace',
            ),
          ],
};

export const KIND_RULES = { pod, namespace, networkPolicy, endpointSlice, node, secret, event } as const;

/** The condition of a kind's status, set at now if its status changes. */
export function setCondition(conditions: Json, type: string, status: string, more: object = {}): Json[] {
  const others = listOf(conditions).filter((c) => c.type !== type);
  return [...others, { type, status, lastTransitionTime: timestamp(), ...more }];
}
