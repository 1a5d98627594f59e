/** Paths of the REST API. `:name` segments are filled by `encodeURIComponent`. */
export const ROUTES = {
  health: '/health',
  livez: '/livez',
  readyz: '/readyz',
  metrics: '/metrics',
  openapi: '/v1/openapi.json',
  status: '/v1/status',
  nodes: '/v1/nodes',
  node: '/v1/nodes/:name',
  nodeFlows: '/v1/nodes/:name/flows',
  pods: '/v1/pods',
  services: '/v1/services',
  policies: '/v1/policies',
  domains: '/v1/domains',
  policyCounters: '/v1/policies/:namespace/:name/counters',
  clusterPolicyCounters: '/v1/cluster-policies/:name/counters',
  policyTotals: '/v1/policy-totals',
  policyLog: '/v1/policy-log',
  problems: '/v1/problems',
  explain: '/v1/explain',
  agentNode: '/v1/agent/nodes/:name',
  agentNodeConfig: '/v1/agent/nodes/:name/config',
  agentAttachments: '/v1/agent/nodes/:name/attachments',
  agentNodeRealized: '/v1/agent/nodes/:name/realized',
  agentAttach: '/v1/agent/attach',
  agentDetach: '/v1/agent/detach',
  agentRealized: '/v1/agent/realized',
} as const;

/** Fills the `:name` segments of a route, in order. */
export function path(route: string, ...names: readonly string[]): string {
  let i = 0;
  return route.replace(/:[a-z]+/g, () => encodeURIComponent(names[i++] ?? ''));
}
