import { describe, expect, it } from 'vitest';
import type { PodRecord } from '../host/state.js';
import { type Cluster, parseTargets, podsNamed } from './targets.js';

const record = (namespace: string, name: string, ips: string[]): PodRecord => ({
  namespace,
  name,
  uid: '',
  node: 'node1',
  netns: '',
  hostNetwork: false,
  containerId: '',
  spec: '',
  phase: 'running',
  reason: null,
  ips,
  cniAddMs: null,
  probeSocket: '',
  containers: [],
  portMappings: [],
});
const ports = (...list: readonly (readonly [number, 'TCP' | 'UDP'])[]) => [
  {
    name: 'c',
    image: 'heddle/echo',
    command: [],
    args: [],
    env: {},
    ports: list.map(([containerPort, protocol]) => ({ containerPort, protocol })),
  },
];
const view = (namespace: string, name: string, containers: ReturnType<typeof ports>) => ({
  namespace,
  name,
  labels: {},
  requestedNode: '',
  hostNetwork: false,
  containers,
  attachment: null,
});
const cluster: Cluster = {
  pods: [
    record('a', 'web-0', ['10.0.0.1', 'fd00::1']),
    record('a', 'web-1', ['10.0.0.2']),
    record('a', 'web-admin', ['10.0.0.3']),
  ],
  podViews: [
    view('a', 'web-0', ports([80, 'TCP'], [53, 'UDP'])),
    view('a', 'web-1', ports([80, 'TCP'])),
    view('a', 'web-admin', []),
  ],
  services: [
    {
      namespace: 'a',
      name: 'web',
      type: 'ClusterIP',
      clusterIps: ['10.96.0.1', 'fd00:96::1'],
      ports: [
        { name: '', protocol: 'TCP', port: 8000, targetPort: '80', endpoints: [] },
        { name: '', protocol: 'UDP', port: 53, targetPort: '53', endpoints: [] },
      ],
    },
    { namespace: 'a', name: 'headless', type: 'ClusterIP', clusterIps: [], ports: [] },
  ],
};

describe('targets', () => {
  it.each([
    ['a/web-0', [[['10.0.0.1', 'fd00::1'], 80, 'tcp']]],
    ['a/web-0:81', [[['10.0.0.1', 'fd00::1'], 81, 'tcp']]],
    ['a/web-0:53/udp', [[['10.0.0.1', 'fd00::1'], 53, 'udp']]],
    ['a/web-0/icmp', [[['10.0.0.1', 'fd00::1'], 0, 'icmp']]],
    [
      'a/web:80',
      [
        [['10.0.0.1', 'fd00::1'], 80, 'tcp'],
        [['10.0.0.2'], 80, 'tcp'],
      ],
    ],
    ['svc/a/web', [[['10.96.0.1', 'fd00:96::1'], 8000, 'tcp']]],
    ['svc/a/web:53/udp', [[['10.96.0.1', 'fd00:96::1'], 53, 'udp']]],
    ['10.1.1.1:80', [[['10.1.1.1'], 80, 'tcp']]],
    ['[fd00::9]:80/udp', [[['fd00::9'], 80, 'udp']]],
    ['fd00::9/icmp', [[['fd00::9'], 0, 'icmp']]],
  ])('%s', (text, expected) => {
    expect(parseTargets(cluster, text).map((t) => [t.addresses, t.port, t.protocol])).toEqual(expected);
  });
  it('without a port: the first of the protocol asked for', () => {
    expect(parseTargets(cluster, 'a/web-0', 'udp')[0]?.port).toBe(53);
    expect(parseTargets(cluster, 'svc/a/web', 'udp')[0]?.port).toBe(53);
    expect(() => parseTargets(cluster, 'a/web-1', 'udp')).toThrow('names no udp port');
  });
  it.each([
    ['a/none', 'there are: a/web-0, a/web-1'],
    ['svc/a/none', 'there are: svc/a/web'],
    ['svc/a/headless:80', 'no cluster IP'],
    ['10.1.1.1', 'say the port'],
  ])('%s is refused: %s', (text, message) => {
    expect(() => parseTargets(cluster, text)).toThrow(message);
  });
  it("a Deployment's name does not stand for another pod that begins the same", () => {
    expect(podsNamed(cluster.pods, 'a/web').map((p) => p.name)).toEqual(['web-0', 'web-1']);
  });
});
