import type { TlsFollower } from '@heddle/api';
import type { Compiler, ConfigFact, IdSource } from '@heddle/compiler';
import { Allocations } from '../allocation/allocations.js';
import { ROUTER_MAC } from '../allocation/macs.js';
import type { Clock } from '../clock.js';
import type { Config } from '../config/config.js';
import { agentTlsProblems, followTls, tlsProblems } from '../config/tls.js';
import { AgentContacts } from '../core/agent-contacts.js';
import type { DepartedNodes } from '../core/departed-nodes.js';
import { Engine } from '../core/engine.js';
import { FactTable } from '../core/fact-table.js';
import { OwnProblems } from '../core/own-problems.js';
import type { OvsdbPort, SwitchesPort } from '../core/ports.js';
import { Refusals } from '../core/refusals.js';
import { SwitchOrigins } from '../core/switch-origins.js';
import { Watchers } from '../core/watchers.js';
import { World } from '../core/world.js';
import { createDomainWatch, type DomainWatch } from '../dns/domain-watch.js';
import { WantedNames } from '../dns/wanted-names.js';
import { AgentTokens } from '../kubernetes/agent-tokens.js';
import type { KubernetesWriter } from '../kubernetes/writes/kubernetes-writer.js';
import type { Logger } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';
import { Database } from '../persistence/database.js';
import type { Source } from '../source/model.js';
import { createSource } from './create-source.js';
import { createDepartedNodes } from './departed-nodes.js';
import { engineEvents } from './engine-events.js';
import { PolicyWatch, type PolicyWatchTimes } from './policy-watch.js';
import { createWriter } from './write-back.js';

/** The parts that talk to switches; they are made when the compiler and the ledger are there. */
export interface Southbound {
  readonly switches: SwitchesPort;
  readonly ovsdb: OvsdbPort;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface SouthboundNeeds {
  readonly config: Config;
  /** Of `ssl:` listeners; undefined if there are no files. */
  readonly tls: TlsFollower | undefined;
  /** From where each switch may connect; undefined: nobody can tell. */
  readonly origins: SwitchOrigins | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly compiler: Compiler;
  readonly allocations: Allocations;
  /** True when what the compiler gives is the whole desired state. */
  readonly inSync: () => boolean;
  /** Something that waiters may look at has changed. */
  readonly changed: () => void;
  /** Undefined if everything is recorded that a switch may be told of, else resolves when it is so. */
  readonly beforeCommit: () => Promise<void> | undefined;
}

export interface RuntimeOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly createCompiler: (ids: IdSource) => Compiler;
  readonly createSouthbound: (needs: SouthboundNeeds) => Southbound;
  /** Milliseconds since 1970; default Date.now. */
  readonly wallNow?: (() => number) | undefined;
  readonly policyWatchTimes?: PolicyWatchTimes | undefined;
}

/** The controller without its API: database, source, compiler and drivers, put together. */
export class Runtime {
  /** Attaches that were refused. */
  readonly refusals = new Refusals();
  /** What is wrong beside the source. */
  readonly problems = new OwnProblems();
  /** Tells the cluster how far things are, where there is one. */
  private writer: KubernetesWriter | undefined;
  /** Removes nodes that the cluster has no more, where there is one. */
  private departed: DepartedNodes | undefined;
  /** Says whose the tokens of agents are, if each has one of its own. */
  agentTokens: AgentTokens | undefined;

  private constructor(
    readonly config: Config,
    readonly logger: Logger,
    readonly metrics: Metrics,
    readonly database: Database,
    readonly allocations: Allocations,
    readonly source: Source,
    readonly compiler: Compiler,
    readonly facts: FactTable,
    readonly world: World,
    readonly watchers: Watchers,
    readonly engine: Engine,
    readonly domains: DomainWatch,
    readonly policyWatch: PolicyWatch,
    /** Key and certificates of the `ssl:` listeners. */
    readonly tls: TlsFollower | undefined,
    readonly contacts: AgentContacts,
    /** From where each switch may connect, where agents prove which node they are of. */
    readonly origins: SwitchOrigins | undefined,
    private readonly southbound: Southbound,
  ) {}

  get switches(): SwitchesPort {
    return this.southbound.switches;
  }
  get ovsdb(): OvsdbPort {
    return this.southbound.ovsdb;
  }

  /** Opens the database and makes every part; nothing runs yet. @throws Error that says what to do */
  static async create(options: RuntimeOptions): Promise<Runtime> {
    const database = await Database.open(options.config.databaseUrl);
    try {
      return await Runtime.assemble(options, database);
    } catch (e) {
      await database.close();
      throw e;
    }
  }

