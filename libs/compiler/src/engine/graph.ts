import type { FactChange, FactKind, FactKinds } from '../model/facts.js';
import type { Fragment } from '../model/fragment.js';
import { Cells, FLAG, NEVER } from './cells.js';
import { equal } from './equal.js';
import { EMPTY, type MemberSet, Members } from './members.js';
import type { Cell } from './records.js';
import { type Keyed, type Owner, Space } from './spaces.js';
import type { Context, Entry, Index, Memo, Root, RootOutput } from './steps.js';

/** Stands for a root and key towards whoever hears of fragments; the same number for as long as the root's key is there. */
export type FragmentOwner = number;

export interface GraphOptions {
  readonly roots: readonly Root[];
  /** Of what has the same keys: a list for each kind of key. What is in no list is fine too, only dearer. */
  readonly sharedKeys?: readonly (readonly Keyed[])[];
  /** Hears of every fragment that was made anew; undefined: there is none any more. */
  readonly onFragment: (owner: FragmentOwner, now: Fragment | undefined) => void;
}

/** Entries that a root gave: cell of the index, member, cell, member ... */
type Given = readonly (Cell | string)[];
/** Members of an index as they are kept: one that was put in once stands for itself, as most do. */
type Stored = undefined | string | Members;
const membersOf = (stored: unknown): MemberSet =>
  stored === undefined ? EMPTY : typeof stored === 'string' ? new Members(stored) : (stored as Members);

const NO_ENTRIES: readonly Entry[] = [];
const NOTHING_GIVEN: Given = [];
const NO_INPUTS: readonly Cell[] = [];

/**
 * Memoized steps with reverse edges. A change marks what depends on it as stale, all the way to the roots; stale roots are
 * then brought up to date, stratum by stratum, each at most once. A stale cell whose inputs turn out unchanged is not
 * computed again, and a cell whose value turns out equal does not disturb its readers.
 */
export class Graph {
  private readonly cells = new Cells();
  private readonly owners: Owner[] = [];
  private readonly owned = new Map<Owner['of'], Owner>();
  /** Stale roots by stratum. */
  private readonly queues: Cell[][] = [];
  /** Cells that nobody may be reading any more. */
  private readonly orphans: Cell[] = [];
  private readonly onFragment: GraphOptions['onFragment'];
  private revision = 0;
  private stratum = -1;
  /** What the steps that are being computed have read, the inner ones' after the outer ones'. */
  private readonly reads: Cell[] = [];
  private readCount = 0;

  constructor(options: GraphOptions) {
    this.onFragment = options.onFragment;
    for (const list of options.sharedKeys ?? []) {
      const space = new Space(this.cells);
      for (const of of list) this.addOwner(of, space, 0);
    }
    for (const root of options.roots) {
      if (typeof root.over === 'object' && root.over.stratum >= root.stratum)
        throw new TypeError(`${root.name} runs over ${root.over.name}, which is not complete before it`);
      const { space, place, roots } = this.owner(root.over);
      roots.push(this.addOwner(root, space, place).place);
      for (let s = this.queues.length; s <= root.stratum; s++) this.queues.push([]);
    }
  }

  /** Takes the changes in and brings everything up to date. Returns how often each step was evaluated. */
  apply(changes: readonly FactChange[]): Readonly<Record<string, number>> {
    this.revision++;
    this.readCount = 0;
    for (const owner of this.owners) owner.count = 0;
    for (const change of changes) this.setFact(change.kind, change.key, change.value);
    for (let s = 0; s < this.queues.length; s++) {
      this.stratum = s;
      // A queue may grow while it is walked: roots over an index of a lower stratum are all there by now, and no root
      // makes another of its own or of a lower stratum stale.
      const queue = this.queues[s] as Cell[];
      for (let i = 0; i < queue.length; i++) this.refreshRoot(queue[i] as Cell);
      queue.length = 0;
    }
    this.stratum = -1;
    this.collect();
    const counts: Record<string, number> = {};
    for (const { of, count } of this.owners) if (count > 0 && typeof of === 'object') counts[of.name] = count;
    return counts;
  }

  fact<K extends FactKind>(kind: K, key: string): FactKinds[K] | undefined {
    return this.stored(this.owner(kind), key) as FactKinds[K] | undefined;
  }

