import { type Cell, copyInto, grown } from './columns.js';
import { Edges } from './edges.js';

export const FLAG = {
  /** Something that it hangs on may have changed since it was verified. */
  stale: 1,
  /** A root that is evaluated: what it runs over is there, or was until a moment ago. */
  running: 2,
  /** A root that gave a fragment when it was evaluated last. */
  fragment: 4,
  /** Counted already among the inputs that are just being looked through. */
  seen: 8,
} as const;

/** In `verifiedAt`: it was never computed. */
export const NEVER = -1;

/** The columns, and who reads whom. Cells come in blocks of neighbours: one that roots run over stands before its roots. */
export class Cells {
  readonly keys: string[] = [];
  readonly values: unknown[] = [];
  /** Number of the kind of fact, step or index that the cell is of. */
  owner = new Uint16Array(0);
  flags = new Uint8Array(0);
  /** Revision in which the value last differed from the one before. */
  changedAt = new Float64Array(0);
  /** Revision in which the value was last known to be right. */
  verifiedAt = new Float64Array(0);
  readonly edges = new Edges();
  /** Blocks that were given back, by the owner of their first cell. */
  private readonly free = new Map<number, Cell[]>();

  /** Makes a block of cells of these owners, all with one key. Returns the first of them. */
  add(owners: readonly number[], key: string): Cell {
    const first = this.free.get(owners[0] as number)?.pop() ?? this.extend(owners.length);
    for (let i = 0; i < owners.length; i++) {
      this.owner[first + i] = owners[i] as number;
      this.flags[first + i] = 0;
      this.keys[first + i] = key;
      this.changedAt[first + i] = 0;
      this.verifiedAt[first + i] = NEVER;
    }
    return first;
  }

  /** Takes a block away. Nothing may read its cells, nor they anything. */
  remove(first: Cell, size: number): void {
    for (let cell = first; cell < first + size; cell++) {
      this.keys[cell] = '';
      this.values[cell] = undefined;
    }
    const owner = this.owner[first] as number;
    const list = this.free.get(owner);
    if (list === undefined) this.free.set(owner, [first]);
    else list.push(first);
  }

  is(cell: Cell, flag: number): boolean {
    return ((this.flags[cell] as number) & flag) !== 0;
  }
  set(cell: Cell, flag: number): void {
    this.flags[cell] = (this.flags[cell] as number) | flag;
  }
  clear(cell: Cell, flag: number): void {
    this.flags[cell] = (this.flags[cell] as number) & ~flag;
  }

  private extend(size: number): Cell {
    const first = this.keys.length;
    for (let i = 0; i < size; i++) {
      this.keys.push('');
      this.values.push(undefined);
    }
    const length = this.keys.length;
    if (length > this.owner.length) {
      const capacity = grown(length);
      this.owner = copyInto(new Uint16Array(capacity), this.owner);
      this.flags = copyInto(new Uint8Array(capacity), this.flags);
      this.changedAt = copyInto(new Float64Array(capacity), this.changedAt);
      this.verifiedAt = copyInto(new Float64Array(capacity), this.verifiedAt);
    }
    this.edges.cover(length);
    return first;
  }
}
