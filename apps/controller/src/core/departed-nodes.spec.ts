import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { DepartedNodes } from './departed-nodes.js';

const MINUTE = 60_000;
const GRACE = 5 * MINUTE;

let clock: ManualClock;
let registered: string[];
let objects: Set<string> | undefined;
let connected: Map<string, string>;
let pods: Map<string, number>;
let failing: Error | undefined;
let told: string[];
let departed: DepartedNodes;

beforeEach(() => {
  clock = new ManualClock(1_000);
  registered = ['a', 'b', 'c', 'd', 'e', 'f'];
  objects = new Set(registered);
  connected = new Map();
  pods = new Map();
  failing = undefined;
  told = [];
  departed = new DepartedNodes({
    clock,
    graceMs: GRACE,
    registered: () => registered,
    present: () => objects,
    connected: (node) => connected.get(node),
    pods: () => pods,
    remove: async (node) => {
      if (failing !== undefined) throw failing;
      registered = registered.filter((name) => name !== node);
      told.push(`removed ${node}`);
    },
    events: {
      absent: (node) => told.push(`absent ${node}`),
      kept: (node, reason) => told.push(`kept ${node}: ${reason}`),
      failed: (node, error) => told.push(`failed ${node}: ${error}`),
    },
  });
});

const look = async (ms = 0): Promise<string[]> => {
  clock.advance(ms);
  told = [];
  await departed.look();
  return told;
};
const gone = (...names: string[]) => {
  objects = new Set(registered.filter((name) => !names.includes(name)));
};

describe('a node without a Node object', () => {
  it('is removed when its time is over, and not before', async () => {
    gone('b');
    expect(await look()).toEqual(['absent b']);
    expect(await look(GRACE - 1)).toEqual([]);
    expect(await look(1)).toEqual(['removed b']);
    expect(await look(GRACE)).toEqual([]);
  });

  it('begins anew when the object was there in between', async () => {
    gone('b');
    await look();
    gone();
    await look(GRACE - 1);
    gone('b');
    expect(await look(1)).toEqual(['absent b']);
    expect(await look(GRACE - 1)).toEqual([]);
  });

  it('begins anew when nobody knew in between', async () => {
    gone('b');
    await look();
    const known = objects;
    objects = undefined;
    expect(await look(GRACE)).toEqual([]);
    objects = known;
    expect(await look()).toEqual(['absent b']);
  });

  it.each<[name: string, arrange: () => void, mend: () => void, reason: RegExp]>([
    [
      'its agent is connected',
      () => connected.set('b', 'its agent'),
      () => connected.clear(),
      /^kept b: there is no Node object, but its agent is connected: the node stays/,
    ],
    [
      'the cluster has pods on it',
      () => pods.set('b', 2),
      () => pods.clear(),
      /^kept b: there is no Node object, but the cluster has 2 pods on it/,
    ],
  ])('stays as long as %s, which is told once and is a problem', async (_, arrange, mend, reason) => {
    gone('b');
    arrange();
    await look();
    expect(await look(GRACE)).toEqual([expect.stringMatching(reason)]);
    expect(await look(GRACE)).toEqual([]);
    expect(departed.problems()).toMatchObject([
      { severity: 'warning', file: 'kubernetes:/api/v1/nodes/b', object: { kind: 'Node', namespace: '', name: 'b' } },
    ]);
    mend();
    expect(await look()).toEqual(['removed b']);
    expect(departed.problems()).toEqual([]);
  });

  it('is tried again when it could not be removed', async () => {
    gone('b');
    await look();
    failing = new Error('database away');
    expect(await look(GRACE)).toEqual(['failed b: Error: database away']);
    failing = undefined;
    expect(await look()).toEqual(['removed b']);
  });
});

describe('an API server that forgets nodes', () => {
  it.each<[absent: string[], outcome: 'removed' | RegExp]>([
    [['a', 'b'], 'removed'],
    [['a', 'b', 'c'], /3 of 6 nodes are without a Node object, which is more than a third/],
    [['a', 'b', 'c', 'd', 'e', 'f'], /the API server has no Node object at all/],
  ])('%j of six nodes', async (absent, outcome) => {
    gone(...absent);
    await look();
    const said = await look(GRACE);
    expect(said).toEqual(
      absent.map((name) => (outcome === 'removed' ? `removed ${name}` : expect.stringMatching(outcome))),
    );
    expect(departed.problems().length).toBe(outcome === 'removed' ? 0 : absent.length);
  });

  it('is doubted as well by nodes whose time is not over, and by those that are connected', async () => {
    connected.set('c', 'its switch');
    gone('a');
    await look();
    gone('a', 'b', 'c');
    expect((await look(GRACE)).filter((line) => line.startsWith('removed'))).toEqual([]);
    // c has its object back: two of six are believed.
    gone('a', 'b');
    expect(await look()).toEqual(['removed a']);
    expect(await look(GRACE)).toEqual(['removed b']);
  });

  it('may forget one node of two', async () => {
    registered = ['a', 'b'];
    gone('b');
    await look();
    expect(await look(GRACE)).toEqual(['removed b']);
  });
});

it('looks by itself until it is stopped', async () => {
  gone('b');
  departed.start();
  const settle = () => new Promise((done) => setImmediate(done));
  for (let i = 0; i < 40 && registered.includes('b'); i++) {
    await settle();
    clock.advance(10_000);
  }
  expect(registered).not.toContain('b');
  departed.stop();
  await settle();
  gone('c');
  told = [];
  clock.advance(GRACE * 2);
  await settle();
  expect(told).toEqual([]);
});
