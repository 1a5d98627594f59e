import { type Root, root } from '../engine/steps.js';
import type { Identity, NodeName } from '../model/brands.js';
import type { AttachmentFact, ConfigFact } from '../model/facts.js';
import { later, type Part, type Placement } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { matchDestination, matchSource, type Prefix, prefixOf } from '../pipeline/address.js';
import { act, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister } from '../pipeline/registers.js';
import { configOf, type Env, originOf } from './env.js';
import type { Identities } from './identities.js';
import { podRef } from './pod.js';
import type { Policies } from './policy.js';

/** Address -> identity of pods, on the nodes whose policies ask for it and that cannot see it otherwise. */
export function peerIdentityFeature(env: Env, identities: Identities, policies: Policies): readonly Root[] {
  return [
    root('peerIdentity', 5, 'attachment', (key, cx) => {
      const [config, attachment] = [configOf(cx), cx.fact('attachment', key)];
      const identity = cx.read(identities.ofPod, key);
      if (config === undefined || attachment === undefined || identity === undefined) return undefined;
      const fragment: { part: Part; placement: Placement }[] = [];
      const put = (nodes: readonly NodeName[], flow: typeof destination) => {
        if (nodes.length > 0)
          fragment.push({
            part: later(() => ({ flows: peerFlows(env, config, key, attachment, identity.number, flow) })),
            placement: { kind: 'nodes', nodes },
          });
      };
      const number = identity.text;
      put(cx.read(policies.nodesWithPeer.egress, number), destination);
      // Geneve carries the sender's identity.
      if (config.encap === 'vxlan') {
        const nodes = cx.read(policies.nodesWithPeer.ingress, number);
        put(
          nodes.filter((n) => n !== attachment.node),
          source,
        );
      }
      return fragment.length === 0 ? undefined : { fragment };
    }),
  ];
}

function peerFlows(
  env: Env,
  config: ConfigFact,
  key: string,
  attachment: AttachmentFact,
  identity: Identity,
  flow: typeof destination,
): readonly Flow[] {
  const why = `Policies of this node name pod ${key} as a peer.`;
  const from = originOf(env, 'pod', `pod/${key}`, [podRef(key)], why);
  const prefixes = attachment.ips.map(prefixOf).filter((p) => config.families.includes(p.family));
  return prefixes.map((p) => flow(p, identity, attachment, from));
}

const destination = (prefix: Prefix, identity: Identity, { vpc }: AttachmentFact, from: Origin): Flow =>
  makeFlow(
    'DestinationIdentity',
    100,
    { ...matchDestination(prefix), ...matchRegisters({ vpc }) },
    act([setRegister('destinationIdentity', identity)], 'EgressAdmin'),
    from,
  );

const source = (prefix: Prefix, identity: Identity, { vpc }: AttachmentFact, from: Origin): Flow =>
  makeFlow(
    'SourceIdentity',
    100,
    { ...matchSource(prefix), ...matchRegisters({ vpc }) },
    act([setRegister('sourceIdentity', identity)], 'Conntrack'),
    from,
  );
