import { Writable } from 'node:stream';
import {
  ApiClient,
  Attachment,
  NodeConfig,
  NodeView,
  PolicyCountersView,
  PolicyLogView,
  path,
  RealizedAnswer,
  ROUTES,
  StatusView,
} from '@heddle/api';
import { l4Packet, METERS, TCP_FLAGS } from '@heddle/compiler';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../apps/controller/src/clock.js';
import { readConfig } from '../../apps/controller/src/config/config.js';
import { Controller } from '../../apps/controller/src/controller.js';
import { production } from '../../apps/controller/src/runtime/production.js';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { controllerEnvironment } from '../support/controller.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { freePort } from '../support/ports.js';
import { toBytes } from './evaluate-bytes.js';

const POD = (name: string) => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { containers: [{ name: main }] }
---
`;
const policy = (log: string, ports: readonly number[]) => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: guard, namespace: shop, annotations: { heddle.dev/log: ${log} } }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
${ports.map((port) => `  - { from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: ${port} }] }`).join('\n')}
`;
const CLUSTER_POLICY = `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: never, annotations: { heddle.dev/log: drops } }
spec:
  tier: Admin
  priority: 10
  subject: { namespaces: {} }
  ingress:
  - name: no-ssh
    action: Deny
    from: [{ namespaces: {} }]
    protocols: [{ tcp: { destinationPort: { number: 22 } } }]
`;
const ROUTER = '0a:58:00:00:00:01';
const BURST = 50;

type Line = Readonly<Record<string, unknown>>;

