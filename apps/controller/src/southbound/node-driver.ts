import type { Flow, NodeDelta, NodeName } from '@heddle/compiler';
import { formatCloseReason, type Mod, NO_BUFFER, type OpenFlowSession, PORT, type RejectedMod } from 'openflow-ts';
import type { CountsEvent } from '../core/ports.js';
import { Dirty, frozen, frozenPart, Installed, type Without } from './content.js';
import { isCounted, readAllCounts, readCountsOf } from './counts.js';
import type { DriverEvents, DriverOptions, NodeSwitchState } from './driver-options.js';
import { PacketInQueue } from './packet-in.js';
import { Pauses } from './pauses.js';
import { type Content, type Difference, differences, inOrder, planDelta } from './plan.js';
import { PolicyEpoch } from './policy-epoch.js';
import { ensureFlowMeters, ensureIdentityField, ensurePackets } from './prepare.js';
import { readBack } from './readback.js';
import { logDrift, logRefused } from './reports.js';
import type { SharedMods } from './shared-mods.js';
import { changesJudgement, isJudging } from './verdicts.js';

/** Why the whole switch is compared. */
type Cause = 'connect' | 'rejected' | 'drift';

interface Work {
  readonly content: Content;
  readonly mods: readonly Mod[];
  /** Realized when the mods are. */
  readonly generation: number;
  /** Whether the mods change what packets are judged by. */
  readonly judgement: boolean;
  /** Flows among those that the mods remove whose counters somebody wants to know. */
  readonly leaving: readonly Flow[];
  /** Called when the switch has the mods. */
  readonly done: () => void;
}

/**
 * Keeps one switch equal to what the compiler wants, one bundle at a time. A failure stops nothing but its own loop:
 * a refused bundle is tried again from a fresh read-back after a pause, a lost connection from the next one.
 */
export class NodeDriver {
  readonly #installed = new Installed();
  readonly #packets: PacketInQueue;
  /** What this switch cannot have. */
  #without: Without;
  #session: OpenFlowSession | undefined;
  #dirty = new Dirty();
  /** Set: the switch must be read back, because it is not known what it has. */
  #resync: Cause | undefined;
  #running = false;
  #stopped = false;
  #cancelDrift: () => void = () => undefined;
  readonly #pauses: Pauses;
  #generation = 0;
  #realized = 0;
  #lastError: string | null = null;
  #modsSent = 0;
  #modsAtConnect = 0;
  #bundlesSent = 0;
  #readBacks = 0;
  #driftFound = 0;
  readonly #policyEpoch = new PolicyEpoch();