  *allFacts<K extends FactKind>(kind: K): Iterable<readonly [key: string, fact: FactKinds[K]]> {
    const { space, place } = this.owner(kind);
    for (const [key, block] of space.entries()) {
      const value = this.cells.value(block + place) as FactKinds[K] | undefined;
      if (value !== undefined) yield [key, value];
    }
  }

  factCount(kind: FactKind): number {
    return this.owner(kind).live;
  }

  /** Reads a value from outside, between two applies. */
  inspect<V>(memo: Memo<V>, key: string): V {
    this.stratum = this.queues.length;
    this.readCount = 0;
    try {
      return this.cells.value(this.memoCell(memo, key)) as V;
    } finally {
      this.stratum = -1;
      this.collect();
    }
  }

  /** Members of an index as they are now. */
  inspectIndex(index: Index, key: string): MemberSet {
    return membersOf(this.stored(this.owner(index), key));
  }

  /** Number of keys under which the index has members. */
  indexSize(index: Index): number {
    return this.owner(index).live;
  }

  /** Remembered values of each step. */
  sizes(): Readonly<Record<string, number>> {
    const out: Record<string, number> = {};
    for (const { of, live } of this.owners) if (typeof of === 'object' && of.kind !== 'index') out[of.name] = live;
    return out;
  }

  /** The root and key that a number stands for, for as long as it does. */
  nameOf(owner: FragmentOwner): { readonly root: Root; readonly key: string } {
    return { root: this.ownerOf(owner).of as Root, key: this.keyOf(owner, this.ownerOf(owner)) };
  }

  private owner(of: Keyed): Owner {
    return this.owned.get(of) ?? this.addOwner(of, new Space(this.cells), 0);
  }

  private addOwner(of: Owner['of'], space: Space, over: number): Owner {
    const kind = typeof of === 'string' ? 'fact' : of.kind;
    // The key stands before the cells.
    const place = space.owners.length + 1;
    const made: Owner = { number: this.owners.length, of, kind, space, place, over, roots: [], live: 0, count: 0 };
    this.owners.push(made);
    this.owned.set(of, made);
    space.owners.push(made);
    return made;
  }

  private ownerOf(cell: Cell): Owner {
    return this.owners[this.cells.owner(cell)] as Owner;
  }
  private keyOf(cell: Cell, { space, place }: Owner): string {
    return space.keyOf(cell - place) as string;
  }

  /** What is there under a key now. */
  private stored({ space, place }: Owner, key: string): unknown {
    const block = space.find(key);
    return block === undefined ? undefined : this.cells.value(block + place);
  }

  private setFact(kind: FactKind, key: string, value: unknown): void {
    const owner = this.owner(kind);
    // One look for what is new: what is put has a block in any case.
    const block = value === undefined ? owner.space.find(key) : owner.space.get(key);
    if (block === undefined) return;
    const cell = block + owner.place;
    const before = this.cells.value(cell);
    if (equal(before, value)) return;
    this.cells.setValue(cell, value);
    this.touch(cell);
    if (before === undefined) {
      owner.live++;
      this.startRoots(cell, owner);
    } else if (value === undefined) {
      owner.live--;
      this.stopRoots(cell, owner);
      this.orphans.push(cell);
    }
  }

  /** Marks a source of the graph as changed, and everything that hangs on it as stale. */
  private touch(cell: Cell): void {
    this.cells.setChangedAt(cell, this.revision);
    this.cells.edges.forEachReader(cell, this.markStale);
  }

  private readonly markStale = (cell: Cell): void => {
    if (this.cells.is(cell, FLAG.stale)) return;
    this.cells.set(cell, FLAG.stale);
    const { kind, of } = this.ownerOf(cell);
    if (kind === 'root') (this.queues[(of as Root).stratum] as Cell[]).push(cell);
    this.cells.edges.forEachReader(cell, this.markStale);
  };

  private startRoots(source: Cell, { roots, place }: Owner): void {
    for (const root of roots) {
      const cell = source - place + root;
      if (!this.cells.is(cell, FLAG.live)) {
        this.cells.set(cell, FLAG.live);
        this.ownerOf(cell).live++;
      }
      this.markStale(cell);
    }
  }

  private stopRoots(source: Cell, { roots, place }: Owner): void {
    for (const root of roots) {
      const cell = source - place + root;
      if (this.cells.is(cell, FLAG.live)) this.markStale(cell);
    }
  }

