import { afterAll, beforeAll, describe, it } from 'vitest';
import { noPolicy, pod, policy } from '../../libs/compiler/src/testing/facts.js';
import { hasOvs } from '../support/ovs.js';
import {
  back,
  closed,
  errorAboutAsk,
  from,
  itself,
  KINDS,
  letsIn,
  only,
  opened,
  PORTS,
  play,
  probe,
  type Step,
  tcp,
  tcp8080,
  toNode,
  udp,
  unserved,
  vip,
  world,
} from './connection-talks.js';
import { PacketSwitch } from './evaluate-switch.js';

// What becomes of connections when policies change: packets through the compiled flows of one node in the userspace datapath,
// with changes between them. After each step the evaluator must have let the same frames out and remember the same connections.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

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

describe.skipIf(!hasOvs())('connections while policies change', () => {
  let real: PacketSwitch;
  beforeAll(async () => {
    real = await PacketSwitch.start(PORTS);
  });
  afterAll(() => real?.stop());

  it.each(RECHECK)('%s', (_, steps) => play(real, steps));
});
