import type { Action, Instruction } from 'openflow-ts/codec';
import { equal } from '../engine/equal.js';
import type { Env } from '../features/env.js';
import type { Flow, ObjectRef, Provenance } from '../model/output.js';
import { cookie, objectIdOf } from '../pipeline/cookie.js';
import { isClause } from '../pipeline/flow.js';
import { REGISTERS } from '../pipeline/registers.js';
import { sorted } from '../policy/canonical.js';

type Conjunction = Extract<Action, { kind: 'conjunction' }>;
type SetField = Extract<Action, { kind: 'set_field' }>;

// A flow that every policy of a node has a part in is put together anew with each of them: what it is ordered by is not.
const REF_TEXTS = new WeakMap<ObjectRef, string>();
const ORDER_TEXTS = new WeakMap<Provenance, string>();

function refText(o: ObjectRef): string {
  let text = REF_TEXTS.get(o);
  if (text === undefined) {
    text = `${o.kind}/${o.namespace}/${o.name}`;
    REF_TEXTS.set(o, text);
  }
  return text;
}

function orderText({ provenance }: Flow): string {
  let text = ORDER_TEXTS.get(provenance);
  if (text === undefined) {
    text = `${provenance.owners.map(refText).join(' ')} ${provenance.why}`;
    ORDER_TEXTS.set(provenance, text);
  }
  return text;
}

/** Puts a flow where it belongs in a list that is in the order in which `mergeFlows` wants them. */
export function insertInOrder(list: Flow[], flow: Flow): void {
  const text = orderText(flow);
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (orderText(list[middle] as Flow) > text) high = middle;
    else low = middle + 1;
  }
  list.splice(low, 0, flow);
}

/** Everybody behind the flows once, by name. */
function ownersOf(flows: readonly Flow[]): readonly ObjectRef[] {
  const byText = new Map<string, ObjectRef>();
  for (const { provenance } of flows) for (const owner of provenance.owners) byText.set(refText(owner), owner);
  return sorted(byText.keys()).map((text) => byText.get(text) as ObjectRef);
}

/** Clauses in the order of their conjunctions, each once. */
function inOrder(clauses: Conjunction[]): readonly Conjunction[] {
  clauses.sort((a, b) => a.id - b.id || a.clause - b.clause);
  return clauses.filter((c, i) => i === 0 || c.id !== clauses[i - 1]?.id || c.clause !== clauses[i - 1]?.clause);
}

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
 * @param list put together by `insertInOrder`
 */
export function mergeFlows(env: Env, list: readonly Flow[]): Flow {
  const first = list[0] as Flow;
  const { feature } = first.provenance;
  const combined = (instructions: readonly Instruction[], why: string, object: number): Flow => ({
    ...first,
    instructions,
    cookie: cookie(feature, object),
    provenance: { feature, owners: ownersOf(list), why },
  });
  const objects = () => [...new Set(list.map((f) => objectIdOf(f.cookie)))].sort((a, b) => a - b);
  // The number hangs on the match, not on the owners: it stays while owners come and go.
  const shared = () => env.ids.number('object', `shared/${first.key}`);

  const clauses = list.map(clausesOf);
  if (clauses.every((c) => c !== undefined)) {
    const actions = inOrder(clauses.flat());
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
