import { badRequest, StatusError } from './errors.ts';
import { isObject, type Json, sameJson } from './types.ts';

/** RFC 7396. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

const rejected = (message: string) => new StatusError(422, 'Invalid', message);
const REJECTED = 'the server rejected our request due to an error in our request';

interface Place {
  // biome-ignore lint/suspicious/noExplicitAny: an object or an array
  readonly parent: any;
  readonly key: string;
}

function place(document: Json, pointer: string): Place {
  const parts = pointer
    .split('/')
    .slice(1)
    .map((p) => p.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = parts.pop();
  if (key === undefined || !pointer.startsWith('/')) throw rejected(REJECTED);
  let parent = document;
  for (const part of parts) {
    parent = typeof parent === 'object' && parent !== null ? parent[part] : undefined;
    if (typeof parent !== 'object' || parent === null) throw rejected(REJECTED);
  }
  return { parent, key };
}

function read(document: Json, pointer: string): Json {
  if (pointer === '') return document;
  const { parent, key } = place(document, pointer);
  return parent[key];
}

function indexOf(list: readonly Json[], key: string, end: number): number {
  const index = key === '-' ? list.length : Number(key);
  if (!Number.isInteger(index) || index < 0 || index > end) throw rejected(REJECTED);
  return index;
}

function add(document: Json, pointer: string, value: Json): void {
  const { parent, key } = place(document, pointer);
  if (Array.isArray(parent)) parent.splice(indexOf(parent, key, parent.length), 0, value);
  else parent[key] = value;
}

function remove(document: Json, pointer: string): void {
  const { parent, key } = place(document, pointer);
  if (Array.isArray(parent)) parent.splice(indexOf(parent, key, parent.length - 1), 1);
  else if (key in parent) delete parent[key];
  else throw rejected(REJECTED);
}

/** RFC 6902. A failed test or a path that is not there is 422, as the real server has it. */
export function jsonPatch(target: Json, operations: Json): Json {
  if (!Array.isArray(operations))
    throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  const document = structuredClone(target);
  for (const operation of operations) {
    const { op, path, from, value } = operation as { op: string; path: string; from?: string; value?: Json };
    if (op === 'add') add(document, path, structuredClone(value));
    else if (op === 'remove') remove(document, path);
    else if (op === 'replace') {
      // What is not there yet is added, as the real server has it.
      const { parent, key } = place(document, path);
      if (Array.isArray(parent)) indexOf(parent, key, parent.length - 1);
      parent[key] = structuredClone(value);
    } else if (op === 'test') {
      if (!sameJson(read(document, path) ?? null, value ?? null)) throw rejected(REJECTED);
    } else if (op === 'copy') add(document, path, structuredClone(read(document, from as string)));
    else if (op === 'move') {
      const moved = structuredClone(read(document, from as string));
      remove(document, from as string);
      add(document, path, moved);
    } else throw rejected(REJECTED);
  }
  return document;
}

/** The member that tells elements of a list apart; '' for a list of plain values that is merged as a set. */
export type MergeKeys = (path: string) => string | readonly string[] | undefined;

/** The one key with a default: who applies a port need not name its protocol. */
const KEY_DEFAULTS: Readonly<Record<string, string>> = { protocol: 'TCP' };

const keyOf = (item: Json, keys: readonly string[]): string =>
  JSON.stringify(keys.map((k) => item?.[k] ?? KEY_DEFAULTS[k] ?? null));

function mergeList(
  target: Json[],
  patch: Json[],
  keys: readonly string[],
  path: string,
  mergeKeys: MergeKeys,
  isAtomic: IsAtomic,
): Json[] {
  if (patch.some((p) => p?.$patch === 'replace')) return patch.filter((p) => p?.$patch !== 'replace');
  const result = [...target];
  for (const item of patch) {
    const wanted = keyOf(item, keys);
    const at = result.findIndex((r) => keyOf(r, keys) === wanted);
    if (item?.$patch === 'delete') {
      if (at >= 0) result.splice(at, 1);
    } else if (at >= 0) result[at] = strategicPatch(result[at], item, mergeKeys, isAtomic, path);
    else result.push(strategicPatch({}, item, mergeKeys, isAtomic, path));
  }
  return result;
}

/** `$setElementOrder/LIST`: elements that it names stand in its order, others stay behind. */
function inOrder(list: Json[], order: Json[], keys: readonly string[]): Json[] {
  const rank = new Map(order.map((o, i) => [keys[0] === '' ? JSON.stringify(o) : keyOf(o, keys), i] as const));
  const rankOf = (item: Json) => rank.get(keys[0] === '' ? JSON.stringify(item) : keyOf(item, keys)) ?? order.length;
  return [...list].sort((a, b) => rankOf(a) - rankOf(b));
}

