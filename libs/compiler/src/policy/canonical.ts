import type { Labels } from '../model/facts.js';

/** Byte order, not locale order: the same everywhere. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Below so many elements a sort of our own is used: the one of arrays allocates, and most lists have one element or two. */
const FEW = 12;

/** Sorts in place, stably, by a text of each element; returns the list. */
export function sortBy<T>(list: T[], textOf: (element: T) => string): T[] {
  if (list.length > FEW) return list.sort((a, b) => compareText(textOf(a), textOf(b)));
  for (let i = 1; i < list.length; i++) {
    const moving = list[i] as T;
    const text = textOf(moving);
    let at = i;
    for (; at > 0 && textOf(list[at - 1] as T) > text; at--) list[at] = list[at - 1] as T;
    list[at] = moving;
  }
  return list;
}
const itself = (text: string): string => text;
export const sortTexts = <T extends string>(texts: T[]): T[] => sortBy(texts, itself);

export const sorted = (texts: Iterable<string>): string[] => sortTexts([...texts]);

/** Labels as pairs in a fixed order, without `undefined` values. */
export function sortedLabels(labels: Labels): readonly (readonly [string, string])[] {
  const out: [string, string][] = [];
  for (const key of sortTexts(Object.keys(labels))) {
    const value = labels[key];
    if (value !== undefined) out.push([key, value]);
  }
  return out;
}

/** Texts of the prefix joined so that no two different lists give the same text. */
export const compound = (...parts: readonly string[]): string => JSON.stringify(parts);
export const parts = (key: string): readonly string[] => JSON.parse(key) as string[];

/** 64 bits of a text in hexadecimal, to tell texts apart that nobody made to be mistaken: two runs of FNV-1a, the second over the characters turned round. */
export function digest(text: string): string {
  let [a, b] = [0x811c9dc5, 0xcbf29ce4];
  for (let i = 0, j = text.length - 1; j >= 0; i++, j--) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(j), 0x01000193);
  }
  return [a, b].map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('');
}
