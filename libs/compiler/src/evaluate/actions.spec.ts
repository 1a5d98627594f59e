import { type Action, type Match, PORT, parseIpv6, parseMac } from 'openflow-ts/codec';
import { describe, expect, test } from 'vitest';
import type { Flow } from '../model/output.js';
import { arpPacket, header, neighbourSolicitation } from './packet.js';
import { flow } from './testing/flows.js';
import { A, out, ports, run, set, sub, tcp } from './testing/runs.js';

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
