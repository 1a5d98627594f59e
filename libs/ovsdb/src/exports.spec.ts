import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';

// What a reader sees on hovering over an export: every one says what it is, generated column types aside.
test.each(['index.ts', 'testing/index.ts'])(
  'every export of %s has a doc comment',
  (entry) => {
    const file = new URL(entry, import.meta.url).pathname;
    const config = ts.readConfigFile(new URL('../tsconfig.json', import.meta.url).pathname, (path) =>
      readFileSync(path, 'utf8'),
    );
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, new URL('..', import.meta.url).pathname);
    const program = ts.createProgram([file], { ...options, noEmit: true, composite: false, incremental: false });
    const checker = program.getTypeChecker();
    const source = program.getSourceFile(file);
    const symbol = source && checker.getSymbolAtLocation(source);
    if (symbol === undefined) throw new Error(`${file} exports nothing`);
    const exported = checker.getExportsOfModule(symbol);
    expect(exported.length).toBeGreaterThan(3);
    const undocumented = exported.filter((each) => {
      const target = each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each;
      return target.getDocumentationComment(checker).length === 0;
    });
    expect(undocumented.map(({ name }) => name)).toEqual([]);
  },
  60_000,
);
