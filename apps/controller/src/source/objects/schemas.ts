import { z } from 'zod';
import { containsRange, range } from '../../allocation/ranges.js';
import { isDnsLabel, isDnsSubdomain, isServiceName } from '../names.js';
import { matchesSelector } from '../selectors.js';
import { AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy } from './cluster-policy-schemas.js';
import {
  Annotations,
  CidrText,
  IpText,
  Labels,
  Metadata,
  metadata,
  PortName,
  PortNumber,
  PortRef,
  Protocol,
  Selector,
  text,
} from './fields.js';

/**
 * The kinds that are read, with Kubernetes' own limits and defaults. Fields that networking does not need are not looked at:
 * a manifest that a newer Kubernetes takes is taken here too.
 */

const PodSpec = z.object({
  nodeName: z.string().default(''),
  hostNetwork: z.boolean().default(false),
  serviceAccountName: z.string().default('default'),
  containers: z
    .array(
      z.object({
        name: text('a container name', isDnsLabel),
        image: z.string().default(''),
        command: z.array(z.string()).default([]),
        args: z.array(z.string()).default([]),
        env: z.array(z.object({ name: z.string().min(1), value: z.string().default('') })).default([]),
        ports: z
          .array(z.object({ name: PortName.optional(), containerPort: PortNumber, protocol: Protocol }))
          .default([]),
      }),
    )
    .min(1),
});

/** More replicas than this are a mistake, not a workload for one controller of this size. */
const MAX_REPLICAS = 10_000;
const workload = z
  .object({
    metadata: Metadata,
    spec: z.object({
      replicas: z.number().int().min(0).max(MAX_REPLICAS).default(1),
      selector: Selector,
      template: z.object({ metadata: z.object({ labels: Labels.default({}) }).prefault({}), spec: PodSpec }),
    }),
  })
  .superRefine(({ spec }, context) => {
    const empty = !spec.selector.matchLabels && !spec.selector.matchExpressions;
    if (empty || !matchesSelector(spec.selector, spec.template.metadata.labels))
      context.addIssue({
        code: 'custom',
        path: ['spec', 'selector'],
        message: 'the selector does not select the labels of the template',
      });
  });

const Service = z
  .object({
    metadata: metadata(text('a service name (RFC 1035 label)', isServiceName)),
    spec: z.object({
      type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP'),
      selector: Labels.optional(),
      clusterIP: z.union([z.literal(['None', '']), IpText]).optional(),
      clusterIPs: z
        .array(z.union([z.literal('None'), IpText]))
        .max(2)
        .optional(),
      ipFamilies: z
        .array(z.enum(['IPv4', 'IPv6']))
        .max(2)
        .default([]),
      ipFamilyPolicy: z.enum(['SingleStack', 'PreferDualStack', 'RequireDualStack']).optional(),
      sessionAffinity: z.string().default('None'),
      internalTrafficPolicy: z.string().default('Cluster'),
      externalIPs: z.array(IpText).default([]),
      ports: z
        .array(
          z.object({
            name: text('a port name (DNS label)', isDnsLabel).optional(),
            protocol: Protocol,
            port: PortNumber,
            targetPort: PortRef.optional(),
          }),
        )
        .default([]),
    }),
  })
  .superRefine(({ spec }, context) => {
    const issue = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path: ['spec', ...path], message });
    const headless = spec.clusterIP === 'None';
    if (spec.ports.length === 0 && !headless && spec.type !== 'ExternalName')
      issue(['ports'], 'a service needs at least one port');
    const names = new Set<string>();
    const numbers = new Set<string>();
    for (const [i, port] of spec.ports.entries()) {
      if (port.name === undefined && spec.ports.length > 1) issue(['ports', i], 'with several ports each needs a name');
      if (port.name !== undefined && names.has(port.name))
        issue(['ports', i, 'name'], `the port name ${port.name} is used twice`);
      const number = `${port.port}/${port.protocol}`;
      if (numbers.has(number)) issue(['ports', i, 'port'], `port ${number} is given twice`);
      names.add(port.name ?? '');
      numbers.add(number);
    }
    const [first, second] = spec.clusterIPs ?? [];
    if (first !== undefined && spec.clusterIP !== undefined && first !== spec.clusterIP)
      issue(['clusterIPs', 0], `must be the same as clusterIP (${spec.clusterIP})`);
    if (first !== undefined && second !== undefined && first.includes(':') === second.includes(':'))
      issue(['clusterIPs', 1], 'must be of the other family');
    if (spec.ipFamilies[0] !== undefined && spec.ipFamilies[0] === spec.ipFamilies[1])
      issue(['ipFamilies', 1], `${spec.ipFamilies[1]} is given twice`);
  });

