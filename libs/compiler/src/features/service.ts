import type { Bucket } from 'openflow-ts/codec';
import { type Root, root } from '../engine/steps.js';
import { type Family, familyOf, type Ip } from '../model/brands.js';
import type { ConfigFact, Endpoint, EndpointsFact, L4Protocol, ServiceFact, ServicePort } from '../model/facts.js';
import { EVERYWHERE, later, type Part } from '../model/fragment.js';
import { type Flow, GROUP_IDS, type Group } from '../model/output.js';
import { ipValue, matchDestination, matchPort, PROTOCOLS, prefixOf } from '../pipeline/address.js';
import { commit } from '../pipeline/commit.js';
import { DEFAULT_VPC } from '../pipeline/constants.js';
import { checkBuckets } from '../pipeline/contract.js';
import { act, because, goTo, makeFlow, type Origin } from '../pipeline/flow.js';
import { matchRegisters, ORIGINAL_IPV4, setRegister, subfield } from '../pipeline/registers.js';
import { TABLE_ID } from '../pipeline/tables.js';
import { compareText } from '../policy/canonical.js';
import { configOf, type Env, originOf } from './env.js';

/** Flows and groups of services: a frontend chooses a backend in a select group; the translation is committed after policy. */
export function serviceFeature(env: Env): readonly Root[] {
  return [
    root('service', 2, 'service', (key, cx) => {
      const [config, service] = [configOf(cx), cx.fact('service', key)];
      if (config === undefined || service === undefined) return undefined;
      const endpoints = cx.fact('endpoints', key);
      const part = later(() => servicePart(env, config, key, service, endpoints));
      return { fragment: [{ part, placement: EVERYWHERE }] };
    }),
  ];
}

function servicePart(
  env: Env,
  config: ConfigFact,
  key: string,
  service: ServiceFact,
  endpoints: EndpointsFact | undefined,
): Part {
  const owner = { kind: 'Service', namespace: service.namespace, name: service.name };
  const from = originOf(env, 'service', `service/${key}`, [owner], '');
  const flows = new Map<string, Flow>();
  const groups: Group[] = [];
  const seen = new Set<string>();
  for (const port of service.ports) {
    const id = `${port.protocol}/${port.port}`;
    // The API server allows a protocol and port once; if not, the first stands.
    if (seen.has(id)) continue;
    seen.add(id);
    for (const family of config.families) {
      const frontends = service.clusterIps.filter((ip) => familyOf(ip) === family);
      if (frontends.length === 0) continue;
      const ready = (endpoints?.ports ?? [])
        .filter((p) => p.name === port.name)
        .flatMap((p) => p.endpoints)
        .filter((e) => familyOf(e.ip) === family);
      const made = portFlows(env, key, service, port, family, frontends, distinct(ready), from);
      // A backend that two ports of the service share is one flow.
      for (const flow of made.flows) if (!flows.has(flow.key)) flows.set(flow.key, flow);
      if (made.group !== undefined) groups.push(made.group);
    }
  }
  return { flows: [...flows.values()], groups };
}

const endpointText = (e: Endpoint): string => `${e.ip} ${e.port}`;
const distinct = (endpoints: readonly Endpoint[]): readonly Endpoint[] =>
  [...new Map(endpoints.map((e) => [endpointText(e), e]))].sort((a, b) => compareText(a[0], b[0])).map(([, e]) => e);

