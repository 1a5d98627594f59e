import { describe, expect, it } from 'vitest';
import { attach, detach, hold, namespace, noPod, pod } from '../testing/facts.js';
import { equal } from './equal.js';
import { Graph } from './graph.js';
import type { Keyed } from './spaces.js';
import { index, memo, type Root, root } from './steps.js';

const team = memo('team', (ns, cx) => cx.fact('namespace', ns)?.labels.team ?? 'none');
const members = index('members', 0);
const join = root('join', 0, 'pod', (key, cx) => ({
  entries: [[members, cx.fact('pod', key)?.labels.app ?? '', key]],
}));
const size = memo('size', (app, cx) => cx.members(members, app).size);
const emit = root('emit', 1, members, (app, cx) => ({
  fragment: [{ part: { flows: [] }, placement: { kind: 'nodes', nodes: [`${app} ${cx.read(size, app)}` as never] } }],
}));

function graph(...roots: Root[]) {
  return sharing([], ...roots);
}
function sharing(sharedKeys: readonly (readonly Keyed[])[], ...roots: Root[]) {
  const shown = new Map<string, unknown>();
  const made: Graph = new Graph({
    roots,
    sharedKeys,
    onFragment: (owner, now) => {
      const { root, key } = made.nameOf(owner);
      const name = `${root.name} ${key}`;
      if (now === undefined) shown.delete(name);
      else shown.set(name, now[0]?.placement);
    },
  });
  return { graph: made, shown };
}

describe('the graph of steps', () => {
  it('evaluates a step once for each key and not again while its inputs stay', () => {
    const user = root('user', 0, 'pod', (key, cx) => {
      cx.read(team, cx.fact('pod', key)?.namespace ?? '');
      return undefined;
    });
    const { graph: g } = graph(user);
    expect(g.apply([namespace('x', { team: 'a' }), pod('x/1'), pod('x/2')])).toEqual({ user: 2, team: 1 });
    expect(g.apply([namespace('x', { team: 'a' })])).toEqual({});
    // The namespace changes, its team does not: early cut-off.
    expect(g.apply([namespace('x', { team: 'a', other: 'b' })])).toEqual({ team: 1 });
    expect(g.apply([namespace('x', { team: 'b' })])).toEqual({ team: 1, user: 2 });
    expect(g.apply([noPod('x/1')])).toEqual({});
  });
  it('runs a root for every key of an index as long as it has members', () => {
    const { graph: g, shown } = graph(join, emit);
    g.apply([pod('x/1', { app: 'a' }), pod('x/2', { app: 'a' })]);
    expect([...shown]).toEqual([['emit a', { kind: 'nodes', nodes: ['a 2'] }]]);
    g.apply([noPod('x/1')]);
    expect([...shown]).toEqual([['emit a', { kind: 'nodes', nodes: ['a 1'] }]]);
    g.apply([pod('x/2', { app: 'b' })]);
    expect([...shown]).toEqual([['emit b', { kind: 'nodes', nodes: ['b 1'] }]]);
    g.apply([noPod('x/2')]);
    expect(shown.size).toBe(0);
  });
  it('disturbs nobody when a member leaves and comes back in one batch', () => {
    const { graph: g } = graph(join, emit);
    g.apply([pod('x/1', { app: 'a' })]);
    expect(g.apply([noPod('x/1'), pod('x/1', { app: 'a' })])).toEqual({ join: 1 });
  });
  it('forgets what nobody reads any more', () => {
    const { graph: g } = graph(join, emit);
    g.apply([pod('x/1', { app: 'a' })]);
    g.apply([noPod('x/1')]);
    expect(g.sizes()).toEqual({ size: 0, join: 0, emit: 0 });
    expect(g.inspect(size, 'a')).toBe(0);
    expect(g.sizes().size).toBe(0);
  });
  it('keeps facts, memos and sets of one key together, and each for as long as it is needed', () => {
    const name = memo('name', (key, cx) => `${cx.fact('pod', key)?.name} of ${cx.fact('hold', key)?.identityKey}`);
    const tell = root('tell', 1, 'attachment', (key, cx) => ({
      fragment: [{ part: { flows: [] }, placement: { kind: 'nodes', nodes: [cx.read(name, key) as never] } }],
    }));
    const { graph: g, shown } = sharing(
      [
        ['pod', 'attachment', 'hold', name],
        [members, size],
      ],
      join,
      emit,
      tell,
    );
    g.apply([pod('x/1', { app: 'a' }), attach('x/1', 1, 2), hold('x/1', 'k')]);
    expect([...shown.keys()].sort()).toEqual(['emit a', 'tell x/1']);
    expect(shown.get('tell x/1')).toEqual({ kind: 'nodes', nodes: ['1 of k'] });
    // Gone for the pod's own root, still read by the one of the attachment.
    expect(g.apply([noPod('x/1')])).toEqual({ name: 1, tell: 1 });
    expect(shown.get('tell x/1')).toEqual({ kind: 'nodes', nodes: ['undefined of k'] });
    g.apply([detach('x/1')]);
    expect([...shown]).toEqual([]);
    expect(g.sizes()).toEqual({ name: 0, join: 0, emit: 0, tell: 0, size: 0 });
    expect([g.factCount('hold'), g.factCount('pod'), g.indexSize(members)]).toEqual([1, 0, 0]);
    // Another key takes the place of the one that went; nothing of that is left in it.
    g.apply([{ kind: 'hold', key: 'x/1', value: undefined }]);
    g.apply([attach('x/2', 1, 3), pod('x/2', { app: 'a' })]);
    expect(shown.get('tell x/2')).toEqual({ kind: 'nodes', nodes: ['2 of undefined'] });
    expect([...g.allFacts('pod')].map(([key]) => key)).toEqual(['x/2']);
    expect(g.fact('hold', 'x/1')).toBeUndefined();
  });
  it('refuses a root that reads an index before it is complete', () => {
    const early = root('early', 0, 'attachment', (_, cx) => {
      cx.members(members, 'a');
      return undefined;
    });
    const { graph: g } = graph(join, early);
    expect(() => g.apply([attach('x/1', 1, 2)])).toThrow('members is not complete yet where it is read');
    expect(() => graph(root('wrong', 0, members, () => undefined))).toThrow('wrong runs over members');
  });
  it('treats a fact that is removed before it is there as nothing', () => {
    const { graph: g } = graph(join);
    expect(g.apply([noPod('x/1'), detach('x/1')])).toEqual({});
  });
});

describe('equal', () => {
  it.each([
    [{ a: 1, b: undefined }, { a: 1 }, true],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: 1, b: 2 }, { a: 1 }, false],
    [[1, [2n]], [1, [2n]], true],
    [[1], [1, 2], false],
    [[], {}, false],
    [new Set([1, 2]), new Set([2, 1]), true],
    [new Set([1]), new Set([2]), false],
    [null, {}, false],
    [undefined, undefined, true],
  ])('%o and %o: %s', (a, b, same) => {
    expect(equal(a, b)).toBe(same);
  });
});
