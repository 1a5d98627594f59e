import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tokenReader } from './token-file.js';

let dir: string;
let file: string;
let told: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'heddle-token-'));
  file = join(dir, 'token');
  told = [];
});
afterEach(() => rmSync(dir, { recursive: true }));
const reader = () => tokenReader(file, (reason) => told.push(reason));

it('gives the token that the file has now', () => {
  const read = reader();
  writeFileSync(file, 'one\n');
  expect(read()).toBe('one');
  writeFileSync(file, 'two');
  expect([read(), told]).toEqual(['two', []]);
});

it('goes on with the last one while the file cannot be read, which is told once', () => {
  const read = reader();
  writeFileSync(file, 'one');
  read();
  rmSync(file);
  expect([read(), read(), told.length]).toEqual(['one', 'one', 1]);
  writeFileSync(file, ' ');
  expect([read(), told.length, told[1]]).toEqual(['one', 2, `${file} is empty`]);
  writeFileSync(file, 'two');
  expect(read()).toBe('two');
});

it('takes no token that is too short', () => {
  const read = tokenReader(file, (reason) => told.push(reason), 5);
  writeFileSync(file, 'long enough');
  read();
  writeFileSync(file, 'four');
  expect([read(), told]).toEqual(['long enough', [`the token in ${file} has fewer than 5 characters`]]);
});

it('has none before it was read once', () => {
  expect(reader()).toThrow(/ENOENT/);
});
