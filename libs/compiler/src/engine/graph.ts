import type { FactChange, FactKind, FactKinds } from '../model/facts.js';
import type { Fragment } from '../model/fragment.js';
import {
  addDependent,
  type Cell,
  distinct,
  FEW,
  forEachDependent,
  isRead,
  NONE,
  newCell,
  removeDependent,
} from './cell.js';
import { equal, sameElements } from './equal.js';
import { Members } from './members.js';
import { NO_ENTRIES, type Published, published, unpacked } from './published.js';
import type { Context, Entry, Index, Memo, Root, RootOutput } from './steps.js';

/** Stands for a root and key towards whoever hears of fragments; the same object for as long as the root's key is there. */
export interface FragmentOwner {
  readonly owner: unknown;
  readonly key: string;
}

export interface GraphOptions {
  readonly roots: readonly Root[];
  /** Hears of every fragment that was made anew; undefined: there is none any more. */
  readonly onFragment: (owner: FragmentOwner, now: Fragment | undefined) => void;
}

const EMPTY: ReadonlySet<string> = new Set();
const membersOf = (cell: Cell | undefined): ReadonlySet<string> =>
  cell === undefined ? EMPTY : (cell.value as Members).set;

/**
 * Memoized steps with reverse edges. A change marks what depends on it as stale, all the way to the roots; stale roots are
 * then brought up to date, stratum by stratum, each at most once. A stale cell whose inputs turn out unchanged is not
 * computed again, and a cell whose value turns out equal does not disturb its readers.
 */
export class Graph {
  private readonly facts = new Map<FactKind, Map<string, Cell>>();
  private readonly memos = new Map<Memo<unknown>, Map<string, Cell>>();
  private readonly indexes = new Map<Index, Map<string, Cell>>();
  private readonly roots = new Map<Root, Map<string, Cell>>();
  private readonly rootsOver = new Map<FactKind | Index, Root[]>();
  /** Stale roots by stratum. */
  private readonly queues: Set<Cell>[] = [];
  private readonly orphans = new Set<Cell>();
  private readonly onFragment: GraphOptions['onFragment'];
  private revision = 0;
  private stratum = -1;
  private reading: Cell[] | undefined;
  private counts: Record<string, number> = {};

  constructor(options: GraphOptions) {
    this.onFragment = options.onFragment;
    for (const root of options.roots) {
      if (typeof root.over === 'object' && root.over.stratum >= root.stratum)
        throw new TypeError(`${root.name} runs over ${root.over.name}, which is not complete before it`);
      this.roots.set(root, new Map());
      const list = this.rootsOver.get(root.over);
      if (list === undefined) this.rootsOver.set(root.over, [root]);
      else list.push(root);
      for (let s = this.queues.length; s <= root.stratum; s++) this.queues.push(new Set());
    }
  }

  /** Takes the changes in and brings everything up to date. Returns how often each step was evaluated. */
  apply(changes: readonly FactChange[]): Readonly<Record<string, number>> {
    this.revision++;
    this.counts = {};
    for (const change of changes) this.setFact(change.kind, change.key, change.value);
    for (let s = 0; s < this.queues.length; s++) {
      this.stratum = s;
      // A set may grow while it is walked: roots over an index of a lower stratum are all there by now, and no root
      // makes another of its own or of a lower stratum stale.
      const queue = this.queues[s] as Set<Cell>;
      for (const cell of queue) this.refreshRoot(cell);
      queue.clear();
    }
    this.stratum = -1;
    this.collect();
    return this.counts;
  }

  fact<K extends FactKind>(kind: K, key: string): FactKinds[K] | undefined {
    return this.facts.get(kind)?.get(key)?.value as FactKinds[K] | undefined;
  }

  *allFacts<K extends FactKind>(kind: K): Iterable<readonly [key: string, fact: FactKinds[K]]> {
    for (const [key, cell] of this.facts.get(kind) ?? [])
      if (cell.value !== undefined) yield [key, cell.value as FactKinds[K]];
  }

  factCount(kind: FactKind): number {
    let n = 0;
    for (const cell of this.facts.get(kind)?.values() ?? []) if (cell.value !== undefined) n++;
    return n;
  }

  /** Reads a value from outside, between two applies. */
  inspect<V>(memo: Memo<V>, key: string): V {
    this.stratum = this.queues.length;
    this.reading = [];
    try {
      return this.value(memo, key).value as V;
    } finally {
      this.reading = undefined;
      this.stratum = -1;
      this.collect();
    }
  }

  /** Members of an index as they are now. */
  inspectIndex(index: Index, key: string): ReadonlySet<string> {
    return membersOf(this.indexes.get(index)?.get(key));
  }

  indexSize(index: Index): number {
    return this.indexes.get(index)?.size ?? 0;
  }

