import {
  arpPacket,
  CT_STATE,
  echoPacket,
  type Flow,
  ipPacket,
  l4Packet,
  type NodeFlowSet,
  neighbourSolicitation,
  type Packet,
  replyTo,
  TCP_FLAGS,
  unreachablePacket,
} from '@heddle/compiler';
import { type Action, type Match, PORT, parseIpv4, parseIpv6, parseMac } from 'openflow-ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOvs } from '../support/ovs.js';
import { evaluated, PacketSwitch, type Sent } from './evaluate-switch.js';

// The evaluator against the userspace datapath itself: the same flows, the same frames, the same connections.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const MAC = { ethSrc: '02:00:00:00:00:0a', ethDst: '02:00:00:00:00:0b' };
const C = '10.0.0.1';
const S = '10.0.0.2';
const { syn, ack, fin, rst } = TCP_FLAGS;

let serial = 0;
function flow(tableId: number, priority: number, match: Match, actions: readonly Action[], goto?: number): Flow {
  const key = `${tableId}/${priority}/${++serial}`;
  const instructions = [
    ...(actions.length > 0 ? [{ kind: 'apply_actions', actions } as const] : []),
    ...(goto === undefined ? [] : [{ kind: 'goto_table', table: goto } as const]),
  ];
  return {
    key,
    tableId,
    priority,
    match,
    instructions,
    cookie: 0n,
    provenance: { feature: 'pipeline', owners: [], why: '' },
  };
}
const set = (flows: readonly Flow[], groups: NodeFlowSet['groups'] = new Map()): NodeFlowSet => ({
  flows: new Map(flows.map((f) => [f.key, f])),
  groups,
});
const out = (port: number): Action => ({ kind: 'output', port });
const put = (field: string, value: number | bigint, mask?: number | bigint): Action =>
  ({ kind: 'set_field', field, value, ...(mask === undefined ? {} : { mask }) }) as Action;
const sub = (field: string, offset: number, bits: number) => ({ field, offset, bits }) as never;
const ct = (rest: object): Action => ({ kind: 'ct', zone: 5, ...rest }) as Action;
const l4 = (
  protocol: 'tcp' | 'udp' | 'sctp',
  src: string,
  dst: string,
  srcPort: number,
  dstPort: number,
  tcpFlags?: number,
): Packet =>
  l4Packet({ ...MAC, protocol, src, dst, srcPort, dstPort, ...(tcpFlags === undefined ? {} : { tcpFlags }) });

/** The state in which a packet was seen leaves as its TTL, so that the frame itself says it. */
const IP = [{ eth_type: 0x0800 }, { eth_type: 0x86dd }] as const;
const v4 = IP[0];
const { inv, trk } = CT_STATE;
const tracked = Array.from({ length: 256 }, (_, state) => state).filter((state) => (state & trk) !== 0);
const tracking = (commit: object, families: readonly { eth_type: number }[] = IP): Flow[] => [
  ...families.map((ip) => flow(0, 1, ip, [ct({ nat: {}, table: 1 })])),
  ...families.flatMap((ip) =>
    tracked.map((state) =>
      flow(1, 5, { ...ip, ct_state: [state, 0xff] }, [
        put('nw_ttl', state),
        // Open vSwitch refuses a commit under +inv.
        state & inv ? { kind: 'resubmit', table: 2 } : ct({ commit: true, table: 2, ...commit }),
      ]),
    ),
  ),
  ...families.flatMap((ip) => [
    flow(2, 1, { ...ip, in_port: 1 }, [out(2)]),
    flow(2, 1, { ...ip, in_port: 2 }, [out(1)]),
  ]),
];
const client = (packet: Packet): Sent => ({ ofport: 1, packet });
const server = (packet: Packet): Sent => ({ ofport: 2, packet });
const tcp = (flags: number) => client(l4('tcp', C, S, 1000, 80, flags));
const tcpBack = (flags: number) => server(l4('tcp', S, C, 80, 1000, flags));
const udp = client(l4('udp', C, S, 1000, 80));
const udpBack = server(l4('udp', S, C, 80, 1000));
const ping = echoPacket({ ...MAC, src: C, dst: S, id: 5 });
const ping6 = echoPacket({ ...MAC, src: 'fd00::1', dst: 'fd00::2', id: 5 });
const VIP = '10.96.0.1';
const dnat = { nat: { type: 'dst', ip: { min: { family: 4, value: parseIpv4(S) } }, port: { min: 8080 } } };
const snat = { nat: { type: 'src', ip: { min: { family: 4, value: parseIpv4('169.254.1.2') } } } };
const mark = {
  exec: [put('ct_mark', 1, 1), { kind: 'move', source: sub('reg4', 0, 32), target: sub('ct_label', 32, 32) }],
};

