import type { Action, Bucket, Instruction, Match } from 'openflow-ts/codec';
import type { Flow, Group, NodeFlowSet } from '../../model/output.js';

/** Hand-made flow sets for tests of the evaluator. */
const provenance = { feature: 'pipeline', owners: [], why: 'made by hand' } as const;

let serial = 0;

export function flow(tableId: number, priority: number, match: Match, actions: readonly Action[], goto?: number): Flow {
  const instructions: Instruction[] = [];
  if (actions.length > 0) instructions.push({ kind: 'apply_actions', actions });
  if (goto !== undefined) instructions.push({ kind: 'goto_table', table: goto });
  const key = `hand ${++serial}`;
  return { key, tableId, priority, match, instructions, cookie: BigInt(serial), provenance };
}

export const group = (id: number, ...buckets: (readonly Action[])[]): Group => ({
  id,
  buckets: buckets.map((actions, i): Bucket => ({ bucketId: i + 1, weight: 100, actions })),
  provenance,
});

export const flowSet = (flows: readonly Flow[], groups: readonly Group[] = []): NodeFlowSet => ({
  flows: new Map(flows.map((f) => [f.key, f])),
  groups: new Map(groups.map((g) => [g.id, g])),
});
