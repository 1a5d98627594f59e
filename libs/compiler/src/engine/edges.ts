import { type Cell, Records } from './records.js';

/** Up to so many inputs a block has exactly as many places; above, the next power of two. */
const EXACT = 8;
const placesFor = (n: number): number => (n <= EXACT ? n : 2 ** Math.ceil(Math.log2(n)));
const sizeClass = (places: number): number => (places <= EXACT ? places : EXACT + Math.log2(places));
const SIZE_CLASSES = EXACT + 32;
/** No edge. */
const NONE = 0;
const NO_EDGES = new Map<Cell, number>();

// Fields of a cell's record: the block of its inputs, their number, the edge of its first reader.
const [BLOCK, COUNT, RING] = [1, 2, 3];
// Fields of an edge: the cell that is read and the one that reads; its neighbours in the ring.
const RECORD_SHIFT = 2;
const [INPUT, READER, NEXT, PREVIOUS] = [0, 1, 2, 3];

/**
 * Who reads whom. The inputs of a cell are a block of edges side by side, in the order of reading; the readers of a cell are a
 * ring through the edges, in the order in which they came. So adding or removing one costs the same however many there are.
 */
export class Edges {
  private readonly edges = new Records(RECORD_SHIFT);
  /** Edges in use or in free blocks. The first is none. */
  private length = 1;
  /** First free block of each size; `NEXT` of its first edge is the one after it. */
  private readonly free = new Int32Array(SIZE_CLASSES);

  constructor(private readonly cells: Records) {}

  isRead(cell: Cell): boolean {
    return this.cells.int(cell, RING) !== NONE;
  }

  /** In the order in which they came. Edges may not change meanwhile. */
  forEachReader(cell: Cell, visit: (reader: Cell) => void): void {
    const first = this.cells.int(cell, RING);
    if (first === NONE) return;
    let edge = first;
    do {
      visit(this.edges.int(edge, READER));
      edge = this.edges.int(edge, NEXT);
    } while (edge !== first);
  }

  inputCount(cell: Cell): number {
    return this.cells.int(cell, COUNT);
  }
  inputAt(cell: Cell, i: number): Cell {
    return this.edges.int(this.cells.int(cell, BLOCK) + i, INPUT);
  }

  /**
   * Makes `list[from]` to `list[to - 1]` the inputs of a cell; each stands there once.
   * @param left hears of inputs that nobody reads any more
   */
  setInputs(cell: Cell, list: readonly Cell[], from: number, to: number, left: (input: Cell) => void): void {
    const [had, has] = [this.cells.int(cell, COUNT), to - from];
    const old = this.cells.int(cell, BLOCK);
    let same = 0;
    while (same < had && same < has && this.edges.int(old + same, INPUT) === list[from + same]) same++;
    if (same === had && same === has) return;
    const places = placesFor(has);
    const block = places === 0 ? NONE : this.take(places);
    const kept = this.edgesByInput(old + same, old + had);
    for (let i = 0; i < has; i++) {
      const input = list[from + i] as Cell;
      const edge = i < same ? old + i : kept.get(input);
      // What stays keeps its turn among the readers of its input.
      if (edge === undefined) this.link(block + i, input, cell);
      else this.move(edge, block + i);
      if (i >= same) kept.delete(input);
    }
    for (const edge of kept.values()) this.unlink(edge);
    if (had > 0) this.give(old, placesFor(had));
    this.cells.setInt(cell, BLOCK, block);
    this.cells.setInt(cell, COUNT, has);
    for (const input of kept.keys()) if (!this.isRead(input)) left(input);
  }

  private edgesByInput(from: number, to: number): Map<Cell, number> {
    if (from === to) return NO_EDGES;
    const out = new Map<Cell, number>();
    for (let edge = from; edge < to; edge++) out.set(this.edges.int(edge, INPUT), edge);
    return out;
  }

  private link(edge: number, input: Cell, reader: Cell): void {
    this.edges.setInt(edge, INPUT, input);
    this.edges.setInt(edge, READER, reader);
    const first = this.cells.int(input, RING);
    if (first === NONE) {
      this.cells.setInt(input, RING, edge);
      this.edges.setInt(edge, NEXT, edge);
      this.edges.setInt(edge, PREVIOUS, edge);
      return;
    }
    const last = this.edges.int(first, PREVIOUS);
    this.edges.setInt(last, NEXT, edge);
    this.edges.setInt(edge, PREVIOUS, last);
    this.edges.setInt(edge, NEXT, first);
    this.edges.setInt(first, PREVIOUS, edge);
  }

  private unlink(edge: number): void {
    const input = this.edges.int(edge, INPUT);
    const next = this.edges.int(edge, NEXT);
    if (next === edge) {
      this.cells.setInt(input, RING, NONE);
      return;
    }
    const previous = this.edges.int(edge, PREVIOUS);
    this.edges.setInt(previous, NEXT, next);
    this.edges.setInt(next, PREVIOUS, previous);
    if (this.cells.int(input, RING) === edge) this.cells.setInt(input, RING, next);
  }

  /** The same edge in another place, of the block and not of the ring. */
  private move(from: number, to: number): void {
    const input = this.edges.int(from, INPUT);
    this.edges.setInt(to, INPUT, input);
    this.edges.setInt(to, READER, this.edges.int(from, READER));
    const [next, previous] = [this.edges.int(from, NEXT), this.edges.int(from, PREVIOUS)];
    if (this.cells.int(input, RING) === from) this.cells.setInt(input, RING, to);
    this.edges.setInt(to, NEXT, next === from ? to : next);
    this.edges.setInt(to, PREVIOUS, previous === from ? to : previous);
    this.edges.setInt(this.edges.int(to, NEXT), PREVIOUS, to);
    this.edges.setInt(this.edges.int(to, PREVIOUS), NEXT, to);
  }

  private take(places: number): number {
    const list = sizeClass(places);
    const block = this.free[list] as number;
    if (block !== NONE) {
      this.free[list] = this.edges.int(block, NEXT);
      return block;
    }
    const made = this.length;
    this.length += places;
    this.edges.cover(this.length);
    return made;
  }

  private give(block: number, places: number): void {
    const list = sizeClass(places);
    this.edges.setInt(block, NEXT, this.free[list] as number);
    this.free[list] = block;
  }
}
