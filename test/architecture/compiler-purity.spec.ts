import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

// The compiler is a pure function. Its tsconfig keeps I/O out at compile time; what a type cannot see is looked for here.

const ROOT = resolve(import.meta.dirname, '../../libs/compiler');
const SRC = join(ROOT, 'src');
const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.ts') && !f.endsWith('.spec.ts'))
  .map((f) => join(SRC, f));

function importsOf(file: string): readonly string[] {
  return ts.preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles.map((i) => i.fileName);
}

/** What the package's own settings say about a source file with this text. */
function diagnose(text: string): readonly string[] {
  const path = join(ROOT, 'tsconfig.json');
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(path, ts.sys.readFile).config, ts.sys, ROOT);
  const settings = {
    ...options,
    composite: false,
    incremental: false,
    noEmit: true,
    noUnusedLocals: false,
    tsBuildInfoFile: undefined,
  };
  const host = ts.createCompilerHost(settings);
  const file = join(SRC, 'probe.ts');
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], settings, host);
  return ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, ' '));
}

describe('the compiler', () => {
  it('imports itself and the OpenFlow codec, nothing else', () => {
    const foreign = sources.flatMap((file) =>
      importsOf(file)
        .filter((name) =>
          name.startsWith('.')
            ? relative(SRC, resolve(dirname(file), name)).startsWith('..')
            : name !== 'openflow-ts/codec',
        )
        .map((name) => `${relative(ROOT, file)}: ${name}`),
    );
    expect(sources.length).toBeGreaterThan(20);
    expect(foreign).toEqual([]);
  });

  it.each([
    ["import { readFileSync } from 'node:fs';\nexport const x = readFileSync;", /node:fs/],
    ["console.log('x');\nexport {};", /'console'/],
    ['export const pid = process.pid;', /'process'/],
    ['setTimeout(() => {}, 1);\nexport {};', /'setTimeout'/],
    ["export const x = fetch('http://x');", /'fetch'/],
    ['export const x = Buffer.alloc(1);', /'Buffer'/],
  ])('does not compile with I/O: %s', (text, complaint) => {
    const found = diagnose(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(complaint);
  });
  it('compiles what is pure', () => {
    expect(diagnose('export const x: number = 1;')).toEqual([]);
  });

  it('knows no clock, no chance and no promises', () => {
    const impure = /\bDate\b|Math\.random|\bPromise\b|\basync\b|\bawait\b|globalThis|performance\./;
    const found = sources.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        // Comments may speak of a date.
        .map((line) => line.replace(/\/\/.*|^\s*\/?\*.*/, ''))
        .flatMap((line, i) => (impure.test(line) ? [`${relative(ROOT, file)}:${i + 1}`] : [])),
    );
    expect(found).toEqual([]);
  });

  it('keeps what tests need out of what it exports', () => {
    const reach = new Set<string>();
    const follow = (file: string): void => {
      if (reach.has(file)) return;
      reach.add(file);
      for (const name of importsOf(file))
        if (name.startsWith('.')) follow(resolve(dirname(file), name.replace(/\.js$/, '.ts')));
    };
    follow(join(SRC, 'index.ts'));
    expect([...reach].map((f) => relative(SRC, f)).filter((f) => f.includes('testing'))).toEqual([]);
  });

  it('names table numbers in one place', () => {
    const numbered = /(goto_table|resubmit)['"]?,? *table: \d|tableId: \d/;
    expect(sources.filter((f) => numbered.test(readFileSync(f, 'utf8'))).map((f) => relative(SRC, f))).toEqual([]);
  });
});
