import {
  createCompiler,
  createEvaluator,
  type FactChange,
  header,
  l4Packet,
  type NodeFlowSet,
  nodeName,
  type Packet,
  type PolicyPeer,
  type PolicyPort,
  TCP_FLAGS,
  unreachablePacket,
} from '@heddle/compiler';
import { formatIpv4, formatIpv6 } from 'openflow-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attach,
  cluster,
  countingIds,
  endpoints,
  namespace,
  noPolicy,
  noService,
  pod,
  policy,
  service,
} from '../../libs/compiler/src/testing/facts.js';
import { hasOvs } from '../support/ovs.js';
import { describe as describeFrame, toBytes } from './evaluate-bytes.js';
import { connectionText, PacketSwitch, type Sent } from './evaluate-switch.js';

// What becomes of connections when policies change: packets through the compiled flows of one node in the userspace datapath,
// with changes between them. After each step the evaluator must have let the same frames out and remember the same connections.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const [HEDDLE0, A, B, C] = [2, 258, 259, 260];
const MAC: Readonly<Record<number, string>> = {
  [HEDDLE0]: '0a:58:00:00:01:01',
  [A]: '0a:58:0a:f4:01:02',
  [B]: '0a:58:0a:f4:01:03',
  [C]: '0a:58:0a:f4:01:04',
};
const ROUTER = '0a:58:00:00:00:01';
const { syn, ack } = TCP_FLAGS;

