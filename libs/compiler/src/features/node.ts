import { type Match, parseMac } from 'openflow-ts/codec';
import { type Root, root } from '../engine/steps.js';
import { type Family, familyOf, type Ip, RESERVED_IDENTITY } from '../model/brands.js';
import type { ConfigFact, NodeFact } from '../model/facts.js';
import { only } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { IS_IP, matchDestination, matchSource, prefixOf } from '../pipeline/address.js';
import { CT_STATE, DEFAULT_VPC, ETH, ICMP, IPPROTO, SOURCE_KIND } from '../pipeline/constants.js';
import { act, because, DROP, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister, setRegisters } from '../pipeline/registers.js';
import { configOf, type Env, hasFamily, originOf } from './env.js';

/** Addresses that are the node itself, each once. */
export function nodeAddresses(node: NodeFact, families: readonly Family[]): readonly Ip[] {
  const all = new Set([...node.gateway.ips, ...node.addresses, node.encapIp]);
  return [...all].filter((a) => families.includes(familyOf(a)));
}

/** What a node's own switch does for its host: heddle0, its addresses, what the kernel refuses. */
export function nodeFeature(env: Env): readonly Root[] {
  return [
    root('node', 2, 'node', (key, cx) => {
      const [config, node] = [configOf(cx), cx.fact('node', key)];
      if (config === undefined || node === undefined) return undefined;
      const owner = { kind: 'Node', namespace: '', name: node.name };
      const from = originOf(env, 'node', `node/${node.name}`, [owner], '');
      return { fragment: [{ part: { flows: [...nodeFlows(config, node, from)] }, placement: only(node.name) }] };
    }),
  ];
}

function* nodeFlows(config: ConfigFact, node: NodeFact, from: Origin): Iterable<Flow> {
  yield* fromHost(config, node, from);
  yield* refusals(config, node, from);
  yield* toHost(config, node, from);
}

function* fromHost(config: ConfigFact, node: NodeFact, from: Origin): Iterable<Flow> {
  const in_port = node.gateway.ofport;
  const place = setRegisters({ sourceKind: SOURCE_KIND.host, vpc: DEFAULT_VPC });
  const identity = (n: number) => act([place, setRegister('sourceIdentity', n)], 'ArpNd');
  const own = because(from, `What ${node.name} itself sends.`);
  for (const ip of nodeAddresses(node, config.families))
    yield makeFlow('Classify', 200, { in_port, ...matchSource(prefixOf(ip)) }, identity(RESERVED_IDENTITY.host), own);
  const world = because(from, `What ${node.name} forwards for others.`);
  yield makeFlow('Classify', 100, { in_port }, identity(RESERVED_IDENTITY.world), world);
  const ask = because(from, `${node.name} has these addresses itself.`);
  for (const ip of node.gateway.ips)
    if (familyOf(ip) === 4)
      yield makeFlow('ArpNd', 250, { eth_type: ETH.arp, in_port, arp_tpa: Number(prefixOf(ip).value) }, DROP, ask);
    else
      yield makeFlow(
        'ArpNd',
        250,
        {
          eth_type: ETH.ipv6,
          nw_proto: IPPROTO.icmpv6,
          in_port,
          icmpv6_type: ICMP.neighborSolicitation,
          nd_target: prefixOf(ip).value,
        },
        DROP,
        ask,
      );
}

/**
 * The kernel refuses what the switch sends it for services without backends (TCP reset, ICMP port unreachable). The refused
 * packet was never committed, so the tracker does not know its answer.
 */
function* refusals(config: ConfigFact, node: NodeFact, from: Origin): Iterable<Flow> {
  const in_port = node.gateway.ofport;
  const refused = because(from, `The kernel of ${node.name} refuses a connection to a service without backends.`);
  const pass = act([setRegister('established', 1)], 'Route');
  for (const cidr of config.serviceCidrs)
    yield makeFlow('Conntrack', 300, { ...matchSource(prefixOf(cidr)), nw_proto: IPPROTO.tcp, in_port }, pass, refused);
  const invalid = CT_STATE.trk | CT_STATE.inv;
  for (const ip of node.gateway.ips) {
    const family = familyOf(ip);
    if (!hasFamily(config, family)) continue;
    const unreachable: Match =
      family === 4
        ? { nw_proto: IPPROTO.icmp, icmp_type: ICMP.v4PortUnreachable.type, icmp_code: ICMP.v4PortUnreachable.code }
        : {
            nw_proto: IPPROTO.icmpv6,
            icmpv6_type: ICMP.v6PortUnreachable.type,
            icmpv6_code: ICMP.v6PortUnreachable.code,
          };
    yield makeFlow(
      'ConntrackState',
      300,
      { ...matchSource(prefixOf(ip)), ...unreachable, in_port, ct_state: [invalid, invalid] },
      pass,
      refused,
    );
  }
}

function* toHost(config: ConfigFact, node: NodeFact, from: Origin): Iterable<Flow> {
  const rewrite = [
    { kind: 'set_field', field: 'eth_src', value: parseMac(config.routerMac) },
    { kind: 'set_field', field: 'eth_dst', value: parseMac(node.gateway.mac) },
  ] as const;
  const vpc = matchRegisters({ vpc: DEFAULT_VPC });
  const deliver = act([setRegister('outputOfport', node.gateway.ofport), ...rewrite, { kind: 'dec_ttl' }], 'PolicyLog');
  const known = because(from, `The address belongs to ${node.name}.`);
  for (const ip of nodeAddresses(node, config.families))
    yield makeFlow(
      'DestinationIdentity',
      200,
      { ...matchDestination(prefixOf(ip)), ...vpc },
      act([setRegister('destinationIdentity', RESERVED_IDENTITY.host)], 'EgressAdmin'),
      known,
    );
  for (const ip of node.gateway.ips) {
    const prefix = prefixOf(ip);
    if (!hasFamily(config, prefix.family)) continue;
    yield makeFlow('Route', 1000 + prefix.length, { ...matchDestination(prefix), ...vpc }, deliver, known);
  }
  for (const family of config.families)
    yield makeFlow(
      'Route',
      1000,
      { ...IS_IP[family], ...vpc },
      deliver,
      because(from, `Everything outside of the cluster is reached through ${node.name}.`),
    );
  // Only pods': a packet from heddle0 cannot go back there with its own source; it is counted and dropped.
  yield makeFlow(
    'ServiceReject',
    100,
    matchRegisters({ sourceKind: SOURCE_KIND.pod }),
    act([...rewrite, { kind: 'output', port: node.gateway.ofport }]),
    because(from, `The kernel of ${node.name} refuses the connection at once.`),
  );
}
