import { createCompiler } from '../compiler.js';
import { cidr } from '../model/brands.js';
import type { ExistingConnections, FactChange, PolicyLogging } from '../model/facts.js';
import {
  attach,
  cluster,
  clusterPolicy,
  clusterRule,
  countingIds,
  endpoints,
  namespace,
  pod,
  podsWith,
  policy,
  service,
} from './facts.js';

/** A small shop, and policies for it, as facts: what the laws of the compiler are tried on. */

export const web = [{ protocol: 'TCP', port: 80 } as const];
export const named = [{ protocol: 'TCP', port: 'http' } as const];
export const http = (port: number) => ({ namedPorts: [{ name: 'http', protocol: 'TCP' as const, port }] });
export const allowFrom = (label: string) => ({ peers: [{ podSelector: { matchLabels: { app: label } } }], ports: web });

export const shop = [
  ...cluster(),
  namespace('shop', { team: 'a' }),
  pod('shop/web-1', { app: 'web' }, http(8080)),
  attach('shop/web-1', 1, 2),
  pod('shop/web-2', { app: 'web' }, http(8080)),
  attach('shop/web-2', 2, 2),
  pod('shop/db-1', { app: 'db' }, http(9090)),
  attach('shop/db-1', 2, 3),
  pod('other/x', { app: 'x' }),
  attach('other/x', 3, 2),
];
export const guard = policy('shop/guard', { podSelector: { matchLabels: { app: 'db' } }, ingress: [allowFrom('web')] });
export const guard2 = policy('shop/guard-2', {
  podSelector: { matchLabels: { app: 'db' } },
  ingress: [allowFrom('web'), { peers: [], ports: [] }],
});
export const open = policy('shop/open', {
  podSelector: {},
  ingress: [{ peers: [], ports: [] }],
  egress: [{ peers: [], ports: [] }],
});
export const out = policy('shop/out', {
  podSelector: {},
  egress: [
    { peers: [{ namespaceSelector: {} }], ports: named },
    { peers: [{ ipBlock: { cidr: cidr('10.0.0.0/8'), except: [cidr('10.1.0.0/16')] } }], ports: web },
  ],
});
export const replica = policy('shop/replica', {
  podSelector: { matchLabels: { 'statefulset.kubernetes.io/pod-name': 'db-1' } },
  ingress: [],
});
export const web80 = [{ protocol: 'TCP', port: 80 } as const];
export const fence = clusterPolicy('fence', {
  priority: 5,
  ingress: [clusterRule('Deny', [podsWith({ app: 'x' })], { ports: web80 }), clusterRule('Pass', [podsWith({})])],
  egress: [clusterRule('Accept', [{ kind: 'nodes', selector: { matchLabels: { zone: 'a' } } }])],
});
export const names = clusterPolicy('names', {
  subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } },
  egress: [
    clusterRule('Accept', [{ kind: 'domains', names: ['example.com', '*.example.com'] }], { ports: web80 }),
    clusterRule('Deny', [{ kind: 'networks', cidrs: [cidr('0.0.0.0/0')] }]),
  ],
});
export const base = clusterPolicy('base', {
  tier: 'Baseline',
  subject: { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: {} },
  ingress: [clusterRule('Deny', [podsWith({ 'statefulset.kubernetes.io/pod-name': 'db-1' })])],
  egress: [clusterRule('Accept', [podsWith({ app: 'db' })], { ports: named })],
});
export const svc = service('shop/web', ['10.96.0.10', 'fd00:10:96::10'], [{ name: 'http', protocol: 'TCP', port: 80 }]);
export const eps = (...list: string[]) => endpoints('shop/web', { http: list });

export const held = (() => {
  const compiler = createCompiler(countingIds());
  compiler.apply(shop);
  return compiler.identityOf('shop', 'db-1')?.key ?? '';
})();

/** The same policy, under its key, with a wish to be told. */
export function telling(change: FactChange, logging: PolicyLogging): FactChange {
  if (change.kind !== 'policy' || change.value === undefined) throw new TypeError(change.kind);
  const name = change.key.split('/')[1] ?? '';
  return { ...change, value: { ...change.value, name, logging } };
}

/** The same policy, with a wish for connections that there are. */
export function regarding(change: FactChange, existing: ExistingConnections): FactChange {
  if (change.kind !== 'policy' || change.value === undefined) throw new TypeError(change.kind);
  return { ...change, value: { ...change.value, existing } };
}
