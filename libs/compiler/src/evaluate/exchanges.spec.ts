import { type Action, type Match } from 'openflow-ts/codec';
import { describe, expect, test } from 'vitest';
import { CT_STATE } from '../pipeline/constants.js';
import { createEvaluator } from './evaluator.js';
import { readField } from './fields.js';
import { echoPacket, header, type Packet, replyTo } from './packet.js';
import { flow, flowSet } from './testing/flows.js';
import { A, ip4, out, ports, run, set, sub, tcp } from './testing/runs.js';
import { tunnelWire } from './wire.js';

describe('two nodes', () => {
  const tunnels = [
    { name: 'n1', encapIp: '192.0.2.1', tunnelOfport: 1 },
    { name: 'n2', encapIp: '192.0.2.2', tunnelOfport: 1 },
  ] as never[];
  const sender = flowSet([
    flow(0, 1, { in_port: 256 }, [
      set('reg1', 300),
      set('tun_id', 1n),
      set('tun_dst', ip4('192.0.2.2')),
      { kind: 'move', source: sub('reg1', 0, 32), target: sub('tun_metadata0', 0, 32) },
      out(1),
    ]),
  ]);
  const receiver = flowSet([
    flow(
      0,
      1,
      { in_port: 1, tun_id: 1n, tun_src: ip4('192.0.2.1'), tun_dst: ip4('192.0.2.2'), reg1: 0 },
      [{ kind: 'move', source: sub('tun_metadata0', 0, 32), target: sub('reg2', 0, 32) }],
      1,
    ),
    flow(1, 1, { reg2: 300 }, [out(260)]),
    flow(1, 1, { reg2: 0 }, [out(261)]),
  ]);
  const nodes = (name: string) => (name === 'n1' ? sender : name === 'n2' ? receiver : undefined);
  test.each([
    ['geneve', 260],
    ['vxlan', 261],
  ] as const)('%s carries what it can carry, and no registers', (encap, ofport) => {
    const evaluator = createEvaluator({ nodes, wire: tunnelWire(tunnels, encap) });
    const journey = evaluator.send('n1', 256, tcp('10.0.0.1', '10.0.1.1'));
    expect(journey.deliveries.map((d) => [d.node, d.ofport])).toEqual([['n2', ofport]]);
    expect(journey.lookups.map((s) => `${s.node}/${s.tableId}`)).toEqual(['n1/0', 'n2/0', 'n2/1']);
  });
  test('a packet to an unknown VTEP is lost', () => {
    const evaluator = createEvaluator({ nodes, wire: tunnelWire(tunnels.slice(0, 1), 'geneve') });
    expect(evaluator.send('n1', 256, tcp('10.0.0.1', '10.0.1.1')).drops.map((d) => d.reason)).toEqual(['no peer']);
  });
});

