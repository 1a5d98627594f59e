import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PodRecord } from '../host/state.js';
import { removals } from './apply.js';
import type { KubeClient } from './client.js';
import { sliceChanges, slicesOf } from './endpoint-slices.js';
import { readKubeconfig, writeKubeconfig } from './kubeconfig.js';
import { holdsLease } from './nodes.js';
import type { KubeLease, KubeNode, KubePod, KubeService, KubeSlice } from './objects.js';
import { innerAddress } from './path.js';
import { podStatus } from './pod-status.js';
import { assign } from './scheduler.js';
import { wantedPod } from './wanted-pod.js';

const folder = mkdtempSync(join(tmpdir(), 'heddle-kl-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a kubeconfig', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const text = (user: string, server = 'https://10.0.0.1:6443/') => `
apiVersion: v1
kind: Config
current-context: two
contexts:
  - { name: one, context: { cluster: other, user: nobody } }
  - { name: two, context: { cluster: c, user: u } }
clusters:
  - { name: c, cluster: { server: '${server}', certificate-authority: ca.crt } }
users:
  - { name: u, user: ${user} }
`;
  const file = (content: string) => {
    const path = join(folder, 'config');
    writeFileSync(path, content);
    writeFileSync(join(folder, 'ca.crt'), 'CA');
    return path;
  };

  it('is read with the files that it names, relative to itself', () => {
    const user = `{ client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')} }`;
    expect(readKubeconfig(file(text(user)))).toEqual({
      server: 'https://10.0.0.1:6443',
      ca: 'CA',
      insecure: false,
      serverName: undefined,
      cert: 'CERT',
      key: 'KEY',
      token: undefined,
    });
  });

  it('is written anew for another address, whose certificate is that of the old one', () => {
    const known = readKubeconfig(file(text('{ token: t }', 'https://api.example:6443')));
    const again = readKubeconfig(file(writeKubeconfig(known, 'https://127.0.0.1:6443')));
    expect(again).toEqual({ ...known, server: 'https://127.0.0.1:6443', serverName: 'api.example' });
  });

  it.each([
    ['of an exec plugin', text('{ exec: { command: aws } }'), /config: the user "u" has exec/],
    ['of a context that is not there', text('{}').replace('current-context: two', 'current-context: x'), /context "x"/],
    ['of nothing', 'kind: Config', /config: [\s\S]*current-context/],
  ])('%s is refused by name', (_name, content, sentence) => {
    expect(() => readKubeconfig(file(content))).toThrow(sentence);
  });

  it.each([
    ['https://127.0.0.1:6443', { ip: '127.0.0.1', port: 6443, url: 'https://127.0.0.1:6443' }],
    ['https://10.1.2.3', { ip: '10.1.2.3', port: 443, url: 'https://10.1.2.3' }],
    ['https://[fd00::1]:6443', { ip: 'fd00::1', port: 6443, url: 'https://[fd00::1]:6443' }],
    ['https://api.example:6443/k8s/c1', { ip: '127.0.0.1', port: 6443, url: 'https://127.0.0.1:6443/k8s/c1' }],
    ['http://localhost:8080', { ip: '127.0.0.1', port: 8080, url: 'http://127.0.0.1:8080' }],
  ])('%s is reached inside at its own address if it has one', (server, expected) => {
    expect(innerAddress(server)).toEqual(expected);
  });
});

const pod = (name: string, more: Partial<KubePod> = {}): KubePod => ({
  metadata: { name, namespace: 'ns', uid: `u-${name}`, labels: { app: 'web' } },
  spec: { nodeName: 'node1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'Ready', status: 'True' }] },
  ...more,
});

describe('a pod as the kubelet part wants it', () => {
  it('has ports of the host, and limits as a runtime fills them in', () => {
    const annotations = { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '1.5Mi' };
    const containers = [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }];
    const wanted = wantedPod({ metadata: { name: 'p', namespace: 'ns', uid: 'u', annotations }, spec: { containers } });
    expect(wanted).toMatchObject({
      uid: 'u',
      ending: false,
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
      bandwidth: {
        ingressRate: 10_000_000,
        ingressBurst: 4294967295,
        egressRate: 1_572_864,
        egressBurst: 4294967295,
      },
    });
  });
  it('has none of them on the host network, and none from what is no quantity', () => {
    const annotations = { 'kubernetes.io/ingress-bandwidth': 'fast' };
    const containers = [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }];
    const spec = { hostNetwork: true, containers };
    expect(wantedPod({ metadata: { name: 'p', annotations }, spec })).toMatchObject({
      portMappings: [],
      bandwidth: undefined,
    });
  });
});

