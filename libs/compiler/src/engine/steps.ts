import type { FactKind, FactKinds } from '../model/facts.js';
import type { Fragment } from '../model/fragment.js';
import type { MemberSet } from './members.js';

/**
 * What the graph is made of. A step is a pure function of a key and of what it reads through its context; the graph
 * remembers the answer for each key and who read what.
 *
 * Indexes are the only way from "many" to "one": roots put members under keys, readers get the set. A root of stratum s
 * may read indexes of lower strata only, so a set is complete before anyone sees it.
 */

/** Sets of members by key, filled by roots. */
export interface Index {
  readonly kind: 'index';
  readonly name: string;
  /** Stratum of the roots that fill it. */
  readonly stratum: number;
}

/** A value that is computed when somebody reads it. */
export interface Memo<V> {
  readonly kind: 'memo';
  readonly name: string;
  compute(key: string, cx: Context): V;
  /** Early cut-off: readers are left alone while the value stays equal. Default: structural equality. */
  same?(a: V, b: V): boolean;
}

export type Entry = readonly [index: Index, key: string, member: string];

/** What a root gives: members for indexes, and flows. */
export interface RootOutput {
  readonly entries?: readonly Entry[];
  readonly fragment?: Fragment;
}

/** Evaluated for each fact of a kind, or for each key of an index that has members. */
export interface Root {
  readonly kind: 'root';
  readonly name: string;
  readonly stratum: number;
  readonly over: FactKind | Index;
  compute(key: string, cx: Context): RootOutput | undefined;
}

/** Everything a step may look at. */
export interface Context {
  fact<K extends FactKind>(kind: K, key: string): FactKinds[K] | undefined;
  read<V>(memo: Memo<V>, key: string): V;
  /** A live view, valid during the step only; its order means nothing. */
  members(index: Index, key: string): MemberSet;
}

export const index = (name: string, stratum: number): Index => ({ kind: 'index', name, stratum });
export const memo = <V>(name: string, compute: Memo<V>['compute'], same?: Memo<V>['same']): Memo<V> =>
  same === undefined ? { kind: 'memo', name, compute } : { kind: 'memo', name, compute, same };
export const root = (name: string, stratum: number, over: Root['over'], compute: Root['compute']): Root => ({
  kind: 'root',
  name,
  stratum,
  over,
  compute,
});
