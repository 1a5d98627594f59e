import { equal, sameElements } from '../engine/equal.js';
import type { NodeName } from '../model/brands.js';
import type { Fragment, Placement } from '../model/fragment.js';
import type { Flow, Group, NodeDelta } from '../model/output.js';
import { type Merge, NodeTables } from './node-tables.js';

interface Placed {
  readonly flows: readonly Flow[];
  readonly groups: readonly Group[];
  readonly placement: Placement;
}

const NOTHING: readonly never[] = [];

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

/** Puts fragments where they belong. Flows exist once, however many nodes have them. */
export class Assembly {
  private readonly nodes = new Map<NodeName, NodeTables>();
  private readonly placed = new Map<string, readonly Placed[]>();
  /** Owners of fragments that are on (nearly) every node, and on some node only. */
  private readonly everywhere = new Set<string>();
  private readonly somewhere = new Map<NodeName, Set<string>>();
  /** What left the nodes that are gone. */
  private readonly removed = new Map<NodeName, NodeDelta>();

  node(name: NodeName): NodeTables | undefined {
    return this.nodes.get(name);
  }

  names(): readonly NodeName[] {
    return [...this.nodes.keys()];
  }

  /** Fragments come and go before nodes do: a node that is not there yet gets all at once when it comes. */
  addNode(name: NodeName): void {
    if (this.nodes.has(name)) return;
    const tables = new NodeTables();
    this.nodes.set(name, tables);
    for (const owners of [this.everywhere, this.somewhere.get(name) ?? NOTHING])
      for (const owner of owners)
        for (const p of this.placed.get(owner) ?? NOTHING)
          if (isOn(p.placement, name)) {
            for (const flow of p.flows) tables.add(flow);
            for (const group of p.groups) tables.addGroup(group);
          }
  }

  removeNode(name: NodeName): void {
    const tables = this.nodes.get(name);
    if (tables === undefined) return;
    this.nodes.delete(name);
    this.removed.set(name, tables.everything());
  }

  update(owner: string, fragment: Fragment | undefined): void {
    const before = this.placed.get(owner) ?? NOTHING;
    const now = intern(before, fragment ?? NOTHING);
    for (let i = 0; i < Math.max(before.length, now.length); i++) this.replace(before[i], now[i]);
    if (now.length === 0) this.placed.delete(owner);
    else this.placed.set(owner, now);
    this.locate(owner, before, now);
  }

  /** What changed on each node since the last call. */
  flush(merge: Merge): Map<NodeName, NodeDelta> {
    const out = new Map(this.removed);
    this.removed.clear();
    for (const [name, tables] of this.nodes) {
      if (!tables.pending) continue;
      const delta = tables.flush(merge);
      if (delta !== undefined) out.set(name, delta);
    }
    return out;
  }

  private replace(before: Placed | undefined, now: Placed | undefined): void {
    const change = (
      tables: NodeTables,
      add: Pick<Placed, 'flows' | 'groups'> | undefined,
      remove: Pick<Placed, 'flows' | 'groups'> | undefined,
    ) => {
      for (const flow of remove?.flows ?? NOTHING) tables.remove(flow);
      for (const group of remove?.groups ?? NOTHING) tables.removeGroup(group);
      for (const flow of add?.flows ?? NOTHING) tables.add(flow);
      for (const group of add?.groups ?? NOTHING) tables.addGroup(group);
    };
    if (before === undefined || now === undefined) {
      const one = before ?? now;
      if (one === undefined) return;
      for (const tables of this.on(one.placement)) change(tables, now, before);
      return;
    }
    const added = { flows: difference(now.flows, before.flows), groups: difference(now.groups, before.groups) };
    const gone = { flows: difference(before.flows, now.flows), groups: difference(before.groups, now.groups) };
    const stays = samePlacement(before.placement, now.placement);
    if (stays && added.flows.length + added.groups.length + gone.flows.length + gone.groups.length === 0) return;
    if (stays) {
      for (const tables of this.on(now.placement)) change(tables, added, gone);
      return;
    }
    const [old, next] = [new Set(this.on(before.placement)), new Set(this.on(now.placement))];
    for (const tables of old) if (!next.has(tables)) change(tables, undefined, before);
    for (const tables of next) change(tables, old.has(tables) ? added : now, old.has(tables) ? gone : undefined);
  }

  private *on(placement: Placement): Iterable<NodeTables> {
    if (placement.kind === 'nodes') {
      for (const name of placement.nodes) {
        const tables = this.nodes.get(name);
        if (tables !== undefined) yield tables;
      }
      return;
    }
    for (const [name, tables] of this.nodes) if (placement.kind === 'all' || placement.node !== name) yield tables;
  }

  /** Keeps track of which fragments a new node would get. */
  private locate(owner: string, before: readonly Placed[], now: readonly Placed[]): void {
    const nodesOf = (list: readonly Placed[]) =>
      new Set(list.flatMap((p) => (p.placement.kind === 'nodes' ? p.placement.nodes : [])));
    if (now.some((p) => p.placement.kind !== 'nodes')) this.everywhere.add(owner);
    else this.everywhere.delete(owner);
    if (
      before.length === now.length &&
      before.every((p, i) => samePlacement(p.placement, (now[i] as Placed).placement))
    )
      return;
    const [old, next] = [nodesOf(before), nodesOf(now)];
    for (const name of old) if (!next.has(name)) this.somewhere.get(name)?.delete(owner);
    for (const name of next) {
      const owners = this.somewhere.get(name);
      if (owners === undefined) this.somewhere.set(name, new Set([owner]));
      else owners.add(owner);
    }
    for (const name of old) if (this.somewhere.get(name)?.size === 0) this.somewhere.delete(name);
  }
}

function isOn(placement: Placement, name: NodeName): boolean {
  if (placement.kind === 'all') return true;
  return placement.kind === 'except' ? placement.node !== name : placement.nodes.includes(name);
}

/** Keeps the old flow objects where the new ones say the same: then only what is different is touched on the nodes. */
function intern(before: readonly Placed[], fragment: Fragment): readonly Placed[] {
  const known = new Map<string, Flow[]>();
  const knownGroups = new Map<number, Group>();
  for (const p of before) {
    for (const flow of p.flows) {
      const list = known.get(flow.key);
      if (list === undefined) known.set(flow.key, [flow]);
      else list.push(flow);
    }
    for (const group of p.groups) knownGroups.set(group.id, group);
  }
  return fragment.map(({ part, placement }) => ({
    flows: before.length === 0 ? part.flows : part.flows.map((f) => known.get(f.key)?.find((o) => sameFlow(o, f)) ?? f),
    groups: (part.groups ?? NOTHING).map((g) => {
      const old = knownGroups.get(g.id);
      return old !== undefined && equal(old, g) ? old : g;
    }),
    placement,
  }));
}