  /** Remembered values of each step. */
  cells(): Readonly<Record<string, number>> {
    const out: Record<string, number> = {};
    for (const [step, cells] of [...this.memos, ...this.roots]) out[step.name] = cells.size;
    return out;
  }

  private setFact(kind: FactKind, key: string, value: unknown): void {
    let cells = this.facts.get(kind);
    if (cells === undefined) {
      cells = new Map();
      this.facts.set(kind, cells);
    }
    let cell = cells.get(key);
    if (cell === undefined) {
      if (value === undefined) return;
      cell = newCell(kind, key);
      cells.set(key, cell);
    }
    if (equal(cell.value, value)) return;
    const appeared = cell.value === undefined;
    cell.value = value;
    this.touch(cell);
    if (appeared) this.startRoots(kind, key);
    else if (value === undefined) {
      this.stopRoots(kind, key);
      this.orphans.add(cell);
    }
  }

  /** Marks a source of the graph as changed, and everything that hangs on it as stale. */
  private touch(cell: Cell): void {
    cell.changedAt = this.revision;
    cell.verifiedAt = this.revision;
    forEachDependent(cell, this.stale);
  }

  private readonly stale = (cell: Cell): void => this.markStale(cell);

  private markStale(cell: Cell): void {
    if (cell.stale) return;
    cell.stale = true;
    const { owner } = cell;
    if (typeof owner === 'object' && owner.kind === 'root') (this.queues[owner.stratum] as Set<Cell>).add(cell);
    forEachDependent(cell, this.stale);
  }

  private startRoots(over: FactKind | Index, key: string): void {
    for (const root of this.rootsOver.get(over) ?? []) {
      const cells = this.roots.get(root) as Map<string, Cell>;
      let cell = cells.get(key);
      if (cell === undefined) {
        cell = newCell(root, key);
        cell.changedAt = -1;
        cell.verifiedAt = -1;
        cells.set(key, cell);
      }
      this.markStale(cell);
    }
  }

  private stopRoots(over: FactKind | Index, key: string): void {
    for (const root of this.rootsOver.get(over) ?? []) {
      const cell = this.roots.get(root)?.get(key);
      if (cell !== undefined) this.markStale(cell);
    }
  }

  private alive(root: Root, key: string): boolean {
    if (typeof root.over === 'string') return this.fact(root.over, key) !== undefined;
    return membersOf(this.indexes.get(root.over)?.get(key)).size > 0;
  }

  private refreshRoot(cell: Cell): void {
    const root = cell.owner as Root;
    const before = cell.value as Published | undefined;
    if (!this.alive(root, cell.key)) {
      this.setDeps(cell, NONE);
      cell.stale = false;
      this.roots.get(root)?.delete(cell.key);
      this.publish(cell, before, undefined);
      return;
    }
    if (cell.verifiedAt >= 0 && !this.inputsChanged(cell)) {
      cell.stale = false;
      cell.verifiedAt = this.revision;
      return;
    }
    this.compute(cell, root);
    const now = cell.value as RootOutput | undefined;
    // Set before anyone hears of it: what is published next time is compared with this.
    cell.value = published(now);
    this.publish(cell, before, now);
  }

  private publish(cell: Cell, before: Published | undefined, now: RootOutput | undefined): void {
    this.replaceEntries(cell.owner as Root, unpacked(before), now?.entries ?? NO_ENTRIES);
    if (now?.fragment !== undefined || before?.hasFragment === true) this.onFragment(cell, now?.fragment);
  }

  private replaceEntries(root: Root, before: readonly Entry[], now: readonly Entry[]): void {
    if (before.length === 0) {
      for (const e of now) this.addMember(root, e);
      return;
    }
    if (now.length === 0) {
      for (const e of before) this.removeMember(e);
      return;
    }
    // Additions first: a member that leaves and comes back never goes away for its readers.
    const kept = new Map<string, number>();
    const id = (e: Entry) => `${e[0].name}\n${e[1]}\n${e[2]}`;
    for (const e of before) kept.set(id(e), (kept.get(id(e)) ?? 0) + 1);
    for (const e of now) {
      const n = kept.get(id(e)) ?? 0;
      if (n > 0) kept.set(id(e), n - 1);
      else this.addMember(root, e);
    }
    for (const e of before) {
      const n = kept.get(id(e)) ?? 0;
      if (n === 0) continue;
      kept.set(id(e), n - 1);
      this.removeMember(e);
    }
  }

