import type { Flow, Group } from '@heddle/compiler';
import { type FlowStats, flowKey, type GroupDesc, type Mod, type Version } from 'openflow-ts';
import {
  addFlow,
  deleteFlow,
  deleteGroup,
  groupBody,
  groupBodyOf,
  isAsWanted,
  isSameFlow,
  placeOf,
  putGroup,
} from './mods.js';

/** Flows by the compiler's key and groups by id. */
export interface Content {
  readonly flows: ReadonlyMap<string, Flow>;
  readonly groups: ReadonlyMap<number, Group>;
}

/** What is ours on a switch, as it was read back. */
export interface Actual {
  readonly flows: readonly FlowStats[];
  readonly groups: readonly GroupDesc[];
}

/** How one flow or group on a switch departs from what is wanted. */
export interface Difference {
  readonly kind: 'missing' | 'changed' | 'extra';
  readonly object: 'flow' | 'group';
  /** Place of the flow in the switch, or the group's id. */
  readonly key: string;
  readonly wanted: Flow | Group | undefined;
  readonly found: FlowStats | GroupDesc | undefined;
  readonly mod: Mod;
}

/** Groups go first because flows need them, deletes last because until then something may need what they take. */
const RANK = { group_put: 0, flow_put: 1, flow_delete: 2, group_delete: 3 } as const;

function rank(mod: Mod): number {
  if (mod.kind === 'group_mod') return mod.command === 'delete' ? RANK.group_delete : RANK.group_put;
  return mod.command === 'delete_strict' ? RANK.flow_delete : RANK.flow_put;
}

/** The order in which mods can go into one bundle. */
export const inOrder = (mods: readonly Mod[]): Mod[] =>
  // sort is stable, so mods of one rank keep their order.
  [...mods].sort((a, b) => rank(a) - rank(b));

/** What a compiled change needs, given what the switch is known to have. */
export function planDelta(
  wanted: Content,
  installed: Content,
  dirty: { readonly flows: ReadonlySet<string>; readonly groups: ReadonlySet<number> },
  version: Version,
): Mod[] {
  const mods: Mod[] = [];
  for (const id of dirty.groups) {
    const [want, have] = [wanted.groups.get(id), installed.groups.get(id)];
    if (want === have) continue;
    if (want === undefined) mods.push(deleteGroup(id));
    else if (have === undefined) mods.push(putGroup(want, 'add', version));
    else if (groupBodyOf(want, version) !== groupBodyOf(have, version)) mods.push(putGroup(want, 'modify', version));
  }
  for (const key of dirty.flows) {
    const [want, have] = [wanted.flows.get(key), installed.flows.get(key)];
    if (want === have) continue;
    if (want === undefined) {
      if (have !== undefined) mods.push(deleteFlow(have));
    } else if (have === undefined || !isSameFlow(want, have)) mods.push(addFlow(want));
  }
  return inOrder(mods);
}

function* groupDifferences(wanted: Content, groups: readonly GroupDesc[], version: Version): Generator<Difference> {
  const found = new Map(groups.map((g) => [g.groupId, g]));
  for (const want of wanted.groups.values()) {
    const have = found.get(want.id);
    found.delete(want.id);
    const common = { object: 'group', key: String(want.id), wanted: want, found: have } as const;
    if (have === undefined) yield { ...common, kind: 'missing', mod: putGroup(want, 'add', version) };
    else if (groupBody(have, version) !== groupBodyOf(want, version))
      yield { ...common, kind: 'changed', mod: putGroup(want, 'modify', version) };
  }
  for (const have of found.values()) {
    const key = String(have.groupId);
    yield { kind: 'extra', object: 'group', key, wanted: undefined, found: have, mod: deleteGroup(have.groupId) };
  }
}

/** One step of comparing a large table; the caller lets other work in between steps. */
const PER_STEP = 500;

/**
 * Everything in which a switch departs from what is wanted. Yields nothing but `undefined` between steps, so that a
 * caller can compare a hundred thousand flows without holding up the process.
 */
export function* differences(
  wanted: Content,
  actual: Actual,
  version: Version,
): Generator<Difference | undefined, void, void> {
  yield* groupDifferences(wanted, actual.groups, version);
  const found = new Map<string, FlowStats>();
  let n = 0;
  for (const flow of actual.flows) {
    found.set(flowKey(flow), flow);
    if (++n % PER_STEP === 0) yield undefined;
  }
  for (const want of wanted.flows.values()) {
    const key = placeOf(want);
    const have = found.get(key);
    found.delete(key);
    const common = { object: 'flow', key, wanted: want, found: have } as const;
    if (have === undefined) yield { ...common, kind: 'missing', mod: addFlow(want) };
    else if (!isAsWanted(have, want)) yield { ...common, kind: 'changed', mod: addFlow(want) };
    if (++n % PER_STEP === 0) yield undefined;
  }
  for (const [key, have] of found)
    yield { kind: 'extra', object: 'flow', key, wanted: undefined, found: have, mod: deleteFlow(have) };
}
