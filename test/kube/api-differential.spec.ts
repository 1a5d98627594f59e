import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, startKubeApi, startRealKubeApi, whyNoRealKubeApi } from '../support/kube-api/index.js';
import { type OpenWatch, RawClient, type Reply, untilTrue, type WatchEvent } from './api-client.js';
import type { Server } from './servers.js';
import { widget, widgetDefinition } from './widgets.js';

/** One request in words that mean the same to both servers. */
interface Step {
  readonly method: 'POST' | 'PUT' | 'DELETE' | 'GET' | 'merge' | 'strategic' | 'json' | 'apply';
  readonly plural: Plural;
  readonly name: string;
  readonly subresource: '' | '/status';
  readonly body: Json;
  /** A PUT names the last known version of the object, one that is long gone, or none. */
  readonly version: 'current' | 'older' | 'none';
}
const PLURALS = ['configmaps', 'pods', 'services', 'networkpolicies', 'endpointslices', 'leases', 'widgets'] as const;
type Plural = (typeof PLURALS)[number];

const GROUPS: Readonly<Record<Plural, string>> = {
  configmaps: '/api/v1',
  pods: '/api/v1',
  services: '/api/v1',
  networkpolicies: '/apis/networking.k8s.io/v1',
  endpointslices: '/apis/discovery.k8s.io/v1',
  leases: '/apis/coordination.k8s.io/v1',
  widgets: '/apis/test.heddle.dev/v1alpha1',
};
const API_VERSIONS: Readonly<Record<Plural, readonly [string, string]>> = {
  configmaps: ['v1', 'ConfigMap'],
  pods: ['v1', 'Pod'],
  services: ['v1', 'Service'],
  networkpolicies: ['networking.k8s.io/v1', 'NetworkPolicy'],
  endpointslices: ['discovery.k8s.io/v1', 'EndpointSlice'],
  leases: ['coordination.k8s.io/v1', 'Lease'],
  widgets: ['test.heddle.dev/v1alpha1', 'Widget'],
};

const CONDITION: Json = {
  ...{ type: 'Mine', status: 'True', reason: 'Because', message: 'it is' },
  lastTransitionTime: '2026-01-01T00:00:00Z',
};

/** What objects of each kind are made of; some of it is refused. */
const CONTENTS: Readonly<Record<Plural, readonly Json[]>> = {
  configmaps: [{}, { data: { a: '1' } }, { data: { a: '2', b: '1' } }, { data: { a: 1 } }, { data: null }],
  pods: [
    { spec: { containers: [{ name: 'c', image: 'i:1' }] } },
    { spec: { containers: [{ name: 'c', image: 'i:2' }] } },
    {
      spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i:1', ports: [{ name: 'http', containerPort: 80 }] }] },
    },
    { spec: { hostNetwork: true, containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }] } },
    { spec: { containers: [{ name: 'c', image: 'i:1' }], activeDeadlineSeconds: 30 } },
    { spec: {} },
    { spec: { nodeName: 5 } },
    { status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] } },
    { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
    {
      status: {
        conditions: [
          { type: 'Ready', status: 'False', reason: 'Down' },
          { type: 'Mine', status: 'True' },
        ],
      },
    },
  ],
  services: [
    { spec: { ports: [{ port: 80 }], selector: { a: 'b' } } },
    { spec: { ports: [{ port: 80, targetPort: 'http' }, { port: 81 }] } },
    {
      spec: {
        ports: [
          { name: 'a', port: 80, targetPort: 'http' },
          { name: 'b', port: 81, protocol: 'UDP' },
        ],
      },
    },
    { spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
    { spec: { ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 80 }] } },
    { spec: { sessionAffinity: 'ClientIP', ports: [{ port: 80 }] } },
    { spec: { ports: [] } },
    { status: { conditions: [CONDITION] } },
  ],
  networkpolicies: [
    { spec: { podSelector: {} } },
    {
      spec: {
        podSelector: { matchLabels: { a: 'b' } },
        ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }],
      },
    },
    { spec: { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }] } },
    { spec: { podSelector: {}, policyTypes: ['Egress'] } },
    { spec: { podSelector: {}, ingress: [{ ports: [{ port: 'http', protocol: 'UDP' }] }] } },
    { spec: { podSelector: {}, ingress: [{ ports: [{ port: 70000 }] }] } },
    { spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 'x' } }] }] } },
    { spec: { podSelector: {}, ingress: 'all' } },
  ],
  endpointslices: [
    { addressType: 'IPv4' },
    {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
      ports: [{ port: 80 }],
    },
    { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }], ports: [{ name: 'a', port: 80, protocol: 'UDP' }] },
    { endpoints: [{ addresses: ['10.0.0.2'], nodeName: 'n1', conditions: { ready: false } }] },
    { endpoints: 'none' },
  ],
  leases: [
    { spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } },
    { spec: { holderIdentity: 'b', leaseTransitions: 1 } },
    { spec: { leaseDurationSeconds: 'long' } },
    {},
  ],
  widgets: [
    { spec: { size: 1 } },
    { spec: { size: 2, color: 'green', peers: [{ name: 'a' }] } },
    { spec: { size: 3, peers: [{ name: 'b', weight: 1 }], other: true } },
    { spec: { size: 0, color: 'blue' } },
    { spec: { size: 'x' } },
    { spec: {} },
    { status: { ready: true } },
    { status: { nodes: 'x' } },
    { spec: { size: 4 }, status: { nodes: 2 } },
  ],
};
const METADATA: readonly Json[] = [
  {},
  { labels: { a: 'b' } },
  { labels: { a: null } },
  { annotations: { note: 'x' } },
  { finalizers: ['heddle.dev/held'] },
  { finalizers: null },
];
const OPERATIONS: readonly Json[] = [
  [{ op: 'add', path: '/metadata/labels', value: { j: 'p' } }],
  [{ op: 'remove', path: '/metadata/labels' }],
  [
    { op: 'test', path: '/metadata/name', value: 'a' },
    { op: 'add', path: '/metadata/annotations', value: { t: '1' } },
  ],
  [{ op: 'copy', from: '/metadata/name', path: '/metadata/annotations/copy' }],
];

