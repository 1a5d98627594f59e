import { type Entry, index, type Memo, memo, type Root, root } from '../engine/steps.js';
import type { Ip } from '../model/brands.js';
import { type Prefix, prefixOf } from '../pipeline/address.js';
import { sorted } from '../policy/canonical.js';
import { compileSelector } from '../policy/selector.js';
import type { PeerShape } from '../policy/shape.js';
import { nodeAddresses } from './node.js';

/** Names of nodes; one key, ''. */
const nodeNames = index('nodeNames', 0);
/** Domain names by each of their suffixes: `a.b.c` is under `b.c` and under `c`. */
const domainsUnder = index('domainsUnder', 0);

const WILDCARD = '*.';

export interface PeerAddresses {
  readonly roots: readonly Root[];
  /** Addresses that a peer stands for now, pods apart. */
  readonly of: Memo<readonly Prefix[]>;
}
/** Key of `PeerAddresses.of`; undefined for peers whose addresses the policy says itself. */
export function addressKey(peer: PeerShape): string | undefined {
  if (peer.kind === 'nodes') return JSON.stringify(['nodes', peer.selector]);
  if (peer.kind === 'domains') return JSON.stringify(['domains', ...peer.names]);
  return undefined;
}

/** What peers mean that are neither pods nor ranges: machines by their labels, domains by the answers that were seen. */
export function peerAddresses(): PeerAddresses {
  const names = root('nodeNames', 0, 'node', (key, cx) =>
    cx.fact('node', key) === undefined ? undefined : { entries: [[nodeNames, '', key]] },
  );
  const suffixes = root('domainSuffixes', 0, 'domain', (key, cx) => {
    if (cx.fact('domain', key) === undefined) return undefined;
    const labels = key.split('.');
    return { entries: labels.slice(1).map((_, i): Entry => [domainsUnder, labels.slice(i + 1).join('.'), key]) };
  });
  const ofNodes = memo<readonly Ip[]>('nodePeers', (selector, cx) => {
    const matches = compileSelector(selector);
    return sorted(cx.members(nodeNames, '')).flatMap((name) => {
      const node = cx.fact('node', name);
      return node !== undefined && matches(node.labels ?? {}) ? nodeAddresses(node, [4, 6]) : [];
    });
  });
  const ofDomain = memo<readonly Ip[]>('domainPeers', (name, cx) =>
    name.startsWith(WILDCARD)
      ? sorted(cx.members(domainsUnder, name.slice(WILDCARD.length))).flatMap(
          (found) => cx.fact('domain', found)?.addresses ?? [],
        )
      : (cx.fact('domain', name)?.addresses ?? []),
  );
  const of = memo<readonly Prefix[]>('peerAddresses', (key, cx) => {
    const [kind, ...list] = JSON.parse(key) as string[];
    const addresses = list.flatMap((text) => cx.read(kind === 'nodes' ? ofNodes : ofDomain, text));
    return [...new Set(addresses)].map(prefixOf);
  });
  return { roots: [names, suffixes], of };
}
