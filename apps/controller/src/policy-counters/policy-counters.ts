import { type Compiler, CROWDED, clusterPolicyName, nodeName, ruleObject } from '@heddle/compiler';
import type { Clock } from '../clock.js';
import type { SwitchesPort } from '../core/ports.js';
import type { Database } from '../persistence/database.js';
import {
  countedObject,
  type Decider,
  type Deciders,
  isolationObject,
  policyFact,
  VERDICT,
} from '../policy-log/deciders.js';
import { Accumulator, type Total } from './accumulator.js';
import { type PolicyTotal, PolicyTotals } from './policy-totals.js';
import { CounterStore } from './store.js';

export interface PolicyCountersOptions {
  readonly database: Database;
  readonly compiler: Pick<Compiler, 'fact' | 'policy' | 'clusterPolicy'>;
  readonly deciders: Deciders;
  readonly switches: Pick<SwitchesPort, 'onCounts' | 'readCounts'>;
  /** Nodes whose switches are read. */
  readonly nodes: () => readonly string[];
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly failed: (error: unknown) => void;
  /** Between two readings of one switch. Default 10000. */
  readonly readIntervalMs?: number | undefined;
  /** Between two writes to the database. Default 30000. */
  readonly writeIntervalMs?: number | undefined;
}

/** How often one rule of a policy, or what isolates for it, has decided. */
export interface RuleCounter {
  readonly direction: 'ingress' | 'egress';
  /** Null: no rule allowed it. */
  readonly rule: number | null;
  readonly name: string;
  readonly verdict: Decider['verdict'];
  /** What people should know of the rule. */
  readonly note: string | null;
  readonly packets: number;
  readonly bytes: number;
  /** Null: never counted anything. */
  readonly since: number | null;
}

/** No two readings follow each other more closely, however many switches there are. */
const MIN_PAUSE_MS = 5;
const WITHOUT_NODES_MS = 1_000;
/** Totals of policies that are gone are kept, as they may come back, up to so many in all. */
const MAX_TOTALS = 50_000;
/** Series of a metric: policies that ask to be told, and others. */
const MAX_TOLD = 200;
const MAX_FOREMOST = 20;
const NOTHING: Omit<Total, 'since'> & { readonly since: null } = { packets: 0, bytes: 0, since: null };

