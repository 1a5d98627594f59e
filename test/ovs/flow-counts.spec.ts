import { connectOpenFlow, flowKey, flowMod, flowStatsRequest, type OpenFlowSession, readFlowCounts } from 'openflow-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const FLOWS = [
  flowMod({
    tableId: 0,
    priority: 10,
    cookie: 0x4801n,
    match: { in_port: 1 },
    instructions: [{ kind: 'goto_table', table: 5 }],
  }),
  flowMod({
    tableId: 5,
    priority: 20,
    cookie: 0x4802n,
    match: { eth_type: 0x800, nw_proto: 17, udp_dst: 53, reg1: 0 },
  }),
  flowMod({ tableId: 5, priority: 20, cookie: 0x4802n, match: { eth_type: 0x800, nw_proto: 17, udp_dst: 54 } }),
  flowMod({ tableId: 5, priority: 20, cookie: 0x4902n, match: { eth_type: 0x800, nw_proto: 17, udp_dst: 55 } }),
  flowMod({ tableId: 5, priority: 1, cookie: 0x4803n, match: { eth_type: 0x86dd } }),
];
const udp = (port: number): string =>
  `in_port(1),eth(src=0a:5a:00:00:00:01,dst=0a:58:00:00:00:01),eth_type(0x0800),ipv4(src=10.244.1.2,dst=10.244.1.3,proto=17,tos=0,ttl=64,frag=no),udp(src=1000,dst=${port})`;

describe.skipIf(!hasOvs())('counters of flows, read where they stand', () => {
  let ovs: TestSwitch;

  beforeAll(async () => {
    ovs = await startSwitch();
    await ovs.addPort('p1', 1);
    const session = await connectOpenFlow({ target: ovs.openflow });
    await session.apply(FLOWS);
    session.close();
    await ovs.receive('p1', udp(53), udp(53), udp(53), udp(54), udp(55), udp(55));
    await ovs.purge();
  });
  afterAll(() => ovs?.stop());

  const connect = (version: OpenFlowSession['version']) =>
    connectOpenFlow({ target: ovs.openflow, versions: [version] });

  it.each(['OF1.3', 'OF1.4', 'OF1.5'] as const)(
    '%s: of those that have matched, as a full answer has them',
    async (version) => {
      const session = await connect(version);
      try {
        const counts = await readFlowCounts(session);
        expect(
          counts
            .map((c) => [c.cookie, c.tableId, c.priority, c.packets, c.bytes])
            .sort((a, b) => Number(b[3]) - Number(a[3])),
        ).toEqual([
          [0x4801n, 0, 10, 6, 636],
          [0x4802n, 5, 20, 3, 318],
          [0x4902n, 5, 20, 2, 212],
          [0x4802n, 5, 20, 1, 106],
        ]);
        expect(new Set(counts.map((c) => c.key)).size).toBe(4);
        const full = await session.multipart(flowStatsRequest());
        const matched = full.filter((f) => f.packetCount > 0n);
        expect(counts.map((c) => flowKey(c.flow())).sort()).toEqual(matched.map(flowKey).sort());
      } finally {
        session.close();
      }
    },
  );
  it('of the flows that a filter names', async () => {
    const session = await connect('OF1.5');
    try {
      const filter = { cookie: 0x4802n, cookieMask: 0xffff_ffff_ffff_ffffn };
      expect((await readFlowCounts(session, filter)).map((c) => c.packets).sort()).toEqual([1, 3]);
      expect(await readFlowCounts(session, { tableId: 9 })).toEqual([]);
    } finally {
      session.close();
    }
  });
});
