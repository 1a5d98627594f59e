import {
  type Action,
  type FlowMod,
  flowMod,
  type Instruction,
  type Match,
  PORT,
  parseIpv4,
  parseIpv6,
  parseMac,
} from 'openflow-ts/codec';

const ip = (match: Match = {}): Match => ({ eth_type: 0x0800, ...match });
const ip6 = (match: Match = {}): Match => ({ eth_type: 0x86dd, ...match });
const tcp = (match: Match = {}): Match => ip({ nw_proto: 6, ...match });

/** Flows by what they try: every field and action that a pipeline of ours may use, and the forms that come back changed. */
const MATCHES: Readonly<Record<string, Match>> = {
  everything: {},
  in_port: { in_port: 3 },
  'in_port LOCAL': { in_port: PORT.LOCAL },
  'exact masks': {
    eth_dst: [parseMac('02:00:00:00:00:01'), 0xffff_ffff_ffffn],
    ...ip({ ip_dst: [parseIpv4('10.0.0.1'), 0xffffffff] }),
  },
  'zero masks': { eth_src: [0x20000000001n, 0n], reg3: [7, 0], metadata: [1n, 0n] },
  'host bits': ip({ ip_src: [parseIpv4('10.1.2.3'), 0xffff0000] }),
  'multicast bit': { eth_dst: [0x0100_0000_0000n, 0x0100_0000_0000n] },
  'discontiguous mask': ip({ ip_dst: [parseIpv4('10.0.0.5'), 0xff0000ff] }),
  'tcp port range': tcp({ tcp_dst: [0x1f00, 0xff00] }),
  'tcp flags': tcp({ tcp_flags: [0x002, 0x012] }),
  'all tcp flags': tcp({ tcp_flags: 0x012 }),
  udp: ip({ nw_proto: 17, udp_src: 53, udp_dst: 1024 }),
  sctp6: ip6({ nw_proto: 132, sctp_dst: 5000 }),
  icmp: ip({ nw_proto: 1, icmp_type: 8, icmp_code: 0 }),
  igmp: ip({ nw_proto: 2 }),
  'other protocol': ip({ nw_proto: 47 }),
  'dscp, ecn, ttl': ip({ ip_dscp: 10, nw_ecn: 2, nw_ttl: 64 }),
  nw_tos: ip({ nw_tos: 0x20 }),
  fragments: ip({ ip_frag: [1, 1] }),
  'later fragments': ip({ ip_frag: 3 }),
  'ipv6 prefix': ip6({ ipv6_src: [parseIpv6('fd00:10::'), ((1n << 64n) - 1n) << 64n], ipv6_dst: parseIpv6('fd00::1') }),
  'ipv6 label': ip6({ ipv6_label: 0x12345 }),
  'neighbour solicitation': ip6({
    nw_proto: 58,
    icmpv6_type: 135,
    icmpv6_code: 0,
    nd_target: parseIpv6('fd00::5'),
    nd_sll: parseMac('02:00:00:00:00:09'),
  }),
  'neighbour advertisement': ip6({
    nw_proto: 58,
    icmpv6_type: 136,
    icmpv6_code: 0,
    nd_target: parseIpv6('fd00::6'),
    nd_tll: parseMac('02:00:00:00:00:0a'),
  }),
  arp: {
    eth_type: 0x0806,
    arp_op: 1,
    arp_spa: parseIpv4('10.0.0.1'),
    arp_tpa: [parseIpv4('10.0.0.0'), 0xffffff00],
    arp_sha: parseMac('02:00:00:00:00:01'),
    arp_tha: 0n,
  },
  vlan: { vlan_vid: 0x1000 | 9 },
  'vlan and pcp': { vlan_vid: 0x1000 | 9, vlan_pcp: 3 },
  'any vlan': { vlan_vid: [0x1000, 0x1000] },
  'no vlan': { vlan_vid: 0 },
  vlan_tci: { vlan_tci: [0x1009, 0x1fff] },
  mpls: { eth_type: 0x8847, mpls_label: 100, mpls_tc: 2, mpls_bos: 1 },
  registers: { reg0: 1, reg1: [0x10, 0xf0], reg15: [0x80000000, 0x80000000] },
  'wide registers': { xxreg1: 0x1111_2222_0000_0000_3333_4444_0000_0001n, xreg4: [0x5_0000_0000n, 0xf_ffff_ffffn] },
  tunnel: { tun_id: [5n, 0xffffffn], tun_src: parseIpv4('172.16.0.1'), tun_dst: parseIpv4('172.16.0.2') },
  'tunnel over ipv6': { tun_id: 7n, tun_ipv6_src: parseIpv6('fd01::1'), tun_ipv6_dst: parseIpv6('fd01::2') },
  metadata: { metadata: [0x1234n, 0xffffn] },
  marks: { pkt_mark: [0x4000, 0x4000] },
  ct_state: ip({ ct_state: [0x21, 0x21] }),
  'all of ct_state': ip({ ct_state: 0x22 }),
  'ct_state negative': ip({ ct_state: [0x20, 0x38] }),
  'ct marks': ip({ ct_state: [0x22, 0x22], ct_zone: 65520, ct_mark: [2, 3], ct_label: [5n << 64n, 0xffn << 64n] }),
  'ct original tuple': ip({
    ct_state: [0x22, 0x22],
    ct_nw_src: parseIpv4('10.0.0.1'),
    ct_nw_dst: [parseIpv4('10.96.0.0'), 0xffff0000],
    ct_nw_proto: 6,
    ct_tp_dst: 80,
  }),
  'ct original tuple of ipv6': ip6({
    ct_state: [0x22, 0x22],
    ct_ipv6_dst: parseIpv6('fd00:96::a'),
    ct_nw_proto: 17,
    ct_tp_src: 53,
  }),
  conj_id: { conj_id: 12 },
  'order does not matter': { tcp_dst: 80, nw_proto: 6, ip_dst: parseIpv4('10.0.0.9'), eth_type: 0x0800, in_port: 1 },
};