  private refreshRoot(cell: Cell): void {
    if (!this.cells.is(cell, FLAG.stale)) return;
    const owner = this.ownerOf(cell);
    const before = (this.cells.value(cell) ?? NOTHING_GIVEN) as Given;
    const block = cell - owner.place;
    // What it runs over is a fact, or an index that has members.
    if (this.cells.value(block + owner.over) === undefined) {
      this.cells.edges.setInputs(cell, NO_INPUTS, 0, 0, this.orphan);
      this.cells.clear(cell, FLAG.stale | FLAG.live);
      this.cells.setVerifiedAt(cell, NEVER);
      owner.live--;
      this.publish(cell, before, undefined);
      return;
    }
    if (this.verified(cell)) return;
    this.publish(cell, before, this.compute(cell, owner) as RootOutput | undefined);
  }

  private publish(cell: Cell, before: Given, now: RootOutput | undefined): void {
    // Set before anyone hears of it: what is published next time is compared with this.
    this.cells.setValue(cell, this.replaceEntries(this.ownerOf(cell).of as Root, before, now?.entries ?? NO_ENTRIES));
    const had = this.cells.is(cell, FLAG.fragment);
    if (now?.fragment === undefined) this.cells.clear(cell, FLAG.fragment);
    else this.cells.set(cell, FLAG.fragment);
    if (now?.fragment !== undefined || had) this.onFragment(cell, now?.fragment);
  }

  private replaceEntries(root: Root, before: Given, entries: readonly Entry[]): Given | undefined {
    if (entries.length === 0 && before.length === 0) return undefined;
    const now: (Cell | string)[] = new Array(entries.length * 2);
    for (let i = 0; i < entries.length; i++) {
      const [index, key, member] = entries[i] as Entry;
      if (index.stratum !== root.stratum) throw new TypeError(`${root.name} may not fill ${index.name}`);
      const { space, place } = this.owner(index);
      now[2 * i] = space.get(key) + place;
      now[2 * i + 1] = member;
    }
    if (before.length === 0) {
      for (let i = 0; i < now.length; i += 2) this.addMember(now[i] as Cell, now[i + 1] as string);
      return now;
    }
    // Additions first: a member that leaves and comes back never goes away for its readers.
    const kept = new Map<string, number>();
    const id = (list: Given, i: number) => `${list[i]} ${list[i + 1]}`;
    for (let i = 0; i < before.length; i += 2) kept.set(id(before, i), (kept.get(id(before, i)) ?? 0) + 1);
    for (let i = 0; i < now.length; i += 2) {
      const n = kept.get(id(now, i)) ?? 0;
      if (n > 0) kept.set(id(now, i), n - 1);
      else this.addMember(now[i] as Cell, now[i + 1] as string);
    }
    for (let i = 0; i < before.length; i += 2) {
      const n = kept.get(id(before, i)) ?? 0;
      if (n === 0) continue;
      kept.set(id(before, i), n - 1);
      this.removeMember(before[i] as Cell, before[i + 1] as string);
    }
    return now.length === 0 ? undefined : now;
  }

  private addMember(cell: Cell, member: string): void {
    const { cells } = this;
    const value = cells.value(cell) as Stored;
    if (value === undefined) {
      const owner = this.ownerOf(cell);
      owner.live++;
      cells.setValue(cell, member);
      this.touch(cell);
      this.startRoots(cell, owner);
      return;
    }
    const members = typeof value === 'string' ? new Members(value) : value;
    cells.setValue(cell, members);
    if (members.add(member)) this.touch(cell);
  }

  private removeMember(cell: Cell, member: string): void {
    const value = this.cells.value(cell) as string | Members;
    if (typeof value === 'object' && !value.remove(member)) return;
    const gone = typeof value === 'string' || value.size === 0;
    if (gone) this.cells.setValue(cell, undefined);
    this.touch(cell);
    if (!gone) return;
    const owner = this.ownerOf(cell);
    owner.live--;
    this.stopRoots(cell, owner);
    this.orphans.push(cell);
  }

