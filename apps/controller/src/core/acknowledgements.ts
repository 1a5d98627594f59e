import type { NodeName } from '@heddle/compiler';
import type { Clock } from '../clock.js';

/** What is told of a generation on its way; times in milliseconds since its compilation began. */
export interface AcknowledgementEvents {
  /** `changed` says whether there was anything to change on the node's switch. */
  realized(event: {
    readonly node: string;
    readonly generation: number;
    readonly latencyMs: number;
    readonly changed: boolean;
  }): void;
  /** Every switch that this generation, or one before it, changes something on has acknowledged it. Not told of those overtaken. */
  acknowledged(event: { readonly generation: number; readonly latencyMs: number }): void;
}

/** Latency is measured for this many of the newest generations. */
const REMEMBERED_GENERATIONS = 1_000;

/** Measures how long generations take until switches have them. */
export class Acknowledgements {
  private readonly startedAt = new Map<number, number>();
  /** Nodes that have not acknowledged what was compiled for them, and the generation of it. */
  private readonly behind = new Map<NodeName, number>();
  private newest = 0;

  constructor(
    private readonly clock: Clock,
    private readonly events: AcknowledgementEvents,
  ) {}

  /** @param nodes whose switches are connected and have something to change */
  compiled(generation: number, startedAt: number, nodes: Iterable<NodeName>): void {
    this.newest = generation;
    this.startedAt.set(generation, startedAt);
    this.startedAt.delete(generation - REMEMBERED_GENERATIONS);
    for (const node of nodes) this.behind.set(node, generation);
  }

  realized(node: NodeName, generation: number): void {
    const latencyMs = this.since(generation);
    const awaited = this.behind.get(node);
    const changed = awaited !== undefined && awaited <= generation;
    if (latencyMs !== undefined) this.events.realized({ node, generation, latencyMs, changed });
    if (!changed) return;
    this.behind.delete(node);
    const total = this.since(this.newest);
    if (this.behind.size === 0 && total !== undefined)
      this.events.acknowledged({ generation: this.newest, latencyMs: total });
  }

  /** Nobody waits for the node any more. */
  forget(node: NodeName): void {
    this.behind.delete(node);
  }

  private since(generation: number): number | undefined {
    const startedAt = this.startedAt.get(generation);
    return startedAt === undefined ? undefined : this.clock.now() - startedAt;
  }
}
