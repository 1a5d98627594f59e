import { isIP } from 'node:net';
import type { PodView, ServiceView } from '@heddle/api';
import type { z } from 'zod';
import type { PodRecord } from '../host/state.js';
import type { Probe } from '../pod/protocol.js';

/** What probes can be aimed at: the pods that run, with their ports, and the services. */
export interface Cluster {
  readonly pods: readonly PodRecord[];
  readonly podViews: readonly z.infer<typeof PodView>[];
  readonly services: readonly z.infer<typeof ServiceView>[];
}

export interface Target {
  /** As the user wrote it. */
  readonly label: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly protocol: Probe['protocol'];
}

const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'icmp', 'sctp'];

/**
 * Pods called NS/NAME, or made by a Deployment of that name (NS/NAME-...).
 * @throws Error that lists the pods there are
 */
export function podsNamed(pods: readonly PodRecord[], text: string): PodRecord[] {
  const exact = pods.filter((p) => `${p.namespace}/${p.name}` === text);
  if (exact.length > 0) return exact;
  const replicas = pods.filter((p) => isReplicaName(`${p.namespace}/${p.name}`, text));
  if (replicas.length > 0) return replicas;
  throw new Error(
    `no pod "${text}" in the lab; there are: ${pods.map((p) => `${p.namespace}/${p.name}`).join(', ') || 'none'}`,
  );
}

/** Whether a pod's name is that of a Deployment or StatefulSet plus a number, or plus two generated parts. */
function isReplicaName(pod: string, owner: string): boolean {
  return pod.startsWith(`${owner}-`) && /^-(\d+|[a-z0-9]{5,10}-[a-z0-9]{5})$/.test(pod.slice(owner.length));
}

/**
 * Reads `NS/POD[:PORT][/PROTO]`, `svc/NS/NAME[:PORT][/PROTO]`, `ADDRESS:PORT[/PROTO]`. Without a port: the first of the pod or service.
 * A Deployment's name stands for all of its pods.
 * @throws Error that says what is wrong
 */
export function parseTargets(cluster: Cluster, text: string, protocol: Probe['protocol'] = 'tcp'): Target[] {
  const tail = /\/([a-z]+)$/.exec(text);
  const hasProtocol =
    tail?.[1] !== undefined && PROTOCOLS.includes(tail[1]) && /[:\]][^/]*\/[a-z]+$|\/icmp$/.test(text);
  const proto = hasProtocol ? (tail?.[1] as Probe['protocol']) : protocol;
  const rest = hasProtocol ? text.slice(0, -(tail?.[0].length ?? 0)) : text;
  const bare = rest.replace(/^\[|\]$/g, '');
  const split = isIP(bare) !== 0 ? null : /^(.*):(\d{1,5})$/.exec(rest);
  const name = isIP(bare) !== 0 ? bare : (split?.[1] ?? rest).replace(/^\[|\]$/g, '');
  const port = split?.[2] === undefined ? undefined : Number(split[2]);
  if (isIP(name) !== 0) {
    if (port === undefined && proto !== 'icmp') throw new Error(`"${text}": say the port, ADDRESS:PORT`);
    return [{ label: text, addresses: [name], port: port ?? 0, protocol: proto }];
  }
  if (name.startsWith('svc/')) return [service(cluster, text, name.slice(4), port, proto)];
  return podsNamed(cluster.pods, name).map((p) => podTarget(cluster, text, p, port, proto));
}

function service(
  cluster: Cluster,
  label: string,
  name: string,
  port: number | undefined,
  protocol: Probe['protocol'],
): Target {
  const found = cluster.services.find((s) => `${s.namespace}/${s.name}` === name);
  if (found === undefined) {
    const names = cluster.services.map((s) => `svc/${s.namespace}/${s.name}`);
    throw new Error(`no service "${name}"; there are: ${names.join(', ') || 'none'}`);
  }
  if (found.clusterIps.length === 0) throw new Error(`service ${name} has no cluster IP`);
  const first = found.ports.find((p) => p.protocol.toLowerCase() === protocol) ?? found.ports[0];
  const chosen = port ?? first?.port;
  if (chosen === undefined) throw new Error(`service ${name} has no port`);
  return { label, addresses: found.clusterIps, port: chosen, protocol };
}

function podTarget(
  cluster: Cluster,
  label: string,
  pod: PodRecord,
  port: number | undefined,
  protocol: Probe['protocol'],
): Target {
  const view = cluster.podViews.find((v) => v.namespace === pod.namespace && v.name === pod.name);
  const ports = view?.containers.flatMap((c) => c.ports) ?? [];
  const first =
    ports.find((p) => p.protocol.toLowerCase() === protocol)?.containerPort ?? (protocol === 'tcp' ? 8080 : undefined);
  const chosen = protocol === 'icmp' ? 0 : (port ?? first);
  if (chosen === undefined)
    throw new Error(
      `pod ${pod.namespace}/${pod.name} names no ${protocol} port; say one, ${pod.namespace}/${pod.name}:PORT/${protocol}`,
    );
  return { label, addresses: pod.ips, port: chosen, protocol };
}
