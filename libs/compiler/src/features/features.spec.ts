import { formatGroup, groupMod } from 'openflow-ts/codec';
import { describe, expect, it } from 'vitest';
import { type Compiler } from '../compiler.js';
import { cidr, FIRST_POD_IDENTITY, nodeName } from '../model/brands.js';
import type { FactChange, PolicyRule } from '../model/facts.js';
import { type TableName } from '../pipeline/tables.js';
import { compile, flowsOf, flowText, ruleText } from '../testing/compile.js';
import {
  attach,
  cluster,
  config,
  detach,
  endpoints,
  hold,
  namespace,
  node,
  noPod,
  pod,
  policy,
  service,
} from '../testing/facts.js';

/** Flows of a table as ovs-ofctl text without cookies, those that contain `part` only. */
function flows(compiler: Compiler, n: number, table: TableName, part = ''): string[] {
  return flowsOf(compiler, n, table)
    .map(ruleText)
    .filter((text) => text.includes(part))
    .sort();
}
/** What a denying flow does: the object differs from run to run of the numbers. */
const DENIAL = /set_field:0x[0-9a-f]+->reg14,goto_table:Denied/;
const denied = (compiler: Compiler): string[] =>
  flows(compiler, 1, 'IngressPolicy', 'goto_table:Denied').map((f) => f.replace(DENIAL, 'drop'));
const ownersOf = (compiler: Compiler, n: number, part: string): string[][] =>
  flowsOf(compiler, n)
    .filter((f) => flowText(f).includes(part))
    .map((f) => f.provenance.owners.map((o) => `${o.kind}/${o.namespace}/${o.name}`));

const A = [pod('x/a', { app: 'a' }), attach('x/a', 1, 2)];
const B = [pod('x/b', { app: 'b' }), attach('x/b', 2, 2)];
// Identities are numbered in the order in which pods come: x/a 0x100, x/b 0x101.

describe('a pod', () => {
  it('gets nothing while no source knows it', () => {
    expect(flows(compile(cluster(), attach('x/a', 1, 2)), 1, 'Classify', 'in_port=258')).toEqual([]);
    expect(flows(compile(cluster(), A, noPod('x/a')), 1, 'Classify', 'in_port=258')).toEqual([]);
  });
  it('may send as itself and as nobody else', () => {
    expect(flows(compile(cluster(), A), 1, 'AntiSpoof', 'in_port=258')).toEqual([
      'priority=100,arp,in_port=258,dl_src=0a:58:0a:f4:01:02,arp_spa=10.244.1.2,arp_sha=0a:58:0a:f4:01:02 actions=goto_table:ArpNd',
      'priority=100,icmp6,in_port=258,dl_src=0a:58:0a:f4:01:02,ipv6_src=fe80::858:aff:fef4:102,icmp_type=135 actions=goto_table:ArpNd',
      'priority=100,ip,in_port=258,dl_src=0a:58:0a:f4:01:02,nw_src=10.244.1.2 actions=goto_table:ArpNd',
      'priority=100,ipv6,in_port=258,dl_src=0a:58:0a:f4:01:02,ipv6_src=fd00:10:244:1::2 actions=goto_table:ArpNd',
      'priority=200,arp,in_port=258,dl_src=0a:58:0a:f4:01:02,arp_tpa=10.244.1.2 actions=drop',
      'priority=200,icmp6,in_port=258,dl_src=0a:58:0a:f4:01:02,icmp_type=135,nd_target=fd00:10:244:1::2 actions=drop',
    ]);
  });
  it('has no IPv6 flow where the network has none', () => {
    const compiler = compile(cluster(), A, config({ families: [4] }));
    expect(flows(compiler, 1, 'AntiSpoof', 'in_port=258')).toHaveLength(3);
    expect(flows(compiler, 1, 'AntiSpoof', 'ipv6')).toEqual([]);
    expect(flows(compiler, 1, 'Route', 'fd00:10:244:1::2')).toEqual([]);
  });
  it('costs other nodes nothing inside of a block, and a route each outside', () => {
    const route = (compiler: Compiler) => flows(compiler, 2, 'Route', '10.244.1.200');
    expect(flows(compile(cluster(), A), 2, 'Route', 'nw_dst=10.244.1.2 ')).toEqual([]);
    const outside = compile(cluster(), pod('x/a'), attach('x/a', 1, 200));
    expect(route(outside)).toEqual([
      'priority=1032,ip,reg0=0x100/0xffff00,nw_dst=10.244.1.200 actions=set_field:0x2->reg6,dec_ttl,goto_table:PolicyLog',
    ]);
    outside.apply([detach('x/a')]);
    expect(route(outside)).toEqual([]);
  });
});

