import type { Action, Instruction } from 'openflow-ts/codec';
import { equal } from '../engine/equal.js';
import type { Env } from '../features/env.js';
import type { Flow, ObjectRef } from '../model/output.js';
import { cookie, objectIdOf } from '../pipeline/cookie.js';
import { isClause } from '../pipeline/flow.js';
import { REGISTERS } from '../pipeline/registers.js';
import { compareText } from '../policy/canonical.js';

type Conjunction = Extract<Action, { kind: 'conjunction' }>;
type SetField = Extract<Action, { kind: 'set_field' }>;

const refText = (o: ObjectRef): string => `${o.kind}/${o.namespace}/${o.name}`;
const sortText = (f: Flow): string => `${f.provenance.owners.map(refText).join(' ')} ${f.provenance.why}`;

function actionsOf(flow: Flow): readonly Action[] {
  const first = flow.instructions[0];
  return first?.kind === 'apply_actions' ? first.actions : [];
}

const clausesOf = (flow: Flow): readonly Conjunction[] | undefined =>
  isClause(flow) ? (actionsOf(flow) as readonly Conjunction[]) : undefined;

const VERDICTS: ReadonlySet<string> = new Set([REGISTERS.egressRule.field, REGISTERS.ingressRule.field]);
/** The action that names the deciding rule, in a flow that allows something. */
const verdictOf = (flow: Flow): SetField | undefined =>
  actionsOf(flow).find((a): a is SetField => a.kind === 'set_field' && VERDICTS.has(a.field));

/**
 * One flow out of several that match the same at the same priority, so that each object behind them is served: clauses of
 * different rules are carried side by side, rules that allow the same are named together, equal flows have several owners.
 * Facts that contradict each other (two pods with one address) give the flow of the first owner by name: some defined one.
 */
export function mergeFlows(env: Env, flows: readonly Flow[]): Flow {
  const list = [...flows].sort((a, b) => compareText(sortText(a), sortText(b)));
  const first = list[0] as Flow;
  const owners = [...new Map(list.flatMap((f) => f.provenance.owners).map((o) => [refText(o), o]))]
    .sort((a, b) => compareText(a[0], b[0]))
    .map(([, o]) => o);
  const { feature } = first.provenance;
  const combined = (instructions: readonly Instruction[], why: string, object: number): Flow => ({
    ...first,
    instructions,
    cookie: cookie(feature, object),
    provenance: { feature, owners, why },
  });
  const objects = () => [...new Set(list.map((f) => objectIdOf(f.cookie)))].sort((a, b) => a - b);
  // The number hangs on the match, not on the owners: it stays while owners come and go.
  const shared = () => env.ids.number('object', `shared/${first.key}`);

  const clauses = list.map(clausesOf);
  if (clauses.every((c) => c !== undefined)) {
    const distinct = new Map(clauses.flat().map((c) => [`${c.id}/${c.clause}`, c]));
    const actions = [...distinct.values()].sort((a, b) => a.id - b.id || a.clause - b.clause);
    // Clauses of one rule only, which has several conjunctions: the flow stays the rule's own.
    if (list.every((f) => f.cookie === first.cookie))
      return { ...first, instructions: [{ kind: 'apply_actions', actions }] };
    return combined([{ kind: 'apply_actions', actions }], 'A condition that several rules share.', shared());
  }
  if (list.every((f) => equal(f.instructions, first.instructions))) {
    if (list.every((f) => f.cookie === first.cookie)) return first;
    return combined(first.instructions, first.provenance.why, shared());
  }
  if (list.every((f) => verdictOf(f) !== undefined)) {
    const object = shared();
    const instructions = first.instructions.map((i) =>
      i.kind !== 'apply_actions'
        ? i
        : { ...i, actions: i.actions.map((a) => (a === verdictOf(first) ? { ...a, value: object } : a)) },
    );
    const flow = combined(instructions, list.map((f) => f.provenance.why).join(' '), object);
    return { ...flow, provenance: { ...flow.provenance, objects: objects() } };
  }
  return first;
}