describe.skipIf(!hasOvs())('policies at work on a real switch', () => {
  let folder: TestFolder;
  let controller: Controller | undefined;
  let ovs: TestSwitch | undefined;
  let client: ApiClient;
  let port: number;
  let lines: Line[];
  let pods: { readonly web: Attachment; readonly db: Attachment };

  beforeEach(async () => {
    folder = new TestFolder();
    lines = [];
    folder.write('pods.yaml', POD('web') + POD('db'));
    port = await freePort();
    await start();
    await bringUp();
  });
  afterEach(async () => {
    await controller?.stop();
    controller = undefined;
    await ovs?.stop();
    ovs = undefined;
    folder.remove();
  });

  async function start(readIntervalMs = 100): Promise<void> {
    const config = readConfig({ ...controllerEnvironment(folder, port), HEDDLE_LOG_LEVEL: 'info' });
    client = new ApiClient({ url: `unix:${folder.socket}` });
    const sink = new Writable({
      write(chunk, _, done) {
        lines.push(JSON.parse(String(chunk)) as Line);
        done();
      },
    });
    const policyWatchTimes = { windowMs: 800, readIntervalMs, writeIntervalMs: 200 };
    const logger = pino({ level: 'info', base: undefined }, sink);
    controller = await Controller.start({ config, logger, clock: systemClock, policyWatchTimes, ...production });
  }
  async function restart(readIntervalMs?: number): Promise<void> {
    await controller?.stop();
    controller = undefined;
    await start(readIntervalMs);
    await settled();
  }
  const settled = async () =>
    expect(await client.get(ROUTES.status, StatusView, { query: { waitMs: 20_000 } })).toMatchObject({
      realized: true,
    });

  async function bringUp(): Promise<void> {
    const body = { encapIp: '172.31.99.1', addresses: ['172.31.99.1'], underlayMtu: 1500, datapathType: 'netdev' };
    const node = await client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body });
    ovs = await startSwitch({ datapathId: BigInt(`0x${node.datapathId}`) });
    await ovs.vsctl('set-controller', 'br-int', `tcp:127.0.0.1:${port}`);
    await ovs.vsctl('set', 'controller', 'br-int', 'max_backoff=1000');
    const attach = async (pod: string): Promise<Attachment> => {
      const request = { node: 'node1', containerId: `c-${pod}`, ifname: 'eth0', namespace: 'shop', pod };
      const attachment = await client.post(ROUTES.agentAttach, Attachment, { body: request });
      await ovs?.addPort(pod, attachment.ofport);
      const realized = { portKey: attachment.portKey, timeoutMs: 10_000 };
      await client.post(ROUTES.agentRealized, RealizedAnswer, { body: realized });
      return attachment;
    };
    pods = { web: await attach('web'), db: await attach('db') };
    await settled();
  }
  async function put(file: string, text: string): Promise<void> {
    folder.write(file, text);
    await settled();
  }

  const address = (pod: Attachment): string => pod.ips.find((a) => !a.includes(':')) ?? '';
  const segment = (from: Attachment, to: Attachment, srcPort: number, dstPort: number, tcpFlags: number): string =>
    toBytes(
      l4Packet({
        ...{ ethSrc: from.mac, ethDst: ROUTER, src: address(from), dst: address(to), protocol: 'tcp' },
        ...{ srcPort, dstPort, tcpFlags },
      }),
    ).toString('hex');
  async function send(pod: string, ...packets: readonly string[]): Promise<void> {
    await ovs?.receive(pod, ...packets);
    // The datapath hands its counters in.
    await ovs?.purge();
  }
  let source = 1_000;
  /** So many new connections from web to a port of db, in bursts. */
  async function knock(dstPort: number, n: number, from = source): Promise<void> {
    for (let sent = 0; sent < n; ) {
      const packets = Array.from({ length: Math.min(BURST, n - sent) }, (_, i) =>
        segment(pods.web, pods.db, from + sent + i, dstPort, TCP_FLAGS.syn),
      );
      await send('web', ...packets);
      sent += packets.length;
    }
    if (from === source) source += n;
  }
  const counters = async () => {
    const { rules } = await client.get(path(ROUTES.policyCounters, 'shop', 'guard'), PolicyCountersView);
    return rules.map((r) => [r.rule ?? r.direction, r.packets]);
  };
  const log = (query: Record<string, string | number> = {}) => client.get(ROUTES.policyLog, PolicyLogView, { query });
  const quick = { interval: 20 };

  it('says once a window, with the count, what was denied, and what a chosen rule allowed', async () => {
    await put('policy.yaml', policy('all', [8080]));
    await knock(9090, 20);
    await knock(8080, 5);
    await expect.poll(async () => (await log()).events.length, quick).toBe(2);
    const { events } = await log();
    const common = { node: 'node1', direction: 'ingress', from: 'shop/web', to: 'shop/db', protocol: 'tcp' };
    expect(events).toMatchObject([
      { ...common, verdict: 'denied', port: 9090, policies: ['shop/guard'], rule: null, count: 20 },
      { ...common, verdict: 'allowed', port: 8080, policies: ['shop/guard'], rule: 0, count: 5 },
    ]);
    const written = lines.filter((l) => l.event === 'policy-verdict');
    expect(written).toMatchObject(events.map(({ time, ...e }) => ({ ...e, since: time })));
    expect((await log({ verdict: 'denied' })).events).toHaveLength(1);
    expect((await log({ pod: 'shop/other' })).events).toHaveLength(0);
    expect((await log({ policy: 'shop/guard', after: events[0]?.seq ?? 0 })).events).toEqual(events.slice(1));
  });
  it('says nothing of what nobody asks for, and begins and ends with the annotation', async () => {
    await put('policy.yaml', policy('none', [8080]));
    await knock(9090, 3);
    await knock(8080, 3);
    await put('policy.yaml', policy('drops', [8080]));
    await knock(8080, 3);
    await knock(9091, 4);
    await expect.poll(async () => (await log()).events.length, quick).toBe(1);
    expect((await log()).events).toMatchObject([{ verdict: 'denied', port: 9091, count: 4 }]);
  });
  it('tells of denials by cluster policies, and counts them', async () => {
    await put('cluster.yaml', CLUSTER_POLICY);
    await knock(22, 7);
    await expect.poll(async () => (await log()).events.length, quick).toBe(1);
    expect((await log({ policy: 'never' })).events).toMatchObject([
      { verdict: 'denied', port: 22, policies: ['never'], rule: 0, count: 7 },
    ]);
    await expect
      .poll(
        async () => (await client.get(path(ROUTES.clusterPolicyCounters, 'never'), PolicyCountersView)).rules,
        quick,
      )
      .toMatchObject([{ direction: 'ingress', rule: 0, name: 'no-ssh', verdict: 'denied', packets: 7 }]);
  });
  it('cuts a connection that it tells of, as it would without telling', async () => {
    await put('policy.yaml', policy('drops', [8080]));
    const { syn, ack } = TCP_FLAGS;
    const [request, answer] = [
      (flags: number) => ['web', segment(pods.web, pods.db, 999, 8080, flags)] as const,
      (flags: number) => ['db', segment(pods.db, pods.web, 8080, 999, flags)] as const,
    ];
    const delivered = async (pod: string) =>
      Number(/tx pkts=(\d+)/.exec((await ovs?.ofctl('dump-ports', 'br-int', pod)) ?? '')?.[1]);
    await send(...request(syn));
    await send(...answer(syn | ack));
    await send(...request(ack));
    expect([await delivered('web'), await delivered('db')]).toEqual([1, 2]);
    await put('policy.yaml', policy('drops', [9999]));
    await send(...request(ack));
    await send(...answer(ack));
    expect([await delivered('web'), await delivered('db')]).toEqual([1, 2]);
    await expect
      .poll(async () => (await log()).events, quick)
      .toMatchObject([{ verdict: 'denied', port: 8080, count: 1 }]);
  });
  it('is not flooded: the datapath tells of so many packets a second, and counts all of them', async () => {
    await put('policy.yaml', policy('drops', [8080]));
    const { rate, burst } = METERS.policyLog;
    const startedAt = performance.now();
    await knock(9090, 2_000);
    const seconds = (performance.now() - startedAt) / 1000;
    await expect.poll(counters, quick).toEqual([
      [0, 0],
      ['ingress', 2_000],
    ]);
    const told = () =>
      controller?.runtime.policyWatch.log.events({ verdict: 'denied' }, 2_000).reduce((n, e) => n + e.count, 0) ?? 0;
    await expect.poll(told, quick).toBeGreaterThanOrEqual(burst);
    expect(told()).toBeLessThanOrEqual(burst + rate * (seconds + 1));
  });
  it('does not count as dropped what isolation leaves alone', async () => {
    const none = policy('none', []).replace('app: db', 'app: web').replace('ingress:', 'policyTypes: [Egress]');
    await put('policy.yaml', none);
    const { gatewayIps = [] } = (await client.get(ROUTES.nodes, z.array(NodeView)))[0] ?? {};
    const gateway = { ...pods.db, ips: gatewayIps };
    for (let i = 0; i < 5; i++) await send('web', segment(pods.web, gateway, 900 + i, 80, TCP_FLAGS.syn));
    await knock(8080, 3);
    await expect.poll(counters, quick).toEqual([['egress', 3]]);
  });
  it('counts every packet once, over recompilation and restarts of the controller and of the switch', async () => {
    await put('policy.yaml', policy('none', [8080]));
    await knock(8080, 30);
    await knock(9090, 12);
    await expect.poll(counters, quick).toEqual([
      [0, 30],
      ['ingress', 12],
    ]);
    // Another rule joins: the first one's flows are made anew where they differ.
    await put('policy.yaml', policy('none', [8080, 8443]));
    await knock(8080, 5);
    await knock(8443, 6);
    await expect.poll(counters, quick).toEqual([
      [0, 35],
      [1, 6],
      ['ingress', 12],
    ]);
    await restart();
    expect(await counters()).toEqual([
      [0, 35],
      [1, 6],
      ['ingress', 12],
    ]);
    await knock(8080, 7);
    await expect.poll(counters, quick).toEqual([
      [0, 42],
      [1, 6],
      ['ingress', 12],
    ]);
    // What the switch counts while no controller runs is not lost.
    await controller?.stop();
    controller = undefined;
    await knock(9090, 9);
    await start();
    await settled();
    await expect.poll(counters, quick).toEqual([
      [0, 42],
      [1, 6],
      ['ingress', 21],
    ]);
    await ovs?.killVswitchd();
    await ovs?.startVswitchd();
    await expect.poll(async () => (await ovs?.flows('table=61'))?.length).toBeGreaterThan(2);
    await settled();
    // Fewer, and more, than before the restart.
    await knock(8080, 3);
    await knock(8443, 100);
    await expect.poll(counters, quick).toEqual([
      [0, 45],
      [1, 106],
      ['ingress', 21],
    ]);
  });
  it('counts what came between the last reading and the removal of a flow', async () => {
    await put('policy.yaml', policy('none', [8080, 8443]));
    // As good as never: only what is read because flows go.
    await restart(600_000);
    await knock(8443, 11);
    await put('policy.yaml', policy('none', [8080]));
    await put('policy.yaml', policy('none', [8080, 8443]));
    await knock(8443, 12);
    await controller?.runtime.policyWatch.counters.readAll();
    expect(await counters()).toEqual([
      [0, 0],
      [1, 23],
      ['ingress', 0],
    ]);
  });
});