const reg = (n: number, offset = 0, bits = 32) => ({ field: `reg${n}` as 'reg0', offset, bits });
const sub = <
  F extends
    | 'eth_src'
    | 'eth_dst'
    | 'ip_src'
    | 'ip_dst'
    | 'ct_label'
    | 'ct_mark'
    | 'tun_id'
    | 'in_port'
    | 'in_port_nxm'
    | 'ipv6_src'
    | 'ipv6_dst'
    | 'arp_sha'
    | 'arp_tha'
    | 'arp_spa'
    | 'arp_tpa'
    | 'xxreg0',
>(
  field: F,
  offset: number,
  bits: number,
) => ({ field, offset, bits });

/** Actions by what they try; each stands alone in apply_actions over a match that allows it. */
const ACTIONS: Readonly<Record<string, { readonly match?: Match; readonly actions: readonly Action[] }>> = {
  drop: { actions: [] },
  output: { actions: [{ kind: 'output', port: 7 }] },
  'output with a needless maxLen': { actions: [{ kind: 'output', port: 7, maxLen: 128 }] },
  'reserved ports': {
    actions: [
      { kind: 'output', port: PORT.IN_PORT },
      { kind: 'output', port: PORT.LOCAL },
      { kind: 'output', port: PORT.NORMAL },
    ],
  },
  'to the controller': { actions: [{ kind: 'output', port: PORT.CONTROLLER, maxLen: 128 }] },
  'all to the controller': { actions: [{ kind: 'output', port: PORT.CONTROLLER }] },
  'controller with userdata': {
    actions: [{ kind: 'controller', maxLen: 200, userdata: Uint8Array.of(1, 2, 3), pause: true }],
  },
  'controller with a reason': { actions: [{ kind: 'controller', reason: 'invalid_ttl', controllerId: 5 }] },
  'output to a register': { actions: [{ kind: 'output_reg', source: reg(1) }] },
  set_field: {
    actions: [
      { kind: 'set_field', field: 'eth_dst', value: parseMac('02:00:00:00:00:05') },
      { kind: 'set_field', field: 'reg5', value: 9 },
    ],
  },
  'set_field of many': {
    match: tcp(),
    actions: [
      { kind: 'set_field', field: 'ip_dst', value: parseIpv4('10.0.0.7') },
      { kind: 'set_field', field: 'tcp_dst', value: 8080 },
      { kind: 'set_field', field: 'tun_id', value: 100n },
      { kind: 'set_field', field: 'tun_dst', value: parseIpv4('172.16.0.9') },
      { kind: 'set_field', field: 'pkt_mark', value: 3 },
      { kind: 'set_field', field: 'metadata', value: 5n },
    ],
  },
  'masked set_field': { actions: [{ kind: 'set_field', field: 'reg1', value: 0x50, mask: 0xf0 }] },
  'masked set_field in pieces': { actions: [{ kind: 'set_field', field: 'reg1', value: 0x10050, mask: 0x100f0 }] },
  'masked set_field of a wide register': {
    actions: [{ kind: 'set_field', field: 'xxreg0', value: 5n << 64n, mask: 0xffn << 64n }],
  },
  load: {
    actions: [
      { kind: 'load', target: reg(2), value: 5 },
      { kind: 'load', target: reg(0, 4, 4), value: 1 },
    ],
  },
  'load of a wide register': { actions: [{ kind: 'load', target: sub('xxreg0', 64, 64), value: 0x1234n }] },
  move: {
    match: ip(),
    actions: [
      { kind: 'move', source: sub('ip_src', 0, 32), target: reg(3) },
      { kind: 'move', source: reg(3, 0, 16), target: reg(4, 16, 16) },
    ],
  },
  'move of addresses': {
    match: { eth_type: 0x0806 },
    actions: [
      { kind: 'move', source: sub('eth_src', 0, 48), target: sub('eth_dst', 0, 48) },
      { kind: 'move', source: sub('arp_sha', 0, 48), target: sub('arp_tha', 0, 48) },
      { kind: 'move', source: sub('arp_spa', 0, 32), target: sub('arp_tpa', 0, 32) },
    ],
  },
  'move of ipv6 addresses': {
    match: ip6(),
    actions: [{ kind: 'move', source: sub('ipv6_src', 0, 128), target: sub('xxreg0', 0, 128) }],
  },
  stack: {
    actions: [
      { kind: 'push', field: reg(1) },
      { kind: 'pop', field: reg(2) },
    ],
  },
  ttl: { match: ip(), actions: [{ kind: 'dec_ttl' }, { kind: 'mod_nw_ttl', ttl: 64 }] },
  'ttl to controllers': { match: ip(), actions: [{ kind: 'dec_ttl', controllerIds: [1, 2] }] },
  'vlan tags': {
    actions: [
      { kind: 'push_vlan', ethType: 0x8100 },
      { kind: 'set_field', field: 'vlan_vid', value: 0x1005 },
      { kind: 'pop_vlan' },
    ],
  },
  'old vlan actions': {
    match: { vlan_vid: 0x1000 | 7 },
    actions: [
      { kind: 'set_vlan_vid', vid: 5 },
      { kind: 'set_vlan_pcp', pcp: 3 },
    ],
  },
  'old address actions': {
    match: ip(),
    actions: [
      { kind: 'mod_dl_src', mac: 5n },
      { kind: 'mod_nw_dst', ip: parseIpv4('10.1.1.1') },
      { kind: 'mod_nw_tos', tos: 32 },
    ],
  },
  'tunnel id': {
    actions: [
      { kind: 'set_tunnel', id: 5 },
      { kind: 'set_tunnel64', id: 0x5_0000_0000n },
    ],
  },
  resubmit: {
    actions: [
      { kind: 'resubmit', table: 9 },
      { kind: 'resubmit', port: 4 },
      { kind: 'resubmit', port: 4, table: 8 },
      { kind: 'resubmit', port: PORT.IN_PORT, table: 7 },
    ],
  },
  'resubmit with the connection': {
    match: ip({ ct_state: [0x22, 0x22] }),
    actions: [{ kind: 'resubmit', table: 9, ct: true }],
  },
  conjunction: {
    actions: [
      { kind: 'conjunction', id: 5, clause: 1, of: 2 },
      { kind: 'conjunction', id: 6, clause: 2, of: 3 },
    ],
  },
  ct: { match: ip(), actions: [{ kind: 'ct', table: 10, zone: 65520 }] },
  'ct zone 0': { match: ip(), actions: [{ kind: 'ct', table: 10, zone: 0, commit: false, exec: [] }] },
  'ct by register': { match: ip(), actions: [{ kind: 'ct', table: 10, zone: reg(4, 0, 16), nat: {} }] },
  'ct commit exec': {
    match: ip(),
    actions: [
      {
        kind: 'ct',
        commit: true,
        zone: 5,
        table: 11,
        exec: [
          { kind: 'set_field', field: 'ct_mark', value: 1, mask: 3 },
          { kind: 'load', target: sub('ct_label', 64, 32), value: 77 },
          { kind: 'move', source: reg(3), target: sub('ct_mark', 0, 32) },
          { kind: 'set_field', field: 'ct_label', value: 5n },
        ],
      },
    ],
  },
  'ct force alg': { match: tcp(), actions: [{ kind: 'ct', commit: true, force: true, zone: 5, alg: 21 }] },
  'nat src': {
    match: ip(),
    actions: [
      {
        kind: 'ct',
        commit: true,
        zone: 6,
        nat: {
          type: 'src',
          ip: { min: { family: 4, value: parseIpv4('172.31.0.1') } },
          port: { min: 32000, max: 60999 },
          random: true,
        },
      },
    ],
  },
  'nat src range': {
    match: ip(),
    actions: [
      {
        kind: 'ct',
        commit: true,
        nat: {
          type: 'src',
          ip: { min: { family: 4, value: 1 }, max: { family: 4, value: 9 } },
          persistent: true,
          hash: true,
        },
      },
    ],
  },
  'nat dst': {
    match: tcp(),
    actions: [
      {
        kind: 'ct',
        commit: true,
        zone: 6,
        table: 12,
        nat: {
          type: 'dst',
          ip: {
            min: { family: 4, value: parseIpv4('10.244.0.5') },
            max: { family: 4, value: parseIpv4('10.244.0.5') },
          },
          port: { min: 8080 },
        },
        exec: [{ kind: 'load', target: sub('ct_mark', 4, 1), value: 1 }],
      },
    ],
  },
  'nat ipv6': {
    match: ip6({ nw_proto: 6 }),
    actions: [
      {
        kind: 'ct',
        commit: true,
        nat: { type: 'dst', ip: { min: { family: 6, value: parseIpv6('fd00::5') } }, port: { min: 80, max: 80 } },
      },
    ],
  },
  'nat bare': {
    match: ip(),
    actions: [{ kind: 'ct', table: 3, commit: true, nat: { type: 'src' } }, { kind: 'ct_clear' }],
  },
  learn: {
    match: ip(),
    actions: [
      {
        kind: 'learn',
        table: 20,
        priority: 200,
        cookie: 0x5n,
        idleTimeout: 10,
        hardTimeout: 0,
        finIdleTimeout: 0,
        finHardTimeout: 0,
        deleteLearned: true,
        specs: [
          { kind: 'match', value: 0x800n, target: { field: 'eth_type', offset: 0, bits: 16 } },
          { kind: 'match', source: sub('ip_src', 0, 32), target: sub('ip_dst', 0, 32) },
          { kind: 'load', source: sub('in_port_nxm', 0, 16), target: reg(1, 0, 16) },
          { kind: 'load', value: 7n, target: reg(2, 4, 4) },
          { kind: 'output', source: reg(5) },
        ],
      },
    ],
  },
  'learn with a limit': {
    actions: [
      {
        kind: 'learn',
        table: 21,
        priority: 32768,
        cookie: 0n,
        idleTimeout: 0,
        hardTimeout: 0,
        finIdleTimeout: 1,
        finHardTimeout: 2,
        limit: 3,
        result: reg(6, 0, 1),
        specs: [{ kind: 'match', source: sub('eth_src', 0, 48), target: sub('eth_dst', 0, 48) }],
      },
    ],
  },
  multipath: {
    match: tcp(),
    actions: [
      {
        kind: 'multipath',
        fields: 'symmetric_l4',
        basis: 50,
        algorithm: 'hrw',
        links: 3,
        arg: 0,
        target: reg(0, 0, 16),
      },
    ],
  },
  bundle: {
    actions: [
      { kind: 'bundle', fields: 'eth_src', basis: 0, algorithm: 'hrw', members: [4, 8] },
      {
        kind: 'bundle',
        fields: 'symmetric_l3l4',
        basis: 60,
        algorithm: 'active_backup',
        members: [1, 2, 3],
        target: reg(2, 0, 16),
      },
    ],
  },
  clone: {
    match: ip(),
    actions: [
      {
        kind: 'clone',
        actions: [
          { kind: 'set_field', field: 'ip_dst', value: 5 },
          { kind: 'output', port: 2 },
        ],
      },
      { kind: 'output', port: 3 },
    ],
  },
  'packet size': {
    actions: [
      { kind: 'check_pkt_larger', bytes: 1400, target: reg(0, 0, 1) },
      { kind: 'output_trunc', port: 5, maxLen: 100 },
    ],
  },
  'notes and samples': {
    actions: [
      { kind: 'note', data: Uint8Array.of(1, 2, 3) },
      { kind: 'sample', probability: 65535, collectorSetId: 1, obsDomainId: 2, obsPointId: 3 },
    ],
  },
  queue: { actions: [{ kind: 'set_queue', queue: 5 }, { kind: 'output', port: 1 }, { kind: 'pop_queue' }] },
  'fin_timeout and exit': {
    match: tcp(),
    actions: [{ kind: 'fin_timeout', idleTimeout: 5, hardTimeout: 9 }, { kind: 'exit' }],
  },
  mpls: {
    match: ip(),
    actions: [
      { kind: 'push_mpls', ethType: 0x8847 },
      { kind: 'set_field', field: 'mpls_label', value: 10 },
      { kind: 'set_mpls_ttl', ttl: 9 },
      { kind: 'dec_mpls_ttl' },
      { kind: 'pop_mpls', ethType: 0x0800 },
    ],
  },
  nsh: {
    match: ip(),
    actions: [
      { kind: 'encap', packetType: 0x1894f, headerSize: 0, properties: [] },
      { kind: 'set_field', field: 'nsh_spi', value: 0x1234 },
      { kind: 'encap', packetType: 0, headerSize: 0, properties: [] },
      { kind: 'decap', packetType: 0xfffe },
    ],
  },
};

