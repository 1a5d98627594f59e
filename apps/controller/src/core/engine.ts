import type { RegisterNode } from '@heddle/api';
import { type Compiler, type ConfigFact, factKey, type NodeDelta, type NodeName, nodeName } from '@heddle/compiler';
import type { Allocations } from '../allocation/allocations.js';
import type { AttachInput, AttachOutcome, Lease } from '../allocation/attachments.js';
import type { Registration, RemovedNode } from '../allocation/node-registry.js';
import type { Clock } from '../clock.js';
import { asError, Refusal } from '../errors.js';
import { Serial } from '../serial.js';
import type { Source, SourceChange } from '../source/model.js';
import { type AcknowledgementEvents, Acknowledgements } from './acknowledgements.js';
import type { FactTable } from './fact-table.js';
import { Gathering } from './gathering.js';
import { HOLD_TIMEOUT_MS, type Hold, Holds } from './holds.js';
import { KnownIdentities } from './known-identities.js';
import type { SwitchesPort } from './ports.js';
import type { Watchers } from './watchers.js';
import type { World } from './world.js';

/** What the engine tells about itself; nothing in it may throw. */
export interface EngineEvents extends AcknowledgementEvents {
  compiled(event: {
    readonly generation: number;
    readonly changes: number;
    readonly nodes: number;
    readonly durationMs: number;
    readonly steps: Readonly<Record<string, number>>;
  }): void;
  failed(event: { readonly what: string; readonly error: unknown }): void;
  /** A node is gone, whoever asked for it: what is remembered of it is about a machine that is no more. */
  nodeRemoved(node: string): void;
}

export interface EngineOptions {
  readonly config: ConfigFact;
  readonly source: Source;
  readonly allocations: Allocations;
  readonly facts: FactTable;
  readonly world: World;
  readonly compiler: Compiler;
  readonly switches: SwitchesPort;
  readonly watchers: Watchers;
  readonly clock: Clock;
  readonly events: EngineEvents;
}

export interface Attached {
  readonly lease: Lease;
  readonly generation: number;
}

const MAX_ATTACHED_AT_ONCE = 64;

/**
 * The one writer: source changes, attachments and registrations pass through here one after the other; each that changes a
 * fact becomes one generation, compiled at once and handed to the drivers.
 */
export class Engine {
  private readonly operations = new Serial();
  private readonly holds = new Holds();
  private readonly identities: KnownIdentities;
  /** Port key -> the generation that brought the port's flows. */
  private readonly portGenerations = new Map<number, number>();
  private readonly acknowledgements: Acknowledgements;
  private currentGeneration = 0;
  private synchronized = false;
  private releaseQueued = false;
  private lastRelease = 0;
  private awaitAllUntil = Number.NEGATIVE_INFINITY;
  /** What the source told before the first compilation. */
  private early: SourceChange[] = [];
  private readonly timers = new Set<() => void>();
  private readonly attachments = new Gathering(
    this.operations,
    MAX_ATTACHED_AT_ONCE,
    (inputs: readonly AttachInput[]) => this.attachAll(inputs),
  );

  constructor(private readonly options: EngineOptions) {
    this.identities = new KnownIdentities(options.allocations.attachments);
    this.acknowledgements = new Acknowledgements(options.clock, options.events);
    options.switches.onRealized((node, generation) => this.onRealized(node, generation));
  }

  get generation(): number {
    return this.currentGeneration;
  }
  /** True when the source's initial state and everything recorded are compiled. */
  get inSync(): boolean {
    return this.synchronized;
  }

  /** Reads the source, compiles everything as generation 1. @throws if the source cannot be read */
  async start(): Promise<void> {
    const { source, world, config } = this.options;
    const objects = await source.start((change) => this.operations.run(() => this.take(change)));
    await this.operations.run(async () => {
      await world.take({ kind: 'all', objects });
      for (const change of this.early.splice(0)) await world.take(change);
      world.putRecorded(config);
      this.restoreHolds();
      this.commit();
      this.synchronized = true;
      for (const lease of this.options.allocations.attachments.all())
        this.portGenerations.set(lease.record.portKey, this.currentGeneration);
    });
    this.options.watchers.changed();
  }

  /** What an earlier run held stays held until the switches of all nodes have acknowledged the first generation. */
  private restoreHolds(): void {
    const { allocations, clock, facts } = this.options;
    const { attachments, heldIdentities } = allocations;
    const held = heldIdentities.all().filter((h) => attachments.ofPod(h.namespace, h.pod) !== undefined);
    if (held.length === 0) return;
    for (const { namespace, pod, identityKey } of held)
      facts.put('hold', factKey(namespace, pod), { namespace, pod, identityKey });
    const generation = this.currentGeneration + 1;
    this.holds.restore(held, generation);
    // None of them is connected yet, so those that are away count too, as long as a hold may last.
    this.awaitAllUntil = clock.now() + HOLD_TIMEOUT_MS;
    this.releaseLater(generation);
  }

  async stop(): Promise<void> {
    for (const stop of this.timers) stop();
    await this.operations.idle();
  }

