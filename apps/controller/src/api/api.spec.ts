import { existsSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import {
  ApiClient,
  Attachment,
  ExplainView,
  FlowsView,
  NodeConfig,
  NodeRealizedAnswer,
  NodeView,
  PodView,
  PolicyView,
  ProblemView,
  path,
  RealizedAnswer,
  RemovedNodeView,
  ROUTES,
  ServiceView,
  StatusView,
} from '@heddle/api';
import { nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../testing/folder.js';
import { type Harness, startHarness } from '../testing/harness.js';

const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, ports: [{ name: http, containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }] }
`;
const pod = (name: string, labels: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: ${labels} }\nspec: { containers: [{ name: c }] }\n`;
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web-only, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress:
  - from: [{ podSelector: { matchLabels: { app: web } } }]
    ports: [{ port: http }]
`;
const GUARD = `${pod('guard', '{ app: guard }')}---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: guard, namespace: shop }
spec: { podSelector: { matchLabels: { app: guard } }, ingress: [{ from: [{ podSelector: {} }] }] }
`;
const NODE = { encapIp: '172.31.99.1', addresses: ['172.31.99.1'], underlayMtu: 1500, datapathType: 'netdev' };
const ADD = { node: 'node1', containerId: 'c1', ifname: 'eth0', namespace: 'shop', pod: 'web-0' };

let folder: TestFolder;
let h: Harness;

beforeEach(() => {
  folder = new TestFolder();
  folder.write('web.yaml', WEB);
});
afterEach(async () => {
  await h?.stop();
  folder.remove();
});

const register = (name = 'node1', body: object = NODE) =>
  h.client.put(path(ROUTES.agentNode, name), NodeConfig, { body });
const attach = (body: object = ADD) => h.client.post(ROUTES.agentAttach, Attachment, { body });
const realized = (portKey: number, timeoutMs: number) =>
  h.client.post(ROUTES.agentRealized, RealizedAnswer, { body: { portKey, timeoutMs } });
const status = (waitMs?: number) => h.client.get(ROUTES.status, StatusView, { query: { waitMs } });

describe('the life of a pod', () => {
  it('goes from registration over attach and realized to detach', async () => {
    h = await startHarness(folder);
    expect(await register()).toEqual({
      generation: 2,
      node: 'node1',
      datapathId: '4865646400000001',
      encap: 'geneve',
      podMtu: 1442,
      clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'],
      serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
      routerMac: '0a:58:00:00:00:01',
      routerIps: ['169.254.1.1', 'fe80::1'],
      gateway: { mac: '0a:59:00:00:00:01', ips: ['10.244.0.1', 'fd00:10:244::1'], ofport: 2 },
      tunnelOfport: 1,
      openflowTargets: ['tcp::6653'],
      ovsdbTargets: ['tcp::6640'],
      peers: [],
    });
    h.switches.connect('node1');
    const attachment = await attach();
    expect(attachment).toEqual({
      ...ADD,
      portKey: 1,
      ofport: 256,
      mac: '0a:5a:00:00:00:01',
      ips: ['10.244.0.2', 'fd00:10:244::2'],
      mtu: 1442,
    });
    expect(await attach()).toEqual(attachment);
    expect(await realized(1, 1_000)).toMatchObject({ portKey: 1, realized: true });
    const services = await h.client.get(ROUTES.services, z.array(ServiceView));
    expect(services).toMatchObject([
      {
        clusterIps: ['10.96.1.0', 'fd00:10:96::100'],
        ports: [{ port: 80, targetPort: 'http', endpoints: ['10.244.0.2:8080', '[fd00:10:244::2]:8080'] }],
      },
    ]);
    const pods = await h.client.get(ROUTES.pods, z.array(PodView));
    expect(pods.map((p) => [p.name, p.attachment?.node, p.attachment?.realized])).toEqual([
      ['web-0', 'node1', true],
      ['web-1', undefined, undefined],
    ]);
    const detach = { body: { node: 'node1', containerId: 'c1', ifname: 'eth0' } };
    await h.client.post(ROUTES.agentDetach, z.object({}), detach);
    await h.client.post(ROUTES.agentDetach, z.object({}), detach);
    expect(await h.client.get(path(ROUTES.agentAttachments, 'node1'), z.array(Attachment))).toEqual([]);
    expect(h.compiler.fact('attachment', 'shop/web-0')).toBeUndefined();
    expect(h.compiler.fact('endpoints', 'shop/web')).toMatchObject({ ports: [{ endpoints: [] }] });
  });

  it('waits for a pod that the source does not know yet', async () => {
    h = await startHarness(folder);
    await register();
    const waiting = attach({ ...ADD, pod: 'late', waitMs: 5_000 });
    folder.write('late.yaml', pod('late', '{ a: b }'));
    expect(await waiting).toMatchObject({ pod: 'late' });
  });

  it('tells an agent when the switch of its node has acknowledged everything', async () => {
    h = await startHarness(folder);
    const wait = (name: string, timeoutMs: number) =>
      h.client.post(path(ROUTES.agentNodeRealized, name), NodeRealizedAnswer, { body: { timeoutMs } });
    await expect(wait('node1', 0)).rejects.toMatchObject({ code: 'unknown_node' });
    const { generation } = await register();
    await expect(wait('node1', 0)).rejects.toMatchObject({ code: 'timeout', status: 504 });
    const waiting = wait('node1', 5_000);
    h.switches.connect('node1');
    expect((await waiting).generation).toBeGreaterThanOrEqual(generation);
  });

  it('is not realized before the switch has acknowledged it', async () => {
    h = await startHarness(folder);
    await register();
    h.switches.connect('node1');
    h.switches.automatic = false;
    const { portKey } = await attach();
    await expect(realized(portKey, 30)).rejects.toMatchObject({ code: 'timeout', status: 504 });
    const waiting = realized(portKey, 5_000);
    h.switches.acknowledgeAll();
    expect(await waiting).toMatchObject({ realized: true });
  });

  it.each<[name: string, body: object, code: string, status: number, message: RegExp]>([
    ['an unknown pod', { ...ADD, pod: 'nobody', waitMs: 0 }, 'unknown_pod', 404, /no pod shop\/nobody/],
    ['an unknown node', { ...ADD, node: 'node9' }, 'unknown_node', 404, /node node9 has not registered/],
    ['a pod of another node', { ...ADD, pod: 'pinned' }, 'conflict', 409, /belongs on node node2/],
    ["a pod in the host's network", { ...ADD, pod: 'host' }, 'bad_request', 400, /host's network/],
    ['no container', { ...ADD, containerId: '' }, 'bad_request', 400, /containerId/],
    ['a path as container', { ...ADD, containerId: '../x' }, 'bad_request', 400, /containerId/],
    ['a wrong type', { ...ADD, waitMs: 'soon' }, 'bad_request', 400, /waitMs/],
  ])('refuses to attach %s', async (_, body, code, httpStatus, message) => {
    folder.write('pinned.yaml', pod('pinned', '{}').replace('spec: {', 'spec: { nodeName: node2,'));
    folder.write('host.yaml', pod('host', '{}').replace('spec: {', 'spec: { hostNetwork: true,'));
    h = await startHarness(folder);
    await register();
    await expect(attach(body)).rejects.toMatchObject({
      code,
      status: httpStatus,
      message: expect.stringMatching(message),
    });
    expect(h.controller.runtime.allocations.attachments.size).toBe(0);
  });

  it('names the pool that is empty', async () => {
    folder.write('many.yaml', Array.from({ length: 70 }, (_, i) => pod(`p${i}`, '{}')).join('---\n'));
    h = await startHarness(folder, { HEDDLE_CLUSTER_CIDR: '10.9.0.0/26', HEDDLE_SERVICE_CIDR: '10.96.0.0/16' });
    await register();
    for (let i = 0; i < 62; i++) await attach({ ...ADD, containerId: `c${i}`, pod: `p${i}` });
    await expect(attach({ ...ADD, containerId: 'c62', pod: 'p62' })).rejects.toMatchObject({
      code: 'pool_exhausted',
      status: 409,
      message: expect.stringContaining('10.9.0.0/26'),
    });
  });
});

describe('an identity that changes', () => {
  const held = () => h.compiler.fact('hold', 'shop/a');
  /** Pod a on node1, and on node2 a pod whose policy names every pod of the namespace as a peer. */
  const twoNodes = async (connected: readonly string[] = ['node1', 'node2'], given?: Record<string, string>) => {
    folder.write('a.yaml', pod('a', '{ v: "1" }'));
    folder.write('guard.yaml', GUARD);
    h = await startHarness(folder, given);
    for (const [i, name] of ['node1', 'node2'].entries())
      await register(name, { ...NODE, encapIp: `172.31.99.${i + 1}` });
    for (const name of connected) h.switches.connect(name);
    await attach({ ...ADD, pod: 'a' });
    await attach({ ...ADD, node: 'node2', containerId: 'c2', pod: 'guard' });
    await status(1_000);
  };

  it('that concerns its own node only is switched over at once', async () => {
    await twoNodes();
    folder.write('guard.yaml', pod('guard', '{ app: guard }'));
    await status(1_000);
    h.switches.automatic = false;
    const carried = () => h.compiler.carriedIdentityOf('shop', 'a')?.number;
    const before = carried();
    folder.write('a.yaml', pod('a', '{ v: "2" }'));
    await h.controller.runtime.source.refresh();
    expect(held()).toBeUndefined();
    expect(carried()).not.toBe(before);
    // Not while a switch may still lack what an earlier change brought.
    folder.write('a.yaml', pod('a', '{ v: "3" }'));
    await h.controller.runtime.source.refresh();
    expect(held()?.identityKey).toContain('"2"');
  });

  it('is held until every switch knows the new one', async () => {
    await twoNodes();
    h.switches.automatic = false;
    folder.write('a.yaml', pod('a', '{ v: "2" }'));
    await h.controller.runtime.source.refresh();
    const { generation } = h.controller.runtime.engine;
    expect(held()?.identityKey).toContain('"1"');
    const waiting = status(5_000);
    h.switches.acknowledge('node1', generation);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(held()).toBeDefined();
    h.switches.automatic = true;
    h.switches.acknowledge('node2', generation);
    expect(await waiting).toMatchObject({ realized: true, generation: generation + 1 });
    expect(held()).toBeUndefined();
  });

  it('is not held for by a switch that is away', async () => {
    await twoNodes(['node1']);
    folder.write('a.yaml', pod('a', '{ v: "2" }'));
    await h.controller.runtime.source.refresh();
    await expect.poll(held).toBeUndefined();
    expect(await status(50)).toMatchObject({ realized: false, waitingFor: ['node2: its switch is not connected'] });
  });

  it('is held on by a controller that starts in the middle', async () => {
    const database = { HEDDLE_DATABASE_URL: `sqlite:${join(folder.path, 'db')}` };
    await twoNodes(undefined, database);
    const carried = () => h.compiler.carriedIdentityOf('shop', 'a')?.number;
    const before = carried();
    h.switches.automatic = false;
    folder.write('a.yaml', pod('a', '{ v: "2" }'));
    await h.controller.runtime.source.refresh();
    // As a driver does before it sends.
    await h.controller.runtime.allocations.flush();
    await h.stop();

    h = await startHarness(folder, database);
    expect([carried(), held()?.identityKey]).toEqual([before, expect.stringContaining('"1"')]);
    h.switches.connect('node1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(carried()).toBe(before);
    h.switches.connect('node2');
    expect(await status(4_000)).toMatchObject({ realized: true });
    expect(held()).toBeUndefined();
    expect(carried()).not.toBe(before);
    await h.controller.runtime.allocations.flush();
    await h.stop();

    h = await startHarness(folder, database);
    expect(held()).toBeUndefined();
  });

  it('that comes back to what is carried is let go at once', async () => {
    await twoNodes();
    h.switches.automatic = false;
    for (const [version, expected] of [
      ['2', true],
      ['3', true],
      ['1', false],
    ] as const) {
      folder.write('a.yaml', pod('a', `{ v: "${version}" }`));
      await h.controller.runtime.source.refresh();
      expect(held() !== undefined).toBe(expected);
      expect(held()?.identityKey ?? '"1"').toContain('"1"');
    }
  });
});

describe('status', () => {
  it('waits for a change on the disk that nobody has noticed yet', async () => {
    h = await startHarness(folder);
    await register();
    h.switches.connect('node1');
    folder.write('more.yaml', pod('more', '{}'));
    expect(await status(5_000)).toMatchObject({ realized: true, counts: { pods: 3, services: 1 }, waitingFor: [] });
  });

  it('says at the time-out what it waited for', async () => {
    h = await startHarness(folder);
    await register();
    h.switches.connect('node1');
    h.switches.automatic = false;
    await attach();
    const { waitingFor, realized: done } = await status(40);
    expect(done).toBe(false);
    expect(waitingFor).toEqual([expect.stringMatching(/^node1: its switch has acknowledged generation \d+ of \d+$/)]);
  });

  it('shows nodes, problems of the source and of what it asks for', async () => {
    folder.write(
      'bad.yaml',
      'apiVersion: v1\nkind: Service\nmetadata: { name: bad }\nspec:\n  clusterIP: 10.1.1.1\n  ports: [{ port: 80 }]\n',
    );
    folder.write('broken.yaml', 'a: [\n');
    h = await startHarness(folder);
    await register();
    h.switches.connect('node1');
    const nodes = await h.client.get(ROUTES.nodes, z.array(NodeView));
    expect(nodes).toMatchObject([
      { name: 'node1', key: 1, blocks: ['10.244.0.0/26', 'fd00:10:244::/122'], openflow: { connected: true } },
    ]);
    const problems = await h.client.get(ROUTES.problems, z.array(ProblemView));
    expect(problems.map((p) => [p.file, p.severity])).toEqual([
      ['broken.yaml', 'error'],
      ['bad.yaml', 'error'],
    ]);
    expect(problems[1]).toMatchObject({ line: 1, reason: expect.stringContaining('not in the service CIDR') });
    const policies = await h.client.get(ROUTES.policies, z.array(PolicyView));
    expect(policies).toEqual([]);
  });
});

describe('the configuration of a node', () => {
  const config = (after: number, waitMs: number) =>
    h.client.get(path(ROUTES.agentNodeConfig, 'node1'), NodeConfig, { query: { after, waitMs } });

  it('is answered when a peer joins', async () => {
    h = await startHarness(folder);
    const { generation } = await register();
    const waiting = config(generation, 5_000);
    await register('node2', { ...NODE, encapIp: '172.31.99.2' });
    expect(await waiting).toMatchObject({
      generation: generation + 1,
      peers: [{ name: 'node2', encapIp: '172.31.99.2' }],
    });
  });

  it('is answered unchanged when the time is up, and at once to who knows another life', async () => {
    h = await startHarness(folder);
    const { generation } = await register();
    expect(await config(generation, 20)).toMatchObject({ generation });
    expect(await config(generation + 100, 60_000)).toMatchObject({ generation });
  });
});

describe('a restart', () => {
  const flows = () => {
    const set = h.compiler.node(nodeName('node1')) ?? expect.fail('there is no node1');
    return {
      flows: [...set.flows].sort(([a], [b]) => (a < b ? -1 : 1)),
      groups: [...set.groups].sort(([a], [b]) => a - b),
    };
  };

  it('compiles the same flows with the same cookies, and knows everything that it answered', async () => {
    const database = { HEDDLE_DATABASE_URL: `sqlite:${join(folder.path, 'db')}` };
    // Another order than that of the facts after a restart, so that numbers are given in another order too.
    h = await startHarness(folder, database);
    const config = await register();
    const first = await attach();
    folder.write('policy.yaml', POLICY);
    await status(10);
    const second = await attach({ ...ADD, containerId: 'c2', pod: 'web-1' });
    const before = flows();
    expect(before.flows.length).toBeGreaterThan(100);
    expect(before.groups).toHaveLength(2);
    await h.stop();
    h = await startHarness(folder, database);
    expect(h.controller.runtime.engine.generation).toBe(1);
    expect(flows()).toEqual(before);
    expect(await register()).toEqual(config);
    expect(await attach()).toEqual(first);
    expect(await h.client.get(path(ROUTES.agentAttachments, 'node1'), z.array(Attachment))).toEqual([first, second]);
  });
});

describe('explain and flows', () => {
  const explain = (query: Record<string, string | number>) => h.client.get(ROUTES.explain, ExplainView, { query });

  it('say which policy decides, and which flows it has', async () => {
    folder.write('policy.yaml', POLICY);
    h = await startHarness(folder);
    await register();
    await attach();
    await attach({ ...ADD, containerId: 'c2', pod: 'web-1' });
    const denied = await explain({ from: 'shop/web-0', to: 'shop/web-1', protocol: 'TCP', port: 9999 });
    expect(denied.verdict).toBe('denied');
    expect(JSON.stringify(denied.paths)).toContain('"NetworkPolicy"');
    expect((await explain({ from: 'shop/web-0', to: 'svc:shop/web', port: 80 })).verdict).toBe('allowed');
    const query = { object: 'NetworkPolicy/shop/web-only' };
    const { flows } = await h.client.get(path(ROUTES.nodeFlows, 'node1'), FlowsView, { query });
    expect(flows.length).toBeGreaterThan(0);
    expect(flows.filter((f) => !f.owners.some((o) => o.name === 'web-only'))).toEqual([]);
    const text = flows.map((f) => f.text).join('\n');
    expect(text).toMatch(/^cookie=0x48[0-9a-f]{14}, table=\d+, priority=\d+,.* actions=/m);
  });

  it('narrow to a table', async () => {
    h = await startHarness(folder);
    await register();
    const query = { table: 'AntiSpoof' };
    const { flows, groups } = await h.client.get(path(ROUTES.nodeFlows, 'node1'), FlowsView, { query });
    expect(new Set(flows.map((f) => f.table))).toEqual(new Set(['AntiSpoof']));
    expect(groups).toEqual([]);
  });

  it.each<[name: string, query: Record<string, string | number>, message: RegExp]>([
    ['without a port', { from: 'a/b', to: 'c/d', protocol: 'udp' }, /udp needs one/],
    ['from a service', { from: 'svc:a/b', to: 'c/d', port: 1 }, /a service sends nothing/],
    ['to nonsense', { from: 'a/b', to: 'what', port: 1 }, /to: "what" is not/],
    ['with an unknown protocol', { from: 'a/b', to: 'c/d', protocol: 'gre' }, /protocol/],
  ])('refuse a question %s', async (_, query, message) => {
    h = await startHarness(folder);
    await expect(explain(query)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(message),
    });
  });
});

describe('the edge', () => {
  const raw = (options: object, body = ''): Promise<{ status: number; text: string; type: string }> =>
    new Promise((resolve, reject) => {
      const call = request({ socketPath: folder.socket, ...options }, (response) => {
        let text = '';
        response.on('data', (part) => (text += part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text, type: response.headers['content-type'] ?? '' }),
        );
      });
      call.on('error', reject);
      call.end(body);
    });
  const json = { 'content-type': 'application/json' };

  it.each<[name: string, options: object, body: string, status: number, code: string]>([
    ['a path that is not there', { path: '/v1/nothing' }, '', 404, 'not_found'],
    ['a body that is no JSON', { method: 'POST', path: ROUTES.agentAttach, headers: json }, '{', 400, 'bad_request'],
    [
      'a body that is too large',
      { method: 'POST', path: ROUTES.agentAttach, headers: json },
      JSON.stringify({ x: 'x'.repeat(300_000) }),
      413,
      'bad_request',
    ],
    ['a query that does not fit', { path: `${ROUTES.status}?waitMs=soon` }, '', 400, 'bad_request'],
    ['flows of a node that is not there', { path: path(ROUTES.nodeFlows, 'nope') }, '', 404, 'not_found'],
    [
      'a port that is not there',
      { method: 'POST', path: ROUTES.agentRealized, headers: json },
      '{"portKey":9,"timeoutMs":0}',
      404,
      'not_found',
    ],
  ])('refuses %s with a code', async (_, options, body, httpStatus, code) => {
    h = await startHarness(folder);
    const answer = await raw(options, body);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([httpStatus, expect.objectContaining({ code })]);
  });

  it('does not take a file for a socket that was left behind', async () => {
    writeFileSync(folder.socket, 'precious');
    await expect(startHarness(folder)).rejects.toThrow(/api\.sock exists and is not a socket/);
    expect(existsSync(folder.socket)).toBe(true);
  });

  it('keeps its unix socket to its owner, and removes it in the end', async () => {
    h = await startHarness(folder);
    expect(statSync(folder.socket).mode & 0o777).toBe(0o600);
    await h.stop();
    expect(existsSync(folder.socket)).toBe(false);
  });

  it('asks for the token on TCP, not on the unix socket, and not for health and metrics', async () => {
    const token = 'a-token-of-some-length';
    const tokenFile = join(folder.path, 'token');
    writeFileSync(tokenFile, `${token}\n`);
    h = await startHarness(folder, {
      HEDDLE_API_LISTEN: `tcp:127.0.0.1:0,unix:${folder.socket}`,
      HEDDLE_API_TOKEN_FILE: tokenFile,
    });
    const url = `http://127.0.0.1:${h.controller.apiPorts[0]}`;
    const call = (given?: string) =>
      new ApiClient({ url, ...(given === undefined ? {} : { token: given }) }).get(ROUTES.status, StatusView);
    await expect(call()).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(call(`${token}x`)).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(call(token)).resolves.toMatchObject({ version: '0.1.0' });
    await expect(status()).resolves.toMatchObject({ version: '0.1.0' });
    expect(await new ApiClient({ url }).text('GET', ROUTES.health)).toContain('ok');
    expect(await new ApiClient({ url }).text('GET', ROUTES.metrics)).toContain('heddle_generation 1');
  });

  it('states a permission for every route, and documents them all', async () => {
    h = await startHarness(folder);
    const document = z
      .object({
        paths: z.record(
          z.string(),
          z.record(z.string(), z.object({ 'x-heddle-permission': z.enum(['public', 'read', 'agent', 'admin']) })),
        ),
      })
      .parse(JSON.parse(await h.client.text('GET', ROUTES.openapi)));
    const documented = Object.keys(document.paths).sort();
    const served = Object.values(ROUTES)
      .map((route) => route.replace(/:([a-z]+)/g, '{$1}'))
      .sort();
    expect(documented).toEqual(served);
    const open = Object.entries(document.paths).filter(([, methods]) =>
      Object.values(methods).some((m) => m['x-heddle-permission'] === 'public'),
    );
    expect(open.map(([route]) => route).sort()).toEqual(
      [ROUTES.health, ROUTES.livez, ROUTES.readyz, ROUTES.metrics, ROUTES.openapi].sort(),
    );
  });

  it('counts what it does', async () => {
    h = await startHarness(folder);
    await register();
    h.switches.connect('node1');
    await attach();
    await status(1_000);
    const metrics = await h.client.text('GET', ROUTES.metrics);
    expect(metrics).toMatch(/^heddle_attach_seconds_count\{result="ok"\} 1$/m);
    expect(metrics).toMatch(/^heddle_node_connected\{node="node1"\} 1$/m);
    expect(metrics).toMatch(/^heddle_realization_seconds_count\{node="node1"\} \d+$/m);
    expect(metrics).toMatch(/^heddle_source_problems\{severity="error"\} 0$/m);
    expect(metrics).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });
});

