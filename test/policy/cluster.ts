/** The cluster of the truth table: namespaces x, y, z with pods a, b, c each, every pod a server, a service for each pod. */

export const NAMESPACES = ['x', 'y', 'z'] as const;
/** `NS/NAME`, in the order of rows and columns of the table. */
export const PODS = ['x/a', 'x/b', 'x/c', 'y/a', 'y/b', 'y/c', 'z/a', 'z/b', 'z/c'] as const;
export type PodName = (typeof PODS)[number];

/** Ports of every pod's one container; it answers on all of them. */
export const CONTAINER_PORTS = [
  { name: 'serve-80-tcp', protocol: 'TCP', containerPort: 80 },
  { name: 'serve-81-tcp', protocol: 'TCP', containerPort: 81 },
  { name: 'serve-80-udp', protocol: 'UDP', containerPort: 80 },
  { name: 'serve-81-udp', protocol: 'UDP', containerPort: 81 },
] as const;

/** Ports of the service of a pod, which has the pod's name and namespace and selects `pod: NAME`. */
export const SERVICE_PORTS = [
  { name: 'tcp-80', protocol: 'TCP', port: 80, targetPort: 'serve-80-tcp' },
  { name: 'tcp-8081', protocol: 'TCP', port: 8081, targetPort: 'serve-81-tcp' },
  { name: 'udp-80', protocol: 'UDP', port: 80, targetPort: 80 },
] as const;

export const namespaceLabels = (namespace: string): Record<string, string> => ({
  ns: namespace,
  'kubernetes.io/metadata.name': namespace,
});
export const podLabels = (name: string): Record<string, string> => ({ pod: name });

/** The node of each pod, where the test may choose: every pair of namespaces meets on a node and across nodes. */
export const PLACEMENT: Readonly<Record<PodName, number>> = {
  'x/a': 0,
  'x/b': 0,
  'x/c': 1,
  'y/a': 1,
  'y/b': 2,
  'y/c': 2,
  'z/a': 0,
  'z/b': 1,
  'z/c': 2,
};

/** Labels of the nodes, in the order of `PLACEMENT`'s numbers. */
export const NODE_LABELS: readonly Readonly<Record<string, string>>[] = [
  { node: '1', zone: 'a', 'node-role.kubernetes.io/control-plane': '' },
  { node: '2', zone: 'a' },
  { node: '3', zone: 'b' },
];
/** Names that something outside of the cluster has, and the addresses that they were seen to have. */
export const DOMAINS: Readonly<Record<string, readonly string[]>> = {
  'example.com': ['203.0.113.7', '2001:db8::7'],
  'www.example.com': ['203.0.113.8', '2001:db8::8'],
  'a.b.example.com': ['203.0.113.9', '2001:db8::7'],
  'notexample.com': ['203.0.113.10', '2001:db8::10'],
};
