import { describe, expect, it } from 'vitest';
import { podNetns } from '../host/netns.js';
import { labPaths } from '../host/paths.js';
import { cniEnvironment, pluginCalls } from './cni.js';
import { containerStarts, isPause, specHash } from './containers.js';
import { pickNode } from './schedule.js';

describe('scheduling', () => {
  const nodes = ['node1', 'node2', 'node10'];
  const on = (node: string, namespace: string, name: string) => ({ node, namespace, name });
  it.each([
    ['the first node when all are empty', [], 'node1'],
    ['the emptiest node', [on('node1', 'x', 'a'), on('node2', 'x', 'b')], 'node10'],
    [
      'away from its own replicas, even onto a fuller node',
      [on('node1', 'ns', 'web-0'), on('node10', 'ns', 'web-1'), on('node2', 'x', 'a'), on('node2', 'x', 'b')],
      'node2',
    ],
    ['names in the order of their numbers', [on('node1', 'x', 'a')], 'node2'],
  ])('%s', (_name, placed, expected) => {
    expect(pickNode({ namespace: 'ns', name: 'web-2' }, nodes, placed)).toBe(expected);
  });
  it('nowhere without nodes', () => {
    expect(pickNode({ namespace: 'ns', name: 'web-2' }, [], [])).toBeUndefined();
  });
});

describe('network namespaces of pods', () => {
  const paths = labPaths({});
  it('are called hd-NAMESPACE-POD', () => {
    expect(podNetns(paths, 'shop', 'web-0', () => false)).toBe('hd-shop-web-0');
    expect(podNetns(labPaths({ HEDDLE_LAB_NAME: 'e2e' }), 'shop', 'web-0', () => false)).toBe('hde2e-shop-web-0');
  });
  it('differ where NAMESPACE-POD is the same', () => {
    const first = podNetns(paths, 'a', 'b-c', () => false);
    const second = podNetns(paths, 'a-b', 'c', (n) => n === first);
    expect(first).toBe('hd-a-b-c');
    expect(second).toMatch(/^hd-a-b-c-[0-9a-f]{10}$/);
  });
  it('fit into a file name', () => {
    const long = podNetns(paths, 'n'.repeat(63), 'p'.repeat(253), () => false);
    expect(long).toHaveLength(255);
    expect(long).not.toBe(podNetns(paths, 'n'.repeat(63), `${'p'.repeat(252)}q`, () => false));
  });
  it('a lab with a name that does not fit is refused', () => {
    expect(() => labPaths({ HEDDLE_LAB_NAME: 'a-b' })).toThrow('HEDDLE_LAB_NAME');
  });
});

describe('the CNI executable is called as kubelet does', () => {
  it('environment and configuration', () => {
    const target = {
      containerId: 'abc',
      netns: 'hd-shop-web-0',
      namespace: 'shop',
      pod: 'web-0',
      uid: 'u-1',
      nodeNetns: 'hd-node1',
      agentSocket: '/run/a.sock',
      portMappings: [],
      bandwidth: undefined,
    };
    expect(cniEnvironment('ADD', target, '/opt/cni')).toEqual({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'abc',
      CNI_NETNS: '/run/netns/hd-shop-web-0',
      CNI_IFNAME: 'eth0',
      CNI_ARGS:
        'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1',
      CNI_PATH: '/opt/cni:/usr/lib/cni',
    });
    const ours = {
      cniVersion: '1.0.0',
      name: 'heddle',
      type: 'heddle-cni',
      socket: '/run/a.sock',
      capabilities: { bandwidth: true },
    };
    expect(pluginCalls(target, '/opt/cni')).toEqual([{ executable: '/opt/cni/heddle-cni', config: ours }]);
    const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: 'tcp' as const }];
    const bandwidth = { egressRate: 1e6 };
    expect(pluginCalls({ ...target, portMappings, bandwidth }, '/opt/cni')).toEqual([
      { executable: '/opt/cni/heddle-cni', config: { ...ours, runtimeConfig: { bandwidth } } },
      {
        executable: '/usr/lib/cni/portmap',
        config: {
          cniVersion: '1.0.0',
          name: 'heddle',
          type: 'portmap',
          snat: true,
          capabilities: { portMappings: true },
          runtimeConfig: { portMappings },
        },
      },
    ]);
  });
});

describe('programs of a pod', () => {
  const container = (
    name: string,
    command: string[],
    ports: { containerPort: number; protocol: 'TCP' | 'UDP' }[] = [],
    args: string[] = [],
  ) => ({
    name,
    image: 'heddle/echo',
    command,
    args,
    env: { A: '1' },
    ports,
  });
  const pod = (...containers: ReturnType<typeof container>[]) => ({
    namespace: 'ns',
    name: 'p',
    labels: {},
    requestedNode: '',
    hostNetwork: false,
    containers,
    attachment: null,
  });
  const config = (p: ReturnType<typeof pod>) => JSON.parse(containerStarts(p, '/s')[0]?.env.HEDDLE_LAB_POD ?? '');
  const tcp = (containerPort: number) => ({ containerPort, protocol: 'TCP' as const });

  it('one program serves the ports of all containers without a command, each once', () => {
    const p = pod(container('a', [], [tcp(80)]), container('b', [], [tcp(80), { containerPort: 80, protocol: 'UDP' }]));
    expect(containerStarts(p, '/s').map((c) => c.name)).toEqual(['sandbox']);
    expect(config(p)).toEqual({
      pod: 'ns/p',
      socket: '/s',
      ports: [
        { port: 80, protocol: 'TCP' },
        { port: 80, protocol: 'UDP' },
      ],
    });
  });
  it('without any port it listens on 8080', () => {
    expect(config(pod(container('a', []))).ports).toEqual([{ port: 8080, protocol: 'TCP' }]);
  });
  it('a command of the manifest runs instead, with its arguments and environment; its ports are its own business', () => {
    const starts = containerStarts(pod(container('own', ['sleep'], [tcp(80)], ['60'])), '/s');
    expect(starts[1]).toEqual({
      name: 'own',
      argv: ['sleep', '60'],
      env: { HOSTNAME: 'p', POD_NAME: 'p', POD_NAMESPACE: 'ns', A: '1' },
    });
    expect(config(pod(container('own', ['sleep'], [tcp(80)]))).ports).toEqual([]);
  });
  it('the hash changes with the programs and with nothing else', () => {
    const one = pod(container('a', ['x']));
    const relabelled = { ...one, labels: { b: 'c' } };
    expect(specHash(relabelled)).toBe(specHash(one));
    expect(specHash(pod(container('a', ['y'])))).not.toBe(specHash(one));
  });

  it.each([
    ['registry.k8s.io/pause:3.9', [], true],
    ['pause', [], true],
    ['registry.k8s.io/pause@sha256:1', [], true],
    ['pause', ['sleep'], false],
    ['x/pauses:1', [], false],
  ])('an image %s with the command %j holds a namespace only: %s', (image, command, expected) => {
    expect(isPause({ ...container('c', command), image })).toBe(expected);
    expect(containerStarts(pod({ ...container('c', command), image }), '/s').length === 0).toBe(expected);
  });
});
