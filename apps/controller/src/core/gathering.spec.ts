import { describe, expect, it } from 'vitest';
import { Serial } from '../serial.js';
import { Gathering } from './gathering.js';

const settled = (list: readonly Promise<unknown>[]) =>
  Promise.allSettled(list).then((all) =>
    all.map((r) => (r.status === 'fulfilled' ? r.value : `no: ${r.reason.message}`)),
  );

describe('work that is gathered', () => {
  it('is done together as far as it came together, and never more at once than allowed', async () => {
    const turns: number[][] = [];
    const gathering = new Gathering<number, number>(new Serial(), 3, async (inputs) => {
      turns.push([...inputs]);
      return inputs.map((i) => i * 10);
    });
    expect(await settled([1, 2, 3, 4].map((i) => gathering.add(i)))).toEqual([10, 20, 30, 40]);
    expect(await gathering.add(5)).toBe(50);
    expect(turns).toEqual([[1, 2, 3], [4], [5]]);
  });

  it('answers each by itself: done, refused, or left for the next turn before those that came later', async () => {
    const turns: string[][] = [];
    const gathering = new Gathering<string, string>(new Serial(), 3, async (inputs) => {
      turns.push([...inputs]);
      return inputs.map((i) => (i === 'bad' ? new Error('bad') : i === 'late' && turns.length === 1 ? undefined : i));
    });
    const all = ['a', 'late', 'bad', 'b'].map((i) => gathering.add(i));
    expect(await settled(all)).toEqual(['a', 'late', 'no: bad', 'b']);
    expect(turns).toEqual([
      ['a', 'late', 'bad'],
      ['late', 'b'],
    ]);
  });

  it('refuses those of a turn that failed as a whole, and goes on', async () => {
    let fails = true;
    const gathering = new Gathering<number, number>(new Serial(), 2, async (inputs) => {
      if (fails) {
        fails = false;
        throw new Error('away');
      }
      return [...inputs];
    });
    expect(await settled([1, 2, 3].map((i) => gathering.add(i)))).toEqual(['no: away', 'no: away', 3]);
  });
});
