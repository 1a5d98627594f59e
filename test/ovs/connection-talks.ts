import {
  createCompiler,
  createEvaluator,
  type FactChange,
  type NodeFlowSet,
  nodeName,
  type PolicyPeer,
  type PolicyPort,
  TCP_FLAGS,
  unreachablePacket,
} from '@heddle/compiler';
import { expect } from 'vitest';
import {
  attach,
  countingIds,
  endpoints,
  noPolicy,
  noService,
  pod,
  policy,
  service,
} from '../../libs/compiler/src/testing/facts.js';
import { describe as describeFrame, toBytes } from './evaluate-bytes.js';
import { connectionText, type PacketSwitch, type Sent } from './evaluate-switch.js';
import { A, B, C, endsOf, HEDDLE0, MAC, ROUTER, sent, TWO_PODS } from './node-packets.js';

// Connections between pods of one node, as packets and changes of facts in turn.

export const { syn, ack } = TCP_FLAGS;

/** Ports that packets come in by. */
export const PORTS = [HEDDLE0, A, B, C];

/** x/a, x/b and x/c on one node; x/b is behind the service 10.96.0.10:80 on 8080, x/c behind 10.96.0.11:53 on 5353. */
export const BASE = [...TWO_PODS, pod('x/c', { app: 'c' }), attach('x/c', 1, 4)];
export const SERVICES = [
  service('x/b', ['10.96.0.10', 'fd00:10:96::10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('x/b', { '': ['10.244.1.3 8080', 'fd00:10:244:1::3 8080'] }),
  service('x/c', ['10.96.0.11'], [{ name: '', protocol: 'UDP', port: 53 }]),
  endpoints('x/c', { '': ['10.244.1.4 5353'] }),
];

export const only = (app: string) => ({ podSelector: { matchLabels: { app } } });
export const from = (...apps: readonly string[]): readonly PolicyPeer[] => apps.map((app) => only(app));
export const tcp8080: PolicyPort = { protocol: 'TCP', port: 8080 };
/** Lets nobody in to x/b. */
export const closed = policy('x/closed', { ...only('b'), ingress: [] });
export const opened = noPolicy('x/closed');

export type Step = readonly FactChange[] | readonly [packet: Sent, leaves: string];
export const isPacket = (step: Step): step is readonly [Sent, string] =>
  step.length === 2 && 'ofport' in (step[0] as object);

/** One connection: packets of its opener and of the other end, and how each looks where it arrives. */
export interface Talk {
  readonly open: readonly Step[];
  readonly ask: Step;
  readonly answer: Step;
  readonly askLost: Step;
  readonly answerLost: Step;
}
export function talk(
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

export const V4 = { ask: '10.244.1.2 1000 > 10.244.1.3 8080', answer: '10.244.1.3 8080 > 10.244.1.2 1000' };
export const V6 = {
  ask: 'fd00:10:244:1::2 1000 > fd00:10:244:1::3 8080',
  answer: 'fd00:10:244:1::3 8080 > fd00:10:244:1::2 1000',
};
export const VIP = {
  ask: '10.244.1.2 1001 > 10.96.0.10 80',
  arrives: '10.244.1.2 1001 > 10.244.1.3 8080',
  answer: '10.244.1.3 8080 > 10.244.1.2 1001',
  returns: '10.96.0.10 80 > 10.244.1.2 1001',
};
export const VIP6 = {
  ask: 'fd00:10:244:1::2 1001 > fd00:10:96::10 80',
  arrives: 'fd00:10:244:1::2 1001 > fd00:10:244:1::3 8080',
  answer: 'fd00:10:244:1::3 8080 > fd00:10:244:1::2 1001',
  returns: 'fd00:10:96::10 80 > fd00:10:244:1::2 1001',
};

export const KINDS: readonly [name: string, talk: Talk][] = [
  ['TCP', talk('tcp', A, B, V4)],
  ['TCP over IPv6', talk('tcp', A, B, V6)],
  ['UDP', talk('udp', A, B, V4)],
  ['UDP over IPv6', talk('udp', A, B, V6)],
  ['TCP through a service', talk('tcp', A, B, VIP)],
  ['TCP through a service over IPv6', talk('tcp', A, B, VIP6)],
];

export const tcp = talk('tcp', A, B, V4);
export const udp = talk('udp', A, B, V4);
export const vip = talk('tcp', A, B, VIP);
export const probe = talk('tcp', HEDDLE0, B, {
  ask: '10.244.1.1 1000 > 10.244.1.3 8080',
  answer: '10.244.1.3 8080 > 10.244.1.1 1000',
});
export const toNode = talk('tcp', B, HEDDLE0, {
  ask: '10.244.1.3 1000 > 172.31.99.1 22',
  answer: '172.31.99.1 22 > 10.244.1.3 1000',
});
export const world = talk('tcp', HEDDLE0, B, {
  ask: '192.0.2.1 1000 > 10.244.1.3 8080',
  answer: '10.244.1.3 8080 > 192.0.2.1 1000',
});
export const itself = talk('udp', C, C, {
  ask: '10.244.1.4 1000 > 10.96.0.11 53',
  arrives: '169.254.1.2 1000 > 10.244.1.4 5353',
  answer: '10.244.1.4 5353 > 169.254.1.2 1000',
  returns: '10.96.0.11 53 > 10.244.1.4 1000',
});
export const back = talk('tcp', B, A, {
  ask: '10.244.1.3 2000 > 10.244.1.2 80',
  answer: '10.244.1.2 80 > 10.244.1.3 2000',
});

export const letsIn = (name: string, ...apps: readonly string[]) =>
  policy(name, { ...only('b'), ingress: [{ peers: from(...apps), ports: [] }] });
export const errorAboutAsk = (leaves: string): Step => [
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
export const unserved: Step = [noService('x/b'), { kind: 'endpoints', key: 'x/b', value: undefined }];

/** Plays steps on a switch and in the evaluator, and compares what leaves and what is remembered. */
export async function play(real: PacketSwitch, steps: readonly Step[]): Promise<void> {
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
}
