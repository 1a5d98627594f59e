import type { Labels } from '../model/facts.js';

/** Byte order, not locale order: the same everywhere. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const sorted = (texts: Iterable<string>): string[] => [...texts].sort(compareText);

/** Labels as pairs in a fixed order, without `undefined` values. */
export function sortedLabels(labels: Labels): readonly (readonly [string, string])[] {
  const out: [string, string][] = [];
  for (const key of Object.keys(labels).sort()) {
    const value = labels[key];
    if (value !== undefined) out.push([key, value]);
  }
  return out;
}

/** Texts of the prefix joined so that no two different lists give the same text. */
export const compound = (...parts: readonly string[]): string => JSON.stringify(parts);
export const parts = (key: string): readonly string[] => JSON.parse(key) as string[];
