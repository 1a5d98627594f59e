import type { Case } from '../types.js';
import {
  clusterPolicy,
  denyAll,
  denyIngress,
  everywhere,
  from,
  namespace,
  pod,
  podOf,
  policy,
  tcpPort,
  to,
  udpPort,
} from './build.js';

/** Peers and ports of cluster policies, pods that reach themselves, and changes. */
export const CLUSTER_PEER_CASES: readonly Case[] = [
  {
    name: 'cluster policy: a network of one pod is denied',
    policies: [],
    clusterPolicies: [
      clusterPolicy('net', {
        tier: 'Admin',
        priority: 5,
        subject: everywhere,
        egress: [to('Deny', [{ networks: ['pod:x/a'] }])],
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
    name: 'cluster policy: one pod is accepted before the pod network is denied',
    policies: [],
    clusterPolicies: [
      clusterPolicy('net', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('y'),
        egress: [to('Accept', [{ networks: ['pod:x/a', 'pod:z/c'] }]), to('Deny', [{ networks: ['cluster'] }])],
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
        y/a o.. o.. ..o
        y/b o.. .o. ..o
        y/c o.. ..o ..o
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: every address is denied, pods passed before',
    policies: [],
    clusterPolicies: [
      clusterPolicy('net', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('z'),
        egress: [to('Pass', [namespace('x')]), to('Deny', [{ networks: ['all'] }])],
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
        z/a ooo ... o..
        z/b ooo ... .o.
        z/c ooo ... ..o`,
      },
    ],
  },
  {
    name: 'cluster policy: nodes are no pods',
    policies: [],
    clusterPolicies: [
      clusterPolicy('nodes', {
        tier: 'Admin',
        priority: 5,
        subject: everywhere,
        egress: [to('Deny', [{ nodes: {} }])],
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
    name: 'cluster policy: domains are no pods',
    policies: [],
    clusterPolicies: [
      clusterPolicy('names', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        egress: [
          to('Accept', [{ domainNames: ['*.example.com', 'example.org'] }]),
          to('Deny', [{ networks: ['cluster'] }]),
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
    name: 'cluster policy: a port by its number',
    policies: [],
    clusterPolicies: [
      clusterPolicy('port', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Deny', [everywhere], [tcpPort(80)])],
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
      {
        protocol: 'TCP',
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
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ... ooo ooo
        x/b ... ooo ooo
        x/c ... ooo ooo
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
    name: 'cluster policy: a range of ports',
    policies: [],
    clusterPolicies: [
      clusterPolicy('range', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Deny', [everywhere], [tcpPort(80, 81)])],
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
      {
        protocol: 'TCP',
        port: 81,
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
    name: 'cluster policy: a range that ends below the port',
    policies: [],
    clusterPolicies: [
      clusterPolicy('range', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Deny', [everywhere], [udpPort(1, 80)])],
      }),
    ],
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
    name: 'cluster policy: a named port of the receiver, in egress',
    policies: [],
    clusterPolicies: [
      clusterPolicy('named', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        egress: [to('Deny', [everywhere], [{ destinationNamedPort: 'serve-80-tcp' }])],
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
      {
        protocol: 'TCP',
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
    name: 'cluster policy: a named port of the subject, in ingress',
    policies: [],
    clusterPolicies: [
      clusterPolicy('named', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [
          from('Accept', [everywhere], [{ destinationNamedPort: 'serve-81-udp' }]),
          from('Deny', [namespace('y')]),
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
        y/a ... ooo ooo
        y/b ... ooo ooo
        y/c ... ooo ooo
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
      {
        protocol: 'TCP',
        port: 81,
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
    name: 'cluster policy: some ports are accepted over a network policy that denies all',
    policies: [policy('y', 'deny', denyIngress)],
    clusterPolicies: [
      clusterPolicy('ports', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('y'),
        ingress: [from('Accept', [namespace('x')], [tcpPort(81), udpPort(80)])],
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
      {
        protocol: 'TCP',
        port: 81,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo ooo ooo
        x/b ooo ooo ooo
        x/c ooo ooo ooo
        y/a ooo o.. ooo
        y/b ooo .o. ooo
        y/c ooo ..o ooo
        z/a ooo ... ooo
        z/b ooo ... ooo
        z/c ooo ... ooo`,
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
    name: 'cluster policy: ingress denies a pod its own service, and not its own address',
    policies: [],
    clusterPolicies: [
      clusterPolicy('self', {
        tier: 'Admin',
        priority: 5,
        subject: podOf('x', 'a'),
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
        port: 80,
        viaService: true,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a .oo ooo ooo
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
    name: 'cluster policy: egress denies a pod its own service, and not its own address',
    policies: [],
    clusterPolicies: [
      clusterPolicy('self', {
        tier: 'Admin',
        priority: 5,
        subject: podOf('x', 'a'),
        egress: [to('Deny', [{ networks: ['pod:x/a'] }])],
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
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a .oo ooo ooo
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
    name: 'cluster policy: network policy never keeps a pod from its own service, Baseline does',
    policies: [policy('x', 'deny', denyAll)],
    clusterPolicies: [
      clusterPolicy('pass', {
        tier: 'Admin',
        priority: 5,
        subject: everywhere,
        ingress: [from('Pass', [everywhere])],
        egress: [to('Pass', [everywhere])],
      }),
      clusterPolicy('base', {
        tier: 'Baseline',
        priority: 5,
        subject: namespace('y'),
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
        y/a ... o.. ooo
        y/b ... .o. ooo
        y/c ... ..o ooo
        z/a ... ... ooo
        z/b ... ... ooo
        z/c ... ... ooo`,
      },
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. ... ...
        x/b .o. ... ...
        x/c ..o ... ...
        y/a ... ... ooo
        y/b ... ... ooo
        y/c ... ... ooo
        z/a ... ... ooo
        z/b ... ... ooo
        z/c ... ... ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: its priority is raised over another',
    before: {
      policies: [],
      clusterPolicies: [
        clusterPolicy('change', {
          tier: 'Admin',
          priority: 6,
          subject: namespace('x'),
          ingress: [from('Deny', [namespace('y')])],
        }),
        clusterPolicy('fixed', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Accept', [podOf('y', 'a')])],
        }),
      ],
    },
    policies: [],
    clusterPolicies: [
      clusterPolicy('change', {
        tier: 'Admin',
        priority: 4,
        subject: namespace('x'),
        ingress: [from('Deny', [namespace('y')])],
      }),
      clusterPolicy('fixed', {
        tier: 'Admin',
        priority: 5,
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
    name: 'cluster policy: its priority is lowered below another',
    before: {
      policies: [],
      clusterPolicies: [
        clusterPolicy('change', {
          tier: 'Admin',
          priority: 4,
          subject: namespace('x'),
          ingress: [from('Deny', [namespace('y')])],
        }),
        clusterPolicy('fixed', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Accept', [podOf('y', 'a')])],
        }),
      ],
    },
    policies: [],
    clusterPolicies: [
      clusterPolicy('change', {
        tier: 'Admin',
        priority: 6,
        subject: namespace('x'),
        ingress: [from('Deny', [namespace('y')])],
      }),
      clusterPolicy('fixed', {
        tier: 'Admin',
        priority: 5,
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
    name: 'cluster policy: Deny becomes Accept',
    before: {
      policies: [policy('x', 'deny', denyIngress)],
      clusterPolicies: [
        clusterPolicy('change', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Deny', [namespace('y')])],
        }),
      ],
    },
    policies: [policy('x', 'deny', denyIngress)],
    clusterPolicies: [
      clusterPolicy('change', {
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
    name: 'cluster policy: Accept becomes Pass',
    before: {
      policies: [policy('x', 'deny', denyIngress)],
      clusterPolicies: [
        clusterPolicy('change', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Accept', [namespace('y')])],
        }),
      ],
    },
    policies: [policy('x', 'deny', denyIngress)],
    clusterPolicies: [
      clusterPolicy('change', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Pass', [namespace('y')])],
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
  {
    name: 'cluster policy: Admin becomes Baseline',
    before: {
      policies: [policy('x', 'open', { podSelector: pod('a'), policyTypes: ['Ingress'], ingress: [{}] })],
      clusterPolicies: [
        clusterPolicy('change', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Deny', [namespace('y')])],
        }),
      ],
    },
    policies: [policy('x', 'open', { podSelector: pod('a'), policyTypes: ['Ingress'], ingress: [{}] })],
    clusterPolicies: [
      clusterPolicy('change', {
        tier: 'Baseline',
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
        y/a o.. ooo ooo
        y/b o.. ooo ooo
        y/c o.. ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'cluster policy: it is deleted',
    before: {
      policies: [],
      clusterPolicies: [
        clusterPolicy('change', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Deny', [namespace('y')])],
        }),
        clusterPolicy('base', {
          tier: 'Baseline',
          priority: 5,
          subject: everywhere,
          ingress: [from('Deny', [everywhere])],
        }),
      ],
    },
    policies: [],
    clusterPolicies: [],
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
    name: 'cluster policy: a rule is put before the others',
    before: {
      policies: [],
      clusterPolicies: [
        clusterPolicy('list', {
          tier: 'Admin',
          priority: 5,
          subject: namespace('x'),
          ingress: [from('Deny', [namespace('y')])],
        }),
      ],
    },
    policies: [],
    clusterPolicies: [
      clusterPolicy('list', {
        tier: 'Admin',
        priority: 5,
        subject: namespace('x'),
        ingress: [from('Accept', [podOf('y', 'b')]), from('Deny', [namespace('y')])],
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
        y/b ooo ooo ooo
        y/c ... ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
];
