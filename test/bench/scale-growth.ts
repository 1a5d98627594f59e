// npm run bench:growth: bench:scale at 5, 10, 20, 40 nodes and at 50, 200, 800 policies, one run after the other.
// Prints one JSON object with a row for each run.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

const RUN = resolve(import.meta.dirname, 'run.mjs');

interface Figures {
  readonly p50: number;
  readonly max: number;
}
type Result = Readonly<Record<string, number | Figures>> & { readonly rss_mb: { readonly controller: number } };

function row(nodes: number, policies: number): object {
  const sizes = ['--nodes', nodes, '--pods', 50, '--policies', policies, '--services', 500, '--rounds', 10];
  const text = execFileSync(process.execPath, [RUN, 'scale', ...sizes.map(String)], {
    encoding: 'utf8',
    timeout: 600_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const result = JSON.parse(text) as Result;
  const p50 = (key: string) => (result[key] as Figures).p50;
  return {
    nodes,
    policies,
    policy_add_ms: p50('policy_add_ms'),
    peer_add_ms: p50('peer_add_ms'),
    endpoint_change_ms: p50('endpoint_change_ms'),
    pod_add_ms: p50('pod_add_ms'),
    cold_pods_s: result.cold_pods_s,
    cold_services_s: result.cold_services_s,
    cold_policies_s: result.cold_policies_s,
    flows_per_node: result.flows_per_node,
    controller_rss_mb: result.rss_mb.controller,
  };
}

console.log(
  JSON.stringify(
    {
      by_nodes: [5, 10, 20, 40].map((nodes) => row(nodes, 200)),
      by_policies: [50, 200, 800].map((policies) => row(20, policies)),
    },
    null,
    1,
  ),
);
