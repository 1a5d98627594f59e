import type { NodeConfig, TlsFiles } from '@heddle/api';
import type { Logger } from 'pino';
import type { SwitchDatabase } from '../ovs/database.js';
import { ensureSwitch, switchProblems } from '../ovs/ensure.js';
import { planSwitch } from '../ovs/plan.js';
import { ipBatch, run } from './command.js';
import { gatewayLines, staleGatewayLines } from './gateway.js';
import { readLinks, readRoutes } from './ip-json.js';
import { GATEWAY_INTERFACE, nftTable } from './nft.js';
import { setGatewaySysctls } from './sysctl.js';
import { describeUnderlay, type Uplink } from './underlay.js';

export interface HostSetUpOptions {
  readonly database: SwitchDatabase;
  readonly datapathType: 'system' | 'netdev';
  readonly controllerHost: string | undefined;
  readonly encapIp: string;
  readonly tls: TlsFiles | undefined;
  readonly uplink: Uplink | undefined;
  readonly logger: Logger;
}

/** ovs-vswitchd takes some hundred milliseconds for a first bridge; it may be busy with a restart. */
const SWITCH_TIMEOUT_MS = 30_000;

/** Makes this machine a node, and keeps it one: `apply` may be called as often as one likes. */
export class HostSetUp {
  /** The table as nft printed it after we had written it; what it prints later must be the same. */
  #nft: { readonly text: string; readonly listing: string } | undefined;

  constructor(private readonly options: HostSetUpOptions) {}

  async apply(config: NodeConfig, signal: AbortSignal): Promise<void> {
    const { database, datapathType, controllerHost, tls, uplink, encapIp, logger } = this.options;
    const underlay = await uplink?.prepare();
    const plan = planSwitch({ config, datapathType, controllerHost, tls, underlay });
    const changes = await ensureSwitch(database, plan, { timeoutMs: SWITCH_TIMEOUT_MS, signal });
    if (changes.length > 0) logger.info({ changes }, 'switch_changed');
    // Also when nothing was changed: the rows may be right and the interfaces not be there.
    const problems = switchProblems(database.replica, plan);
    if (problems.length > 0) throw new Error(problems.join('; '));
    await uplink?.move();
    await this.#gateway(config, encapIp);
    await this.#nftTable(config);
    logger.debug({ generation: config.generation }, 'set_up_checked');
  }

  async #gateway(config: NodeConfig, encapIp: string): Promise<void> {
    const plan = {
      ips: config.gateway.ips,
      routerIps: config.routerIps,
      routerMac: config.routerMac,
      cidrs: [...config.clusterCidrs, ...config.serviceCidrs],
    };
    const [links, routes] = await Promise.all([readLinks(), readRoutes(GATEWAY_INTERFACE)]);
    setGatewaySysctls(GATEWAY_INTERFACE, describeUnderlay(links, encapIp).device);
    const link = links.find((l) => l.name === GATEWAY_INTERFACE);
    const stale = staleGatewayLines(plan, link, routes);
    if (stale.length > 0) this.options.logger.info({ stale }, 'gateway_leftovers_removed');
    await ipBatch([...stale, ...gatewayLines(plan)]);
  }

  async #nftTable(config: NodeConfig): Promise<void> {
    const text = nftTable(config);
    const list = () => run('nft', ['list', 'table', 'inet', 'heddle']).catch(() => '');
    if (this.#nft?.text === text) {
      if ((await list()) === this.#nft.listing) return;
      this.options.logger.warn('nft_table_changed_by_others');
    }
    await run('nft', ['-f', '-'], { input: text });
    this.#nft = { text, listing: await list() };
  }
}
