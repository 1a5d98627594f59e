import { describe, expect, it } from 'vitest';
import { XidTable } from './xids.js';

describe('XidTable', () => {
  it('gives each answer to its own request, whatever the order', () => {
    const table = new XidTable<string>();
    const got: string[] = [];
    const [a, b] = [table.allocate(), table.allocate()];
    table.wait(a, { take: (m) => got.push(`a:${m}`) > 0, fail: () => undefined });
    table.wait(b, { take: (m) => got.push(`b:${m}`) > 0, fail: () => undefined });
    expect([table.deliver(b, '1'), table.deliver(a, '2'), table.deliver(a, '3')]).toEqual([true, true, false]);
    expect(got).toEqual(['b:1', 'a:2']);
  });

  it('keeps a waiter that wants more', () => {
    const table = new XidTable<string>();
    const got: string[] = [];
    table.wait(7, { take: (m) => got.push(m) === 2, fail: () => undefined });
    expect([table.deliver(7, 'x'), table.deliver(7, 'y'), table.deliver(7, 'z')]).toEqual([true, true, false]);
  });

  it('tells which message of a range an answer belongs to', () => {
    const table = new XidTable<string>();
    const got: [number, string][] = [];
    const first = table.allocateRange(10);
    const end = table.watch(first, 10, (index, m) => got.push([index, m]));
    expect(table.deliver(first + 9, 'last')).toBe(true);
    expect(table.deliver(first + 10, 'next')).toBe(false);
    end();
    expect(table.deliver(first, 'late')).toBe(false);
    expect(got).toEqual([[9, 'last']]);
  });

  it.each([
    ['wraps to 1, never 0', 0xffff_ffff, [], [], 2, 1],
    ['skips an xid that is waited for', 5, [5], [], 1, 6],
    ['skips a range around one that is waited for', 5, [7], [], 4, 8],
    ['skips a watched range', 5, [], [[6, 3]], 2, 9],
    ['takes the gap before a watched range', 5, [], [[7, 3]], 2, 5],
  ] as const)('%s', (_, next, waiting, ranges, count, expected) => {
    const table = new XidTable<string>(next);
    for (const xid of waiting) table.wait(xid, { take: () => true, fail: () => undefined });
    for (const [first, n] of ranges) table.watch(first, n, () => undefined);
    expect(table.allocateRange(count)).toBe(expected);
  });

  it('fails everybody once', () => {
    const table = new XidTable<string>();
    const failed: string[] = [];
    table.wait(1, { take: () => true, fail: (e) => failed.push(e.message) });
    table.wait(2, { take: () => true, fail: (e) => failed.push(e.message) });
    table.failAll(new Error('gone'));
    table.failAll(new Error('again'));
    expect(failed).toEqual(['gone', 'gone']);
  });
});
