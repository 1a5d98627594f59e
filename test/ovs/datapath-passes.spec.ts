import { createCompiler, type FactChange, type NodeFlowSet, nodeName, TCP_FLAGS } from '@heddle/compiler';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clusterPolicy,
  countingIds,
  endpoints,
  noPolicy,
  policy,
  service,
} from '../../libs/compiler/src/testing/facts.js';
import { hasOvs } from '../support/ovs.js';
import { PacketSwitch, type Sent } from './evaluate-switch.js';
import { A, B, HEDDLE0, sent, TWO_PODS } from './node-packets.js';

// How often the datapath handles each packet of an established connection, from its own counters: once between pods that
// nothing concerns, otherwise twice, because what the tracker says is known only in a second pass.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const PACKETS = 10;
const { syn, ack } = TCP_FLAGS;

const tcp = (ofport: number, route: string, flags: number): Sent => sent('tcp', ofport, route, flags);

interface Ends {
  readonly client: number;
  readonly ask: string;
  readonly server: number;
  readonly answer: string;
}
const pair: Ends = {
  client: A,
  ask: '10.244.1.2 1000 > 10.244.1.3 80',
  server: B,
  answer: '10.244.1.3 80 > 10.244.1.2 1000',
};
const pair6: Ends = {
  client: A,
  ask: 'fd00:10:244:1::2 1000 > fd00:10:244:1::3 80',
  server: B,
  answer: 'fd00:10:244:1::3 80 > fd00:10:244:1::2 1000',
};
const viaService: Ends = {
  client: A,
  ask: '10.244.1.2 1000 > 10.96.0.10 80',
  server: B,
  answer: '10.244.1.3 8080 > 10.244.1.2 1000',
};
const probe: Ends = {
  client: HEDDLE0,
  ask: '10.244.1.1 1000 > 10.244.1.3 80',
  server: B,
  answer: '10.244.1.3 80 > 10.244.1.1 1000',
};

const behindService = [
  service('x/b', ['10.96.0.10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('x/b', { '': ['10.244.1.3 8080'] }),
];
const draining: readonly FactChange[] = [
  service('x/b', ['10.96.0.10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  {
    kind: 'endpoints',
    key: 'x/b',
    value: { namespace: 'x', service: 'b', ports: [], draining: ['10.244.1.3' as never] },
  },
];
const ingress = policy('x/in', { podSelector: { matchLabels: { app: 'b' } }, ingress: [{ peers: [], ports: [] }] });
const egress = policy('x/out', { podSelector: { matchLabels: { app: 'a' } }, egress: [{ peers: [], ports: [] }] });
const guard = clusterPolicy('g', {
  subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'b' } } },
});
const elsewhere = policy('x/other', { podSelector: { matchLabels: { app: 'c' } }, ingress: [] });

const ROWS: readonly [name: string, facts: readonly FactChange[], ends: Ends, asks: number, answers: number][] = [
  ['pods that nothing concerns', [], pair, 1, 1],
  ['the same over IPv6', [], pair6, 1, 1],
  ['pods that a policy for others does not concern', [elsewhere], pair, 1, 1],
  ['a policy for the receiver', [ingress], pair, 2, 2],
  ['a policy for the sender', [egress], pair, 2, 2],
  ['policies for both, IPv6', [ingress, egress], pair6, 2, 2],
  ['a policy that is gone', [ingress, noPolicy('x/in')], pair, 1, 1],
  ['a cluster policy for the receiver', [guard], pair, 2, 2],
  ['through a service', behindService, viaService, 2, 2],
  ['past a service whose endpoint the receiver is', behindService, pair, 2, 2],
  ['to a pod that its service lets drain', draining, pair, 2, 2],
  ['through a service, under policies', [...behindService, ingress, egress], viaService, 2, 2],
  ['from the node', [], probe, 2, 2],
];

describe.skipIf(!hasOvs())('passes of the datapath for each packet', () => {
  let real: PacketSwitch;
  beforeAll(async () => {
    real = await PacketSwitch.start([HEDDLE0, A, B]);
  });
  afterAll(() => real?.stop());

  it.each(ROWS)('%s', async (_, facts, { client, ask, server, answer }, asks, answers) => {
    const compiler = createCompiler(countingIds());
    compiler.apply([...TWO_PODS, ...facts]);
    await real.install(compiler.node(nodeName('node1')) as NodeFlowSet);
    const handshake = [tcp(client, ask, syn), tcp(server, answer, syn | ack), tcp(client, ask, ack)];
    const { left } = await real.run(handshake);
    expect(left.map((frames) => frames.length)).toEqual([1, 1, 1]);
    const many = (packet: Sent) => () => real.run(Array.from({ length: PACKETS }, () => packet));
    expect([
      await real.passesDuring(many(tcp(client, ask, ack))),
      await real.passesDuring(many(tcp(server, answer, ack))),
    ]).toEqual([asks, answers]);
  });
});
