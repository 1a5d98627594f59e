import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Compiler, createCompiler, type NodeFlowSet, type NodeName, nodeName } from '@heddle/compiler';
import { flowMod, formatFlow, formatGroup, groupMod } from 'openflow-ts/codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cidr } from '../../libs/compiler/src/model/brands.js';
import {
  attach,
  cluster,
  config,
  countingIds,
  endpoints,
  namespace,
  pod,
  policy,
  service,
} from '../../libs/compiler/src/testing/facts.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const http = [{ protocol: 'TCP', port: 80 } as const];
/** Three nodes; x/a and x/b on node1, y/c on node2, z/d on node3; services of every protocol; policies of every kind. */
const FACTS = [
  ...cluster(),
  namespace('x', { team: 'shop' }),
  namespace('y', { team: 'data' }),
  pod('x/a', { app: 'a' }, { namedPorts: [{ name: 'web', protocol: 'TCP', port: 8080 }] }),
  pod('x/b', { app: 'b' }),
  pod('y/c', { app: 'c' }, { namedPorts: [{ name: 'web', protocol: 'TCP', port: 9090 }] }),
  pod('z/d', { app: 'd' }),
  attach('x/a', 1, 2),
  attach('x/b', 1, 3),
  attach('y/c', 2, 2),
  attach('z/d', 3, 2),
  service('x/web', ['10.96.0.10', 'fd00:10:96::10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('x/web', { '': ['10.244.1.2 8080', '10.244.2.2 9090', 'fd00:10:244:1::2 8080', 'fd00:10:244:2::2 9090'] }),
  service(
    'x/dns',
    ['10.96.0.11'],
    [
      { name: 'udp', protocol: 'UDP', port: 53 },
      { name: 'sctp', protocol: 'SCTP', port: 53 },
    ],
  ),
  endpoints('x/dns', { udp: ['10.244.1.2 5353'], sctp: ['10.244.1.2 5353'] }),
  service('x/empty', ['10.96.0.12', 'fd00:10:96::12'], [{ name: '', protocol: 'TCP', port: 80 }]),
  policy('x/guard', {
    podSelector: { matchLabels: { app: 'a' } },
    ingress: [
      { peers: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [{ protocol: 'TCP', port: 'web' }] },
      { peers: [{ namespaceSelector: { matchLabels: { team: 'data' } } }], ports: http },
      {
        peers: [{ ipBlock: { cidr: cidr('10.244.0.0/16'), except: [cidr('10.244.3.0/24')] } }],
        ports: [{ protocol: 'UDP', port: 1000, endPort: 2000 }, { protocol: 'SCTP' }],
      },
      { peers: [{ ipBlock: { cidr: cidr('fd00::/8'), except: [cidr('fd00:10:244:3::/64')] } }], ports: [] },
    ],
  }),
  policy('x/out', {
    podSelector: {},
    egress: [
      {
        peers: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'c' } } }],
        ports: [{ protocol: 'TCP', port: 'web' }],
      },
      { peers: [{ podSelector: {} }], ports: [] },
    ],
  }),
  policy('z/closed', { podSelector: {}, ingress: [], egress: [] }),
  policy('y/open', { podSelector: {}, ingress: [{ peers: [], ports: [] }] }),
];

const flowText = (set: NodeFlowSet): string[] => [...set.flows.values()].map((f) => formatFlow(flowMod({ ...f })));
const groupText = (set: NodeFlowSet): string[] =>
  [...set.groups.values()].map((g) =>
    formatGroup(groupMod({ groupId: g.id, type: 'select', buckets: g.buckets, selectionMethod: 'dp_hash' })),
  );