const conj = (id: number, clause: number, of: number): Action => ({ kind: 'conjunction', id, clause, of });
const router = parseMac('0a:58:00:00:00:01');

const rows: [string, Flow[], Sent[]][] = [
  [
    'TCP handshake and close',
    tracking({}),
    [tcp(syn), tcpBack(syn | ack), tcp(ack), tcpBack(ack), tcp(fin | ack), tcpBack(fin | ack), tcp(ack)],
  ],
  ['TCP: SYN twice', tracking({}), [tcp(syn), tcp(syn), tcpBack(syn | ack)]],
  ['TCP: SYN|ACK first', tracking({}), [tcpBack(syn | ack)]],
  ['TCP: ACK first', tracking({}), [tcp(ack), tcpBack(ack), tcp(ack)]],
  ['TCP: nonsense flags', tracking({}), [tcp(syn | fin), tcp(0), tcp(fin)]],
  ['TCP: refused, then again', tracking({}), [tcp(syn), tcpBack(rst | ack), tcp(syn), tcpBack(syn | ack)]],
  ['UDP one way', tracking({}), [udp, udp, udp, udp]],
  ['UDP both ways', tracking({}), [udp, udpBack, udp, udpBack]],
  ['SCTP', tracking({}), [client(l4('sctp', C, S, 1000, 80)), server(l4('sctp', S, C, 80, 1000))]],
  [
    'SCTP to another port, which the tracker takes for the same connection',
    tracking({}),
    [client(l4('sctp', C, S, 1000, 80)), server(l4('sctp', S, C, 81, 1000)), client(l4('sctp', C, S, 2000, 82))],
  ],
  [
    'destination NAT, SCTP',
    tracking(dnat, [v4]),
    [client(l4('sctp', C, VIP, 1000, 80)), client(l4('sctp', C, VIP, 1000, 80)), server(l4('sctp', S, C, 80, 1000))],
  ],
  ['ICMP echo', tracking({}), [client(ping), client(ping), server(replyTo(ping)), client(ping)]],
  ['ICMPv6 echo', tracking({}), [client(ping6), server(replyTo(ping6)), client(ping6)]],
  ['an echo reply alone', tracking({}), [server(replyTo(ping))]],
  [
    'another IP protocol',
    tracking({}),
    [
      client(ipPacket({ ...MAC, src: C, dst: S, protocolNumber: 47 })),
      server(ipPacket({ ...MAC, src: S, dst: C, protocolNumber: 47 })),
    ],
  ],
  [
    'an ICMP error about nothing',
    tracking({}),
    [server(unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: udp.packet }))],
  ],
  [
    'an ICMP error about a packet',
    tracking({}),
    [udp, server(unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: udp.packet }))],
  ],
  [
    'destination NAT, UDP',
    tracking(dnat, [v4]),
    [client(l4('udp', C, VIP, 1000, 80)), server(l4('udp', S, C, 8080, 1000)), client(l4('udp', C, VIP, 1000, 80))],
  ],
  [
    'destination NAT, TCP',
    tracking(dnat, [v4]),
    [
      client(l4('tcp', C, VIP, 1000, 80, syn)),
      server(l4('tcp', S, C, 8080, 1000, syn | ack)),
      client(l4('tcp', C, VIP, 1000, 80, ack)),
    ],
  ],
  [
    'destination NAT and an ICMP error from behind',
    tracking(dnat, [v4]),
    [
      client(l4('udp', C, VIP, 1000, 80)),
      server(unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: l4('udp', C, S, 1000, 8080) })),
    ],
  ],
  ['source NAT', tracking(snat, [v4]), [udp, server(l4('udp', S, '169.254.1.2', 80, 1000)), udp]],
  [
    'mark and label on packets of both directions',
    [
      ...IP.map((ip) => flow(0, 1, ip, [put('reg4', 77), ct({ nat: {}, table: 1 })])),
      ...IP.map((ip) =>
        flow(
          1,
          5,
          { ...ip, ct_mark: [1, 1], ct_label: [77n << 32n, 0xffff_ffffn << 32n] } as Match,
          [put('nw_ttl', 9)],
          2,
        ),
      ),
      ...IP.map((ip) => flow(1, 1, ip, [ct({ commit: true, ...mark, table: 2 })])),
      flow(2, 1, { in_port: 1 }, [out(2)]),
      flow(2, 1, { in_port: 2 }, [out(1)]),
    ],
    [udp, udp, udpBack, server(unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: udp.packet }))],
  ],
  [
    'two zones, one after the other',
    [
      flow(0, 1, v4, [ct({ zone: 6, nat: {}, table: 1 })]),
      flow(1, 1, v4, [ct({ zone: 5, commit: true, table: 2 })]),
      ...tracked
        .filter((s) => s < 64)
        .map((s) => flow(2, 1, { ...v4, ct_state: [s, 0x3f] }, [put('nw_ttl', s + 1)], 3)),
      flow(3, 2, { ...v4, in_port: 1 }, [ct({ zone: 6, commit: true, ...snat, table: 4 })]),
      flow(3, 1, v4, [], 4),
      flow(4, 1, { ...v4, in_port: 1 }, [out(2)]),
      flow(4, 1, { ...v4, in_port: 2 }, [out(1)]),
    ],
    [udp, server(l4('udp', S, '169.254.1.2', 80, 1000)), udp, udpBack],
  ],
  [
    'ct without a table keeps the state from the packet',
    [
      flow(0, 1, v4, [ct({ commit: true })], 1),
      flow(1, 2, { ...v4, ct_state: [0x20, 0x20] }, [out(3)]),
      flow(1, 1, v4, [out(2)]),
    ],
    [udp],
  ],
  [
    'translation in place: what follows looks at the old addresses, what leaves has the new ones',
    [
      flow(0, 2, { ...v4, ip_dst: parseIpv4(VIP) }, [ct({ nat: {}, table: 1 })]),
      flow(0, 1, v4, [ct({ nat: {} }), ct({ commit: true, ...mark })], 3),
      flow(1, 1, v4, [ct({ commit: true, table: 2, ...dnat })]),
      flow(2, 1, v4, [out(2)]),
      flow(3, 2, { ...v4, ip_src: parseIpv4(S) }, [put('nw_ttl', 9), out(1)]),
      flow(3, 2, { ...v4, ip_src: parseIpv4(VIP) }, [out(3)]),
      flow(3, 1, v4, [ct({ zone: 6, commit: true, ...snat, table: 4 })]),
      flow(4, 1, v4, [out(4)]),
    ],
    [
      client(l4('udp', C, VIP, 1000, 80)),
      server(l4('udp', S, C, 8080, 1000)),
      server(unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: l4('udp', C, S, 1000, 8080) })),
      client(l4('tcp', C, VIP, 1000, 80, syn)),
      server(l4('tcp', S, C, 8080, 1000, syn | ack)),
      client(l4('tcp', C, VIP, 1000, 80, ack)),
      client(udp.packet),
      server(udpBack.packet),
      client(l4('tcp', C, S, 1, 2, syn | fin)),
    ],
  ],
  [
    'zone from a register',
    [
      flow(0, 1, v4, [put('reg0', 0x12 << 8), ct({ zone: sub('reg0', 8, 16), commit: true, table: 1 })]),
      flow(1, 1, { ...v4, ct_zone: 0x12 }, [out(2)]),
    ],
    [udp],
  ],
  [
    'conjunctions of three and of two dimensions, one shared flow',
    [
      flow(0, 10, { ...v4, ip_src: parseIpv4(C) }, [conj(7, 1, 3)]),
      flow(0, 10, { ...v4, ip_src: parseIpv4('10.0.0.9') }, [conj(7, 1, 3), conj(8, 1, 2)]),
      flow(0, 10, { ...v4, ip_dst: parseIpv4(S) }, [conj(7, 2, 3)]),
      flow(0, 10, { ...v4, nw_proto: 17, udp_dst: 80 }, [conj(7, 3, 3)]),
      flow(0, 10, { ...v4, nw_proto: 17, udp_dst: [88, 0xfff8] }, [conj(8, 2, 2)]),
      flow(0, 10, { ...v4, conj_id: 7 }, [out(2)]),
      flow(0, 10, { ...v4, conj_id: 8 }, [out(3)]),
      flow(0, 20, { ...v4, nw_proto: 17, udp_dst: 95 }, [out(4)]),
      flow(0, 5, v4, [out(5)]),
    ],
    [
      udp,
      client(l4('udp', C, S, 1000, 81)),
      client(l4('udp', '10.0.0.9', S, 1000, 89)),
      client(l4('udp', '10.0.0.9', S, 1000, 95)),
      client(l4('udp', '10.0.0.9', S, 1000, 80)),
      client(l4('udp', '10.0.0.8', S, 1000, 80)),
    ],
  ],
  [
    'resubmit, clone, registers, TTL and IN_PORT',
    [
      flow(0, 1, v4, [
        put('reg1', 3),
        { kind: 'clone', actions: [put('reg1', 4), { kind: 'resubmit', table: 4 }] },
        { kind: 'resubmit', table: 4 },
        { kind: 'dec_ttl' },
        out(1),
        out(3),
        out(PORT.IN_PORT),
      ]),
      flow(4, 1, { ...v4, reg1: 3 }, [put('reg3', 5), { kind: 'output_reg', source: sub('reg3', 0, 16) }]),
      flow(4, 1, { ...v4, reg1: 4 }, [out(4)]),
    ],
    [
      udp,
      client(l4Packet({ ...MAC, protocol: 'udp', src: C, dst: S, srcPort: 1, dstPort: 2, ttl: 1 })),
      client(l4Packet({ ...MAC, protocol: 'udp', src: C, dst: S, srcPort: 1, dstPort: 2, ttl: 2 })),
    ],
  ],
  [
    'moves between headers and registers',
    [
      flow(
        0,
        1,
        { ...v4, nw_proto: 17 },
        [
          { kind: 'move', source: sub('ip_dst', 0, 32), target: sub('reg8', 0, 32) },
          { kind: 'move', source: sub('udp_dst', 0, 16), target: sub('reg12', 0, 16) },
          put('ip_dst', parseIpv4('10.0.9.9')),
          put('udp_dst', 9),
        ],
        1,
      ),
      flow(1, 1, { ...v4, nw_proto: 17, udp_dst: 9, reg8: parseIpv4(S), reg12: [80, 0xffff] }, [
        { kind: 'move', source: sub('reg12', 0, 16), target: sub('udp_src', 0, 16) },
        out(2),
      ]),
    ],
    [udp],
  ],
  [
    'an ARP responder',
    [
      flow(0, 1, { eth_type: 0x806, arp_op: 1 }, [
        { kind: 'move', source: sub('eth_src', 0, 48), target: sub('eth_dst', 0, 48) },
        put('eth_src', router),
        put('arp_op', 2),
        { kind: 'move', source: sub('arp_sha', 0, 48), target: sub('arp_tha', 0, 48) },
        put('arp_sha', router),
        { kind: 'move', source: sub('arp_tpa', 0, 32), target: sub('reg13', 0, 32) },
        { kind: 'move', source: sub('arp_spa', 0, 32), target: sub('arp_tpa', 0, 32) },
        { kind: 'move', source: sub('reg13', 0, 32), target: sub('arp_spa', 0, 32) },
        out(PORT.IN_PORT),
      ]),
    ],
    [client(arpPacket({ ...MAC, op: 1, sha: MAC.ethSrc, spa: C, tha: '00:00:00:00:00:00', tpa: '10.0.0.77' }))],
  ],
  [
    'neighbour solicitations by target and sender',
    [
      flow(0, 3, { eth_type: 0x86dd, nw_proto: 58, icmpv6_type: 135, nd_target: parseIpv6('fe80::1') }, [out(2)]),
      flow(0, 1, { eth_type: 0x86dd }, [out(3)]),
    ],
    [
      client(
        neighbourSolicitation({ ...MAC, src: 'fd00::1', dst: 'ff02::1:ff00:1', target: 'fe80::1', sll: MAC.ethSrc }),
      ),
      client(neighbourSolicitation({ ...MAC, src: '::', dst: 'ff02::1:ff00:1', target: 'fe80::2' })),
    ],
  ],
];

describe.skipIf(!hasOvs())('evaluator = userspace datapath', () => {
  let ovs: PacketSwitch;
  beforeAll(async () => {
    ovs = await PacketSwitch.start([1, 2, 3, 4, 5]);
  });
  afterAll(() => ovs?.stop());

  test.each(rows)('%s', async (_, flows, packets) => {
    const made = set(flows);
    const want = evaluated(made, packets);
    await ovs.install(made);
    expect(await ovs.run(packets)).toEqual(want);
  });
});
