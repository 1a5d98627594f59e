import { nodeName } from '@heddle/compiler';
import { expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { Acknowledgements } from './acknowledgements.js';

it('tells a generation when the last switch that it concerns has it, from the beginning of its compilation', () => {
  const clock = new ManualClock(100);
  const told: [generation: number, latencyMs: number][] = [];
  const acknowledgements = new Acknowledgements(clock, {
    realized: () => undefined,
    acknowledged: ({ generation, latencyMs }) => told.push([generation, latencyMs]),
  });
  const [a, b, c] = ['a', 'b', 'c'].map(nodeName) as [
    ReturnType<typeof nodeName>,
    ReturnType<typeof nodeName>,
    ReturnType<typeof nodeName>,
  ];
  acknowledgements.compiled(1, 99, [a, b]);
  clock.advance(1);
  acknowledgements.realized(c, 1);
  acknowledgements.realized(a, 1);
  expect(told).toEqual([]);
  acknowledgements.realized(b, 1);
  expect(told).toEqual([[1, 2]]);

  // One that overtakes another ends both, and what is older than awaited ends nothing.
  acknowledgements.compiled(2, 101, [a]);
  acknowledgements.compiled(3, 101, [b]);
  acknowledgements.realized(b, 3);
  acknowledgements.realized(a, 1);
  expect(told).toHaveLength(1);
  clock.advance(4);
  acknowledgements.realized(a, 3);
  expect(told).toEqual([
    [1, 2],
    [3, 4],
  ]);

  // Nobody waits for a node that is gone; a generation that changes nothing is not told of.
  acknowledgements.compiled(4, 105, [a, b]);
  acknowledgements.forget(a);
  acknowledgements.realized(b, 4);
  acknowledgements.compiled(5, 105, []);
  acknowledgements.realized(b, 5);
  expect(told.slice(2)).toEqual([[4, 0]]);
});
