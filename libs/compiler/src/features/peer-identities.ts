import { type Context, type Root, root } from '../engine/steps.js';
import type { Identity, NodeName } from '../model/brands.js';
import type { AttachmentFact, ConfigFact } from '../model/facts.js';
import { later } from '../model/fragment.js';
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
  const step = (
    name: string,
    nodesOf: (identity: string, attachment: AttachmentFact, config: ConfigFact, cx: Context) => readonly NodeName[],
    flow: (prefix: Prefix, identity: Identity, attachment: AttachmentFact, from: Origin) => Flow,
  ): Root =>
    root(name, 4, 'attachment', (key, cx) => {
      const [config, attachment] = [configOf(cx), cx.fact('attachment', key)];
      const identity = cx.read(identities.ofPod, key);
      if (config === undefined || attachment === undefined || identity === undefined) return undefined;
      const nodes = nodesOf(String(identity.number), attachment, config, cx);
      if (nodes.length === 0) return undefined;
      const part = later(() => {
        const why = `Policies of this node name pod ${key} as a peer.`;
        const from = originOf(env, 'pod', `pod/${key}`, [podRef(key)], why);
        const prefixes = attachment.ips.map(prefixOf).filter((p) => config.families.includes(p.family));
        return { flows: prefixes.map((p) => flow(p, identity.number, attachment, from)) };
      });
      return { fragment: [{ part, placement: { kind: 'nodes', nodes } }] };
    });
  return [
    step(
      'destinationIdentity',
      (identity, _attachment, _config, cx) => cx.read(policies.nodesWithPeer.egress, identity),
      (prefix, identity, { vpc }, from) =>
        makeFlow(
          'DestinationIdentity',
          100,
          { ...matchDestination(prefix), ...matchRegisters({ vpc }) },
          act([setRegister('destinationIdentity', identity)], 'EgressAdmin'),
          from,
        ),
    ),
    step(
      'sourceIdentity',
      (identity, attachment, config, cx) =>
        config.encap !== 'vxlan'
          ? []
          : cx.read(policies.nodesWithPeer.ingress, identity).filter((n) => n !== attachment.node),
      (prefix, identity, { vpc }, from) =>
        makeFlow(
          'SourceIdentity',
          100,
          { ...matchSource(prefix), ...matchRegisters({ vpc }) },
          act([setRegister('sourceIdentity', identity)], 'Conntrack'),
          from,
        ),
    ),
  ];
}