/** Objects that are replaced as a whole. */
export type IsAtomic = (path: string) => boolean;

/** Kubernetes' strategic merge patch, with its directives; lists without a merge key are replaced. */
export function strategicPatch(
  target: Json,
  patch: Json,
  mergeKeys: MergeKeys,
  isAtomic: IsAtomic = () => false,
  path = '',
): Json {
  if (!isObject(patch)) return patch;
  const { $patch, $retainKeys, ...members } = patch;
  if ($patch === 'delete') return undefined;
  let result: Record<string, Json> = isObject(target) && $patch !== 'replace' ? { ...target } : {};
  if (Array.isArray($retainKeys))
    result = Object.fromEntries(Object.entries(result).filter(([key]) => $retainKeys.includes(key)));
  const orders = new Map<string, Json[]>();
  for (const [key, value] of Object.entries(members)) {
    const directive = /^\$(deleteFromPrimitiveList|setElementOrder)\/(.+)$/.exec(key);
    const name = directive?.[2] ?? key;
    const inner = path === '' ? name : `${path}.${name}`;
    const mergeKey = mergeKeys(inner);
    if (directive?.[1] === 'setElementOrder') orders.set(name, value as Json[]);
    else if (directive !== null)
      result[name] = ((result[name] as Json[]) ?? []).filter((v) => !(value as Json[]).some((d) => sameJson(d, v)));
    else if (value === null) delete result[key];
    else if (Array.isArray(value) && mergeKey !== undefined) {
      const list = (result[key] as Json[]) ?? [];
      if (mergeKey === '') result[key] = [...list, ...value.filter((v) => !list.some((l) => sameJson(l, v)))];
      else result[key] = mergeList(list, value, [mergeKey].flat(), inner, mergeKeys, isAtomic);
    } else if (isObject(value)) {
      const merged = strategicPatch(isAtomic(inner) ? {} : result[key], value, mergeKeys, isAtomic, inner);
      if (merged === undefined) delete result[key];
      else result[key] = merged;
    } else result[key] = value;
  }
  for (const [name, order] of orders) {
    const mergeKey = mergeKeys(path === '' ? name : `${path}.${name}`);
    if (mergeKey !== undefined && Array.isArray(result[name]))
      result[name] = inOrder(result[name], order, [mergeKey].flat());
  }
  return result;
}

/** What the last configuration of a manager had and the new one has not is taken out of the object. */
export function withoutDropped(object: Json, last: Json, next: Json, mergeKeys: MergeKeys, path = ''): Json {
  if (!isObject(object) || !isObject(last)) return object;
  const result: Record<string, Json> = { ...object };
  for (const [key, value] of Object.entries(last)) {
    const inner = path === '' ? key : `${path}.${key}`;
    const wanted = isObject(next) ? next[key] : undefined;
    const mergeKey = mergeKeys(inner);
    if (Array.isArray(value) && Array.isArray(result[key]) && mergeKey !== undefined) {
      const keys = [mergeKey].flat();
      const id = (item: Json) => (keys[0] === '' ? JSON.stringify(item) : keyOf(item, keys));
      const kept = new Set(((wanted as Json[]) ?? []).map(id));
      const dropped = new Set(value.map(id).filter((k) => !kept.has(k)));
      result[key] = result[key].filter((item: Json) => !dropped.has(id(item)));
    } else if (isObject(value)) {
      result[key] = withoutDropped(result[key], value, wanted, mergeKeys, inner);
      if (wanted === undefined && isObject(result[key]) && Object.keys(result[key]).length === 0) delete result[key];
    } else if (wanted === undefined) delete result[key];
  }
  return result;
}

const STRING_MAPS = new Set(['metadata.labels', 'metadata.annotations', 'data']);

/** Null means "not said"; in a map of strings it is an empty one. */
export function withoutNulls(value: Json, path = ''): Json {
  if (Array.isArray(value)) return value.map((v) => withoutNulls(v, path));
  if (!isObject(value)) return value;
  const strings = STRING_MAPS.has(path);
  const members = Object.entries(value).filter(([, v]) => strings || v !== null);
  return Object.fromEntries(
    members.map(([k, v]) => [k, v === null ? '' : withoutNulls(v, path === '' ? k : `${path}.${k}`)]),
  );
}
