import { type Entry, index, type Memo, memo, type Root, root } from '../engine/steps.js';
import type { AttachmentFact } from '../model/facts.js';
import { factKey } from '../model/facts.js';
import { later, only } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { matchDestination } from '../pipeline/address.js';
import { act, because, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister } from '../pipeline/registers.js';
import { DIRECTIONS } from '../policy/shape.js';
import { configOf, type Env, originOf } from './env.js';
import type { Identities } from './identities.js';
import { podRef, usable } from './pod.js';
import { isClusterSubject, isolating, isolationKey } from './policy.js';

/** Services that an address is an endpoint of, ready or not. */
const servedBy = index('servedBy', 4);

export interface Plain {
  readonly roots: readonly Root[];
  /** Whether an identity (by number) is a subject of any policy. */
  readonly governed: Memo<boolean>;
}

/**
 * A pod is plain while no policy has it as a subject and no service has it as an endpoint. Packets between two plain pods of
 * a node are neither judged nor balanced, so nobody needs the state of their connection, and they pass the datapath once.
 */
export function plainFeature(env: Env, identities: Identities): Plain {
  const endpointAddresses = root('endpointAddresses', 4, 'endpoints', (key, cx) => {
    const endpoints = cx.fact('endpoints', key);
    if (endpoints === undefined) return undefined;
    const addresses = new Set<string>(endpoints.draining);
    for (const { endpoints: ready } of endpoints.ports) for (const { ip } of ready) addresses.add(ip);
    return { entries: [...addresses].map((ip): Entry => [servedBy, ip, key]) };
  });
  // One value for all replicas, which change only where it does.
  const governed = memo<boolean>(
    'governed',
    (identity, cx) =>
      DIRECTIONS.some((d) => cx.members(isolating, isolationKey(d, Number(identity))).size > 0) ||
      isClusterSubject(cx, identity),
  );
  const plain = root('plain', 5, 'attachment', (key, cx) => {
    const identity = cx.read(identities.ofPod, key);
    // Most pods have a policy, and nothing more is asked about them.
    if (identity === undefined || cx.read(governed, identity.text)) return undefined;
    const [config, pod] = [configOf(cx), cx.fact('attachment', key)];
    if (config === undefined || pod === undefined) return undefined;
    if (pod.ips.some((ip) => cx.members(servedBy, ip).size > 0)) return undefined;
    const part = later(() => {
      const why = `No policy and no service concerns pod ${factKey(pod.namespace, pod.pod)}.`;
      const from = because(originOf(env, 'pod', `pod/${key}`, [podRef(key)], ''), why);
      const addresses = usable(config, pod).map(({ prefix }) => matchDestination(prefix));
      return { flows: [...plainFlows(pod, addresses, from)] };
    });
    return { fragment: [{ part, placement: only(pod.node) }] };
  });
  return { roots: [endpointAddresses, plain], governed };
}

function* plainFlows(
  pod: AttachmentFact,
  addresses: readonly ReturnType<typeof matchDestination>[],
  from: Origin,
): Iterable<Flow> {
  yield makeFlow('Concern', 100, { in_port: pod.ofport }, act([setRegister('plainSender', 1)], 'Conntrack'), from);
  for (const address of addresses)
    yield makeFlow(
      'Conntrack',
      150,
      { ...address, ...matchRegisters({ plainSender: 1, vpc: pod.vpc }) },
      act([setRegister('plain', 1)], 'Route'),
      from,
    );
}