describe('scheduling', () => {
  const node = (name: string, labels: Record<string, string> = {}, spec = {}): KubeNode => ({
    metadata: { name, labels },
    spec,
  });
  const waiting = (name: string, spec: object = {}) => pod(name, { spec: { containers: [], ...spec } });
  it.each<[string, KubePod[], KubeNode[], Record<string, string>]>([
    [
      'spreads what waits, counting what is placed',
      [pod('web-0'), waiting('web-1'), waiting('web-2'), waiting('web-3')],
      [node('node1'), node('node2')],
      { 'ns/web-1': 'node2', 'ns/web-2': 'node1', 'ns/web-3': 'node2' },
    ],
    [
      'follows the nodeSelector',
      [waiting('a', { nodeSelector: { disk: 'ssd' } }), waiting('b', { nodeSelector: { disk: 'none' } })],
      [node('node1'), node('node2', { disk: 'ssd' })],
      { 'ns/a': 'node2' },
    ],
    ['leaves cordoned nodes out', [waiting('a')], [node('node1', {}, { unschedulable: true })], {}],
    [
      'is not for pods with gates, with another scheduler, or that end',
      [
        waiting('a', { schedulingGates: [{ name: 'x' }] }),
        waiting('b', { schedulerName: 'mine' }),
        { ...waiting('c'), metadata: { name: 'c', namespace: 'ns', deletionTimestamp: '2026-01-01T00:00:00Z' } },
      ],
      [node('node1')],
      {},
    ],
  ])('%s', (_name, pods, nodes, expected) => {
    expect(Object.fromEntries(assign(pods, nodes))).toEqual(expected);
  });
});

describe("a pod's status", () => {
  const now = '2026-01-01T00:00:00Z';
  const record = {
    phase: 'running',
    containerId: 'cid',
    ips: ['fd00::5', '10.0.0.5'],
    containers: [{ name: 'sandbox', pid: 1, startTime: '1', restarts: 2 }],
  } as unknown as PodRecord;
  const conditionsOf = (status: object | undefined) =>
    Object.fromEntries(
      ((status as KubePod['status'])?.conditions ?? []).map((c) => [c.type, `${c.status} ${c.lastTransitionTime}`]),
    );

  it('of one that runs and is ready', () => {
    const input = { record, refused: undefined, ready: new Set(['c']), hostIps: ['172.16.0.1'] };
    const status = podStatus({ pod: pod('p', { status: {} }), ...input }, now);
    expect(status).toMatchObject({
      phase: 'Running',
      podIP: '10.0.0.5',
      podIPs: [{ ip: '10.0.0.5' }, { ip: 'fd00::5' }],
      hostIP: '172.16.0.1',
      containerStatuses: [{ name: 'c', ready: true, restartCount: 2, state: { running: {} } }],
    });
    expect(conditionsOf(status)).toMatchObject({ Ready: `True ${now}`, ContainersReady: `True ${now}` });
    // Reported, it is not reported again, whatever the server has added.
    const reported = { ...status, qosClass: 'BestEffort' } as KubePod['status'];
    expect(podStatus({ pod: pod('p', { status: reported ?? {} }), ...input }, '2027-01-01T00:00:00Z')).toBeUndefined();
  });

  it('of one that is no longer ready keeps the times of what has not changed, and conditions of others', () => {
    const conditions = [
      { type: 'Ready', status: 'True' as const, lastTransitionTime: 'then' },
      { type: 'Initialized', status: 'True' as const, lastTransitionTime: 'then' },
      { type: 'example.com/gate', status: 'True' as const, lastTransitionTime: 'then' },
    ];
    const status = podStatus(
      { pod: pod('p', { status: { conditions } }), record, refused: undefined, ready: new Set(), hostIps: [] },
      now,
    );
    expect(conditionsOf(status)).toMatchObject({
      Ready: `False ${now}`,
      Initialized: 'True then',
      'example.com/gate': 'True then',
    });
  });

  it('of one that cannot be started says why', () => {
    const failed = { ...record, phase: 'failed', reason: 'CNI ADD: the pool is empty' } as PodRecord;
    const input = { refused: undefined, ready: new Set<string>(), hostIps: [] };
    expect(podStatus({ pod: pod('p', { status: {} }), record: failed, ...input }, now)).toMatchObject({
      phase: 'Pending',
      containerStatuses: [
        { state: { waiting: { reason: 'ContainerCreating', message: 'CNI ADD: the pool is empty' } } },
      ],
    });
  });
});

describe('what a changed manifest takes away', () => {
  it.each<[string, object, object, object | undefined]>([
    ['nothing', { a: { b: 1 } }, { a: { b: 2, c: 3 } }, undefined],
    ['a label', { m: { labels: { x: '1', y: '2' } } }, { m: { labels: { y: '3' } } }, { m: { labels: { x: null } } }],
    ['a part of a specification', { spec: { egress: [], p: {} } }, { spec: { p: {} } }, { spec: { egress: null } }],
    ['what is in a list, with the list', { l: [{ a: 1 }] }, { l: [{}] }, undefined],
  ])('%s', (_name, before, after, patch) => {
    expect(removals(before, after)).toEqual(patch);
  });
});