  private indexCell(index: Index, key: string): Cell {
    let cells = this.indexes.get(index);
    if (cells === undefined) {
      cells = new Map();
      this.indexes.set(index, cells);
    }
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = newCell(index, key);
      cell.value = new Members();
      cells.set(key, cell);
    }
    return cell;
  }

  private addMember(root: Root, [index, key, member]: Entry): void {
    if (index.stratum !== root.stratum) throw new TypeError(`${root.name} may not fill ${index.name}`);
    const cell = this.indexCell(index, key);
    const members = cell.value as Members;
    if (!members.add(member)) return;
    this.touch(cell);
    if (members.set.size === 1) this.startRoots(index, key);
  }

  private removeMember([index, key, member]: Entry): void {
    const cell = this.indexCell(index, key);
    const members = cell.value as Members;
    if (!members.remove(member)) return;
    this.touch(cell);
    if (members.set.size > 0) return;
    this.stopRoots(index, key);
    this.orphans.add(cell);
  }

  private readonly context: Context = {
    fact: <K extends FactKind>(kind: K, key: string) => {
      let cells = this.facts.get(kind);
      if (cells === undefined) {
        cells = new Map();
        this.facts.set(kind, cells);
      }
      let cell = cells.get(key);
      if (cell === undefined) {
        cell = newCell(kind, key);
        cells.set(key, cell);
      }
      this.reading?.push(cell);
      return cell.value as FactKinds[K] | undefined;
    },
    read: <V>(memo: Memo<V>, key: string): V => {
      const cell = this.value(memo, key);
      this.reading?.push(cell);
      return cell.value as V;
    },
    members: (index, key) => {
      if (index.stratum >= this.stratum) throw new TypeError(`${index.name} is not complete yet where it is read`);
      const cell = this.indexCell(index, key);
      this.reading?.push(cell);
      return membersOf(cell);
    },
  };

  /** The up-to-date cell of a memo. */
  private value<V>(memo: Memo<V>, key: string): Cell {
    let cells = this.memos.get(memo as Memo<unknown>);
    if (cells === undefined) {
      cells = new Map();
      this.memos.set(memo as Memo<unknown>, cells);
    }
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = newCell(memo as Memo<unknown>, key);
      cell.verifiedAt = -1;
      cell.stale = true;
      cells.set(key, cell);
      // Nobody may come to depend on it (a reader from outside): collected then.
      this.orphans.add(cell);
    }
    this.refresh(cell);
    return cell;
  }

  private refresh(cell: Cell): void {
    if (!cell.stale) return;
    if (cell.verifiedAt >= 0 && !this.inputsChanged(cell)) {
      cell.stale = false;
      cell.verifiedAt = this.revision;
      return;
    }
    this.compute(cell, cell.owner as Memo<unknown>);
  }

  private inputsChanged(cell: Cell): boolean {
    for (const dep of cell.deps) {
      if (typeof dep.owner === 'object' && dep.owner.kind === 'memo') this.refresh(dep);
      if (dep.changedAt > cell.verifiedAt) return true;
    }
    return false;
  }

  private compute(cell: Cell, step: Memo<unknown> | Root): void {
    const outer = this.reading;
    const deps: Cell[] = [];
    this.reading = deps;
    let value: unknown;
    try {
      value = step.compute(cell.key, this.context);
    } finally {
      this.reading = outer;
    }
    this.counts[step.name] = (this.counts[step.name] ?? 0) + 1;
    const first = cell.verifiedAt < 0;
    this.setDeps(cell, deps);
    cell.stale = false;
    cell.verifiedAt = this.revision;
    const same = step.kind === 'memo' ? (step.same ?? equal) : Object.is;
    if (first || !same(cell.value, value)) {
      cell.value = value;
      cell.changedAt = this.revision;
    }
  }

  /** @param read in the order of reading; cells that were read twice are in it twice */
  private setDeps(cell: Cell, read: readonly Cell[]): void {
    if (sameElements(cell.deps, read)) return;
    const now = distinct(read);
    const has = now.length > FEW && cell.deps.length > 0 ? new Set(now) : undefined;
    for (const old of cell.deps)
      if (!(has === undefined ? now.includes(old) : has.has(old)) && removeDependent(old, cell) && !isRead(old))
        this.orphans.add(old);
    for (const dep of now) addDependent(dep, cell);
    cell.deps = now;
  }

  /** Forgets values that nobody reads, facts that do not exist and empty sets. */
  private collect(): void {
    for (const cell of this.orphans) {
      this.orphans.delete(cell);
      if (isRead(cell)) continue;
      const { owner } = cell;
      if (typeof owner === 'string') {
        if (cell.value === undefined) this.facts.get(owner)?.delete(cell.key);
      } else if (owner.kind === 'index') {
        if (membersOf(cell).size === 0) this.indexes.get(owner)?.delete(cell.key);
      } else if (owner.kind === 'memo') {
        this.memos.get(owner)?.delete(cell.key);
        this.setDeps(cell, NONE);
      }
    }
  }
}