describe('a node that is gone', () => {
  const two = { ...NODE, encapIp: '172.31.99.2', addresses: ['172.31.99.2'] };
  const remove = (name: string, force?: string) =>
    h.client.delete(path(ROUTES.node, name), RemovedNodeView, { query: { force } });
  beforeEach(async () => {
    h = await startHarness(folder);
    await register();
    await register('node2', two);
    h.switches.connect('node1');
  });

  it('is not waited for, known to no peer, and leaves no flow behind', async () => {
    const before = h.compiler.node(nodeName('node1'))?.flows.size ?? 0;
    expect(await status(50)).toMatchObject({ realized: false, waitingFor: ['node2: its switch is not connected'] });
    const waiting = status(10_000);
    const { generation } = await register();
    expect(await remove('node2')).toEqual({
      node: 'node2',
      blocks: ['10.244.0.64/26', 'fd00:10:244::40/122'],
      detached: [],
    });
    // Who waited is answered; the removal itself is a generation more.
    expect(await waiting).toMatchObject({ nodes: { total: 1 } });
    expect(await status(5_000)).toMatchObject({ realized: true });
    const config = await register();
    expect(config.peers).toEqual([]);
    expect(config.generation).toBeGreaterThan(generation);
    expect(h.compiler.node(nodeName('node2'))).toBeUndefined();
    expect(h.compiler.node(nodeName('node1'))?.flows.size).toBeLessThan(before);
    expect(h.switches.state(nodeName('node2'))).toBeUndefined();
  });

  it('stays while pods are attached to it, unless forced', async () => {
    await attach({ ...ADD, node: 'node2' });
    await expect(remove('node2')).rejects.toMatchObject({ code: 'conflict', status: 409, details: ['shop/web-0'] });
    await expect(remove('node2', 'false')).rejects.toMatchObject({ code: 'conflict' });
    expect(await remove('node2', '')).toMatchObject({ detached: ['shop/web-0'] });
    expect(h.compiler.fact('attachment', 'shop/web-0')).toBeUndefined();
    expect(await attach({ ...ADD, containerId: 'c2' })).toMatchObject({ node: 'node1', portKey: 2 });
    expect((await status(1_000)).realized).toBe(true);
  });

  it('may come back as a new one', async () => {
    const { datapathId } = await register('node2', two);
    await remove('node2');
    await expect(remove('node2')).rejects.toMatchObject({ code: 'not_found', status: 404 });
    await register('node3', two);
    const again = await register('node2', { ...two, encapIp: '172.31.99.3' });
    expect(again.datapathId).not.toBe(datapathId);
  });
});
