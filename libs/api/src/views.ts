import { z } from 'zod';

/** What the read side of the REST API answers. */

/** A Kubernetes object (or one of ours) that is responsible for something. `namespace` is empty for cluster-scoped kinds. */
export const ObjectRef = z.object({ kind: z.string(), namespace: z.string(), name: z.string() });
export type ObjectRef = z.infer<typeof ObjectRef>;

/** `KIND/NAMESPACE/NAME`, or `KIND/NAME` for cluster-scoped objects. */
export function formatObjectRef(o: ObjectRef): string {
  return o.namespace === '' ? `${o.kind}/${o.name}` : `${o.kind}/${o.namespace}/${o.name}`;
}

/** GET status `?waitMs=N`: with waitMs the answer comes when everything up to the request is realized, or at the time-out. */
export const StatusView = z.object({
  version: z.string(),
  /** True when every change up to `generation` is acknowledged by every switch of a registered node. */
  realized: z.boolean(),
  generation: z.number().int(),
  source: z.object({ kind: z.string(), location: z.string(), inSync: z.boolean(), problems: z.number().int() }),
  nodes: z.object({ total: z.number().int(), connected: z.number().int(), realized: z.number().int() }),
  counts: z.object({
    pods: z.number().int(),
    attached: z.number().int(),
    services: z.number().int(),
    policies: z.number().int(),
    identities: z.number().int(),
    flows: z.number().int(),
  }),
  /** Why it is not realized, a sentence each. */
  waitingFor: z.array(z.string()),
});
export type StatusView = z.infer<typeof StatusView>;

export const NodeView = z.object({
  name: z.string(),
  key: z.number().int(),
  encapIp: z.string(),
  datapathId: z.string(),
  blocks: z.array(z.string()),
  gatewayIps: z.array(z.string()),
  openflow: z.object({
    connected: z.boolean(),
    version: z.string().nullable(),
    remote: z.string().nullable(),
    lastError: z.string().nullable(),
  }),
  ovsdb: z.object({ connected: z.boolean(), ovsVersion: z.string().nullable() }),
  /** Generation that the switch has acknowledged, and the one that is wanted. */
  realizedGeneration: z.number().int(),
  desiredGeneration: z.number().int(),
  flows: z.number().int(),
  groups: z.number().int(),
  /** Flow-mods and group-mods sent since the controller started, and at the last connect. */
  modsSent: z.number().int(),
  modsAtConnect: z.number().int(),
  pods: z.number().int(),
});
export type NodeView = z.infer<typeof NodeView>;

/** DELETE node `?force`: what was given back. */
export const RemovedNodeView = z.object({
  node: z.string(),
  blocks: z.array(z.string()),
  /** namespace/name of the pods that were attached to it. */
  detached: z.array(z.string()),
});
export type RemovedNodeView = z.infer<typeof RemovedNodeView>;

export const PodView = z.object({
  namespace: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Where the source wants the pod; empty if it does not say. */
  requestedNode: z.string(),
  hostNetwork: z.boolean(),
  /** Container start as the manifest gives it, for who plays the kubelet. */
  containers: z.array(
    z.object({
      name: z.string(),
      image: z.string(),
      command: z.array(z.string()),
      args: z.array(z.string()),
      env: z.record(z.string(), z.string()),
      ports: z.array(
        z.object({
          name: z.string().optional(),
          containerPort: z.number().int(),
          protocol: z.enum(['TCP', 'UDP', 'SCTP']),
        }),
      ),
    }),
  ),
  /** Null until the pod is attached. */
  attachment: z
    .object({
      node: z.string(),
      ips: z.array(z.string()),
      mac: z.string(),
      portKey: z.number().int(),
      ofport: z.number().int(),
      identity: z.number().int(),
      realized: z.boolean(),
    })
    .nullable(),
});
export type PodView = z.infer<typeof PodView>;

export const ServiceView = z.object({
  namespace: z.string(),
  name: z.string(),
  type: z.string(),
  clusterIps: z.array(z.string()),
  ports: z.array(
    z.object({
      name: z.string(),
      protocol: z.enum(['TCP', 'UDP', 'SCTP']),
      port: z.number().int(),
      targetPort: z.string(),
      endpoints: z.array(z.string()),
    }),
  ),
});
export type ServiceView = z.infer<typeof ServiceView>;