const INSTRUCTIONS: Readonly<Record<string, readonly Instruction[]>> = {
  goto_table: [{ kind: 'goto_table', table: 50 }],
  'empty apply_actions': [{ kind: 'apply_actions', actions: [] }],
  'any order': [
    { kind: 'goto_table', table: 50 },
    { kind: 'apply_actions', actions: [{ kind: 'load', target: reg(1), value: 4 }] },
    { kind: 'write_metadata', value: 0x12n, mask: 0xffn },
  ],
  write_actions: [
    {
      kind: 'write_actions',
      actions: [
        { kind: 'set_field', field: 'eth_src', value: 9n },
        { kind: 'output', port: 4 },
      ],
    },
    { kind: 'clear_actions' },
  ],
};

const PRIORITY = 100;
let number = 0;
const numbered = (partial: Partial<FlowMod>): FlowMod =>
  // Each flow has a register value of its own, so that flows of the same match live side by side.
  flowMod({ ...partial, priority: PRIORITY + number++, tableId: 1 + (number % 3), cookie: BigInt(number) });

/** Names and flows: one for each match, each list of actions, each set of instructions, and other properties of flows. */
export const FLOWS: readonly (readonly [name: string, flow: FlowMod])[] = [
  ...Object.entries(MATCHES).map(([name, match]) => [`match: ${name}`, numbered({ match })] as const),
  ...Object.entries(ACTIONS).map(
    ([name, { match = {}, actions }]) =>
      [`actions: ${name}`, numbered({ match, instructions: [{ kind: 'apply_actions', actions }] })] as const,
  ),
  ...Object.entries(INSTRUCTIONS).map(
    ([name, instructions]) => [`instructions: ${name}`, numbered({ instructions })] as const,
  ),
  ['timeouts', numbered({ idleTimeout: 300, hardTimeout: 600 })],
  ['flags', numbered({ flags: 1 | 2 | 4 | 8 | 16 })],
];
