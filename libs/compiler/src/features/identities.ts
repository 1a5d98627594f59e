import { sameElements } from '../engine/equal.js';
import type { Keyed } from '../engine/spaces.js';
import { type Context, type Entry, index, type Memo, memo, type Root, root } from '../engine/steps.js';
import type {
  ClusterPeer,
  ClusterPolicyFact,
  ClusterRule,
  LabelSelector,
  NetworkPolicyFact,
  PolicyPeer,
  PolicyRule,
} from '../model/facts.js';
import { compound, parts, sortBy, sortTexts } from '../policy/canonical.js';
import { type IdentityInfo, identityKeyOf, isPerReplicaLabel, namespaceKeyOf } from '../policy/identity.js';
import { compileSelector, labelKeysOf, requiredLabel } from '../policy/selector.js';
import { DIRECTIONS } from '../policy/shape.js';
import type { Env } from './env.js';

/** Per-replica labels that policies select on; one key, ''. */
const countedLabels = index('countedLabels', 0);
/** Canonical namespace texts in use; one key, ''. */
const namespaceKeys = index('namespaceKeys', 2);
/** Canonical texts by namespace name: more than one only while pods are held at an identity of before. */
const namespaceKeysNamed = index('namespaceKeysNamed', 2);
/** Canonical texts by label of the namespace, so that a selector looks at candidates and not at every namespace. */
const namespacesWithLabel = index('namespacesWithLabel', 3);
/** Identity keys by canonical namespace text. */
const identitiesOfNamespace = index('identitiesOfNamespace', 2);

/** Nodes by identity number, and pods by identity number. */
export const nodesOfIdentity = index('nodesOfIdentity', 1);
export const podsOfIdentity = index('podsOfIdentity', 1);
/** Nodes that have a pod; one key, ''. */
export const nodesWithPods = index('nodesWithPods', 1);

/** Pods of a namespace, by the namespace's name. */
export const podsInNamespace = (namespace: string, podSelector: string): string =>
  compound('namespace', namespace, podSelector);
/** Pods of all namespaces that a selector selects. */
export const podsAcross = (namespaceSelector: string, podSelector: string): string =>
  compound('selector', namespaceSelector, podSelector);

/** Selectors of pods in a policy of either kind. */
function podSelectorsOf(policy: NetworkPolicyFact | ClusterPolicyFact): readonly LabelSelector[] {
  const out = ['subject' in policy ? policy.subject.podSelector : policy.podSelector];
  for (const direction of DIRECTIONS) {
    const rules: readonly (PolicyRule | ClusterRule)[] = policy[direction] ?? [];
    for (const { peers } of rules)
      for (const peer of peers as readonly (PolicyPeer | ClusterPeer)[])
        if ('podSelector' in peer && peer.podSelector !== undefined) out.push(peer.podSelector);
  }
  return out;
}

const keyOf = ({ key }: IdentityInfo): string => key;

export interface Identities {
  readonly roots: readonly Root[];
  /** Identity of what the pod's labels say now, by NAMESPACE/NAME; undefined for unknown pods and those of the host network. */
  readonly ofLabels: Memo<IdentityInfo | undefined>;
  /** Identity that the pod's packets carry: a held one first. */
  readonly ofPod: Memo<IdentityInfo | undefined>;
  /** Identities that a selection (`podsInNamespace`, `podsAcross`) selects, in a fixed order. */
  readonly selected: Memo<readonly IdentityInfo[]>;
  /** What is kept by the name of a namespace. */
  readonly byNamespace: readonly Keyed[];
}

