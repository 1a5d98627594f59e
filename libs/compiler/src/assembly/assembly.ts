import { equal, sameElements } from '../engine/equal.js';
import type { FragmentOwner } from '../engine/graph.js';
import type { NodeName } from '../model/brands.js';
import type { Fragment, Part, Placement } from '../model/fragment.js';
import type { Flow, Group, NodeDelta } from '../model/output.js';
import { type Merge, NodeTables } from './node-tables.js';

/** A part where it belongs. Its flows are made when a node that was asked for is to have them. */
interface Placed {
  readonly part: Part;
  readonly placement: Placement;
  made: Made | undefined;
}
interface Made {
  readonly flows: readonly Flow[];
  readonly groups: readonly Group[];
}

const NOTHING: readonly never[] = [];
const EMPTY: Made = { flows: NOTHING, groups: NOTHING };

function samePlacement(a: Placement, b: Placement): boolean {
  if (a.kind === 'nodes') return b.kind === 'nodes' && sameElements(a.nodes, b.nodes);
  return a.kind === b.kind && (a.kind === 'all' || a.node === (b as typeof a).node);
}

const sameFlow = (a: Flow, b: Flow): boolean =>
  a.cookie === b.cookie && equal(a.instructions, b.instructions) && equal(a.provenance, b.provenance);

/** Elements of the one list that the other has not, by reference. */
function difference<T>(list: readonly T[], other: readonly T[]): readonly T[] {
  if (list === other || list.length === 0) return NOTHING;
  if (other.length === 0) return list;
  const have = new Set(other);
  return list.filter((x) => !have.has(x));
}

/**
 * Puts fragments where they belong. Flows exist once, however many nodes have them, and a node's tables are there from the
 * first time that somebody asks for them: flows that nobody has asked for are not even made.
 */
export class Assembly {
  private readonly known = new Set<NodeName>();
  /** Nodes that somebody has asked for; they have tables while they are known. */
  private readonly asked = new Set<NodeName>();
  private readonly tables = new Map<NodeName, NodeTables>();
  private readonly placed = new Map<FragmentOwner, readonly Placed[]>();
  /** Owners of fragments that are on (nearly) every node, and on some node only. */
  private readonly everywhere = new Set<FragmentOwner>();
  private readonly somewhere = new Map<NodeName, Set<FragmentOwner>>();
  /** What left the nodes that are gone. */
  private readonly removed = new Map<NodeName, NodeDelta>();

  constructor(private readonly merge: Merge) {}

  node(name: NodeName): NodeTables | undefined {
    if (!this.asked.has(name)) {
      this.asked.add(name);
      if (this.known.has(name)) this.build(name).flush(this.merge);
    }
    return this.tables.get(name);
  }

  names(): readonly NodeName[] {
    return [...this.known];
  }

  flowCount(): number {
    let n = 0;
    for (const tables of this.tables.values()) n += tables.flows.size;
    return n;
  }

  /** Fragments come and go before nodes do: a node that is not there yet gets all at once when it comes. */
  addNode(name: NodeName): void {
    if (this.known.has(name)) return;
    this.known.add(name);
    if (this.asked.has(name)) this.build(name);
  }

  removeNode(name: NodeName): void {
    this.known.delete(name);
    const tables = this.tables.get(name);
    if (tables === undefined) return;
    this.tables.delete(name);
    this.removed.set(name, tables.everything());
  }

  /** @param owner stands for the fragment: the same number each time */
  update(owner: FragmentOwner, fragment: Fragment | undefined): void {
    const before = this.placed.get(owner) ?? NOTHING;
    const now = (fragment ?? NOTHING).map(({ part, placement }): Placed => ({ part, placement, made: undefined }));
    if (this.tables.size > 0)
      for (let i = 0; i < Math.max(before.length, now.length); i++) this.replace(before, before[i], now[i]);
    if (now.length === 0) this.placed.delete(owner);
    else this.placed.set(owner, now);
    this.locate(owner, before, now);
  }

  /** What changed since the last call on each node that was asked for. */
  flush(): Map<NodeName, NodeDelta> {
    const out = new Map(this.removed);
    this.removed.clear();
    const merge = shared(this.merge);
    for (const [name, tables] of this.tables) {
      if (!tables.pending) continue;
      const delta = tables.flush(merge);
      if (delta !== undefined) out.set(name, delta);
    }
    return out;
  }

  private build(name: NodeName): NodeTables {
    const tables = new NodeTables();
    this.tables.set(name, tables);
    for (const owners of [this.everywhere, this.somewhere.get(name) ?? NOTHING])
      for (const owner of owners)
        for (const p of this.placed.get(owner) ?? NOTHING) if (isOn(p.placement, name)) addTo(tables, make(p, NOTHING));
    return tables;
  }

