import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff, NodeConfig } from '@heddle/api';
import type { Logger } from 'pino';
import { Attacher } from '../attach/attacher.js';
import { reconcile } from '../attach/reconcile.js';
import { CNI_CODE, CniError } from '../cni/errors.js';
import { readLinks, readNeighbours } from '../host/ip-json.js';
import { HostSetUp } from '../host/set-up.js';
import { readState, writeState } from '../host/state-file.js';
import { switchTlsFiles } from '../host/switch-tls.js';
import { TunnelNeighbours } from '../host/tunnel-neighbours.js';
import { describeUnderlay, Uplink } from '../host/underlay.js';
import { announce } from '../install/announce.js';
import { conflist } from '../install/conflist.js';
import { isStructural, openSwitchDatabase, type SwitchDatabase } from '../ovs/database.js';
import { SwitchLiveness } from '../ovs/liveness.js';
import { tellNextHops } from '../ovs/next-hops.js';
import { UNDERLAY_BRIDGE } from '../ovs/plan.js';
import { PodPorts } from '../ovs/pod-ports.js';
import { PolicyPurge, purgeDecisions } from '../ovs/policy-purge.js';
import { type Access, followAccess } from './access.js';
import { CniServer } from './cni-server.js';
import { CniService, type ReadyNode } from './cni-service.js';
import { Controller, isUnknownNode } from './controller.js';
import type { AgentEnvironment } from './environment.js';

const newBackoff = () => new Backoff({ firstMs: 200, maxMs: 5_000, random: Math.random });

/** How long ADD waits for ovs-vswitchd to give a port, and for the switch to acknowledge its flows. */
const PORT_TIMEOUT_MS = 10_000;
const FLOWS_TIMEOUT_MS = 15_000;
/** The machine is compared with its configuration this often, besides at every change that is heard of. */
const REPAIR_INTERVAL_MS = 60_000;
/** Changes of the switch's database are answered this long after the first of a burst. */
const REPAIR_DELAY_MS = 200;
/** A switch that is restarted is back before this; the addresses of a machine whose switch is not go back to the uplink. */
const SWITCH_PATIENCE_MS = 4_000;
const LONG_POLL_MS = 25_000;
/** A controller that does not answer at start: the last known configuration is used meanwhile. */
const REGISTER_PATIENCE_MS = 3_000;
/** How long an early call of the CNI executable waits for the node to be set up. */
const READY_PATIENCE_MS = 5_000;
/** How long operations under way may take at shutdown. */
const SHUTDOWN_MS = 20_000;

/** The node agent: registers, sets the machine up, follows its configuration and serves the CNI executable. */
export class Agent {
  readonly #stop = new AbortController();
  readonly #access: Access;
  readonly #controller: Controller;
  readonly #service: CniService;
  readonly #uplink: Uplink | undefined;
  /** The kernel's datapath asks for next hops itself, and takes every change over. */
  readonly #neighbours: TunnelNeighbours | undefined;
  readonly #purge: PolicyPurge | undefined;
  #policyEpoch: number | undefined;
  readonly #configFile: string;
  #server: CniServer | undefined;
  #database: SwitchDatabase | undefined;
  #hostSetUp: HostSetUp | undefined;
  #node: ReadyNode | undefined;
  #becameReady: () => void = () => undefined;
  #config: NodeConfig | undefined;
  /** Why the controller does not answer, if so. */
  #controllerLost: string | undefined = 'not registered yet';
  /** Why the machine is not as it should be, if so. */
  #setUpFailed: string | undefined;
  #applying: Promise<void> = Promise.resolve();

