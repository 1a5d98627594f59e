import { equal } from '../engine/equal.js';
import type { Flow, Group, NodeDelta, NodeFlowSet } from '../model/output.js';
import { insertInOrder } from './merge.js';

/** What a switch would not notice is no difference: provenance is ours alone. */
const sameOnSwitch = (a: Flow, b: Flow): boolean =>
  a === b || (a.cookie === b.cookie && equal(a.instructions, b.instructions));

export type Merge = (flows: readonly Flow[]) => Flow;

/** Flows of one node out of all that features put there, and what changed since the last look. */
export class NodeTables implements NodeFlowSet {
  readonly flows = new Map<string, Flow>();
  readonly groups = new Map<number, Group>();
  /** Flows that ask for the same place, where there are several, in the order of `insertInOrder`. Elsewhere `flows` holds the one. */
  private readonly rivals = new Map<string, Flow[]>();
  private readonly touched = new Map<string, Flow | undefined>();
  private readonly touchedGroups = new Map<number, Group | undefined>();

  add(flow: Flow): void {
    const { key } = flow;
    const one = this.flows.get(key);
    this.touch(key, one);
    const list = this.rivals.get(key);
    if (list !== undefined) insertInOrder(list, flow);
    else if (one === undefined) this.flows.set(key, flow);
    else {
      const both = [one];
      insertInOrder(both, flow);
      this.rivals.set(key, both);
    }
  }

  remove(flow: Flow): void {
    const { key } = flow;
    const one = this.flows.get(key);
    this.touch(key, one);
    const list = this.rivals.get(key);
    if (list === undefined) {
      if (one === flow) this.flows.delete(key);
      return;
    }
    const at = list.indexOf(flow);
    if (at >= 0) list.splice(at, 1);
    if (list.length > 1) return;
    this.rivals.delete(key);
    this.flows.set(key, list[0] as Flow);
  }

  addGroup(group: Group): void {
    this.touchGroup(group.id);
    this.groups.set(group.id, group);
  }

  removeGroup(group: Group): void {
    this.touchGroup(group.id);
    if (this.groups.get(group.id) === group) this.groups.delete(group.id);
  }

  /** What is different for a switch; undefined if nothing is. */
  flush(merge: Merge): NodeDelta | undefined {
    const flows = new Set<string>();
    const groups = new Set<number>();
    for (const [key, before] of this.touched) {
      const list = this.rivals.get(key);
      if (list !== undefined) this.flows.set(key, merge(list));
      const now = this.flows.get(key);
      if (now === before || (now !== undefined && before !== undefined && sameOnSwitch(before, now))) continue;
      flows.add(key);
    }
    for (const [id, before] of this.touchedGroups)
      if (!equal(before?.buckets, this.groups.get(id)?.buckets)) groups.add(id);
    this.touched.clear();
    this.touchedGroups.clear();
    return flows.size === 0 && groups.size === 0 ? undefined : { flows, groups };
  }

  /** All keys that a switch may have: what is there and what went since the last look. */
  everything(): NodeDelta {
    return {
      flows: new Set([...this.flows.keys(), ...this.touched.keys()]),
      groups: new Set([...this.groups.keys(), ...this.touchedGroups.keys()]),
    };
  }

  get pending(): boolean {
    return this.touched.size > 0 || this.touchedGroups.size > 0;
  }

  private touch(key: string, before: Flow | undefined): void {
    if (!this.touched.has(key)) this.touched.set(key, before);
  }

  private touchGroup(id: number): void {
    if (!this.touchedGroups.has(id)) this.touchedGroups.set(id, this.groups.get(id));
  }
}