export const PolicyView = z.object({
  /** NetworkPolicy, ClusterNetworkPolicy, AdminNetworkPolicy or BaselineAdminNetworkPolicy. */
  kind: z.string(),
  /** Empty for policies that are part of no namespace. */
  namespace: z.string(),
  name: z.string(),
  /** Tiers judge in this order. */
  tier: z.enum(['Admin', 'NetworkPolicy', 'Baseline']),
  /** Within the tier the lowest is judged first; null in the tier NetworkPolicy, which has no order. */
  priority: z.number().int().nullable(),
  policyTypes: z.array(z.string()),
  /** What happens to connections that were allowed before and that the policy would deny. */
  existingConnections: z.enum(['keep', 'recheck', 'cut']),
  /** Of which decisions the switches tell. */
  log: z.enum(['none', 'drops', 'all']),
  /** namespace/name of the pods that the policy applies to. */
  subjects: z.array(z.string()),
});
export type PolicyView = z.infer<typeof PolicyView>;

/** A name that a policy asks for, with the addresses that name servers were seen to give for it. */
export const DomainView = z.object({
  /** In lower case without the final dot. */
  name: z.string(),
  addresses: z.array(z.object({ address: z.string(), secondsLeft: z.number().int() })),
});
export type DomainView = z.infer<typeof DomainView>;

/** Something in the source that could not be used as written. */
export const ProblemView = z.object({
  severity: z.enum(['error', 'warning']),
  file: z.string(),
  line: z.number().int().nullable(),
  object: ObjectRef.nullable(),
  reason: z.string(),
});
export type ProblemView = z.infer<typeof ProblemView>;

/** GET nodeFlows `?table=NAME&object=KIND/NS/NAME` */
export const FlowView = z.object({
  table: z.string(),
  tableId: z.number().int(),
  priority: z.number().int(),
  cookie: z.string(),
  match: z.string(),
  actions: z.string(),
  /** The whole flow as ovs-ofctl writes it, with numbers of tables. */
  text: z.string(),
  feature: z.string(),
  owners: z.array(ObjectRef),
  /** Why the flow is there, one sentence. */
  why: z.string(),
  /** Whether the switch has acknowledged it. */
  realized: z.boolean(),
});
export type FlowView = z.infer<typeof FlowView>;

export const FlowsView = z.object({ node: z.string(), flows: z.array(FlowView), groups: z.array(z.string()) });
export type FlowsView = z.infer<typeof FlowsView>;

/** GET explain `?from=NS/POD&to=NS/POD|svc:NS/NAME|IP&protocol=tcp&port=80` */
export const ExplainView = z.object({
  from: z.string(),
  to: z.string(),
  protocol: z.string(),
  port: z.number().int().nullable(),
  verdict: z.enum(['allowed', 'denied', 'rejected', 'unknown']),
  /** One sentence for a person paged at night. */
  summary: z.string(),
  /** One entry for each address family (and for each backend of a service that gives another answer). */
  paths: z.array(
    z.object({
      family: z.union([z.literal(4), z.literal(6)]),
      source: z.string(),
      destination: z.string(),
      verdict: z.enum(['allowed', 'denied', 'rejected', 'unknown']),
      /** What decided, in the order in which the packet met it. */
      decisions: z.array(
        z.object({
          node: z.string(),
          stage: z.string(),
          decision: z.string(),
          objects: z.array(ObjectRef),
          reason: z.string(),
        }),
      ),
      /** Rules that would have allowed it but for one condition. */
      nearMisses: z.array(z.object({ object: ObjectRef, rule: z.string(), because: z.string() })),
      /** The flows that the packet meets, as ovs-ofctl text, node by node. */
      flows: z.array(z.object({ node: z.string(), table: z.string(), text: z.string(), owners: z.array(ObjectRef) })),
    }),
  ),
});
export type ExplainView = z.infer<typeof ExplainView>;
