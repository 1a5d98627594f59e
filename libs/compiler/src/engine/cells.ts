import { Edges } from './edges.js';
import { type Cell, Records } from './records.js';

export const FLAG = {
  /** Something that it hangs on may have changed since it was verified. */
  stale: 1,
  /** A memo that is remembered, or a root that runs: what it runs over is there, or was until a moment ago. */
  live: 2,
  /** A root that gave a fragment when it was evaluated last. */
  fragment: 4,
  /** Counted already among the inputs that are just being looked through. */
  seen: 8,
} as const;

/** In `verifiedAt`: it was never computed. */
export const NEVER = -1;

// 32 bytes a record: an integer, three that edges keep, two revisions.
const RECORD_SHIFT = 3;
/** What the cell is of, and flags. */
const KIND = 0;
const KIND_SHIFT = 8;
const [CHANGED_AT, VERIFIED_AT] = [2, 3];

const CHUNK_SHIFT = 10;
const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;

/** Records and values of cells. */
export class Cells {
  private readonly records = new Records(RECORD_SHIFT);
  readonly edges = new Edges(this.records);
  private readonly values: unknown[][] = [];
  private length = 0;

  /** Room for so many neighbours. Returns the first of them. */
  add(count: number): Cell {
    const first = this.length;
    this.length += count;
    this.records.cover(this.length);
    while (this.values.length << CHUNK_SHIFT < this.length)
      this.values.push(new Array<unknown>(CHUNK_MASK + 1).fill(undefined));
    return first;
  }

  /** Makes it a cell of that owner which nothing is known of. */
  reset(cell: Cell, owner: number): void {
    this.records.setInt(cell, KIND, owner << KIND_SHIFT);
    this.records.setDouble(cell, CHANGED_AT, 0);
    this.records.setDouble(cell, VERIFIED_AT, NEVER);
    this.setValue(cell, undefined);
  }

  value(cell: Cell): unknown {
    return (this.values[cell >>> CHUNK_SHIFT] as unknown[])[cell & CHUNK_MASK];
  }
  setValue(cell: Cell, value: unknown): void {
    (this.values[cell >>> CHUNK_SHIFT] as unknown[])[cell & CHUNK_MASK] = value;
  }

  owner(cell: Cell): number {
    return this.records.int(cell, KIND) >>> KIND_SHIFT;
  }
  is(cell: Cell, flag: number): boolean {
    return (this.records.int(cell, KIND) & flag) !== 0;
  }
  set(cell: Cell, flag: number): void {
    this.records.setInt(cell, KIND, this.records.int(cell, KIND) | flag);
  }
  clear(cell: Cell, flag: number): void {
    this.records.setInt(cell, KIND, this.records.int(cell, KIND) & ~flag);
  }

  /** Revision in which the value last differed from the one before. */
  changedAt(cell: Cell): number {
    return this.records.double(cell, CHANGED_AT);
  }
  setChangedAt(cell: Cell, revision: number): void {
    this.records.setDouble(cell, CHANGED_AT, revision);
  }
  /** Revision in which the value was last known to be right. */
  verifiedAt(cell: Cell): number {
    return this.records.double(cell, VERIFIED_AT);
  }
  setVerifiedAt(cell: Cell, revision: number): void {
    this.records.setDouble(cell, VERIFIED_AT, revision);
  }
}
