import { isDeepStrictEqual } from 'node:util';
import type { FactChange, FactKind, FactKinds } from '@heddle/compiler';

/** The facts that the compiler has or is about to get; only what differs becomes a change. */
export class FactTable {
  private readonly facts = new Map<FactKind, Map<string, unknown>>();
  private readonly pending = new Map<string, FactChange>();

  put<K extends FactKind>(kind: K, key: string, value: FactKinds[K] | undefined): void {
    const known = this.of(kind);
    if (isDeepStrictEqual(known.get(key), value)) return;
    if (value === undefined) known.delete(key);
    else known.set(key, value);
    this.pending.set(`${kind} ${key}`, { kind, key, value } as FactChange);
  }

  get<K extends FactKind>(kind: K, key: string): FactKinds[K] | undefined {
    return this.of(kind).get(key) as FactKinds[K] | undefined;
  }

  keys(kind: FactKind): Iterable<string> {
    return this.of(kind).keys();
  }

  count(kind: FactKind): number {
    return this.of(kind).size;
  }

  /** Changes since the last `settled`; they stay until then, so that a failed compilation is made up for by the next. */
  changes(): FactChange[] {
    return [...this.pending.values()];
  }

  settled(): void {
    this.pending.clear();
  }

  private of(kind: FactKind): Map<string, unknown> {
    let known = this.facts.get(kind);
    if (known === undefined) {
      known = new Map();
      this.facts.set(kind, known);
    }
    return known;
  }
}
