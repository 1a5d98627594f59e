import { isDeepStrictEqual } from 'node:util';
import { NO_OBJECTS, type SourceDelta, type SourceObjects, type ValueOf } from './model.js';

/** Objects that follow changes. */
export type MutableObjects = { readonly [K in keyof SourceObjects]: Map<string, ValueOf<K>> };

const KINDS_OF_OBJECTS = Object.keys(NO_OBJECTS) as readonly (keyof SourceObjects)[];

/** A copy of the maps, not of the values. */
export const mutable = (objects: SourceObjects): MutableObjects =>
  Object.fromEntries(KINDS_OF_OBJECTS.map((kind) => [kind, new Map<string, unknown>(objects[kind])])) as MutableObjects;

/** What is not equal in `next`. What is the same object is not looked at, which is most of everything. */
export const differing = (before: SourceObjects, next: SourceObjects): SourceDelta =>
  Object.fromEntries(KINDS_OF_OBJECTS.map((kind) => [kind, differingIn<unknown>(before[kind], next[kind])]));

function differingIn<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): Map<string, T | undefined> {
  const delta = new Map<string, T | undefined>();
  for (const key of before.keys()) if (!next.has(key)) delta.set(key, undefined);
  for (const [key, value] of next) {
    const known = before.get(key);
    if (known !== value && !isDeepStrictEqual(known, value)) delta.set(key, value);
  }
  return delta;
}

export function applyDelta(objects: MutableObjects, delta: SourceDelta): void {
  for (const kind of KINDS_OF_OBJECTS) {
    const known: Map<string, unknown> = objects[kind];
    for (const [key, value] of delta[kind] ?? [])
      if (value === undefined) known.delete(key);
      else known.set(key, value);
  }
}
