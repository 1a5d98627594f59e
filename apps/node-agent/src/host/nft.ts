import { familyOf } from '../cni/result.js';

/** Name of the internal port through which the node reaches pods and services. */
export const GATEWAY_INTERFACE = 'heddle0';

/** Cluster and service ranges, canonical text. */
export interface NftRanges {
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
}

/**
 * The whole table `inet heddle`, replaced in one transaction of nft. Three jobs: masquerade what pods send out of the
 * cluster; masquerade what they send to a port of their own node that leads to a pod (hostPort, NodePort, addresses of load
 * balancers), since the answer would else go straight to them, past the translation that this host has to undo; and refuse at
 * once what the switch gives to the host because its service has no endpoints. That comes in from heddle0 and would go out
 * there again, so a rule in `forward` sees it.
 */
export function nftTable({ clusterCidrs, serviceCidrs }: NftRanges): string {
  const chains = {
    postrouting: [
      ...byFamily(clusterCidrs).map(
        ({ match, set }) => `oifname "${GATEWAY_INTERFACE}" ${match} saddr ${set} ct status dnat masquerade`,
      ),
      `oifname "${GATEWAY_INTERFACE}" accept`,
      ...byFamily(clusterCidrs).map(({ match, set }) => `${match} saddr ${set} ${match} daddr != ${set} masquerade`),
    ],
    forward: byFamily(serviceCidrs).flatMap(({ match, set }) => {
      const returning = `iifname "${GATEWAY_INTERFACE}" oifname "${GATEWAY_INTERFACE}" ${match} daddr ${set}`;
      return [`${returning} meta l4proto tcp reject with tcp reset`, `${returning} reject with icmpx port-unreachable`];
    }),
  };
  return [
    // The empty table first, so that the delete finds one.
    'table inet heddle',
    'delete table inet heddle',
    'table inet heddle {',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    ...chains.postrouting.map((rule) => `    ${rule}`),
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    ...chains.forward.map((rule) => `    ${rule}`),
    '  }',
    '}',
    '',
  ].join('\n');
}

function byFamily(cidrs: readonly string[]): { match: 'ip' | 'ip6'; set: string }[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = cidrs.filter((cidr) => familyOf(cidr) === family);
    return own.length === 0
      ? []
      : [{ match: family === 4 ? ('ip' as const) : ('ip6' as const), set: `{ ${own.join(', ')} }` }];
  });
}