  /**
   * Puts facts that are seen rather than said, as one more change. Before the first compilation they become a part of it.
   * Resolves with the generation that has them.
   */
  update(put: (facts: FactTable) => void): Promise<number> {
    return this.operations.run(() => {
      put(this.options.facts);
      if (this.synchronized) this.commit();
      return this.currentGeneration;
    });
  }

  /** @throws Refusal as NodeRegistry.register */
  register(name: string, said: RegisterNode): Promise<Registration> {
    return this.operations.run(async () => {
      const { allocations, world } = this.options;
      const registration = await allocations.nodes.register(name, said);
      if (registration.changed && this.synchronized) {
        world.putNode(registration.node);
        for (const block of registration.newBlocks) world.putBlock(block);
        this.commit();
      }
      this.options.watchers.changed();
      return registration;
    });
  }

  /** Attachments that came while others were at work are made together. @throws Refusal as Attachments.attach */
  attach(input: AttachInput): Promise<Attached> {
    return this.attachments.add(input);
  }

  private async attachAll(inputs: readonly AttachInput[]): Promise<readonly (Attached | Error | undefined)[]> {
    const { allocations, world } = this.options;
    const outcomes = await allocations.attachments.attachMany(inputs);
    const made = (outcome: (typeof outcomes)[number]): outcome is AttachOutcome =>
      outcome !== undefined && !(outcome instanceof Error);
    for (const { lease, created, newBlocks, replaced } of outcomes.filter(made)) {
      if (replaced !== undefined) this.forget(replaced);
      if (!created) continue;
      for (const block of newBlocks) world.putBlock(block);
      world.putLease(lease);
    }
    try {
      // Also for a repeated call: the compilation of the first one may have failed.
      this.commit();
    } catch (e) {
      return outcomes.map((outcome) => (made(outcome) ? asError(e) : outcome));
    }
    return outcomes.map((outcome) => {
      if (!made(outcome)) return outcome;
      const { lease, created } = outcome;
      if (created) this.portGenerations.set(lease.record.portKey, this.currentGeneration);
      return { lease, generation: this.portGeneration(lease.record.portKey) };
    });
  }

  /** Answers what was there. */
  detach(key: { node: string; containerId: string; ifname: string }): Promise<Lease | undefined> {
    return this.operations.run(async () => {
      const lease = await this.options.allocations.attachments.detach(key);
      if (lease !== undefined) {
        this.forget(lease);
        this.commit();
      }
      return lease;
    });
  }

  /**
   * Forgets a node: other nodes lose the flows for it, and nobody waits for its switch any more.
   * @throws Refusal not_found; conflict while pods are attached to it, unless `force` detaches them
   */
  removeNode(name: string, force: boolean): Promise<{ removed: RemovedNode; detached: readonly Lease[] }> {
    return this.operations.run(async () => {
      const { allocations, world, switches, watchers } = this.options;
      const attached = allocations.attachments.ofNode(name);
      if (attached.length > 0 && !force)
        throw new Refusal(
          'conflict',
          `${attached.length} ${attached.length === 1 ? 'pod is' : 'pods are'} attached to node ${name}: delete them first, or force it if the machine is gone`,
          attached.map(({ record }) => factKey(record.namespace, record.pod)),
        );
      const detached = await allocations.attachments.detachNode(name);
      for (const lease of detached) this.forget(lease);
      const removed = await allocations.nodes.remove(name);
      if (removed === undefined) throw new Refusal('not_found', `there is no node ${name}`);
      world.removeNode(removed);
      this.commit();
      switches.forget(nodeName(name));
      this.acknowledgements.forget(nodeName(name));
      this.options.events.nodeRemoved(name);
      watchers.changed();
      return { removed, detached };
    });
  }

  /** The generation that the flows of a port came with. */
  portGeneration(portKey: number): number {
    return this.portGenerations.get(portKey) ?? this.currentGeneration;
  }

  isRealized(node: string, generation: number): boolean {
    const state = this.options.switches.state(nodeName(node));
    return state?.connected === true && state.realizedGeneration >= generation;
  }

  /**
   * Waits until the switches of all nodes have acknowledged everything up to now, and pods that change their identity have
   * done so. False at the time-out.
   */
  async settled(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const { watchers, clock } = this.options;
    const end = clock.now() + timeoutMs;
    // Changes that lie on the disk and were not noticed yet belong to "now".
    await this.options.source.refresh();
    await this.operations.idle();
    const target = this.currentGeneration;
    const left = () => Math.max(0, end - clock.now());
    if (!(await watchers.until(() => this.allRealized(target) && !this.holds.has(target), left(), signal)))
      return false;
    const withReleases = this.lastRelease;
    return watchers.until(() => this.allRealized(Math.max(target, withReleases)), left(), signal);
  }

  /** Whether the switch of every registered node is connected and at the generation. */
  allRealized(generation: number): boolean {
    return this.synchronized && this.options.allocations.nodes.all().every((n) => this.isRealized(n.name, generation));
  }

  get heldPods(): number {
    return this.holds.size;
  }