describe('nodes', () => {
  it('take tunnel packets from the others and send to their blocks', () => {
    const compiler = compile(cluster());
    expect(flows(compiler, 1, 'Classify', 'tun_src')).toEqual([
      'priority=100,tun_id=0x1,tun_src=172.31.99.2,in_port=1 actions=set_field:0x102/0xffff0f->reg0,move:NXM_NX_TUN_METADATA0[0..31]->NXM_NX_REG1[],goto_table:Conntrack',
      'priority=100,tun_id=0x1,tun_src=172.31.99.3,in_port=1 actions=set_field:0x102/0xffff0f->reg0,move:NXM_NX_TUN_METADATA0[0..31]->NXM_NX_REG1[],goto_table:Conntrack',
    ]);
    expect(flows(compiler, 1, 'Route', 'reg6').map((f) => f.replace(/ actions.*/, ''))).toEqual([
      'priority=1026,ip,reg0=0x100/0xffff00,nw_dst=10.244.2.0/26',
      'priority=1026,ip,reg0=0x100/0xffff00,nw_dst=10.244.3.0/26',
      'priority=1122,ipv6,reg0=0x100/0xffff00,ipv6_dst=fd00:10:244:2::/122',
      'priority=1122,ipv6,reg0=0x100/0xffff00,ipv6_dst=fd00:10:244:3::/122',
    ]);
  });
  it('may have their tunnel at different ports', () => {
    const other = node(2);
    const compiler = compile(
      cluster(),
      other.kind === 'node' && other.value ? { ...other, value: { ...other.value, tunnelOfport: 9 as never } } : [],
    );
    expect(flows(compiler, 2, 'Output', 'output:').filter((f) => !f.includes('REG3'))).toHaveLength(4);
    expect(flows(compiler, 2, 'Output', 'output:9')).toHaveLength(4);
    expect(flows(compiler, 1, 'Output', 'output:1')).toHaveLength(4);
    expect(flows(compiler, 2, 'Classify', 'in_port=9')).toHaveLength(2);
  });
  it('carry no identity by VXLAN, and look it up where a rule needs it', () => {
    const compiler = compile(
      cluster(),
      A,
      B,
      config({ encap: 'vxlan' }),
      policy('x/p', {
        podSelector: { matchLabels: { app: 'a' } },
        ingress: [{ peers: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [] }],
      }),
    );
    expect(flows(compiler, 1, 'Output', 'reg6=0x5')).toEqual([
      'priority=100,reg6=0x5 actions=set_field:172.31.99.2->tun_dst,move:NXM_NX_REG0[8..23]->NXM_NX_TUN_ID[0..15],output:1',
    ]);
    expect(flows(compiler, 1, 'SourceIdentity', 'nw_src=10.244.2.2')).toEqual([
      'priority=100,ip,reg0=0x100/0xffff00,nw_src=10.244.2.2 actions=set_field:0x101->reg1,goto_table:Conntrack',
    ]);
    expect(flows(compiler, 3, 'SourceIdentity', 'nw_src=10.244.2.2')).toEqual([]);
  });
});

