import { type Action, type Match, PORT, parseIpv4, parseIpv6, parseMac } from 'openflow-ts/codec';
import { describe, expect, test } from 'vitest';
import type { Flow, Group } from '../model/output.js';
import { CT_STATE } from '../pipeline/constants.js';
import { createEvaluator } from './evaluator.js';
import { readField } from './fields.js';
import { arpPacket, echoPacket, header, l4Packet, neighbourSolicitation, type Packet, replyTo } from './packet.js';
import { flow, flowSet, group } from './testing/flows.js';
import { tunnelWire } from './wire.js';

const A = { ethSrc: '02:00:00:00:00:0a', ethDst: '02:00:00:00:00:0b' };
const tcp = (src: string, dst: string, dstPort = 80, extra = {}): Packet =>
  l4Packet({ ...A, src, dst, protocol: 'tcp', srcPort: 40000, dstPort, ...extra });
const ip4 = parseIpv4;
const out = (port: number): Action => ({ kind: 'output', port });
const set = (field: string, value: number | bigint, mask?: number | bigint): Action =>
  ({ kind: 'set_field', field, value, ...(mask === undefined ? {} : { mask }) }) as Action;
const sub = (field: string, offset: number, bits: number) => ({ field, offset, bits }) as never;

function run(
  flows: readonly Flow[],
  packet: Packet,
  options: { port?: number; groups?: readonly Group[]; bucket?: number } = {},
) {
  const nodes = flowSet(flows, options.groups);
  const evaluator = createEvaluator({ nodes: () => nodes, chooseBucket: () => options.bucket ?? 0 });
  return evaluator.send('n1', options.port ?? 1, packet);
}
const ports = (journey: { deliveries: readonly { ofport: number }[] }) => journey.deliveries.map((d) => d.ofport);

describe('lookup', () => {
  const packet = tcp('10.0.0.1', '10.0.1.2');
  const v4 = { eth_type: 0x800 };
  const rows: [string, [number, Match][], number[]][] = [
    [
      'takes the highest priority',
      [
        [1, v4],
        [5, v4],
        [3, v4],
      ],
      [1],
    ],
    ['takes nothing where nothing matches', [[1, { eth_type: 0x86dd }]], []],
    ['matches under a mask', [[2, { ...v4, ip_dst: [ip4('10.0.1.0'), 0xffffff00] }]], [0]],
    ['does not match under a mask', [[2, { ...v4, ip_dst: [ip4('10.0.2.0'), 0xffffff00] }]], []],
    ['matches the highest bit of an address', [[2, { ...v4, ip_src: [0, 0x80000000] }]], [0]],
    ['matches a masked port', [[2, { ...v4, nw_proto: 6, tcp_dst: [80, 0xfffe] }]], [0]],
    [
      'reads an unwritten register as 0',
      [
        [2, { reg0: 0 }],
        [3, { reg0: [1, 1] }],
      ],
      [0],
    ],
    [
      'reads ct_state as 0 before conntrack',
      [
        [2, { ct_state: [0, CT_STATE.trk] }],
        [3, { ct_state: [CT_STATE.trk, CT_STATE.trk] }],
      ],
      [0],
    ],
    ['matches a masked MAC', [[2, { eth_dst: [parseMac('02:00:00:00:00:00'), parseMac('ff:00:00:00:00:00')] }]], [0]],
  ];
  test.each(rows)('%s', (_, flows, hits) => {
    const made = flows.map(([priority, match], i) => flow(0, priority, match, [out(100 + i)]));
    expect(ports(run(made, packet))).toEqual(hits.map((i) => 100 + i));
  });

  test('refuses flows of one priority that both match and differ', () => {
    const flows = [flow(0, 1, { eth_type: 0x800 }, [out(2)]), flow(0, 1, { in_port: 1 }, [out(3)])];
    expect(() => run(flows, packet)).toThrow(/one priority/);
  });
  test('accepts flows of one priority that do the same', () => {
    const flows = [flow(0, 1, { eth_type: 0x800 }, [out(2)]), flow(0, 1, { in_port: 1 }, [out(2)])];
    expect(ports(run(flows, packet))).toEqual([2]);
  });
});

