import { type Endpoint, formatEndpoint, type NodeConfig } from '@heddle/api';
import { familyOf, ip, nodeName } from '@heddle/compiler';
import { Inject, Injectable } from '@nestjs/common';
import { Allocations } from '../../allocation/allocations.js';
import { ROUTER_MAC } from '../../allocation/macs.js';
import type { Config } from '../../config/config.js';
import type { SwitchesPort } from '../../core/ports.js';
import { GATEWAY_OFPORT, TUNNEL_OFPORT } from '../../core/world.js';
import { Refusal } from '../../errors.js';
import { CONFIG, SWITCHES } from '../../runtime/tokens.js';

/** Link-local next hops of every pod. */
const ROUTER_IPS = { 4: '169.254.1.1', 6: 'fe80::1' } as const;
/** Outer headers in bytes: IP, UDP 8, then Geneve 8 + option 8, or VXLAN 8; and the inner Ethernet header 14. */
const OUTER_IP = { 4: 20, 6: 40 } as const;
const OVERHEAD = { geneve: 8 + 8 + 8 + 14, vxlan: 8 + 8 + 14 } as const;

/** What node agents are told to set up. */
@Injectable()
export class NodeConfigs {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly allocations: Allocations,
    @Inject(SWITCHES) private readonly switches: SwitchesPort,
  ) {}

  /** Grows whenever a node's configuration may have changed; never goes back, not even over a restart. */
  get generation(): number {
    return this.allocations.sequences.current('node-set');
  }

  /** Whether policies have changed in the node's switch since this epoch; undefined: the agent does not want to know. */
  isOtherEpoch(name: string, epoch: number | undefined): boolean {
    if (epoch === undefined) return false;
    const current = this.policyEpoch(name);
    return current !== undefined && current !== epoch;
  }

  private policyEpoch(name: string): number | undefined {
    return this.switches.state(nodeName(name))?.policyEpoch;
  }

  /** @throws Refusal unknown_node */
  of(name: string): NodeConfig {
    const { config, allocations } = this;
    const node = allocations.nodes.get(name);
    if (node === undefined) throw new Refusal('unknown_node', `node ${name} has not registered`);
    const policyEpoch = this.policyEpoch(name);
    return {
      generation: this.generation,
      node: name,
      datapathId: node.datapathId,
      encap: config.encap,
      podMtu: this.podMtu(name),
      clusterCidrs: [...config.clusterCidrs],
      serviceCidrs: [...config.serviceCidrs],
      routerMac: ROUTER_MAC,
      routerIps: config.families.map((f) => ROUTER_IPS[f]),
      gateway: {
        mac: node.gatewayMac,
        ips: node.gatewayIps.filter((g) => config.families.includes(familyOf(ip(g)))),
        ofport: GATEWAY_OFPORT,
      },
      tunnelOfport: TUNNEL_OFPORT,
      openflowTargets: targets(config.openflowListen),
      ovsdbTargets: targets(config.ovsdbListen),
      peers: allocations.nodes
        .all()
        .filter((n) => n.name !== name)
        .map((n) => ({ name: n.name, encapIp: n.encapIp })),
      ...(policyEpoch === undefined ? {} : { policyEpoch }),
    };
  }

  /** MTU of the node's pods: what the underlay carries without what the tunnel adds. */
  podMtu(name: string): number {
    const node = this.allocations.nodes.get(name);
    if (node === undefined) return 1_280;
    return node.underlayMtu - OUTER_IP[familyOf(ip(node.encapIp))] - OVERHEAD[this.config.encap];
  }
}

/** One target, because a switch keeps a connection to every target that it has. A wildcard host is left out for the agent to fill in. */
function targets(listen: readonly Endpoint[]): string[] {
  const chosen = listen.find((e) => e.kind !== 'unix') ?? listen[0];
  if (chosen === undefined) return [];
  if (chosen.kind === 'unix') return [formatEndpoint(chosen)];
  const wildcard = chosen.host === '0.0.0.0' || chosen.host === '::';
  return [wildcard ? `${chosen.kind}::${chosen.port}` : formatEndpoint(chosen)];
}
