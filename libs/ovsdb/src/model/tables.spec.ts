import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../../../', import.meta.url).pathname;
const compiler = join(root, 'node_modules/typescript7/bin/tsc');

const PRELUDE = `
import type { OvsdbClient, Uuid } from '../src/index.js';
declare const client: OvsdbClient;
declare const bridge: Uuid<'Bridge'>, port: Uuid<'Port'>, anyRow: Uuid;
const tx = client.transaction('Open_vSwitch');
const replica = await client.monitor('Open_vSwitch', { Bridge: { columns: ['name', 'ports'] }, Port: {} });
const untyped = client.transaction('Other_Database');
`;

// Each line stands alone after the prelude; the number is the TypeScript error that it must give, 0 for none.
const LINES: readonly (readonly [code: number, line: string])[] = [
  [0, "tx.insert('Bridge', { name: 'a', fail_mode: 'secure', other_config: { a: 'b' }, ports: [port] });"],
  [0, "tx.insert('Bridge', { name: 'a', ports: [tx.insert('Port', { name: 'p' })], fail_mode: undefined });"],
  [0, "tx.insert('Port', { name: 'a', vlan_mode: 'trunk', trunks: [1, 2], tag: 7 });"],
  [0, "tx.update('Bridge', bridge, { external_ids: new Map([['a', 'b']]) });"],
  [
    0,
    "tx.update('Bridge', [['name', '==', 'a'], ['external_ids', 'includes', { a: 'b' }]], { fail_mode: 'standalone' });",
  ],
  [0, "tx.mutate('Bridge', bridge, [['external_ids', 'delete', ['a']], ['ports', 'insert', [port]]]);"],
  [0, "tx.mutate('Open_vSwitch', [], [['next_cfg', '+=', 1]]);"],
  [0, "tx.mutate('Port', port, [['tag', 'delete', [7]]]);"],
  [0, "tx.delete('Port', [['tag', '>', 7]]);"],
  [
    0,
    "const ports: readonly Uuid<'Port'>[] = replica.table('Bridge').byName('a')?.ports ?? []; replica.table('Port').resolve(ports);",
  ],
  [0, "const tag: number | undefined = replica.table('Port').byName('a')?.tag;"],
  [0, "untyped.insert('T', { a: 1, b: ['x'], c: { k: 'v' }, d: untyped.insert('U', {}), e: new Map([[1, 'a']]) });"],
  [0, "(await client.monitor('Other', { T: { columns: ['a'] } })).table('T').byName('x')?.a;"],
  [2345, "tx.insert('Bridges', { name: 'a' });"],
  [2561, "tx.insert('Bridge', { nam: 'a' });"],
  [2322, "tx.insert('Bridge', { fail_mode: 'open' });"],
  [2322, "tx.insert('Bridge', { name: 5 });"],
  [2322, "tx.insert('Bridge', { name: undefined, ports: 'v1' });"],
  [2322, "tx.insert('Bridge', { ports: [bridge] });"],
  [2322, "tx.insert('Bridge', { ports: [tx.insert('Interface', { name: 'i' })] });"],
  [2353, "tx.update('Bridge', bridge, { name: 'other' });"],
  [2345, "tx.update('Bridge', port, {});"],
  [2345, "tx.update('Bridge', anyRow, {});"],
  [2820, "tx.update('Bridge', [['nam', '==', 'a']], {});"],
  [2322, "tx.update('Bridge', [['name', '>', 'a']], {});"],
  [2322, "tx.mutate('Bridge', bridge, [['fail_mode', '+=', 1]]);"],
  [2322, "tx.mutate('Bridge', bridge, [['ports', 'insert', [bridge]]]);"],
  [2345, "replica.table('Interface');"],
  [2339, "replica.table('Bridge').byName('a')?.fail_mode;"],
  [2345, "replica.table('Port').get(bridge);"],
  [2345, "replica.table('Bridge').index('fail_mode');"],
  [2820, "client.monitor('Open_vSwitch', { Bridge: { columns: ['nam'] } });"],
];

test('right lines compile, a wrong table, column, enum value or reference does not', () => {
  const dir = mkdtempSync(join(root, 'libs/ovsdb/.types-'));
  try {
    const file = join(dir, 'lines.ts');
    const text = PRELUDE + LINES.map(([, line]) => `{ ${line} }`).join('\n');
    writeFileSync(file, text);
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--pretty',
      'false',
    ];
    const first = PRELUDE.split('\n').length;
    const found = new Map<number, number>();
    const args = [compiler, ...flags, '--types', 'node', '--noUncheckedIndexedAccess', '--ignoreConfig', file];
    for (const [, line, code] of run(args).matchAll(/lines\.ts\((\d+),\d+\): error TS(\d+)/g)) {
      found.set(Number(line), Number(code));
    }
    const actual = LINES.map(([, line], i) => `${found.get(first + i) ?? 0} ${line}`);
    expect(actual).toEqual(LINES.map(([code, line]) => `${code} ${line}`));
    expect([...found.keys()].filter((line) => line < first)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 30_000);

test('the example of the README compiles', () => {
  const dir = mkdtempSync(join(root, 'libs/ovsdb/.types-'));
  try {
    const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'libs/ovsdb/README.md'), 'utf8')) ?? [];
    writeFileSync(join(dir, 'example.ts'), code);
    expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(20);
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--pretty',
      'false',
    ];
    const conditions = ['--customConditions', 'source', '--types', 'node', '--ignoreConfig'];
    expect(run([compiler, ...flags, ...conditions, join(dir, 'example.ts')])).toBe('');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 30_000);

function run(args: readonly string[]): string {
  try {
    return execFileSync(process.execPath, args, { encoding: 'utf8', cwd: root });
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  }
}