const step: fc.Arbitrary<Step> = fc
  .record({
    method: fc.constantFrom('POST', 'POST', 'PUT', 'DELETE', 'GET', 'merge', 'merge', 'strategic', 'json', 'apply'),
    plural: fc.constantFrom(...PLURALS),
    name: fc.constantFrom('a', 'b'),
    status: fc.nat(3),
    content: fc.nat(),
    metadata: fc.nat(),
    version: fc.constantFrom('current', 'current', 'older', 'none'),
  })
  .map(({ method, plural, name, status, content, metadata, version }): Step => {
    const contents = CONTENTS[plural];
    const [apiVersion, kind] = API_VERSIONS[plural];
    const members = METADATA[metadata % METADATA.length];
    const withStatus = (['pods', 'services', 'widgets'] as Plural[]).includes(plural);
    const object = { apiVersion, kind, metadata: { name, ...members }, ...contents[content % contents.length] };
    return {
      method: method as Step['method'],
      plural,
      name,
      subresource: withStatus && status === 0 && method !== 'POST' && method !== 'DELETE' ? '/status' : '',
      body: method === 'json' ? OPERATIONS[content % OPERATIONS.length] : object,
      version: version as Step['version'],
    };
  });

/** Filled in by the plugin ServiceAccount, which the real server of the tests runs without. */
const BY_PLUGIN = ['serviceAccount', 'serviceAccountName'];
/** Members that differ between any two clusters, or that only one of the two servers keeps. */
const IGNORED = new Set([
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'managedFields',
  'lastTransitionTime',
  ...BY_PLUGIN,
]);
/** Without what is empty: the real server leaves that out, or puts it in, as the Go type has it. */
function comparable(value: Json, key = ''): Json {
  if (Array.isArray(value)) {
    const items = value.map((v) => comparable(v) ?? {});
    return items.length === 0 ? undefined : items;
  }
  if (typeof value !== 'object' || value === null) {
    if (key === 'deletionTimestamp') return 'some time';
    if (key.startsWith('clusterIP') || key === '')
      return typeof value === 'string' && /^(10\.96\.|fd00:10:96:)/.test(value) ? 'an address' : value;
    return value === '' || value === null || value === 0 || value === false ? undefined : value;
  }
  const members = Object.entries(value)
    .filter(([k]) => !IGNORED.has(k))
    .map(
      ([k, v]) =>
        [
          k,
          typeof v === 'string' && k.startsWith('clusterIP')
            ? comparable(v, 'clusterIP')
            : comparable(v, k === '' ? '?' : k),
        ] as const,
    )
    .filter(([, v]) => v !== undefined);
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Events in a form that can be compared, without changes of what is not compared. */
function withoutRepeats(events: readonly WatchEvent[]): Json[] {
  const last = new Map<string, Json>();
  return events.flatMap((e) => {
    const object = comparable(e.object);
    if (e.type === 'MODIFIED' && isDeepStrictEqual(last.get(object.metadata.name), object)) return [];
    last.set(object.metadata.name, object);
    return [{ type: e.type, object }];
  });
}

/** One of the two servers, with a namespace and watches for one run. */
class Side {
  /** The last known version of each object. */
  readonly versions = new Map<string, string>();
  watches: readonly OpenWatch[] = [];
  /** Everybody applies once: the small server does not know that members may have several owners. */
  private managers = 0;
  private readonly client: RawClient;
  private readonly namespace: string;

  constructor(client: RawClient, namespace: string) {
    this.client = client;
    this.namespace = namespace;
  }

  async start(): Promise<void> {
    await this.client.must(this.client.post('/api/v1/namespaces', { metadata: { name: this.namespace } }));
    this.watches = await Promise.all(PLURALS.map((plural) => this.client.watch(`${this.path(plural)}?watch=true`)));
  }

  private path(plural: Plural): string {
    return `${GROUPS[plural]}/namespaces/${this.namespace}/${plural}`;
  }

  async run({ method, plural, name, subresource, body, version }: Step): Promise<Json> {
    const list = this.path(plural);
    const one = `${list}/${name}${subresource}`;
    const known = this.versions.get(`${plural}/${name}`);
    // PUT and apply make a service through its status too, without an address: nobody relies on that.
    if (plural === 'services' && subresource !== '' && (method === 'PUT' || method === 'apply')) return undefined;
    let reply: Reply;
    if (method === 'POST') reply = await this.client.post(list, body);
    else if (method === 'GET') reply = await this.client.get(one);
    else if (method === 'DELETE')
      reply = await this.client.delete(one, version === 'older' ? { gracePeriodSeconds: 0 } : undefined);
    else if (method === 'PUT') {
      const resourceVersion = version === 'none' ? undefined : version === 'older' ? '1' : known;
      reply = await this.client.put(one, { ...body, metadata: { ...body.metadata, resourceVersion } });
    } else
      reply = await this.client.patch(
        method,
        method === 'apply' ? `${one}?fieldManager=m${++this.managers}&force=true` : one,
        body,
      );
    const now = reply.body.metadata?.resourceVersion;
    const changed = now !== undefined && now !== known;
    if (reply.code < 300 && changed && reply.body.kind !== 'Status') this.versions.set(`${plural}/${name}`, now);
    if (reply.code >= 300) {
      const fields = [...new Set((reply.body.details?.causes ?? []).map((x: Json) => x.field))].sort();
      return {
        code: reply.code,
        reason: reply.body.reason,
        fields: reply.code === 422 && plural === 'widgets' ? fields : [],
      };
    }
    // Who applies is recorded in managedFields, which changes the object and which the small server does not have.
    const recorded = method === 'apply' || plural === 'widgets';
    return { code: reply.code, ...(recorded ? {} : { changed }), body: comparable(reply.body) };
  }

  /** All events, once the object of this name has come in every watch. */
  async events(): Promise<Json> {
    const contents: Readonly<Record<Plural, Json>> = { ...CONTENTS_LAST };
    for (const plural of PLURALS) {
      const [apiVersion, kind] = API_VERSIONS[plural];
      await this.client.must(
        this.client.post(this.path(plural), { apiVersion, kind, metadata: { name: 'last' }, ...contents[plural] }),
      );
    }
    const all: [string, Json][] = [];
    for (const [i, watch] of this.watches.entries()) {
      const events = await watch.until((seen) => seen.some((e) => e.object.metadata.name === 'last'));
      watch.close();
      all.push([PLURALS[i] as string, withoutRepeats(events)]);
    }
    return Object.fromEntries(all);
  }
}
const CONTENTS_LAST: Readonly<Record<Plural, Json>> = {
  configmaps: {},
  pods: CONTENTS.pods[0],
  services: CONTENTS.services[0],
  networkpolicies: CONTENTS.networkpolicies[0],
  endpointslices: CONTENTS.endpointslices[0],
  leases: CONTENTS.leases[0],
  widgets: CONTENTS.widgets[0],
};

const missing = whyNoRealKubeApi();
const SEED = Number(process.env.HEDDLE_KUBE_SEED ?? 6);
const RUNS = Number(process.env.HEDDLE_KUBE_RUNS ?? 10);

describe.skipIf(missing !== undefined)(
  `the small API server beside a real one${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let servers: readonly Server[] = [];
    let clients: readonly RawClient[] = [];
    beforeAll(async () => {
      const small = await startKubeApi();
      servers = [{ ...small, expire: async () => small.expire() }];
      servers = [...servers, await startRealKubeApi()];
      clients = servers.map((s) => new RawClient(s));
      for (const c of clients) {
        await c.must(c.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgetDefinition()));
        // The first write to a new resource of the real server may come before its handlers are ready.
        const first = `${GROUPS.widgets}/namespaces/default/widgets`;
        await untilTrue('widgets', async () => (await c.post(first, widget('first', { size: 1 }))).code === 201);
      }
    }, 180_000);
    afterAll(async () => {
      for (const c of clients) c.close();
      for (const s of servers) await s.stop();
    });

    it('answers every request alike, and tells its watches the same', { timeout: 600_000 }, async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60 }), async (steps) => {
          run += 1;
          const sides = clients.map((c) => new Side(c, `run-${run}`));
          for (const side of sides) await side.start();
          for (const [i, s] of steps.entries()) {
            const [small, real] = await Promise.all(sides.map((side) => side.run(s)));
            expect(small, `step ${i}: ${JSON.stringify(s)}`).toEqual(real);
          }
          const [small, real] = await Promise.all(sides.map((side) => side.events()));
          expect(small).toEqual(real);
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: process.env.HEDDLE_KUBE_SHRINK === undefined },
      );
    });
  },
);
