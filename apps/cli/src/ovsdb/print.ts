import { formatJson } from 'ovsdb-client';
import { type Cell, cellJson, cellText } from './cells.js';

/** How to print. */
export type Format = 'table' | 'json';

/** A cell, a text as it is, or nothing. */
export type Entry = Cell | string | undefined;

/** A table to print. */
export interface Grid {
  readonly caption?: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly Entry[])[];
}

const isCell = (entry: Entry): entry is Cell => typeof entry === 'object';
// Open vSwitch's tools pad to bytes, not to what a terminal shows.
const width = (text: string): number => Buffer.byteLength(text);
const pad = (text: string, to: number): string => text + ' '.repeat(to - width(text));

function tableText({ caption, headings, rows }: Grid): string {
  const lines = [headings, ...rows.map((row) => row.map((entry) => (isCell(entry) ? cellText(entry) : (entry ?? ''))))];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => width(line[i] ?? ''))));
  const rule = widths.map((each) => '-'.repeat(each));
  const [head, ...body] = lines.map((line) =>
    line
      .map((text, i) => pad(text, widths[i] ?? 0))
      .join(' ')
      .trimEnd(),
  );
  return [...(caption === undefined ? [] : [caption]), head, rule.join(' '), ...body].join('\n');
}

/** Text of a grid, as `ovsdb-client --format=table` or `--format=json` prints it; without the last end of line. */
export function gridText(grid: Grid, format: Format): string {
  if (format === 'table') return tableText(grid);
  const { caption, headings, rows } = grid;
  const data = rows.map((row) => row.map((entry) => (isCell(entry) ? cellJson(entry) : (entry ?? null))));
  return formatJson({ ...(caption === undefined ? {} : { caption }), data, headings });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, item]) => [name, sorted(item)]));
}

/** JSON with the members of each object sorted, as ovsdb-client prints it. */
export const jsonText = (value: unknown): string => formatJson(sorted(value));
