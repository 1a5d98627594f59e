import type { NodeConfig, TlsFiles } from '@heddle/api';
import { GATEWAY_INTERFACE } from '../host/nft.js';

export const INTEGRATION_BRIDGE = 'br-int';
export const UNDERLAY_BRIDGE = 'br-phy';
export const TUNNEL_INTERFACE = 'tun0';

/** An interface that the switch must have; pods' are not among these. */
export interface InterfacePlan {
  readonly name: string;
  readonly type: '' | 'internal' | 'geneve' | 'vxlan';
  readonly options: Readonly<Record<string, string>>;
  readonly ofportRequest: number | undefined;
  readonly mac: string | undefined;
  readonly mtuRequest: number | undefined;
}

export interface BridgePlan {
  readonly name: string;
  readonly datapathType: string;
  readonly failMode: 'secure' | 'standalone';
  /** Empty: what Open vSwitch has by default. */
  readonly protocols: readonly ('OpenFlow13' | 'OpenFlow14' | 'OpenFlow15')[];
  /** Keys that must have these values; others are left alone. */
  readonly otherConfig: Readonly<Record<string, string>>;
  readonly controllers: readonly string[];
  readonly interfaces: readonly InterfacePlan[];
}

/**
 * Packets a second that the switch may send to a controller, and how many may wait for their turn, one port's after the
 * other's: what flows tell of, however much of it there is, does not bury the controller.
 */
export const PACKET_IN_LIMIT = { rate: 500, burst: 500 } as const;

/** What the node's Open vSwitch must look like, apart from pods. */
export interface SwitchPlan {
  readonly systemId: string;
  readonly managers: readonly string[];
  /** What the switch shows to the controller; undefined: no target is ssl:, and what is set is left alone. */
  readonly tls: TlsFiles | undefined;
  readonly bridges: readonly BridgePlan[];
}

export interface UnderlayPlan {
  /** Interface that moves into br-phy. */
  readonly uplink: string;
  readonly mac: string;
}

export interface SwitchPlanInput {
  readonly config: NodeConfig;
  readonly datapathType: 'system' | 'netdev';
  /** Host of the controller, for targets that name none. */
  readonly controllerHost: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly underlay: UnderlayPlan | undefined;
}

const plain = { options: {}, ofportRequest: undefined, mac: undefined, mtuRequest: undefined } as const;

/** `tcp::6653` means port 6653 of the controller that we registered with. @throws RangeError if that has no host */
export function resolveTarget(target: string, controllerHost: string | undefined): string {
  const open = /^(tcp|ssl)::(\d+)$/.exec(target);
  if (open === null) return target;
  if (controllerHost === undefined)
    throw new RangeError(
      `the controller says "${target}", but it was reached by a unix socket, so its host is not known`,
    );
  return `${open[1]}:${controllerHost.includes(':') ? `[${controllerHost}]` : controllerHost}:${open[2]}`;
}

/**
 * Pure: what the node's switch must look like for this configuration.
 * @throws RangeError if the controller's targets cannot be used
 */
export function planSwitch({ config, datapathType, controllerHost, tls, underlay }: SwitchPlanInput): SwitchPlan {
  const resolve = (target: string) => resolveTarget(target, controllerHost);
  const controllers = config.openflowTargets.map(resolve);
  const managers = config.ovsdbTargets.map(resolve);
  const encrypted = [...controllers, ...managers].find((target) => target.startsWith('ssl:'));
  if (encrypted !== undefined && tls === undefined)
    throw new RangeError(
      `the controller wants the switch to dial ${encrypted}, but this node has no certificate: ` +
        'set HEDDLE_TLS_KEY, HEDDLE_TLS_CERT and HEDDLE_TLS_CA of the agent',
    );
  const integration: BridgePlan = {
    name: INTEGRATION_BRIDGE,
    datapathType,
    failMode: 'secure',
    protocols: ['OpenFlow13', 'OpenFlow14', 'OpenFlow15'],
    otherConfig: { 'datapath-id': config.datapathId },
    controllers,
    interfaces: [
      {
        ...plain,
        name: TUNNEL_INTERFACE,
        type: config.encap,
        options: { remote_ip: 'flow', key: 'flow' },
        ofportRequest: config.tunnelOfport,
      },
      {
        ...plain,
        name: GATEWAY_INTERFACE,
        type: 'internal',
        ofportRequest: config.gateway.ofport,
        mac: config.gateway.mac,
        mtuRequest: config.podMtu,
      },
    ],
  };
  const physical: BridgePlan[] =
    underlay === undefined
      ? []
      : [
          {
            name: UNDERLAY_BRIDGE,
            datapathType,
            failMode: 'standalone',
            protocols: [],
            // The uplink's MAC, so that neighbours' caches stay right when its addresses move to the bridge.
            otherConfig: { hwaddr: underlay.mac },
            controllers: [],
            interfaces: [{ ...plain, name: underlay.uplink, type: '' }],
          },
        ];
  return {
    systemId: config.node,
    managers,
    tls: encrypted === undefined ? undefined : tls,
    bridges: [...physical, integration],
  };
}
