import type { Flow, Group, NodeDelta, NodeFlowSet } from '@heddle/compiler';
import type { Content } from './plan.js';

/** What a switch is known to have: changes only when the switch has acknowledged something. */
export class Installed implements Content {
  flows = new Map<string, Flow>();
  groups = new Map<number, Group>();

  /** After a read-back and its bundle. */
  reset(content: Content): void {
    this.flows = new Map(content.flows);
    this.groups = new Map(content.groups);
  }

  /** After a bundle that brought these keys to what `content` says. */
  take(content: Content, keys: { readonly flows: Iterable<string>; readonly groups: Iterable<number> }): void {
    for (const key of keys.flows) put(this.flows, key, content.flows.get(key));
    for (const id of keys.groups) put(this.groups, id, content.groups.get(id));
  }
}

function put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/** Flows that a switch cannot have; undefined: it can have all. */
export type Without = ((flow: Flow) => boolean) | undefined;

/** The flow set as it is now; it does not change any more. */
export const frozen = (set: NodeFlowSet, without: Without): Content => ({
  flows: without === undefined ? new Map(set.flows) : new Map([...set.flows].filter(([, flow]) => !without(flow))),
  groups: new Map(set.groups),
});

/** The part of the flow set that these keys name, as it is now. */
export function frozenPart(set: NodeFlowSet, keys: Dirty, without: Without): Content {
  const flows = new Map<string, Flow>();
  for (const key of keys.flows) {
    const flow = set.flows.get(key);
    put(flows, key, flow !== undefined && without?.(flow) ? undefined : flow);
  }
  const groups = new Map<number, Group>();
  for (const id of keys.groups) put(groups, id, set.groups.get(id));
  return { flows, groups };
}

/** Keys whose flow or group may differ from what the switch has. Bounded by the number of keys, however slow the switch. */
export class Dirty {
  readonly flows = new Set<string>();
  readonly groups = new Set<number>();

  get size(): number {
    return this.flows.size + this.groups.size;
  }

  add(delta: NodeDelta): void {
    for (const key of delta.flows) this.flows.add(key);
    for (const id of delta.groups) this.groups.add(id);
  }
}