export function identities(env: Env): Identities {
  const sameInfo = (a: IdentityInfo | undefined, b: IdentityInfo | undefined) => a === b;

  const policyLabels = (['policy', 'clusterPolicy'] as const).map((kind) =>
    root(`${kind}Labels`, 0, kind, (key, cx) => {
      const policy = cx.fact(kind, key);
      if (policy === undefined) return undefined;
      const entries: Entry[] = [];
      for (const selector of podSelectorsOf(policy))
        for (const label of labelKeysOf(selector))
          if (isPerReplicaLabel(label)) entries.push([countedLabels, '', label]);
      return entries.length === 0 ? undefined : { entries };
    }),
  );

  const counted = memo<ReadonlySet<string>>('countedLabels', (_, cx) => new Set(cx.members(countedLabels, '')));
  const namespaceKey = memo('namespace', (name, cx) => namespaceKeyOf(name, cx.fact('namespace', name)?.labels ?? {}));

  const ofLabels = memo<IdentityInfo | undefined>(
    'identity',
    (key, cx) => {
      const pod = cx.fact('pod', key);
      if (pod === undefined || pod.hostNetwork) return undefined;
      const namespace = cx.read(namespaceKey, pod.namespace);
      return env.identities.get(identityKeyOf(pod, namespace, cx.read(counted, '')), namespace);
    },
    sameInfo,
  );
  const ofPod = memo<IdentityInfo | undefined>(
    'podIdentity',
    (key, cx) => {
      const now = cx.read(ofLabels, key);
      const hold = cx.fact('hold', key);
      return now === undefined || hold === undefined ? now : env.identities.get(hold.identityKey);
    },
    sameInfo,
  );

  const podRoles = root('podRoles', 1, 'pod', (key, cx) => {
    const now = cx.read(ofLabels, key);
    if (now === undefined) return undefined;
    const carried = cx.read(ofPod, key);
    const node = cx.fact('attachment', key)?.node;
    const entries: Entry[] = node === undefined ? [] : [[nodesWithPods, '', node]];
    // Policies cover what the pod carries and what its labels say: neither moment of a change is without them.
    for (const info of carried === undefined || carried === now ? [now] : [now, carried]) {
      entries.push([podsOfIdentity, info.text, key]);
      if (node !== undefined) entries.push([nodesOfIdentity, info.text, node]);
    }
    return { entries };
  });

  // Once for all replicas.
  const identityRoles = root('identityRoles', 2, podsOfIdentity, (number) => {
    const info = env.identities.numbered(Number(number));
    return {
      entries: [
        [namespaceKeys, '', info.namespaceKey],
        [namespaceKeysNamed, info.namespace, info.namespaceKey],
        [identitiesOfNamespace, info.namespaceKey, info.key],
      ],
    };
  });

  const namespaceLabels = root('namespaceLabels', 3, identitiesOfNamespace, (key) => ({
    entries: Object.entries(env.identities.namespaceLabels(key)).map(
      ([name, value]): Entry => [namespacesWithLabel, compound(name, value), key],
    ),
  }));

  const selectedNamespaces = memo<readonly string[]>(
    'selectedNamespaces',
    (selector, cx) => {
      const matches = compileSelector(selector);
      const needed = requiredLabel(selector);
      const candidates =
        needed === undefined
          ? [cx.members(namespaceKeys, '')]
          : needed.values.map((value) => cx.members(namespacesWithLabel, compound(needed.key, value)));
      const out: string[] = [];
      for (const list of candidates)
        for (const key of list) if (matches(env.identities.namespaceLabels(key))) out.push(key);
      return sortTexts(out);
    },
    sameElements,
  );

  const namespacesOf = (selection: readonly string[], cx: Context): Iterable<string> =>
    selection[0] === 'namespace'
      ? cx.members(namespaceKeysNamed, selection[1] as string).list()
      : cx.read(selectedNamespaces, selection[1] as string);

  const selected = memo<readonly IdentityInfo[]>(
    'selector',
    (key, cx) => {
      const selection = parts(key);
      const matches = compileSelector(selection[2] as string);
      const out: IdentityInfo[] = [];
      for (const namespace of namespacesOf(selection, cx))
        for (const identityKey of cx.members(identitiesOfNamespace, namespace).list()) {
          const info = env.identities.get(identityKey);
          if (matches(info.podLabels)) out.push(info);
        }
      // A copy is no longer than it must be.
      return sortBy(out, keyOf).slice();
    },
    sameElements,
  );

  return {
    roots: [...policyLabels, podRoles, identityRoles, namespaceLabels],
    ofLabels,
    ofPod,
    selected,
    byNamespace: [namespaceKey, namespaceKeysNamed],
  };
}