function portFlows(
  env: Env,
  key: string,
  service: ServiceFact,
  port: ServicePort,
  family: Family,
  frontends: readonly Ip[],
  ready: readonly Endpoint[],
  from: Origin,
): { flows: readonly Flow[]; group?: Group } {
  const what = `${service.namespace}/${service.name} ${port.protocol} ${port.port}`;
  const frontend = (ip: Ip) => ({
    ...matchDestination(prefixOf(ip)),
    ...matchPort(family, port.protocol, port.port),
    ...matchRegisters({ vpc: DEFAULT_VPC }),
  });
  if (ready.length === 0) {
    const none = because(from, `Service ${what} has no ready endpoints.`);
    return { flows: frontends.map((ip) => makeFlow('ServiceLB', 100, frontend(ip), goTo('ServiceReject'), none)) };
  }
  const id = GROUP_IDS.min + env.ids.number('group', `${key}/${port.protocol}/${port.port}/IPv${family}`);
  if (id > GROUP_IDS.max) throw new RangeError(`group ${id} not in ${GROUP_IDS.min}..${GROUP_IDS.max}`);
  const chosen = because(from, `Service ${what} is balanced over its ready endpoints.`);
  const portField = PROTOCOLS[port.protocol].port;
  const ip = family === 4 ? 'ip_dst' : 'ipv6_dst';
  const keep = act([
    {
      kind: 'move',
      source: { field: ip, offset: 0, bits: family === 4 ? 32 : 128 },
      target: family === 4 ? ORIGINAL_IPV4 : subfield('originalDestination'),
    },
    { kind: 'move', source: { field: portField, offset: 0, bits: 16 }, target: subfield('originalPort') },
    setRegister('serviceDnat', 1),
    { kind: 'group', group: id },
  ]);
  return {
    flows: [
      ...frontends.map((address) => makeFlow('ServiceLB', 100, frontend(address), keep, chosen)),
      ...ready.map((e) => backendFlow(port.protocol, e, because(from, `A backend of service ${what}.`))),
    ],
    group: { id, buckets: buckets(ready, port.protocol, family), provenance: chosen.provenance },
  };
}

/** Bucket ids that stay with their endpoint when others come and go, so that its connections do too. */
function buckets(endpoints: readonly Endpoint[], protocol: L4Protocol, family: Family): readonly Bucket[] {
  const taken = new Set<number>();
  const out = endpoints.map((e): Bucket => {
    let bucketId = hash(endpointText(e));
    while (taken.has(bucketId)) bucketId = bucketId === MAX_BUCKET ? 1 : bucketId + 1;
    taken.add(bucketId);
    const { value } = ipValue(e.ip);
    return {
      bucketId,
      weight: 100,
      actions: [
        { kind: 'set_field', field: family === 4 ? 'ip_dst' : 'ipv6_dst', value },
        { kind: 'set_field', field: PROTOCOLS[protocol].port, value: e.port },
        { kind: 'resubmit', table: TABLE_ID.DestinationIdentity },
      ],
    };
  });
  checkBuckets('ServiceLB', out);
  return out;
}

/** Below the reserved bucket ids. */
const MAX_BUCKET = 0x7fff_ffff;
/** FNV-1a, folded into 1..MAX_BUCKET. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return ((h >>> 0) % MAX_BUCKET) + 1;
}

/** Puts the service address back and lets the tracker translate it, now that policy has judged the real destination. */
function backendFlow(protocol: L4Protocol, endpoint: Endpoint, from: Origin): Flow {
  const prefix = prefixOf(endpoint.ip);
  const portField = PROTOCOLS[protocol].port;
  const [ip, saved] =
    prefix.family === 4
      ? (['ip_dst', ORIGINAL_IPV4] as const)
      : (['ipv6_dst', subfield('originalDestination')] as const);
  return makeFlow(
    'EndpointDNAT',
    100,
    {
      ...matchDestination(prefix),
      ...matchPort(prefix.family, protocol, endpoint.port),
      ...matchRegisters({ serviceDnat: 1 }),
    },
    act([
      { kind: 'move', source: saved, target: { field: ip, offset: 0, bits: saved.bits } },
      { kind: 'move', source: subfield('originalPort'), target: { field: portField, offset: 0, bits: 16 } },
      commit('EgressNat', {
        type: 'dst',
        ip: { min: ipValue(endpoint.ip) },
        port: { min: endpoint.port },
      }),
    ]),
    from,
  );
}
