import type { Case } from '../types.js';
import {
  all,
  clusterPolicy,
  denyEgress,
  denyIngress,
  everywhere,
  from,
  ingressFrom,
  namespace,
  ns,
  pod,
  podOf,
  policy,
  to,
} from './build.js';

/** Tiers, actions, priorities and subjects of cluster policies. */
export const CLUSTER_TIER_CASES: readonly Case[] = [
  {
    name: 'cluster policy: Admin denies ingress from a namespace',
    policies: [],
    clusterPolicies: [
      clusterPolicy('deny', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Deny', [namespace('y')])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ... ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
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
    name: 'cluster policy: Admin denies egress to a namespace',
    policies: [],
    clusterPolicies: [
      clusterPolicy('deny', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        egress: [to('Deny', [namespace('y')])],
      }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ... ooo
        x/b ooo ... ooo
        x/c ooo ... ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ... ooo
        x/b ooo ... ooo
        x/c ooo ... ooo
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
    name: 'cluster policy: Admin accepts ingress that a network policy denies',
    policies: [policy('x', 'deny', denyIngress)],
    clusterPolicies: [
      clusterPolicy('accept', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Accept', [namespace('y')])],
      }),
    ],
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
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ... ooo ooo
        z/b ... ooo ooo
        z/c ... ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: Admin accepts egress that a network policy denies',
    policies: [policy('x', 'deny', denyEgress)],
    clusterPolicies: [
      clusterPolicy('accept', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        egress: [to('Accept', [namespace('z')])],
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
        x/b .o. ... ooo
        x/c ..o ... ooo
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
    name: 'cluster policy: what egress accepts, ingress of the other end still denies',
    policies: [policy('y', 'deny', denyIngress)],
    clusterPolicies: [
      clusterPolicy('accept', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        egress: [to('Accept', [namespace('y')])],
      }),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ... ooo
        x/b ooo ... ooo
        x/c ooo ... ooo
        y/a ooo o.. ooo
        y/b ooo .o. ooo
        y/c ooo ..o ooo
        z/a ooo ... ooo
        z/b ooo ... ooo
        z/c ooo ... ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: Admin denies what network policies of both ends allow',
    policies: [
      policy('x', 'open', { podSelector: all, policyTypes: ['Ingress'], ingress: [{}] }),
      policy('z', 'open', { podSelector: all, policyTypes: ['Egress'], egress: [{}] }),
    ],
    clusterPolicies: [
      clusterPolicy('deny', {
        tier: 'Admin',
        priority: 0,
        subject: namespace('x'),
        ingress: [from('Deny', [namespace('z')])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a ... ooo ooo
        z/b ... ooo ooo
        z/c ... ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: Pass skips the rest of Admin and leaves it to network policy',
    policies: [policy('x', 'from-y-a', ingressFrom(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }]))],
    clusterPolicies: [
      clusterPolicy('pass', {
        tier: 'Admin',
        priority: 1,
        subject: namespace('x'),
        ingress: [from('Pass', [namespace('y')])],
      }),
      clusterPolicy('rest', {
        tier: 'Admin',
        priority: 2,
        subject: namespace('x'),
        ingress: [from('Deny', [everywhere])],
      }),
    ],
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
        y/a ooo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a ... ooo ooo
        z/b ... ooo ooo
        z/c ... ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: Pass goes on to Baseline where no network policy isolates',
    policies: [],
    clusterPolicies: [
      clusterPolicy('pass', {
        tier: 'Admin',
        priority: 1,
        subject: namespace('x'),
        ingress: [from('Pass', [namespace('y')])],
      }),
      clusterPolicy('rest', {
        tier: 'Admin',
        priority: 2,
        subject: namespace('x'),
        ingress: [from('Accept', [namespace('z')])],
      }),
      clusterPolicy('base', {
        tier: 'Baseline',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Deny', [everywhere])],
      }),
    ],
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
    name: 'cluster policy: Pass in egress goes on to network policy',
    policies: [policy('x', 'deny', denyEgress)],
    clusterPolicies: [
      clusterPolicy('pass', {
        tier: 'Admin',
        priority: 1,
        subject: everywhere,
        egress: [to('Pass', [namespace('y')])],
      }),
      clusterPolicy('rest', {
        tier: 'Admin',
        priority: 2,
        subject: everywhere,
        egress: [to('Deny', [namespace('y')])],
      }),
    ],
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
    ],
  },
  {
    name: 'cluster policy: Baseline denies where no network policy isolates',
    policies: [policy('x', 'from-y', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }]))],
    clusterPolicies: [
      clusterPolicy('base', {
        tier: 'Baseline',
        priority: 5,
        subject: everywhere,
        ingress: [from('Deny', [everywhere])],
      }),
    ],
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
        y/a o.. o.. ...
        y/b o.. .o. ...
        y/c o.. ..o ...
        z/a ... ... o..
        z/b ... ... .o.
        z/c ... ... ..o`,
      },
    ],
  },
  {
    name: 'cluster policy: Baseline gives way to a network policy that allows everything',
    policies: [policy('x', 'open', { podSelector: all, policyTypes: ['Ingress'], ingress: [{}] })],
    clusterPolicies: [
      clusterPolicy('base', {
        tier: 'Baseline',
        priority: 5,
        subject: everywhere,
        ingress: [from('Deny', [everywhere])],
      }),
    ],
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
        y/a ooo o.. ...
        y/b ooo .o. ...
        y/c ooo ..o ...
        z/a ooo ... o..
        z/b ooo ... .o.
        z/c ooo ... ..o`,
      },
      {
        protocol: 'UDP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ... ...
        x/b ooo ... ...
        x/c ooo ... ...
        y/a ooo o.. ...
        y/b ooo .o. ...
        y/c ooo ..o ...
        z/a ooo ... o..
        z/b ooo ... .o.
        z/c ooo ... ..o`,
      },
    ],
  },
  {
    name: 'cluster policy: Baseline denies egress, and isolation for ingress is no reason against it',
    policies: [policy('x', 'in', { podSelector: all, policyTypes: ['Ingress'], ingress: [{}] })],
    clusterPolicies: [
      clusterPolicy('base', {
        tier: 'Baseline',
        priority: 5,
        subject: namespace('x'),
        egress: [to('Deny', [everywhere])],
      }),
    ],
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
    ],
  },
  {
    name: 'cluster policy: Baseline accepts before it denies',
    policies: [],
    clusterPolicies: [
      clusterPolicy('first', {
        tier: 'Baseline',
        priority: 0,
        subject: everywhere,
        ingress: [from('Accept', [namespace('x')])],
      }),
      clusterPolicy('then', {
        tier: 'Baseline',
        priority: 10,
        subject: everywhere,
        ingress: [from('Deny', [everywhere])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
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
    name: 'cluster policy: Pass in Baseline ends in the default, which allows',
    policies: [],
    clusterPolicies: [
      clusterPolicy('first', {
        tier: 'Baseline',
        priority: 0,
        subject: everywhere,
        ingress: [from('Pass', [namespace('z')])],
      }),
      clusterPolicy('then', {
        tier: 'Baseline',
        priority: 10,
        subject: everywhere,
        ingress: [from('Deny', [everywhere])],
      }),
    ],
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
        y/a ... o.. ...
        y/b ... .o. ...
        y/c ... ..o ...
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: the lower priority is judged first',
    policies: [],
    clusterPolicies: [
      clusterPolicy('a', {
        tier: 'Admin',
        priority: 10,
        subject: namespace('x'),
        ingress: [from('Deny', [namespace('y')])],
      }),
      clusterPolicy('b', {
        tier: 'Admin',
        priority: 9,
        subject: namespace('x'),
        ingress: [from('Accept', [podOf('y', 'a')])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: priorities 0 and 1000 are the first and the last',
    policies: [],
    clusterPolicies: [
      clusterPolicy('first', {
        tier: 'Admin',
        priority: 0,
        subject: everywhere,
        ingress: [from('Accept', [namespace('x')])],
      }),
      clusterPolicy('last', {
        tier: 'Admin',
        priority: 1000,
        subject: everywhere,
        ingress: [from('Deny', [everywhere])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
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
    name: 'cluster policy: rules are judged in the order of their list',
    policies: [],
    clusterPolicies: [
      clusterPolicy('list', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [
          from('Accept', [podOf('y', 'a')]),
          from('Deny', [namespace('y')]),
          from('Accept', [podOf('y', 'b')]),
          from('Deny', [namespace('z')]),
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
        z/a ... ooo ooo
        z/b ... ooo ooo
        z/c ... ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: equal priorities are judged by name',
    policies: [],
    clusterPolicies: [
      clusterPolicy('b', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Deny', [namespace('y')])],
      }),
      clusterPolicy('a', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Accept', [podOf('y', 'a')])],
      }),
      clusterPolicy('c', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Accept', [namespace('y')])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: a subject that selects nobody',
    policies: [],
    clusterPolicies: [
      clusterPolicy('nobody', {
        tier: 'Admin',
        priority: 5,
        subject: { namespaces: { matchLabels: { ns: 'none' } } },
        ingress: [from('Deny', [everywhere])],
        egress: [to('Deny', [everywhere])],
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
    name: 'cluster policy: a subject by pods',
    policies: [],
    clusterPolicies: [
      clusterPolicy('pods', {
        tier: 'Admin',
        priority: 5,
        subject: { pods: { namespaceSelector: {}, podSelector: pod('a') } },
        ingress: [from('Deny', [namespace('z')])],
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
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b ooo ooo ooo
        y/c ooo ooo ooo
        z/a .oo .oo ooo
        z/b .oo .oo .oo
        z/c .oo .oo .oo`,
      },
    ],
  },
  {
    name: 'cluster policy: subject and peer by expressions',
    policies: [],
    clusterPolicies: [
      clusterPolicy('expr', {
        tier: 'Admin',
        priority: 5,
        subject: {
          pods: {
            namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['y', 'z'] }] },
            podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['a', 'b'] }] },
          },
        },
        ingress: [
          from('Deny', [
            {
              pods: {
                namespaceSelector: {},
                podSelector: {
                  matchExpressions: [
                    { key: 'pod', operator: 'Exists' },
                    { key: 'pod', operator: 'NotIn', values: ['c'] },
                  ],
                },
              },
            },
          ]),
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
        x/a o.o ooo ooo
        x/b .oo ooo ooo
        x/c ooo ooo ooo
        y/a ..o ooo ooo
        y/b ..o ooo ooo
        y/c ooo ooo ooo
        z/a ..o ooo ooo
        z/b ..o ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: no rules for a direction leave that direction alone',
    policies: [policy('x', 'deny', denyIngress)],
    clusterPolicies: [
      clusterPolicy('egress-only', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        egress: [to('Accept', [everywhere])],
      }),
    ],
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
];
