import { isIPv6 } from 'node:net';
import type { PodRecord } from '../host/state.js';
import { SANDBOX } from '../kubelet/containers.js';
import { type KubeCondition, type KubePod, withCondition } from './objects.js';

export interface PodStatusInput {
  readonly pod: KubePod;
  /** Undefined: nothing has been begun for it. */
  readonly record: PodRecord | undefined;
  /** Why it could not be begun. */
  readonly refused: string | undefined;
  /** Names of containers that are ready. */
  readonly ready: ReadonlySet<string>;
  readonly hostIps: readonly string[];
}

/**
 * The status that kubelet reports, or undefined if the pod has it already. IPv4 first, as the lab's nodes have it.
 */
export function podStatus(input: PodStatusInput, now: string): object | undefined {
  const { pod, record, refused, ready, hostIps } = input;
  const old = pod.status ?? {};
  const running = record?.phase === 'running';
  const ips = running
    ? [...record.ips].sort((a, b) => Number(isIPv6(a)) - Number(isIPv6(b)))
    : (old.podIPs ?? []).map((p) => p.ip);
  const unready = pod.spec.containers.filter((c) => !running || !ready.has(c.name)).map((c) => c.name);
  const why = refused ?? (running ? undefined : (record?.reason ?? undefined));
  const isReady: KubeCondition['status'] = unready.length === 0 ? 'True' : 'False';
  const reason = isReady === 'True' ? {} : unreadyReason(unready);
  let conditions = old.conditions ?? [];
  for (const condition of [
    { type: 'PodReadyToStartContainers', status: running ? ('True' as const) : ('False' as const) },
    { type: 'Initialized', status: 'True' as const },
    { type: 'Ready', status: isReady, ...reason },
    { type: 'ContainersReady', status: isReady, ...reason },
    { type: 'PodScheduled', status: 'True' as const },
  ])
    conditions = withCondition(conditions, condition, now);
  const status = {
    phase: running ? 'Running' : 'Pending',
    ...(hostIps[0] !== undefined && { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] !== undefined && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: old.startTime ?? now,
    conditions,
    containerStatuses: pod.spec.containers.map((c) => containerStatus(input, c, why)),
  };
  return same(old, status) ? undefined : status;
}

const unreadyReason = (unready: readonly string[]) => ({
  reason: 'ContainersNotReady',
  message: `containers with unready status: [${unready.join(' ')}]`,
});

function containerStatus(
  { record, ready }: PodStatusInput,
  { name, image = '' }: { readonly name: string; readonly image?: string },
  why: string | undefined,
): object {
  const running = record?.phase === 'running';
  // Containers of our echo program share the sandbox's process.
  const own = record?.containers.find((c) => c.name === name) ?? record?.containers.find((c) => c.name === SANDBOX);
  return {
    name,
    image,
    imageID: '',
    ready: running && ready.has(name),
    started: running,
    restartCount: own?.restarts ?? 0,
    ...(record !== undefined && { containerID: `heddle-lab://${record.containerId}` }),
    state: running
      ? { running: {} }
      : { waiting: { reason: 'ContainerCreating', ...(why !== undefined && { message: why.slice(0, 1024) }) } },
  };
}

/** Whether everything of `wanted` is in `old`; what a server has added beside it does not count. */
function same(old: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(old) && old.length === wanted.length && wanted.every((w, i) => same(old[i], w));
  if (typeof wanted !== 'object' || wanted === null) return old === wanted;
  if (typeof old !== 'object' || old === null) return false;
  return Object.entries(wanted).every(([key, value]) => same((old as Record<string, unknown>)[key], value));
}