describe('conjunctive match', () => {
  const clause = (id: number, clause: number, of: number): Action => ({ kind: 'conjunction', id, clause, of });
  const src = (text: string): Match => ({ eth_type: 0x800, ip_src: ip4(text) });
  const dst = (text: string): Match => ({ eth_type: 0x800, ip_dst: ip4(text) });
  const port = (n: number): Match => ({ eth_type: 0x800, nw_proto: 6, tcp_dst: n });
  const flows = [
    flow(0, 10, src('10.0.0.1'), [clause(7, 1, 3)]),
    flow(0, 10, src('10.0.0.2'), [clause(7, 1, 3), clause(8, 1, 2)]),
    flow(0, 10, dst('10.0.1.1'), [clause(7, 2, 3)]),
    flow(0, 10, port(80), [clause(7, 3, 3)]),
    flow(0, 10, port(81), [clause(8, 2, 2)]),
    flow(0, 10, { conj_id: 7 }, [out(7)]),
    flow(0, 10, { conj_id: 8 }, [out(8)]),
    flow(0, 5, { eth_type: 0x800, ip_src: ip4('10.0.0.1') }, [out(5)]),
    flow(0, 20, { eth_type: 0x800, ip_src: ip4('10.0.0.2'), ip_dst: ip4('10.0.1.9') }, [out(20)]),
    flow(0, 1, {}, [out(99)]),
  ];
  const rows: [string, Packet, number][] = [
    ['all three clauses', tcp('10.0.0.1', '10.0.1.1'), 7],
    ['a clause of another id does not help', tcp('10.0.0.1', '10.0.1.1', 81), 5],
    ['a missing clause falls to a lower flow', tcp('10.0.0.1', '10.0.1.2'), 5],
    ['one flow serves two ids', tcp('10.0.0.2', '10.0.1.2', 81), 8],
    ['a higher ordinary flow wins', tcp('10.0.0.2', '10.0.1.9', 81), 20],
    ['nothing met: the lowest', tcp('10.0.0.3', '10.0.1.1'), 99],
  ];
  test.each(rows)('%s', (_, packet, expected) => {
    expect(ports(run(flows, packet))).toEqual([expected]);
  });
  test('names the flows that gave the clauses', () => {
    const [step] = run(flows, tcp('10.0.0.1', '10.0.1.1')).lookups;
    expect(step?.conjunction.map((f) => f.match)).toEqual([src('10.0.0.1'), dst('10.0.1.1'), port(80)]);
  });
  test('a conjunction without its conj_id flow falls through', () => {
    expect(
      ports(
        run(
          flows.filter((f) => f.match.conj_id === undefined),
          tcp('10.0.0.1', '10.0.1.1'),
        ),
      ),
    ).toEqual([5]);
  });
  test('an ordinary flow beats clauses of its own priority', () => {
    expect(ports(run([...flows, flow(0, 10, { in_port: 1 }, [out(10)])], tcp('10.0.0.1', '10.0.1.1')))).toEqual([10]);
  });
});

