import {
  type Cidr,
  type ConfigFact,
  cidr,
  type Family,
  factKey,
  familyOf,
  type Ip,
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
import { WantedNames } from '../dns/wanted-names.js';
import type { BlockRecord, NodeRecord } from '../persistence/records.js';
import type { MutableObjects } from '../source/delta.js';
import type { SourceChange, SourceDelta, SourceObjects, SourcePod, SourceService, ValueOf } from '../source/model.js';
import { matchesLabels } from '../source/selectors.js';
import type { FactTable } from './fact-table.js';
import { type Backend, claimOf, endpointsOfPods, endpointsOfSlices, wantedFamilies } from './services.js';
import { WorldObjects } from './world-objects.js';

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

/**
 * Who does for services what a cluster's own controllers do: `own`, this controller gives ClusterIPs and makes endpoints
 * out of pods; `given`, the API server and the EndpointSlices say both.
 */
export type ServiceMode = 'own' | 'given';

/** Joins what the source says and what was allocated into facts. Knows what a change touches, so that the rest is left alone. */
export class World {
  private readonly known = new WorldObjects();
  /** By key of the service. */
  private serviceProblems = new Map<string, readonly WorldProblem[]>();

  constructor(
    private readonly facts: FactTable,
    private readonly allocations: Allocations,
    private readonly serviceFamilies: readonly Family[],
    private readonly services: ServiceMode = 'own',
    private readonly wantedNames = new WantedNames(),
  ) {}

  /** Live: it is as the last change left it. */
  get objects(): SourceObjects {
    return this.current;
  }
  get problems(): readonly WorldProblem[] {
    return [...this.serviceProblems.values()].flat();
  }

  /** Those of one service. */
  problemsOf(namespace: string, name: string): readonly WorldProblem[] {
    return this.serviceProblems.get(factKey(namespace, name)) ?? [];
  }

  private get current(): MutableObjects {
    return this.known.objects;
  }

  /** Facts of everything that is recorded. */
  putRecorded(config: ConfigFact): void {
    this.facts.put('config', 'config', config);
    for (const node of this.allocations.nodes.all()) this.putNode(node);
    for (const block of this.allocations.nodes.blocks()) this.putBlock(block);
    for (const lease of this.allocations.attachments.all()) this.putLease(lease);
  }

  putNode(node: NodeRecord): void {
    this.putNodeFact(node);
    this.putEndpointsOnHosts();
  }

  private putNodeFact(node: NodeRecord): void {
    const labels = this.current.nodes.get(node.name)?.labels;
    const fact: NodeFact = {
      name: nodeName(node.name),
      encapIp: ip(node.encapIp),
      addresses: node.addresses.map(ip),
      gateway: { mac: mac(node.gatewayMac), ips: node.gatewayIps.map(ip), ofport: ofport(GATEWAY_OFPORT) },
      tunnelOfport: ofport(TUNNEL_OFPORT),
      ...(labels === undefined ? {} : { labels }),
    };
    this.facts.put('node', node.name, fact);
  }

  removeNode({ node, blocks }: RemovedNode): void {
    for (const block of blocks) this.facts.put('block', block.cidr, undefined);
    this.facts.put('node', node.name, undefined);
    this.putEndpointsOnHosts();
  }

  putBlock(block: BlockRecord): void {
    const value = { cidr: cidr(block.cidr) as Cidr, node: nodeName(block.node), vpc: vpc(block.vpc) };
    this.facts.put('block', block.cidr, value);
  }

  putLease(lease: Lease): void {
    this.putAttachment(lease);
    this.putEndpointsFor(lease.record.namespace, lease.record.pod);
  }

  removeLease({ record }: Lease): void {
    this.facts.put('attachment', factKey(record.namespace, record.pod), undefined);
    this.putEndpointsFor(record.namespace, record.pod);
  }

  /** Takes over what the source tells; the work is in proportion to what differs. */
  async take(change: SourceChange): Promise<void> {
    const delta = change.kind === 'some' ? change.delta : this.known.differing(change.objects);
    // What a service asks for stands in the service alone.
    if (this.services === 'own' && delta.services !== undefined && delta.services.size > 0)
      await this.settleServices(delta.services);
    this.apply(delta);
  }

  private apply(delta: SourceDelta): void {
    for (const [key, value] of delta.namespaces ?? []) this.facts.put('namespace', key, value);
    for (const [key, value] of delta.policies ?? []) this.facts.put('policy', key, value);
    for (const [key, value] of delta.clusterPolicies ?? []) this.facts.put('clusterPolicy', key, value);
    if (delta.clusterPolicies !== undefined) this.wantedNames.take(delta.clusterPolicies);
    for (const [key, pod] of delta.pods ?? []) this.facts.put('pod', key, pod && podFact(pod));
    const pods = this.beforeAndAfter('pods', delta.pods);
    const slices = this.beforeAndAfter('slices', delta.slices);
    this.known.apply(delta);
    for (const name of delta.nodes?.keys() ?? []) {
      const node = this.allocations.nodes.get(name);
      if (node !== undefined) this.putNodeFact(node);
    }

    for (const { namespace, name } of pods) {
      const lease = this.allocations.attachments.ofPod(namespace, name);
      if (lease !== undefined) this.putAttachment(lease);
    }
    if (this.services === 'given')
      for (const [key, service] of delta.services ?? []) if (service !== undefined) this.putGivenService(key, service);
    // Services that are others now, or whose endpoints may be.
    const services = new Set(delta.services?.keys());
    for (const pod of pods) for (const service of this.servicesWith(pod)) services.add(nameOf(service));
    for (const slice of slices) services.add(factKey(slice.namespace, slice.service));
    for (const key of services) {
      const service = this.current.services.get(key);
      if (service !== undefined) this.putEndpoints(service);
      else {
        this.facts.put('service', key, undefined);
        this.facts.put('endpoints', key, undefined);
        this.serviceProblems.delete(key);
      }
    }
  }

  /** The values that a change takes away and those that it brings. */
  private beforeAndAfter<K extends 'pods' | 'slices'>(kind: K, delta: SourceDelta[K]): ValueOf<K>[] {
    const known: ReadonlyMap<string, unknown> = this.current[kind];
    const changed: Iterable<[string, unknown]> = delta ?? [];
    return [...changed]
      .flatMap(([key, next]) => [known.get(key), next])
      .filter((v): v is ValueOf<K> => v !== undefined);
  }

  /** Addresses first, in one transaction: nothing may be compiled with an address that is not recorded. */
  private async settleServices(delta: NonNullable<SourceDelta['services']>): Promise<void> {
    const next = overlaid(this.current.services, delta);
    const problems = new Map<string, WorldProblem[]>();
    const report = (service: SourceService, reasons: readonly string[]) => {
      if (reasons.length === 0) return;
      const list = problems.get(nameOf(service)) ?? [];
      problems.set(nameOf(service), [...list, ...reasons.map((reason) => problemOf(service, reason))]);
    };
    const claims = next.flatMap((service) => {
      const { families, problem } = wantedFamilies(service, this.serviceFamilies);
      if (problem !== undefined) report(service, [problem]);
      return claimOf(service, families) ?? [];
    });
    const grants = await this.allocations.serviceAddresses.settle(claims);
    for (const service of next) {
      const grant = grants.get(nameOf(service));
      report(service, grant?.problems ?? []);
      this.putService(service, grant?.ips ?? []);
    }
    this.serviceProblems = problems;
  }

  /** The API server has given the addresses; nothing of ours to record. */
  private putGivenService(key: string, service: SourceService): void {
    const { families, problem } = wantedFamilies(service, this.serviceFamilies);
    const outside = service.clusterIps.filter((a) => !this.allocations.serviceAddresses.inPools(a));
    const reasons = outside.map((a) => `the clusterIP ${a} is outside the service CIDR that Heddle was given`);
    if (problem !== undefined && outside.length === 0) reasons.push(problem);
    if (reasons.length === 0) this.serviceProblems.delete(key);
    else
      this.serviceProblems.set(
        key,
        reasons.map((reason) => problemOf(service, reason)),
      );
    this.putService(
      service,
      service.clusterIps.filter((a) => families.includes(familyOf(a))),
    );
  }

  private putService(service: SourceService, clusterIps: readonly Ip[]): void {
    this.facts.put('service', nameOf(service), {
      namespace: service.namespace,
      name: service.name,
      clusterIps,
      ports: service.ports.map(({ name, protocol, port }) => ({ name, protocol, port })),
    });
  }

  /** A lease is its pod's attachment unless the pod of that name has ended, or is another one than the lease was for. */
  private putAttachment({ record, ips }: Lease): void {
    const key = factKey(record.namespace, record.pod);
    const pod = this.current.pods.get(key);
    const another = pod?.uid !== undefined && record.podUid !== null && pod.uid !== record.podUid;
    this.facts.put(
      'attachment',
      key,
      another || pod?.finished === true
        ? undefined
        : {
            namespace: record.namespace,
            pod: record.pod,
            node: nodeName(record.node),
            portKey: portKey(record.portKey),
            ofport: ofport(record.ofport),
            mac: mac(record.mac),
            ips,
            vpc: vpc(record.vpc),
          },
    );
  }

  private putEndpointsFor(namespace: string, podName: string): void {
    const pod = this.current.pods.get(factKey(namespace, podName));
    if (pod === undefined) return;
    for (const service of this.servicesWith(pod)) this.putEndpoints(service);
  }

  /** Pods in the host's network are endpoints under the node's addresses. */
  private putEndpointsOnHosts(): void {
    if (this.services === 'own') for (const service of this.current.services.values()) this.putEndpoints(service);
  }

  /** Services whose endpoints are derived and whose selectors select the pod. */
  private servicesWith(pod: SourcePod): readonly SourceService[] {
    if (this.services === 'given') return [];
    const all = [...this.known.servicesOf(pod.namespace)];
    return all.filter(({ selector }) => selector !== undefined && matchesLabels(selector, pod.labels));
  }

  private putEndpoints(service: SourceService): void {
    const { families } = wantedFamilies(service, this.serviceFamilies);
    const key = nameOf(service);
    const { selector } = service;
    if (selector === undefined || this.services === 'given') {
      this.facts.put('endpoints', key, endpointsOfSlices(service, families, [...this.known.slicesOf(key)]));
      return;
    }
    const pods = [...this.known.podsOf(service.namespace)].filter((p) => matchesLabels(selector, p.labels));
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

function overlaid<T>(known: ReadonlyMap<string, T>, delta: ReadonlyMap<string, T | undefined>): T[] {
  const unchanged = [...known].filter(([key]) => !delta.has(key)).map(([, value]) => value);
  return [...unchanged, ...[...delta.values()].filter((value) => value !== undefined)] as T[];
}
