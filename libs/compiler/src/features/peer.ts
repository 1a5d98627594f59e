import { type Match, parseIpv4, parseIpv6 } from 'openflow-ts/codec';
import { type Root, root } from '../engine/steps.js';
import { familyOf, type NodeName, RESERVED_IDENTITY } from '../model/brands.js';
import type { ConfigFact, NodeFact } from '../model/facts.js';
import { except, type Fragment, only, type Placement } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { matchDestination, matchSource, prefixOf } from '../pipeline/address.js';
import { DEFAULT_VPC, SOURCE_KIND } from '../pipeline/constants.js';
import { act, because, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister, setRegisters, subfield } from '../pipeline/registers.js';
import { configOf, type Env, originOf } from './env.js';
import type { Layout, PortPlan } from './layout.js';

const TUNNEL_IDENTITY = { field: 'tun_metadata0', offset: 0, bits: 32 } as const;

/** Number of a node in the register tunnelPeer: that of its object. */
export const tunnelPeerOf = (env: Env, node: NodeName): number => env.ids.number('object', `node/${node}`);

/** What the other nodes need to talk with a node. */
export function peerFeature(env: Env, layout: Layout): readonly Root[] {
  const peer = root('peer', 2, 'node', (key, cx) => {
    const [config, node] = [configOf(cx), cx.fact('node', key)];
    if (config === undefined || node === undefined) return undefined;
    const owner = { kind: 'Node', namespace: '', name: node.name };
    const from = originOf(env, 'node', `node/${node.name}`, [owner], '');
    const vpcs = cx.read(layout.vpcs, '');
    const plans = cx.read(layout.portPlans, '');
    const fragment: Fragment = plans.map((plan) => ({
      part: { flows: [...peerFlows(env, config, node, plan, vpcs, from)] },
      placement: plans.length === 1 ? except(node.name) : only(...plan.nodes.filter((n) => n !== node.name)),
    }));
    return { fragment };
  });
  const block = root('block', 2, 'block', (key, cx) => {
    const [config, fact] = [configOf(cx), cx.fact('block', key)];
    if (config === undefined || fact === undefined) return undefined;
    const owners = [
      { kind: 'Block', namespace: '', name: fact.cidr },
      { kind: 'Node', namespace: '', name: fact.node },
    ];
    const from = originOf(env, 'node', `block/${fact.cidr}`, owners, `Addresses in ${fact.cidr} are on ${fact.node}.`);
    const prefix = prefixOf(fact.cidr);
    if (!config.families.includes(prefix.family)) return undefined;
    const placement: Placement = except(fact.node);
    return { fragment: [{ part: { flows: [routeToNode(env, prefix, fact.vpc, fact.node, from)] }, placement }] };
  });
  return [peer, block];
}

/** Route to addresses behind a tunnel. */
export function routeToNode(
  env: Env,
  prefix: ReturnType<typeof prefixOf>,
  vpc: number,
  node: NodeName,
  from: Origin,
): Flow {
  return makeFlow(
    'Route',
    1000 + prefix.length,
    { ...matchDestination(prefix), ...matchRegisters({ vpc }) },
    act([setRegister('tunnelPeer', tunnelPeerOf(env, node)), { kind: 'dec_ttl' }], 'PolicyLog'),
    from,
  );
}

function* peerFlows(
  env: Env,
  config: ConfigFact,
  node: NodeFact,
  plan: PortPlan,
  vpcs: readonly number[],
  from: Origin,
): Iterable<Flow> {
  yield* arriving(config, node, plan, vpcs, from);
  yield* leaving(env, config, node, plan, from);
}

function* arriving(
  config: ConfigFact,
  node: NodeFact,
  plan: PortPlan,
  vpcs: readonly number[],
  from: Origin,
): Iterable<Flow> {
  const tunSrc: Match =
    familyOf(node.encapIp) === 4 ? { tun_src: parseIpv4(node.encapIp) } : { tun_ipv6_src: parseIpv6(node.encapIp) };
  const geneve = config.encap === 'geneve';
  for (const vpc of vpcs) {
    const place = setRegisters({ sourceKind: SOURCE_KIND.tunnel, vpc });
    yield makeFlow(
      'Classify',
      100,
      { in_port: plan.tunnel, ...tunSrc, tun_id: BigInt(vpc) },
      geneve
        ? act([place, { kind: 'move', source: TUNNEL_IDENTITY, target: subfield('sourceIdentity') }], 'Conntrack')
        : act([place], 'SourceIdentity'),
      because(from, `From pods and the host of ${node.name}, through the tunnel.`),
    );
  }
  const remote = act([setRegister('sourceIdentity', RESERVED_IDENTITY.remoteNode)], 'Conntrack');
  if (!geneve)
    for (const ip of node.gateway.ips)
      yield makeFlow(
        'SourceIdentity',
        100,
        { ...matchSource(prefixOf(ip)), ...matchRegisters({ vpc: DEFAULT_VPC }) },
        remote,
        because(from, `From the host of ${node.name}, through the tunnel.`),
      );
  const place = setRegisters({ sourceKind: SOURCE_KIND.host, vpc: DEFAULT_VPC });
  for (const ip of new Set([...node.addresses, node.encapIp])) {
    if (!config.families.includes(familyOf(ip))) continue;
    yield makeFlow(
      'Classify',
      150,
      { in_port: plan.gateway, ...matchSource(prefixOf(ip)) },
      act([place, setRegister('sourceIdentity', RESERVED_IDENTITY.remoteNode)], 'ArpNd'),
      because(from, `From ${node.name} itself, past the tunnel.`),
    );
  }
}

function* leaving(env: Env, config: ConfigFact, node: NodeFact, plan: PortPlan, from: Origin): Iterable<Flow> {
  const tunnelPeer = tunnelPeerOf(env, node.name);
  const to = [
    familyOf(node.encapIp) === 4
      ? ({ kind: 'set_field', field: 'tun_dst', value: parseIpv4(node.encapIp) } as const)
      : ({ kind: 'set_field', field: 'tun_ipv6_dst', value: parseIpv6(node.encapIp) } as const),
    { kind: 'move', source: subfield('vpc'), target: { field: 'tun_id', offset: 0, bits: 16 } } as const,
  ];
  const output = { kind: 'output', port: plan.tunnel } as const;
  if (config.encap === 'vxlan') {
    yield makeFlow(
      'Output',
      100,
      matchRegisters({ tunnelPeer }),
      act([...to, output]),
      because(from, `To ${node.name}.`),
    );
    return;
  }
  yield makeFlow(
    'Output',
    100,
    matchRegisters({ tunnelPeer }),
    act([...to, { kind: 'move', source: subfield('sourceIdentity'), target: TUNNEL_IDENTITY }, output]),
    because(from, `To ${node.name}, with the sender's identity.`),
  );
  yield makeFlow(
    'Output',
    110,
    matchRegisters({ tunnelPeer, sourceIdentity: RESERVED_IDENTITY.host }),
    act([...to, { kind: 'set_field', field: 'tun_metadata0', value: BigInt(RESERVED_IDENTITY.remoteNode) }, output]),
    because(from, `To ${node.name}, where this host is a remote node.`),
  );
}