const EndpointSlice = z
  .object({
    metadata: Metadata,
    addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
    endpoints: z
      .array(
        z.object({
          addresses: z.array(z.string()).min(1).max(100),
          // Kubernetes: "A nil value should be interpreted as true".
          conditions: z
            .object({
              ready: z.boolean().default(true),
              serving: z.boolean().optional(),
              terminating: z.boolean().default(false),
            })
            .prefault({}),
        }),
      )
      .max(1_000)
      .default([]),
    ports: z
      .array(z.object({ name: z.string().default(''), protocol: Protocol, port: PortNumber.optional() }))
      .default([]),
  })
  .superRefine((slice, context) => {
    if (slice.addressType === 'FQDN') return;
    for (const [i, endpoint] of slice.endpoints.entries())
      for (const [j, address] of endpoint.addresses.entries())
        if (!IpText.safeParse(address).success || address.includes(':') !== (slice.addressType === 'IPv6'))
          context.addIssue({
            code: 'custom',
            path: ['endpoints', i, 'addresses', j],
            message: `"${address}" is not an ${slice.addressType} address`,
          });
  });

const PolicyPeer = z
  .object({
    podSelector: Selector.optional(),
    namespaceSelector: Selector.optional(),
    ipBlock: z
      .object({ cidr: CidrText, except: z.array(CidrText).default([]) })
      .superRefine((block, context) => {
        for (const [i, except] of block.except.entries())
          if (except === block.cidr || !containsRange(range(block.cidr), range(except)))
            context.addIssue({
              code: 'custom',
              path: ['except', i],
              message: `${except} is not a part of ${block.cidr}`,
            });
      })
      .optional(),
  })
  .superRefine((peer, context) => {
    const selects = peer.podSelector !== undefined || peer.namespaceSelector !== undefined;
    if (!selects && peer.ipBlock === undefined)
      context.addIssue('a peer needs podSelector, namespaceSelector or ipBlock');
    if (selects && peer.ipBlock !== undefined) context.addIssue('a peer with ipBlock may have no selectors');
  });
const PolicyPort = z
  .object({ protocol: Protocol, port: PortRef.optional(), endPort: PortNumber.optional() })
  .superRefine((port, context) => {
    if (port.endPort === undefined) return;
    if (typeof port.port !== 'number')
      context.addIssue({ code: 'custom', path: ['endPort'], message: 'endPort needs a numeric port' });
    else if (port.endPort < port.port)
      context.addIssue({
        code: 'custom',
        path: ['endPort'],
        message: `endPort ${port.endPort} is below port ${port.port}`,
      });
  });
const NetworkPolicy = z.object({
  metadata: Metadata.extend({ annotations: Annotations }),
  spec: z.object({
    podSelector: Selector.default({}),
    policyTypes: z
      .array(z.enum(['Ingress', 'Egress']))
      .max(2)
      .optional(),
    ingress: z
      .array(z.object({ from: z.array(PolicyPeer).default([]), ports: z.array(PolicyPort).default([]) }))
      .default([]),
    egress: z
      .array(z.object({ to: z.array(PolicyPeer).default([]), ports: z.array(PolicyPort).default([]) }))
      .default([]),
  }),
});

const Namespace = z.object({
  metadata: z.object({ name: text('a namespace name', isDnsLabel), labels: Labels.default({}) }),
});

const Node = z.object({
  metadata: z.object({ name: text('a node name', isDnsSubdomain), labels: Labels.default({}) }),
});

/** Schema of every kind that is read, by kind; `apiVersion` is the one that is understood. */
export const KINDS = {
  Namespace: { apiVersion: 'v1', schema: Namespace },
  Pod: { apiVersion: 'v1', schema: z.object({ metadata: Metadata, spec: PodSpec }) },
  Service: { apiVersion: 'v1', schema: Service },
  Deployment: { apiVersion: 'apps/v1', schema: workload },
  ReplicaSet: { apiVersion: 'apps/v1', schema: workload },
  StatefulSet: { apiVersion: 'apps/v1', schema: workload },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', schema: EndpointSlice },
  NetworkPolicy: { apiVersion: 'networking.k8s.io/v1', schema: NetworkPolicy },
  Node: { apiVersion: 'v1', schema: Node },
  ClusterNetworkPolicy: { apiVersion: 'policy.networking.k8s.io/v1alpha2', schema: ClusterNetworkPolicy },
  AdminNetworkPolicy: { apiVersion: 'policy.networking.k8s.io/v1alpha1', schema: AdminNetworkPolicy },
  BaselineAdminNetworkPolicy: { apiVersion: 'policy.networking.k8s.io/v1alpha1', schema: BaselineAdminNetworkPolicy },
} as const;
export type Kind = keyof typeof KINDS;

/** Kinds whose objects are in no namespace. */
export const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

/** A validated object of one of the kinds. */
export type Manifest = {
  [K in Kind]: { readonly kind: K; readonly body: z.output<(typeof KINDS)[K]['schema']> };
}[Kind];
export type ManifestOf<K extends Kind> = Extract<Manifest, { kind: K }>['body'];
