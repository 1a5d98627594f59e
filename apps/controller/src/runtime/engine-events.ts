import type { EngineEvents } from '../core/engine.js';
import type { Logger } from '../logging/logger.js';
import type { Metrics } from '../metrics/metrics.js';

/** Turns what the engine tells into metrics and log lines. */
export function engineEvents(metrics: Metrics, logger: Logger): Omit<EngineEvents, 'nodeRemoved'> {
  return {
    compiled({ generation, changes, nodes, durationMs, steps }) {
      metrics.compileSeconds.observe(durationMs / 1_000);
      for (const [step, count] of Object.entries(steps)) metrics.compileSteps.inc({ step }, count);
      logger.info({ event: 'compiled', generation, changes, nodes, durationMs: Math.round(durationMs * 100) / 100 });
    },
    realized({ node, generation, latencyMs, changed }) {
      // What concerns a switch in nothing it has at once, which says nothing about it.
      if (changed) metrics.realizationSeconds.observe({ node }, latencyMs / 1_000);
      logger.debug({ event: 'realized', node, generation, latencyMs: Math.round(latencyMs * 100) / 100 });
    },
    acknowledged({ generation, latencyMs }) {
      logger.info({ event: 'acknowledged', generation, latencyMs: Math.round(latencyMs * 100) / 100 });
    },
    failed({ what, error }) {
      logger.error({ event: 'operation-failed', what, error });
    },
  };
}