/** x/a, x/b and x/c on one node; x/b is behind the service 10.96.0.10:80 on 8080, x/c behind 10.96.0.11:53 on 5353. */
const BASE = [
  ...cluster(),
  namespace('x'),
  pod('x/a', { app: 'a' }),
  attach('x/a', 1, 2),
  pod('x/b', { app: 'b' }),
  attach('x/b', 1, 3),
  pod('x/c', { app: 'c' }),
  attach('x/c', 1, 4),
];
const SERVICES = [
  service('x/b', ['10.96.0.10', 'fd00:10:96::10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('x/b', { '': ['10.244.1.3 8080', 'fd00:10:244:1::3 8080'] }),
  service('x/c', ['10.96.0.11'], [{ name: '', protocol: 'UDP', port: 53 }]),
  endpoints('x/c', { '': ['10.244.1.4 5353'] }),
];

const only = (app: string) => ({ podSelector: { matchLabels: { app } } });
const from = (...apps: readonly string[]): readonly PolicyPeer[] => apps.map((app) => only(app));
const tcp8080: PolicyPort = { protocol: 'TCP', port: 8080 };
/** Lets nobody in to x/b. */
const closed = policy('x/closed', { ...only('b'), ingress: [] });
const opened = noPolicy('x/closed');

function sent(protocol: 'tcp' | 'udp', port: number, route: string, tcpFlags?: number): Sent {
  const [, src = '', srcPort = '', dst = '', dstPort = ''] = /^(\S+) (\d+) > (\S+) (\d+)$/.exec(route) ?? [];
  const ends = {
    ethSrc: MAC[port] ?? '',
    ethDst: ROUTER,
    src,
    dst,
    srcPort: Number(srcPort),
    dstPort: Number(dstPort),
  };
  return { ofport: port, packet: l4Packet({ ...ends, protocol, ...(tcpFlags === undefined ? {} : { tcpFlags }) }) };
}

function endsOf(p: Packet): string {
  const end = (side: 'src' | 'dst') => {
    const ip =
      header(p, 'eth_type') === 0x800
        ? formatIpv4(header(p, `ip_${side}`) as number)
        : formatIpv6(header(p, `ipv6_${side}`) as bigint);
    const proto = header(p, 'nw_proto');
    return proto === 6 || proto === 17 ? `${ip} ${header(p, `${proto === 6 ? 'tcp' : 'udp'}_${side}`)}` : ip;
  };
  return `${end('src')} > ${end('dst')}`;
}

type Step = readonly FactChange[] | readonly [packet: Sent, leaves: string];
const isPacket = (step: Step): step is readonly [Sent, string] => step.length === 2 && 'ofport' in (step[0] as object);

/** One connection: packets of its opener and of the other end, and how each looks where it arrives. */
interface Talk {
  readonly open: readonly Step[];
  readonly ask: Step;
  readonly answer: Step;
  readonly askLost: Step;
  readonly answerLost: Step;
}
function talk(
  protocol: 'tcp' | 'udp',
  client: number,
  server: number,
  route: { readonly ask: string; readonly arrives?: string; readonly answer: string; readonly returns?: string },
): Talk {
  const ask = (flags: number) => sent(protocol, client, route.ask, flags);
  const answer = (flags: number) => sent(protocol, server, route.answer, flags);
  const asked = `${server}: ${route.arrives ?? route.ask}`;
  const answered = `${client}: ${route.returns ?? route.answer}`;
  return {
    open:
      protocol === 'tcp'
        ? [
            [ask(syn), asked],
            [answer(syn | ack), answered],
            [ask(ack), asked],
          ]
        : [
            [ask(0), asked],
            [answer(0), answered],
          ],
    ask: [ask(ack), asked],
    answer: [answer(ack), answered],
    askLost: [ask(ack), ''],
    answerLost: [answer(ack), ''],
  };
}

const V4 = { ask: '10.244.1.2 1000 > 10.244.1.3 8080', answer: '10.244.1.3 8080 > 10.244.1.2 1000' };
const V6 = {
  ask: 'fd00:10:244:1::2 1000 > fd00:10:244:1::3 8080',
  answer: 'fd00:10:244:1::3 8080 > fd00:10:244:1::2 1000',
};
const VIP = {
  ask: '10.244.1.2 1001 > 10.96.0.10 80',
  arrives: '10.244.1.2 1001 > 10.244.1.3 8080',
  answer: '10.244.1.3 8080 > 10.244.1.2 1001',
  returns: '10.96.0.10 80 > 10.244.1.2 1001',
};
const VIP6 = {
  ask: 'fd00:10:244:1::2 1001 > fd00:10:96::10 80',
  arrives: 'fd00:10:244:1::2 1001 > fd00:10:244:1::3 8080',
  answer: 'fd00:10:244:1::3 8080 > fd00:10:244:1::2 1001',
  returns: 'fd00:10:96::10 80 > fd00:10:244:1::2 1001',
};

const KINDS: readonly [name: string, talk: Talk][] = [
  ['TCP', talk('tcp', A, B, V4)],
  ['TCP over IPv6', talk('tcp', A, B, V6)],
  ['UDP', talk('udp', A, B, V4)],
  ['UDP over IPv6', talk('udp', A, B, V6)],
  ['TCP through a service', talk('tcp', A, B, VIP)],
  ['TCP through a service over IPv6', talk('tcp', A, B, VIP6)],
];

const tcp = talk('tcp', A, B, V4);
const udp = talk('udp', A, B, V4);
const vip = talk('tcp', A, B, VIP);
const probe = talk('tcp', HEDDLE0, B, {
  ask: '10.244.1.1 1000 > 10.244.1.3 8080',
  answer: '10.244.1.3 8080 > 10.244.1.1 1000',
});
const toNode = talk('tcp', B, HEDDLE0, {
  ask: '10.244.1.3 1000 > 172.31.99.1 22',
  answer: '172.31.99.1 22 > 10.244.1.3 1000',
});
const world = talk('tcp', HEDDLE0, B, {
  ask: '192.0.2.1 1000 > 10.244.1.3 8080',
  answer: '10.244.1.3 8080 > 192.0.2.1 1000',
});
const itself = talk('udp', C, C, {
  ask: '10.244.1.4 1000 > 10.96.0.11 53',
  arrives: '169.254.1.2 1000 > 10.244.1.4 5353',
  answer: '10.244.1.4 5353 > 169.254.1.2 1000',
  returns: '10.96.0.11 53 > 10.244.1.4 1000',
});
const back = talk('tcp', B, A, { ask: '10.244.1.3 2000 > 10.244.1.2 80', answer: '10.244.1.2 80 > 10.244.1.3 2000' });

const letsIn = (name: string, ...apps: readonly string[]) =>
  policy(name, { ...only('b'), ingress: [{ peers: from(...apps), ports: [] }] });
const errorAboutAsk = (leaves: string): Step => [
  {
    ofport: B,
    packet: unreachablePacket({
      ethSrc: MAC[B] ?? '',
      ethDst: ROUTER,
      src: '10.244.1.3',
      dst: '10.244.1.2',
      code: 3,
      about: sent('udp', A, V4.ask).packet,
    }),
  },
  leaves,
];

/** From here on x/b is behind no service: it is plain until a policy selects it. */
const unserved: Step = [noService('x/b'), { kind: 'endpoints', key: 'x/b', value: undefined }];

const RECHECK: readonly [name: string, steps: readonly Step[]][] = [
  ...KINDS.flatMap(([kind, t]): [string, Step[]][] => [
    [
      `${kind}: a policy that denies it cuts it, and it goes on when the policy is gone`,
      [...t.open, t.answer, [closed], t.askLost, t.answerLost, t.askLost, [opened], t.ask, t.answer],
    ],
    [
      `${kind}: egress policy cuts it too`,
      [
        ...t.open,
        [policy('x/mute', { ...only('a'), egress: [] })],
        t.askLost,
        t.answerLost,
        [noPolicy('x/mute')],
        t.ask,
        t.answer,
      ],
    ],
    [
      `${kind}: a port that is no longer allowed`,
      [
        [
          policy('x/p', {
            ...only('b'),
            ingress: [{ peers: from('a'), ports: [tcp8080, { protocol: 'UDP', port: 8080 }] }],
          }),
        ],
        ...t.open,
        [policy('x/p', { ...only('b'), ingress: [{ peers: from('a'), ports: [{ protocol: 'TCP', port: 9 }] }] })],
        t.askLost,
        t.answerLost,
      ],
    ],
    [
      `${kind}: no packet is lost while something allows it`,
      [
        ...t.open,
        [letsIn('x/one', 'a')],
        t.ask,
        t.answer,
        [letsIn('x/two', 'a', 'c')],
        t.answer,
        t.ask,
        [noPolicy('x/one')],
        t.ask,
        t.answer,
        [
          policy('x/two', {
            ...only('b'),
            ingress: [
              { peers: from('c'), ports: [] },
              { peers: [], ports: [] },
            ],
          }),
        ],
        t.answer,
        t.ask,
        [noPolicy('x/two')],
        t.answer,
        t.ask,
      ],
    ],
    [
      `${kind}: what was opened under a policy goes on without it`,
      [[letsIn('x/one', 'a')], ...t.open, [noPolicy('x/one')], t.answer, t.ask, [closed], t.askLost, t.answerLost],
    ],
  ]),
  ...KINDS.filter(([kind]) => !kind.includes('service')).flatMap(([kind, t]): [string, Step[]][] => [
    [
      `${kind}: between pods that nothing concerned before`,
      [
        unserved,
        ...t.open,
        t.answer,
        t.ask,
        [closed],
        t.answer,
        t.askLost,
        t.answerLost,
        [opened],
        t.answer,
        t.ask,
        [letsIn('x/one', 'a')],
        t.answer,
        t.ask,
        [noPolicy('x/one'), policy('x/shut', { ...only('a'), ingress: [] })],
        t.answer,
        t.ask,
        [policy('x/mute', { ...only('a'), egress: [] })],
        t.askLost,
        t.answerLost,
      ],
    ],
  ]),
  [
    'an answer that comes before the next packet of the opener still passes',
    [...tcp.open, [closed], tcp.answer, tcp.askLost, tcp.answerLost],
  ],
  [
    'only the denied direction is cut: what the other end opened goes on',
    [...tcp.open, ...back.open, [closed], tcp.askLost, back.ask, back.answer, tcp.answerLost, back.ask],
  ],
  [
    'an ICMP error about a cut connection is judged as what it is',
    [
      ...udp.open,
      errorAboutAsk('258: 10.244.1.3 > 10.244.1.2'),
      [closed, policy('x/shut', { ...only('a'), ingress: [] })],
      udp.askLost,
      errorAboutAsk(''),
    ],
  ],
  [
    'a connection of the node to a pod',
    [...probe.open, [closed], probe.ask, probe.answer, [opened], probe.answer, probe.ask],
  ],
  [
    'a connection of a pod to its node',
    [...toNode.open, [policy('x/mute', { ...only('b'), egress: [] })], toNode.ask, toNode.answer],
  ],
  [
    'a connection from outside',
    [...world.open, [closed], world.askLost, world.answerLost, [opened], world.ask, world.answer],
  ],
  [
    'a pod that reaches itself through a service',
    [...itself.open, [policy('x/all', { podSelector: {}, ingress: [], egress: [] })], itself.ask, itself.answer],
  ],
  [
    'a label change takes the pod out of a rule, and back',
    [
      [letsIn('x/one', 'a')],
      ...tcp.open,
      ...vip.open,
      [pod('x/a', { app: 'other' })],
      tcp.askLost,
      tcp.answerLost,
      vip.askLost,
      vip.answerLost,
      [pod('x/a', { app: 'a' })],
      tcp.ask,
      tcp.answer,
      vip.ask,
      vip.answer,
    ],
  ],
  [
    'a label change puts the pod under a policy',
    [
      [policy('x/lock', { ...only('locked'), ingress: [] })],
      ...tcp.open,
      [pod('x/b', { app: 'locked' })],
      tcp.askLost,
      tcp.answerLost,
      [pod('x/b', { app: 'b' })],
      tcp.ask,
      tcp.answer,
    ],
  ],
  [
    'the service goes while the connection lasts, with a policy and without',
    [...vip.open, unserved, vip.answer, vip.ask, [closed], vip.askLost, vip.answerLost, [opened], vip.ask, vip.answer],
  ],
  [
    'a policy that denies one connection leaves the others alone',
    [
      ...tcp.open,
      ...vip.open,
      ...udp.open,
      [policy('x/p', { ...only('b'), ingress: [{ peers: from('a'), ports: [tcp8080] }] })],
      udp.askLost,
      udp.answerLost,
      tcp.ask,
      tcp.answer,
      vip.ask,
      vip.answer,
    ],
  ],
];

const CUTS = { ...only('b'), existing: 'cut' } as const;
/** Lets apps in to x/b, for as long as it says just this. */
const cutting = (...apps: readonly string[]) =>
  policy('x/cutting', { ...CUTS, ingress: [{ peers: from(...apps), ports: [] }] });
const cuttingEgress = (...apps: readonly string[]) =>
  policy('x/cutting', { ...only('a'), existing: 'cut', egress: [{ peers: from(...apps), ports: [] }] });
/** A new connection with the same ends but another source port. */
const anew = talk('tcp', A, B, { ask: V4.ask.replace('1000', '1111'), answer: V4.answer.replace('1000', '1111') });

const CUT: readonly [name: string, steps: readonly Step[]][] = [
  ...KINDS.flatMap(([kind, t]): [string, Step[]][] => {
    // The next datagram opens it anew; a TCP connection is over.
    const afterwards = kind.startsWith('UDP') ? [t.ask, t.answer] : [t.askLost, t.answerLost];
    return [
      [
        `${kind}: a change of the policy ends what it let in, although it would let it in again`,
        [[cutting('a')], ...t.open, t.answer, t.ask, [cutting('a', 'c')], t.askLost, t.answerLost, ...afterwards],
      ],
      [
        `${kind}: the same for egress`,
        [
          [cuttingEgress('b')],
          ...t.open,
          t.answer,
          t.ask,
          [cuttingEgress('b', 'c')],
          t.askLost,
          t.answerLost,
          ...afterwards,
        ],
      ],
      [
        `${kind}: an answer comes first`,
        [
          [cutting('a')],
          ...t.open,
          [cutting('a', 'c')],
          t.answerLost,
          ...(kind.startsWith('UDP') ? [t.ask] : [t.askLost]),
        ],
      ],
      [
        `${kind}: the policy goes, although another allows it`,
        [
          [cutting('a'), letsIn('x/other', 'a')],
          ...t.open,
          t.ask,
          [noPolicy('x/cutting')],
          t.askLost,
          t.answerLost,
          ...afterwards,
        ],
      ],
      [
        `${kind}: what another policy let in goes on`,
        [[letsIn('x/other', 'a')], ...t.open, [cutting('a')], t.ask, t.answer, [cutting('c')], t.ask, t.answer],
      ],
      [
        `${kind}: whatever happens around an unchanged policy`,
        [
          [cutting('a')],
          ...t.open,
          [letsIn('x/other', 'a')],
          t.ask,
          t.answer,
          [pod('x/c', { app: 'b' })],
          t.answer,
          t.ask,
          [noPolicy('x/other')],
          t.ask,
          t.answer,
          [policy('x/cutting', { ...CUTS, logging: 'all', ingress: [{ peers: from('a'), ports: [] }] })],
          t.ask,
          t.answer,
        ],
      ],
    ];
  }),
  [
    'what was ended can be opened anew',
    [[cutting('a')], ...tcp.open, [cutting('a', 'c')], tcp.askLost, ...anew.open, anew.answer, tcp.askLost],
  ],
  [
    'a rule that allows the same does not take the decision away from the policy that cuts',
    [[cutting('a'), letsIn('x/a-first', 'a')], ...tcp.open, [cutting('c')], tcp.askLost, tcp.answerLost, ...anew.open],
  ],
  [
    'policies that cut on both sides',
    [
      [cutting('a'), policy('x/out', { ...only('a'), existing: 'cut', egress: [{ peers: [], ports: [] }] })],
      ...tcp.open,
      ...vip.open,
      tcp.ask,
      vip.answer,
      [policy('x/out', { ...only('a'), existing: 'cut', egress: [{ peers: [], ports: [tcp8080] }] })],
      tcp.askLost,
      vip.answerLost,
      ...anew.open,
      [cutting('a', 'c')],
      anew.askLost,
    ],
  ],
  [
    'a policy that begins to cut leaves alone what it let in before it did',
    [
      [letsIn('x/cutting', 'a')],
      ...tcp.open,
      [cutting('a')],
      tcp.ask,
      tcp.answer,
      [cutting('a', 'c')],
      tcp.ask,
      tcp.answer,
    ],
  ],
  [
    'where the policy was the last that concerned both pods, nobody asks any more',
    [unserved, [cutting('a')], ...tcp.open, [noPolicy('x/cutting')], tcp.ask, tcp.answer],
  ],
];

const KEEPS = { existing: 'keep' } as const;
const kept = policy('x/kept', { ...only('b'), ...KEEPS, ingress: [] });
const refused: Step = [sent('tcp', A, V4.ask.replace('1000', '1111'), syn), ''];
const KEEP: readonly [name: string, steps: readonly Step[]][] = [
  ...KINDS.flatMap(([kind, t]): [string, Step[]][] => [
    [
      `${kind}: isolation leaves alone what was open before`,
      [
        ...t.open,
        [kept],
        t.ask,
        t.answer,
        refused,
        [policy('x/mute', { ...only('a'), ...KEEPS, egress: [] })],
        t.ask,
        t.answer,
        refused,
      ],
    ],
    [
      `${kind}: one policy that does not keep is enough to cut`,
      [...t.open, [kept], t.ask, [closed], t.askLost, t.answerLost, [opened], t.askLost, t.answerLost],
    ],
    [
      `${kind}: what its own rule let in stays when the rule goes`,
      [
        [policy('x/kept', { ...only('b'), ...KEEPS, ingress: [{ peers: from('a'), ports: [] }] })],
        ...t.open,
        [kept],
        t.ask,
        t.answer,
        refused,
      ],
    ],
  ]),
  ...KINDS.filter(([kind]) => !kind.includes('service')).map(([kind, t]): [string, Step[]] => [
    `${kind}: between pods that nothing concerned before`,
    [unserved, ...t.open, [kept], t.ask, t.answer, t.answer, t.ask, refused],
  ]),
  [
    'what it refused once stays refused',
    [[kept], [tcp.open[0]?.[0] as Sent, ''], refused, [noPolicy('x/kept')], ...tcp.open],
  ],
];

describe.skipIf(!hasOvs())('connections while policies change', () => {
  let real: PacketSwitch;
  beforeAll(async () => {
    real = await PacketSwitch.start([HEDDLE0, A, B, C]);
  });
  afterAll(() => real?.stop());

  const play = async (steps: readonly Step[]): Promise<void> => {
    const compiler = createCompiler(countingIds());
    compiler.apply([...BASE, ...SERVICES]);
    const set = compiler.node(nodeName('node1')) as NodeFlowSet;
    const evaluator = createEvaluator({ nodes: () => set });
    await real.install(set);
    const wanted: string[] = [];
    const got: string[] = [];
    for (const step of steps)
      if (isPacket(step)) {
        const [packet, leaves] = step;
        const { deliveries } = evaluator.send('node1', packet.ofport, packet.packet);
        wanted.push(leaves);
        got.push(deliveries.map((d) => `${d.ofport}: ${endsOf(d.packet)}`).join(', '));
        const frames = deliveries.map((d) => `${d.ofport}: ${describeFrame(toBytes(d.packet))}`);
        expect((await real.run([packet])).left, `packet ${got.length}`).toEqual([frames]);
      } else {
        compiler.apply(step);
        evaluator.refresh();
        await real.replace(set);
      }
    expect(got).toEqual(wanted);
    const remembered = evaluator.connections('node1').connections().map(connectionText);
    expect(await real.connections()).toEqual(remembered.sort());
  };
  describe('recheck, the default', () => {
    it.each(RECHECK)('%s', (_, steps) => play(steps));
  });
  describe('cut', () => {
    it.each(CUT)('%s', (_, steps) => play(steps));
  });
  describe('keep', () => {
    it.each(KEEP)('%s', (_, steps) => play(steps));
  });
});