  private static async assemble(options: RuntimeOptions, database: Database): Promise<Runtime> {
    const { config, logger, clock } = options;
    const wallNow = options.wallNow ?? Date.now;
    const tls = config.tls && followTls({ files: config.tls, clock, wallNow, logger });
    const metrics = new Metrics();
    const facts = new FactTable();
    const watchers = new Watchers(clock);
    const allocations = await Allocations.load(database, {
      clusterCidrs: config.clusterCidrs,
      serviceCidrs: config.serviceCidrs,
      families: config.families,
      networkSettings: networkSettings(config),
    });
    const wanted = new WantedNames();
    const world = new World(
      facts,
      allocations,
      serviceFamilies(config),
      config.source.kind === 'kubernetes' ? 'given' : 'own',
      wanted,
    );
    const { source, cluster } = await createSource({ config: config.source, clock, database, logger });
    const compiler = options.createCompiler(allocations.ledger);
    // The drivers ask for the engine's state, the engine tells the drivers: one of them must come first.
    let engine: Engine | undefined;
    let domains: DomainWatch | undefined;
    const account = config.source.kind === 'kubernetes' ? config.source.agentAccount : undefined;
    const origins = account && new SwitchOrigins(allocations.nodes);
    const contacts = new AgentContacts(clock);
    const southbound = options.createSouthbound({
      config,
      tls,
      origins,
      logger,
      clock,
      metrics,
      compiler,
      allocations,
      inSync: () => engine?.inSync ?? false,
      changed: () => watchers.changed(),
      beforeCommit: () =>
        allocations.isFlushed && domains?.observer.isFlushed !== false
          ? undefined
          : allocations.flush().then(() => domains?.observer.flush()),
    });
    engine = new Engine({
      config: configFact(config),
      source,
      allocations,
      facts,
      world,
      compiler,
      switches: southbound.switches,
      watchers,
      clock,
      events: {
        ...engineEvents(metrics, logger),
        nodeRemoved(node) {
          contacts.forget(node);
          origins?.forget(node);
        },
      },
    });
    const { switches } = southbound;
    const needs = { clock, wallNow, logger, database, facts, wanted, engine, watchers, switches };
    domains = await createDomainWatch(needs);
    const policyWatch = await PolicyWatch.create({
      ...{ logger, clock, metrics, database, allocations, compiler, switches },
      wallClock: wallNow,
      changed: () => watchers.changed(),
      times: options.policyWatchTimes,
    });
    const runtime = new Runtime(
      config,
      logger,
      metrics,
      database,
      allocations,
      source,
      compiler,
      facts,
      world,
      watchers,
      engine,
      domains,
      policyWatch,
      tls,
      contacts,
      origins,
      southbound,
    );
    const { tls: files } = config;
    if (tls !== undefined && files !== undefined) runtime.problems.add(() => tlsProblems(tls, files, wallNow()));
    runtime.problems.add(() => agentTlsProblems(runtime.contacts.certificateEnds(), wallNow()));
    runtime.writer = cluster && createWriter(runtime, cluster, clock);
    if (cluster !== undefined && account !== undefined)
      runtime.agentTokens = new AgentTokens({ client: cluster.client, clock, wallNow, account });
    const departed = cluster && createDepartedNodes(runtime, cluster.source, clock);
    runtime.departed = departed;
    if (departed !== undefined) runtime.problems.add(() => departed.problems());
    return runtime;
  }

  /** Reads the source, compiles, then lets switches in. */
  async start(): Promise<void> {
    this.tls?.start();
    await this.engine.start();
    this.domains.observer.start();
    await this.southbound.start();
    this.policyWatch.start();
    this.writer?.start();
    this.departed?.start();
  }

  /** Stops in the order that loses nothing: no more changes, no more switches, then the database. */
  async stop(): Promise<void> {
    this.tls?.stop();
    this.departed?.stop();
    await this.writer?.stop();
    await this.source.stop();
    await this.engine.stop();
    await this.southbound.stop();
    await this.policyWatch.stop();
    await this.domains.observer.stop();
    await this.allocations.flush();
    await this.database.close();
  }
}

function configFact(config: Config): ConfigFact {
  const { clusterCidrs, serviceCidrs, encap, families, dnsServers } = config;
  return {
    ...{ clusterCidrs, serviceCidrs, encap, routerMac: ROUTER_MAC, families },
    ...(dnsServers === undefined ? {} : { dnsServers }),
  };
}

/** Families that services can have, in the order of the service CIDRs. */
function serviceFamilies(config: Config) {
  const all = config.serviceCidrs.map((c) => (c.includes(':') ? (6 as const) : (4 as const)));
  return all.filter((f, i) => all.indexOf(f) === i);
}

function networkSettings({ clusterCidrs, serviceCidrs, encap, families, openflowListen, ovsdbListen }: Config): string {
  return JSON.stringify({ clusterCidrs, serviceCidrs, encap, families, openflowListen, ovsdbListen });
}
