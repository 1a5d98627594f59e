import { join } from 'node:path';
import { type Flow, nodeName, readRegister, setRegister, TABLE_ID } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import type { PacketInEvent } from '../../apps/controller/src/core/ports.js';
import { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import { PACKET_IN_LIMIT } from '../../apps/node-agent/src/ovs/plan.js';
import { HandMadeState, testFlow } from '../support/flow-set.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const NODE = nodeName('node1');
const OBJECT = 0x1234;
/** Packets of one call. */
const AT_ONCE = 100;

/** What a packet of a pod meets: registers are written, PolicyLog tells, the packet goes on to another port. */
const FLOWS: readonly Flow[] = [
  testFlow(TABLE_ID.Classify, 100, { in_port: 256 }, [
    {
      kind: 'apply_actions',
      actions: [setRegister('vpc', 1), setRegister('egressRule', OBJECT), setRegister('sourceIdentity', 300)],
    },
    { kind: 'goto_table', table: TABLE_ID.PolicyLog },
  ]),
  testFlow(
    TABLE_ID.PolicyLog,
    100,
    { reg4: OBJECT },
    [
      { kind: 'apply_actions', actions: [{ kind: 'controller' }] },
      { kind: 'goto_table', table: TABLE_ID.Output },
    ],
    OBJECT,
  ),
  testFlow(TABLE_ID.Output, 0, {}, [{ kind: 'apply_actions', actions: [{ kind: 'output', port: 257 }] }]),
];
const udp = (port: number): string =>
  `in_port(1),eth(src=0a:5a:00:00:00:01,dst=0a:58:00:00:00:01),eth_type(0x0800),ipv4(src=10.244.1.2,dst=10.244.1.3,proto=17,tos=0,ttl=64,frag=no),udp(src=1000,dst=${port})`;

const burst = Array.from({ length: AT_ONCE }, (_, n) => udp(1 + n));

describe.skipIf(!hasOvs())('packets that flows tell of', () => {
  let ovs: TestSwitch;
  let manager: SwitchManager;
  let state: HandMadeState;
  let errors: object[];
  const ends: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    ovs = await startSwitch();
    ends.push(() => ovs.stop());
    for (const port of [256, 257]) await ovs.addPort(`p${port}`, port);
    state = new HandMadeState(NODE);
    errors = [];
    const quiet = () => undefined;
    manager = new SwitchManager({
      desired: { node: () => state, nodeOfDatapath: () => NODE },
      logger: { debug: quiet, info: quiet, warn: quiet, error: (line) => void errors.push(line) },
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap: 'vxlan',
    });
    ends.push(() => manager.stop());
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function connect(protocol = 'OpenFlow15'): Promise<void> {
    const path = `unix:${join(ovs.dir, 'controller.sock')}`;
    await ovs.vsctl('set', 'bridge', 'br-int', `protocols=${protocol}`);
    tell(FLOWS);
    await manager.start({ listen: [path] });
    await ovs.vsctl('set-controller', 'br-int', path);
    await realized();
  }
  const tell = (flows: readonly Flow[]) => manager.notify(state.generation + 1, state.change(flows));
  const realized = () => expect.poll(() => manager.state(NODE)?.realizedGeneration).toBe(state.generation);
  const send = (...packets: readonly string[]) => ovs.receive('p256', ...packets);

  it.each(['OpenFlow13', 'OpenFlow14', 'OpenFlow15'])(
    'come with table, cookie, registers and bytes in %s, and the packet goes on',
    async (protocol) => {
      const events: PacketInEvent[] = [];
      manager.onPacketIn((event) => events.push(event));
      await connect(protocol);
      await send(udp(53));
      await expect.poll(() => events.length).toBe(1);
      const [event] = events as [PacketInEvent];
      expect(event).toMatchObject({
        node: NODE,
        tableId: TABLE_ID.PolicyLog,
        cookie: FLOWS[1]?.cookie,
        reason: 'action',
      });
      expect(event.fields.in_port).toBe(256);
      expect(
        (['vpc', 'egressRule', 'sourceIdentity', 'ingressRule'] as const).map((r) => readRegister(event.fields, r)),
      ).toEqual([1, OBJECT, 300, 0]);
      expect(event.data.length).toBe(event.totalLength);
      expect(Buffer.from(event.data.subarray(26, 34)).toString('hex')).toBe('0af401020af40103');
      await expect.poll(() => ovs.ofctl('dump-ports', 'br-int', 'p257')).toMatch(/tx pkts=1,/);
    },
  );

  it('come again after the switch has restarted', async () => {
    const events: PacketInEvent[] = [];
    manager.onPacketIn((event) => events.push(event));
    await connect();
    await ovs.killVswitchd();
    await ovs.startVswitchd();
    await expect.poll(() => manager.state(NODE)?.connected).toBe(true);
    await realized();
    await send(udp(53));
    await expect.poll(() => events.length).toBe(1);
  });

  it('are cut to the rate of the controller row by the switch itself', async () => {
    await connect();
    await ovs.vsctl(
      ...['set', 'controller', 'br-int', `controller_rate_limit=${PACKET_IN_LIMIT.rate}`],
      `controller_burst_limit=${PACKET_IN_LIMIT.burst}`,
    );
    // They come far faster than the rate.
    const startedAt = performance.now();
    for (let i = 0; i < 40; i++) await send(...burst);
    await ovs.purge();
    const seconds = (performance.now() - startedAt) / 1000;
    const got = (manager.state(NODE)?.packetIns ?? 0) + (manager.state(NODE)?.packetInsDropped ?? 0);
    expect(got).toBeGreaterThan(0);
    expect(got).toBeLessThanOrEqual(PACKET_IN_LIMIT.rate * (seconds + 1) + PACKET_IN_LIMIT.burst);
    const text = await ovs.ofctl('dump-flows', 'br-int', `table=${TABLE_ID.PolicyLog},reg4=${OBJECT}`);
    const sent = Number(/n_packets=(\d+)/.exec(text)?.[1]);
    expect(sent).toBeGreaterThan(3000);
    expect(got).toBeLessThan(sent);
  });

  it('do not hold up flow mods, however slowly they are taken, and what does not fit is counted', async () => {
    let taken = 0;
    manager.onPacketIn(() => {
      taken++;
      for (const end = performance.now() + 20; performance.now() < end; );
    });
    await connect();
    for (let i = 0; i < 10; i++) await send(...burst);
    await expect.poll(() => taken).toBeGreaterThan(0);
    tell([testFlow(TABLE_ID.Output, 7, { reg1: 7 })]);
    const before = taken;
    await realized();
    const { packetIns = 0, packetInsDropped = 0 } = manager.state(NODE) ?? {};
    // The change went in between packets, not behind all of them.
    expect(packetIns - before).toBeLessThan(100);
    expect(packetIns + packetInsDropped).toBeLessThanOrEqual(1000);
    expect(await ovs.flows('table=90,reg1=7')).toHaveLength(1);
  });

  it('a listener that fails is told of and costs nobody else', async () => {
    const events: PacketInEvent[] = [];
    manager.onPacketIn((event) => {
      events.push(event);
      throw new Error('no');
    });
    await connect();
    await send(udp(53), udp(54));
    await expect.poll(() => events.length).toBe(2);
    expect(errors).toMatchObject([{ event: 'packet-in-failed' }, { event: 'packet-in-failed' }]);
  });
});
