import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { MULTIPART_TABLE } from './codec/messages/multipart.js';
import { idIn, type MessageId, type MessageRow } from './codec/messages/row.js';
import { MESSAGE_ROWS } from './codec/messages/table.js';
import type { Message } from './codec/messages/types.js';
import { VERSIONS, type WireVersion } from './codec/version.js';

const ROOT = join(import.meta.dirname, '..');
const README = join(ROOT, 'README.md');
const WIRE: readonly WireVersion[] = Object.values(VERSIONS);
const VENDORS: Readonly<Record<number, string>> = { 8992: 'Nicira', 1330529792: 'ONF' };

const place = (id: MessageId | undefined): string =>
  id === undefined
    ? ''
    : id.experimenter === 0
      ? `${id.type}`
      : `${VENDORS[id.experimenter] ?? id.experimenter} ${id.type}`;

/** The table of the README: a row for each kind, with its type or extension number in each version. */
function coverage(): string {
  const line = (name: string, row: Pick<MessageRow<Message>, 'id'>): string =>
    `| ${name} | ${WIRE.map((v) => place(idIn(row as MessageRow<Message>, v))).join(' | ')} |`;
  const head = (what: string) => `| ${what} | ${Object.keys(VERSIONS).join(' | ')} |\n|---|---|---|---|`;
  const rows = Object.entries(MESSAGE_ROWS).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = Object.entries(MULTIPART_TABLE as unknown as Readonly<Record<string, MessageRow<Message>>>).sort(
    ([a], [b]) => (a < b ? -1 : 1),
  );
  return [
    head('Message'),
    ...rows.map(([kind, row]) => line(kind, row)),
    '',
    head('Multipart'),
    ...parts.map(([kind, row]) => line(kind, row)),
  ].join('\n');
}

/** Exported declarations of a program's entry point, followed through `export *`. */
function undocumented(entry: string): string[] {
  const program = ts.createProgram([entry], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    skipLibCheck: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry) as ts.SourceFile;
  const module = checker.getSymbolAtLocation(source) as ts.Symbol;
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .filter((symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)) === '')
    .map((symbol) => symbol.name)
    .sort();
}

describe('the documentation', () => {
  it('lists in the README what the tables of the codec hold', () => {
    const text = readFileSync(README, 'utf8');
    const wanted = text.replace(
      /(<!-- generated: messages -->\n).*?(<!-- end -->)/s,
      (_, a, b) => `${a}${coverage()}\n${b}`,
    );
    // `UPDATE_DOCS=1 npm test -- libs/openflow/src/coverage` writes it.
    if (process.env.UPDATE_DOCS === '1') writeFileSync(README, wanted);
    else expect(text).toBe(wanted);
  });

  it('has a comment on every export', () => {
    expect(undocumented(join(ROOT, 'src/index.ts'))).toEqual([]);
  }, 60_000);
});
