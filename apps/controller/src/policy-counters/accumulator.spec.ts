import { type Compiler, cookie, type FactChange, type Flow, nodeName } from '@heddle/compiler';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CountsEvent } from '../core/ports.js';
import { Deciders } from '../policy-log/deciders.js';
import { Accumulator, type Counted } from './accumulator.js';

const NODE = nodeName('node1');
/** Texts by number, from 1. */
const TEXTS = [
  'policy/x/p/ingress/0',
  'policy/x/p/ingress/1',
  'isolation/ingress/256',
  'shared/41,300,reg1=100',
  'policy//guard/egress/0',
  'policy//anp/old/ingress/0',
  'node/node1',
  'policy/x/p/ingress/0@00ff',
];

describe('what switches count', () => {
  let accumulator: Accumulator;
  let isolating: string[];
  let counted: Counted[];

  beforeEach(() => {
    isolating = ['x/p', 'x/q'];
    counted = [];
    const shared = { provenance: { objects: [1, 2] } } as unknown as Flow;
    const rule = { action: 'Deny' };
    const compiler = {
      fact: (kind: FactChange['kind'], key: string) =>
        kind === 'clusterPolicy' && ['guard', 'anp/old'].includes(key)
          ? { ingress: [rule], egress: [rule] }
          : undefined,
      isolatedBy: () => isolating,
      node: () => ({ flows: new Map([['41,300,reg1=100', shared]]), groups: new Map() }),
      policy: () => undefined,
      clusterPolicy: () => undefined,
    } as unknown as Compiler;
    const ledger = { keyOf: (_: string, number: number) => TEXTS[number - 1] };
    accumulator = new Accumulator(
      new Deciders(compiler, ledger),
      () => 42,
      (c) => counted.push(c),
    );
  });

  type Row = readonly [key: string, object: number, packets: number, leaves?: boolean];
  const event = (rows: readonly Row[], more: Partial<CountsEvent> = {}): CountsEvent => ({
    node: NODE,
    kind: 'all',
    counts: rows.map(([key, object, packets, leaves = false]) => ({
      ...{ key, cookie: cookie('policy', object), tableId: 61, priority: 300, packets, bytes: packets * 100, leaves },
    })),
    leaving: [],
    version: 'OF1.5',
    ...more,
  });
  const take = (rows: readonly Row[], more: Partial<CountsEvent> = {}) => accumulator.take(event(rows, more));
  const packets = () => Object.fromEntries([...accumulator.totals].map(([object, t]) => [object, t.packets]));

  it.each<[name: string, readings: readonly (readonly Row[])[], total: number]>([
    ['is counted from the first reading on', [[['a', 1, 5]]], 5],
    ['is counted once', [[['a', 1, 5]], [['a', 1, 5]], [['a', 1, 8]]], 8],
    ['counts from nothing after a restart of the switch', [[['a', 1, 5]], [], [['a', 1, 7]]], 12],
    ['counts from nothing where a flow has less than before', [[['a', 1, 5]], [['a', 1, 2]]], 7],
    [
      'is added up over the flows of a rule',
      [
        [['a', 1, 5]],
        [
          ['a', 1, 6],
          ['b', 1, 10],
        ],
        [['b', 1, 11]],
      ],
      17,
    ],
    ['goes on under another rule that takes the place of a flow', [[['a', 2, 5]], [['a', 1, 9]]], 4],
  ])('%s', (_, readings, total) => {
    for (const rows of readings) take(rows);
    expect(packets()[TEXTS[0] as string]).toBe(total);
  });
  it('is read once more before a flow goes, without forgetting the others', () => {
    take([
      ['a', 1, 5],
      ['b', 2, 5],
    ]);
    take([['a', 1, 9, true]], { kind: 'leaving' });
    take([['b', 2, 6]]);
    expect(packets()).toEqual({ [TEXTS[0] as string]: 9, [TEXTS[1] as string]: 6 });
  });
  it('counts from nothing where a flow comes again in the place of one that went', () => {
    take([['a', 1, 5]]);
    take([['a', 1, 9, true]], { kind: 'leaving' });
    take([['a', 1, 10]]);
    expect(packets()).toEqual({ [TEXTS[0] as string]: 19 });
  });
  it('is not counted twice where flows cannot be told apart from those before', () => {
    take([['a', 1, 5]]);
    take([['another form of a', 1, 7]], { version: 'OF1.3' });
    take([['another form of a', 1, 8]], { version: 'OF1.3' });
    expect(packets()[TEXTS[0] as string]).toBe(6);
  });
  it('belongs to each policy that isolates, to the last ones when none is left', () => {
    take([['i', 3, 5]]);
    isolating = [];
    take([['i', 3, 6]]);
    expect(packets()).toEqual({ 'isolated/x/p/ingress': 6, 'isolated/x/q/ingress': 6 });
    expect(counted.map((c) => c.decider.verdict)).toEqual(['denied', 'denied', 'denied', 'denied']);
  });
  it('belongs to those whom the flow named, where the isolation was never counted before it went', () => {
    isolating = [];
    const owners = [{ kind: 'NetworkPolicy', namespace: 'x', name: 'gone' }];
    const flow = { cookie: cookie('isolation', 3), provenance: { feature: 'isolation', owners, why: '' } };
    take([['i', 3, 5]], { kind: 'leaving', leaving: [flow as unknown as Flow] });
    expect(packets()).toEqual({ 'isolated/x/gone/ingress': 5 });
  });
  it('belongs to all rules that decide by one flow', () => {
    take([['s', 4, 5]]);
    expect(packets()).toEqual({ [TEXTS[0] as string]: 5, [TEXTS[1] as string]: 5 });
  });
  it('belongs to rules of cluster policies, by their action', () => {
    take([
      ['c', 5, 3],
      ['d', 6, 4],
    ]);
    expect(counted.map(({ decider: d, packets: n }) => [d.policy, d.direction, d.rule, d.verdict, n])).toEqual([
      ['/guard', 'egress', 0, 'denied', 3],
      ['/anp/old', 'ingress', 0, 'denied', 4],
    ]);
  });
  it('goes on where a rule of a policy that cuts has been changed', () => {
    take([['a', 1, 5]]);
    take([['b', 8, 4]]);
    expect(packets()).toEqual({ [TEXTS[0] as string]: 9 });
    expect(counted.at(-1)?.decider.rule).toBe(0);
  });
  it('belongs to nobody where it is no rule', () => {
    take([
      ['n', 7, 3],
      ['unknown', 99, 3],
    ]);
    expect(packets()).toEqual({});
  });
  it('is to be recorded only where it has moved', () => {
    take([['a', 1, 5]]);
    expect([[...accumulator.changed.totals], [...accumulator.changed.nodes]]).toEqual([[TEXTS[0]], [NODE]]);
    accumulator.changed.totals.clear();
    accumulator.changed.nodes.clear();
    take([['a', 1, 5]]);
    expect([accumulator.changed.totals.size, accumulator.changed.nodes.size]).toEqual([0, 0]);
  });
});
