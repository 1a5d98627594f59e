import { factKey, nodeName } from '@heddle/compiler';
import type { Allocations } from '../allocation/allocations.js';
import type { Clock } from '../clock.js';
import type { Config } from '../config/config.js';
import type { AgentContacts } from '../core/agent-contacts.js';
import { DepartedNodes } from '../core/departed-nodes.js';
import type { Engine } from '../core/engine.js';
import type { OvsdbPort, SwitchesPort } from '../core/ports.js';
import type { World } from '../core/world.js';
import type { Logger } from '../logging/logger.js';
import type { Metrics } from '../metrics/metrics.js';
import type { KubernetesSource } from '../source/kubernetes/kubernetes-source.js';

/** The parts of a running controller that are asked, and told. */
export interface DepartedParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly engine: Engine;
  readonly allocations: Allocations;
  readonly contacts: AgentContacts;
  readonly world: World;
  readonly switches: SwitchesPort;
  readonly ovsdb: OvsdbPort;
}

/** An agent asks for its configuration as soon as it has been answered; after a failure it rests for some seconds. */
const AGENT_MS = 60_000;

/** What removes nodes that the cluster has no more; undefined if nothing does. */
export function createDepartedNodes(
  parts: DepartedParts,
  source: KubernetesSource,
  clock: Clock,
): DepartedNodes | undefined {
  const { config, logger, metrics, engine, allocations, contacts, world, switches, ovsdb } = parts;
  const graceMs = config.source.kind === 'kubernetes' ? config.source.nodeGraceMs : 0;
  if (graceMs === 0) return undefined;
  return new DepartedNodes({
    clock,
    graceMs,
    registered: () => allocations.nodes.all().map(({ name }) => name),
    // Every object counts, also one that nothing could be made of.
    present: () => (engine.inSync && !source.inTrouble('Node') ? source.about('Node') : undefined),
    connected(node) {
      if (switches.state(nodeName(node))?.connected === true) return 'its switch';
      if (ovsdb.state(nodeName(node))?.connected === true) return 'the database of its switch';
      return contacts.connected(node, Math.min(AGENT_MS, graceMs)) ? 'its agent' : undefined;
    },
    pods(nodes) {
      const counts = new Map<string, number>();
      for (const pod of world.objects.pods.values())
        if (nodes.has(pod.nodeName) && pod.finished !== true)
          counts.set(pod.nodeName, (counts.get(pod.nodeName) ?? 0) + 1);
      return counts;
    },
    async remove(node) {
      const { removed, detached } = await engine.removeNode(node, true);
      metrics.nodesDeparted.inc();
      logger.warn({
        event: 'node-removed',
        node,
        because: 'it has no Node object any more',
        blocks: removed.blocks.map(({ cidr }) => cidr),
        detached: detached.map(({ record }) => factKey(record.namespace, record.pod)),
      });
    },
    events: {
      absent: (node) => logger.info({ event: 'node-absent', node }),
      kept: (node, reason) => logger.warn({ event: 'node-kept', node, reason }),
      failed: (node, error) => logger.error({ event: 'node-removal-failed', node, error }),
    },
  });
}
