import { factKey } from '@heddle/compiler';

/** An attached pod whose packets still carry the identity that it had before its labels changed. */
export interface Hold {
  readonly namespace: string;
  readonly pod: string;
  readonly identityKey: string;
  /** The hold may go when this generation is acknowledged. */
  readonly generation: number;
}

/** How long switches get to acknowledge the flows for a new identity before the pod is switched over anyway. */
export const HOLD_TIMEOUT_MS = 5_000;

export type IdentityOf = (namespace: string, pod: string) => { readonly key: string } | undefined;

/**
 * Make before break: when labels give an attached pod another identity, its packets keep the old one until every switch has
 * the flows for the new one.
 */
export class Holds {
  private readonly holds = new Map<string, Hold>();

  /**
   * Holds for pods whose identity is now another than in `before`; answers what changed. A pod that is held already keeps
   * the identity that it carries, or is let go if it has come back to it.
   */
  update(
    pods: readonly { readonly namespace: string; readonly pod: string }[],
    before: ReadonlyMap<string, string>,
    identityOf: IdentityOf,
    generation: number,
  ): { readonly put: Hold[]; readonly removed: readonly string[] } {
    const put: Hold[] = [];
    const removed: string[] = [];
    for (const { namespace, pod } of pods) {
      const key = factKey(namespace, pod);
      const then = before.get(key);
      const now = identityOf(namespace, pod)?.key;
      if (then === now || then === undefined) continue;
      const carried = this.holds.get(key)?.identityKey ?? then;
      if (now === undefined || carried === now) {
        if (this.holds.delete(key)) removed.push(key);
        continue;
      }
      const hold = { namespace, pod, identityKey: carried, generation };
      this.holds.set(key, hold);
      put.push(hold);
    }
    return { put, removed };
  }

  /** Goes on with the holds of an earlier run, which go when `generation` is acknowledged. */
  restore(held: readonly Omit<Hold, 'generation'>[], generation: number): void {
    for (const hold of held) this.holds.set(factKey(hold.namespace, hold.pod), { ...hold, generation });
  }

  all(): Omit<Hold, 'generation'>[] {
    return [...this.holds.values()].map(({ namespace, pod, identityKey }) => ({ namespace, pod, identityKey }));
  }

  /** Forgets a pod, for it is no longer attached; true if it was held. */
  drop(key: string): boolean {
    return this.holds.delete(key);
  }

  /** Takes out the holds up to a generation. */
  release(upTo: number): string[] {
    const keys = [...this.holds].filter(([, h]) => h.generation <= upTo).map(([key]) => key);
    for (const key of keys) this.holds.delete(key);
    return keys;
  }

  /** Whether a hold of this generation or an earlier one stands. */
  has(upTo: number): boolean {
    for (const hold of this.holds.values()) if (hold.generation <= upTo) return true;
    return false;
  }

  get size(): number {
    return this.holds.size;
  }
}
