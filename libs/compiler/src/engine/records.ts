/**
 * A remembered value. `node` is a machine elsewhere; a vertex of the graph is a cell, and a cell is a number: the place of its
 * record and of its value. There may be millions of them.
 */
export type Cell = number;

/** Entries of a page, as a power of two. */
const PAGE_SHIFT = 12;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

/**
 * Very many records of a few numbers each, which garbage collection need not follow. They are in pages that are added and never
 * copied: one array that had to grow would be garbage each time.
 */
export class Records {
  private readonly ints: Int32Array[] = [];
  private readonly doubles: Float64Array[] = [];
  private covered = 0;

  /** @param shift a record is 2^shift integers of 32 bits, two of which may be one floating-point number */
  constructor(private readonly shift: number) {}

  /** Makes room for so many; new ones are all 0. */
  cover(count: number): void {
    for (; this.covered < count; this.covered += PAGE_MASK + 1) {
      const page = new Int32Array((PAGE_MASK + 1) << this.shift);
      this.ints.push(page);
      this.doubles.push(new Float64Array(page.buffer));
    }
  }

  int(at: number, field: number): number {
    return (this.ints[at >>> PAGE_SHIFT] as Int32Array)[((at & PAGE_MASK) << this.shift) | field] as number;
  }
  setInt(at: number, field: number, value: number): void {
    (this.ints[at >>> PAGE_SHIFT] as Int32Array)[((at & PAGE_MASK) << this.shift) | field] = value;
  }
  /** @param field counted in floating-point numbers */
  double(at: number, field: number): number {
    return (this.doubles[at >>> PAGE_SHIFT] as Float64Array)[((at & PAGE_MASK) << (this.shift - 1)) | field] as number;
  }
  setDouble(at: number, field: number, value: number): void {
    (this.doubles[at >>> PAGE_SHIFT] as Float64Array)[((at & PAGE_MASK) << (this.shift - 1)) | field] = value;
  }
}
