import { COOKIE_OURS, type Flow, GROUP_IDS, type Group, type NodeDelta, type NodeName } from '@heddle/compiler';
import { flowKey, type Instruction, type Match } from 'openflow-ts';

const PROVENANCE = {
  feature: 'pod',
  owners: [{ kind: 'Pod', namespace: 'test', name: 'a' }],
  why: 'a test wants it',
} as const;

/** A flow made by hand. */
export function testFlow(
  tableId: number,
  priority: number,
  match: Match,
  instructions: readonly Instruction[] = [],
  object = 1,
): Flow {
  const key = flowKey({ tableId, priority, match });
  const cookie = COOKIE_OURS | BigInt(object);
  return { key, tableId, priority, match, instructions, cookie, provenance: PROVENANCE };
}

/** A select group made by hand; `n` counts from the first id of ours. */
export function testGroup(n: number, outputs: readonly number[]): Group {
  const buckets = outputs.map((port, i) => ({
    bucketId: i + 1,
    weight: 100,
    actions: [{ kind: 'output', port } as const],
  }));
  return { id: GROUP_IDS.min + n, buckets, provenance: PROVENANCE };
}

/** A desired state that a test changes, in place of the compiler. */
export class HandMadeState {
  readonly flows = new Map<string, Flow>();
  readonly groups = new Map<number, Group>();
  generation = 0;

  constructor(readonly node: NodeName) {}

  /** Puts and removes things; the delta says which. */
  change(put: readonly (Flow | Group)[], remove: readonly (Flow | Group)[] = []): ReadonlyMap<NodeName, NodeDelta> {
    this.generation++;
    const flows = new Set<string>();
    const groups = new Set<number>();
    for (const one of remove)
      if ('key' in one) {
        this.flows.delete(one.key);
        flows.add(one.key);
      } else {
        this.groups.delete(one.id);
        groups.add(one.id);
      }
    for (const one of put)
      if ('key' in one) {
        this.flows.set(one.key, one);
        flows.add(one.key);
      } else {
        this.groups.set(one.id, one);
        groups.add(one.id);
      }
    return new Map([[this.node, { flows, groups }]]);
  }
}
