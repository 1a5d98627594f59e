/** From here on what nobody holds any more is looked for. */
const FIRST_SWEEP = 4_096;

/**
 * Gives equal values the same object: labels and ports of a thousand replicas are kept once. What nobody else holds is
 * forgotten.
 */
export class Interner {
  private readonly objects = new Map<string, WeakRef<object>>();
  private readonly texts = new Map<string, string>();
  private sweepAt = FIRST_SWEEP;

  /** @param value plain JSON; equal values must have their keys in the same order to be found equal */
  of<T extends object>(value: T): T {
    const key = JSON.stringify(value);
    const known = this.objects.get(key)?.deref();
    if (known !== undefined) return known as T;
    this.objects.set(key, new WeakRef(value));
    if (this.objects.size >= this.sweepAt) this.sweep();
    return value;
  }

  /** For texts of which there are few: names of namespaces, nodes, service accounts. */
  text(value: string): string {
    const known = this.texts.get(value);
    if (known !== undefined) return known;
    if (this.texts.size >= this.sweepAt) this.texts.clear();
    this.texts.set(value, value);
    return value;
  }

  private sweep(): void {
    for (const [key, ref] of this.objects) if (ref.deref() === undefined) this.objects.delete(key);
    this.sweepAt = Math.max(FIRST_SWEEP, this.objects.size * 2);
  }
}
