/**
 * A remembered value. `node` is a machine elsewhere; a vertex of the graph is a cell, and a cell is a number: its place in
 * columns. There may be millions of them, and columns of numbers are nothing that garbage collection has to follow.
 */
export type Cell = number;

const SPARE = 1024;
/** Capacity of a column that is to hold so many: a third more, so that copying stays rare and little stays unused. */
export const grown = (length: number): number => Math.ceil((length * 4) / 3) + SPARE;

export function copyInto<T extends Uint8Array | Uint16Array | Int32Array | Float64Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
