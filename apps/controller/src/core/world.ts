import { isDeepStrictEqual } from 'node:util';
import {
  type Cidr,
  type ConfigFact,
  cidr,
  type Family,
  factKey,
  ip,
  mac,
  type NodeFact,
  nodeName,
  ofport,
  portKey,
  vpc,
} from '@heddle/compiler';
import type { Allocations } from '../allocation/allocations.js';
import type { Lease } from '../allocation/attachments.js';
import type { RemovedNode } from '../allocation/node-registry.js';
import type { BlockRecord, NodeRecord } from '../persistence/records.js';
import {
  NO_OBJECTS,
  type SourceObjects,
  type SourcePod,
  type SourceService,
  type SourceSlice,
} from '../source/model.js';
import { matchesLabels } from '../source/selectors.js';
import type { FactTable } from './fact-table.js';
import { type Backend, claimOf, endpointsOfPods, endpointsOfSlices, wantedFamilies } from './services.js';

/** Ofports of the two ports that every br-int has. */
export const TUNNEL_OFPORT = 1;
export const GATEWAY_OFPORT = 2;

/** Something recorded that the source asks for and cannot have. */
export interface WorldProblem {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
}

/** Joins what the source says and what was allocated into facts. Knows what a change touches, so that the rest is left alone. */
export class World {
  private current: SourceObjects = NO_OBJECTS;
  private readonly podsOf = new Map<string, SourcePod[]>();
  private readonly servicesOf = new Map<string, SourceService[]>();
  /** By NAMESPACE/NAME of the service. */
  private readonly slicesOf = new Map<string, SourceSlice[]>();
  private serviceProblems: readonly WorldProblem[] = [];

  constructor(
    private readonly facts: FactTable,
    private readonly allocations: Allocations,
    private readonly serviceFamilies: readonly Family[],
  ) {}

  get objects(): SourceObjects {
    return this.current;
  }
  get problems(): readonly WorldProblem[] {
    return this.serviceProblems;
  }

  /** Facts of everything that is recorded. */
  putRecorded(config: ConfigFact): void {
    this.facts.put('config', 'config', config);
    for (const node of this.allocations.nodes.all()) this.putNode(node);
    for (const block of this.allocations.nodes.blocks()) this.putBlock(block);
    for (const lease of this.allocations.attachments.all()) this.putLease(lease);
  }

  putNode(node: NodeRecord): void {
    const fact: NodeFact = {
      name: nodeName(node.name),
      encapIp: ip(node.encapIp),
      addresses: node.addresses.map(ip),
      gateway: { mac: mac(node.gatewayMac), ips: node.gatewayIps.map(ip), ofport: ofport(GATEWAY_OFPORT) },
      tunnelOfport: ofport(TUNNEL_OFPORT),
    };
    this.facts.put('node', node.name, fact);
    // Pods in the host's network are endpoints under the node's addresses.
    for (const service of this.current.services.values()) this.putEndpoints(service);
  }

  removeNode({ node, blocks }: RemovedNode): void {
    for (const block of blocks) this.facts.put('block', block.cidr, undefined);
    this.facts.put('node', node.name, undefined);
    for (const service of this.current.services.values()) this.putEndpoints(service);
  }

  putBlock(block: BlockRecord): void {
    const value = { cidr: cidr(block.cidr) as Cidr, node: nodeName(block.node), vpc: vpc(block.vpc) };
    this.facts.put('block', block.cidr, value);
  }

  putLease({ record, ips }: Lease): void {
    this.facts.put('attachment', factKey(record.namespace, record.pod), {
      namespace: record.namespace,
      pod: record.pod,
      node: nodeName(record.node),
      portKey: portKey(record.portKey),
      ofport: ofport(record.ofport),
      mac: mac(record.mac),
      ips,
      vpc: vpc(record.vpc),
    });
    this.putEndpointsFor(record.namespace, record.pod);
  }

  removeLease({ record }: Lease): void {
    this.facts.put('attachment', factKey(record.namespace, record.pod), undefined);
    this.putEndpointsFor(record.namespace, record.pod);
  }

  /** Takes over a new state of the source. */
  async replaceObjects(next: SourceObjects): Promise<void> {
    const before = this.current;
    const changedServices = differing(before.services, next.services);
    // What a service asks for stands in the service alone.
    if (changedServices.length > 0) await this.settleServices(next);
    this.current = next;
    this.index();

    for (const key of differing(before.namespaces, next.namespaces))
      this.facts.put('namespace', key, next.namespaces.get(key));
    for (const key of differing(before.policies, next.policies)) this.facts.put('policy', key, next.policies.get(key));
    const services = new Set(changedServices);
    for (const key of differing(before.pods, next.pods)) {
      const pod = next.pods.get(key);
      this.facts.put('pod', key, pod && podFact(pod));
      for (const one of [before.pods.get(key), pod])
        if (one !== undefined) for (const service of this.servicesWith(one)) services.add(nameOf(service));
    }
    for (const key of differing(before.slices, next.slices)) {
      const slices = [before.slices.get(key), next.slices.get(key)];
      for (const slice of slices) if (slice !== undefined) services.add(`${slice.namespace}/${slice.service}`);
    }
    for (const key of services) {
      const service = next.services.get(key);
      if (service !== undefined) this.putEndpoints(service);
      else {
        this.facts.put('service', key, undefined);
        this.facts.put('endpoints', key, undefined);
      }
    }
  }

