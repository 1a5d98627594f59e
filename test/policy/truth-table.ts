import { CLUSTER_PEER_CASES } from './cases/cluster-peers.js';
import { CLUSTER_TIER_CASES } from './cases/cluster-tiers.js';
import { EGRESS_CASES } from './cases/egress.js';
import { INGRESS_CASES } from './cases/ingress.js';
import { IP_BLOCK_CASES } from './cases/ip-blocks.js';
import { PORT_CASES } from './cases/ports.js';
import { UPDATE_CASES } from './cases/updates.js';
import type { Case } from './types.js';

/**
 * The truth table of network policies and cluster policies: what must get through and what must not, in the cluster of `cluster.ts`. Data only;
 * the same rows are put to the packet evaluator, to the oracle and to real packets.
 */
export const TRUTH_TABLE: readonly Case[] = [
  ...INGRESS_CASES,
  ...EGRESS_CASES,
  ...PORT_CASES,
  ...IP_BLOCK_CASES,
  ...UPDATE_CASES,
  ...CLUSTER_TIER_CASES,
  ...CLUSTER_PEER_CASES,
];
