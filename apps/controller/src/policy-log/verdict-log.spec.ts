import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { type Verdict, type VerdictEvent, VerdictLog } from './verdict-log.js';

const verdict = (port: number): Verdict => ({
  ...{ verdict: 'denied', direction: 'ingress', node: 'node1', from: 'x/a', to: 'x/b', protocol: 'tcp', port },
  ...{ policies: ['x/p'], rule: null },
});

describe('the log of verdicts', () => {
  let clock: ManualClock;
  let log: VerdictLog;
  let written: VerdictEvent[];
  let suppressed: [string, number][];

  beforeEach(() => {
    clock = new ManualClock();
    written = [];
    suppressed = [];
    log = new VerdictLog({
      clock,
      wallClock: () => 1_000_000 + clock.now(),
      write: (event) => written.push(event),
      suppressed: (node, count) => suppressed.push([node, count]),
      ...{ windowMs: 5_000, maxPerSecond: 3, capacity: 4 },
    });
  });
  const take = (port: number, node = 'node1') => log.take(node, `${node} ${port}`, () => verdict(port));
  const lines = () => written.map((e) => [e.seq, e.port, e.count]);

  it('writes equal verdicts once, with their count, when the window ends', () => {
    for (let i = 0; i < 7; i++) take(80);
    clock.advance(4_999);
    expect(lines()).toEqual([]);
    clock.advance(1);
    expect(lines()).toEqual([[1, 80, 7]]);
    expect(written[0]?.time).toBe('1970-01-01T00:16:40.000Z');
    take(80);
    clock.advance(5_000);
    expect(lines()).toEqual([
      [1, 80, 7],
      [2, 80, 1],
    ]);
  });
  it('gives each its own window', () => {
    take(80);
    clock.advance(3_000);
    take(81);
    take(80);
    clock.advance(2_000);
    expect(lines()).toEqual([[1, 80, 2]]);
    clock.advance(3_000);
    expect(lines()).toEqual([
      [1, 80, 2],
      [2, 81, 1],
    ]);
  });
  it('leaves out what is more than a node may begin in a second, tells how much, and counts what it knows', () => {
    for (const port of [1, 2, 3, 4, 5, 1, 6]) take(port);
    take(1, 'node2');
    clock.advance(1_000);
    take(7);
    clock.advance(5_000);
    expect(written.map((e) => [e.port, e.count])).toEqual([
      [1, 2],
      [2, 1],
      [3, 1],
      [1, 1],
      [7, 1],
    ]);
    expect(suppressed).toEqual([['node1', 3]]);
  });
  it('keeps the newest, and gives those that a filter takes in their order', () => {
    for (let port = 1; port <= 20; port++) {
      take(port);
      clock.advance(5_000);
    }
    expect(log.newest).toBe(20);
    expect(log.events(() => true, 3).map((e) => e.seq)).toEqual([18, 19, 20]);
    expect(log.events((e) => e.seq % 2 === 0, 2).map((e) => e.seq)).toEqual([18, 20]);
    expect(log.events(() => true, 1_000).length).toBeLessThanOrEqual(8);
  });
  it('writes what is open when it stops, and takes nothing after', () => {
    take(80);
    log.stop();
    take(81);
    clock.advance(10_000);
    expect(lines()).toEqual([[1, 80, 1]]);
  });
});
