import { pickNode } from '../kubelet/schedule.js';
import { isStatus, type KubeClient } from './client.js';
import { isOver, type KubeNode, type KubePod, selects } from './objects.js';

/** Pods that nobody has given a node yet, and that wait for the default scheduler. */
export function unscheduled(pods: Iterable<KubePod>): KubePod[] {
  return [...pods].filter(
    ({ spec, metadata }) =>
      (spec.nodeName ?? '') === '' &&
      metadata.deletionTimestamp === undefined &&
      (spec.schedulerName ?? 'default-scheduler') === 'default-scheduler' &&
      (spec.schedulingGates ?? []).length === 0,
  );
}

/**
 * Where each of them goes: the least loaded of the nodes that its nodeSelector allows. Affinity, taints and resources are not looked at.
 * @returns node by namespace/name; pods that fit nowhere are left out
 */
export function assign(pods: Iterable<KubePod>, nodes: Iterable<KubeNode>): Map<string, string> {
  const all = [...pods];
  const usable = [...nodes].filter((n) => n.spec?.unschedulable !== true && n.metadata.deletionTimestamp === undefined);
  const named = ({ metadata }: KubePod) => ({ namespace: metadata.namespace ?? 'default', name: metadata.name });
  const placed = all
    .filter((p) => (p.spec.nodeName ?? '') !== '' && !isOver(p))
    .map((p) => ({ ...named(p), node: p.spec.nodeName ?? '' }));
  const chosen = new Map<string, string>();
  for (const pod of unscheduled(all)) {
    const fitting = usable.filter((n) => selects(pod.spec.nodeSelector ?? {}, n.metadata.labels));
    const node = pickNode(
      named(pod),
      fitting.map((n) => n.metadata.name),
      placed,
    );
    if (node === undefined) continue;
    chosen.set(`${named(pod).namespace}/${named(pod).name}`, node);
    placed.push({ ...named(pod), node });
  }
  return chosen;
}

/** Gives a pod its node. False if somebody was faster, or the pod is gone. */
export async function bind(client: KubeClient, { metadata }: KubePod, node: string): Promise<boolean> {
  const { namespace = 'default', name, uid } = metadata;
  try {
    await client.create(`/api/v1/namespaces/${namespace}/pods/${name}/binding`, {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, ...(uid !== undefined && { uid }) },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    });
    return true;
  } catch (e) {
    if (isStatus(e, 404, 409)) return false;
    throw e;
  }
}