  private replace(siblings: readonly Placed[], before: Placed | undefined, now: Placed | undefined): void {
    const next = now === undefined ? NOTHING : [...this.on(now.placement)];
    const stays = before !== undefined && now !== undefined && samePlacement(before.placement, now.placement);
    const old = before === undefined ? NOTHING : stays ? next : [...this.on(before.placement)];
    if (old.length === 0 && next.length === 0) return;
    // Without a node that has them there are no flows to compare with.
    const had = before?.made ?? EMPTY;
    const has = now === undefined || next.length === 0 ? EMPTY : make(now, siblings);
    const added = { flows: difference(has.flows, had.flows), groups: difference(has.groups, had.groups) };
    const gone = { flows: difference(had.flows, has.flows), groups: difference(had.groups, has.groups) };
    if (stays) {
      for (const tables of next) change(tables, added, gone);
      return;
    }
    const [wasOn, isOnNow] = [new Set(old), new Set(next)];
    for (const tables of old) if (!isOnNow.has(tables)) change(tables, EMPTY, had);
    for (const tables of next) change(tables, wasOn.has(tables) ? added : has, wasOn.has(tables) ? gone : EMPTY);
  }

  private *on(placement: Placement): Iterable<NodeTables> {
    if (placement.kind === 'nodes') {
      for (const name of placement.nodes) {
        const tables = this.tables.get(name);
        if (tables !== undefined) yield tables;
      }
      return;
    }
    for (const [name, tables] of this.tables) if (placement.kind === 'all' || placement.node !== name) yield tables;
  }

  /** Keeps track of which fragments a new node would get. */
  private locate(owner: FragmentOwner, before: readonly Placed[], now: readonly Placed[]): void {
    if (now.some(isWide)) this.everywhere.add(owner);
    else if (before.some(isWide)) this.everywhere.delete(owner);
    if (before.length === 0) {
      for (const { placement } of now) if (placement.kind === 'nodes') this.settle(owner, placement.nodes);
      return;
    }
    if (
      before.length === now.length &&
      before.every((p, i) => samePlacement(p.placement, (now[i] as Placed).placement))
    )
      return;
    const [old, next] = [nodesOf(before), nodesOf(now)];
    for (const name of old) if (!next.has(name)) this.somewhere.get(name)?.delete(owner);
    this.settle(owner, next);
    for (const name of old) if (this.somewhere.get(name)?.size === 0) this.somewhere.delete(name);
  }

  private settle(owner: FragmentOwner, nodes: Iterable<NodeName>): void {
    for (const name of nodes) {
      const owners = this.somewhere.get(name);
      if (owners === undefined) this.somewhere.set(name, new Set([owner]));
      else owners.add(owner);
    }
  }
}

const isWide = ({ placement }: Placed): boolean => placement.kind !== 'nodes';

const NO_NODES: ReadonlySet<NodeName> = new Set();

function nodesOf(list: readonly Placed[]): ReadonlySet<NodeName> {
  if (list.length === 0) return NO_NODES;
  return new Set(list.flatMap((p) => (p.placement.kind === 'nodes' ? p.placement.nodes : NOTHING)));
}

function addTo(tables: NodeTables, made: Made): void {
  for (const flow of made.flows) tables.add(flow);
  for (const group of made.groups) tables.addGroup(group);
}

function change(tables: NodeTables, add: Made, remove: Made): void {
  for (const flow of remove.flows) tables.remove(flow);
  for (const group of remove.groups) tables.removeGroup(group);
  addTo(tables, add);
}

function isOn(placement: Placement, name: NodeName): boolean {
  if (placement.kind === 'all') return true;
  return placement.kind === 'except' ? placement.node !== name : placement.nodes.includes(name);
}

/** The flows of a part; the old flow objects where they say the same: then only what is different is touched on the nodes. */
function make(placed: Placed, before: readonly Placed[]): Made {
  if (placed.made !== undefined) return placed.made;
  const { flows, groups = NOTHING } = placed.part;
  const known = new Map<string, Flow[]>();
  const knownGroups = new Map<number, Group>();
  for (const { made } of before) {
    for (const flow of made?.flows ?? NOTHING) {
      const list = known.get(flow.key);
      if (list === undefined) known.set(flow.key, [flow]);
      else list.push(flow);
    }
    for (const group of made?.groups ?? NOTHING) knownGroups.set(group.id, group);
  }
  placed.made = {
    flows: known.size === 0 ? flows : flows.map((f) => known.get(f.key)?.find((o) => sameFlow(o, f)) ?? f),
    groups: groups.map((g) => {
      const old = knownGroups.get(g.id);
      return old !== undefined && equal(old, g) ? old : g;
    }),
  };
  return placed.made;
}

/** Nodes on which the same flows meet share the outcome. */
function shared(merge: Merge): Merge {
  const done = new Map<string, { readonly from: readonly Flow[]; readonly flow: Flow }[]>();
  return (flows) => {
    const { key } = flows[0] as Flow;
    const known = done.get(key) ?? [];
    const found = known.find((k) => sameElements(k.from, flows));
    if (found !== undefined) return found.flow;
    const flow = merge(flows);
    done.set(key, [...known, { from: [...flows], flow }]);
    return flow;
  };
}
