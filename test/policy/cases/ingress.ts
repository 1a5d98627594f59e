import type { Case } from '../types.js';
import { all, denyAll, denyIngress, ingressFrom, ns, pod, policy } from './build.js';

/** Who may come in: isolation and peers. */
export const INGRESS_CASES: readonly Case[] = [
  {
    name: 'without a policy everything gets through',
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
        port: 81,
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
    name: 'default deny of ingress in a namespace',
    e2e: [80],
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
    name: 'default deny of ingress in a namespace, UDP',
    e2e: [1313],
    policies: [policy('x', 'deny-ingress', denyIngress)],
    probes: [
      {
        protocol: 'UDP',
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
    name: 'default deny of both directions in a namespace',
    e2e: [110],
    policies: [policy('x', 'deny-all', denyAll)],
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
    name: 'pods of the own namespace by podSelector',
    e2e: [129],
    policies: [policy('x', 'from-b', ingressFrom(pod('a'), [{ podSelector: pod('b') }]))],
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
    name: 'an allow for one target beside a default deny',
    e2e: [155],
    policies: [
      policy('x', 'deny-ingress', denyIngress),
      policy('x', 'a-from-namespace', ingressFrom(pod('a'), [{ podSelector: all }])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ooo
        x/b oo. ooo ooo
        x/c o.o ooo ooo
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
    name: 'an empty namespaceSelector means every namespace',
    e2e: [182],
    policies: [
      policy('x', 'deny-ingress', denyIngress),
      policy('x', 'a-from-everywhere', ingressFrom(pod('a'), [{ namespaceSelector: all }])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ooo
        x/b oo. ooo ooo
        x/c o.o ooo ooo
        y/a o.. ooo ooo
        y/b o.. ooo ooo
        y/c o.. ooo ooo
        z/a o.. ooo ooo
        z/b o.. ooo ooo
        z/c o.. ooo ooo`,
      },
    ],
  },
  {
    name: 'another namespace only, by namespaceSelector',
    e2e: [200],
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
  {
    name: 'podSelector with matchExpressions',
    e2e: [222],
    policies: [
      policy(
        'x',
        'from-b',
        ingressFrom(pod('a'), [
          { podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b', 'nobody'] }] } },
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
    name: 'namespaceSelector with matchExpressions',
    e2e: [249],
    policies: [
      policy(
        'x',
        'from-y',
        ingressFrom(pod('a'), [
          { namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'In', values: ['y'] }] } },
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
    name: 'two peers: podSelector or namespaceSelector',
    e2e: [278],
    policies: [
      policy(
        'x',
        'from-b-or-others',
        ingressFrom(pod('a'), [
          { namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['x'] }] } },
          { podSelector: pod('b') },
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
        x/b ooo ooo ooo
        x/c .oo ooo ooo
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
    name: 'one peer: podSelector and namespaceSelector',
    e2e: [312],
    policies: [
      policy(
        'x',
        'from-b-of-others',
        ingressFrom(pod('a'), [
          {
            namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['x'] }] },
            podSelector: pod('b'),
          },
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
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b ooo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b ooo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'several values in podSelector and namespaceSelector of one peer',
    e2e: [347],
    policies: [
      policy(
        'x',
        'from-b-c-of-others',
        ingressFrom(pod('a'), [
          {
            namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['x'] }] },
            podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b', 'c'] }] },
          },
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
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a .oo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'any of two podSelectors',
    e2e: [382],
    policies: [policy('x', 'from-b-c', ingressFrom(pod('a'), [{ podSelector: pod('b') }, { podSelector: pod('c') }]))],
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
    name: 'one pod of another namespace',
    e2e: [407],
    policies: [policy('x', 'from-y-a', ingressFrom(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }]))],
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
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'one pod of another namespace, UDP',
    e2e: [1360],
    policies: [policy('x', 'from-y-a', ingressFrom(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }]))],
    probes: [
      {
        protocol: 'UDP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a ooo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'one pod of another namespace, SCTP',
    e2e: [1452],
    policies: [policy('x', 'from-y-a', ingressFrom(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }]))],
    probes: [
      {
        protocol: 'SCTP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a ooo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'pods of other namespaces are kept out',
    e2e: [703],
    policies: [policy('x', 'own-namespace', ingressFrom(all, [{ podSelector: all }]))],
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
    name: 'allow all beside default deny',
    e2e: [513],
    policies: [
      policy('x', 'deny-ingress', denyIngress),
      policy('x', 'allow-all', { podSelector: all, policyTypes: ['Ingress'], ingress: [{}] }),
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
    name: 'an allow-all policy beside narrower ones',
    e2e: [933],
    policies: [
      policy('x', 'from-y', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }])),
      policy('x', 'allow-all', { podSelector: pod('a'), ingress: [{}] }),
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
    name: 'stacked policies add up, each with its own port',
    e2e: [468],
    policies: [
      policy('x', 'y-on-80', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [{ port: 80 }])),
      policy('x', 'z-on-81', ingressFrom(pod('a'), [{ namespaceSelector: ns('z') }], [{ port: 81 }])),
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
    name: 'two rules of one policy keep their peers and ports apart',
    policies: [
      policy('x', 'two-rules', {
        podSelector: pod('a'),
        ingress: [
          { from: [{ namespaceSelector: ns('y') }], ports: [{ port: 80 }] },
          { from: [{ podSelector: pod('c') }], ports: [{ port: 81 }] },
        ],
      }),
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
        x/a ooo ooo ooo
        x/b .oo ooo ooo
        x/c ooo ooo ooo
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
    name: 'the namespace label that Kubernetes sets itself, matchLabels',
    e2e: [1246],
    policies: [
      policy(
        'x',
        'from-y',
        ingressFrom(pod('a'), [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'y' } } }]),
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
    name: 'the namespace label that Kubernetes sets itself, matchExpressions',
    e2e: [1273],
    policies: [
      policy(
        'x',
        'not-from-z',
        ingressFrom(pod('a'), [
          {
            namespaceSelector: {
              matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['x', 'z'] }],
            },
          },
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
    name: 'an empty podSelector beside a namespaceSelector means all its pods',
    policies: [policy('x', 'from-y', ingressFrom(pod('b'), [{ namespaceSelector: ns('y'), podSelector: all }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.o ooo ooo
        x/b ooo ooo ooo
        x/c o.o ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a o.o ooo ooo
        z/b o.o ooo ooo
        z/c o.o ooo ooo`,
      },
    ],
  },
  {
    name: 'a pod label in every namespace',
    policies: [policy('x', 'from-b', ingressFrom(all, [{ namespaceSelector: all, podSelector: pod('b') }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ooo
        x/b ooo ooo ooo
        x/c ..o ooo ooo
        y/a ... ooo ooo
        y/b ooo ooo ooo
        y/c ... ooo ooo
        z/a ... ooo ooo
        z/b ooo ooo ooo
        z/c ... ooo ooo`,
      },
    ],
  },
  {
    name: 'an empty list of peers means every source',
    policies: [policy('x', 'from-all', { podSelector: pod('a'), ingress: [{ from: [], ports: [] }] })],
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
    name: 'a policy without subjects changes nothing',
    policies: [policy('x', 'nobody', { podSelector: pod('nobody'), policyTypes: ['Ingress', 'Egress'] })],
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
    name: 'subjects by matchLabels and matchExpressions together',
    labels: { pods: { 'x/a': { tier: 'web' }, 'x/b': { tier: 'web' } } },
    policies: [
      policy('x', 'web-but-a', {
        podSelector: {
          matchLabels: { tier: 'web' },
          matchExpressions: [{ key: 'pod', operator: 'NotIn', values: ['a'] }],
        },
      }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.o ooo ooo
        x/b ooo ooo ooo
        x/c o.o ooo ooo
        y/a o.o ooo ooo
        y/b o.o ooo ooo
        y/c o.o ooo ooo
        z/a o.o ooo ooo
        z/b o.o ooo ooo
        z/c o.o ooo ooo`,
      },
    ],
  },
  {
    name: 'Exists and DoesNotExist',
    labels: { pods: { 'x/b': { tier: '' }, 'y/a': { tier: 'web' } } },
    policies: [
      policy(
        'x',
        'from-tiered',
        ingressFrom(pod('a'), [
          { namespaceSelector: all, podSelector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] } },
        ]),
      ),
      policy(
        'z',
        'from-untiered',
        ingressFrom(pod('a'), [
          {
            namespaceSelector: ns('y'),
            podSelector: { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] },
          },
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
        x/a ooo ooo .oo
        x/b ooo ooo .oo
        x/c .oo ooo .oo
        y/a ooo ooo .oo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo .oo
        z/c .oo ooo .oo`,
      },
    ],
  },
  {
    name: 'NotIn selects what lacks the label too',
    labels: { pods: { 'y/a': { tier: 'web' }, 'y/b': { tier: 'db' } } },
    policies: [
      policy(
        'x',
        'not-web',
        ingressFrom(pod('a'), [
          {
            namespaceSelector: ns('y'),
            podSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['web'] }] },
          },
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
        x/b .oo ooo ooo
        x/c .oo ooo ooo
        y/a .oo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'default deny in every namespace and a ring of allows',
    policies: [
      policy('x', 'from-z', ingressFrom(all, [{ namespaceSelector: ns('z') }])),
      policy('y', 'from-x', ingressFrom(all, [{ namespaceSelector: ns('x') }])),
      policy('z', 'from-y', ingressFrom(all, [{ namespaceSelector: ns('y') }])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ooo ...
        x/b .o. ooo ...
        x/c ..o ooo ...
        y/a ... o.. ooo
        y/b ... .o. ooo
        y/c ... ..o ooo
        z/a ooo ... o..
        z/b ooo ... .o.
        z/c ooo ... ..o`,
      },
    ],
  },
];