describe('actions', () => {
  const packet = tcp('10.0.0.1', '10.0.1.1');
  const resubmit = (table: number, port?: number): Action => ({
    kind: 'resubmit',
    table,
    ...(port === undefined ? {} : { port }),
  });
  const rows: [string, Flow[], number[]][] = [
    ['an empty list drops', [flow(0, 1, {}, [])], []],
    ['output goes to every port named', [flow(0, 1, {}, [out(5), out(6)])], [5, 6]],
    ['output to the in_port does nothing', [flow(0, 1, {}, [out(1), out(6)])], [6]],
    ['IN_PORT goes back', [flow(0, 1, {}, [out(PORT.IN_PORT)])], [1]],
    ['goto_table after apply_actions', [flow(0, 1, {}, [set('reg1', 3)], 4), flow(4, 1, { reg1: 3 }, [out(9)])], [9]],
    [
      'a masked set_field keeps the other bits',
      [flow(0, 1, {}, [set('reg1', 0xff), set('reg1', 0x100, 0x101)], 4), flow(4, 1, { reg1: 0x1fe }, [out(9)])],
      [9],
    ],
    [
      'move copies a subfield',
      [
        flow(0, 1, {}, [{ kind: 'move', source: sub('tcp_dst', 0, 16), target: sub('reg2', 8, 16) }], 4),
        flow(4, 1, { reg2: 80 << 8 }, [out(9)]),
      ],
      [9],
    ],
    [
      'move from a field that the packet lacks does nothing',
      [
        flow(
          0,
          1,
          {},
          [set('reg2', 7), { kind: 'move', source: sub('udp_dst', 0, 16), target: sub('reg2', 0, 16) }],
          4,
        ),
        flow(4, 1, { reg2: 7 }, [out(9)]),
      ],
      [9],
    ],
    [
      'xxreg0 is reg0 to reg3, the first most significant',
      [
        flow(0, 1, {}, [set('xxreg0', (1n << 96n) | 2n)], 4),
        flow(4, 1, { reg0: 1, reg3: 2, xxreg0: (1n << 96n) | 2n }, [out(9)]),
      ],
      [9],
    ],
    [
      'output_reg sends to the port in a register',
      [flow(0, 1, {}, [set('reg3', 260), { kind: 'output_reg', source: sub('reg3', 0, 16) }])],
      [260],
    ],
    [
      'output_reg of an unwritten register goes nowhere',
      [flow(0, 1, {}, [{ kind: 'output_reg', source: sub('reg3', 0, 16) }])],
      [],
    ],
    [
      'resubmit comes back and keeps what it wrote',
      [flow(0, 1, {}, [resubmit(4), out(8)]), flow(4, 1, {}, [set('reg1', 1), out(9)])],
      [9, 8],
    ],
    [
      'resubmit may go to a lower table and with another in_port',
      [flow(0, 2, { in_port: 77 }, [out(9)]), flow(0, 1, {}, [], 4), flow(4, 1, {}, [resubmit(0, 77), out(77)])],
      [9, 77],
    ],
    [
      'clone undoes what it changed',
      [
        flow(0, 1, {}, [{ kind: 'clone', actions: [set('reg1', 1), resubmit(4)] }, resubmit(4)]),
        flow(4, 1, { reg1: 1 }, [out(9)]),
        flow(4, 1, { reg1: 0 }, [out(8)]),
      ],
      [9, 8],
    ],
  ];
  test.each(rows)('%s', (_, flows, expected) => {
    expect(ports(run(flows, packet))).toEqual(expected);
  });

  test('dec_ttl lowers the TTL', () => {
    const { deliveries } = run([flow(0, 1, {}, [{ kind: 'dec_ttl' }, out(2)])], packet);
    expect(deliveries.map((d) => header(d.packet, 'nw_ttl'))).toEqual([63]);
  });
  test('dec_ttl of TTL 1 ends the packet', () => {
    const flows = [flow(0, 1, {}, [{ kind: 'dec_ttl' }, out(2)], 3), flow(3, 1, {}, [out(3)])];
    const journey = run(flows, tcp('10.0.0.1', '10.0.1.1', 80, { ttl: 1 }));
    expect([ports(journey), journey.drops.map((d) => d.reason)]).toEqual([[], ['ttl']]);
  });
  test('set_field of a field that the packet lacks does nothing', () => {
    const { deliveries } = run([flow(0, 1, {}, [set('arp_op', 2), out(2)])], packet);
    expect(deliveries.map((d) => header(d.packet, 'nw_proto'))).toEqual([6]);
  });
  test('registers do not leave the switch', () => {
    const { deliveries } = run([flow(0, 1, {}, [set('reg1', 5), out(2)])], packet);
    expect(Object.keys(deliveries[0]?.packet.headers ?? {})).toEqual(Object.keys(packet.headers));
  });

  const errors: [string, Flow[], RegExp][] = [
    [
      'an action that is not modelled',
      [flow(0, 1, {}, [{ kind: 'push_vlan', ethType: 0x8100 }])],
      /push_vlan is not modelled/,
    ],
    ['a field that is not modelled', [flow(0, 1, { mpls_label: 3 } as Match, [])], /mpls_label is not modelled/],
    ['a reserved port', [flow(0, 1, {}, [out(PORT.FLOOD)])], /reserved port/],
    ['goto_table backwards', [flow(0, 1, {}, [], 2), flow(2, 1, {}, [], 1)], /backwards/],
    ['a resubmit loop', [flow(0, 1, {}, [resubmit(0)])], /deeper than 64/],
    ['a missing group', [flow(0, 1, {}, [{ kind: 'group', group: 3 }])], /group 3 does not exist/],
    [
      'conjunction beside another action',
      [flow(0, 1, {}, [{ kind: 'conjunction', id: 1, clause: 1, of: 2 }, out(2)])],
      /mixes/,
    ],
  ];
  test.each(errors)('%s is an error, not a verdict', (_, flows, message) => {
    expect(() => run(flows, packet)).toThrow(message);
  });

  test('says where and why a packet ended', () => {
    const rows = [
      [flow(0, 1, { eth_type: 0x86dd }, [])],
      [flow(0, 1, {}, [set('reg1', 1)])],
      [flow(0, 1, {}, [out(1)])],
      [flow(0, 1, {}, [], 4)],
    ].map((flows) => run(flows, packet).drops.map((d) => [d.reason, d.lookup.tableId]));
    expect(rows).toEqual([[['table miss', 0]], [['no action', 0]], [['output to in_port', 0]], [['table miss', 4]]]);
  });
});

