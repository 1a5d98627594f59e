import type { NodeName } from '@heddle/compiler';
import type { SouthboundLogger } from './desired.js';

/** From where nodes' switches and databases may connect. */
export interface Origins {
  readonly logger: SouthboundLogger;
  /** Whether what speaks for the node may come from there; default: from anywhere. */
  readonly permits?: ((node: NodeName, remote: string) => boolean) | undefined;
}

/** Whether a connection of a node comes from where it may not, although its certificate is good; logged as `event`. */
export function isForeign({ logger, permits }: Origins, event: string, node: NodeName, remote: string): boolean {
  if (permits?.(node, remote) !== false) return false;
  logger.warn({ event, node, remote, reason: "it comes from another address than the node's agent" });
  return true;
}
