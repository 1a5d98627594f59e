import { type Action, PORT, parseMac } from 'openflow-ts/codec';
import { type Root, root } from '../engine/steps.js';
import type { Cidr } from '../model/brands.js';
import { RESERVED_IDENTITY } from '../model/brands.js';
import type { ConfigFact } from '../model/facts.js';
import { EVERYWHERE } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { IS_IP, matchDestination, prefixOf } from '../pipeline/address.js';
import { commit, commitInPlace, cut, end } from '../pipeline/commit.js';
import {
  CT_MARK,
  CT_STATE,
  DEFAULT_VPC,
  ETH,
  HAIRPIN_IPV4,
  HAIRPIN_IPV6,
  ICMP,
  IPPROTO,
  SOURCE_KIND,
} from '../pipeline/constants.js';
import { objectIdOf } from '../pipeline/cookie.js';
import { act, because, DROP, goTo, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister, subfield } from '../pipeline/registers.js';
import { PIPELINE, TABLE_ID } from '../pipeline/tables.js';
import { configOf, type Env, originOf } from './env.js';
import { FIXED_PRIORITY } from './policy-order.js';

const IP4 = IS_IP[4];
const IP6 = IS_IP[6];
const SOLICITATION = {
  eth_type: ETH.ipv6,
  nw_proto: IPPROTO.icmpv6,
  icmpv6_type: ICMP.neighborSolicitation,
  icmpv6_code: 0,
};

const move = (from: string, to: string, bits: number): Action => ({
  kind: 'move',
  source: { field: from as 'eth_src', offset: 0, bits },
  target: { field: to as 'eth_src', offset: 0, bits },
});

/** Ranges that no pod and no router forwards to. */
const UNROUTABLE = [
  '224.0.0.0/4',
  '255.255.255.255/32',
  '169.254.0.0/16',
  '127.0.0.0/8',
  'ff00::/8',
  'fe80::/10',
  '::/127',
];

/** Flows that are the same on every node. */
export function pipelineFeature(env: Env): readonly Root[] {
  return [
    root('pipeline', 2, 'config', (_, cx) => {
      const config = configOf(cx);
      if (config === undefined) return undefined;
      const from = originOf(env, 'pipeline', 'pipeline', [{ kind: 'Pipeline', namespace: '', name: 'br-int' }], '');
      return { fragment: [{ part: { flows: [...pipelineFlows(config, from)] }, placement: EVERYWHERE }] };
    }),
  ];
}

function* pipelineFlows(config: ConfigFact, from: Origin): Iterable<Flow> {
  yield* misses(from);
  yield* responder(config, from);
  yield* tracking(from);
  yield* policyBypasses(from);
  yield* unroutable(config, from);
  yield* lastMile(from);
}

function* misses(from: Origin): Iterable<Flow> {
  for (const t of PIPELINE)
    yield t.miss === 'drop'
      ? makeFlow(t.name, 0, {}, DROP, because(from, `Nothing in ${t.name} takes the packet.`))
      : makeFlow(t.name, 0, {}, goTo(t.miss.next), because(from, `Nothing in ${t.name} concerns the packet.`));
}

