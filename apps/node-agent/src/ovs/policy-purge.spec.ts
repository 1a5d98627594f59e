import { afterEach, describe, expect, it } from 'vitest';
import { FakeControl } from '../testing/fake-control.js';
import { PolicyPurge, type Purged, purgeDecisions } from './policy-purge.js';

function setUp(answer: () => Purged) {
  let time = 5_000;
  const events: string[] = [];
  const purges: number[] = [];
  const note = (_: object, event: string) => void events.push(event);
  const purge = new PolicyPurge({
    purge: async () => {
      purges.push(time);
      return answer();
    },
    now: () => time,
    logger: { info: note, warn: note },
  });
  return {
    purge,
    purges,
    events,
    pass: (ms: number) => {
      time += ms;
    },
  };
}

describe('a purge after policies have changed', () => {
  it('comes at once, for every epoch once', async () => {
    const { purge, purges, events } = setUp(() => 'purged');
    expect([purge.epoch, purge.restMs]).toEqual([0, 0]);
    expect(await purge.take(undefined)).toBe(false);
    expect(await purge.take(70)).toBe(true);
    expect([purge.epoch, purge.restMs]).toEqual([70, 0]);
    expect(await purge.take(70)).toBe(false);
    expect(await purge.take(72)).toBe(true);
    expect(purges).toEqual([5_000, 5_000]);
    expect(events).toEqual(['datapath_purged', 'datapath_purged']);
  });

  it('rests after five, for a second for each', async () => {
    const { purge, pass } = setUp(() => 'purged');
    let epoch = 0;
    const spend = async () => {
      let n = 0;
      for (; purge.restMs === 0; n++) await purge.take(++epoch);
      return n;
    };
    expect(await spend()).toBe(5);
    expect(purge.restMs).toBe(1_000);
    pass(400);
    expect(purge.restMs).toBe(600);
    pass(600);
    expect(await spend()).toBe(1);
    pass(2_500);
    expect(await spend()).toBe(2);
    expect(purge.restMs).toBe(500);
    pass(60_000);
    expect(await spend()).toBe(5);
  });

  it('costs five, one a second, and one after the last, however many changes there are', async () => {
    const { purge, purges, pass } = setUp(() => 'purged');
    // The controller: 5,000 changes, one a millisecond; the agent asks when its rest is over.
    const changes = Array.from({ length: 5_000 }, (_, i) => i + 1);
    let done = 0;
    for (const [ms, epoch] of changes.entries()) {
      if (purge.restMs === 0 && (await purge.take(epoch))) done = ms;
      pass(1);
    }
    pass(purge.restMs);
    expect(await purge.take(changes.length)).toBe(true);
    expect(purges).toEqual([5_000, 5_001, 5_002, 5_003, 5_004, 6_000, 7_000, 8_000, 9_000, 10_000]);
    expect(done).toBe(4_000);
    pass(purge.restMs);
    expect(await purge.take(changes.length)).toBe(false);
  });

  it('is not asked for any more where the switch does not need it', async () => {
    const { purge, purges, events } = setUp(() => 'not-needed');
    expect(await purge.take(1)).toBe(true);
    expect(purge.epoch).toBeUndefined();
    expect(await purge.take(2)).toBe(false);
    expect([purges.length, events]).toEqual([1, []]);
  });

  it('that fails is told once, and the next one is tried', async () => {
    let works = false;
    const { purge, purges, events } = setUp(() => {
      if (!works) throw new Error('no ovs-vswitchd');
      return 'purged';
    });
    for (const epoch of [1, 2, 3]) expect(await purge.take(epoch)).toBe(true);
    works = true;
    await purge.take(4);
    works = false;
    await purge.take(5);
    expect(purges).toHaveLength(5);
    expect(events).toEqual(['datapath_not_purged', 'datapath_purged', 'datapath_not_purged']);
  });
});

describe('a cache is emptied', () => {
  let control: FakeControl | undefined;
  afterEach(() => control?.stop());

  it.each<[name: string, version: string, left: readonly number[], purged: Purged, times: number]>([
    ['once if nothing is left', '3.1.0', [0], 'purged', 1],
    ['again if some decision was passed over', '3.1.0', [2, 0], 'purged', 2],
    ['not for ever while packets make new ones', '3.1.0', [40, 30, 50, 20], 'purged', 3],
    ['not at all where no decision is kept', '3.3.1', [], 'not-needed', 0],
  ])('%s', async (_, version, left, purged, times) => {
    const flows = [...left];
    control = await FakeControl.start((question) => {
      if (question === 'version') return `ovs-vswitchd (Open vSwitch) ${version}\n`;
      return question.startsWith('dpctl/show')
        ? `netdev@ovs-netdev:\n  lookups: hit:192 missed:48 lost:5\n  flows: ${flows.shift()}\n  port 0: ovs-netdev (tap)\n`
        : undefined;
    });
    expect(await purgeDecisions(control.folder)).toBe(purged);
    expect(control.asked.filter((question) => question === 'revalidator/purge')).toHaveLength(times);
  });
});