  constructor(
    private readonly env: AgentEnvironment,
    private readonly logger: Logger,
  ) {
    this.#access = followAccess(env, logger);
    this.#controller = new Controller(env.controllerUrl, this.#access, env.nodeName);
    this.#uplink = env.uplink === undefined ? undefined : new Uplink(env.uplink, env.stateDir);
    if (env.datapathType === 'netdev') {
      // ovs-vswitchd has its control socket beside the database's.
      const folder = dirname(env.ovsdb.slice('unix:'.length));
      this.#purge = new PolicyPurge({ purge: () => purgeDecisions(folder), now: () => performance.now(), logger });
      this.#neighbours = new TunnelNeighbours({
        tell: async () => tellNextHops(folder, UNDERLAY_BRIDGE, await readNeighbours(UNDERLAY_BRIDGE)),
        failed: (err) => logger.debug({ err }, 'next_hops_not_told'),
      });
    }
    this.#configFile = join(env.stateDir, 'node-config.json');
    const ready = new Promise<void>((resolve) => {
      this.#becameReady = resolve;
    });
    this.#service = new CniService({
      node: () => this.#node ?? new CniError(CNI_CODE.unavailable, `the node agent is starting: ${this.#why()}`),
      ready,
      patienceMs: READY_PATIENCE_MS,
      logger,
    });
  }

  /** Resolves when CNI operations are served. @throws Error if the socket cannot be used */
  async start(): Promise<void> {
    const { env, logger } = this;
    // First, so that the container runtime gets "try again later" instead of a missing socket.
    this.#server = await CniServer.listen({
      path: env.agentSocket,
      handle: (request, gone) => this.#service.handle(request, gone),
      logger,
    });
    logger.info({ ovsdb: env.ovsdb, controller: env.controllerUrl, socket: env.agentSocket }, 'starting');
    this.#database = await openSwitchDatabase(env.ovsdb, this.#stop.signal);
    this.#hostSetUp = new HostSetUp({
      database: this.#database,
      datapathType: env.datapathType,
      controllerHost: this.#controller.host,
      encapIp: env.encapIp,
      tls: env.switchTlsDir === undefined ? env.tls : env.tls && switchTlsFiles(env.switchTlsDir),
      uplink: this.#uplink,
      logger,
    });
    await this.#uplink?.resume();
    await this.#untilDone('set_up_failed', async () => {
      await this.#registerOrRecall();
      await this.#apply();
      // The trouble of an attempt that failed is over.
      this.#setUpFailed = undefined;
    });
    await this.#serve(this.#database);
  }

  async #serve(database: SwitchDatabase): Promise<void> {
    const { env, logger } = this;
    const ports = new PodPorts(database, PORT_TIMEOUT_MS);
    const config = () => this.#requireConfig();
    const liveness = new SwitchLiveness(database);
    const attacher = new Attacher({
      controller: this.#controller,
      ports,
      datapathType: env.datapathType,
      config,
      logger,
      flowsTimeoutMs: FLOWS_TIMEOUT_MS,
    });
    const everything = { attacher, controller: this.#controller, ports, logger };
    // An agent that starts without its controller serves at once; what a crash left is looked at when it answers.
    attacher.unsettled = true;
    if (this.#controllerLost === undefined)
      await reconcile(everything).then(
        () => {
          attacher.unsettled = false;
        },
        (err: unknown) => logger.warn({ err }, 'reconcile_failed'),
      );
    this.#node = {
      attacher,
      ports,
      config,
      trouble: () => this.#trouble(liveness),
      collect: (network, attachments) => reconcile({ ...everything, valid: { network, attachments } }),
    };
    this.#becameReady();
    database.replica.onState((state) => {
      logger.info({ state }, 'switch_database');
      if (state === 'synced') this.#repairSoon();
      else this.#retreatLater(database);
    });
    database.replica.onChange((change) => {
      if (isStructural(change)) this.#repairSoon();
    });
    void this.#follow();
    void this.#keepSettled(attacher, () => reconcile(everything));
    this.#announce();
    logger.info({ socket: env.agentSocket, generation: this.#config?.generation }, 'ready');
  }

  /** Gives the container runtime its configuration, as soon as pods would get a network that works. */
  #announce(): void {
    const { cniConfDir: dir, cniVersion, agentSocket: socket } = this.env;
    if (dir === undefined) return;
    void announce({
      dir,
      text: conflist({ cniVersion, socket }),
      trouble: async () => this.#node?.trouble(),
      realized: () => this.#controller.nodeRealized(FLOWS_TIMEOUT_MS, this.#stop.signal),
      pause: (ms) => this.#pause(ms),
      signal: this.#stop.signal,
      logger: this.logger,
    });
  }

  /** Stops serving; operations under way end first. Links, ports, flows and addresses stay: traffic goes on. */
  async stop(): Promise<void> {
    this.#neighbours?.stop();
    const served = this.#server?.close();
    await Promise.race([served, sleep(SHUTDOWN_MS, undefined, { ref: false })]);
    if (this.#service.active > 0)
      this.logger.warn({ active: this.#service.active }, 'stopped_with_operations_under_way');
    this.#stop.abort();
    this.#access.stop();
    await this.#applying.catch(() => undefined);
    await this.#database?.client.close();
  }

  #why(): string {
    if (this.#database === undefined) return `cannot reach ${this.env.ovsdb}`;
    return this.#setUpFailed ?? this.#controllerLost ?? 'setting up the node';
  }

  async #trouble(liveness: SwitchLiveness): Promise<CniError | undefined> {
    if (this.#database?.replica.state !== 'synced')
      return new CniError(CNI_CODE.limitedConnectivity, `cannot reach the switch's database at ${this.env.ovsdb}`);
    if (this.#setUpFailed !== undefined)
      return new CniError(CNI_CODE.limitedConnectivity, `the node is not set up: ${this.#setUpFailed}`);
    if (this.#controllerLost !== undefined)
      return new CniError(CNI_CODE.unavailable, `cannot reach the controller: ${this.#controllerLost}`);
    const dead = await liveness.check();
    return dead === undefined ? undefined : new CniError(CNI_CODE.limitedConnectivity, dead);
  }

  #requireConfig(): NodeConfig {
    if (this.#config === undefined) throw new CniError(CNI_CODE.tryAgainLater, 'the node has no configuration yet');
    return this.#config;
  }

  async #register(): Promise<void> {
    const { env } = this;
    const underlay = describeUnderlay(await readLinks(), env.encapIp);
    const body = {
      encapIp: env.encapIp,
      addresses: [...underlay.addresses],
      underlayMtu: underlay.mtu,
      datapathType: env.datapathType,
    };
    this.#take(await this.#controller.register(body, this.#stop.signal));
  }

  #take({ policyEpoch, ...config }: NodeConfig): void {
    this.#controllerLost = undefined;
    // Nothing that the machine is set up by, and of no use to the next agent.
    this.#policyEpoch = policyEpoch;
    // Whole, not by generation: a controller with a new database counts from the start.
    if (JSON.stringify(config) === JSON.stringify(this.#config)) return;
    this.#config = config;
    writeState(this.#configFile, config);
  }

  /** Registers; when the controller stays silent, goes on with what it said the last time. */
  async #registerOrRecall(): Promise<void> {
    const giveUp = Date.now() + REGISTER_PATIENCE_MS;
    for (const backoff = newBackoff(); ; )
      try {
        await this.#register();
        return;
      } catch (err) {
        if (this.#stop.signal.aborted) throw err;
        this.#controllerLost = err instanceof Error ? err.message : String(err);
        const recalled = Date.now() < giveUp ? undefined : readState(this.#configFile, NodeConfig);
        this.logger.warn({ reason: this.#controllerLost, recalled: recalled !== undefined }, 'register_failed');
        if (recalled !== undefined && recalled.node === this.env.nodeName) {
          this.#config = recalled;
          return;
        }
        await this.#rest(backoff.next());
      }
  }

  /** Long poll of the node's configuration, for ever. */
  async #follow(): Promise<void> {
    const backoff = newBackoff();
    while (!this.#stop.signal.aborted)
      try {
        const before = this.#config;
        const asked = Date.now();
        if (this.#controllerLost === undefined) {
          const { epoch } = this.#purge ?? {};
          const after = before?.generation ?? 0;
          this.#take(await this.#controller.config(after, epoch, LONG_POLL_MS, this.#stop.signal));
        } else {
          // Also after an outage: what we announce may have changed, and a restored controller may not know us.
          await this.#register();
          if (this.#node !== undefined) this.#node.attacher.unsettled = true;
          this.logger.info('controller_back');
        }
        const purged = await this.#purge?.take(this.#policyEpoch);
        if (this.#config !== before) await this.#repair();
        if (purged) await sleep(this.#purge?.restMs, undefined, { signal: this.#stop.signal });
        // A controller that answers at once instead of waiting must not be asked in a loop.
        else if (this.#config === before && Date.now() - asked < 1_000) await this.#pause(1_000);
        backoff.reset();
      } catch (err) {
        if (this.#stop.signal.aborted) return;
        // Once for each outage; the repetitions say nothing new.
        const level = this.#controllerLost === undefined ? 'warn' : 'debug';
        this.#controllerLost = err instanceof Error ? err.message : String(err);
        this.logger[level]({ reason: this.#controllerLost, forgotten: isUnknownNode(err) }, 'controller_lost');
        await this.#rest(backoff.next());
      }
  }

  /** A switch whose pod was deleted waits for us: kubelet cannot be told of the next one before the node is in reach. */
  #retreatLater({ replica }: SwitchDatabase): void {
    const uplink = this.#uplink;
    if (uplink === undefined) return;
    setTimeout(() => {
      if (replica.state === 'synced' || this.#stop.signal.aborted) return;
      this.#applying = this.#applying
        .catch(() => undefined)
        .then(async () => {
          if (replica.state !== 'synced' && (await uplink.retreat())) this.logger.warn('uplink_has_its_addresses_back');
        })
        .catch((err: unknown) => this.logger.error({ err }, 'retreat_failed'));
    }, SWITCH_PATIENCE_MS).unref();
  }

  #repairTimer: NodeJS.Timeout | undefined;
  #repairSoon(): void {
    if (this.#repairTimer !== undefined || this.#stop.signal.aborted) return;
    this.#repairTimer = setTimeout(() => {
      this.#repairTimer = undefined;
      void this.#repair();
    }, REPAIR_DELAY_MS);
    this.#repairTimer.unref();
  }

  /** Like #apply, but a failure is noted and tried again by the next occasion. */
  async #repair(): Promise<void> {
    try {
      await this.#apply();
      this.#setUpFailed = undefined;
    } catch (err) {
      if (this.#stop.signal.aborted) return;
      this.#setUpFailed = err instanceof Error ? err.message : String(err);
      this.logger.error({ err }, 'repair_failed');
    }
  }

  /** One after another: two at once could undo each other's work. */
  #apply(): Promise<void> {
    const next = this.#applying
      .catch(() => undefined)
      .then(async () => {
        const config = this.#requireConfig();
        await this.#hostSetUp?.apply(config, this.#stop.signal);
        this.#neighbours?.prime(config.peers);
      });
    this.#applying = next;
    return next;
  }

  /** Every minute, and soon after something could not be taken back: repairs the machine, removes leftovers. */
  async #keepSettled(attacher: Attacher, again: () => Promise<unknown>): Promise<void> {
    let lastRepair = Date.now();
    while (!this.#stop.signal.aborted) {
      await this.#pause(2_000);
      if (this.#stop.signal.aborted) return;
      if (Date.now() - lastRepair >= REPAIR_INTERVAL_MS || this.#setUpFailed !== undefined) {
        lastRepair = Date.now();
        await this.#repair();
      }
      if (!attacher.unsettled || this.#controllerLost !== undefined) continue;
      attacher.unsettled = false;
      await again().catch((err: unknown) => {
        attacher.unsettled = true;
        this.logger.warn({ err }, 'reconcile_failed');
      });
    }
  }

  async #untilDone(event: string, task: () => Promise<void>): Promise<void> {
    for (const backoff = newBackoff(); ; )
      try {
        await task();
        return;
      } catch (err) {
        if (this.#stop.signal.aborted) throw err;
        this.#setUpFailed = err instanceof Error ? err.message : String(err);
        this.logger.error({ err }, event);
        await this.#rest(backoff.next());
      }
  }

  /** Waits, up to a half longer at random so that a fleet does not march in step. */
  #pause(ms: number): Promise<void> {
    return this.#rest(ms * (1 + Math.random() / 2));
  }
  /** Ends early at stop. */
  #rest(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}
