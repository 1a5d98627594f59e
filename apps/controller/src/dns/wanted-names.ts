import type { SourceClusterPolicy } from '../source/model.js';

const WILDCARD = '*.';

/** The names that policies ask for: nothing is remembered of any other. */
export class WantedNames {
  private readonly byPolicy = new Map<string, readonly string[]>();
  /** How many policies ask for a name as they write it. */
  private readonly counts = new Map<string, number>();
  private listener: (() => void) | undefined;

  /** Told when a name is not wanted any more. */
  onFewer(listener: () => void): void {
    this.listener = listener;
  }

  take(delta: ReadonlyMap<string, SourceClusterPolicy | undefined>): void {
    let fewer = false;
    for (const [key, policy] of delta) {
      const names = policy === undefined ? [] : namesOf(policy);
      for (const name of names) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      for (const name of this.byPolicy.get(key) ?? []) {
        const left = (this.counts.get(name) ?? 0) - 1;
        if (left > 0) this.counts.set(name, left);
        else fewer = this.counts.delete(name);
      }
      if (names.length > 0) this.byPolicy.set(key, names);
      else this.byPolicy.delete(key);
    }
    if (fewer) this.listener?.();
  }

  /** @param name in lower case, without the final dot */
  has(name: string): boolean {
    if (this.counts.size === 0) return false;
    if (this.counts.has(name)) return true;
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1))
      if (this.counts.has(`${WILDCARD}${name.slice(dot + 1)}`)) return true;
    return false;
  }
}

function namesOf(policy: SourceClusterPolicy): readonly string[] {
  return policy.egress.flatMap((r) => r.peers).flatMap((p) => (p.kind === 'domains' ? p.names : []));
}