function* responder(config: ConfigFact, from: Origin): Iterable<Flow> {
  const router = parseMac(config.routerMac);
  const inPort: Action = { kind: 'output', port: PORT.IN_PORT };
  const spoofedAdvert = because(from, 'Pods need no advertisements: the router answers for every address.');
  yield makeFlow(
    'AntiSpoof',
    300,
    { eth_type: ETH.ipv6, nw_proto: IPPROTO.icmpv6, icmpv6_type: ICMP.neighborAdvertisement },
    DROP,
    spoofedAdvert,
  );
  const probe = because(from, 'Address probes stay unanswered: an answer would say that the address is taken.');
  yield makeFlow('ArpNd', 300, { eth_type: ETH.arp, arp_spa: 0 }, DROP, probe);
  yield makeFlow('ArpNd', 300, { ...SOLICITATION, ipv6_src: 0n }, DROP, probe);
  const answer = because(from, 'The router answers for every address, to the port that asked.');
  // Never for the tunnel: an answer there would poison other nodes.
  for (const sourceKind of [SOURCE_KIND.pod, SOURCE_KIND.host]) {
    const asked = matchRegisters({ sourceKind });
    yield makeFlow(
      'ArpNd',
      200,
      { eth_type: ETH.arp, arp_op: 1, ...asked },
      act([
        move('eth_src', 'eth_dst', 48),
        { kind: 'set_field', field: 'eth_src', value: router },
        { kind: 'set_field', field: 'arp_op', value: 2 },
        move('arp_sha', 'arp_tha', 48),
        { kind: 'set_field', field: 'arp_sha', value: router },
        { kind: 'move', source: { field: 'arp_tpa', offset: 0, bits: 32 }, target: subfield('arpScratch') },
        move('arp_spa', 'arp_tpa', 32),
        { kind: 'move', source: subfield('arpScratch'), target: { field: 'arp_spa', offset: 0, bits: 32 } },
        inPort,
      ]),
      answer,
    );
    yield makeFlow(
      'ArpNd',
      200,
      { ...SOLICITATION, ...asked },
      act(
        [
          move('eth_src', 'eth_dst', 48),
          { kind: 'set_field', field: 'eth_src', value: router },
          move('ipv6_src', 'ipv6_dst', 128),
          move('nd_target', 'ipv6_src', 128),
          { kind: 'set_field', field: 'icmpv6_type', value: ICMP.neighborAdvertisement },
        ],
        'ArpNdReply',
      ),
      answer,
    );
  }
  yield makeFlow(
    'ArpNdReply',
    200,
    { eth_type: ETH.ipv6, nw_proto: IPPROTO.icmpv6, icmpv6_type: ICMP.neighborAdvertisement, icmpv6_code: 0 },
    act([
      { kind: 'set_field', field: 'nd_options_type', value: 2 },
      // Flags router, solicited, override (RFC 4861, 4.4).
      { kind: 'set_field', field: 'nd_reserved', value: 0xe000_0000 },
      { kind: 'set_field', field: 'nd_tll', value: router },
      inPort,
    ]),
    answer,
  );
  const onward = because(from, 'IP goes on.');
  yield makeFlow('ArpNd', 100, IP4, goTo('Concern'), onward);
  yield makeFlow('ArpNd', 100, IP6, goTo('Concern'), onward);
}

function* tracking(from: Origin): Iterable<Flow> {
  const pod = matchRegisters({ sourceKind: SOURCE_KIND.pod });
  const back = because(from, 'A reply of a pod to itself: its source is translated back first.');
  const track = because(from, 'Every packet passes the connection tracker in the zone of its VPC.');
  for (const [ip, hairpin] of [
    [IP4, { ip_dst: HAIRPIN_IPV4 }],
    [IP6, { ipv6_dst: HAIRPIN_IPV6 }],
  ] as const) {
    yield makeFlow(
      'Conntrack',
      200,
      { ...ip, ...hairpin, ...pod },
      act([{ kind: 'ct', zone: subfield('hairpinZone'), nat: {}, table: TABLE_ID.HairpinReply }]),
      back,
    );
    const ct: Action = { kind: 'ct', zone: subfield('vpc'), nat: {}, table: TABLE_ID.ConntrackState };
    yield makeFlow('Conntrack', 100, ip, act([ct]), track);
    yield makeFlow('HairpinReply', 100, ip, act([setRegister('hairpin', 1), ct]), back);
  }
  const allowed = 1 << CT_MARK.allowed.bit;
  yield makeFlow(
    'ConntrackState',
    200,
    { ct_state: [CT_STATE.trk | CT_STATE.inv, CT_STATE.trk | CT_STATE.inv] },
    DROP,
    because(from, 'The connection tracker calls the packet invalid.'),
  );
  // The userspace tracker knows SCTP by its addresses alone: whoever was let through to one port would have them all.
  for (const ip of [IP4, IP6])
    yield makeFlow(
      'ConntrackState',
      150,
      {
        ...ip,
        nw_proto: IPPROTO.sctp,
        ct_state: [CT_STATE.trk, CT_STATE.trk | CT_STATE.inv | CT_STATE.rpl],
      },
      goTo('ServiceAffinity'),
      because(from, 'Policy judges every SCTP packet: the tracker may not tell its ports apart.'),
    );
  const answers = [CT_STATE.rpl, CT_STATE.rel];
  for (const bit of answers)
    yield makeFlow(
      'ConntrackState',
      100,
      { ct_state: [CT_STATE.trk | bit, CT_STATE.trk | CT_STATE.inv | bit], ct_mark: [allowed, allowed] },
      act([setRegister('established', 1)], 'Route'),
      because(from, 'An answer within a connection that policy let through.'),
    );
  yield* standing(from, allowed, answers);
  yield makeFlow(
    'ConntrackState',
    90,
    { ct_state: [CT_STATE.trk, CT_STATE.trk | CT_STATE.inv], ct_mark: [allowed, allowed] },
    act([setRegister('recheck', 1)], 'DestinationIdentity'),
    because(from, 'Policy let this connection through before, and judges whether it still does.'),
  );
  yield makeFlow(
    'ConntrackState',
    50,
    {
      ct_state: [CT_STATE.trk | CT_STATE.est | CT_STATE.rpl, CT_STATE.trk | CT_STATE.inv | CT_STATE.est | CT_STATE.rpl],
    },
    DROP,
    because(from, 'A reply to something that policy never let through.'),
  );
}

