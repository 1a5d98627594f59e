import { type Action, parseMac } from 'openflow-ts/codec';
import { type Context, index, memo, type Root, root } from '../engine/steps.js';
import type { Identity, Ip } from '../model/brands.js';
import type { AttachmentFact, ConfigFact } from '../model/facts.js';
import { factKey } from '../model/facts.js';
import { except, later, only } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { matchDestination, matchSource, networkOf, type Prefix, prefixOf, widthOf } from '../pipeline/address.js';
import { ETH, hairpinZone, ICMP, IPPROTO, SOURCE_KIND } from '../pipeline/constants.js';
import { act, because, DROP, goTo, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister, setRegisters } from '../pipeline/registers.js';
import { configOf, type Env, originOf } from './env.js';
import type { Identities } from './identities.js';
import { routeToNode } from './peer.js';

const blockLengths = index('blockLengths', 0);
const lengthsKey = (vpc: number, family: number) => `${vpc}/${family}`;

export const podRef = (key: string) => {
  const slash = key.indexOf('/');
  return { kind: 'Pod', namespace: key.slice(0, slash), name: key.slice(slash + 1) };
};

/** Address of a pod that may be used: of a family that the network has, at most one of each. */
export function usable(config: ConfigFact, attachment: AttachmentFact): readonly { ip: Ip; prefix: Prefix }[] {
  const out: { ip: Ip; prefix: Prefix }[] = [];
  for (const ip of attachment.ips) {
    const prefix = prefixOf(ip);
    if (config.families.includes(prefix.family) && !out.some((o) => o.prefix.family === prefix.family))
      out.push({ ip, prefix });
  }
  return out;
}

/** Flows of a pod on its own node, and its route elsewhere where no block covers it. */
export function podFeature(env: Env, identities: Identities): readonly Root[] {
  const blockShape = root('blockShape', 0, 'block', (key, cx) => {
    const block = cx.fact('block', key);
    if (block === undefined) return undefined;
    const { family, length } = prefixOf(block.cidr);
    return { entries: [[blockLengths, lengthsKey(block.vpc, family), String(length)]] };
  });
  const lengths = memo<readonly number[]>('blockLengths', (key, cx) =>
    [...cx.members(blockLengths, key)].map(Number).sort((a, b) => b - a),
  );

  const known = (key: string, cx: Context) => {
    const [config, attachment] = [configOf(cx), cx.fact('attachment', key)];
    // A pod that no source knows gets nothing: without labels nobody can say which policies protect it.
    const identity = cx.read(identities.ofPod, key);
    return config === undefined || attachment === undefined || identity === undefined
      ? undefined
      : { config, attachment, identity: identity.number };
  };
  const podOrigin = (key: string) => originOf(env, 'pod', `pod/${key}`, [podRef(key)], '');

  /** True if other nodes find the address through a block of its node. */
  const covered = (cx: Context, attachment: AttachmentFact, prefix: Prefix): boolean => {
    for (const length of cx.read(lengths, lengthsKey(attachment.vpc, prefix.family))) {
      const block = cx.fact('block', networkOf(prefix, length));
      if (block !== undefined && block.vpc === attachment.vpc) return block.node === attachment.node;
    }
    return false;
  };
  const pod = root('pod', 2, 'attachment', (key, cx) => {
    const k = known(key, cx);
    if (k === undefined) return undefined;
    const { config, attachment, identity } = k;
    const part = later(() => ({ flows: [...podFlows(config, attachment, identity, podOrigin(key))] }));
    const here = { part, placement: only(attachment.node) };
    const outside = usable(config, attachment).filter(({ prefix }) => !covered(cx, attachment, prefix));
    if (outside.length === 0) return { fragment: [here] };
    const routes = later(() => {
      const why = `The pod is on ${attachment.node} with an address outside of its blocks.`;
      const from = because(podOrigin(key), why);
      return { flows: outside.map(({ prefix }) => routeToNode(env, prefix, attachment.vpc, attachment.node, from)) };
    });
    return { fragment: [here, { part: routes, placement: except(attachment.node) }] };
  });
  return [blockShape, pod];
}

