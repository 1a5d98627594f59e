import { flowMod } from 'openflow-ts';
import { expect, it } from 'vitest';
import { SharedMods } from './shared-mods.js';

const mod = (priority: number) => flowMod({ tableId: 1, priority });

it('gives the same bundle for the same mods within a turn, and for no others', async () => {
  const shared = new SharedMods();
  const [a, b, c] = [mod(1), mod(2), mod(3)];
  const first = shared.of([a, b]);
  expect(first).toMatchObject({ messages: [a, b] });
  expect(shared.of([a, b])).toBe(first);
  // Equal ones are not looked for, the same are.
  for (const other of [[a], [a, c], [b, a], [a, b, c], [mod(1), b]]) {
    const given = shared.of(other);
    expect(given).not.toBe(first);
    expect(given).toMatchObject({ messages: other });
  }
  expect(shared.of([])).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(shared.of([a, b])).not.toBe(first);
});

it('leaves long lists to be encoded piece by piece', () => {
  const long = Array.from({ length: 257 }, (_, i) => mod(i));
  expect(new SharedMods().of(long)).toBe(long);
});