describe('a part of the control plane', () => {
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  const held = { holderIdentity: 'm1', leaseDurationSeconds: 15 };
  it.each<[string, KubeLease['spec'] | undefined, boolean]>([
    ['runs where it holds its lease', { ...held, renewTime: ago(2) }, true],
    ['does not where the lease is old', { ...held, renewTime: ago(3_600) }, false],
    ['does not where it gave the lease up', { ...held, holderIdentity: '', renewTime: ago(2) }, false],
    ['does not where there is no lease', undefined, false],
  ])('%s', async (_name, spec, expected) => {
    const asked: string[] = [];
    const client = {
      find: async (path: string) => {
        asked.push(path);
        return spec && { metadata: { name: 'kube-scheduler' }, spec };
      },
    } as unknown as KubeClient;
    expect(await holdsLease(client, 'kube-scheduler')).toBe(expected);
    expect(asked).toEqual(['/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler']);
  });
});

describe('EndpointSlices', () => {
  const service = (spec: Partial<KubeService['spec']> = {}): KubeService => ({
    metadata: { name: 'web', namespace: 'ns', uid: 'u' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'h', port: 80, targetPort: 'http' }], ...spec },
  });
  const at = (name: string, ip: string, ready = true) =>
    pod(name, {
      status: { podIPs: [{ ip }], conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
    });
  /** ADDRESS:PORT, with ! for one that is not ready. */
  const shown = (slices: readonly KubeSlice[]) =>
    slices.flatMap((s) =>
      (s.endpoints ?? []).flatMap((e) => {
        const { addresses, conditions } = e as { addresses: string[]; conditions: { ready: boolean } };
        const ports = (s.ports ?? []).map((p) => (p as { port: number }).port);
        return addresses.map((a) => `${a}:${ports.join(',')}${conditions.ready ? '' : '!'}`);
      }),
    );

  it.each<[string, KubeService, KubePod[], string[]]>([
    [
      'ready pods and others',
      service(),
      [at('a', '10.0.0.1'), at('b', '10.0.0.2', false)],
      ['10.0.0.1:8080', '10.0.0.2:8080!'],
    ],
    [
      'a pod that ends',
      service(),
      [{ ...at('a', '10.0.0.1'), metadata: { ...pod('a').metadata, deletionTimestamp: 'x' } }],
      ['10.0.0.1:8080!'],
    ],
    [
      'unready addresses on demand',
      service({ publishNotReadyAddresses: true }),
      [at('b', '10.0.0.2', false)],
      ['10.0.0.2:8080'],
    ],
    ['one family', service({ ipFamilies: ['IPv6'] }), [at('a', '10.0.0.1'), at('b', 'fd00::2')], ['fd00::2:8080']],
    ['no selector', service({ selector: {} }), [at('a', '10.0.0.1')], []],
    [
      'a named port that one pod has not',
      service(),
      [{ ...at('a', '10.0.0.1'), spec: { containers: [] } }, at('b', '10.0.0.2')],
      ['10.0.0.1:', '10.0.0.2:8080'],
    ],
    [
      'pods that are over, of other labels, of other namespaces',
      service(),
      [
        pod('a', { status: { phase: 'Succeeded', podIPs: [{ ip: '10.0.0.1' }] } }),
        { ...at('b', '10.0.0.2'), metadata: { ...pod('b').metadata, labels: {} } },
        { ...at('c', '10.0.0.3'), metadata: { ...pod('c').metadata, namespace: 'other' } },
      ],
      [],
    ],
  ])('of %s', (_name, s, pods, expected) => {
    expect(shown(slicesOf(s, pods))).toEqual(expected);
  });

  it('are cut at 100 endpoints, and written only where they differ', () => {
    const pods = Array.from({ length: 150 }, (_, i) => at(`p${String(i).padStart(3, '0')}`, `10.0.0.${i}`));
    const slices = slicesOf(service(), pods);
    expect(slices.map((s) => s.endpoints?.length)).toEqual([100, 50]);
    const none = { create: [], replace: [], remove: [] };
    // As the server gives them back: other order of keys, defaults added.
    const stored = slices.map((s) => ({ ...s, ports: (s.ports ?? []).map((p) => ({ appProtocol: null, ...p })) }));
    expect(sliceChanges(slices, stored)).toEqual(none);
    const foreign = { ...(stored[0] as KubeSlice), metadata: { name: 'x', namespace: 'ns', labels: {} } };
    const fewer = slicesOf(service(), pods.slice(0, 100));
    const changes = sliceChanges(fewer, [...stored, foreign]);
    expect([changes.create.length, changes.replace.length, changes.remove.map((s) => s.metadata.name)]).toEqual([
      0,
      0,
      [slices[1]?.metadata.name],
    ]);
  });
});
