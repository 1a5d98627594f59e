import type { Bandwidth, PortMapping } from '../host/state.js';
import type { WantedPod } from '../kubelet/directory.js';
import type { KubePod } from './objects.js';

/** What the kubelet part has to do for a pod of the API server. Init containers, volumes and restart policies are not played. */
export function wantedPod({ metadata, spec }: KubePod): WantedPod {
  const { namespace = 'default', name, uid, annotations = {}, deletionTimestamp } = metadata;
  const hostNetwork = spec.hostNetwork ?? false;
  return {
    namespace,
    name,
    uid,
    // The mirror of a static pod: kubelet knows the pod by the hash of its file.
    cniUid: annotations['kubernetes.io/config.mirror'],
    requestedNode: spec.nodeName ?? '',
    hostNetwork,
    containers: spec.containers.map((c) => ({
      name: c.name,
      image: c.image ?? '',
      command: [...(c.command ?? [])],
      args: [...(c.args ?? [])],
      env: Object.fromEntries((c.env ?? []).flatMap((e) => (e.value === undefined ? [] : [[e.name, e.value]]))),
      ports: (c.ports ?? []).map(({ name: port, containerPort, protocol = 'TCP' }) => ({
        ...(port !== undefined && { name: port }),
        containerPort,
        protocol,
      })),
    })),
    portMappings: hostNetwork ? [] : portMappings(spec),
    bandwidth: bandwidth(annotations),
    ending: deletionTimestamp !== undefined,
  };
}

function portMappings({ containers }: KubePod['spec']): PortMapping[] {
  return containers
    .flatMap((c) => c.ports ?? [])
    .flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP }) =>
      hostPort === undefined || hostPort === 0
        ? []
        : [
            {
              hostPort,
              containerPort,
              protocol: protocol.toLowerCase() as PortMapping['protocol'],
              ...(hostIP !== undefined && hostIP !== '' && { hostIP }),
            },
          ],
    );
}

/** As containerd fills in where the annotations cannot say. */
const NO_BURST = 2 ** 32 - 1;

function bandwidth(annotations: Readonly<Record<string, string>>): Bandwidth | undefined {
  const ingress = quantity(annotations['kubernetes.io/ingress-bandwidth']);
  const egress = quantity(annotations['kubernetes.io/egress-bandwidth']);
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress !== undefined && { ingressRate: ingress, ingressBurst: NO_BURST }),
    ...(egress !== undefined && { egressRate: egress, egressBurst: NO_BURST }),
  };
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A resource quantity in bits a second, for example 10M; undefined for what is none. */
function quantity(text: string | undefined): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([kMGT]i?|Ki)?$/.exec(text ?? '');
  const unit = UNITS[found?.[2] ?? ''];
  return found?.[1] === undefined || unit === undefined ? undefined : Math.round(Number(found[1]) * unit);
}
