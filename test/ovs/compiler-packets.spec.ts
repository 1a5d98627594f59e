import {
  createCompiler,
  createEvaluator,
  type FactChange,
  type NodeFlowSet,
  nodeName,
  TCP_FLAGS,
  unreachablePacket,
} from '@heddle/compiler';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countingIds, endpoints, policy, service } from '../../libs/compiler/src/testing/facts.js';
import { hasOvs } from '../support/ovs.js';
import { evaluated, PacketSwitch, type Sent } from './evaluate-switch.js';
import { A, B, endsOf, HEDDLE0, MAC, ROUTER, sent, TWO_PODS } from './node-packets.js';

// Real packets through the compiled flows of one node in the userspace datapath; the evaluator must say the same of each.

const { syn, ack, fin, rst } = TCP_FLAGS;

const BASE = [
  ...TWO_PODS,
  service('x/b', ['10.96.0.10', 'fd00:10:96::10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('x/b', { '': ['10.244.1.3 8080', 'fd00:10:244:1::3 8080'] }),
  service('x/self', ['10.96.0.11', 'fd00:10:96::11'], [{ name: '', protocol: 'UDP', port: 53 }]),
  endpoints('x/self', { '': ['10.244.1.2 5353', 'fd00:10:244:1::2 5353'] }),
  service('x/none', ['10.96.0.12'], [{ name: '', protocol: 'TCP', port: 80 }]),
];
const noneOfB = policy('x/closed', { podSelector: { matchLabels: { app: 'b' } }, ingress: [] });
const only8080 = policy('x/only', {
  podSelector: { matchLabels: { app: 'a' } },
  egress: [{ peers: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [{ protocol: 'TCP', port: 8080 }] }],
});

const tcp = (from: number, route: string, flags: number): Sent => sent('tcp', from, route, flags);
const udp = (from: number, route: string): Sent => sent('udp', from, route);

/** `PORT: SOURCE PORT > DESTINATION PORT` of everything that left, by the evaluator. */
function leaving(set: NodeFlowSet, packets: readonly Sent[]): readonly string[] {
  const evaluator = createEvaluator({ nodes: () => set });
  return packets.map(({ ofport, packet }) =>
    evaluator
      .send('node1', ofport, packet)
      .deliveries.map((d) => `${d.ofport}: ${endsOf(d.packet)}`)
      .join(', '),
  );
}

const HAIRPIN = '169.254.1.2';
const HAIRPIN6 = 'fd00:4865:6464:6c65::2';
const denied = tcp(A, '10.244.1.2 1000 > 10.244.1.3 8080', syn);

const ROWS: readonly [name: string, policies: readonly FactChange[], packets: readonly [Sent, leaves: string][]][] = [
  [
    'a connection through a service, to its end',
    [],
    [
      [tcp(A, '10.244.1.2 1000 > 10.96.0.10 80', syn), '259: 10.244.1.2 1000 > 10.244.1.3 8080'],
      [tcp(B, '10.244.1.3 8080 > 10.244.1.2 1000', syn | ack), '258: 10.96.0.10 80 > 10.244.1.2 1000'],
      [tcp(A, '10.244.1.2 1000 > 10.96.0.10 80', ack), '259: 10.244.1.2 1000 > 10.244.1.3 8080'],
      [tcp(B, '10.244.1.3 8080 > 10.244.1.2 1000', ack), '258: 10.96.0.10 80 > 10.244.1.2 1000'],
      [tcp(A, '10.244.1.2 1000 > 10.96.0.10 80', fin | ack), '259: 10.244.1.2 1000 > 10.244.1.3 8080'],
    ],
  ],
  [
    'a connection through a service over IPv6',
    [],
    [
      [tcp(A, 'fd00:10:244:1::2 1000 > fd00:10:96::10 80', syn), '259: fd00:10:244:1::2 1000 > fd00:10:244:1::3 8080'],
      [
        tcp(B, 'fd00:10:244:1::3 8080 > fd00:10:244:1::2 1000', syn | ack),
        '258: fd00:10:96::10 80 > fd00:10:244:1::2 1000',
      ],
      [tcp(A, 'fd00:10:244:1::2 1000 > fd00:10:96::10 80', ack), '259: fd00:10:244:1::2 1000 > fd00:10:244:1::3 8080'],
    ],
  ],
  [
    'a pod that reaches itself through a service',
    [],
    [
      [udp(A, '10.244.1.2 1000 > 10.96.0.11 53'), `258: ${HAIRPIN} 1000 > 10.244.1.2 5353`],
      [udp(A, `10.244.1.2 5353 > ${HAIRPIN} 1000`), '258: 10.96.0.11 53 > 10.244.1.2 1000'],
      [udp(A, '10.244.1.2 1000 > 10.96.0.11 53'), `258: ${HAIRPIN} 1000 > 10.244.1.2 5353`],
      [udp(A, `10.244.1.2 5353 > ${HAIRPIN} 1000`), '258: 10.96.0.11 53 > 10.244.1.2 1000'],
      [udp(A, 'fd00:10:244:1::2 1000 > fd00:10:96::11 53'), `258: ${HAIRPIN6} 1000 > fd00:10:244:1::2 5353`],
      [udp(A, `fd00:10:244:1::2 5353 > ${HAIRPIN6} 1000`), '258: fd00:10:96::11 53 > fd00:10:244:1::2 1000'],
    ],
  ],
  [
    'a service without endpoints: the kernel is asked, and its reset comes back',
    [],
    [
      [tcp(A, '10.244.1.2 1000 > 10.96.0.12 80', syn), '2: 10.244.1.2 1000 > 10.96.0.12 80'],
      [tcp(HEDDLE0, '10.96.0.12 80 > 10.244.1.2 1000', rst | ack), '258: 10.96.0.12 80 > 10.244.1.2 1000'],
    ],
  ],
  [
    'an ICMP error about a datagram that went to no service',
    [],
    [
      [udp(A, '10.244.1.2 1000 > 10.96.0.12 53'), '2: 10.244.1.2 1000 > 10.96.0.12 53'],
      [
        {
          ofport: HEDDLE0,
          packet: unreachablePacket({
            ethSrc: MAC[HEDDLE0] ?? '',
            ethDst: ROUTER,
            src: '10.244.1.1',
            dst: '10.244.1.2',
            code: 3,
            about: udp(A, '10.244.1.2 1000 > 10.96.0.12 53').packet,
          }),
        },
        '258: 10.244.1.1 > 10.244.1.2',
      ],
    ],
  ],
  [
    'an ICMP error about an allowed connection reaches the pod under policy',
    [policy('x/none-in', { podSelector: { matchLabels: { app: 'a' } }, ingress: [] })],
    [
      [udp(A, '10.244.1.2 1000 > 10.244.1.3 99'), '259: 10.244.1.2 1000 > 10.244.1.3 99'],
      [
        {
          ofport: B,
          packet: unreachablePacket({
            ethSrc: MAC[B] ?? '',
            ethDst: ROUTER,
            src: '10.244.1.3',
            dst: '10.244.1.2',
            code: 3,
            about: udp(A, '10.244.1.2 1000 > 10.244.1.3 99').packet,
          }),
        },
        '258: 10.244.1.3 > 10.244.1.2',
      ],
    ],
  ],
  [
    'a denied connection stays denied, however often it is tried',
    [noneOfB],
    [
      [denied, ''],
      [denied, ''],
      [tcp(B, '10.244.1.3 8080 > 10.244.1.2 1000', syn | ack), ''],
      [tcp(B, '10.244.1.3 2000 > 10.244.1.2 80', syn), '258: 10.244.1.3 2000 > 10.244.1.2 80'],
      [tcp(A, '10.244.1.2 80 > 10.244.1.3 2000', syn | ack), '259: 10.244.1.2 80 > 10.244.1.3 2000'],
      [tcp(A, '10.244.1.2 1000 > 10.96.0.10 80', syn), ''],
      [tcp(A, '10.244.1.2 1000 > 10.96.0.10 80', syn), ''],
    ],
  ],
  [
    'egress policy judges the backend, not the service',
    [only8080],
    [
      [tcp(A, '10.244.1.2 1000 > 10.96.0.10 80', syn), '259: 10.244.1.2 1000 > 10.244.1.3 8080'],
      [tcp(A, '10.244.1.2 1001 > 10.244.1.3 80', syn), ''],
      [udp(A, '10.244.1.2 1000 > 10.96.0.11 53'), `258: ${HAIRPIN} 1000 > 10.244.1.2 5353`],
      [tcp(A, '10.244.1.2 1002 > 172.31.99.1 22', syn), '2: 10.244.1.2 1002 > 172.31.99.1 22'],
      [tcp(A, '10.244.1.2 1003 > 172.31.99.2 22', syn), ''],
    ],
  ],
  [
    'the host reaches an isolated pod and a service',
    [noneOfB],
    [
      [tcp(HEDDLE0, '10.244.1.1 1000 > 10.244.1.3 8080', syn), '259: 10.244.1.1 1000 > 10.244.1.3 8080'],
      [tcp(B, '10.244.1.3 8080 > 10.244.1.1 1000', syn | ack), '2: 10.244.1.3 8080 > 10.244.1.1 1000'],
      [tcp(HEDDLE0, '10.244.1.1 1001 > 10.96.0.10 80', syn), '259: 10.244.1.1 1001 > 10.244.1.3 8080'],
      [tcp(B, '10.244.1.3 8080 > 10.244.1.1 1001', syn | ack), '2: 10.96.0.10 80 > 10.244.1.1 1001'],
      [tcp(HEDDLE0, '172.31.99.2 1000 > 10.244.1.3 8080', syn), ''],
    ],
  ],
  [
    'a pod sends under its own address only',
    [],
    [
      [tcp(A, '10.244.1.3 1000 > 10.244.1.3 8080', syn), ''],
      [{ ofport: A, packet: { ...tcp(B, '10.244.1.2 1 > 10.244.1.3 8080', syn).packet } }, ''],
      [udp(A, 'fd00:10:244:1::3 1 > fd00:10:244:1::3 9'), ''],
    ],
  ],
];

describe.skipIf(!hasOvs())('packets through compiled flows', () => {
  let real: PacketSwitch;
  beforeAll(async () => {
    real = await PacketSwitch.start([HEDDLE0, A, B]);
  });
  afterAll(() => real?.stop());

  it.each(ROWS)('%s', async (_, policies, rows) => {
    const compiler = createCompiler(countingIds());
    compiler.apply([...BASE, ...policies]);
    const set = compiler.node(nodeName('node1')) as NodeFlowSet;
    const packets = rows.map(([sent]) => sent);
    expect(leaving(set, packets)).toEqual(rows.map(([, leaves]) => leaves));
    await real.install(set);
    expect(await real.run(packets)).toEqual(evaluated(set, packets));
  });
});
