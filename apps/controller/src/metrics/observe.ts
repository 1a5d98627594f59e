import { nodeName } from '@heddle/compiler';
import { partsOfPolicy } from '../policy-log/policy-log.js';
import type { Runtime } from '../runtime/runtime.js';

/** Lets the gauges read the running controller. */
export function observe({
  metrics,
  engine,
  source,
  world,
  allocations,
  switches,
  compiler,
  domains,
  tls,
  contacts,
  policyWatch: { counters },
}: Runtime): void {
  metrics.observe({
    policyPackets: () =>
      counters.foremost().flatMap(({ policy: key, allowed, denied }) => {
        const { namespace, name: policy } = partsOfPolicy(key);
        return [
          { namespace, policy, verdict: 'allowed' as const, packets: allowed },
          { namespace, policy, verdict: 'denied' as const, packets: denied },
        ];
      }),
    policyDrops: () => counters.drops(),
    generation: () => engine.generation,
    problems: () => {
      const all = source.problems();
      const errors = all.filter((p) => p.severity === 'error').length;
      return { errors: errors + world.problems.length, warnings: all.length - errors };
    },
    tls: () => tls && { ...tls.current, refused: tls.trouble !== undefined },
    agentCertificates: () => contacts.certificateEnds(),
    attachments: () => allocations.attachments.size,
    heldPods: () => engine.heldPods,
    names: () => {
      const { answers: read, ...stats } = domains.observer.stats;
      return { read, ...stats, packetsAgain: domains.firstPackets.total };
    },
    nodes: () =>
      allocations.nodes.all().map(({ name }) => {
        const state = switches.state(nodeName(name));
        const wanted = compiler.node(nodeName(name));
        return {
          name,
          connected: state?.connected ?? false,
          realizedGeneration: state?.realizedGeneration ?? 0,
          flows: wanted?.flows.size ?? 0,
          groups: wanted?.groups.size ?? 0,
          modsSent: state?.modsSent ?? 0,
        };
      }),
  });
}
