import { expect, test } from 'vitest';
import { pod, policy, sctp } from './cases/build.js';
import { Fabric } from './fabric.js';
import { factsOf } from './facts.js';
import { clusterUnder } from './pods.js';

// The tracker of the userspace datapath takes every SCTP packet between two addresses for one connection.
test.each([
  ['on one node', 'x/b'],
  ['between nodes', 'y/a'],
] as const)('an allowed SCTP port opens no other, %s', (_, from) => {
  const fabric = new Fabric();
  const policies = [policy('x', 'sctp-80', { podSelector: pod('a'), ingress: [{ ports: [sctp(80)] }] })];
  fabric.become(factsOf(clusterUnder({ policies })));
  const talks = (port: number, family: 4 | 6) => fabric.talks({ from, to: 'x/a', family, protocol: 'SCTP', port });
  const ports = [80, 81, 80, 82];
  expect(ports.map((port) => [talks(port, 4), talks(port, 6)])).toEqual([
    [true, true],
    [false, false],
    [true, true],
    [false, false],
  ]);
});
