import type { Action, Instruction, Match } from 'openflow-ts/codec';
import type { Feature, Flow, ObjectRef, Provenance } from '../model/output.js';
import { checkFlow } from './contract.js';
import { cookie } from './cookie.js';
import { PIPELINE, TABLE_ID, type TableName } from './tables.js';

/** Whom a flow is for: one value for all flows of an object, so that it exists once. */
export interface Origin {
  readonly cookie: bigint;
  readonly provenance: Provenance;
}

export const origin = (feature: Feature, objectId: number, owners: readonly ObjectRef[], why: string): Origin => ({
  cookie: cookie(feature, objectId),
  provenance: { feature, owners, why },
});

/** Same object, another sentence. */
export const because = (o: Origin, why: string): Origin => ({
  cookie: o.cookie,
  provenance: { feature: o.provenance.feature, owners: o.provenance.owners, why },
});

type MatchValue = number | bigint | readonly [number | bigint, number | bigint];

/** Identity of a flow in a switch. Equal table, priority and match give equal text, whatever the order of the fields. */
export function flowKey(tableId: number, priority: number, match: Match): string {
  const fields = match as Readonly<Record<string, MatchValue>>;
  const names = Object.keys(fields);
  // Sorting is the dear part and mostly not needed: features write matches in the same order again and again.
  for (let i = 1; i < names.length; i++)
    if ((names[i - 1] as string) > (names[i] as string)) {
      names.sort();
      break;
    }
  let text = `${tableId},${priority}`;
  for (const name of names) {
    const value = fields[name] as MatchValue;
    text += Array.isArray(value)
      ? `,${name}=${value[0].toString(16)}/${value[1].toString(16)}`
      : `,${name}=${value.toString(16)}`;
  }
  return text;
}

// Not named "then": a module with such an export looks like a promise to import(), which then never settles.
/** Actions, then the table that the packet goes on to. Nothing of both drops it. */
export function act(actions: readonly Action[], next?: TableName): readonly Instruction[] {
  const out: Instruction[] = [];
  if (actions.length > 0) out.push({ kind: 'apply_actions', actions });
  if (next !== undefined) out.push({ kind: 'goto_table', table: TABLE_ID[next] });
  return out;
}

/** Drops the packet; the flow's counters tell how many. */
export const DROP: readonly Instruction[] = [];

const GOTO = new Map<TableName, readonly Instruction[]>(PIPELINE.map((t) => [t.name, act([], t.name)]));
/** Only goes on; the same value for every flow that does. */
export const goTo = (next: TableName): readonly Instruction[] => GOTO.get(next) as readonly Instruction[];

/**
 * Whether a flow is a condition of a rule, a clause of its conjunctive match: it names conjunctions and does nothing else (Open
 * vSwitch takes no other action beside them), so it decides nothing by itself.
 */
export function isClause({ instructions: [first] }: Pick<Flow, 'instructions'>): boolean {
  return first?.kind === 'apply_actions' && first.actions[0]?.kind === 'conjunction';
}

/** Makes a flow and checks it against its table. @throws PipelineContractError */
export function makeFlow(
  table: TableName,
  priority: number,
  match: Match,
  instructions: readonly Instruction[],
  from: Origin,
): Flow {
  const tableId = TABLE_ID[table];
  checkFlow(tableId, match, instructions);
  return {
    key: flowKey(tableId, priority, match),
    tableId,
    priority,
    match,
    instructions,
    cookie: from.cookie,
    provenance: from.provenance,
  };
}
