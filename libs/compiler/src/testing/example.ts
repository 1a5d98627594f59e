import { cidr } from '../model/brands.js';
import type { FactChange } from '../model/facts.js';
import {
  attach,
  cluster,
  clusterPolicy,
  clusterRule,
  domain,
  endpoints,
  namespace,
  node,
  pod,
  podsWith,
  policy,
  service,
} from './facts.js';

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

const WEB = { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } };

/** Put on top of both: cluster policies of both tiers for shop/web. */
export const TIERS: readonly FactChange[] = [
  node(3, { zone: 'b' }),
  clusterPolicy('guard', {
    priority: 10,
    subject: WEB,
    ingress: [clusterRule('Deny', [podsWith({ app: 'db' })], { ports: [{ protocol: 'TCP', port: 80 }] })],
    egress: [
      clusterRule('Accept', [{ kind: 'domains', names: ['example.com'] }], { name: 'example' }),
      clusterRule('Pass', [podsWith({ app: 'api' })]),
      clusterRule('Deny', [{ kind: 'nodes', selector: { matchLabels: { zone: 'b' } } }]),
    ],
  }),
  clusterPolicy('base', {
    tier: 'Baseline',
    priority: 0,
    subject: WEB,
    ingress: [clusterRule('Deny', [podsWith({ app: 'api' })])],
    egress: [clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('203.0.113.0/24')] }])],
  }),
  clusterPolicy('everybody', {
    priority: 1000,
    egress: [clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('198.51.100.0/24')] }])],
  }),
  domain('example.com', '198.51.100.7'),
];
