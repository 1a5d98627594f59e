import type { Case } from '../types.js';
import { all, denyAll, denyEgress, egressTo, ingressFrom, ns, pod, policy, tcp } from './build.js';

/** Who may go out, and what happens where both directions are ruled. */
export const EGRESS_CASES: readonly Case[] = [
  {
    name: 'egress of one pod denied by podSelector',
    e2e: [749],
    policies: [policy('x', 'a-deny-egress', { podSelector: pod('a'), policyTypes: ['Egress'] })],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress of a whole namespace denied',
    e2e: [766],
    policies: [policy('x', 'deny-egress', denyEgress)],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b .o. ... ...
        x/c ..o ... ...
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
      {
        protocol: 'UDP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b .o. ... ...
        x/c ..o ... ...
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress to one pod of another namespace',
    e2e: [883],
    policies: [policy('x', 'to-y-a', egressTo(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. o.. ...
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress to the own namespace by an empty podSelector',
    policies: [policy('x', 'own-namespace', egressTo(all, [{ podSelector: all }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ... ...
        x/b ooo ... ...
        x/c ooo ... ...
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress to namespaces by matchExpressions',
    policies: [
      policy(
        'x',
        'not-to-z',
        egressTo(pod('b'), [
          { namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['z', 'x'] }] } },
        ]),
      ),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .o. ooo ...
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress to a port of anybody',
    policies: [
      policy('x', 'to-80', { podSelector: pod('a'), policyTypes: ['Egress'], egress: [{ ports: [tcp(80)] }] }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
      {
        protocol: 'TCP',
        port: 81,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
      {
        protocol: 'UDP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'ingress and egress of one policy together',
    e2e: [783],
    policies: [
      policy('x', 'both', {
        podSelector: pod('a'),
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ namespaceSelector: ns('y') }] }],
        egress: [{ to: [{ namespaceSelector: ns('z') }], ports: [{ port: 80 }] }],
      }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
      {
        protocol: 'TCP',
        port: 81,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'the client may not send although the server would accept',
    e2e: [825],
    policies: [
      policy('x', 'a-to-y-a', egressTo(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }])),
      policy('y', 'b-from-x', ingressFrom(pod('b'), [{ namespaceSelector: ns('x') }])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. o.. ...
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo o.o ooo
        y/b ooo ooo ooo
        y/c ooo o.o ooo
        z/a ooo o.o ooo
        z/b ooo o.o ooo
        z/c ooo o.o ooo`,
      },
    ],
  },
  {
    name: 'the server may not receive although the client may send',
    policies: [
      policy('x', 'a-to-y', egressTo(pod('a'), [{ namespaceSelector: ns('y') }])),
      policy('y', 'b-from-z', ingressFrom(pod('b'), [{ namespaceSelector: ns('z') }])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. o.o ...
        x/b ooo o.o ooo
        x/c ooo o.o ooo
        y/a ooo o.o ooo
        y/b ooo ooo ooo
        y/c ooo o.o ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'ingress of one pod and egress of another are independent',
    e2e: [1135],
    policies: [
      policy('x', 'a-no-ingress', { podSelector: pod('a'), policyTypes: ['Ingress'] }),
      policy('x', 'b-no-egress', { podSelector: pod('b'), policyTypes: ['Egress'] }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .o. ... ...
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'an allow-all egress policy beside a narrow one',
    e2e: [961],
    policies: [
      policy('x', 'to-y-a', egressTo(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }])),
      policy('x', 'to-all', { podSelector: pod('a'), policyTypes: ['Egress'], egress: [{}] }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'answers come back to a pod that nobody may reach, from a pod that may reach nobody',
    policies: [
      policy('x', 'a-no-ingress', { podSelector: pod('a'), policyTypes: ['Ingress'] }),
      policy('y', 'b-no-egress', { podSelector: pod('b'), policyTypes: ['Egress'] }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b ... .o. ...
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
      {
        protocol: 'UDP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b ... .o. ...
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'default deny of everything and one allowed pair',
    policies: [
      policy('x', 'deny-all', denyAll),
      policy('y', 'deny-all', denyAll),
      policy('z', 'deny-all', denyAll),
      policy(
        'x',
        'a-to-y-b',
        egressTo(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('b') }], [{ port: 80 }]),
      ),
      policy(
        'y',
        'b-from-x-a',
        ingressFrom(pod('b'), [{ namespaceSelector: ns('x'), podSelector: pod('a') }], [{ port: 80 }]),
      ),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. .o. ...
        x/b .o. ... ...
        x/c ..o ... ...
        y/a ... o.. ...
        y/b ... .o. ...
        y/c ... ..o ...
        z/a ... ... o..
        z/b ... ... .o.
        z/c ... ... ..o`,
      },
      {
        protocol: 'TCP',
        port: 81,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b .o. ... ...
        x/c ..o ... ...
        y/a ... o.. ...
        y/b ... .o. ...
        y/c ... ..o ...
        z/a ... ... o..
        z/b ... ... .o.
        z/c ... ... ..o`,
      },
    ],
  },
  {
    name: 'without policyTypes an egress section isolates both directions',
    policies: [policy('x', 'implied', { podSelector: pod('a'), egress: [{}] })],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'without policyTypes an ingress section leaves egress alone',
    policies: [policy('x', 'implied', { podSelector: pod('a'), ingress: [{ from: [{ podSelector: pod('b') }] }] })],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b ooo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'policyTypes Egress makes an ingress section idle',
    policies: [
      policy('x', 'egress-only', {
        podSelector: pod('a'),
        policyTypes: ['Egress'],
        ingress: [{ from: [{ podSelector: pod('b') }] }],
        egress: [{ to: [{ namespaceSelector: ns('y') }] }],
      }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ...
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
];
