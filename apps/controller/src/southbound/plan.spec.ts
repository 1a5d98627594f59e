import type { Flow, Group } from '@heddle/compiler';
import type { FlowStats, GroupDesc, Instruction, Match, Mod, Version } from 'openflow-ts';
import { describe, expect, it } from 'vitest';
import { Dirty, frozen, frozenPart, Installed } from './content.js';
import { type Actual, type Content, differences, planDelta } from './plan.js';

const why = { feature: 'pod', owners: [], why: '' } as const;
const OURS = 0x4800_0000_0000_0001n;
const FIRST_GROUP = 0x4800_0000;

const flow = (key: string, priority: number, table = 2, match: Match = { in_port: 1 }): Flow => ({
  key,
  tableId: 1,
  priority,
  match,
  instructions: [{ kind: 'goto_table', table }],
  cookie: OURS,
  provenance: why,
});
const group = (n: number, port = 1): Group => ({
  id: FIRST_GROUP + n,
  buckets: [{ bucketId: 1, weight: 100, actions: [{ kind: 'output', port }] }],
  provenance: why,
});
const content = (...things: (Flow | Group)[]): Content => ({
  flows: new Map(things.flatMap((t) => ('key' in t ? [[t.key, t]] : []))),
  groups: new Map(things.flatMap((t) => ('id' in t ? [[t.id, t]] : []))),
});
const stats = (priority: number, instructions: readonly Instruction[], more: Partial<FlowStats> = {}): FlowStats => ({
  tableId: 1,
  priority,
  cookie: OURS,
  match: { in_port: 1 },
  instructions,
  durationSec: 7,
  durationNsec: 0,
  idleTimeout: 0,
  hardTimeout: 0,
  flags: 0,
  importance: 0,
  packetCount: 9n,
  byteCount: 900n,
  ...more,
});
const desc = (n: number, port: number, more: Partial<GroupDesc> = {}): GroupDesc => ({
  groupId: FIRST_GROUP + n,
  type: 'select',
  selectionMethod: 'dp_hash',
  selectionMethodParam: 0n,
  buckets: [{ bucketId: 1, weight: 100, actions: [{ kind: 'output', port }] }],
  ...more,
});

/** A mod as one line. */
const line = (mod: Mod): string =>
  mod.kind === 'flow_mod'
    ? `${mod.command} flow ${mod.priority}${mod.command === 'delete_strict' ? ` mask ${mod.cookieMask.toString(16)}` : ''}`
    : `${mod.command} group ${mod.groupId - FIRST_GROUP}`;
const MASK = 'mask ff00000000000000';

describe('planDelta', () => {
  const a = flow('a', 1);
  const b = flow('b', 2);
  it.each<[string, Content, Content, readonly string[]]>([
    ['nothing to do', content(a, group(0)), content(a, group(0)), []],
    ['a new flow', content(a, b), content(a), ['add flow 2']],
    ['a flow that is gone', content(a), content(a, b), [`delete_strict flow 2 ${MASK}`]],
    ['a flow with other instructions', content(flow('a', 1, 3)), content(a), ['add flow 1']],
    ['an equal flow in another object', content(flow('a', 1)), content(a), []],
    ['a new group', content(group(0)), content(), ['add group 0']],
    ['a group with another bucket', content(group(0, 2)), content(group(0)), ['modify group 0']],
    ['a group that is gone', content(), content(group(0)), ['delete group 0']],
    [
      'groups first, deletes last, groups last of all',
      content(flow('a', 1, 3), group(0, 2), group(1)),
      content(a, b, group(0), group(2)),
      ['modify group 0', 'add group 1', 'add flow 1', `delete_strict flow 2 ${MASK}`, 'delete group 2'],
    ],
  ])('%s', (_, wanted, installed, expected) => {
    const dirty = {
      flows: new Set([...wanted.flows.keys(), ...installed.flows.keys()]),
      groups: new Set([...wanted.groups.keys(), ...installed.groups.keys()]),
    };
    expect(planDelta(wanted, installed, dirty, 'OF1.5').map(line)).toEqual(expected);
  });

  it('looks at dirty keys only', () => {
    const dirty = { flows: new Set(['b']), groups: new Set<number>() };
    expect(planDelta(content(a, b, group(0)), content(), dirty, 'OF1.5').map(line)).toEqual(['add flow 2']);
  });

  it.each<[Version, string | undefined]>([
    ['OF1.3', undefined],
    ['OF1.4', undefined],
    ['OF1.5', 'dp_hash'],
  ])('%s: names the selection method only where it can be said', (version, method) => {
    const dirty = { flows: new Set<string>(), groups: new Set([FIRST_GROUP]) };
    expect(planDelta(content(group(0)), content(), dirty, version)).toMatchObject([{ type: 'select' }]);
    const [mod] = planDelta(content(group(0)), content(), dirty, version);
    expect(mod?.kind === 'group_mod' && mod.selectionMethod).toBe(method ?? undefined);
  });

  it('gives the same message for the same flow, so that it is encoded once for all switches', () => {
    const dirty = { flows: new Set(['a']), groups: new Set<number>() };
    const [one] = planDelta(content(a), content(), dirty, 'OF1.5');
    const [other] = planDelta(content(a), content(), dirty, 'OF1.5');
    expect(one).toBe(other);
  });
});

