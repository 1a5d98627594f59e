import { describe, expect, it } from 'vitest';
import {
  type FlowMod,
  flowMod,
  formatActions,
  formatFlow,
  formatGroup,
  formatIpv6,
  formatMac,
  formatMatch,
  OpenFlowTextError,
  parseActions,
  parseFlow,
  parseGroup,
  parseInstructions,
  parseIpv4,
  parseIpv6,
  parseMac,
  parseMatch,
  sameFlow,
} from './index.js';

describe('text of flows', () => {
  // The texts are what `ovs-ofctl --no-stats dump-flows` of Open vSwitch 3.1 printed for the flow.
  it.each<[string, Partial<FlowMod>]>([
    ['actions=drop', {}],
    [
      'cookie=0x5, table=3, priority=7,in_port=LOCAL actions=drop',
      { cookie: 5n, tableId: 3, priority: 7, match: { in_port: 0xfffffffe } },
    ],
    [
      'table=1, idle_timeout=10, send_flow_rem priority=1,tcp,nw_dst=10.0.0.0/24,tp_dst=80 actions=goto_table:2',
      {
        tableId: 1,
        idleTimeout: 10,
        flags: 1,
        priority: 1,
        match: { eth_type: 0x800, nw_proto: 6, ip_dst: [parseIpv4('10.0.0.0'), 0xffffff00], tcp_dst: 80 },
        instructions: [{ kind: 'goto_table', table: 2 }],
      },
    ],
    [
      'ct_state=+est+trk,ip,reg0=0x1/0xf actions=ct(commit,table=9,zone=65520,nat(src=10.0.0.1:1-5,random),exec(load:0x1->NXM_NX_CT_MARK[0]))',
      {
        match: { eth_type: 0x800, ct_state: [0x22, 0x22], reg0: [1, 15] },
        instructions: [
          {
            kind: 'apply_actions',
            actions: [
              {
                kind: 'ct',
                commit: true,
                table: 9,
                zone: 65520,
                nat: {
                  type: 'src',
                  ip: { min: { family: 4, value: parseIpv4('10.0.0.1') } },
                  port: { min: 1, max: 5 },
                  random: true,
                },
                exec: [{ kind: 'load', target: { field: 'ct_mark', offset: 0, bits: 1 }, value: 1 }],
              },
            ],
          },
        ],
      },
    ],
    [
      'icmp6,icmp_type=135,icmp_code=0,nd_target=fd00::1 actions=move:NXM_NX_REG0[0..15]->NXM_NX_REG1[16..31],resubmit(,5),resubmit:7',
      {
        match: { eth_type: 0x86dd, nw_proto: 58, icmpv6_type: 135, icmpv6_code: 0, nd_target: parseIpv6('fd00::1') },
        instructions: [
          {
            kind: 'apply_actions',
            actions: [
              {
                kind: 'move',
                source: { field: 'reg0', offset: 0, bits: 16 },
                target: { field: 'reg1', offset: 16, bits: 16 },
              },
              { kind: 'resubmit', table: 5 },
              { kind: 'resubmit', port: 7 },
            ],
          },
        ],
      },
    ],
    [
      'dl_vlan=9,dl_vlan_pcp=3,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=conjunction(5,1/2)',
      {
        match: { vlan_vid: 0x1009, vlan_pcp: 3, eth_dst: [1n << 40n, 1n << 40n] },
        instructions: [{ kind: 'apply_actions', actions: [{ kind: 'conjunction', id: 5, clause: 1, of: 2 }] }],
      },
    ],
  ])('%s', (text, partial) => {
    const flow = flowMod(partial);
    expect(formatFlow(flow)).toBe(text);
    expect(sameFlow(parseFlow(text), flow)).toBe(true);
  });

  it('has names for tables and ports, in both directions', () => {
    const text = 'table=Output, in_port=eth0 actions=output:"my port",resubmit(,Output)';
    const flow = flowMod({
      tableId: 9,
      match: { in_port: 3 },
      instructions: [
        {
          kind: 'apply_actions',
          actions: [
            { kind: 'output', port: 4 },
            { kind: 'resubmit', table: 9 },
          ],
        },
      ],
    });
    expect(
      formatFlow(flow, {
        tableNames: { 9: 'Output' },
        portNames: new Map([
          [3, 'eth0'],
          [4, 'my port'],
        ]),
      }),
    ).toBe(text);
    expect(
      sameFlow(
        parseFlow(text, {
          tables: new Map([['Output', 9]]),
          ports: new Map([
            ['eth0', 3],
            ['my port', 4],
          ]),
        }),
        flow,
      ),
    ).toBe(true);
  });

  it('is read from a dump with statistics', () => {
    const text =
      ' cookie=0x1, duration=5.1s, table=2, n_packets=3, n_bytes=180, idle_age=2, priority=5,arp,arp_spa=10.0.0.1 actions=NORMAL';
    expect(parseFlow(text)).toEqual(
      flowMod({
        cookie: 1n,
        tableId: 2,
        priority: 5,
        match: { eth_type: 0x806, arp_spa: parseIpv4('10.0.0.1') },
        instructions: [{ kind: 'apply_actions', actions: [{ kind: 'output', port: 0xfffffffa }] }],
      }),
    );
  });

  it.each([
    ['priority=5,no_such_field=3 actions=drop', 11, 'no_such_field=3'],
    ['tcp,tp_dst=70000 actions=drop', 11, '16 bits'],
    ['ip,nw_src=10.0.0 actions=drop', 10, 'IPv4'],
    ['actions=frobnicate(5)', 8, 'frobnicate'],
    ['actions=ct(zone=5', 8, 'not closed'],
    ['actions=load:0x100->NXM_NX_REG0[0..7]', 13, '8 bits'],
    ['actions=move:NXM_NX_REG0[0..7]->NXM_NX_REG1[]', 13, '8 bits into 32'],
    ['tcp', 0, 'actions'],
  ])('says where "%s" is wrong', (text, at, reason) => {
    let thrown: unknown;
    try {
      parseFlow(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OpenFlowTextError);
    expect(thrown).toMatchObject({ at, reason: expect.stringContaining(reason) });
  });
});

describe('text of matches and actions', () => {
  it.each([
    ['tcp_flags=+syn-ack', 'tcp,tcp_flags=+syn-ack'],
    ['icmp_type=8', 'icmp,icmp_type=8'],
  ])('%s needs its protocol', (field, whole) => {
    expect(formatMatch(parseMatch(whole))).toBe(whole);
    expect(whole).toContain(field);
  });

  it('puts old names into their place', () => {
    expect(parseMatch('arp,nw_src=10.0.0.1,nw_proto=2')).toEqual({
      eth_type: 0x806,
      arp_op: 2,
      arp_spa: parseIpv4('10.0.0.1'),
    });
    expect(parseMatch('udp6,tp_dst=53')).toEqual({ eth_type: 0x86dd, nw_proto: 17, udp_dst: 53 });
    expect(parseMatch('ip,nw_tos=32')).toEqual({ eth_type: 0x800, ip_dscp: 8 });
    expect(parseMatch('dl_vlan_pcp=3')).toEqual({ vlan_vid: [0x1000, 0x1000], vlan_pcp: 3 });
  });

  it('reads actions without instructions, and refuses instructions among them', () => {
    expect(formatActions(parseActions('mod_dl_src:00:00:00:00:00:01,output(3),LOCAL'))).toBe(
      'set_field:00:00:00:00:00:01->eth_src,output:3,LOCAL',
    );
    expect(() => parseActions('goto_table:3')).toThrow(OpenFlowTextError);
    expect(parseInstructions('meter:5,goto_table:3,write_metadata:0x5/0xf')).toEqual([
      { kind: 'meter', meter: 5 },
      { kind: 'write_metadata', value: 5n, mask: 15n },
      { kind: 'goto_table', table: 3 },
    ]);
  });
});

describe('text of groups', () => {
  it.each([
    'group_id=1,type=select,bucket=weight:5,actions=output:1,bucket=weight:9,actions=resubmit(,5)',
    'group_id=2,type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_group:7,actions=drop',
    'group_id=3,type=select,selection_method=hash,fields(ip_src=255.255.255.0,tcp_dst),bucket=bucket_id:4,actions=output:1',
    'group_id=4,type=all,bucket=actions=output:1,output:2',
  ])('%s', (text) => {
    expect(formatGroup(parseGroup(text))).toBe(text);
  });
});

describe('addresses', () => {
  it.each([
    ['::', 0n],
    ['::1', 1n],
    ['fd00::1:0:0:1', 0xfd00_0000_0000_0000_0001_0000_0000_0001n],
    ['1:0:0:2::3', 0x0001_0000_0000_0002_0000_0000_0000_0003n],
    ['::ffff:10.0.0.1', 0xffff_0a00_0001n],
    ['2001:db8:1:1:1:1:0:1', 0x2001_0db8_0001_0001_0001_0001_0000_0001n],
  ])('%s', (text, value) => {
    expect(parseIpv6(text)).toBe(value);
    expect(formatIpv6(value)).toBe(text);
  });
  it.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4 '])('"%s" is no IPv4 address', (text) => {
    expect(() => parseIpv4(text)).toThrow(RangeError);
  });
  it.each(['', ':', ':::', '1:2:3:4:5:6:7', '1::2::3', 'fe80::1%eth0', '12345::', '1:2:3:4:5:6:7:8::', '1.2.3.4::'])(
    '"%s" is no IPv6 address',
    (text) => {
      expect(() => parseIpv6(text)).toThrow(RangeError);
    },
  );
  it('MAC addresses have six parts', () => {
    expect(formatMac(parseMac('2:0:0:0:0:a'))).toBe('02:00:00:00:00:0a');
    for (const text of ['', '02:00:00:00:00', '02-00-00-00-00-01', '02:00:00:00:00:001'])
      expect(() => parseMac(text)).toThrow(RangeError);
  });
});