  /** Addresses first, in one transaction: nothing may be compiled with an address that is not recorded. */
  private async settleServices(next: SourceObjects): Promise<void> {
    const problems: WorldProblem[] = [];
    const claims = [...next.services.values()].flatMap((service) => {
      const { families, problem } = wantedFamilies(service, this.serviceFamilies);
      if (problem !== undefined) problems.push(problemOf(service, problem));
      return claimOf(service, families) ?? [];
    });
    const grants = await this.allocations.serviceAddresses.settle(claims);
    for (const service of next.services.values()) {
      const key = factKey(service.namespace, service.name);
      const grant = grants.get(key);
      problems.push(...(grant?.problems ?? []).map((reason) => problemOf(service, reason)));
      this.facts.put('service', key, {
        namespace: service.namespace,
        name: service.name,
        clusterIps: grant?.ips ?? [],
        ports: service.ports.map(({ name, protocol, port }) => ({ name, protocol, port })),
      });
    }
    this.serviceProblems = problems;
  }

  private putEndpointsFor(namespace: string, podName: string): void {
    const pod = this.current.pods.get(factKey(namespace, podName));
    if (pod === undefined) return;
    for (const service of this.servicesWith(pod)) this.putEndpoints(service);
  }

  /** Services whose selectors select the pod. */
  private servicesWith(pod: SourcePod): readonly SourceService[] {
    const all = this.servicesOf.get(pod.namespace) ?? [];
    return all.filter(({ selector }) => selector !== undefined && matchesLabels(selector, pod.labels));
  }

  private putEndpoints(service: SourceService): void {
    const { families } = wantedFamilies(service, this.serviceFamilies);
    const key = factKey(service.namespace, service.name);
    const { selector } = service;
    if (selector === undefined) {
      this.facts.put('endpoints', key, endpointsOfSlices(service, families, this.slicesOf.get(key) ?? []));
      return;
    }
    const pods = (this.podsOf.get(service.namespace) ?? []).filter((p) => matchesLabels(selector, p.labels));
    this.facts.put(
      'endpoints',
      key,
      endpointsOfPods(
        service,
        families,
        pods.map((p) => this.backend(p)),
      ),
    );
  }

  private backend(pod: SourcePod): Backend {
    const { namedPorts } = pod;
    if (!pod.hostNetwork)
      return { ips: this.allocations.attachments.ofPod(pod.namespace, pod.name)?.ips ?? [], namedPorts };
    const node = this.allocations.nodes.get(pod.nodeName);
    return { ips: node === undefined ? [] : hostIps(node), namedPorts };
  }

  private index(): void {
    this.podsOf.clear();
    this.servicesOf.clear();
    this.slicesOf.clear();
    for (const pod of this.current.pods.values()) push(this.podsOf, pod.namespace, pod);
    for (const service of this.current.services.values()) push(this.servicesOf, service.namespace, service);
    for (const slice of this.current.slices.values())
      push(this.slicesOf, factKey(slice.namespace, slice.service), slice);
  }
}

/** One address of each family, the encapsulation address first. */
function hostIps(node: NodeRecord) {
  const all = [node.encapIp, ...node.addresses].map(ip);
  const four = all.find((a) => !a.includes(':'));
  const six = all.find((a) => a.includes(':'));
  return [four, six].flatMap((a) => (a === undefined ? [] : [a]));
}

function podFact({ namespace, name, labels, serviceAccount, hostNetwork, namedPorts }: SourcePod) {
  return { namespace, name, labels, serviceAccount, hostNetwork, namedPorts };
}

function problemOf(service: SourceService, reason: string): WorldProblem {
  return { kind: 'Service', namespace: service.namespace, name: service.name, reason };
}

const nameOf = (service: SourceService): string => factKey(service.namespace, service.name);

/** Keys whose values are not equal. What was not read again is the same object, which is most of everything. */
function differing<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): string[] {
  const keys: string[] = [];
  for (const key of before.keys()) if (!next.has(key)) keys.push(key);
  for (const [key, value] of next) {
    const known = before.get(key);
    if (known !== value && !isDeepStrictEqual(known, value)) keys.push(key);
  }
  return keys;
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