  private async take(change: SourceChange): Promise<void> {
    if (!this.synchronized) {
      this.early.push(change);
      return;
    }
    await this.options.world.take(change);
    this.commit();
  }

  private forget(lease: Lease): void {
    const { portKey, namespace, pod } = lease.record;
    this.options.world.removeLease(lease);
    if (this.holds.drop(factKey(namespace, pod))) this.options.facts.put('hold', factKey(namespace, pod), undefined);
    this.portGenerations.delete(portKey);
    this.identities.forget(lease.record);
  }

  /** Compiles what changed, as the next generation. Synchronous, so that drivers never see half a change. */
  private commit(): void {
    const { facts, compiler, switches, clock, events } = this.options;
    const changes = facts.changes();
    if (changes.length === 0) return;
    const generation = this.currentGeneration + 1;
    const startedAt = clock.now();
    const first = compiler.apply(changes);
    facts.settled();
    const identityOf = (namespace: string, pod: string) => compiler.identityOf(namespace, pod);
    const pods = this.identities.touched(changes, first.steps);
    const held = this.holds.update(pods, this.identities.all, identityOf, generation);
    this.identities.update(pods, identityOf);
    if (this.isLocal(held.put, first.nodes)) for (const hold of held.put.splice(0)) this.holds.drop(keyOf(hold));
    for (const { namespace, pod, identityKey } of held.put)
      facts.put('hold', factKey(namespace, pod), { namespace, pod, identityKey });
    for (const key of held.removed) facts.put('hold', key, undefined);
    const holdChanges = facts.changes();
    const second = holdChanges.length === 0 ? undefined : compiler.apply(holdChanges);
    facts.settled();
    if (held.put.length > 0) this.releaseLater(generation);

    this.currentGeneration = generation;
    const deltas = second === undefined ? first.nodes : union(first.nodes, second.nodes);
    const durationMs = clock.now() - startedAt;
    this.options.allocations.heldIdentities.replace(this.holds.all());
    const awaited = [...deltas.keys()].filter((node) => switches.state(node)?.connected === true);
    this.acknowledgements.compiled(generation, startedAt, awaited);
    switches.notify(generation, deltas);
    // What is told takes time, in which the switches work.
    events.compiled({
      generation,
      changes: changes.length,
      nodes: deltas.size,
      durationMs,
      steps: first.steps,
    });
    this.options.watchers.changed();
  }

  /**
   * Whether new identities touch only the node that all of these pods are on, while every other switch has what it should:
   * then nobody has to know them first, and one bundle brings the flows for them and the pods' classification.
   */
  private isLocal(holds: readonly Hold[], nodes: ReadonlyMap<NodeName, NodeDelta>): boolean {
    const { allocations, facts } = this.options;
    const places = new Set(
      holds.map(({ namespace, pod }) => allocations.attachments.ofPod(namespace, pod)?.record.node),
    );
    return (
      places.size === 1 &&
      holds.every((hold) => facts.get('hold', keyOf(hold)) === undefined) &&
      [...nodes.keys()].every((node) => places.has(node)) &&
      this.realizedEverywhere() === this.currentGeneration
    );
  }

  private onRealized(node: NodeName, generation: number): void {
    this.acknowledgements.realized(node, generation);
    if (this.holds.size > 0) this.releaseHolds(this.realizedEverywhere());
    this.options.watchers.changed();
  }

  /** The generation that every connected switch has; those that are away get everything anew when they come back. */
  private realizedEverywhere(): number {
    const states = this.options.allocations.nodes
      .all()
      .map((n) => this.options.switches.state(nodeName(n.name)))
      .filter((s) => s?.connected === true || this.options.clock.now() < this.awaitAllUntil);
    return Math.min(this.currentGeneration, ...states.map((s) => s?.realizedGeneration ?? 0));
  }

  private releaseLater(generation: number): void {
    const stop = this.options.clock.after(HOLD_TIMEOUT_MS, () => {
      this.timers.delete(stop);
      this.releaseHolds(generation);
    });
    this.timers.add(stop);
  }

  /** Switches the pods over whose new identity is known everywhere. */
  private releaseHolds(upTo: number): void {
    if (this.releaseQueued || !this.holds.has(upTo)) return;
    this.releaseQueued = true;
    this.operations
      .run(() => {
        this.releaseQueued = false;
        for (const key of this.holds.release(upTo)) this.options.facts.put('hold', key, undefined);
        this.commit();
        this.lastRelease = this.currentGeneration;
      })
      .then(
        () => this.options.watchers.changed(),
        (error: unknown) => this.options.events.failed({ what: 'release of held identities', error }),
      );
  }
}

const keyOf = ({ namespace, pod }: Hold): string => factKey(namespace, pod);

function union(a: ReadonlyMap<NodeName, NodeDelta>, b: ReadonlyMap<NodeName, NodeDelta>): Map<NodeName, NodeDelta> {
  const result = new Map(a);
  for (const [node, delta] of b) {
    const other = result.get(node);
    result.set(
      node,
      other === undefined
        ? delta
        : { flows: new Set([...other.flows, ...delta.flows]), groups: new Set([...other.groups, ...delta.groups]) },
    );
  }
  return result;
}
