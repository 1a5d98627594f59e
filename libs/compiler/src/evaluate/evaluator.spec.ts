import { type Action, type Match, parseMac } from 'openflow-ts/codec';
import { describe, expect, test } from 'vitest';
import { CT_STATE } from '../pipeline/constants.js';
import { type Packet } from './packet.js';
import { flow, group } from './testing/flows.js';
import { ip4, out, ports, run, set, tcp } from './testing/runs.js';

describe('lookup', () => {
  const packet = tcp('10.0.0.1', '10.0.1.2');
  const v4 = { eth_type: 0x800 };
  const rows: [string, [number, Match][], number[]][] = [
    [
      'takes the highest priority',
      [
        [1, v4],
        [5, v4],
        [3, v4],
      ],
      [1],
    ],
    ['takes nothing where nothing matches', [[1, { eth_type: 0x86dd }]], []],
    ['matches under a mask', [[2, { ...v4, ip_dst: [ip4('10.0.1.0'), 0xffffff00] }]], [0]],
    ['does not match under a mask', [[2, { ...v4, ip_dst: [ip4('10.0.2.0'), 0xffffff00] }]], []],
    ['matches the highest bit of an address', [[2, { ...v4, ip_src: [0, 0x80000000] }]], [0]],
    ['matches a masked port', [[2, { ...v4, nw_proto: 6, tcp_dst: [80, 0xfffe] }]], [0]],
    [
      'reads an unwritten register as 0',
      [
        [2, { reg0: 0 }],
        [3, { reg0: [1, 1] }],
      ],
      [0],
    ],
    [
      'reads ct_state as 0 before conntrack',
      [
        [2, { ct_state: [0, CT_STATE.trk] }],
        [3, { ct_state: [CT_STATE.trk, CT_STATE.trk] }],
      ],
      [0],
    ],
    ['matches a masked MAC', [[2, { eth_dst: [parseMac('02:00:00:00:00:00'), parseMac('ff:00:00:00:00:00')] }]], [0]],
  ];
  test.each(rows)('%s', (_, flows, hits) => {
    const made = flows.map(([priority, match], i) => flow(0, priority, match, [out(100 + i)]));
    expect(ports(run(made, packet))).toEqual(hits.map((i) => 100 + i));
  });

  test('refuses flows of one priority that both match and differ', () => {
    const flows = [flow(0, 1, { eth_type: 0x800 }, [out(2)]), flow(0, 1, { in_port: 1 }, [out(3)])];
    expect(() => run(flows, packet)).toThrow(/one priority/);
  });
  test('accepts flows of one priority that do the same', () => {
    const flows = [flow(0, 1, { eth_type: 0x800 }, [out(2)]), flow(0, 1, { in_port: 1 }, [out(2)])];
    expect(ports(run(flows, packet))).toEqual([2]);
  });
});

describe('conjunctive match', () => {
  const clause = (id: number, clause: number, of: number): Action => ({ kind: 'conjunction', id, clause, of });
  const src = (text: string): Match => ({ eth_type: 0x800, ip_src: ip4(text) });
  const dst = (text: string): Match => ({ eth_type: 0x800, ip_dst: ip4(text) });
  const port = (n: number): Match => ({ eth_type: 0x800, nw_proto: 6, tcp_dst: n });
  const flows = [
    flow(0, 10, src('10.0.0.1'), [clause(7, 1, 3)]),
    flow(0, 10, src('10.0.0.2'), [clause(7, 1, 3), clause(8, 1, 2)]),
    flow(0, 10, dst('10.0.1.1'), [clause(7, 2, 3)]),
    flow(0, 10, port(80), [clause(7, 3, 3)]),
    flow(0, 10, port(81), [clause(8, 2, 2)]),
    flow(0, 10, { conj_id: 7 }, [out(7)]),
    flow(0, 10, { conj_id: 8 }, [out(8)]),
    flow(0, 5, { eth_type: 0x800, ip_src: ip4('10.0.0.1') }, [out(5)]),
    flow(0, 20, { eth_type: 0x800, ip_src: ip4('10.0.0.2'), ip_dst: ip4('10.0.1.9') }, [out(20)]),
    flow(0, 1, {}, [out(99)]),
  ];
  const rows: [string, Packet, number][] = [
    ['all three clauses', tcp('10.0.0.1', '10.0.1.1'), 7],
    ['a clause of another id does not help', tcp('10.0.0.1', '10.0.1.1', 81), 5],
    ['a missing clause falls to a lower flow', tcp('10.0.0.1', '10.0.1.2'), 5],
    ['one flow serves two ids', tcp('10.0.0.2', '10.0.1.2', 81), 8],
    ['a higher ordinary flow wins', tcp('10.0.0.2', '10.0.1.9', 81), 20],
    ['nothing met: the lowest', tcp('10.0.0.3', '10.0.1.1'), 99],
  ];
  test.each(rows)('%s', (_, packet, expected) => {
    expect(ports(run(flows, packet))).toEqual([expected]);
  });
  test('names the flows that gave the clauses', () => {
    const [step] = run(flows, tcp('10.0.0.1', '10.0.1.1')).lookups;
    expect(step?.conjunction.map((f) => f.match)).toEqual([src('10.0.0.1'), dst('10.0.1.1'), port(80)]);
  });
  test('a conjunction without its conj_id flow falls through', () => {
    expect(
      ports(
        run(
          flows.filter((f) => f.match.conj_id === undefined),
          tcp('10.0.0.1', '10.0.1.1'),
        ),
      ),
    ).toEqual([5]);
  });
  test('an ordinary flow beats clauses of its own priority', () => {
    expect(ports(run([...flows, flow(0, 10, { in_port: 1 }, [out(10)])], tcp('10.0.0.1', '10.0.1.1')))).toEqual([10]);
  });
});

describe('groups', () => {
  const groups = [
    group(9, [set('reg1', 1), { kind: 'resubmit', table: 4 }], [set('reg1', 2), { kind: 'resubmit', table: 4 }]),
  ];
  const flows = [
    flow(0, 1, {}, [
      { kind: 'group', group: 9 },
      { kind: 'resubmit', table: 4 },
    ]),
    flow(4, 1, { reg1: 0 }, [out(10)]),
    flow(4, 1, { reg1: 1 }, [out(11)]),
    flow(4, 1, { reg1: 2 }, [out(12)]),
  ];
  test.each([
    [0, [11, 10]],
    [1, [12, 10]],
  ])('bucket %i is taken and its changes are undone behind it', (bucket, expected) => {
    expect(ports(run(flows, tcp('10.0.0.1', '10.0.1.1'), { groups, bucket }))).toEqual(expected);
  });
  test('a bucket that sends nowhere is a drop', () => {
    const journey = run([flow(0, 1, {}, [{ kind: 'group', group: 9 }])], tcp('10.0.0.1', '10.0.1.1'), {
      groups: [group(9, [])],
    });
    expect(journey.drops.map((d) => d.reason)).toEqual(['no action']);
  });
  test('a group without buckets is a drop', () => {
    const journey = run([flow(0, 1, {}, [{ kind: 'group', group: 9 }])], tcp('10.0.0.1', '10.0.1.1'), {
      groups: [group(9)],
    });
    expect(journey.drops.map((d) => d.reason)).toEqual(['no bucket']);
  });
});
