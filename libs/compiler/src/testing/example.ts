import { cidr } from '../model/brands.js';
import type { FactChange } from '../model/facts.js';
import { attach, cluster, endpoints, namespace, pod, policy, service } from './facts.js';

/**
 * The cluster of the examples in PIPELINE.md: shop/web and shop/db on node1, shop/api on node2, one service, and policies
 * for the database.
 */
export const EXAMPLE: readonly FactChange[] = [
  ...cluster(),
  namespace('shop'),
  pod('shop/web', { app: 'web' }),
  attach('shop/web', 1, 2),
  pod('shop/db', { app: 'db' }),
  attach('shop/db', 1, 3),
  pod('shop/api', { app: 'api' }),
  attach('shop/api', 2, 2),
  service('shop/api', ['10.96.0.10', 'fd00:10:96::10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('shop/api', { '': ['10.244.2.2 8080', 'fd00:10:244:2::2 8080'] }),
  service('shop/old', ['10.96.0.11'], [{ name: '', protocol: 'TCP', port: 80 }]),
  policy('shop/db', {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ peers: [{ podSelector: { matchLabels: { app: 'api' } } }], ports: [{ protocol: 'TCP', port: 5432 }] }],
    egress: [
      { peers: [{ podSelector: { matchLabels: { app: 'api' } } }], ports: [] },
      { peers: [{ ipBlock: { cidr: cidr('192.0.2.0/24'), except: [cidr('192.0.2.0/25')] } }], ports: [] },
    ],
  }),
];

/** Put on top of the example: a policy that wants to be told of all that it decides. */
export const TOLD: readonly FactChange[] = [
  policy('shop/web', {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [{ peers: [{ podSelector: { matchLabels: { app: 'api' } } }], ports: [] }],
    logging: 'all',
  }),
];