describe('groups', () => {
  const groups = [
    group(9, [set('reg1', 1), { kind: 'resubmit', table: 4 }], [set('reg1', 2), { kind: 'resubmit', table: 4 }]),
  ];
  const flows = [
    flow(0, 1, {}, [
      { kind: 'group', group: 9 },
      { kind: 'resubmit', table: 4 },
    ]),
    flow(4, 1, { reg1: 0 }, [out(10)]),
    flow(4, 1, { reg1: 1 }, [out(11)]),
    flow(4, 1, { reg1: 2 }, [out(12)]),
  ];
  test.each([
    [0, [11, 10]],
    [1, [12, 10]],
  ])('bucket %i is taken and its changes are undone behind it', (bucket, expected) => {
    expect(ports(run(flows, tcp('10.0.0.1', '10.0.1.1'), { groups, bucket }))).toEqual(expected);
  });
  test('a bucket that sends nowhere is a drop', () => {
    const journey = run([flow(0, 1, {}, [{ kind: 'group', group: 9 }])], tcp('10.0.0.1', '10.0.1.1'), {
      groups: [group(9, [])],
    });
    expect(journey.drops.map((d) => d.reason)).toEqual(['no action']);
  });
  test('a group without buckets is a drop', () => {
    const journey = run([flow(0, 1, {}, [{ kind: 'group', group: 9 }])], tcp('10.0.0.1', '10.0.1.1'), {
      groups: [group(9)],
    });
    expect(journey.drops.map((d) => d.reason)).toEqual(['no bucket']);
  });
});

describe('ARP and ND', () => {
  const router = parseMac('0a:58:00:00:00:01');
  test('an ARP responder answers for the asked address', () => {
    const arp = { eth_type: 0x806 } as const;
    const flows = [
      flow(0, 1, { ...arp, arp_op: 1 }, [
        { kind: 'move', source: sub('eth_src', 0, 48), target: sub('eth_dst', 0, 48) },
        set('eth_src', router),
        set('arp_op', 2),
        { kind: 'move', source: sub('arp_sha', 0, 48), target: sub('arp_tha', 0, 48) },
        set('arp_sha', router),
        { kind: 'move', source: sub('arp_tpa', 0, 32), target: sub('reg1', 0, 32) },
        { kind: 'move', source: sub('arp_spa', 0, 32), target: sub('arp_tpa', 0, 32) },
        { kind: 'move', source: sub('reg1', 0, 32), target: sub('arp_spa', 0, 32) },
        out(PORT.IN_PORT),
      ]),
    ];
    const ask = arpPacket({ ...A, op: 1, sha: A.ethSrc, spa: '10.0.0.1', tha: '00:00:00:00:00:00', tpa: '10.0.0.9' });
    const [answer] = run(flows, ask).deliveries;
    const want = arpPacket({
      ethSrc: '0a:58:00:00:00:01',
      ethDst: A.ethSrc,
      op: 2,
      sha: '0a:58:00:00:00:01',
      spa: '10.0.0.9',
      tha: A.ethSrc,
      tpa: '10.0.0.1',
    });
    expect([answer?.ofport, answer?.packet.headers]).toEqual([1, want.headers]);
  });
  test('nd_tll can be written once the packet is an advertisement', () => {
    const nd = { eth_type: 0x86dd, nw_proto: 58 } as const;
    const flows = [
      flow(0, 1, { ...nd, icmpv6_type: 135 }, [set('nd_tll', 5n), set('icmpv6_type', 136)], 1),
      flow(1, 1, { ...nd, icmpv6_type: 136, nd_target: parseIpv6('fe80::1') }, [
        set('nd_tll', router),
        out(PORT.IN_PORT),
      ]),
    ];
    const ask = neighbourSolicitation({
      ...A,
      src: 'fd00::1',
      dst: 'ff02::1:ff00:1',
      target: 'fe80::1',
      sll: A.ethSrc,
    });
    const [answer] = run(flows, ask).deliveries;
    expect(answer && header(answer.packet, 'nd_tll')).toBe(router);
  });
});