describe.skipIf(!hasOvs())('the flows of a cluster on a real Open vSwitch', () => {
  let ovs: TestSwitch;
  let compiler: Compiler;

  /** Empties the switch and gives it the flows of a node, groups first, as ovs-ofctl text. */
  async function install(name: NodeName): Promise<NodeFlowSet> {
    const set = compiler.node(name);
    if (set === undefined) throw new Error(name);
    await ovs.ofctl('del-flows', 'br-int');
    await ovs.ofctl('del-groups', 'br-int');
    await writeFile(join(ovs.dir, 'groups'), `${groupText(set).join('\n')}\n`);
    await writeFile(join(ovs.dir, 'flows'), `${flowText(set).join('\n')}\n`);
    await ovs.ofctl('--bundle', 'add-groups', 'br-int', join(ovs.dir, 'groups'));
    await ovs.ofctl('--bundle', 'add-flows', 'br-int', join(ovs.dir, 'flows'));
    return set;
  }
  const trace = async (flow: string, ...next: readonly string[]): Promise<string> =>
    ovs.appctl('ofproto/trace', 'br-int', flow, ...next.flatMap((n) => ['--ct-next', n]));

  beforeAll(async () => {
    ovs = await startSwitch({ protocols: ['OpenFlow15'] });
    const port = (name: string, n: number, ...more: string[]) => [
      '--',
      'add-port',
      'br-int',
      name,
      '--',
      'set',
      'interface',
      name,
      `ofport_request=${n}`,
      ...(more.length > 0 ? more : ['type=dummy']),
    ];
    await ovs.vsctl(
      ...port('tun0', 1, 'type=geneve', 'options:remote_ip=flow', 'options:key=flow').slice(1),
      ...port('heddle0', 2),
      ...port('a', 258),
      ...port('b', 259),
    );
    await ovs.ofctl('add-tlv-map', 'br-int', '{class=0xff01,type=0x80,len=4}->tun_metadata0');
    compiler = createCompiler(countingIds());
    compiler.apply(FACTS);
  });
  afterAll(() => ovs?.stop());

  it.each(['node1', 'node2', 'node3'])('takes every flow and group of %s', async (name) => {
    const set = await install(nodeName(name));
    const shown = await ovs.flows();
    expect(shown).toHaveLength(set.flows.size);
    const groups = (await ovs.ofctl('dump-groups', 'br-int')).match(/group_id=/g) ?? [];
    expect(groups).toHaveLength(set.groups.size);
  });

  it('takes them with VXLAN too', async () => {
    compiler.apply([config({ encap: 'vxlan' })]);
    const set = await install(nodeName('node1'));
    expect(await ovs.flows()).toHaveLength(set.flows.size);
    expect((await ovs.flows('table=5')).length).toBeGreaterThan(2);
    compiler.apply([config()]);
  });

  describe('on node1', () => {
    beforeAll(async () => {
      await install(nodeName('node1'));
    });
    const A = 'in_port=258,dl_src=0a:58:0a:f4:01:02,dl_dst=0a:58:00:00:00:01,nw_ttl=64';
    const B = 'in_port=259,dl_src=0a:58:0a:f4:01:03,dl_dst=0a:58:00:00:00:01,nw_ttl=64';

    it('lets b reach the named port of a, by the rules of both, and commits it', async () => {
      const text = await trace(`tcp,${B},nw_src=10.244.1.3,nw_dst=10.244.1.2,tcp_dst=8080`, 'trk,new', 'trk,new');
      expect(text).toContain('output port is 258');
      expect(text).toMatch(/ct\(commit,table=75,zone=NXM_NX_REG0\[8\.\.23\]/);
    });
    it('drops b to another port of a at the isolation of a', async () => {
      const text = await trace(`tcp,${B},nw_src=10.244.1.3,nw_dst=10.244.1.2,tcp_dst=81`, 'trk,new', 'trk,new');
      expect(text).not.toContain('output port is 258');
      expect(text).toMatch(/61\. reg2=0x[0-9a-f]+, priority 100/);
    });
    it('drops what comes from an address that is not the sender’s', async () => {
      const text = await trace(`tcp,${B},nw_src=10.244.1.9,nw_dst=10.244.1.2,tcp_dst=8080`);
      expect(text).toMatch(/10\. priority 0.*\n\s+drop/);
    });
    it('sends what goes to a pod elsewhere through the tunnel, with VNI and identity', async () => {
      const text = await trace(`tcp,${A},nw_src=10.244.1.2,nw_dst=10.244.2.2,tcp_dst=9090`, 'trk,new', 'trk,new');
      expect(text).toContain('set_field:172.31.99.2->tun_dst');
      expect(text).toContain('output:1');
    });
    it('gives the service packet its backend and translates it only after policy', async () => {
      const text = await trace(
        `tcp,${A},nw_src=10.244.1.2,nw_dst=10.96.0.10,tcp_dst=80,dp_hash=1`,
        'trk,new',
        'trk,new',
        'trk,new',
      );
      expect(text).toMatch(/31\. .*nw_dst=10\.96\.0\.10,tp_dst=80/);
      const [dnat, egress] = [text.indexOf('70. '), text.indexOf('35. ')];
      expect(egress).toBeGreaterThan(0);
      expect(dnat).toBeGreaterThan(egress);
      expect(text).toMatch(/nat\(dst=10\.244\.(1\.2:8080|2\.2:9090)\)/);
    });
    it('sends a service without endpoints to the kernel', async () => {
      const text = await trace(`tcp,${A},nw_src=10.244.1.2,nw_dst=10.96.0.12,tcp_dst=80`, 'trk,new');
      expect(text).toContain('output:2');
    });
    it('answers ARP of a pod and leaves its probes alone', async () => {
      const arp = 'arp,in_port=258,dl_src=0a:58:0a:f4:01:02,arp_sha=0a:58:0a:f4:01:02,arp_op=1';
      expect(await trace(`${arp},arp_spa=10.244.1.2,arp_tpa=169.254.1.1`)).toContain('IN_PORT');
      expect(await trace(`${arp},arp_spa=0.0.0.0,arp_tpa=10.244.1.2`)).not.toContain('IN_PORT');
      expect(await trace(`${arp},arp_spa=10.244.1.3,arp_tpa=169.254.1.1`)).not.toContain('IN_PORT');
    });
    it('answers a neighbour solicitation', async () => {
      const text = await trace(
        'icmp6,in_port=258,dl_src=0a:58:0a:f4:01:02,ipv6_src=fd00:10:244:1::2,ipv6_dst=ff02::1:ff00:1,nw_ttl=255,icmpv6_type=135,icmpv6_code=0,nd_target=fe80::1,nd_sll=0a:58:0a:f4:01:02',
      );
      expect(text).toContain('set_field:0a:58:00:00:00:01->nd_tll');
      expect(text).toContain('IN_PORT');
    });
    it('takes tunnel packets of known nodes only', async () => {
      const from = (tunSrc: string) =>
        trace(
          `tcp,in_port=1,tun_src=${tunSrc},tun_dst=172.31.99.1,tun_id=1,tun_metadata0=0x102,nw_src=10.244.2.2,nw_dst=10.244.1.3,tcp_dst=80,nw_ttl=64`,
          'trk,new',
          'trk,new',
        );
      expect(await from('172.31.99.2')).toContain('output port is 259');
      expect(await from('172.31.99.77')).toMatch(/ 0\. priority 0.*\n\s+drop/);
    });
  });
});