function* podFlows(config: ConfigFact, pod: AttachmentFact, identity: Identity, from: Origin): Iterable<Flow> {
  const name = factKey(pod.namespace, pod.pod);
  yield makeFlow(
    'Classify',
    100,
    { in_port: pod.ofport },
    act(
      [
        setRegisters({ sourceKind: SOURCE_KIND.pod, vpc: pod.vpc }),
        setRegister('sourceIdentity', identity),
        setRegister('hairpinZone', hairpinZone(pod.vpc)),
      ],
      'AntiSpoof',
    ),
    because(from, `Port of pod ${name}.`),
  );
  const reach = {
    own: because(from, `Sent by pod ${name} from its own MAC and address.`),
    ask: because(from, `Pod ${name} has the address itself.`),
    self: because(from, `Pod ${name} always reaches itself.`),
    route: because(from, `Pod ${name} is here.`),
  };
  for (const { prefix } of usable(config, pod)) {
    yield* ownTraffic(pod, prefix, reach);
    yield* localRoute(config, pod, identity, prefix, reach);
  }
}

type Reasons = Readonly<Record<'own' | 'ask' | 'self' | 'route', Origin>>;

function* ownTraffic(pod: AttachmentFact, prefix: Prefix, why: Reasons): Iterable<Flow> {
  const mac = parseMac(pod.mac);
  const sender = { in_port: pod.ofport, eth_src: mac };
  yield makeFlow('AntiSpoof', 100, { ...sender, ...matchSource(prefix) }, goTo('ArpNd'), why.own);
  if (prefix.family === 4) {
    const address = Number(prefix.value);
    const arp = { ...sender, eth_type: ETH.arp, arp_spa: address, arp_sha: mac };
    yield makeFlow('AntiSpoof', 100, arp, goTo('ArpNd'), why.own);
    yield makeFlow('AntiSpoof', 200, { ...sender, eth_type: ETH.arp, arp_tpa: address }, DROP, why.ask);
    return;
  }
  const solicitation = {
    ...sender,
    eth_type: ETH.ipv6,
    nw_proto: IPPROTO.icmpv6,
    icmpv6_type: ICMP.neighborSolicitation,
  };
  yield makeFlow('AntiSpoof', 200, { ...solicitation, nd_target: prefix.value }, DROP, why.ask);
  yield makeFlow('AntiSpoof', 100, { ...solicitation, ipv6_src: linkLocal(mac) }, goTo('ArpNd'), why.own);
}

/** Link-local address that a MAC makes (RFC 4291, appendix A). */
export function linkLocal(mac: bigint): bigint {
  const flipped = mac ^ (0x02n << 40n);
  return (0xfe80n << 112n) | ((flipped >> 24n) << 40n) | (0xfffen << 24n) | (flipped & 0xff_ffffn);
}

/** Route's actions for packets to a pod that is here. */
export const deliveryTo = (config: ConfigFact, pod: AttachmentFact): readonly Action[] => [
  setRegister('outputOfport', pod.ofport),
  { kind: 'set_field', field: 'eth_src', value: parseMac(config.routerMac) },
  { kind: 'set_field', field: 'eth_dst', value: parseMac(pod.mac) },
  { kind: 'dec_ttl' },
];

function* localRoute(
  config: ConfigFact,
  pod: AttachmentFact,
  identity: Identity,
  prefix: Prefix,
  why: Reasons,
): Iterable<Flow> {
  const to = { ...matchDestination(prefix), ...matchRegisters({ vpc: pod.vpc }) };
  const toSelf = { in_port: pod.ofport, ...matchDestination(prefix) };
  const priority = 1000 + widthOf(prefix.family);
  const deliver = deliveryTo(config, pod);
  yield makeFlow('DestinationIdentity', 250, toSelf, goTo('Route'), why.self);
  yield makeFlow(
    'Route',
    priority,
    to,
    act([setRegister('destinationIdentity', identity), ...deliver], 'IngressAdmin'),
    why.route,
  );
  yield makeFlow('Route', priority + 1, toSelf, act([setRegister('self', 1), ...deliver], 'PolicyLog'), why.self);
}
