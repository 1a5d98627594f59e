import type { ClusterPolicyFact } from '@heddle/compiler';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { clusterPolicy, noClusterPolicy, noPolicy, pod, policy } from '../../libs/compiler/src/testing/facts.js';
import { hasOvs } from '../support/ovs.js';
import {
  closed,
  from,
  KINDS,
  letsIn,
  only,
  opened,
  PORTS,
  play,
  type Step,
  syn,
  talk,
  tcp,
  tcp8080,
  unserved,
  V4,
  vip,
} from './connection-talks.js';
import { PacketSwitch, type Sent } from './evaluate-switch.js';
import { A, B, sent } from './node-packets.js';

// What policies say of existing connections: keep and cut. Packets and changes in turn, in the userspace datapath and the evaluator.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

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

/** A cluster policy about what apps send to x/b. */
const guard = (
  name: string,
  action: 'Accept' | 'Deny',
  apps: readonly string[],
  more: Partial<Pick<ClusterPolicyFact, 'existing' | 'priority' | 'tier'>> = {},
) =>
  clusterPolicy(name, {
    tier: 'Admin',
    priority: 10,
    subject: { namespaceSelector: {}, ...only('b') },
    ingress: [
      {
        name: '',
        action,
        peers: apps.map((app) => ({ kind: 'pods', namespaceSelector: {}, ...only(app) }) as const),
        ports: [],
      },
    ],
    ...more,
  });
const CLUSTER: readonly [name: string, steps: readonly Step[]][] = KINDS.flatMap(([kind, t]): [string, Step[]][] => {
  const direct: readonly Step[] = kind.includes('service') ? [] : [unserved];
  return [
    [
      `${kind}: a rule that denies cuts, and the connection goes on without it`,
      [
        ...direct,
        ...t.open,
        [guard('g', 'Deny', ['a'])],
        t.askLost,
        t.answerLost,
        [noClusterPolicy('g')],
        t.ask,
        t.answer,
      ],
    ],
    [
      `${kind}: Baseline cuts as well, where no network policy is`,
      [
        ...direct,
        ...t.open,
        [guard('g', 'Deny', ['a'], { tier: 'Baseline' })],
        t.askLost,
        t.answerLost,
        [letsIn('x/one', 'a')],
        t.ask,
        t.answer,
      ],
    ],
    [
      `${kind}: a rule that keeps is none for what was open, and those behind it judge`,
      [
        ...direct,
        ...t.open,
        [guard('g', 'Deny', ['a'], { existing: 'keep' })],
        t.ask,
        t.answer,
        refused,
        [guard('h', 'Deny', ['c', 'a'], { priority: 20 })],
        t.askLost,
        t.answerLost,
        [noClusterPolicy('h')],
        // It is cut, and a new one is what the rule denies.
        t.askLost,
      ],
    ],
    [
      `${kind}: what a rule of a policy that cuts accepted ends when the policy changes`,
      [
        [guard('g', 'Accept', ['a'], { existing: 'cut' })],
        ...t.open,
        [closed],
        t.ask,
        t.answer,
        [guard('g', 'Accept', ['a', 'c'], { existing: 'cut' })],
        t.askLost,
        t.answerLost,
      ],
    ],
  ];
});

describe.skipIf(!hasOvs())('policies that say what becomes of existing connections', () => {
  let real: PacketSwitch;
  beforeAll(async () => {
    real = await PacketSwitch.start(PORTS);
  });
  afterAll(() => real?.stop());

  describe('cut', () => {
    it.each(CUT)('%s', (_, steps) => play(real, steps));
  });
  describe('keep', () => {
    it.each(KEEP)('%s', (_, steps) => play(real, steps));
  });
  describe('cluster policies', () => {
    it.each(CLUSTER)('%s', (_, steps) => play(real, steps));
  });
});
