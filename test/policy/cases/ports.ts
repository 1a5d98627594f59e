import type { Case } from '../types.js';
import { all, egressTo, ingressFrom, ns, pod, policy, sctp, tcp, udp } from './build.js';

/** Ports: numbers, names, ranges, protocols; and services, whose backends the policies judge. */
export const PORT_CASES: readonly Case[] = [
  {
    name: 'a port of a namespace',
    e2e: [438],
    policies: [policy('x', 'y-on-81', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [tcp(81)]))],
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
    name: 'a port of a namespace, UDP',
    e2e: [1331],
    policies: [policy('x', 'y-on-81', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [udp(81)]))],
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
        y/a .oo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
      {
        protocol: 'UDP',
        port: 81,
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
    name: 'a port of a namespace, SCTP',
    e2e: [1423],
    policies: [policy('x', 'y-on-81', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [sctp(81)]))],
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
        y/a .oo ooo ooo
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
      {
        protocol: 'SCTP',
        port: 81,
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
    name: 'default deny of ingress, SCTP',
    e2e: [1405],
    policies: [policy('x', 'deny-ingress', { podSelector: all, policyTypes: ['Ingress'] })],
    probes: [
      {
        protocol: 'SCTP',
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
    name: 'ingress on a named port',
    e2e: [531],
    policies: [policy('x', 'on-named', { podSelector: pod('a'), ingress: [{ ports: [tcp('serve-80-tcp')] }] })],
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
        protocol: 'UDP',
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
    name: 'ingress from a namespace on a named port',
    e2e: [555],
    policies: [
      policy('x', 'y-on-named', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [tcp('serve-80-tcp')])),
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
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
    ],
  },
  {
    name: 'egress to a named port of anybody',
    e2e: [590],
    policies: [
      policy('x', 'to-named', {
        podSelector: pod('a'),
        policyTypes: ['Egress'],
        egress: [{ ports: [tcp('serve-80-tcp')] }],
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
    ],
  },
  {
    name: 'egress to a named port of a namespace',
    policies: [policy('x', 'to-named', egressTo(pod('a'), [{ namespaceSelector: ns('y') }], [udp('serve-81-udp')]))],
    probes: [
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
      {
        protocol: 'UDP',
        port: 81,
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
    ],
  },
  {
    name: 'a named port counts with its protocol only',
    policies: [policy('x', 'on-named', { podSelector: pod('a'), ingress: [{ ports: [tcp('serve-80-udp')] }] })],
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
        protocol: 'UDP',
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
    name: 'a port name that no container has allows nothing and isolates',
    policies: [policy('x', 'on-unknown', { podSelector: pod('a'), ingress: [{ ports: [tcp('no-such-port')] }] })],
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
    name: 'a protocol without a port means all its ports',
    e2e: [912],
    policies: [policy('x', 'tcp', { podSelector: pod('a'), ingress: [{ ports: [{ protocol: 'TCP' }] }] })],
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
    name: 'UDP allowed is not TCP allowed',
    e2e: [1224],
    policies: [policy('x', 'udp-81', { podSelector: pod('a'), ingress: [{ ports: [udp(81)] }] })],
    probes: [
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
    name: 'SCTP allowed is not TCP allowed',
    e2e: [1176],
    policies: [policy('x', 'sctp-80', { podSelector: pod('a'), ingress: [{ ports: [sctp(80)] }] })],
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
    name: 'a policy that allows SCTP isolates for everything else',
    e2e: [1204],
    policies: [policy('x', 'sctp-80', { podSelector: pod('a'), ingress: [{ ports: [sctp(80)] }] })],
    probes: [
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
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
      {
        protocol: 'SCTP',
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
    name: 'a port without a protocol is TCP',
    policies: [policy('x', 'on-80', { podSelector: pod('a'), ingress: [{ ports: [{ port: 80 }] }] })],
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
    name: 'ports of several protocols in one rule',
    policies: [policy('x', 'several', ingressFrom(pod('a'), [{ podSelector: pod('b') }], [tcp(80), udp(81)]))],
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
        y/b .oo ooo ooo
        y/c .oo ooo ooo
        z/a .oo ooo ooo
        z/b .oo ooo ooo
        z/c .oo ooo ooo`,
      },
      {
        protocol: 'UDP',
        port: 81,
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
    name: 'endPort: a range that holds both ports',
    policies: [
      policy('x', 'range', {
        podSelector: pod('a'),
        ingress: [{ ports: [{ protocol: 'TCP', port: 79, endPort: 100 }] }],
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
    name: 'endPort: a range that begins behind the port',
    policies: [
      policy('x', 'range', {
        podSelector: pod('a'),
        ingress: [{ ports: [{ protocol: 'TCP', port: 81, endPort: 65535 }] }],
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
    name: 'endPort in egress, the last port included',
    policies: [
      policy(
        'x',
        'range',
        egressTo(pod('a'), [{ namespaceSelector: ns('y') }], [{ protocol: 'TCP', port: 1, endPort: 80 }]),
      ),
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
    ],
  },
  {
    name: 'services: ingress is judged at the backend, by its own port',
    policies: [policy('x', 'y-on-81', ingressFrom(pod('a'), [{ namespaceSelector: ns('y') }], [tcp(81)]))],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
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
        port: 8081,
        viaService: true,
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
    name: 'services: egress is judged by the backend, not by the service address',
    policies: [
      policy('x', 'to-y-a', egressTo(pod('a'), [{ namespaceSelector: ns('y'), podSelector: pod('a') }], [tcp(81)])),
    ],
    probes: [
      {
        protocol: 'TCP',
        port: 8081,
        viaService: true,
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
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
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
    name: 'services: a port of the service that no backend listens on opens nothing',
    policies: [policy('x', 'on-8081', { podSelector: pod('a'), ingress: [{ ports: [tcp(8081)] }] })],
    probes: [
      {
        protocol: 'TCP',
        port: 8081,
        viaService: true,
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
    name: 'services: without a policy every service answers, UDP too',
    policies: [],
    probes: [
      {
        protocol: 'TCP',
        port: 80,
        viaService: true,
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
        viaService: true,
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
];
