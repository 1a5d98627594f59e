/** Members of an index under a key. Their order means nothing. */
export interface MemberSet extends Iterable<string> {
  readonly size: number;
  /** All of them; cheaper than walking over them. */
  list(): readonly string[];
}

/** Above so many members there is a map of them. */
const FEW = 8;
const NOBODY: readonly string[] = [];

/** A set whose members may be put in by several roots. There are very many, and nearly all have a member or two. */
export class Members implements MemberSet {
  private few: readonly string[];
  /** How often each of `few` was put in; undefined: once. */
  private times: number[] | undefined;
  /** How often each was put in, where they are many. */
  private many: Map<string, number> | undefined;

  constructor(...members: readonly string[]) {
    this.few = members;
  }

  get size(): number {
    return this.many?.size ?? this.few.length;
  }

  list(): readonly string[] {
    return this.many === undefined ? this.few : [...this.many.keys()];
  }

  [Symbol.iterator](): Iterator<string> {
    return this.many === undefined ? this.few[Symbol.iterator]() : this.many.keys();
  }

  /** True if the member is new. */
  add(member: string): boolean {
    if (this.many !== undefined) {
      const n = this.many.get(member) ?? 0;
      this.many.set(member, n + 1);
      return n === 0;
    }
    const at = this.few.indexOf(member);
    if (at >= 0) {
      this.times ??= this.few.map(() => 1);
      this.times[at] = (this.times[at] as number) + 1;
      return false;
    }
    if (this.few.length === FEW) {
      this.many = new Map(this.few.map((m, i) => [m, this.times?.[i] ?? 1]));
      this.many.set(member, 1);
      this.few = NOBODY;
      this.times = undefined;
      return true;
    }
    // No longer than it must be: an array that grew has room for many more.
    this.few = [...this.few, member];
    this.times?.push(1);
    return true;
  }

  /** True if the member is gone. */
  remove(member: string): boolean {
    if (this.many !== undefined) {
      const n = this.many.get(member) ?? 0;
      if (n > 1) this.many.set(member, n - 1);
      else this.many.delete(member);
      return n === 1;
    }
    const at = this.few.indexOf(member);
    if (at < 0) return false;
    const n = this.times?.[at] ?? 1;
    if (this.times !== undefined && n > 1) {
      this.times[at] = n - 1;
      return false;
    }
    this.few = this.few.filter((_, i) => i !== at);
    this.times?.splice(at, 1);
    return true;
  }
}

export const EMPTY: MemberSet = new Members();