/** Connections that rules of policies that cut let through: the rules must stand, whichever way the packet goes. */
function* standing(from: Origin, allowed: number, answers: readonly number[]): Iterable<Flow> {
  const asked = because(from, 'The rule that let the connection through is of a policy that cuts, and must stand.');
  const gone = because(from, 'The rule that let the connection through stands no more.');
  const none = because(from, 'No rule of a policy that cuts let the connection through.');
  for (const { bit } of [CT_MARK.egressStrict, CT_MARK.ingressStrict]) {
    const marks = allowed | (1 << bit);
    const known = { ct_mark: [marks, marks] } as const;
    for (const answer of answers)
      yield makeFlow(
        'ConntrackState',
        120,
        { ct_state: [CT_STATE.trk | answer, CT_STATE.trk | CT_STATE.inv | answer], ...known },
        act([setRegister('established', 1)], 'EgressStanding'),
        asked,
      );
    yield makeFlow(
      'ConntrackState',
      110,
      { ct_state: [CT_STATE.trk, CT_STATE.trk | CT_STATE.inv], ...known },
      act([setRegister('recheck', 1)], 'EgressStanding'),
      asked,
    );
  }
  const over = because(from, 'The connection ended with the rule that let it through; it must be opened anew.');
  const ended = 1 << CT_MARK.ended.bit;
  // A datagram that follows opens the connection anew; of TCP only a new SYN does.
  for (const ip of [IP4, IP6])
    yield makeFlow('ConntrackState', 130, { ...ip, nw_proto: IPPROTO.tcp, ct_mark: [ended, ended] }, DROP, over);
  const drop = act([end, setRegister('deniedBy', objectIdOf(from.cookie))], 'Denied');
  for (const [table, { bit }, next] of [
    ['EgressStanding', CT_MARK.egressStrict, 'IngressStanding'],
    ['IngressStanding', CT_MARK.ingressStrict, 'DestinationIdentity'],
  ] as const) {
    yield makeFlow(table, 200, { ct_mark: [0, 1 << bit] }, goTo(next), none);
    for (const ip of [IP4, IP6]) yield makeFlow(table, 10, ip, drop, gone);
  }
  yield makeFlow('DestinationIdentity', 310, matchRegisters({ established: 1 }), goTo('Route'), asked);
}

function* policyBypasses(from: Origin): Iterable<Flow> {
  const elsewhere = because(from, 'Egress policy is judged where the sender is.');
  for (const sourceKind of [SOURCE_KIND.tunnel, SOURCE_KIND.host])
    yield makeFlow('DestinationIdentity', 300, matchRegisters({ sourceKind }), goTo('Route'), elsewhere);
  yield makeFlow(
    'IngressAdmin',
    FIXED_PRIORITY.established,
    matchRegisters({ established: 1 }),
    goTo('EgressNat'),
    because(from, 'An answer within a connection that policy let through.'),
  );
  yield makeFlow(
    'IngressAdmin',
    FIXED_PRIORITY.established,
    matchRegisters({ plain: 1 }),
    goTo('PolicyLog'),
    because(from, 'No policy concerns sender and receiver.'),
  );
  yield makeFlow(
    'IngressAdmin',
    FIXED_PRIORITY.ownNode,
    matchRegisters({ sourceIdentity: RESERVED_IDENTITY.host }),
    goTo('PolicyLog'),
    because(from, "A pod's own node always reaches it."),
  );
  for (const known of [{ established: 1 }, { recheck: 1 }])
    yield makeFlow(
      'EndpointDNAT',
      200,
      matchRegisters(known),
      goTo('EgressNat'),
      because(from, 'The connection is committed already.'),
    );
  for (const ip of [IP4, IP6])
    yield makeFlow(
      'Denied',
      100,
      { ...ip, ...matchRegisters({ recheck: 1 }) },
      act([cut]),
      because(from, 'Policy denies a connection that it let through before: the connection is cut.'),
    );
}

