import { type Cell, copyInto, grown } from './columns.js';

/** Up to so many inputs a block has exactly as many places; above, the next power of two. */
const EXACT = 8;
const placesFor = (n: number): number => (n <= EXACT ? n : 2 ** Math.ceil(Math.log2(n)));
const sizeClass = (places: number): number => (places <= EXACT ? places : EXACT + Math.log2(places));
const SIZE_CLASSES = EXACT + 32;
/** No edge. */
const NONE = 0;
const NO_EDGES = new Map<Cell, number>();

/**
 * Who reads whom. The inputs of a cell are a block of edges side by side, in the order of reading; the readers of a cell are a
 * ring through the edges, in the order in which they came. So adding or removing one costs the same however many there are.
 */
export class Edges {
  private input = new Int32Array(0);
  private reader = new Int32Array(0);
  private next = new Int32Array(0);
  private previous = new Int32Array(0);
  /** Edges in use or in free blocks. The first is none. */
  private length = 1;
  /** First free block of each size; `next` of its first edge is the one after it. */
  private readonly free = new Int32Array(SIZE_CLASSES);

  // By cell: its block, the number of its inputs, its first reader.
  private block = new Int32Array(0);
  private count = new Int32Array(0);
  private ring = new Int32Array(0);

  /** Makes room for so many cells. */
  cover(cells: number): void {
    if (cells <= this.ring.length) return;
    const capacity = grown(cells);
    this.block = copyInto(new Int32Array(capacity), this.block);
    this.count = copyInto(new Int32Array(capacity), this.count);
    this.ring = copyInto(new Int32Array(capacity), this.ring);
  }

  isRead(cell: Cell): boolean {
    return this.ring[cell] !== NONE;
  }

  /** In the order in which they came. Edges may not change meanwhile. */
  forEachReader(cell: Cell, visit: (reader: Cell) => void): void {
    const first = this.ring[cell] as number;
    if (first === NONE) return;
    let edge = first;
    do {
      visit(this.reader[edge] as Cell);
      edge = this.next[edge] as number;
    } while (edge !== first);
  }

  inputCount(cell: Cell): number {
    return this.count[cell] as number;
  }
  inputAt(cell: Cell, i: number): Cell {
    return this.input[(this.block[cell] as number) + i] as Cell;
  }

  /**
   * Makes `list[from]` to `list[to - 1]` the inputs of a cell; each stands there once.
   * @param left hears of inputs that nobody reads any more
   */
  setInputs(cell: Cell, list: readonly Cell[], from: number, to: number, left: (input: Cell) => void): void {
    const [had, has] = [this.count[cell] as number, to - from];
    const old = this.block[cell] as number;
    let same = 0;
    while (same < had && same < has && this.input[old + same] === list[from + same]) same++;
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
    this.block[cell] = block;
    this.count[cell] = has;
    for (const input of kept.keys()) if (!this.isRead(input)) left(input);
  }

  private edgesByInput(from: number, to: number): Map<Cell, number> {
    if (from === to) return NO_EDGES;
    const out = new Map<Cell, number>();
    for (let edge = from; edge < to; edge++) out.set(this.input[edge] as Cell, edge);
    return out;
  }

  private link(edge: number, input: Cell, reader: Cell): void {
    this.input[edge] = input;
    this.reader[edge] = reader;
    const first = this.ring[input] as number;
    if (first === NONE) {
      this.ring[input] = edge;
      this.next[edge] = edge;
      this.previous[edge] = edge;
      return;
    }
    const last = this.previous[first] as number;
    this.next[last] = edge;
    this.previous[edge] = last;
    this.next[edge] = first;
    this.previous[first] = edge;
  }

  private unlink(edge: number): void {
    const input = this.input[edge] as Cell;
    const next = this.next[edge] as number;
    if (next === edge) {
      this.ring[input] = NONE;
      return;
    }
    const previous = this.previous[edge] as number;
    this.next[previous] = next;
    this.previous[next] = previous;
    if (this.ring[input] === edge) this.ring[input] = next;
  }

  /** The same edge in another place, of the block and not of the ring. */
  private move(from: number, to: number): void {
    const input = this.input[from] as Cell;
    this.input[to] = input;
    this.reader[to] = this.reader[from] as Cell;
    const [next, previous] = [this.next[from] as number, this.previous[from] as number];
    if (this.ring[input] === from) this.ring[input] = to;
    this.next[to] = next === from ? to : next;
    this.previous[to] = previous === from ? to : previous;
    this.previous[this.next[to] as number] = to;
    this.next[this.previous[to] as number] = to;
  }

  private take(places: number): number {
    const list = sizeClass(places);
    const block = this.free[list] as number;
    if (block !== NONE) {
      this.free[list] = this.next[block] as number;
      return block;
    }
    const made = this.length;
    this.length += places;
    if (this.length > this.input.length) {
      const capacity = grown(this.length);
      this.input = copyInto(new Int32Array(capacity), this.input);
      this.reader = copyInto(new Int32Array(capacity), this.reader);
      this.next = copyInto(new Int32Array(capacity), this.next);
      this.previous = copyInto(new Int32Array(capacity), this.previous);
    }
    return made;
  }

  private give(block: number, places: number): void {
    const list = sizeClass(places);
    this.next[block] = this.free[list] as number;
    this.free[list] = block;
  }
}
