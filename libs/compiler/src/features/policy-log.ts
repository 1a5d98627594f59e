import { index, type Root, root } from '../engine/steps.js';
import type { NodeName } from '../model/brands.js';
import type { PolicyLogging } from '../model/facts.js';
import { later, type Part } from '../model/fragment.js';
import type { Flow, ObjectRef } from '../model/output.js';
import { IS_IP } from '../pipeline/address.js';
import { cut } from '../pipeline/commit.js';
import { act, isClause, makeFlow, type Origin } from '../pipeline/flow.js';
import { METERS } from '../pipeline/meters.js';
import { matchRegisters } from '../pipeline/registers.js';
import { sorted } from '../policy/canonical.js';
import { type RuleShape, ruleObject } from '../policy/shape.js';
import { type Env, originOf } from './env.js';
import { nodesOfIdentity } from './identities.js';
import { policyRef } from './rule-flows.js';

/** Policies that want to be told of what isolation drops; key: `isolationKey`. */
export const toldOfIsolation = index('toldOfIsolation', 4);

export const tellsOfDrops = (logging: PolicyLogging): boolean => logging !== 'none';
const tellsOfAll = (logging: PolicyLogging): boolean => logging === 'all';

/** A copy to the controller; Open vSwitch sends the whole packet. Metered in the datapath: a flood is not told of. */
const tell = { kind: 'controller', meterId: METERS.policyLog.id } as const;

/** Above the flows of these tables that concern everybody. */
const PRIORITY = { egress: 200, ingress: 100, denied: 300, cut: 310 } as const;

export interface ToldRule {
  /** Key of its policy. */
  readonly policy: string;
  readonly rule: RuleShape;
  readonly logging: PolicyLogging;
}

/** What tells of packets that a rule decided; undefined where its policy does not ask. `verdicts` are the rule's own flows. */
export function tellingPart(env: Env, { policy, rule, logging }: ToldRule, verdicts: Part): Part | undefined {
  const object = ruleObject(policy, rule);
  const refs = [policyRef(policy)];
  if (rule.action === 'Deny' && tellsOfDrops(logging)) return later(() => ({ flows: denials(env, object, refs) }));
  if (rule.action !== 'Accept' || !tellsOfAll(logging)) return undefined;
  return later(() => ({ flows: acceptances(env, rule, [object, ...sharedObjects(verdicts)], refs) }));
}

/** Rules that allow the same in the same words are one flow on a switch, with a number of its own (see mergeFlows). */
const sharedObjects = (verdicts: Part): readonly string[] =>
  verdicts.flows.filter((f) => !('conj_id' in f.match) && !isClause(f)).map((f) => `shared/${f.key}`);

/** Only the first packet of a connection: whether it still may is asked with each, but it is the same connection. */
function acceptances(
  env: Env,
  { direction }: RuleShape,
  objects: readonly string[],
  refs: readonly ObjectRef[],
): readonly Flow[] {
  const register = direction === 'egress' ? 'egressRule' : 'ingressRule';
  const why = 'The policy asks to be told of what it allows.';
  return objects.map((object) =>
    makeFlow(
      'PolicyLog',
      PRIORITY[direction],
      matchRegisters({ recheck: 0, [register]: env.ids.number('object', object) }),
      act([tell], 'EndpointDNAT'),
      originOf(env, 'policyLog', object, refs, why),
    ),
  );
}

function denials(env: Env, object: string, refs: readonly ObjectRef[]): readonly Flow[] {
  const from: Origin = originOf(env, 'policyLog', object, refs, 'The policy asks to be told of what it denies.');
  const deniedBy = env.ids.number('object', object);
  return [
    makeFlow('Denied', PRIORITY.denied, matchRegisters({ deniedBy }), act([tell]), from),
    ...[IS_IP[4], IS_IP[6]].map((ip) =>
      makeFlow('Denied', PRIORITY.cut, { ...ip, ...matchRegisters({ recheck: 1, deniedBy }) }, act([tell, cut]), from),
    ),
  ];
}

/** Tells of what isolation drops, where one of the policies that isolate asks for it. */
export function isolationLogFeature(env: Env): readonly Root[] {
  return [
    root('isolationLog', 5, toldOfIsolation, (key, cx) => {
      const [, number = ''] = key.split('/');
      const policies = sorted(cx.members(toldOfIsolation, key));
      const part = later(() => ({ flows: denials(env, `isolation/${key}`, policies.map(policyRef)) }));
      const nodes = sorted(cx.members(nodesOfIdentity, number)) as NodeName[];
      return { fragment: [{ part, placement: { kind: 'nodes', nodes } }] };
    }),
  ];
}
