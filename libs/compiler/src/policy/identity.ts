import type { Identity } from '../model/brands.js';
import { FIRST_POD_IDENTITY } from '../model/brands.js';
import type { Labels, NamedPort, PodFact } from '../model/facts.js';
import type { IdSource } from '../model/output.js';
import { compareText, sortedLabels } from './canonical.js';

/**
 * An identity is everything that policies can tell apart: namespace, its labels, the pod's labels, service account, named
 * ports. Its canonical text is its key; pods with equal keys share one number.
 */
export interface IdentityInfo {
  readonly key: string;
  readonly number: Identity;
  /** The number as text: what indexes have it under. */
  readonly text: string;
  readonly namespace: string;
  /** Canonical text of namespace and namespace labels. */
  readonly namespaceKey: string;
  readonly namespaceLabels: Labels;
  readonly podLabels: Labels;
  readonly serviceAccount: string;
  readonly namedPorts: readonly NamedPort[];
}

/** Labels that differ from replica to replica: they count only while a policy selects on them. */
const PER_REPLICA: ReadonlySet<string> = new Set([
  'pod-template-hash',
  'pod-template-generation',
  'controller-revision-hash',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-completion-index',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
  'controller-uid',
  'job-name',
]);
export const isPerReplicaLabel = (key: string): boolean => PER_REPLICA.has(key);

/** Every namespace carries its name as a label (Kubernetes sets it; no namespace is without). */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

export const namespaceKeyOf = (name: string, labels: Labels): string =>
  JSON.stringify([name, sortedLabels({ ...labels, [NAMESPACE_NAME_LABEL]: name })]);

type Pairs = readonly (readonly [string, string])[];
type KeyShape = readonly [
  namespace: readonly [name: string, labels: Pairs],
  podLabels: Pairs,
  serviceAccount: string,
  namedPorts: readonly (readonly [string, NamedPort['protocol'], number])[],
];

/** @param counted per-replica labels that count all the same */
export function identityKeyOf(pod: PodFact, namespaceKey: string, counted: ReadonlySet<string>): string {
  const labels = sortedLabels(pod.labels).filter(([key]) => !PER_REPLICA.has(key) || counted.has(key));
  const account = JSON.stringify(pod.serviceAccount);
  if (pod.namedPorts.length === 0) return `[${namespaceKey},${JSON.stringify(labels)},${account},[]]`;
  const ports = pod.namedPorts
    .map((p) => [p.name, p.protocol, p.port] as const)
    .sort((a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]) || a[2] - b[2]);
  return `[${namespaceKey},${JSON.stringify(labels)},${account},${JSON.stringify(ports)}]`;
}

const NO_PORTS: readonly NamedPort[] = [];

/** Takes keys apart, each once: what a key says never changes, and neither does its number. */
export class IdentityTable {
  private readonly known = new Map<string, IdentityInfo>();
  private readonly byNumber = new Map<number, IdentityInfo>();
  private readonly namespaces = new Map<string, { readonly text: string; readonly labels: Labels }>();
  constructor(private readonly ids: IdSource) {}

  /** Labels of a canonical namespace text. */
  namespaceLabels(namespaceKey: string): Labels {
    return this.namespace(namespaceKey).labels;
  }

  /** @param namespaceKey the part of the key that is the namespace, where that is known: then it is not written out again */
  get(key: string, namespaceKey?: string): IdentityInfo {
    let info = this.known.get(key);
    if (info === undefined) {
      const [[namespace, namespaceLabels], podLabels, serviceAccount, namedPorts] = JSON.parse(key) as KeyShape;
      const { text, labels } = this.namespace(namespaceKey ?? JSON.stringify([namespace, namespaceLabels]));
      const number = this.ids.number('identity', key);
      if (number < FIRST_POD_IDENTITY) throw new RangeError(`identity ${number} is reserved`);
      info = {
        key,
        number: number as Identity,
        text: String(number),
        namespace,
        namespaceKey: text,
        namespaceLabels: labels,
        podLabels: Object.fromEntries(podLabels),
        serviceAccount,
        namedPorts:
          namedPorts.length === 0 ? NO_PORTS : namedPorts.map(([name, protocol, port]) => ({ name, protocol, port })),
      };
      this.known.set(key, info);
      this.byNumber.set(number, info);
    }
    return info;
  }

  /** The identity of a number that was given to one. */
  numbered(number: number): IdentityInfo {
    const info = this.byNumber.get(number);
    if (info === undefined) throw new RangeError(`no identity has the number ${number}`);
    return info;
  }

  /** The same values for every identity of a namespace. */
  private namespace(text: string): { readonly text: string; readonly labels: Labels } {
    let known = this.namespaces.get(text);
    if (known === undefined) {
      const [, pairs] = JSON.parse(text) as KeyShape[0];
      known = { text, labels: Object.fromEntries(pairs) };
      this.namespaces.set(text, known);
    }
    return known;
  }
}
