import { createHash } from 'node:crypto';
import type { PodProgramConfig } from '../pod/protocol.js';
import type { WantedPod } from './directory.js';

type Pod = Pick<WantedPod, 'namespace' | 'name' | 'containers'>;
type Container = Pod['containers'][number];

/** Port of a pod of ours that names none. */
const DEFAULT_PORT = 8080;

/** One program to start in a pod. */
export interface ContainerStart {
  readonly name: string;
  /** Empty: our pod program. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Name of the process that every pod has: it answers probes, and serves the ports of the containers that run our echo program. */
export const SANDBOX = 'sandbox';

/** A container without a command is our echo program, whatever its image (`heddle/echo` says so honestly); we have no images to take a program from. */
export function isEcho(container: Container): boolean {
  return container.command.length === 0;
}

/** A container that only holds the pod's network namespace, which needs no program here. */
export function isPause(container: Container): boolean {
  return isEcho(container) && /(^|\/)pause(:|@|$)/.test(container.image);
}

/** The programs of a pod, the sandbox first; none where all containers are pauses. */
export function containerStarts(pod: Pod, probeSocket: string): ContainerStart[] {
  if (pod.containers.length > 0 && pod.containers.every(isPause)) return [];
  const echoes = pod.containers.filter(isEcho);
  const named = echoes.flatMap((c) => c.ports).map((p) => ({ port: p.containerPort, protocol: p.protocol }));
  const ports = [...new Map(named.map((p) => [`${p.port}/${p.protocol}`, p])).values()];
  const config: PodProgramConfig = {
    pod: `${pod.namespace}/${pod.name}`,
    socket: probeSocket,
    ports: ports.length === 0 && echoes.length > 0 ? [{ port: DEFAULT_PORT, protocol: 'TCP' }] : ports,
  };
  const others = pod.containers.filter((c) => !isEcho(c));
  return [
    { name: SANDBOX, argv: [], env: { HEDDLE_LAB_POD: JSON.stringify(config) } },
    ...others.map((c) => ({ name: c.name, argv: [...c.command, ...c.args], env: { ...downward(pod), ...c.env } })),
  ];
}

/** What a program may want to know about its pod. */
function downward(pod: Pod): Record<string, string> {
  return { HOSTNAME: pod.name, POD_NAME: pod.name, POD_NAMESPACE: pod.namespace };
}

/** A hash that changes when another program has to be started. */
export function specHash(pod: Pick<Pod, 'containers'>): string {
  return createHash('sha256').update(JSON.stringify(pod.containers)).digest('hex').slice(0, 16);
}
