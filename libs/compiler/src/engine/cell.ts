import type { FactKind } from '../model/facts.js';
import type { Index, Memo, Root } from './steps.js';

/** A remembered value. `node` is a machine elsewhere; a vertex of this graph is a cell. */
export interface Cell {
  readonly owner: FactKind | Memo<unknown> | Root | Index;
  readonly key: string;
  value: unknown;
  /** Revision in which the value last differed from the one before. */
  changedAt: number;
  /** Revision in which the value was last known to be right. */
  verifiedAt: number;
  stale: boolean;
  deps: readonly Cell[];
  /** Who read it. There may be a million cells and nearly all have one reader or two, so only others have a list or a set. */
  dependents: Dependents;
}
export type Dependents = undefined | Cell | readonly Cell[] | Set<Cell>;

export const NONE: readonly Cell[] = [];
/** Above so many readers a cell has a set of them. */
export const FEW = 8;

export const newCell = (owner: Cell['owner'], key: string): Cell => ({
  owner,
  key,
  value: undefined,
  changedAt: 0,
  verifiedAt: 0,
  stale: false,
  deps: NONE,
  dependents: undefined,
});

export function isRead({ dependents }: Cell): boolean {
  return dependents instanceof Set ? dependents.size > 0 : dependents !== undefined;
}

export function forEachDependent({ dependents }: Cell, visit: (cell: Cell) => void): void {
  if (dependents === undefined) return;
  if (Array.isArray(dependents) || dependents instanceof Set) for (const d of dependents as Iterable<Cell>) visit(d);
  else visit(dependents as Cell);
}

export function addDependent(cell: Cell, reader: Cell): void {
  const now = cell.dependents;
  if (now === undefined) cell.dependents = reader;
  else if (now instanceof Set) now.add(reader);
  else {
    const list = Array.isArray(now) ? (now as readonly Cell[]) : [now as Cell];
    if (!list.includes(reader)) cell.dependents = list.length < FEW ? [...list, reader] : new Set(list).add(reader);
  }
}

/** False if it was no reader. */
export function removeDependent(cell: Cell, reader: Cell): boolean {
  const now = cell.dependents;
  if (now instanceof Set) return now.delete(reader);
  if (!Array.isArray(now)) {
    if (now !== reader) return false;
    cell.dependents = undefined;
    return true;
  }
  const left = (now as readonly Cell[]).filter((c) => c !== reader);
  if (left.length === now.length) return false;
  cell.dependents = left.length === 1 ? left[0] : left;
  return true;
}

/** Each cell once, in an array that is no longer than it must be: an array that grew has room for many more. */
export function distinct(cells: readonly Cell[]): readonly Cell[] {
  if (cells.length === 0) return NONE;
  if (cells.length > FEW) return [...new Set(cells)];
  return cells.some((c, i) => cells.indexOf(c) !== i) ? [...new Set(cells)] : cells.slice();
}
