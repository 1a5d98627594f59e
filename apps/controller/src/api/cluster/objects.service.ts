import type { PodView, PolicyView, ServiceView } from '@heddle/api';
import { type Compiler, clusterPolicyKey, clusterPolicyObject, factKey, type PolicyOptions } from '@heddle/compiler';
import { Inject, Injectable } from '@nestjs/common';
import { Allocations } from '../../allocation/allocations.js';
import { Engine } from '../../core/engine.js';
import { FactTable } from '../../core/fact-table.js';
import { World } from '../../core/world.js';
import { COMPILER } from '../../runtime/tokens.js';
import type { SourceClusterPolicy } from '../../source/model.js';

/** Kubernetes objects as the controller understands them. */
@Injectable()
export class ObjectsService {
  constructor(
    private readonly world: World,
    private readonly facts: FactTable,
    private readonly allocations: Allocations,
    private readonly engine: Engine,
    @Inject(COMPILER) private readonly compiler: Compiler,
  ) {}

  pods(): PodView[] {
    return byName(this.world.objects.pods).map((pod) => ({
      namespace: pod.namespace,
      name: pod.name,
      labels: pod.labels,
      requestedNode: pod.nodeName,
      hostNetwork: pod.hostNetwork,
      containers: pod.containers,
      attachment: this.attachment(pod.namespace, pod.name),
    }));
  }

  services(): ServiceView[] {
    return byName(this.world.objects.services).map((service) => {
      const key = factKey(service.namespace, service.name);
      const endpoints = this.facts.get('endpoints', key)?.ports ?? [];
      return {
        namespace: service.namespace,
        name: service.name,
        type: service.type,
        clusterIps: [...(this.facts.get('service', key)?.clusterIps ?? [])],
        ports: service.ports.map((port) => ({
          name: port.name,
          protocol: port.protocol,
          port: port.port,
          targetPort: String(port.targetPort),
          endpoints: (endpoints.find((p) => p.name === port.name)?.endpoints ?? []).map(({ ip, port: number }) =>
            ip.includes(':') ? `[${ip}]:${number}` : `${ip}:${number}`,
          ),
        })),
      };
    });
  }

  policies(): PolicyView[] {
    const cluster = byName(this.world.objects.clusterPolicies)
      .map((policy) => this.clusterPolicy(policy))
      .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
    const own = byName(this.world.objects.policies).map((policy): PolicyView => {
      const { namespace, name, ingress, egress } = policy;
      return {
        kind: 'NetworkPolicy',
        namespace,
        name,
        tier: 'NetworkPolicy',
        priority: null,
        policyTypes: typesOf({ ingress: ingress !== undefined, egress: egress !== undefined }),
        ...optionsOf(policy),
        subjects: [...this.compiler.subjectsOf(factKey(namespace, name))].sort(),
      };
    });
    return [...cluster.filter((p) => p.tier === 'Admin'), ...own, ...cluster.filter((p) => p.tier === 'Baseline')];
  }

  private clusterPolicy(policy: SourceClusterPolicy): PolicyView {
    const { name, tier, priority, ingress, egress } = policy;
    return {
      ...clusterPolicyObject(name),
      namespace: '',
      tier,
      priority,
      policyTypes: typesOf({ ingress: ingress.length > 0, egress: egress.length > 0 }),
      ...optionsOf(policy),
      subjects: [...this.compiler.subjectsOf(clusterPolicyKey(name))].sort(),
    };
  }

  private attachment(namespace: string, pod: string): PodView['attachment'] {
    const lease = this.allocations.attachments.ofPod(namespace, pod);
    if (lease === undefined) return null;
    const { node, mac, portKey, ofport } = lease.record;
    return {
      node,
      ips: [...lease.ips],
      mac,
      portKey,
      ofport,
      identity: this.compiler.identityOf(namespace, pod)?.number ?? 0,
      realized: this.engine.isRealized(node, this.engine.portGeneration(portKey)),
    };
  }
}

const typesOf = (has: { readonly ingress: boolean; readonly egress: boolean }): string[] => [
  ...(has.ingress ? ['Ingress'] : []),
  ...(has.egress ? ['Egress'] : []),
];
const optionsOf = ({ existing = 'recheck', logging = 'none' }: PolicyOptions) => ({
  existingConnections: existing,
  log: logging,
});

function byName<T>(map: ReadonlyMap<string, T>): T[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
