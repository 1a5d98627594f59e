import type { Clock } from '../clock.js';

/** When the agent of each node was last heard of, since the controller started. */
export class AgentContacts {
  private readonly heardAt = new Map<string, number>();
  /** When the certificate that it showed last ends; milliseconds since 1970. */
  private readonly certificates = new Map<string, number>();
  /** Requests that wait for their answer. */
  private readonly waiting = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  heard(node: string): void {
    this.heardAt.set(node, this.clock.now());
  }

  /** The agent waits for an answer, until the function is called that this gives. */
  asks(node: string): () => void {
    this.waiting.set(node, (this.waiting.get(node) ?? 0) + 1);
    return () => {
      this.heard(node);
      const left = (this.waiting.get(node) ?? 1) - 1;
      if (left > 0) this.waiting.set(node, left);
      else this.waiting.delete(node);
    };
  }

  /** The certificate of its connection ends then. */
  showed(node: string, endsAt: number): void {
    this.certificates.set(node, endsAt);
  }

  /** By node, when the certificate that its agent showed last ends; milliseconds since 1970. */
  certificateEnds(): ReadonlyMap<string, number> {
    return this.certificates;
  }

  forget(node: string): void {
    this.heardAt.delete(node);
    this.certificates.delete(node);
  }

  /** Whether it waits for an answer, or was heard of within this time. */
  connected(node: string, withinMs: number): boolean {
    return this.waiting.has(node) || this.clock.now() - (this.heardAt.get(node) ?? Number.NEGATIVE_INFINITY) < withinMs;
  }
}