describe('two nodes', () => {
  const tunnels = [
    { name: 'n1', encapIp: '192.0.2.1', tunnelOfport: 1 },
    { name: 'n2', encapIp: '192.0.2.2', tunnelOfport: 1 },
  ] as never[];
  const sender = flowSet([
    flow(0, 1, { in_port: 256 }, [
      set('reg1', 300),
      set('tun_id', 1n),
      set('tun_dst', ip4('192.0.2.2')),
      { kind: 'move', source: sub('reg1', 0, 32), target: sub('tun_metadata0', 0, 32) },
      out(1),
    ]),
  ]);
  const receiver = flowSet([
    flow(
      0,
      1,
      { in_port: 1, tun_id: 1n, tun_src: ip4('192.0.2.1'), tun_dst: ip4('192.0.2.2'), reg1: 0 },
      [{ kind: 'move', source: sub('tun_metadata0', 0, 32), target: sub('reg2', 0, 32) }],
      1,
    ),
    flow(1, 1, { reg2: 300 }, [out(260)]),
    flow(1, 1, { reg2: 0 }, [out(261)]),
  ]);
  const nodes = (name: string) => (name === 'n1' ? sender : name === 'n2' ? receiver : undefined);
  test.each([
    ['geneve', 260],
    ['vxlan', 261],
  ] as const)('%s carries what it can carry, and no registers', (encap, ofport) => {
    const evaluator = createEvaluator({ nodes, wire: tunnelWire(tunnels, encap) });
    const journey = evaluator.send('n1', 256, tcp('10.0.0.1', '10.0.1.1'));
    expect(journey.deliveries.map((d) => [d.node, d.ofport])).toEqual([['n2', ofport]]);
    expect(journey.lookups.map((s) => `${s.node}/${s.tableId}`)).toEqual(['n1/0', 'n2/0', 'n2/1']);
  });
  test('a packet to an unknown VTEP is lost', () => {
    const evaluator = createEvaluator({ nodes, wire: tunnelWire(tunnels.slice(0, 1), 'geneve') });
    expect(evaluator.send('n1', 256, tcp('10.0.0.1', '10.0.1.1')).drops.map((d) => d.reason)).toEqual(['no peer']);
  });
});

