import { type Root, root } from '../engine/steps.js';
import type { Identity } from '../model/brands.js';
import type { AttachmentFact, ConfigFact } from '../model/facts.js';
import { later, only } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { matchDestination, widthOf } from '../pipeline/address.js';
import { CT_STATE } from '../pipeline/constants.js';
import { act, because, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister } from '../pipeline/registers.js';
import { configOf, type Env, originOf } from './env.js';
import type { Identities } from './identities.js';
import { deliveryTo, podRef, usable } from './pod.js';
import { isClusterSubject } from './policy.js';

/**
 * Pods that reach themselves through a service are judged by cluster policies, though not by network policies, and not when
 * they use their own address (ClusterNetworkPolicy, API overview: "hairpin" traffic). Only subjects have these flows.
 */
export function selfFeature(env: Env, identities: Identities): readonly Root[] {
  return [
    root('self', 5, 'attachment', (key, cx) => {
      const [config, attachment] = [configOf(cx), cx.fact('attachment', key)];
      const identity = cx.read(identities.ofPod, key);
      if (config === undefined || attachment === undefined || identity === undefined) return undefined;
      if (!isClusterSubject(cx, identity.text)) return undefined;
      const part = later(() => {
        const from = originOf(env, 'pod', `pod/${key}`, [podRef(key)], '');
        return { flows: [...selfFlows(config, attachment, identity.number, because(from, whyOf(key)))] };
      });
      return { fragment: [{ part, placement: only(attachment.node) }] };
    }),
  ];
}

const whyOf = (pod: string): string => `Pod ${pod} reaches itself through a service, which cluster policies judge.`;

function* selfFlows(config: ConfigFact, pod: AttachmentFact, identity: Identity, from: Origin): Iterable<Flow> {
  const judged = act([setRegister('destinationIdentity', identity), setRegister('self', 1)], 'EgressAdmin');
  for (const { prefix } of usable(config, pod)) {
    const to = { in_port: pod.ofport, ...matchDestination(prefix) };
    // A bucket has just written the address, or the tracker has put it back.
    yield makeFlow('DestinationIdentity', 260, { ...to, ...matchRegisters({ serviceDnat: 1 }) }, judged, from);
    const translated = CT_STATE.trk | CT_STATE.dnat;
    yield makeFlow('DestinationIdentity', 260, { ...to, ct_state: [translated, translated] }, judged, from);
    yield makeFlow(
      'Route',
      1000 + widthOf(prefix.family) + 2,
      { ...matchDestination(prefix), ...matchRegisters({ vpc: pod.vpc, self: 1 }) },
      act([setRegister('destinationIdentity', identity), ...deliveryTo(config, pod)], 'IngressAdmin'),
      from,
    );
  }
}