describe('ct in a pipeline', () => {
  const ct = (rest: object): Action => ({ kind: 'ct', zone: 5, ...rest }) as Action;
  const nat = (dst: string, port?: number) => ({
    type: 'dst',
    ip: { min: { family: 4, value: ip4(dst) } },
    ...(port ? { port: { min: port } } : {}),
  });
  const state = (on: number, off = 0): Match => ({ eth_type: 0x800, ct_state: [on, on | off] });
  // Port 1 asks 10.96.0.1:80 and is sent to 10.0.1.1:8080 behind port 2; only new connections of port 1 are committed.
  const flows = [
    flow(0, 1, { eth_type: 0x800 }, [ct({ nat: {}, table: 1 })]),
    flow(1, 9, state(CT_STATE.inv | CT_STATE.trk), []),
    flow(1, 8, { ...state(CT_STATE.trk | CT_STATE.est), ct_mark: [1, 1] }, [], 3),
    flow(1, 7, { ...state(CT_STATE.trk | CT_STATE.rel), ct_mark: [1, 1] }, [], 3),
    flow(1, 5, { ...state(CT_STATE.trk | CT_STATE.new), in_port: 1 }, [
      set('reg4', 42),
      ct({
        commit: true,
        nat: nat('10.0.1.1', 8080),
        exec: [set('ct_mark', 1, 1), { kind: 'move', source: sub('reg4', 0, 32), target: sub('ct_label', 32, 32) }],
        table: 3,
      }),
    ]),
    flow(3, 2, { in_port: 1 }, [out(2)]),
    flow(3, 2, { in_port: 2 }, [out(1)]),
  ];
  const make = () => {
    const set = flowSet(flows);
    return createEvaluator({ nodes: () => set });
  };
  const summary = (j: ReturnType<ReturnType<typeof make>['send']>) =>
    j.deliveries.map((d) => [
      d.ofport,
      header(d.packet, 'ip_src'),
      header(d.packet, 'ip_dst'),
      header(d.packet, 'tcp_src'),
      header(d.packet, 'tcp_dst'),
    ]);

  test('a whole exchange is translated both ways', () => {
    const evaluator = make();
    const syn = tcp('10.0.0.1', '10.96.0.1');
    const first = evaluator.send('n1', 1, syn);
    expect(summary(first)).toEqual([[2, ip4('10.0.0.1'), ip4('10.0.1.1'), 40000, 8080]]);
    const answer = evaluator.send('n1', 2, replyTo(first.deliveries[0]?.packet as Packet));
    expect(summary(answer)).toEqual([[1, ip4('10.96.0.1'), ip4('10.0.0.1'), 80, 40000]]);
    const third = evaluator.send('n1', 1, replyTo(answer.deliveries[0]?.packet as Packet));
    expect(summary(third)).toEqual([[2, ip4('10.0.0.1'), ip4('10.0.1.1'), 40000, 8080]]);
    const [connection] = evaluator.connections('n1').connections();
    expect([connection?.mark, connection?.label]).toEqual([1, 42n << 32n]);
  });
  test('the far end cannot begin a connection', () => {
    expect(
      make()
        .send('n1', 2, tcp('10.0.1.1', '10.0.0.1'))
        .drops.map((d) => d.reason),
    ).toEqual(['table miss']);
  });
  test('ct_state of each packet of the exchange', () => {
    const evaluator = make();
    const states: number[] = [];
    let packet = tcp('10.0.0.1', '10.96.0.1');
    for (const port of [1, 1, 2, 1]) {
      const journey = evaluator.send('n1', port, packet);
      states.push(Number(readField({ ...journey.lookups[1]?.seen }, 'ct_state')));
      const delivered = journey.deliveries[0]?.packet as Packet;
      // The second packet is the first one sent again.
      if (states.length > 1) packet = replyTo(delivered);
    }
    const { trk, new: fresh, est, rpl, dnat, snat } = CT_STATE;
    expect(states).toEqual([trk | fresh, trk | fresh | dnat, trk | est | rpl | snat, trk | est | dnat]);
  });
});

test('ct without a table leaves the packet as it was', () => {
  const flows = [
    flow(0, 1, { eth_type: 0x800 }, [{ kind: 'ct', zone: 5, commit: true }], 1),
    flow(1, 2, { ct_state: [CT_STATE.trk, CT_STATE.trk] } as Match, [out(3)]),
    flow(1, 1, {}, [out(2)]),
  ];
  expect(ports(run(flows, echoPacket({ ...A, src: '10.0.0.1', dst: '10.0.0.2', id: 7 })))).toEqual([2]);
});

test('ct takes its zone from a register', () => {
  const flows = [
    flow(0, 1, {}, [set('reg0', 0x12 << 8), { kind: 'ct', zone: sub('reg0', 8, 16), table: 1 }]),
    flow(1, 1, { ct_zone: 0x12 }, [out(2)]),
  ];
  expect(ports(run(flows, tcp('10.0.0.1', '10.0.0.2')))).toEqual([2]);
});
