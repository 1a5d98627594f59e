import type { KubeObject } from './client.js';

/** The parts of Kubernetes' objects that a kubelet reads and writes, as they are on the wire. */

export interface KubeCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly lastHeartbeatTime?: string;
}

export interface KubeProbe {
  readonly exec?: { readonly command?: readonly string[] };
  readonly tcpSocket?: { readonly port: number | string };
  readonly httpGet?: { readonly port: number | string; readonly path?: string; readonly scheme?: string };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
}

export interface KubeContainer {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly hostPort?: number;
    readonly hostIP?: string;
    readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  }[];
  readonly readinessProbe?: KubeProbe;
}

export interface KubePod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly schedulerName?: string;
    readonly schedulingGates?: readonly unknown[];
    readonly hostNetwork?: boolean;
    readonly containers: readonly KubeContainer[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly startTime?: string;
    readonly conditions?: readonly KubeCondition[];
    readonly containerStatuses?: readonly object[];
  };
}

export interface KubeNode extends KubeObject {
  readonly spec?: { readonly taints?: readonly object[]; readonly unschedulable?: boolean };
  readonly status?: { readonly conditions?: readonly KubeCondition[] };
}

export interface KubeService extends KubeObject {
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly ipFamilies?: readonly ('IPv4' | 'IPv6')[];
    readonly publishNotReadyAddresses?: boolean;
    readonly ports?: readonly {
      readonly name?: string;
      readonly protocol?: string;
      readonly port: number;
      readonly targetPort?: number | string;
    }[];
  };
}

export interface KubeSlice extends KubeObject {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly endpoints: readonly object[] | null;
  readonly ports: readonly object[] | null;
}

export interface KubeLease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

/** True for a pod that is running to its end. */
export const isOver = (pod: KubePod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export const isReady = (pod: KubePod): boolean =>
  pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

/** Whether labels have everything that a selector of equalities asks for. */
export const selects = (
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> | undefined,
): boolean => Object.entries(selector).every(([key, value]) => labels?.[key] === value);

/**
 * Conditions with one of ours put in; the others stay, and so does the time of the last change where there is none.
 */
export function withCondition(
  conditions: readonly KubeCondition[],
  ours: KubeCondition,
  now: string,
): readonly KubeCondition[] {
  const old = conditions.find((c) => c.type === ours.type);
  const since = old?.status === ours.status ? (old.lastTransitionTime ?? now) : now;
  return [...conditions.filter((c) => c.type !== ours.type), { ...ours, lastTransitionTime: since }];
}
