import { describe, expect, it } from 'vitest';
import { KeyedLock } from './keyed-lock.js';

describe('a keyed lock', () => {
  it('runs tasks of one key in order and those of another key meanwhile', async () => {
    const lock = new KeyedLock();
    const order: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const tasks = [
      lock.run('a', async () => {
        await held;
        order.push('a1');
      }),
      lock.run('a', async () => order.push('a2')),
      lock.run('b', async () => order.push('b1')),
    ];
    await tasks[2];
    expect(order).toEqual(['b1']);
    release();
    await Promise.all(tasks);
    expect(order).toEqual(['b1', 'a1', 'a2']);
    expect(lock.size).toBe(0);
  });

  it('goes on after a task that failed', async () => {
    const lock = new KeyedLock();
    const failed = lock.run('a', () => Promise.reject(new Error('no')));
    const next = lock.run('a', async () => 'done');
    await expect(failed).rejects.toThrow('no');
    await expect(next).resolves.toBe('done');
  });
});