function* unroutable(config: ConfigFact, from: Origin): Iterable<Flow> {
  const never = because(from, 'Multicast, broadcast, link-local and loopback addresses are not routed.');
  for (const range of UNROUTABLE) {
    const prefix = prefixOf(range as Cidr);
    yield makeFlow('Route', 1000 + prefix.length, matchDestination(prefix), DROP, never);
  }
  yield makeFlow('Route', 1128, { ...IP6, ipv6_dst: HAIRPIN_IPV6 }, DROP, never);
  const vpc = matchRegisters({ vpc: DEFAULT_VPC });
  for (const cidr of config.clusterCidrs) {
    const prefix = prefixOf(cidr);
    yield makeFlow(
      'Route',
      1000 + prefix.length,
      { ...matchDestination(prefix), ...vpc },
      DROP,
      because(from, 'No pod of the cluster has this address.'),
    );
  }
  for (const cidr of config.serviceCidrs) {
    yield makeFlow(
      'ServiceLB',
      50,
      { ...matchDestination(prefixOf(cidr)), ...vpc },
      goTo('ServiceReject'),
      because(from, 'No service has this address and port.'),
    );
  }
}

function* lastMile(from: Origin): Iterable<Flow> {
  const allowed = because(from, 'An allowed connection is remembered with the rules that allowed it.');
  const itself = because(from, 'A pod that reaches itself through a service sees another source.');
  const inPlace = because(from, 'Nobody judges the connection; it is remembered for policies to come.');
  const done = because(from, 'A reply to a pod itself needs no translation any more.');
  yield makeFlow('EgressNat', 200, matchRegisters({ hairpin: 1 }), goTo('Output'), done);
  for (const [ip, address] of [
    [IP4, { family: 4, value: HAIRPIN_IPV4 }],
    [IP6, { family: 6, value: HAIRPIN_IPV6 }],
  ] as const) {
    yield makeFlow('ConntrackCommit', 100, ip, act([commit('EgressNat')]), allowed);
    yield makeFlow(
      'ConntrackCommit',
      200,
      { ...ip, ...matchRegisters({ plain: 1 }) },
      act(commitInPlace, 'EgressNat'),
      inPlace,
    );
    const turnRound = act([
      setRegister('hairpin', 1),
      {
        kind: 'ct',
        commit: true,
        zone: subfield('hairpinZone'),
        nat: { type: 'src', ip: { min: address } },
        table: TABLE_ID.Output,
      },
    ]);
    const asked = { ct_state: [CT_STATE.trk, CT_STATE.trk | CT_STATE.rpl] } as const;
    yield makeFlow('EgressNat', 100, { ...ip, ...asked, ...matchRegisters({ self: 1 }) }, turnRound, itself);
    // What is committed in place has no state here; a pod does not answer itself but through the hairpin address.
    yield makeFlow('EgressNat', 150, { ...ip, ...matchRegisters({ self: 1, plain: 1 }) }, turnRound, itself);
  }
  yield makeFlow(
    'Output',
    300,
    matchRegisters({ hairpin: 1 }),
    act([{ kind: 'output', port: PORT.IN_PORT }]),
    because(from, 'Back to the pod that it came from.'),
  );
  yield makeFlow(
    'Output',
    50,
    // Port numbers begin at 1: 0 means that no route named one.
    {},
    act([{ kind: 'output_reg', source: subfield('outputOfport') }]),
    because(from, 'To the port that the route named.'),
  );
}
