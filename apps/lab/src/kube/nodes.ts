import { isStatus, type KubeClient } from './client.js';
import { type KubeLease, type KubeNode, withCondition } from './objects.js';

export const NODES = '/api/v1/nodes';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
/** Pods that a node takes, as kubelet's --max-pods; the lab's own experiments need more than its 110. */
const MAX_PODS = '2000';
const LEASE_SECONDS = 40;
/** kubelet renews every 10 s. */
export const HEARTBEAT_MS = 10_000;

export interface NodeIdentity {
  readonly name: string;
  readonly ips: readonly string[];
}

/** Makes the Node object of one of our nodes, or takes over the one that is there. */
export async function registerNode(client: KubeClient, node: NodeIdentity, removeTaints: boolean): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': node.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': process.arch === 'arm64' ? 'arm64' : 'amd64',
  };
  await client
    .create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: node.name, labels }, spec: {} })
    .catch((e: unknown) => {
      if (!isStatus(e, 409)) throw e;
    });
  // The API server taints new nodes; who takes that away again, the node lifecycle controller, may not run.
  const spec = removeTaints ? { spec: { taints: null } } : {};
  await client.mergePatch(`${NODES}/${node.name}`, { metadata: { labels }, ...spec });
  await reportNode(client, node);
}

/** Writes what kubelet reports of its machine. Conditions of others stay. */
async function reportNode(client: KubeClient, node: NodeIdentity): Promise<void> {
  const path = `${NODES}/${node.name}`;
  const old = await client.get<KubeNode>(path);
  const now = new Date().toISOString();
  let conditions = old.status?.conditions ?? [];
  for (const [type, status, reason] of [
    ['MemoryPressure', 'False', 'KubeletHasSufficientMemory'],
    ['DiskPressure', 'False', 'KubeletHasNoDiskPressure'],
    ['PIDPressure', 'False', 'KubeletHasSufficientPID'],
    ['Ready', 'True', 'KubeletReady'],
  ] as const)
    conditions = withCondition(conditions, { type, status, reason, lastHeartbeatTime: now }, now);
  const resources = { cpu: '8', memory: '16Gi', 'ephemeral-storage': '100Gi', pods: MAX_PODS };
  await client.mergePatch(`${path}/status`, {
    // A conflict instead of a condition lost, when somebody else writes one at the same time.
    metadata: { resourceVersion: old.metadata.resourceVersion },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        ...node.ips.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: node.name },
      ],
      conditions,
      nodeInfo: {
        machineID: node.name,
        systemUUID: node.name,
        bootID: node.name,
        kernelVersion: '',
        osImage: 'a network namespace',
        containerRuntimeVersion: 'heddle-lab://1',
        kubeletVersion: 'v1.0.0-heddle-lab',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      },
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    },
  });
}

/** Renews a node's lease; makes it, and its namespace, where they are missing. */
export async function renewLease(client: KubeClient, node: string): Promise<void> {
  const spec = {
    holderIdentity: node,
    leaseDurationSeconds: LEASE_SECONDS,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  };
  try {
    await client.mergePatch(`${LEASES}/${node}`, { spec });
  } catch (e) {
    if (!isStatus(e, 404)) throw e;
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: node }, spec };
    await client.create(LEASES, lease).catch(async (missing: unknown) => {
      if (!isStatus(missing, 404, 403)) throw missing;
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-node-lease' } };
      await client.create('/api/v1/namespaces', namespace);
      await client.create(LEASES, lease);
    });
  }
}

/** Takes a node of ours out of the cluster, with its lease. */
export async function removeNode(client: KubeClient, node: string): Promise<void> {
  const gone = (e: unknown) => {
    if (!isStatus(e, 404)) throw e;
  };
  await client.delete(`${NODES}/${node}`).catch(gone);
  await client.delete(`${LEASES}/${node}`).catch(gone);
}

/** Whether a part of the control plane runs: it holds its lease in kube-system. */
export async function holdsLease(client: KubeClient, name: string): Promise<boolean> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${name}`;
  const lease = await client.find<KubeLease>(path);
  const { holderIdentity = '', renewTime, leaseDurationSeconds = 15 } = lease?.spec ?? {};
  if (holderIdentity === '' || renewTime === undefined) return false;
  return Date.now() - Date.parse(renewTime) < 3 * leaseDurationSeconds * 1_000;
}