describe('ct in a pipeline', () => {
  const ct = (rest: object): Action => ({ kind: 'ct', zone: 5, ...rest }) as Action;
  const nat = (dst: string, port?: number) => ({
    type: 'dst',
    ip: { min: { family: 4, value: ip4(dst) } },
    ...(port ? { port: { min: port } } : {}),
  });
  const state = (on: number, off = 0): Match => ({ eth_type: 0x800, ct_state: [on, on | off] });
  // Port 1 asks 10.96.0.1:80 and is sent to 10.0.1.1:8080 behind port 2; only new connections of port 1 are committed.
  const flows = [
    flow(0, 1, { eth_type: 0x800 }, [ct({ nat: {}, table: 1 })]),
    flow(1, 9, state(CT_STATE.inv | CT_STATE.trk), []),
    flow(1, 8, { ...state(CT_STATE.trk | CT_STATE.est), ct_mark: [1, 1] }, [], 3),
    flow(1, 7, { ...state(CT_STATE.trk | CT_STATE.rel), ct_mark: [1, 1] }, [], 3),
    flow(1, 5, { ...state(CT_STATE.trk | CT_STATE.new), in_port: 1 }, [
      set('reg4', 42),
      ct({
        commit: true,
        nat: nat('10.0.1.1', 8080),
        exec: [set('ct_mark', 1, 1), { kind: 'move', source: sub('reg4', 0, 32), target: sub('ct_label', 32, 32) }],
        table: 3,
      }),
    ]),
    flow(3, 2, { in_port: 1 }, [out(2)]),
    flow(3, 2, { in_port: 2 }, [out(1)]),
  ];
  const make = () => {
    const set = flowSet(flows);
    return createEvaluator({ nodes: () => set });
  };
  const summary = (j: ReturnType<ReturnType<typeof make>['send']>) =>
    j.deliveries.map((d) => [
      d.ofport,
      header(d.packet, 'ip_src'),
      header(d.packet, 'ip_dst'),
      header(d.packet, 'tcp_src'),
      header(d.packet, 'tcp_dst'),
    ]);

  test('a whole exchange is translated both ways', () => {
    const evaluator = make();
    const syn = tcp('10.0.0.1', '10.96.0.1');
    const first = evaluator.send('n1', 1, syn);
    expect(summary(first)).toEqual([[2, ip4('10.0.0.1'), ip4('10.0.1.1'), 40000, 8080]]);
    const answer = evaluator.send('n1', 2, replyTo(first.deliveries[0]?.packet as Packet));
    expect(summary(answer)).toEqual([[1, ip4('10.96.0.1'), ip4('10.0.0.1'), 80, 40000]]);
    const third = evaluator.send('n1', 1, replyTo(answer.deliveries[0]?.packet as Packet));
    expect(summary(third)).toEqual([[2, ip4('10.0.0.1'), ip4('10.0.1.1'), 40000, 8080]]);
    const [connection] = evaluator.connections('n1').connections();
    expect([connection?.mark, connection?.label]).toEqual([1, 42n << 32n]);
  });
  test('the far end cannot begin a connection', () => {
    expect(
      make()
        .send('n1', 2, tcp('10.0.1.1', '10.0.0.1'))
        .drops.map((d) => d.reason),
    ).toEqual(['table miss']);
  });
  test('ct_state of each packet of the exchange', () => {
    const evaluator = make();
    const states: number[] = [];
    let packet = tcp('10.0.0.1', '10.96.0.1');
    for (const port of [1, 1, 2, 1]) {
      const journey = evaluator.send('n1', port, packet);
      states.push(Number(readField({ ...journey.lookups[1]?.seen }, 'ct_state')));
      const delivered = journey.deliveries[0]?.packet as Packet;
      // The second packet is the first one sent again.
      if (states.length > 1) packet = replyTo(delivered);
    }
    const { trk, new: fresh, est, rpl, dnat, snat } = CT_STATE;
    expect(states).toEqual([trk | fresh, trk | fresh | dnat, trk | est | rpl | snat, trk | est | dnat]);
  });
});

test('ct without a table leaves the packet as it was', () => {
  const flows = [
    flow(0, 1, { eth_type: 0x800 }, [{ kind: 'ct', zone: 5, commit: true }], 1),
    flow(1, 2, { ct_state: [CT_STATE.trk, CT_STATE.trk] } as Match, [out(3)]),
    flow(1, 1, {}, [out(2)]),
  ];
  expect(ports(run(flows, echoPacket({ ...A, src: '10.0.0.1', dst: '10.0.0.2', id: 7 })))).toEqual([2]);
});

test('ct takes its zone from a register', () => {
  const flows = [
    flow(0, 1, {}, [set('reg0', 0x12 << 8), { kind: 'ct', zone: sub('reg0', 8, 16), table: 1 }]),
    flow(1, 1, { ct_zone: 0x12 }, [out(2)]),
  ];
  expect(ports(run(flows, tcp('10.0.0.1', '10.0.0.2')))).toEqual([2]);
});
