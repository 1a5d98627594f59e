import type { ObjectRef, PodView } from '@heddle/api';
import type { ClusterPolicyFact, Family, Ip, L4Protocol, NamedPort, NetworkPolicyFact } from '@heddle/compiler';

/** What a source of Kubernetes objects gives: the parts that networking needs, validated, with Kubernetes' defaults applied. */

export interface SourceNamespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface SourcePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly hostNetwork: boolean;
  readonly namedPorts: readonly NamedPort[];
  /** spec.nodeName; empty if the pod may run anywhere. */
  readonly nodeName: string;
  readonly containers: PodView['containers'];
  /** As the kubelet gives it to CNI; absent where nothing tells one pod from another of the same name. */
  readonly uid?: string | undefined;
  /** Its containers have ended for good (phase Succeeded or Failed): it has no address any more. */
  readonly finished?: true | undefined;
}

export interface SourceServicePort {
  readonly name: string;
  readonly protocol: L4Protocol;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
}

export interface SourceService {
  readonly namespace: string;
  readonly name: string;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  /** Undefined if its endpoints come from EndpointSlices. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly ports: readonly SourceServicePort[];
  /** `clusterIP: None`. */
  readonly headless: boolean;
  /** Addresses that the manifest names. */
  readonly clusterIps: readonly Ip[];
  /** spec.ipFamilies; empty if not given. */
  readonly families: readonly Family[];
  readonly familyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack' | undefined;
}

export interface SourceSlice {
  readonly namespace: string;
  readonly name: string;
  /** The label kubernetes.io/service-name. */
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly protocol: L4Protocol; readonly port: number }[];
  /** Addresses of ready endpoints. */
  readonly addresses: readonly Ip[];
  /** Addresses of the others: not ready, or terminating. Absent: none. */
  readonly draining?: readonly Ip[] | undefined;
  /** Those of `draining` that terminate but still serve: better than nothing. Absent: none. */
  readonly lastResort?: readonly Ip[] | undefined;
}

export type SourcePolicy = NetworkPolicyFact;
export type SourceClusterPolicy = ClusterPolicyFact;

/** What the cluster says of a machine; what the machine says of itself, its agent registers. */
export interface SourceNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Every object of a source at one moment; keys are NAMESPACE/NAME, of what is in no namespace the name. */
export interface SourceObjects {
  readonly namespaces: ReadonlyMap<string, SourceNamespace>;
  readonly pods: ReadonlyMap<string, SourcePod>;
  readonly services: ReadonlyMap<string, SourceService>;
  readonly slices: ReadonlyMap<string, SourceSlice>;
  readonly policies: ReadonlyMap<string, SourcePolicy>;
  /** By `name` of the fact: the kinds that are converted have names of their own. */
  readonly clusterPolicies: ReadonlyMap<string, SourceClusterPolicy>;
  readonly nodes: ReadonlyMap<string, SourceNode>;
}

export const NO_OBJECTS: SourceObjects = {
  namespaces: new Map(),
  pods: new Map(),
  services: new Map(),
  slices: new Map(),
  policies: new Map(),
  clusterPolicies: new Map(),
  nodes: new Map(),
};

export type ValueOf<K extends keyof SourceObjects> = SourceObjects[K] extends ReadonlyMap<string, infer V> ? V : never;
/** Values that differ from those handed over before, by key; undefined: gone. Nothing changed in a kind that is absent. */
export type SourceDelta = {
  readonly [K in keyof SourceObjects]?: ReadonlyMap<string, ValueOf<K> | undefined>;
};

/** What a source tells: everything as it is now, for the consumer to compare, or what has changed, at the cost of the change. */
export type SourceChange =
  | { readonly kind: 'all'; readonly objects: SourceObjects }
  | { readonly kind: 'some'; readonly delta: SourceDelta };

/** Something that could not be used as written. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1; null if the problem has no place. */
  readonly line: number | null;
  readonly object: ObjectRef | null;
  readonly reason: string;
}

/** The object that a key of a kind stands for: NAMESPACE/NAME, or NAME of what is in no namespace. */
export function refOf(kind: string, key: string): ObjectRef {
  const slash = key.indexOf('/');
  return { kind, namespace: key.slice(0, Math.max(0, slash)), name: key.slice(slash + 1) };
}
/** The other way round. */
export const keyOf = ({ namespace, name }: ObjectRef): string => (namespace === '' ? name : `${namespace}/${name}`);

/** Where objects come from. */
export interface Source {
  readonly kind: string;
  readonly location: string;
  /**
   * Reads everything once; after that the listener hears of every change, one call at a time. A change that the listener
   * fails to take is told again.
   * @throws Error if there is nothing to read from
   */
  start(listener: (change: SourceChange) => Promise<void>): Promise<SourceObjects>;
  /** Resolves when everything that was changed before the call has gone through the listener. */
  refresh(): Promise<void>;
  /** Whether `refresh` may bring news sooner than they come by themselves. */
  readonly refreshHastens: boolean;
  /** Where an object is defined, if the source can tell. */
  placeOf(object: ObjectRef): { readonly file: string; readonly line: number | null } | undefined;
  /** What is wrong with the source now. */
  problems(): readonly Problem[];
  stop(): Promise<void>;
}