describe('a service', () => {
  const svc = service(
    'x/s',
    ['10.96.0.10', 'fd00:10:96::10'],
    [
      { name: 'web', protocol: 'TCP', port: 80 },
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'sig', protocol: 'SCTP', port: 99 },
    ],
  );
  it('has a group for each port and family with endpoints, and is refused without', () => {
    const compiler = compile(
      cluster(),
      svc,
      endpoints('x/s', { web: ['10.244.1.2 8080', '10.244.1.3 8080'], sig: ['fd00::1 99'] }),
    );
    expect(
      flows(compiler, 3, 'ServiceLB', 'priority=100').map((f) => f.replace(/actions=move.*,group/, 'actions=..,group')),
    ).toEqual([
      'priority=100,sctp,reg0=0x100/0xffff00,nw_dst=10.96.0.10,tp_dst=99 actions=goto_table:ServiceReject',
      'priority=100,sctp6,reg0=0x100/0xffff00,ipv6_dst=fd00:10:96::10,tp_dst=99 actions=..,group:1207959554',
      'priority=100,tcp,reg0=0x100/0xffff00,nw_dst=10.96.0.10,tp_dst=80 actions=..,group:1207959553',
      'priority=100,tcp6,reg0=0x100/0xffff00,ipv6_dst=fd00:10:96::10,tp_dst=80 actions=goto_table:ServiceReject',
      'priority=100,udp,reg0=0x100/0xffff00,nw_dst=10.96.0.10,tp_dst=53 actions=goto_table:ServiceReject',
      'priority=100,udp6,reg0=0x100/0xffff00,ipv6_dst=fd00:10:96::10,tp_dst=53 actions=goto_table:ServiceReject',
    ]);
    const groups = [...(compiler.node(nodeName('node3'))?.groups.values() ?? [])].map((g) =>
      formatGroup(groupMod({ groupId: g.id, type: 'select', buckets: g.buckets })).replaceAll(
        /bucket_id:\d+/g,
        'bucket_id:N',
      ),
    );
    expect(groups).toEqual([
      'group_id=1207959553,type=select,bucket=bucket_id:N,weight:100,actions=set_field:10.244.1.2->ip_dst,set_field:8080->tcp_dst,resubmit(,35),bucket=bucket_id:N,weight:100,actions=set_field:10.244.1.3->ip_dst,set_field:8080->tcp_dst,resubmit(,35)',
      'group_id=1207959554,type=select,bucket=bucket_id:N,weight:100,actions=set_field:fd00::1->ipv6_dst,set_field:99->sctp_dst,resubmit(,35)',
    ]);
  });
  it('keeps the bucket id of an endpoint while others come and go', () => {
    const ids = (...list: string[]) =>
      new Map(
        [
          ...(compile(cluster(), svc, endpoints('x/s', { web: list }))
            .node(nodeName('node1'))
            ?.groups.values() ?? []),
        ]
          .flatMap((g) => g.buckets)
          .map((b) => [String((b.actions[0] as { value: unknown }).value), b.bucketId]),
      );
    const three = ids('10.244.1.2 80', '10.244.1.3 80', '10.244.1.4 80');
    const two = ids('10.244.1.4 80', '10.244.1.2 80');
    expect(new Set(three.values()).size).toBe(3);
    for (const [ip, id] of two) expect(three.get(ip)).toBe(id);
  });
  it('shares the translation of a backend with other services', () => {
    const compiler = compile(
      cluster(),
      svc,
      endpoints('x/s', { web: ['10.244.1.2 8080'] }),
      service('y/t', ['10.96.0.11'], [{ name: '', protocol: 'TCP', port: 80 }]),
      endpoints('y/t', { '': ['10.244.1.2 8080'] }),
    );
    expect(flows(compiler, 1, 'EndpointDNAT', 'nw_dst=10.244.1.2')).toHaveLength(1);
    expect(ownersOf(compiler, 1, 'table=EndpointDNAT, priority=100,tcp,reg0=0x40/0x40,nw_dst=10.244.1.2')).toEqual([
      ['Service/x/s', 'Service/y/t'],
    ]);
  });
});