  private readonly context: Context = {
    fact: <K extends FactKind>(kind: K, key: string) => {
      const { space, place } = this.owner(kind);
      const cell = space.get(key) + place;
      this.reads[this.readCount++] = cell;
      return this.cells.value(cell) as FactKinds[K] | undefined;
    },
    read: <V>(memo: Memo<V>, key: string): V => {
      const cell = this.memoCell(memo, key);
      this.reads[this.readCount++] = cell;
      return this.cells.value(cell) as V;
    },
    members: (index, key) => {
      if (index.stratum >= this.stratum) throw new TypeError(`${index.name} is not complete yet where it is read`);
      const { space, place } = this.owner(index);
      const cell = space.get(key) + place;
      this.reads[this.readCount++] = cell;
      return membersOf(this.cells.value(cell));
    },
  };

  /** The up-to-date cell of a memo. */
  private memoCell<V>(memo: Memo<V>, key: string): Cell {
    const owner = this.owner(memo);
    const cell = owner.space.get(key) + owner.place;
    if (!this.cells.is(cell, FLAG.live)) {
      this.cells.set(cell, FLAG.live | FLAG.stale);
      owner.live++;
      // Nobody may come to depend on it (a reader from outside): collected then.
      this.orphans.push(cell);
    }
    this.refresh(cell, owner);
    return cell;
  }

  private refresh(cell: Cell, owner: Owner): void {
    if (this.cells.is(cell, FLAG.stale) && !this.verified(cell)) this.compute(cell, owner);
  }

  /** True if a stale cell is right as it is, because nothing that it read has changed. */
  private verified(cell: Cell): boolean {
    const { edges } = this.cells;
    const at = this.cells.verifiedAt(cell);
    if (at === NEVER) return false;
    const inputs = edges.inputCount(cell);
    for (let i = 0; i < inputs; i++) {
      const input = edges.inputAt(cell, i);
      if (this.cells.is(input, FLAG.stale)) this.refresh(input, this.ownerOf(input));
      if (this.cells.changedAt(input) > at) return false;
    }
    this.cells.clear(cell, FLAG.stale);
    this.cells.setVerifiedAt(cell, this.revision);
    return true;
  }

  /** Evaluates the step. The value of a memo is kept, that of a root is for the caller. */
  private compute(cell: Cell, owner: Owner): unknown {
    const step = owner.of as Memo<unknown> | Root;
    const from = this.readCount;
    const key = this.keyOf(cell, owner);
    // What a step reads first is mostly under its own key.
    owner.space.remember(key, cell - owner.place);
    const value = step.compute(key, this.context);
    owner.count++;
    const first = this.cells.verifiedAt(cell) === NEVER;
    this.takeInputs(cell, from);
    this.cells.clear(cell, FLAG.stale);
    this.cells.setVerifiedAt(cell, this.revision);
    if (step.kind === 'memo' && (first || !(step.same ?? equal)(this.cells.value(cell), value))) {
      this.cells.setValue(cell, value);
      this.cells.setChangedAt(cell, this.revision);
    }
    return value;
  }

  /** Makes what was read from some place on the inputs of the cell, each once. */
  private takeInputs(cell: Cell, from: number): void {
    const { reads, cells } = this;
    let to = from;
    for (let i = from; i < this.readCount; i++) {
      const read = reads[i] as Cell;
      if (cells.is(read, FLAG.seen)) continue;
      cells.set(read, FLAG.seen);
      reads[to++] = read;
    }
    for (let i = from; i < to; i++) cells.clear(reads[i] as Cell, FLAG.seen);
    cells.edges.setInputs(cell, reads, from, to, this.orphan);
    this.readCount = from;
  }

  private readonly orphan = (cell: Cell): void => {
    this.orphans.push(cell);
  };

  /** Forgets values that nobody reads, facts that do not exist and empty sets. */
  private collect(): void {
    const { cells, orphans } = this;
    for (let i = 0; i < orphans.length; i++) {
      const cell = orphans[i] as Cell;
      const owner = this.ownerOf(cell);
      const block = cell - owner.place;
      if (cells.edges.isRead(cell) || owner.space.keyOf(block) === undefined) continue;
      if (owner.kind === 'memo') {
        if (!cells.is(cell, FLAG.live)) continue;
        cells.clear(cell, FLAG.live | FLAG.stale);
        owner.live--;
        cells.setVerifiedAt(cell, NEVER);
        cells.setValue(cell, undefined);
        cells.edges.setInputs(cell, NO_INPUTS, 0, 0, this.orphan);
      } else if (cells.value(cell) !== undefined) continue;
      owner.space.release(block);
    }
    orphans.length = 0;
  }
}
