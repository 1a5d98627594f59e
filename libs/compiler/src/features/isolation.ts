import { type Root, root } from '../engine/steps.js';
import type { NodeName } from '../model/brands.js';
import { later } from '../model/fragment.js';
import { makeFlow } from '../pipeline/flow.js';
import { matchRegisters } from '../pipeline/registers.js';
import { sorted } from '../policy/canonical.js';
import { DIRECTIONS } from '../policy/shape.js';
import { type Env, originOf } from './env.js';
import { nodesOfIdentity } from './identities.js';
import { isolating } from './policy.js';
import { denial, POLICY_PRIORITY, policyRef, policyTable, subjectRegister } from './rule-flows.js';

/** A pod that a policy selects for a direction is isolated there: what no rule allows is dropped. */
export function isolationFeature(env: Env): readonly Root[] {
  return [
    root('isolation', 4, isolating, (key, cx) => {
      const [side = '', number = ''] = key.split('/');
      const direction = DIRECTIONS.find((d) => d === side);
      if (direction === undefined) throw new TypeError(`isolation ${key}`);
      const policies = sorted(cx.members(isolating, key));
      const part = later(() => {
        const why = `Selected for ${direction} by ${policies.join(', ')}, and no rule allowed the packet.`;
        const from = originOf(env, 'isolation', `isolation/${key}`, policies.map(policyRef), why);
        const match = matchRegisters({ [subjectRegister(direction)]: Number(number) });
        const deny = denial(env.ids.number('object', `isolation/${key}`));
        return { flows: [makeFlow(policyTable(direction), POLICY_PRIORITY.isolation, match, deny, from)] };
      });
      const nodes = sorted(cx.members(nodesOfIdentity, number)) as NodeName[];
      return { fragment: [{ part, placement: { kind: 'nodes', nodes } }] };
    }),
  ];
}
