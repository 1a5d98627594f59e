/** A set whose members may be put in by several roots. */
export class Members {
  readonly set = new Set<string>();
  /** Number of roots beyond the first that put a member in. */
  private more: Map<string, number> | undefined;

  /** True if the member is new. */
  add(member: string): boolean {
    if (!this.set.has(member)) {
      this.set.add(member);
      return true;
    }
    this.more ??= new Map();
    this.more.set(member, (this.more.get(member) ?? 0) + 1);
    return false;
  }

  /** True if the member is gone. */
  remove(member: string): boolean {
    const n = this.more?.get(member);
    if (this.more === undefined || n === undefined) return this.set.delete(member);
    if (n === 1) this.more.delete(member);
    else this.more.set(member, n - 1);
    return false;
  }
}
