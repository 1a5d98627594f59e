import { type Root, root } from '../engine/steps.js';
import { type NodeName, RESERVED_IDENTITY } from '../model/brands.js';
import { later } from '../model/fragment.js';
import { because, goTo, makeFlow } from '../pipeline/flow.js';
import { matchRegisters } from '../pipeline/registers.js';
import { sorted } from '../policy/canonical.js';
import type { Direction } from '../policy/shape.js';
import { type Env, originOf } from './env.js';
import { nodesOfIdentity } from './identities.js';
import { isClusterSubject, isolating, isolatingAnew } from './policy.js';
import { acceptedTable, denial, POLICY_PRIORITY, policyRef, policyTable, subjectRegister } from './rule-flows.js';

/** A pod that a policy selects for a direction is isolated there: what no rule allows is dropped. */
export function isolationFeature(env: Env): readonly Root[] {
  return [
    root('isolation', 5, isolating, (key, cx) => {
      const slash = key.indexOf('/');
      const direction = key.slice(0, slash) as Direction;
      const number = key.slice(slash + 1);
      const policies = sorted(cx.members(isolating, key).list());
      // Only for these a pod's packet to itself is judged at all.
      const judgesItself = isClusterSubject(cx, number);
      const keeps = cx.members(isolatingAnew, key).size === 0;
      const part = later(() => {
        const why = `Selected for ${direction} by ${policies.join(', ')}, and no rule allowed the packet.`;
        const from = originOf(env, 'isolation', `isolation/${key}`, policies.map(policyRef), why);
        const subject = { [subjectRegister(direction)]: Number(number) };
        const table = policyTable(direction);
        const deny = denial(env.ids.number('object', `isolation/${key}`));
        const flows = [makeFlow(table, POLICY_PRIORITY.isolation, matchRegisters(subject), deny, from)];
        if (keeps)
          flows.push(
            makeFlow(
              table,
              POLICY_PRIORITY.kept,
              matchRegisters({ ...subject, recheck: 1 }),
              goTo(acceptedTable(direction)),
              because(from, `Selected for ${direction} by ${policies.join(', ')}, which keep existing connections.`),
            ),
          );
        const exempt = (values: Parameters<typeof matchRegisters>[0], reason: string) =>
          flows.push(
            makeFlow(
              table,
              POLICY_PRIORITY.exempt,
              matchRegisters({ ...subject, ...values }),
              goTo(acceptedTable(direction)),
              because(from, reason),
            ),
          );
        // What the own node sends has passed the tier Admin by already.
        if (direction === 'egress')
          exempt(
            { destinationIdentity: RESERVED_IDENTITY.host },
            'Network policy never keeps a pod from its own node.',
          );
        if (judgesItself) exempt({ self: 1 }, 'Network policy never keeps a pod from itself.');
        return { flows };
      });
      const nodes = sorted(cx.members(nodesOfIdentity, number).list()) as NodeName[];
      return { fragment: [{ part, placement: { kind: 'nodes', nodes } }] };
    }),
  ];
}
