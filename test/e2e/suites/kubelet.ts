import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PodView, PolicyView, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CONTROLLER, KUBELET } from '../../../apps/lab/src/host/services.js';
import { isStatus, KubeClient } from '../../../apps/lab/src/kube/client.js';
import { readKubeconfig } from '../../../apps/lab/src/kube/kubeconfig.js';
import { isReady, type KubeLease, type KubeNode, type KubePod } from '../../../apps/lab/src/kube/objects.js';
import type { ApiHandle } from '../../support/kube-api/index.js';
import { HEDDLE_LAB, type TestLab, until } from '../../support/lab.js';

const NAMESPACE = 'life';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const NODES = ['node1', 'node2', 'node3'];

const podObject = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: NAMESPACE, name, ...metadata },
  spec: { containers: [{ name: 'echo', image: 'heddle/echo', ports: [{ containerPort: 8080 }] }], ...spec },
});
const PAUSE = { containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10' }] };

/** What pods leave on a lab while they are there; none of it may stay. */
export interface Traces {
  readonly netns: number;
  readonly ports: number;
  readonly links: number;
  readonly attached: number;
  readonly recorded: number;
  readonly flows: readonly number[];
}

export async function traces(lab: TestLab): Promise<Traces> {
  const pods = await lab.api.get(ROUTES.pods, z.array(PodView));
  const count = async (text: Promise<string>, what: RegExp) => ((await text).match(what) ?? []).length;
  const each = <T>(look: (node: string) => Promise<T>) => Promise.all(NODES.map(look));
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
  const command = async (...argv: readonly string[]) => (await lab.must(argv[0] ?? '', argv.slice(1))).stdout;
  const ports = (node: string) =>
    command('ovs-vsctl', `--db=unix:${lab.nodeDir(node)}/db.sock`, '--bare', '--columns=name', 'list', 'Interface');
  return {
    netns: (await readdir('/run/netns')).filter((n) => n.startsWith(`${lab.paths.prefix}${NAMESPACE}-`)).length,
    ports: sum(await each((n) => count(ports(n), /^hd[0-9a-f]{13}$/gm))),
    links: sum(await each((n) => count(command('ip', '-n', lab.netns(n), '-br', 'link'), /^hd[0-9a-f]{13}@/gm))),
    attached: pods.filter((p) => p.attachment !== null).length,
    recorded: (await lab.pods()).length,
    flows: await each(async (n) => (await lab.flows(n)).length),
  };
}

/** The lab as the kubelets of an API server. `open` starts the server; the suite ends it. */
export function kubeletSuite(lab: TestLab, open: () => Promise<ApiHandle>): void {
  let folder: string;
  let server: ApiHandle;
  let kube: KubeClient;
  const get = (name: string) => kube.find<KubePod>(`${PODS}/${name}`);
  const create = (pod: object) => kube.create<KubePod>(PODS, pod);
  const ready = (...names: readonly string[]) =>
    until(
      `${names.join(', ')} ready`,
      async () => (await Promise.all(names.map(get))).every((p) => p !== undefined && isReady(p)),
      60_000,
    );
  const remove = async (...names: readonly string[]) => {
    for (const name of names)
      await kube.delete(`${PODS}/${name}`).catch((e: unknown) => {
        if (!isStatus(e, 404)) throw e;
      });
    await until(
      `${names} are gone`,
      async () => (await Promise.all(names.map(get))).every((p) => p === undefined),
      60_000,
    );
  };
  const addressOf = async (name: string, family: 4 | 6 = 4) =>
    (await get(name))?.status?.podIPs?.find((p) => p.ip.includes(':') === (family === 6))?.ip ?? '';
  const reaches = async (from: string, to: string, port = 8080) =>
    (await lab.probeOne(`${NAMESPACE}/${from}`, { protocol: 'tcp', address: await addressOf(to), port })).outcome;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'heddle-kubelet-'));
    server = await open();
    const kubeconfig = await server.kubeconfigFile(folder);
    kube = new KubeClient(readKubeconfig(kubeconfig));
    await lab.up(undefined, '--kubeconfig', kubeconfig);
    await kube.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    // Made by the lab, since no kube-controller-manager runs.
    await until(
      'the namespace has its service account',
      async () => (await kube.find(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`)) !== undefined,
    );
  }, 180_000);
  afterAll(async () => {
    await lab.down();
    kube?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('registers its nodes, and shows that they live', async () => {
    const shown = async (i: number, name: string) => {
      const node = await kube.get<KubeNode & { status: { addresses: object[] } }>(`/api/v1/nodes/${name}`);
      expect(node.status.addresses).toContainEqual({ type: 'InternalIP', address: `172.31.99.${i + 1}` });
      expect(node.status.conditions?.find((c) => c.type === 'Ready')?.status).toBe('True');
      const lease = await kube.get<KubeLease>(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`);
      expect(lease.spec?.holderIdentity).toBe(name);
      return true;
    };
    // One thing is written after the other.
    for (const [i, name] of NODES.entries()) await until(`${name} is there`, () => shown(i, name));
  });

  it('runs what is scheduled, schedules where nobody does, and reports', async () => {
    await kube.mergePatch('/api/v1/nodes/node3', { metadata: { labels: { disk: 'ssd' } } });
    await create(podObject('fixed', { nodeName: 'node2' }));
    await create(podObject('picky', { nodeSelector: { disk: 'ssd' } }));
    await create(podObject('nowhere', { nodeSelector: { disk: 'tape' } }));
    await ready('fixed', 'picky');
    const [fixed, picky, nowhere] = await Promise.all(['fixed', 'picky', 'nowhere'].map(get));
    expect([fixed?.spec.nodeName, picky?.spec.nodeName, nowhere?.spec.nodeName]).toEqual(['node2', 'node3', undefined]);
    const view = (await lab.podViews()).find((v) => v.name === 'fixed');
    expect(fixed?.status?.phase).toBe('Running');
    expect(fixed?.status?.podIPs?.map((p) => p.ip)).toEqual(view?.attachment?.ips);
    expect(await reaches('fixed', 'picky')).toBe('ok');
    await remove('fixed', 'picky', 'nowhere');
    expect(await traces(lab)).toMatchObject({ netns: 0, ports: 0, links: 0, attached: 0, recorded: 0 });
  });

  it('takes a pod under an old name for another pod', async () => {
    const old = await create(podObject('twin', { nodeName: 'node1' }));
    await ready('twin');
    const before = await lab.pod(`${NAMESPACE}/twin`);
    // As `kubectl delete --force`: kubelet was not asked, and the name is free at once.
    await kube.delete(`${PODS}/twin`, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 });
    const fresh = await create(podObject('twin', { nodeName: 'node2' }));
    expect(fresh.metadata.uid).not.toBe(old.metadata.uid);
    await ready('twin');
    const after = await lab.pod(`${NAMESPACE}/twin`);
    expect([before.uid, after.uid]).toEqual([old.metadata.uid, fresh.metadata.uid]);
    expect(after.ips).not.toEqual(before.ips);
    await remove('twin');
    expect(await traces(lab)).toMatchObject({ netns: 0, ports: 0, links: 0, attached: 0, recorded: 0 });
  });

  it("runs a static pod, whose UID at the node is another than its mirror's", async () => {
    const hash = '7b9a1d0c3e5f42608897abcdef012345';
    const annotations = {
      'kubernetes.io/config.mirror': hash,
      'kubernetes.io/config.hash': hash,
      'kubernetes.io/config.source': 'file',
    };
    const mirror = await create(podObject('static-node1', { nodeName: 'node1' }, { annotations }));
    await ready('static-node1');
    const { uid, cniUid } = await lab.pod(`${NAMESPACE}/static-node1`);
    expect([uid, cniUid]).toEqual([mirror.metadata.uid, hash]);
    await remove('static-node1');
  });

  it('is taken over where it was killed, the controller too', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `over-${i}`);
    await create(podObject('first', { nodeName: 'node1' }));
    await ready('first');
    const before = await lab.pod(`${NAMESPACE}/first`);
    for (const name of names) await create(podObject(name, PAUSE));
    await until('some pods have begun', async () => (await traces(lab)).netns > 2);
    await lab.kill(KUBELET);
    await lab.kill(CONTROLLER);
    await kube.delete(`${PODS}/over-0`);
    await lab.startController();
    await lab.must(HEDDLE_LAB, ['start', 'kubelet']);
    await ready('first', ...names.slice(1));
    await until('the deleted one is gone', async () => (await get('over-0')) === undefined);
    const after = await lab.pod(`${NAMESPACE}/first`);
    expect([after.containerId, after.ips]).toEqual([before.containerId, before.ips]);
    expect(await traces(lab)).toMatchObject({ netns: 9, ports: 9, links: 9, attached: 9, recorded: 9 });
    await remove('first', ...names.slice(1));
    expect(await traces(lab)).toMatchObject({ netns: 0, ports: 0, links: 0, attached: 0, recorded: 0 });
  });

  it('honours readiness: a service has the endpoints that are ready', async () => {
    const flag = join(folder, 'ready');
    const readinessProbe = { exec: { command: ['test', '-e', flag] }, periodSeconds: 1, failureThreshold: 1 };
    const containers = [{ name: 'echo', image: 'heddle/echo', ports: [{ containerPort: 80 }], readinessProbe }];
    await kube.create(`/api/v1/namespaces/${NAMESPACE}/services`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    await create(podObject('web', { containers }, { labels: { app: 'web' } }));
    await create(podObject('asker'));
    await ready('asker');
    await until('web runs', async () => (await get('web'))?.status?.phase === 'Running');
    expect(isReady((await get('web')) as KubePod)).toBe(false);
    // Pods and services come to the controller on different ways.
    let address = '';
    await until('the controller has the service', async () => {
      address = (await lab.service(`${NAMESPACE}/web`)).clusterIps[0] ?? '';
      return true;
    });
    const ask = async () => (await lab.probeOne(`${NAMESPACE}/asker`, { protocol: 'tcp', address, port: 80 })).outcome;
    await lab.realized();
    expect(await ask()).toBe('refused');
    writeFileSync(flag, '');
    await until('web is ready and answers', async () => (await ask()) === 'ok');
    expect(isReady((await get('web')) as KubePod)).toBe(true);
    rmSync(flag);
    await until('web is not ready and does not answer', async () => (await ask()) === 'refused');
    await kube.delete(`/api/v1/namespaces/${NAMESPACE}/services/web`);
    await remove('web', 'asker');
  });

  it.each([
    ['tcpSocket', { tcpSocket: { port: 'http' } }, { tcpSocket: { port: 4444 } }],
    ['httpGet', { httpGet: { port: 8080, path: '/' } }, { httpGet: { port: 4444 } }],
  ])('probes by %s', async (_name, good, bad) => {
    const containers = (probe: object) => [
      {
        name: 'echo',
        image: 'heddle/echo',
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { ...probe, periodSeconds: 1 },
      },
    ];
    await create(podObject('good', { containers: containers(good) }));
    await create(podObject('bad', { containers: containers(bad) }));
    await ready('good');
    await until('bad runs', async () => (await get('bad'))?.status?.phase === 'Running');
    expect(isReady((await get('bad')) as KubePod)).toBe(false);
    await remove('good', 'bad');
  });

  it.skipIf(!existsSync('/usr/lib/cni/portmap'))('opens hostPorts to the world outside', async () => {
    const ports = [{ containerPort: 8080, hostPort: 18_080 }];
    await create(podObject('open', { nodeName: 'node2', containers: [{ name: 'echo', image: 'heddle/echo', ports }] }));
    await ready('open');
    const addresses = ['172.31.99.2', '[fd00:31:99::2]'];
    /** Waits until the client is answered at these of the addresses, and at no other. */
    const answers = (what: string, ...wanted: readonly [v4: boolean, v6: boolean]) =>
      until(what, async () => {
        const got = await Promise.all(
          addresses.map(async (address, i) => {
            // What is denied costs the whole time.
            const command = ['curl', '-sS', '-m', wanted[i] ? '10' : '1', `http://${address}:18080/`];
            const r = await lab.run('ip', ['netns', 'exec', `${lab.paths.prefix}ul`, ...command]);
            return { answered: r.stdout.includes(`${NAMESPACE}/open`), said: r.stdout || r.stderr };
          }),
        );
        if (got.every(({ answered }, i) => answered === wanted[i])) return true;
        throw new Error(JSON.stringify(got));
      });
    await answers('everybody is admitted', true, true);
    // Policies judge the client's own address.
    const admit = async (...cidrs: readonly string[]) => {
      const policy = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'clients', namespace: NAMESPACE },
        spec: { podSelector: {}, ingress: [{ from: cidrs.map((cidr) => ({ ipBlock: { cidr } })) }] },
      };
      await lab.apply('clients.yaml', JSON.stringify(policy));
    };
    await admit('203.0.113.0/24');
    await answers('nobody is admitted', false, false);
    await admit('172.31.99.254/32');
    await answers('the client is admitted by IPv4', true, false);
    await lab.delete('clients.yaml');
    await remove('open');
    await answers('nothing is open any more', false, false);
  });

  it('honours bandwidth annotations in both directions', async () => {
    const limits = (direction: string) => ({ annotations: { [`kubernetes.io/${direction}-bandwidth`]: '16M' } });
    await create(podObject('free', { nodeName: 'node1' }));
    await create(podObject('in', { nodeName: 'node2' }, limits('ingress')));
    await create(podObject('out', { nodeName: 'node2' }, limits('egress')));
    await ready('free', 'in', 'out');
    const bytes = 2_000_000;
    // The one who fetches receives.
    const fetch = async (from: string, to: string) => {
      const address = await addressOf(to);
      const probe = { protocol: 'tcp', port: 8080, address, bytes, timeoutMs: 30_000 } as const;
      const result = await lab.probeOne(`${NAMESPACE}/${from}`, probe);
      expect(result).toMatchObject({ outcome: 'ok', bytes });
      return result.ms;
    };
    const limited = { 'into "in"': await fetch('in', 'free'), 'out of "out"': await fetch('free', 'out') };
    // A second at the rate, less the tenth that may pass at once.
    const least = Math.min(...Object.values(limited));
    expect(least).toBeGreaterThan(700);
    // A busy machine has its own limits now and then; this one would always be there.
    const free: Record<string, number> = {};
    for (const [way, from, to] of [
      ['out of "in"', 'free', 'in'],
      ['into "out"', 'out', 'free'],
    ] as const)
      await until(`${way} is not limited, which takes ${least} ms`, async () => {
        free[way] = await fetch(from, to);
        if (free[way] < least * 0.7) return true;
        throw new Error(`${free[way]} ms`);
      });
    console.log(`2 MB at a limit of 16 Mbit/s, ms: ${JSON.stringify({ ...limited, ...free })}`);
    await remove('free', 'in', 'out');
  });

  it('60 pods at once: every one attached, no address twice, nothing left afterwards', async () => {
    const before = await traces(lab);
    const names = Array.from({ length: 60 }, (_, i) => `many-${i}`);
    const start = performance.now();
    await Promise.all(names.map((name, i) => create(podObject(name, i % 6 === 0 ? {} : PAUSE))));
    await ready(...names);
    const up = performance.now();
    const ips = (await Promise.all(names.map(get))).flatMap((p) => p?.status?.podIPs?.map((x) => x.ip) ?? []);
    expect([ips.length, new Set(ips).size]).toEqual([120, 120]);
    expect(await traces(lab)).toMatchObject({ netns: 60, ports: 60, links: 60, attached: 60, recorded: 60 });
    expect(await reaches('many-0', 'many-6')).toBe('ok');
    await remove(...names);
    console.log(
      `60 pods: ready after ${((up - start) / 1000).toFixed(1)} s, gone after ${((performance.now() - up) / 1000).toFixed(1)} s`,
    );
    await lab.realized();
    expect(await traces(lab)).toEqual(before);
  });

  it('an API server killed in the middle of churn: traffic goes on, and everything is done when it is back', async () => {
    const before = await traces(lab);
    await create(podObject('stay', { nodeName: 'node1' }));
    await create(podObject('peer', { nodeName: 'node2' }));
    const leaving = Array.from({ length: 12 }, (_, i) => `leave-${i}`);
    for (const name of leaving) await create(podObject(name, PAUSE));
    await ready('stay', 'peer', ...leaving);
    const peer = await addressOf('peer');
    const coming = Array.from({ length: 12 }, (_, i) => `come-${i}`);
    // Not waited for: the server dies while kubelets are at work on these.
    for (const name of leaving) await kube.delete(`${PODS}/${name}`);
    for (const name of coming) await create(podObject(name, PAUSE));
    await until('the churn has begun', async () => {
      const there = (await lab.pods()).map(({ name }) => name);
      return there.some((name) => coming.includes(name)) || leaving.some((name) => !there.includes(name));
    });
    await server.kill();
    const outage = performance.now();
    for (let i = 0; i < 20; i++)
      expect((await lab.probeOne(`${NAMESPACE}/stay`, { protocol: 'tcp', address: peer, port: 8080 })).outcome).toBe(
        'ok',
      );
    await server.restart();
    const back = performance.now();
    await ready('stay', 'peer', ...coming);
    await until('leaving pods are gone', async () =>
      (await Promise.all(leaving.map(get))).every((p) => p === undefined),
    );
    console.log(
      `API server away for ${((back - outage) / 1000).toFixed(1)} s; all done ${((performance.now() - back) / 1000).toFixed(1)} s after its return`,
    );
    expect(await traces(lab)).toMatchObject({ netns: 14, ports: 14, links: 14, attached: 14, recorded: 14 });
    await remove('stay', 'peer', ...coming);
    await lab.realized();
    expect(await traces(lab)).toEqual(before);
  });

  describe('many policies in one file', () => {
    const COUNT = 2_000;
    const file = 'policies.yaml';
    it(`${COUNT} are acknowledged by every switch, and go again`, async () => {
      await create(podObject('judged', PAUSE, { labels: { app: 'p7' } }));
      await ready('judged');
      const before = (await traces(lab)).flows;
      const policies = Array.from({ length: COUNT }, (_, i) => ({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: `p${i}`, namespace: NAMESPACE },
        spec: {
          podSelector: { matchLabels: { app: `p${i}` } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: `q${i}` } } }], ports: [{ port: 80 + (i % 10) }] }],
        },
      }));
      const text = policies.map((p) => JSON.stringify(p)).join('\n---\n');
      const start = performance.now();
      await lab.must(HEDDLE_LAB, ['apply', lab.manifestFile(file, text), '--timeout', '100']);
      const ms = performance.now() - start;
      const shown = (await lab.api.get(ROUTES.policies, z.array(PolicyView))).filter((p) => p.namespace === NAMESPACE);
      expect(shown).toHaveLength(COUNT);
      expect(shown.find((p) => p.name === 'p7')?.subjects).toEqual([`${NAMESPACE}/judged`]);
      const removing = performance.now();
      await lab.must(HEDDLE_LAB, ['delete', file, '--timeout', '100']);
      console.log(
        `${COUNT} policies of one file: acknowledged ${(ms / 1000).toFixed(1)} s after the command began, gone after ${((performance.now() - removing) / 1000).toFixed(1)} s`,
      );
      expect((await traces(lab)).flows).toEqual(before);
      await remove('judged');
    }, 240_000);
  });
}
