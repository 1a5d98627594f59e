import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cells } from './cells.js';
import type { Cell } from './records.js';

const CELLS = 24;

/** What edges stand for, said with sets: readers of each cell in the order in which they came. */
class Model {
  readonly inputs = new Map<Cell, readonly Cell[]>();
  readonly readers = new Map<Cell, Set<Cell>>();

  setInputs(cell: Cell, list: readonly Cell[]): Cell[] {
    const left: Cell[] = [];
    for (const old of this.inputs.get(cell) ?? [])
      if (!list.includes(old)) {
        this.readers.get(old)?.delete(cell);
        if (this.readers.get(old)?.size === 0) left.push(old);
      }
    for (const input of list) this.readers.set(input, (this.readers.get(input) ?? new Set<Cell>()).add(cell));
    this.inputs.set(cell, list);
    return left;
  }
}

const change = fc.record({
  cell: fc.nat(CELLS - 1),
  inputs: fc.uniqueArray(fc.nat(CELLS - 1), { maxLength: CELLS }),
});

describe('edges', () => {
  it('tell what a cell reads, and who reads it in the order in which they came', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const cells = new Cells();
        cells.add(CELLS);
        const { edges } = cells;
        const model = new Model();
        for (const { cell, inputs } of changes) {
          const left: Cell[] = [];
          // As in the graph, where what steps read stands in the middle of a list.
          edges.setInputs(cell, [99, ...inputs, 98], 1, inputs.length + 1, (input) => left.push(input));
          expect(left.sort()).toEqual(model.setInputs(cell, inputs).sort());
          for (let c = 0; c < CELLS; c++) {
            const readers: Cell[] = [];
            edges.forEachReader(c, (reader) => readers.push(reader));
            expect(readers).toEqual([...(model.readers.get(c) ?? [])]);
            expect(edges.isRead(c)).toBe(readers.length > 0);
            expect(Array.from({ length: edges.inputCount(c) }, (_, i) => edges.inputAt(c, i))).toEqual(
              model.inputs.get(c) ?? [],
            );
          }
        }
      }),
    );
  });
});
