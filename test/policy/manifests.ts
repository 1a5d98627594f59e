import type { ClusterNetworkPolicyManifest, NetworkPolicyManifest, Peer } from './types.js';

/** What the addresses in the table stand for in one cluster. */
export interface AddressBook {
  /** Every address of a pod, given `NS/NAME`. */
  readonly podIps: (pod: string) => readonly string[];
  /** The pod network, a CIDR for each family in use. */
  readonly clusterCidrs: readonly string[];
}

const isV6 = (text: string): boolean => text.includes(':');
const ALL = ['0.0.0.0/0', '::/0'] as const;

/** CIDRs that a CIDR of the table stands for, at most one of each family. */
function cidrsOf(text: string, book: AddressBook): readonly string[] {
  if (text === 'cluster') return book.clusterCidrs;
  if (text === 'all') return ALL.filter((c) => book.clusterCidrs.some((k) => isV6(k) === isV6(c)));
  if (text.startsWith('pod:'))
    return book.podIps(text.slice('pod:'.length)).map((ip) => `${ip}/${isV6(ip) ? 128 : 32}`);
  return [text];
}

function expandPeer(peer: Peer, book: AddressBook): readonly Peer[] {
  if (peer.ipBlock === undefined) return [peer];
  const except = (peer.ipBlock.except ?? []).flatMap((e) => cidrsOf(e, book));
  return cidrsOf(peer.ipBlock.cidr, book).map((cidr) => {
    // The API server refuses exceptions of the other family.
    const own = except.filter((e) => isV6(e) === isV6(cidr));
    return { ipBlock: { cidr, ...(own.length > 0 ? { except: own } : {}) } };
  });
}

/** The manifest with real addresses, ready for `kubectl apply`. */
export function expandAddresses(manifest: NetworkPolicyManifest, book: AddressBook): NetworkPolicyManifest {
  const { ingress, egress, ...rest } = manifest.spec;
  const peers = (list: readonly Peer[]) => list.flatMap((p) => expandPeer(p, book));
  return {
    ...manifest,
    spec: {
      ...rest,
      ...(ingress ? { ingress: ingress.map((r) => (r.from ? { ...r, from: peers(r.from) } : r)) } : {}),
      ...(egress ? { egress: egress.map((r) => (r.to ? { ...r, to: peers(r.to) } : r)) } : {}),
    },
  };
}

/** The same for a cluster policy. */
export function expandNetworks(
  manifest: ClusterNetworkPolicyManifest,
  book: AddressBook,
): ClusterNetworkPolicyManifest {
  const { egress, ...rest } = manifest.spec;
  if (egress === undefined) return manifest;
  const rules = egress.map((rule) => ({
    ...rule,
    to: rule.to.map((peer) =>
      'networks' in peer ? { networks: peer.networks.flatMap((text) => cidrsOf(text, book)) } : peer,
    ),
  }));
  return { ...manifest, spec: { ...rest, egress: rules } };
}