describe('differences', () => {
  const goto2: Instruction[] = [{ kind: 'goto_table', table: 2 }];
  const goto3: Instruction[] = [{ kind: 'goto_table', table: 3 }];
  it.each<[string, Content, Actual, Version, readonly string[]]>([
    ['the same', content(flow('a', 1)), { flows: [stats(1, goto2)], groups: [] }, 'OF1.5', []],
    ['a missing flow', content(flow('a', 1)), { flows: [], groups: [] }, 'OF1.5', ['missing: add flow 1']],
    [
      'another target',
      content(flow('a', 1)),
      { flows: [stats(1, goto3)], groups: [] },
      'OF1.5',
      ['changed: add flow 1'],
    ],
    [
      'another cookie',
      content(flow('a', 1)),
      { flows: [stats(1, goto2, { cookie: OURS + 1n })], groups: [] },
      'OF1.5',
      ['changed: add flow 1'],
    ],
    [
      'a timeout',
      content(flow('a', 1)),
      { flows: [stats(1, goto2, { idleTimeout: 5 })], groups: [] },
      'OF1.5',
      ['changed: add flow 1'],
    ],
    [
      'an empty apply_actions where a drop is wanted',
      content({ ...flow('a', 1), instructions: [] }),
      { flows: [stats(1, [{ kind: 'apply_actions', actions: [] }])], groups: [] },
      'OF1.5',
      [],
    ],
    [
      'a flow too many',
      content(),
      { flows: [stats(4, goto2)], groups: [] },
      'OF1.5',
      [`extra: delete_strict flow 4 ${MASK}`],
    ],
    ['the same group', content(group(0)), { flows: [], groups: [desc(0, 1)] }, 'OF1.5', []],
    ['another bucket', content(group(0)), { flows: [], groups: [desc(0, 2)] }, 'OF1.5', ['changed: modify group 0']],
    [
      'another selection method',
      content(group(0)),
      { flows: [], groups: [desc(0, 1, { selectionMethod: 'hash' })] },
      'OF1.5',
      ['changed: modify group 0'],
    ],
    [
      'a method that 1.3 does not tell',
      content(group(0)),
      {
        flows: [],
        groups: [
          { groupId: FIRST_GROUP, type: 'select', buckets: [{ weight: 100, actions: [{ kind: 'output', port: 1 }] }] },
        ],
      },
      'OF1.3',
      [],
    ],
    ['a group too many', content(), { flows: [], groups: [desc(3, 1)] }, 'OF1.5', ['extra: delete group 3']],
  ])('%s', (_, wanted, actual, version, expected) => {
    const found = [...differences(wanted, actual, version)].filter((d) => d !== undefined);
    expect(found.map((d) => `${d.kind}: ${line(d.mod)}`)).toEqual(expected);
  });

  it('stops on the way through a large table, so that others get their turn', () => {
    const flows = Array.from({ length: 2000 }, (_, i) => flow(`f${i}`, i));
    const steps = [...differences(content(...flows), { flows: [], groups: [] }, 'OF1.5')];
    expect(steps.filter((s) => s === undefined).length).toBeGreaterThan(2);
  });
});

describe('what a switch is known to have', () => {
  it('does not move with the live flow set', () => {
    const live = { flows: new Map([['a', flow('a', 1)]]), groups: new Map([[1, group(1)]]) };
    const whole = frozen(live, undefined);
    const dirty = new Dirty();
    dirty.add({ flows: new Set(['a']), groups: new Set() });
    const part = frozenPart(live, dirty, undefined);
    live.flows.clear();
    live.groups.clear();
    expect([whole.flows.size, whole.groups.size, part.flows.size, part.groups.size]).toEqual([1, 1, 1, 0]);
  });

  it('takes acknowledged keys, and only those', () => {
    const installed = new Installed();
    installed.reset(content(flow('a', 1), flow('b', 2)));
    installed.take(content(flow('c', 3)), { flows: ['a', 'c'], groups: [] });
    expect([...installed.flows.keys()]).toEqual(['b', 'c']);
  });

  it('holds each key once, however often it changes', () => {
    const dirty = new Dirty();
    for (let i = 0; i < 1000; i++) dirty.add({ flows: new Set(['a', 'b']), groups: new Set([1]) });
    expect(dirty.size).toBe(3);
  });
});
