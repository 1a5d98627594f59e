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

const additions = new WeakMap<Flow, FlowMod>();

/**
 * The message that brings a flow; one that is there with the same table, priority and match is replaced.
 * The same flow gives the same object, which a session encodes once for all switches.
 */
export function addFlow(flow: Flow): FlowMod {
  const known = additions.get(flow);
  if (known !== undefined) return known;
  const { tableId, priority, cookie, match, instructions } = flow;
  const mod = flowMod({ command: 'add', tableId, priority, cookie, match, instructions });
  additions.set(flow, mod);
  return mod;
}

/** Removes exactly this flow, and only if it still carries our cookie. */
export function deleteFlow({
  tableId,
  priority,
  match,
  cookie,
}: Pick<FlowLike, 'tableId' | 'priority' | 'match' | 'cookie'>) {
  return flowMod({ command: 'delete_strict', tableId, priority, match, cookie, cookieMask: COOKIE_OWNER_MASK });
}

/** Adds or modifies a group. The selection method can be said in 1.5 only; before it, Open vSwitch uses dp_hash by itself. */
export function putGroup(group: Group, command: 'add' | 'modify', version: Version): GroupMod {
  const method = version === 'OF1.5' ? { selectionMethod: SELECTION_METHOD } : {};
  return groupMod({ command, type: 'select', groupId: group.id, buckets: group.buckets, ...method });
}

/** Flows that use the group go with it, so this comes after all flow mods. */
export const deleteGroup = (groupId: number): GroupMod => groupMod({ command: 'delete', type: 'all', groupId });

/** A compiled flow as a switch would report it. */
const asReported = (flow: Flow): FlowLike => ({ ...flow, idleTimeout: 0, hardTimeout: 0, flags: 0 });

const keys = new WeakMap<Flow, string>();
const bodies = new WeakMap<Flow, string>();

/** Place of a compiled flow in a switch: equal to `flowKey` of the flow read back. */
export function placeOf(flow: Flow): string {
  const known = keys.get(flow);
  if (known !== undefined) return known;
  const key = flowKey(flow);
  keys.set(flow, key);
  return key;
}

/** Everything else of a compiled flow: equal to `flowBody` of the flow read back. */
function bodyOf(flow: Flow): string {
  const known = bodies.get(flow);
  if (known !== undefined) return known;
  const body = flowBody(asReported(flow));
  bodies.set(flow, body);
  return body;
}

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
  groupBody({ type: 'select', selectionMethod: SELECTION_METHOD, buckets: group.buckets }, version);