  constructor(
    readonly node: NodeName,
    private readonly options: DriverOptions,
    private readonly events: DriverEvents,
    private readonly shared: SharedMods,
  ) {
    this.#packets = new PacketInQueue({
      node,
      clock: options.clock,
      deliver: (event) => events.packetIn(event),
      failed: (error) => options.logger.error({ event: 'packet-in-failed', node, error: String(error) }),
    });
    this.#pauses = new Pauses(options.clock, () => this.#kick());
  }

  get state(): NodeSwitchState {
    return {
      connected: this.#session !== undefined,
      version: this.#session?.version ?? null,
      remote: this.#session?.remote ?? null,
      lastError: this.#lastError,
      realizedGeneration: this.#realized,
      modsSent: this.#modsSent,
      modsAtConnect: this.#modsAtConnect,
      bundlesSent: this.#bundlesSent,
      readBacks: this.#readBacks,
      driftFound: this.#driftFound,
      policyEpoch: this.#policyEpoch.value,
      packetIns: this.#packets.taken,
      packetInsDropped: this.#packets.dropped,
    };
  }

  /** Takes a new connection; an older one of the same switch is ended. */
  attach(session: OpenFlowSession, generation: number): void {
    const { logger } = this.options;
    const { node } = this;
    this.#session?.close();
    this.#forget();
    this.#session = session;
    this.#generation = generation;
    this.#resync = 'connect';
    this.#pauses.succeeded();
    session.on('packet_in', this.#packets.put);
    logger.info({ event: 'switch-connected', node, remote: session.remote, version: session.version });
    void session.closed.then((reason) => {
      if (this.#session !== session) return;
      this.#session = undefined;
      this.#forget();
      if (!this.#stopped) logger.warn({ event: 'switch-disconnected', node, reason: formatCloseReason(reason) });
    });
    this.#pauses.end();
    this.#scheduleDrift();
    this.#kick();
  }

  /** Something was compiled; `delta` names what of it concerns this node. */
  notify(generation: number, delta: NodeDelta | undefined): void {
    this.#generation = generation;
    if (delta !== undefined && this.#resync !== 'connect') this.#dirty.add(delta);
    this.#pauses.compiled(delta !== undefined);
    this.#kick();
  }

  /** Compares the whole switch as soon as there is nothing else to do. */
  checkDrift(): void {
    this.#resync ??= 'drift';
    this.#kick();
  }

  /** Reads counters, if there is nothing more urgent to do with the switch. False: not now. */
  async readCounts(): Promise<boolean> {
    const session = this.#session;
    const behind = this.#running || this.#resync !== undefined || this.#dirty.size > 0;
    if (session === undefined || behind || this.#stopped || this.#pauses.isOn) return false;
    return this.#tellCounts(session, 'all', readAllCounts(session));
  }

  /** Sends a packet through the tables, as if it had come in by the port. Whoever sent it is not told of its fate either. */
  packetOut(inPort: number, data: Uint8Array): void {
    const session = this.#session;
    const actions = [{ kind: 'output', port: PORT.TABLE }] as const;
    const failed = (error: unknown) =>
      this.options.logger.warn({ event: 'packet-out-failed', node: this.node, error: String(error) });
    session?.send({ kind: 'packet_out', bufferId: NO_BUFFER, inPort, actions, data }).catch(failed);
  }

  stop(): void {
    this.#stopped = true;
    this.#forget();
    this.#session?.close();
  }

  #forget(): void {
    this.#cancelDrift();
    this.#pauses.end();
    this.#packets.clear();
    this.#dirty = new Dirty();
    this.#installed.reset({ flows: new Map(), groups: new Map() });
    // What was acknowledged may be gone: an ovs-vswitchd that restarts has nothing.
    this.#realized = 0;
  }

  #kick(): void {
    if (this.#running || this.#pauses.isOn || this.#stopped) return;
    this.#running = true;
    void this.#loop();
  }

  #scheduleDrift(): void {
    this.#cancelDrift();
    this.#cancelDrift = this.options.clock.after(this.options.driftIntervalMs ?? 60_000, () => {
      this.checkDrift();
      this.#scheduleDrift();
    });
  }

  async #loop(): Promise<void> {
    try {
      for (let session = this.#next(); session !== undefined; session = this.#next())
        try {
          await this.#step(session);
        } catch (error) {
          await this.#fail(session, error);
        }
    } finally {
      // Here, not in a callback of the promise: a kick in between would be lost.
      this.#running = false;
    }
  }

  /** The session that something is to be done with; `undefined` when there is nothing to do for now. */
  #next(): OpenFlowSession | undefined {
    if (this.#session === undefined || this.#stopped || this.#pauses.isOn) return undefined;
    if (!this.options.inSync()) {
      this.#pauses.forSync();
      return undefined;
    }
    if (this.options.desired.node(this.node) === undefined) return undefined;
    const idle = this.#resync === undefined && this.#dirty.size === 0;
    if (idle && this.#realized === this.#generation) return undefined;
    return this.#session;
  }

  /** One bundle. What is dirty goes first: then a drift check does not mistake our own changes for somebody else's. */
  async #step(session: OpenFlowSession): Promise<void> {
    const isUnknown = this.#resync === 'connect' || this.#resync === 'rejected';
    const full = isUnknown || (this.#resync === 'drift' && this.#dirty.size === 0);
    const work = full ? await this.#planAll(session) : this.#planDirty(session);
    if (work === undefined || this.#session !== session) return;
    if (work.mods.length > 0) {
      const startedAt = this.options.clock.now();
      // On its way before the bundle, so the switch answers with what the flows have when they go.
      if (work.leaving.length > 0)
        void this.#tellCounts(session, 'leaving', readCountsOf(session, work.leaving), work.leaving);
      this.#policyEpoch.sending(work.judgement);
      const result = await session.apply(this.shared.of(work.mods), {
        timeoutMs: this.options.bundleTimeoutMs ?? 30_000,
        commitAfter: this.options.beforeCommit(),
      });
      if (this.#session !== session) return;
      this.#bundlesSent++;
      if (result.kind === 'rejected') {
        this.#rejected(work, result.errors);
        return;
      }
      this.#modsSent += work.mods.length;
      const ms = Math.round(this.options.clock.now() - startedAt);
      this.options.logger.debug({ event: 'bundle-committed', node: this.node, mods: work.mods.length, ms });
    }
    work.done();
    this.#pauses.succeeded();
    this.#lastError = null;
    const isAnother = this.#policyEpoch.acknowledged();
    if (work.generation !== this.#realized) {
      this.#realized = work.generation;
      this.events.realized(work.generation);
    } else if (isAnother) this.options.changed?.();
  }

  #planDirty(session: OpenFlowSession): Work | undefined {
    const set = this.options.desired.node(this.node);
    if (set === undefined) return undefined;
    const dirty = this.#dirty;
    this.#dirty = new Dirty();
    const content = frozenPart(set, dirty, this.#without);
    const leaving = [...dirty.flows].flatMap((key) => {
      const flow = content.flows.has(key) ? undefined : this.#installed.flows.get(key);
      return flow !== undefined && isCounted(flow) ? [flow] : [];
    });
    return {
      content,
      leaving,
      mods: planDelta(content, this.#installed, dirty, session.version),
      generation: this.#generation,
      judgement: changesJudgement(content, this.#installed, dirty),
      done: () => this.#installed.take(content, dirty),
    };
  }

  async #planAll(session: OpenFlowSession): Promise<Work | undefined> {
    const cause = this.#resync ?? 'drift';
    const { node, options } = this;
    await ensureIdentityField(session, node, options);
    if (cause === 'connect') await ensurePackets(session, node, options);
    if (cause !== 'drift') this.#without = await ensureFlowMeters(session, node, options);
    // Before anything is removed. After a drift check only what others made is.
    const counted = cause === 'drift' || this.#tellCounts(session, 'all', readAllCounts(session));
    const actual = await readBack(session);
    await counted;
    const set = options.desired.node(node);
    if (set === undefined || this.#session !== session) return undefined;
    // From here on what changes is dirty again; what changed before is in the snapshot.
    const content = frozen(set, this.#without);
    const generation = this.#generation;
    this.#dirty = new Dirty();
    this.#resync = undefined;
    const found: Difference[] = [];
    for (const difference of differences(content, actual, session.version)) {
      if (difference !== undefined) found.push(difference);
      else await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#session !== session) return undefined;
    this.#readBacks++;
    if (cause === 'connect') this.#modsAtConnect = found.length;
    if (cause === 'drift') this.#reportDrift(found);
    else
      options.logger.info({
        event: 'switch-read-back',
        node,
        cause,
        found: actual.flows.length,
        differ: found.length,
      });
    const mods = inOrder(found.map((d) => d.mod));
    const isEmpty = actual.flows.length === 0;
    if (isEmpty) this.#policyEpoch.isEmpty();
    const judgement = !isEmpty && found.some(isJudging);
    return { content, mods, generation, leaving: [], judgement, done: () => this.#installed.reset(content) };
  }

  /** Tells counters when they come; what goes wrong with them keeps nothing else from going on. */
  async #tellCounts(
    session: OpenFlowSession,
    kind: CountsEvent['kind'],
    reading: Promise<CountsEvent['counts']>,
    leaving: readonly Flow[] = [],
  ): Promise<boolean> {
    const { node } = this;
    try {
      const counts = await reading;
      if (this.#session !== session) return false;
      this.events.counts({ node, kind, counts, leaving, version: session.version });
      return true;
    } catch (error) {
      this.options.logger.debug({ event: 'counters-not-read', node, error: String(error) });
      return false;
    }
  }

  /** Differences that no change of ours explains: what is wanted now is also what the switch had acknowledged. */
  #reportDrift(found: readonly Difference[]): void {
    const known = new Set<object>([...this.#installed.flows.values(), ...this.#installed.groups.values()]);
    const foreign = found.filter((d) => d.wanted === undefined || known.has(d.wanted));
    if (foreign.length === 0) return;
    this.#driftFound += foreign.length;
    logDrift(this.options.logger, this.node, foreign);
  }

  #rejected(work: Work, errors: readonly RejectedMod[]): void {
    logRefused(this.options.logger, this.node, work.mods, errors);
    this.#lastError = errors[0]?.error.message ?? 'bundle refused';
    this.#retryLater();
  }

  async #fail(session: OpenFlowSession, error: unknown): Promise<void> {
    if (this.#session !== session) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#lastError = message;
    this.options.logger.error({ event: 'switch-failed', node: this.node, error: message });
    const { code } = error as { readonly code?: unknown };
    // The outcome is unknown, and the switch may still be at it: only a new connection gives a clean start.
    if (code === 'OF_TIMEOUT' || code === 'OF_CLOSED') {
      session.close();
      await session.closed;
    } else this.#retryLater();
  }

  #retryLater(): void {
    if (this.#resync !== 'connect') this.#resync = 'rejected';
    this.#pauses.forRetry();
  }
}
