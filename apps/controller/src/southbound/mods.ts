import { COOKIE_OWNER_MASK, type Flow, type Group } from '@heddle/compiler';
import {
  type FlowLike,
  type FlowMod,
  flowBody,
  flowKey,
  flowMod,
  type GroupDesc,
  type GroupMod,
  groupMod,
  normalizeActions,
  PORT,
  type Version,
} from 'openflow-ts';

/** How our groups choose a bucket: by the datapath's own hash, so that the choice is made in the fast path. */
const SELECTION_METHOD = 'dp_hash';

/** Makes a value for a flow or group once: what is equal on many switches is then compared and encoded once for all. */
function once<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

/** The message that brings a flow; one that is there with the same table, priority and match is replaced. */
export const addFlow = once(
  ({ tableId, priority, cookie, match, instructions }: Flow): FlowMod =>
    flowMod({ command: 'add', tableId, priority, cookie, match, instructions }),
);

/** Removes exactly this flow, and only if it still carries our cookie. */
export const deleteFlow = once(
  ({ tableId, priority, match, cookie }: Pick<FlowLike, 'tableId' | 'priority' | 'match' | 'cookie'>): FlowMod =>
    flowMod({ command: 'delete_strict', tableId, priority, match, cookie, cookieMask: COOKIE_OWNER_MASK }),
);

/** Adds or modifies a group. The selection method can be said in 1.5 only; before it, Open vSwitch uses dp_hash by itself. */
export const putGroup = (group: Group, command: 'add' | 'modify', version: Version): GroupMod =>
  groupPuts[command][version === 'OF1.5' ? 'said' : 'unsaid'](group);

const putter = (command: 'add' | 'modify', method: { readonly selectionMethod?: string }) =>
  once((group: Group) => groupMod({ command, type: 'select', groupId: group.id, buckets: group.buckets, ...method }));
const putters = (command: 'add' | 'modify') => ({
  said: putter(command, { selectionMethod: SELECTION_METHOD }),
  unsaid: putter(command, {}),
});
const groupPuts = { add: putters('add'), modify: putters('modify') } as const;

/** Flows that use the group go with it, so this comes after all flow mods. */
export const deleteGroup = (groupId: number): GroupMod => groupMod({ command: 'delete', type: 'all', groupId });

/** A compiled flow as a switch would report it. */
const asReported = (flow: Flow): FlowLike => ({ ...flow, idleTimeout: 0, hardTimeout: 0, flags: 0 });

/** Place of a compiled flow in a switch: equal to `flowKey` of the flow read back. */
export const placeOf = once((flow: Flow): string => flowKey(flow));

/** Everything else of a compiled flow: equal to `flowBody` of the flow read back. */
const bodyOf = once((flow: Flow): string => flowBody(asReported(flow)));

/** Whether values are equal as they stand, member by member. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((x, i) => isEqual(x, b[i]));
  let members = 0;
  for (const key in a) {
    members++;
    if (!isEqual(a[key as never], b[key as never])) return false;
  }
  for (const _ in b) members--;
  return members === 0;
}

/**
 * Whether the flow read back from a wanted flow's place does what is wanted. Most come back just as they were sent;
 * the normal form, which costs many times as much, is made for the others only.
 */
export function isAsWanted(have: FlowLike, want: Flow): boolean {
  const plain = have.flags === 0 && have.idleTimeout === 0 && have.hardTimeout === 0 && have.cookie === want.cookie;
  return (plain && isEqual(have.instructions, want.instructions)) || flowBody(have) === bodyOf(want);
}

/** Whether two compiled flows of one place do the same. */
export const isSameFlow = (a: Flow, b: Flow): boolean =>
  (a.cookie === b.cookie && isEqual(a.instructions, b.instructions)) || bodyOf(a) === bodyOf(b);

const text = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => {
    if (typeof v === 'bigint') return `${v}n`;
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return v;
    return Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

const port = (value: number | undefined): number => value ?? PORT.ANY;

/** A group in one form, to compare what is wanted with what was read back in the same version. */
export function groupBody(group: Omit<GroupDesc, 'groupId'>, version: Version): string {
  const is15 = version === 'OF1.5';
  return text([
    group.type,
    is15 ? (group.selectionMethod ?? '') : '',
    // Before 1.5 a bucket has no id of its own.
    group.buckets.map((b, i) => [
      is15 ? (b.bucketId ?? i) : i,
      group.type === 'select' ? (b.weight ?? 1) : 0,
      port(b.watchPort),
      port(b.watchGroup),
      normalizeActions(b.actions),
    ]),
  ]);
}

/** A compiled group as `groupBody` gives it. */
export const groupBodyOf = (group: Group, version: Version): string =>
  version === 'OF1.5' ? body15(group) : bodyBefore15(group);

const bodyIn = (version: Version) =>
  once((group: Group) =>
    groupBody({ type: 'select', selectionMethod: SELECTION_METHOD, buckets: group.buckets }, version),
  );
const body15 = bodyIn('OF1.5');
// What is compared of a group is the same in all versions before.
const bodyBefore15 = bodyIn('OF1.4');
