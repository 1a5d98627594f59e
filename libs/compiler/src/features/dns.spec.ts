import { describe, expect, it } from 'vitest';
import { type Compiler } from '../compiler.js';
import { ip, nodeName } from '../model/brands.js';
import type { ClusterPeer, FactChange, LabelSelector } from '../model/facts.js';
import { compile, flowsOf, flowText } from '../testing/compile.js';
import { attach, cluster, config, endpoints, pod, service } from '../testing/facts.js';

/** Flows of a node that tell the controller of answers. */
const observed = (compiler: Compiler, n: number): string[] =>
  flowsOf(compiler, n, 'IngressAdmin')
    .filter((f) => f.provenance.feature === 'dns')
    .map(flowText)
    .sort();

/** Whose answers they are, over TCP and then over UDP. */
const sources = (compiler: Compiler) => observed(compiler, 1).map((f) => /(nw_src|ipv6_src)=([^,]+)/.exec(f)?.[2]);

const names = (policy: string, podSelector: LabelSelector, peers: readonly ClusterPeer[]): FactChange => ({
  kind: 'clusterPolicy',
  key: policy,
  value: {
    name: policy,
    tier: 'Admin',
    priority: 5,
    subject: { namespaceSelector: {}, podSelector },
    ingress: [],
    egress: [{ name: '', action: 'Accept', peers, ports: [] }],
  },
});
const EXAMPLE_COM: readonly ClusterPeer[] = [{ kind: 'domains', names: ['example.com'] }];
const noPolicy = (policy: string): FactChange => ({ kind: 'clusterPolicy', key: policy, value: undefined });

const A = [pod('x/a', { app: 'a' }), attach('x/a', 1, 2)];
const B = [pod('x/b', { app: 'b' }), attach('x/b', 2, 2)];
const DNS = service('kube-system/kube-dns', ['10.96.0.10'], [{ name: 'dns', protocol: 'UDP', port: 53 }]);
const ENDPOINTS = endpoints('kube-system/kube-dns', { dns: ['10.244.2.9 53'] });
// Identities are numbered in the order in which pods come: x/a 0x100, x/b 0x101.

describe('answers of name servers', () => {
  it('are copied where a pod asks for names, and go on', () => {
    const compiler = compile(cluster(), A, B, DNS, ENDPOINTS, names('p', { matchLabels: { app: 'a' } }, EXAMPLE_COM));
    expect(observed(compiler, 1)).toEqual([
      'table=IngressAdmin, priority=65510,tcp,reg0=0x20/0x20,reg2=0x100,nw_src=10.244.2.9,tp_src=53 actions=controller(meter_id=53),goto_table:EgressNat',
      'table=IngressAdmin, priority=65510,tcp,reg0=0x20/0x20,reg2=0x100,nw_src=10.96.0.10,tp_src=53 actions=controller(meter_id=53),goto_table:EgressNat',
      'table=IngressAdmin, priority=65510,udp,reg0=0x20/0x20,reg2=0x100,nw_src=10.244.2.9,tp_src=53 actions=CONTROLLER:65535,goto_table:EgressNat',
      'table=IngressAdmin, priority=65510,udp,reg0=0x20/0x20,reg2=0x100,nw_src=10.96.0.10,tp_src=53 actions=CONTROLLER:65535,goto_table:EgressNat',
    ]);
    expect(observed(compiler, 2)).toEqual([]);
  });

  it('may come too late: attempts to connect that are denied are copied as well', () => {
    const attempts = (podSelector: LabelSelector) => {
      const compiler = compile(cluster(), A, B, DNS, names('p', podSelector, EXAMPLE_COM));
      return flowsOf(compiler, 1, 'Denied')
        .filter((f) => f.provenance.feature === 'dns')
        .map(flowText);
    };
    expect(attempts({ matchLabels: { app: 'a' } })).toEqual([
      'table=Denied, priority=50,tcp,reg0=0x1/0xf,reg1=0x100,tcp_flags=+syn-ack actions=CONTROLLER:65535',
      'table=Denied, priority=50,tcp6,reg0=0x1/0xf,reg1=0x100,tcp_flags=+syn-ack actions=CONTROLLER:65535',
    ]);
    expect(attempts({})).toEqual([
      'table=Denied, priority=50,tcp,reg0=0x1/0xf,tcp_flags=+syn-ack actions=CONTROLLER:65535',
      'table=Denied, priority=50,tcp6,reg0=0x1/0xf,tcp_flags=+syn-ack actions=CONTROLLER:65535',
    ]);
  });

  it('are copied for everybody by one flow a server and protocol where a policy is for every pod', () => {
    const compiler = compile(cluster(), A, B, DNS, names('p', {}, EXAMPLE_COM));
    const flows = [
      'table=IngressAdmin, priority=65510,tcp,reg0=0x20/0x20,nw_src=10.96.0.10,tp_src=53 actions=controller(meter_id=53),goto_table:EgressNat',
      'table=IngressAdmin, priority=65510,udp,reg0=0x20/0x20,nw_src=10.96.0.10,tp_src=53 actions=CONTROLLER:65535,goto_table:EgressNat',
    ];
    expect([1, 2, 3].map((n) => observed(compiler, n))).toEqual([flows, flows, []]);
  });

  it('are nobody else’s: the configured servers take the place of the service', () => {
    const servers = [ip('192.0.2.53'), ip('2001:db8::53')];
    const compiler = compile(
      cluster(),
      config({ dnsServers: servers }),
      A,
      DNS,
      ENDPOINTS,
      names('p', {}, EXAMPLE_COM),
    );
    expect(sources(compiler)).toEqual([...servers, ...servers]);
  });

  it.each<[name: string, facts: readonly FactChange[]]>([
    ['without a name server', [names('p', {}, EXAMPLE_COM)]],
    ['where no policy asks for names', [DNS, names('p', {}, [{ kind: 'nodes', selector: {} }])]],
    ['once the policy is gone', [DNS, names('p', {}, EXAMPLE_COM), noPolicy('p')]],
  ])('%s nothing is copied', (_, facts) => {
    const compiler = compile(cluster(), A);
    for (const fact of facts) compiler.apply([fact]);
    expect(observed(compiler, 1)).toEqual([]);
  });

  it('follow the endpoints of the name service', () => {
    const compiler = compile(cluster(), A, DNS, ENDPOINTS, names('p', { matchLabels: { app: 'a' } }, EXAMPLE_COM));
    compiler.apply([endpoints('kube-system/kube-dns', { dns: ['10.244.2.10 53', '10.244.3.4 53'] })]);
    const servers = ['10.244.2.10', '10.244.3.4', '10.96.0.10'];
    expect(sources(compiler)).toEqual([...servers, ...servers]);
  });

  it('belong to every policy that asks', () => {
    const compiler = compile(
      cluster(),
      [A, DNS].flat(),
      names('p', { matchLabels: { app: 'a' } }, EXAMPLE_COM),
      names('q', { matchLabels: { app: 'a' } }, EXAMPLE_COM),
    );
    const flows = [...(compiler.node(nodeName('node1'))?.flows.values() ?? [])];
    expect(flows.find((f) => f.provenance.feature === 'dns')?.provenance.owners).toEqual([
      { kind: 'ClusterNetworkPolicy', namespace: '', name: 'p' },
      { kind: 'ClusterNetworkPolicy', namespace: '', name: 'q' },
    ]);
  });
});