/** Reads the counters of all switches in turn, adds up by rule, and keeps the sums. */
export class PolicyCounters {
  readonly #accumulator: Accumulator;
  readonly #store: CounterStore;
  readonly #policyTotals: PolicyTotals;
  /** Packets dropped since the start, by node and direction. */
  readonly #drops = new Map<string, { readonly node: string; readonly direction: string; packets: number }>();
  #cancelRead: () => void = () => undefined;
  #cancelWrite: () => void = () => undefined;
  #place = 0;
  #stopped = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(private readonly options: PolicyCountersOptions) {
    this.#store = new CounterStore(options.database);
    this.#policyTotals = new PolicyTotals(options.compiler, options.deciders);
    this.#accumulator = new Accumulator(options.deciders, options.wallClock, ({ node, decider, packets }) => {
      if (decider.verdict === 'denied') this.#drop(node, decider.direction, packets);
    });
    options.switches.onCounts((event) => this.#accumulator.take(event));
  }

  async load(): Promise<void> {
    await this.#store.load(this.#accumulator);
  }

  start(): void {
    this.#readLater();
    this.#writeLater();
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRead();
    this.#cancelWrite();
    await this.#write();
  }

  /** Reads every switch that can be read, now. */
  async readAll(): Promise<void> {
    await Promise.all(this.options.nodes().map((node) => this.options.switches.readCounts(nodeName(node))));
  }

  /** Counters of the rules that a policy has now, in their order; undefined if there is no such policy. */
  of(policy: string): readonly RuleCounter[] | undefined {
    const resolved = this.#resolve(policy);
    if (resolved === undefined) return undefined;
    const rules = resolved.rules.map((rule): RuleCounter => {
      const { direction, index, name, action, crowded } = rule;
      const verdict = VERDICT[action];
      const note = crowded ? CROWDED : null;
      return { direction, rule: index, name, verdict, note, ...this.#total(countedObject(ruleObject(policy, rule))) };
    });
    const isolation = resolved.isolates.map(
      (direction): RuleCounter => ({
        direction,
        rule: null,
        name: '',
        verdict: 'denied',
        note: null,
        ...this.#total(isolationObject(policy, direction)),
      }),
    );
    return [...rules, ...isolation];
  }

  /** Totals of the policies that have decided anything, by key. */
  all(): ReadonlyMap<string, PolicyTotal> {
    return this.#policyTotals.of(this.#accumulator.totals);
  }

  /**
   * Totals of the policies that a metric may have a series for: those that ask to be told, and those that decided most. Few,
   * however many policies there are.
   */
  foremost(): readonly PolicyTotal[] {
    const all = [...this.all().values()].sort((a, b) => b.allowed + b.denied - (a.allowed + a.denied));
    const told = all.filter(({ policy }) => this.#isTold(policy));
    return [...new Set([...told.slice(0, MAX_TOLD), ...all.slice(0, MAX_FOREMOST)])];
  }

  drops(): Iterable<{ readonly node: string; readonly direction: string; readonly packets: number }> {
    return this.#drops.values();
  }

  #isTold(policy: string): boolean {
    return (policyFact(this.options.compiler, policy)?.logging ?? 'none') !== 'none';
  }

  #resolve(policy: string) {
    const name = clusterPolicyName(policy);
    return name === undefined ? this.options.compiler.policy(policy) : this.options.compiler.clusterPolicy(name);
  }

  #total(object: string): Pick<RuleCounter, 'packets' | 'bytes' | 'since'> {
    return this.#accumulator.totals.get(object) ?? NOTHING;
  }

  /** A node is gone for good; what it counted stays. */
  #forget(node: string): void {
    this.#accumulator.forget(node);
    for (const [key, drop] of this.#drops) if (drop.node === node) this.#drops.delete(key);
  }

  #drop(node: string, direction: string, packets: number): void {
    const key = `${node} ${direction}`;
    const drop = this.#drops.get(key);
    if (drop === undefined) this.#drops.set(key, { node, direction, packets });
    else drop.packets += packets;
  }

  /** One switch after the other, spread over the interval, so that they never all answer at once. */
  #readLater(): void {
    if (this.#stopped) return;
    const nodes = this.options.nodes().length;
    const interval = this.options.readIntervalMs ?? 10_000;
    const pause = nodes === 0 ? WITHOUT_NODES_MS : Math.max(MIN_PAUSE_MS, interval / nodes);
    // Not in step with anything else that goes by the clock.
    const ms = pause * (0.5 + this.options.random());
    this.#cancelRead = this.options.clock.after(ms, () => {
      void this.#readNext().then(
        () => this.#readLater(),
        (error: unknown) => {
          this.options.failed(error);
          this.#readLater();
        },
      );
    });
  }

  async #readNext(): Promise<void> {
    const nodes = this.options.nodes();
    const node = nodes[this.#place++ % Math.max(1, nodes.length)];
    if (node !== undefined) await this.options.switches.readCounts(nodeName(node));
  }

  #writeLater(): void {
    if (this.#stopped) return;
    this.#cancelWrite = this.options.clock.after(this.options.writeIntervalMs ?? 30_000, () => {
      void this.#write().then(() => this.#writeLater());
    });
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      try {
        const nodes = new Set(this.options.nodes());
        for (const node of this.#accumulator.baselines.keys()) if (!nodes.has(node)) this.#forget(node);
        await this.#store.save(this.#accumulator);
        await this.#store.remove(this.#forgotten());
      } catch (error) {
        this.options.failed(error);
      }
    });
    return this.#writing;
  }

  /** Totals of policies that are gone, once there are too many. */
  #forgotten(): readonly string[] {
    const { totals } = this.#accumulator;
    if (totals.size <= MAX_TOTALS) return [];
    const forgotten = [...totals.keys()].filter((object) => this.options.deciders.named(object) === undefined);
    for (const object of forgotten) totals.delete(object);
    return forgotten;
  }
}