describe('a network policy', () => {
  const guard = (rule: PolicyRule, direction: 'ingress' | 'egress' = 'ingress') =>
    policy('x/p', { podSelector: { matchLabels: { app: 'a' } }, [direction]: [rule] });
  const ingress = (...facts: readonly (FactChange | readonly FactChange[])[]) => {
    const text = flows(compile(cluster(), A, B, ...facts), 1, 'IngressPolicy');
    return text
      .filter((f) => !f.startsWith('priority=0'))
      .map((f) => f.replace('goto_table:PolicyLog', 'NEXT').replace(DENIAL, 'drop'));
  };
  const fromB = [{ podSelector: { matchLabels: { app: 'b' } } }];

  it.each<[string, PolicyRule, string[]]>([
    [
      'no condition: a plain flow',
      { peers: [], ports: [] },
      ['priority=100,reg2=0x100 actions=drop', 'priority=300,reg2=0x100 actions=set_field:0xN->reg5,NEXT'],
    ],
    [
      'peers',
      { peers: fromB, ports: [] },
      [
        'priority=100,reg2=0x100 actions=drop',
        'priority=200,conj_id=1 actions=set_field:0xN->reg5,NEXT',
        'priority=200,reg1=0x101 actions=conjunction(1,2/2)',
        'priority=200,reg2=0x100 actions=conjunction(1,1/2)',
      ],
    ],
    [
      'ports',
      { peers: [], ports: [{ protocol: 'UDP', port: 1000, endPort: 1005 }] },
      [
        'priority=100,reg2=0x100 actions=drop',
        'priority=200,conj_id=1 actions=set_field:0xN->reg5,NEXT',
        'priority=200,reg2=0x100 actions=conjunction(1,1/2)',
        'priority=200,udp,tp_dst=0x3e8/0xfffc actions=conjunction(1,2/2)',
        'priority=200,udp,tp_dst=0x3ec/0xfffe actions=conjunction(1,2/2)',
        'priority=200,udp6,tp_dst=0x3e8/0xfffc actions=conjunction(1,2/2)',
        'priority=200,udp6,tp_dst=0x3ec/0xfffe actions=conjunction(1,2/2)',
      ],
    ],
    [
      'a range of addresses with a hole, and a protocol',
      {
        peers: [{ ipBlock: { cidr: cidr('10.0.0.0/8'), except: [cidr('10.0.0.0/9')] } }],
        ports: [{ protocol: 'SCTP' }],
      },
      [
        'priority=100,reg2=0x100 actions=drop',
        'priority=200,conj_id=1 actions=set_field:0xN->reg5,NEXT',
        'priority=200,ip,nw_src=10.128.0.0/9 actions=conjunction(1,2/3)',
        'priority=200,reg2=0x100 actions=conjunction(1,1/3)',
        'priority=200,sctp actions=conjunction(1,3/3)',
        'priority=200,sctp6 actions=conjunction(1,3/3)',
      ],
    ],
    [
      'peers that select nobody allow nothing',
      { peers: [{ podSelector: { matchLabels: { app: 'z' } } }], ports: [] },
      ['priority=100,reg2=0x100 actions=drop'],
    ],
    ['a peer that says nothing allows nothing', { peers: [{}], ports: [] }, ['priority=100,reg2=0x100 actions=drop']],
    [
      'a named port that no subject has allows nothing',
      { peers: [], ports: [{ protocol: 'TCP', port: 'http' }] },
      ['priority=100,reg2=0x100 actions=drop'],
    ],
  ])('%s', (_, rule, expected) => {
    expect(ingress(guard(rule)).map((f) => f.replace(/0x[0-9a-f]+->reg5/, '0xN->reg5'))).toEqual(expected);
  });

  it('resolves a named port by each subject', () => {
    const named = (name: string, label: string, n: number, port: number) => [
      pod(name, { app: 'a', v: label }, { namedPorts: [{ name: 'http', protocol: 'TCP', port }] }),
      attach(name, 1, n),
    ];
    const compiler = compile(
      cluster(),
      named('x/1', '1', 2, 8080),
      named('x/2', '2', 3, 9090),
      guard({ peers: [], ports: [{ protocol: 'TCP', port: 'http' }] }),
    );
    expect(flows(compiler, 1, 'IngressPolicy', 'conjunction')).toEqual([
      'priority=200,reg2=0x100 actions=conjunction(1,1/2)',
      'priority=200,reg2=0x101 actions=conjunction(2,1/2)',
      'priority=200,tcp,tp_dst=8080 actions=conjunction(1,2/2)',
      'priority=200,tcp,tp_dst=9090 actions=conjunction(2,2/2)',
      'priority=200,tcp6,tp_dst=8080 actions=conjunction(1,2/2)',
      'priority=200,tcp6,tp_dst=9090 actions=conjunction(2,2/2)',
    ]);
  });
  it.each([
    ['ingress', 'IngressPolicy', 'reg1'],
    ['egress', 'EgressPolicy', 'reg2'],
  ] as const)('knows every pod as a peer of %s by the identities that pods may have', (direction, table, register) => {
    const everyPod = { podSelector: {}, [direction]: [{ peers: [{ namespaceSelector: {} }], ports: [] }] };
    const compiler = compile(cluster(), A, B, policy('x/p', everyPod));
    const peers = flowsOf(compiler, 1, table).filter(
      ({ priority, match }) => priority === 200 && Array.isArray(match[register]),
    );
    const meets = (identity: number) =>
      peers.some(({ match }) => {
        const [value, mask] = match[register] as readonly [number, number];
        return (BigInt(identity) & BigInt(mask)) === BigInt(value);
      });
    expect(peers).toHaveLength(24);
    for (let reserved = 0; reserved < FIRST_POD_IDENTITY; reserved++) expect(meets(reserved)).toBe(false);
    for (let bit = 8; bit < 32; bit++)
      expect([2 ** bit, 2 ** bit + 1, 2 ** (bit + 1) - 1].map(meets)).toEqual([true, true, true]);
    expect(new Set(peers.map(({ instructions }) => JSON.stringify(instructions))).size).toBe(1);
  });
  it('shares clauses with other policies and names all owners', () => {
    const compiler = compile(
      cluster(),
      A,
      B,
      guard({ peers: fromB, ports: [] }),
      policy('x/q', { podSelector: {}, ingress: [{ peers: fromB, ports: [{ protocol: 'TCP', port: 80 }] }] }),
    );
    expect(flows(compiler, 1, 'IngressPolicy', 'reg1=0x101')).toEqual([
      'priority=200,reg1=0x101 actions=conjunction(1,2/2),conjunction(2,2/3)',
    ]);
    expect(ownersOf(compiler, 1, 'table=IngressPolicy, priority=200,reg1=0x101')).toEqual([
      ['NetworkPolicy/x/p', 'NetworkPolicy/x/q'],
    ]);
    expect(ownersOf(compiler, 1, 'table=IngressPolicy, priority=100,reg2=0x100')).toEqual([
      ['NetworkPolicy/x/p', 'NetworkPolicy/x/q'],
    ]);
  });
  it('lets several rules without conditions allow together', () => {
    const all = { peers: [], ports: [] };
    const compiler = compile(cluster(), A, guard(all), policy('x/q', { podSelector: {}, ingress: [all] }));
    expect(flows(compiler, 1, 'IngressPolicy', 'priority=300')).toHaveLength(1);
    expect(ownersOf(compiler, 1, 'table=IngressPolicy, priority=300')).toEqual([
      ['NetworkPolicy/x/p', 'NetworkPolicy/x/q'],
    ]);
  });
  it('goes to the nodes of its subjects only', () => {
    const compiler = compile(cluster(), A, B, guard({ peers: fromB, ports: [] }));
    expect(flows(compiler, 2, 'IngressPolicy')).toHaveLength(1);
    expect(flows(compiler, 3, 'IngressPolicy')).toHaveLength(1);
  });
  it('makes the destinations of egress rules known where the rule is', () => {
    const compiler = compile(cluster(), A, B, guard({ peers: fromB, ports: [] }, 'egress'));
    const known = (n: number) => flows(compiler, n, 'DestinationIdentity', 'nw_dst=10.244.2.2');
    expect(known(1)).toEqual([
      'priority=100,ip,reg0=0x100/0xffff00,nw_dst=10.244.2.2 actions=set_field:0x101->reg2,goto_table:EgressAdmin',
    ]);
    expect([known(2).length, known(3).length]).toEqual([1, 0]);
  });
  it('covers what a held pod carries and what its labels say', () => {
    const compiler = compile(cluster(), A, guard({ peers: [], ports: [] }), namespace('x'));
    const key = compiler.identityOf('x', 'a')?.key;
    compiler.apply([pod('x/a', { app: 'a', version: '2' }), hold('x/a', key)]);
    expect(flows(compiler, 1, 'Classify', 'in_port=258')[0]).toContain('set_field:0x100->reg1');
    expect(denied(compiler)).toEqual(['priority=100,reg2=0x100 actions=drop', 'priority=100,reg2=0x101 actions=drop']);
    compiler.apply([hold('x/a', undefined)]);
    expect(flows(compiler, 1, 'Classify', 'in_port=258')[0]).toContain('set_field:0x101->reg1');
    expect(denied(compiler)).toEqual(['priority=100,reg2=0x101 actions=drop']);
  });
  it('does not select pods of the host network', () => {
    const compiler = compile(
      cluster(),
      A,
      B,
      pod('x/b', { app: 'b' }, { hostNetwork: true }),
      guard({ peers: fromB, ports: [] }),
    );
    expect(flows(compiler, 1, 'IngressPolicy', 'conjunction')).toEqual([]);
    expect(compiler.subjectsOf('x/p')).toEqual(['x/a']);
  });
  it('is told in canonical form with what it selects', () => {
    const compiler = compile(cluster(), A, B, guard({ peers: fromB, ports: [{ protocol: 'TCP', port: 80 }] }));
    const resolved = compiler.policy('x/p');
    expect(resolved).toMatchObject({ namespace: 'x', name: 'p', isolates: ['ingress'] });
    expect(resolved?.subjects.map((s) => s.number)).toEqual([0x100]);
    expect(resolved?.rules[0]?.peerIdentities.map((s) => s.number)).toEqual([0x101]);
    expect(compiler.isolatedBy('ingress', 0x100)).toEqual(['x/p']);
    expect(compiler.isolatedBy('egress', 0x100)).toEqual([]);
    expect(compiler.policy('x/none')).toBeUndefined();
  });
});

describe('without a setting', () => {
  it('nodes have no flows', () => {
    const facts = [...cluster(), ...A].filter((c) => c.kind !== 'config');
    expect(compile(facts).node(nodeName('node1'))?.flows.size).toBe(0);
    expect(compile(facts).node(nodeName('node9'))).toBeUndefined();
  });
});
