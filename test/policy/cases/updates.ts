import type { Case } from '../types.js';
import { all, denyAll, denyIngress, egressTo, ingressFrom, ns, pod, policy } from './build.js';

/** Changes: what stood before must leave no trace. */
export const UPDATE_CASES: readonly Case[] = [
  {
    name: 'a policy is changed',
    e2e: [613],
    before: {
      policies: [policy('x', 'from', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [{ port: 80 }]))],
    },
    policies: [policy('x', 'from', ingressFrom(pod('a'), [{ namespaceSelector: ns('z') }], [{ port: 81 }]))],
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
      {
        protocol: 'TCP',
        port: 81,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'a namespace gets the label that a policy wants',
    e2e: [639],
    before: {
      policies: [
        policy('x', 'from-friends', ingressFrom(pod('a'), [{ namespaceSelector: { matchLabels: { friend: 'yes' } } }])),
      ],
    },
    policies: [
      policy('x', 'from-friends', ingressFrom(pod('a'), [{ namespaceSelector: { matchLabels: { friend: 'yes' } } }])),
    ],
    labels: { namespaces: { y: { friend: 'yes' } } },
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
    name: 'a namespace loses the label that a policy wants',
    before: {
      policies: [
        policy('x', 'from-friends', ingressFrom(all, [{ namespaceSelector: { matchLabels: { friend: 'yes' } } }])),
      ],
      labels: { namespaces: { y: { friend: 'yes' }, z: { friend: 'yes' } } },
    },
    policies: [
      policy('x', 'from-friends', ingressFrom(all, [{ namespaceSelector: { matchLabels: { friend: 'yes' } } }])),
    ],
    labels: { namespaces: { z: { friend: 'yes' } } },
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ooo
        x/b .o. ooo ooo
        x/c ..o ooo ooo
        y/a ... ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'a pod gets the label that a policy wants of its peers',
    e2e: [672],
    before: {
      policies: [
        policy('x', 'from-friends', ingressFrom(pod('a'), [{ podSelector: { matchLabels: { friend: 'yes' } } }])),
      ],
    },
    policies: [
      policy('x', 'from-friends', ingressFrom(pod('a'), [{ podSelector: { matchLabels: { friend: 'yes' } } }])),
    ],
    labels: { pods: { 'x/b': { friend: 'yes' } } },
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
    name: 'a pod gets the label by which a policy isolates it',
    e2e: [724],
    before: { policies: [policy('x', 'quarantine', { podSelector: { matchLabels: { target: 'isolated' } } })] },
    policies: [policy('x', 'quarantine', { podSelector: { matchLabels: { target: 'isolated' } } })],
    labels: { pods: { 'x/a': { target: 'isolated' } } },
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
    name: 'a pod loses the label by which a policy isolated it',
    before: {
      policies: [
        policy('x', 'quarantine', {
          podSelector: { matchLabels: { target: 'isolated' } },
          policyTypes: ['Ingress', 'Egress'],
        }),
      ],
      labels: { pods: { 'x/a': { target: 'isolated' }, 'x/c': { target: 'isolated' } } },
    },
    policies: [
      policy('x', 'quarantine', {
        podSelector: { matchLabels: { target: 'isolated' } },
        policyTypes: ['Ingress', 'Egress'],
      }),
    ],
    labels: { pods: { 'x/c': { target: 'isolated' } } },
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a oo. ooo ooo
        x/b oo. ooo ooo
        x/c ..o ... ...
        y/a oo. ooo ooo
        y/b oo. ooo ooo
        y/c oo. ooo ooo
        z/a oo. ooo ooo
        z/b oo. ooo ooo
        z/c oo. ooo ooo`,
      },
    ],
  },
  {
    name: 'a pod gets the label that an egress rule wants',
    before: {
      policies: [
        policy(
          'x',
          'to-friends',
          egressTo(pod('a'), [{ namespaceSelector: all, podSelector: { matchLabels: { friend: 'yes' } } }]),
        ),
      ],
    },
    policies: [
      policy(
        'x',
        'to-friends',
        egressTo(pod('a'), [{ namespaceSelector: all, podSelector: { matchLabels: { friend: 'yes' } } }]),
      ),
    ],
    labels: { pods: { 'y/c': { friend: 'yes' }, 'z/a': { friend: 'yes' } } },
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ..o o..
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
    name: 'policies are deleted',
    e2e: [989],
    before: { policies: [policy('x', 'deny-all', denyAll), policy('y', 'deny-all', denyAll)] },
    policies: [],
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
        protocol: 'UDP',
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
    name: 'one of two policies of a pod is deleted: the pod stays isolated',
    before: {
      policies: [
        policy('x', 'deny-ingress', denyIngress),
        policy('x', 'from-y', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }])),
      ],
    },
    policies: [policy('x', 'deny-ingress', denyIngress)],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ooo
        x/b .o. ooo ooo
        x/c ..o ooo ooo
        y/a ... ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
        z/a ... ooo ooo
        z/b ... ooo ooo
        z/c ... ooo ooo`,
      },
    ],
  },
  {
    name: 'the default deny is deleted, an allow stays and isolates by itself',
    before: {
      policies: [
        policy('x', 'deny-ingress', denyIngress),
        policy('x', 'from-y', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }])),
      ],
    },
    policies: [policy('x', 'from-y', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }]))],
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
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
];
