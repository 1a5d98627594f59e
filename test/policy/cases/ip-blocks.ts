import type { Case } from '../types.js';
import { denyIngress, egressTo, ingressFrom, pod, policy, tcp } from './build.js';

/** ipBlock peers: addresses, whoever has them. */
export const IP_BLOCK_CASES: readonly Case[] = [
  {
    name: 'egress to one address',
    e2e: [1019],
    policies: [policy('x', 'to-y-b', egressTo(pod('a'), [{ ipBlock: { cidr: 'pod:y/b' } }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. .o. ...
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
    name: 'egress to a block with an exception',
    e2e: [1050],
    policies: [policy('x', 'not-to-y-b', egressTo(pod('a'), [{ ipBlock: { cidr: 'cluster', except: ['pod:y/b'] } }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo o.o ooo
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
    name: 'an address that one policy excepts and another allows is allowed',
    e2e: [1085],
    policies: [
      policy('x', 'not-to-y-b', egressTo(pod('a'), [{ ipBlock: { cidr: 'cluster', except: ['pod:y/b', 'pod:y/c'] } }])),
      policy('x', 'to-y-b', egressTo(pod('a'), [{ ipBlock: { cidr: 'pod:y/b' } }])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a ooo oo. ooo
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
    name: 'an address that one peer excepts and another of the same rule allows is allowed',
    policies: [
      policy(
        'x',
        'two-peers',
        egressTo(pod('a'), [
          { ipBlock: { cidr: 'cluster', except: ['pod:y/b', 'pod:y/c'] } },
          { ipBlock: { cidr: 'pod:y/c' } },
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
        x/a ooo o.o ooo
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
    name: 'an address that a block excepts and a podSelector names is allowed',
    policies: [
      policy(
        'x',
        'two-kinds',
        egressTo(pod('a'), [
          { ipBlock: { cidr: 'cluster', except: ['pod:x/b', 'pod:y/b'] } },
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
        x/a ooo o.o ooo
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
    name: 'ingress from one address',
    policies: [policy('x', 'from-y-b', ingressFrom(pod('a'), [{ ipBlock: { cidr: 'pod:y/b' } }]))],
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
        y/b ooo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'ingress from a block with two exceptions',
    policies: [
      policy(
        'x',
        'not-from',
        ingressFrom(pod('a'), [{ ipBlock: { cidr: 'cluster', except: ['pod:y/b', 'pod:x/b'] } }]),
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
        x/c ooo ooo ooo
        y/a ooo ooo ooo
        y/b .oo ooo ooo
        y/c ooo ooo ooo
        z/a ooo ooo ooo
        z/b ooo ooo ooo
        z/c ooo ooo ooo`,
      },
    ],
  },
  {
    name: 'ingress from a block on a named port of the subject',
    policies: [policy('x', 'named', ingressFrom(pod('a'), [{ ipBlock: { cidr: 'pod:y/b' } }], [tcp('serve-80-tcp')]))],
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
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress to a block on a named port: an address names no container port',
    policies: [policy('x', 'named', egressTo(pod('a'), [{ ipBlock: { cidr: 'pod:y/b' } }], [tcp('serve-80-tcp')]))],
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
    name: 'egress to everything but the cluster reaches no pod',
    policies: [policy('x', 'to-the-world', egressTo(pod('a'), [{ ipBlock: { cidr: 'all', except: ['cluster'] } }]))],
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
    name: 'ingress from everywhere by address, on one port',
    policies: [
      policy('x', 'deny-ingress', denyIngress),
      policy('x', 'from-all', ingressFrom(pod('a'), [{ ipBlock: { cidr: 'all' } }], [tcp(81)])),
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
    name: 'egress to the backend address through its service',
    policies: [policy('x', 'to-y-b', egressTo(pod('a'), [{ ipBlock: { cidr: 'pod:y/b' } }]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
        reach: `
            xxx yyy zzz
            abc abc abc
        x/a o.. .o. ...
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
