import type { FactKind } from '../model/facts.js';
import type { Cells } from './cells.js';
import { FLAG } from './cells.js';
import type { Cell } from './records.js';
import type { Index, Memo, Root } from './steps.js';

/** What is there under keys: facts of a kind, values of a memo, sets of an index. */
export type Keyed = FactKind | Memo<unknown> | Index;

/** A kind of fact, a step or an index: what cells are of. */
export interface Owner {
  readonly number: number;
  readonly of: Keyed | Root;
  readonly kind: 'fact' | (Memo<unknown> | Index | Root)['kind'];
  readonly space: Space;
  /** Place in the blocks of the space. */
  readonly place: number;
  /** Of a root: the place of what it runs over. */
  readonly over: number;
  /** Places of the roots that run over it. */
  readonly roots: number[];
  /** How many facts there are, values of a memo are remembered, keys of an index have members, or for how many a root runs. */
  live: number;
  /** How often the step was evaluated in this apply. */
  count: number;
}

/**
 * Keys that several kinds of facts, steps and indexes have in common. All cells of a key are a block: side by side, found by
 * one look, and taken away together when none of them is needed. The first of a block is no cell, it holds the key.
 */
export class Space {
  readonly owners: Owner[] = [];
  private readonly blocks = new Map<string, Cell>();
  private readonly free: Cell[] = [];
  /** What was asked for last: steps ask for the same again and again. */
  private lastKey = '';
  private lastBlock: Cell | undefined;

  constructor(private readonly cells: Cells) {}

  /** The block of a key, if there is one. */
  find(key: string): Cell | undefined {
    if (this.lastBlock !== undefined && this.lastKey === key) return this.lastBlock;
    const block = this.blocks.get(key);
    if (block !== undefined) this.remember(key, block);
    return block;
  }

  /** The block of a key; a new one if there is none. */
  get(key: string): Cell {
    if (this.lastBlock !== undefined && this.lastKey === key) return this.lastBlock;
    let block = this.blocks.get(key);
    if (block === undefined) {
      block = this.free.pop() ?? this.cells.add(this.owners.length + 1);
      this.cells.setValue(block, key);
      for (const { number, place } of this.owners) this.cells.reset(block + place, number);
      this.blocks.set(key, block);
    }
    this.remember(key, block);
    return block;
  }

  /** Says that a key is what is going to be asked for. */
  remember(key: string, block: Cell): void {
    this.lastKey = key;
    this.lastBlock = block;
  }

  entries(): Iterable<readonly [key: string, block: Cell]> {
    return this.blocks;
  }

  /** The key of a block; undefined if it is not in use. */
  keyOf(block: Cell): string | undefined {
    return this.cells.value(block) as string | undefined;
  }

  /** Takes a block away if nothing in it is there or read. */
  release(block: Cell): void {
    const { cells } = this;
    for (const { place } of this.owners) {
      const cell = block + place;
      if (cells.is(cell, FLAG.live) || cells.value(cell) !== undefined || cells.edges.isRead(cell)) return;
    }
    this.blocks.delete(this.keyOf(block) as string);
    this.lastBlock = undefined;
    cells.setValue(block, undefined);
    this.free.push(block);
  }
}
