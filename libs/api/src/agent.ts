import { z } from 'zod';

/** What node agents and the controller say to each other. All addresses are canonical text (RFC 5952 for IPv6). */

export const Encap = z.enum(['geneve', 'vxlan']);
export type Encap = z.infer<typeof Encap>;

/** PUT agentNode: an agent announces its machine; idempotent, repeated at every agent start. */
export const RegisterNode = z.object({
  /** Underlay address that tunnels end at. */
  encapIp: z.string(),
  /** Every address of the machine on its underlay, without those of heddle0. */
  addresses: z.array(z.string()).max(64),
  /** MTU of the underlay interface in bytes. */
  underlayMtu: z.number().int().min(576).max(65535),
  datapathType: z.enum(['system', 'netdev']),
});
export type RegisterNode = z.infer<typeof RegisterNode>;

/** A node as its peers see it. */
export const Peer = z.object({ name: z.string(), encapIp: z.string() });
export type Peer = z.infer<typeof Peer>;

/**
 * What an agent needs to set its machine up: the answer to RegisterNode, and of GET agentNodeConfig
 * (`?after=GENERATION&waitMs=N` waits until the generation is another than the one given; with `policyEpoch=E` also until
 * `policyEpoch` is another than that, 0 for none).
 */
export const NodeConfig = z.object({
  generation: z.number().int(),
  node: z.string(),
  /** 16 hex digits, for the bridge's other_config:datapath-id. */
  datapathId: z.string().regex(/^[0-9a-f]{16}$/),
  encap: Encap,
  /** MTU of pod interfaces and heddle0: underlay MTU minus the encapsulation's overhead. */
  podMtu: z.number().int(),
  clusterCidrs: z.array(z.string()),
  serviceCidrs: z.array(z.string()),
  /** MAC of the distributed router that every pod and heddle0 sends to. */
  routerMac: z.string(),
  /** Link-local next hops: 169.254.1.1 and fe80::1, of the families in use. */
  routerIps: z.array(z.string()),
  /** heddle0: its MAC, addresses (inside this node's first blocks) and ofport. */
  gateway: z.object({ mac: z.string(), ips: z.array(z.string()), ofport: z.number().int() }),
  tunnelOfport: z.number().int(),
  /** Where ovs-vswitchd and ovsdb-server dial the controller: tcp:HOST:PORT or ssl:HOST:PORT. Empty host: the host of the controller URL. */
  openflowTargets: z.array(z.string()),
  ovsdbTargets: z.array(z.string()),
  peers: z.array(Peer),
  /**
   * Another number when policies have changed in the node's switch. Not there before the first such change since the controller
   * started, and never one that an earlier controller gave.
   */
  policyEpoch: z.number().int().optional(),
});
export type NodeConfig = z.infer<typeof NodeConfig>;

/** POST agentAttach: one CNI ADD. Durable when answered; repeating it gives the same answer. */
export const AttachRequest = z.object({
  node: z.string(),
  containerId: z.string().min(1).max(256),
  ifname: z.string().min(1).max(15),
  namespace: z.string().min(1).max(253),
  pod: z.string().min(1).max(253),
  podUid: z.string().max(253).optional(),
  /** How long to wait for the source to know the pod. */
  waitMs: z.number().int().min(0).max(30_000).default(2_000),
});
export type AttachRequest = z.input<typeof AttachRequest>;

/** One recorded attachment of a pod. */
export const Attachment = z.object({
  node: z.string(),
  containerId: z.string(),
  ifname: z.string(),
  namespace: z.string(),
  pod: z.string(),
  /** Durable number of the logical port, never used again for another port. */
  portKey: z.number().int(),
  /** OpenFlow port number to request for the interface. */
  ofport: z.number().int(),
  mac: z.string(),
  ips: z.array(z.string()),
  mtu: z.number().int(),
});
export type Attachment = z.infer<typeof Attachment>;

/** POST agentDetach: one CNI DEL; succeeds when nothing is there. */
export const DetachRequest = z.object({ node: z.string(), containerId: z.string(), ifname: z.string() });
export type DetachRequest = z.infer<typeof DetachRequest>;

/** POST agentRealized: waits until the switch has acknowledged every flow of the port; `timeout` (504) if it does not in time. */
export const RealizedRequest = z.object({
  portKey: z.number().int(),
  timeoutMs: z.number().int().min(0).max(60_000),
});
export type RealizedRequest = z.infer<typeof RealizedRequest>;
export const RealizedAnswer = z.object({
  portKey: z.number().int(),
  realized: z.literal(true),
  waitedMs: z.number(),
});
export type RealizedAnswer = z.infer<typeof RealizedAnswer>;

/** POST agentNodeRealized: waits until the node's switch has acknowledged everything up to the request; `timeout` (504) if it does not in time. */
export const NodeRealizedRequest = z.object({ timeoutMs: z.number().int().min(0).max(60_000) });
export type NodeRealizedRequest = z.infer<typeof NodeRealizedRequest>;
export const NodeRealizedAnswer = z.object({ node: z.string(), generation: z.number().int() });
export type NodeRealizedAnswer = z.infer<typeof NodeRealizedAnswer>;
