import { nodeName } from '@heddle/compiler';
import type { Instruction } from 'openflow-ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import { HandMadeState, testFlow, testGroup } from '../support/flow-set.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const NODE = nodeName('node1');
const IP = 0x0800;

const go = (table: number): Instruction[] => [{ kind: 'goto_table', table }];
const apply = (...actions: Extract<Instruction, { kind: 'apply_actions' }>['actions'][number][]): Instruction[] => [
  { kind: 'apply_actions', actions },
];

/** Flows of the kinds that the pipeline has, over group 0. */
const GROUP = testGroup(0, [1, 2]);
const FLOWS = [
  testFlow(0, 100, { in_port: 256 }, [...apply({ kind: 'set_field', field: 'reg0', value: 1, mask: 0xf }), ...go(10)]),
  testFlow(0, 100, { in_port: 1, tun_id: 1n, tun_src: 0xac1f6302 }, [
    ...apply({
      kind: 'move',
      source: { field: 'tun_metadata0', offset: 0, bits: 32 },
      target: { field: 'reg1', offset: 0, bits: 32 },
    }),
    ...go(20),
  ]),
  testFlow(0, 0, {}),
  testFlow(20, 100, { eth_type: IP }, apply({ kind: 'ct', zone: 1, nat: {}, table: 25 })),
  testFlow(
    31,
    100,
    { eth_type: IP, nw_proto: 6, ip_dst: 0x0a600001, tcp_dst: 80 },
    apply({ kind: 'group', group: GROUP.id }),
  ),
  testFlow(41, 100, { reg1: 300, eth_type: IP }, apply({ kind: 'conjunction', id: 7, clause: 1, of: 2 })),
  testFlow(50, 1024, { eth_type: IP, ip_dst: [0x0af40200, 0xffffff00] }, [...apply({ kind: 'dec_ttl' }), ...go(60)]),
  testFlow(
    90,
    100,
    { reg3: 1 },
    apply(
      { kind: 'set_field', field: 'tun_dst', value: 0xac1f6302 },
      { kind: 'set_field', field: 'tun_id', value: 1n },
      {
        kind: 'move',
        source: { field: 'reg1', offset: 0, bits: 32 },
        target: { field: 'tun_metadata0', offset: 0, bits: 32 },
      },
      { kind: 'output', port: 1 },
    ),
  ),
  testFlow(90, 50, {}, apply({ kind: 'output_reg', source: { field: 'reg3', offset: 0, bits: 32 } })),
];

type Line = Record<string, unknown> & { event?: string };

describe.skipIf(!hasOvs())('the driver of a switch', () => {
  let ovs: TestSwitch;
  let manager: SwitchManager;
  let state: HandMadeState;
  let lines: Line[];
  let isInSync: boolean;
  let changed = 0;
  let beforeCommit: () => Promise<void>;
  const ends: (() => Promise<void>)[] = [];

  const log = (line: object) => void lines.push(line as Line);
  const logger = { debug: log, info: log, warn: log, error: log };
  const events = (name: string) => lines.filter((l) => l.event === name);

  function newManager(): SwitchManager {
    const made = new SwitchManager({
      desired: {
        node: (n) => (n === state.node ? state : undefined),
        nodeOfDatapath: (d) => (d === ovs.datapathId ? state.node : undefined),
      },
      logger,
      clock: systemClock,
      beforeCommit: () => beforeCommit(),
      inSync: () => isInSync,
      encap: 'geneve',
      changed: () => {
        changed++;
      },
    });
    ends.push(() => made.stop());
    return made;
  }
  async function connect(): Promise<void> {
    await manager.start({ listen: [path()] });
    // Tests of reconnection should not wait for Open vSwitch's back-off.
    await ovs.vsctl('set-controller', 'br-int', path(), '--', 'set', 'controller', 'br-int', 'max_backoff=1000');
    await until('the connection', () => manager.state(NODE)?.connected === true);
  }
  const path = () => `unix:${ovs.dir}/controller.sock`;
  const tell = (...change: Parameters<HandMadeState['change']>) =>
    manager.notify(state.generation + 1, state.change(...change));
  async function until(what: string, ready: () => boolean, timeoutMs = 5000): Promise<void> {
    for (const end = Date.now() + timeoutMs; !ready(); ) {
      if (Date.now() > end)
        throw new Error(`waited for ${what}: ${JSON.stringify(manager.state(NODE))}\n${JSON.stringify(lines)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const realized = () => until('the generation', () => manager.state(NODE)?.realizedGeneration === state.generation);
  const groups = async () => {
    const text = await ovs.ofctl('dump-groups', 'br-int');
    return text
      .split('\n')
      .map((l) => l.trim())
      .filter((l) => l.startsWith('group_id='));
  };

  beforeEach(async () => {
    ovs = await startSwitch();
    ends.push(() => ovs.stop());
    state = new HandMadeState(NODE);
    lines = [];
    isInSync = true;
    beforeCommit = async () => undefined;
    manager = newManager();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  it.each(['OpenFlow13', 'OpenFlow14', 'OpenFlow15'])(
    'brings a switch of %s up in one bundle, and sends it nothing when it comes again',
    async (protocol) => {
      await ovs.vsctl('set', 'bridge', 'br-int', `protocols=${protocol}`);
      tell([GROUP, ...FLOWS]);
      await connect();
      await realized();
      expect(await ovs.flows()).toHaveLength(FLOWS.length);
      expect(await groups()).toHaveLength(1);
      expect(manager.state(NODE)).toMatchObject({
        connected: true,
        modsSent: 10,
        modsAtConnect: 10,
        bundlesSent: 1,
        version: protocol.replace('OpenFlow1', 'OF1.'),
      });

      await manager.stop();
      manager = newManager();
      await manager.start({ listen: [path()] });
      manager.notify(state.generation, new Map());
      await realized();
      expect(manager.state(NODE)).toMatchObject({ connected: true, modsSent: 0, modsAtConnect: 0, bundlesSent: 0 });
      expect(events('switch-read-back').at(-1)).toMatchObject({ found: FLOWS.length, differ: 0 });
    },
  );

  it('sends only what a change changes', async () => {
    tell([GROUP, ...FLOWS]);
    await connect();
    await realized();
    const changed = testFlow(0, 100, { in_port: 256 }, go(20));
    const [, , gone] = FLOWS;
    const more = testFlow(0, 100, { in_port: 257 }, go(10));
    tell([changed, more], gone ? [gone] : []);
    await realized();
    expect(manager.state(NODE)).toMatchObject({ modsSent: 13, bundlesSent: 2 });
    expect(await ovs.flows('table=0')).toEqual([
      'cookie=0x4800000000000001, priority=100,in_port=256 actions=goto_table:20',
      'cookie=0x4800000000000001, priority=100,in_port=257 actions=goto_table:10',
      'cookie=0x4800000000000001, priority=100,tun_id=0x1,tun_src=172.31.99.2,in_port=1 actions=move:NXM_NX_TUN_METADATA0[0..31]->NXM_NX_REG1[],goto_table:20',
    ]);
  });

  it('has another policy epoch when what packets are judged by has changed, and at no other time', async () => {
    const epoch = () => manager.state(NODE)?.policyEpoch ?? 0;
    const rises = async (change: () => Promise<void>) => {
      const before = epoch();
      await change();
      return epoch() > before;
    };
    const told = (...change: Parameters<HandMadeState['change']>) =>
      rises(() => {
        tell(...change);
        return realized();
      });
    const judge = (n: number, actions = go(42)) => testFlow(41, 100, { reg1: n, eth_type: IP }, actions);
    const pod = (n: number, table = 10) => testFlow(0, 100, { in_port: n }, go(table));
    tell([GROUP, ...FLOWS]);
    expect(await rises(async () => connect().then(realized))).toBe(false);
    expect(await told([pod(300)])).toBe(false);
    expect(await told([], [pod(300)])).toBe(false);
    expect(await told([testGroup(0, [1])])).toBe(false);
    expect(await told([judge(301)])).toBe(true);
    expect(await told([judge(301, go(50))])).toBe(true);
    expect(await told([], [judge(301)])).toBe(true);
    // What was known of a port's packets is another.
    const [known] = FLOWS;
    expect(known).toMatchObject({ tableId: 0, match: { in_port: 256 } });
    expect(await told([pod(256, 20)])).toBe(true);

    const repaired = (table: number) =>
      rises(async () => {
        const count = manager.state(NODE)?.bundlesSent ?? 0;
        const calls = changed;
        await ovs.ofctl('del-flows', 'br-int', `table=${table}`);
        manager.checkDrift();
        await until('the repair', () => manager.state(NODE)?.bundlesSent === count + 1);
        await until('the word of it', () => table !== 41 || changed > calls);
      });
    expect(await repaired(50)).toBe(false);
    expect(await repaired(41)).toBe(true);

    // A switch that lost everything has judged nothing.
    const restarted = async () => {
      await ovs.killVswitchd();
      await until('the disconnection', () => manager.state(NODE)?.connected === false);
      await ovs.startVswitchd();
      await until('the reconnection', () => manager.state(NODE)?.connected === true, 10_000);
      await realized();
    };
    expect(await rises(restarted)).toBe(false);
    // One that is found with other flows has judged by them.
    const last = epoch();
    await manager.stop();
    await ovs.ofctl('del-flows', 'br-int', 'table=41');
    manager = newManager();
    await manager.start({ listen: [path()] });
    manager.notify(state.generation, new Map());
    await realized();
    expect(epoch()).toBeGreaterThan(last);
  });

  it('makes the switch whole again within 2 s of the reconnection of a restarted ovs-vswitchd, TLV map included', async () => {
    tell([GROUP, ...FLOWS]);
    await connect();
    await realized();
    const before = await ovs.flows();
    expect(events('tlv-map-added')).toHaveLength(1);
    await ovs.killVswitchd();
    await until('the disconnection', () => manager.state(NODE)?.connected === false);
    expect(manager.state(NODE)?.realizedGeneration).toBe(0);
    await ovs.startVswitchd();
    await until('the reconnection', () => manager.state(NODE)?.connected === true, 10_000);
    const reconnectedAt = Date.now();
    await realized();
    expect(Date.now() - reconnectedAt).toBeLessThan(2000);
    expect(await ovs.flows()).toEqual(before);
    expect(await groups()).toHaveLength(1);
    expect(events('tlv-map-added')).toHaveLength(2);
    expect(await ovs.ofctl('dump-tlv-map', 'br-int')).toMatch(/0xff01\s+0x80\s+4\s+tun_metadata0/);
  });

  it('never touches flows and groups of others', async () => {
    await connect();
    await ovs.ofctl('add-group', 'br-int', 'group_id=5,type=all,bucket=output:9');
    await ovs.ofctl('add-flow', 'br-int', 'cookie=0x99,table=0,priority=777,in_port=9,actions=group:5');
    await ovs.ofctl('add-flow', 'br-int', 'cookie=0,table=200,priority=1,actions=drop');
    const theirs = await ovs.flows();
    tell([GROUP, ...FLOWS]);
    await realized();
    tell([], [...FLOWS, GROUP]);
    await realized();
    manager.checkDrift();
    await until('the drift check', () => manager.state(NODE)?.readBacks === 2);
    expect(await ovs.flows()).toEqual(theirs);
    expect(await groups()).toHaveLength(1);
    expect(manager.state(NODE)?.driftFound).toBe(0);
  });

  it('reports and repairs flows and groups that others changed, removed or added in our name', async () => {
    tell([GROUP, ...FLOWS]);
    await connect();
    await realized();
    const before = await ovs.flows();
    const groupsBefore = await groups();
    await ovs.ofctl('--strict', 'mod-flows', 'br-int', 'table=0,priority=100,in_port=256,actions=drop');
    await ovs.ofctl('--strict', 'del-flows', 'br-int', 'table=0,priority=0');
    await ovs.ofctl('add-flow', 'br-int', 'cookie=0x4800000000000777,table=3,priority=3,actions=NORMAL');
    await ovs.ofctl('mod-group', 'br-int', `group_id=${GROUP.id},type=select,bucket=output:7`);
    expect(await ovs.flows()).not.toEqual(before);
    manager.checkDrift();
    await until('the report', () => events('drift-found').length > 0);
    expect(
      events('drift')
        .map((l) => l.kind)
        .sort(),
    ).toEqual(['changed', 'changed', 'extra', 'missing']);
    expect(events('drift-found')).toMatchObject([{ node: NODE, count: 4 }]);
    await until('the repair', () => manager.state(NODE)?.modsSent === 14);
    expect(await ovs.flows()).toEqual(before);
    expect(await groups()).toEqual(groupsBefore);
  });

  it('sends nothing before the desired state is whole', async () => {
    isInSync = false;
    await connect();
    await ovs.ofctl('add-flow', 'br-int', 'cookie=0x4800000000000777,table=3,priority=3,actions=drop');
    const before = await ovs.flows();
    tell([GROUP, ...FLOWS]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await ovs.flows()).toEqual(before);
    expect(await ovs.ofctl('dump-tlv-map', 'br-int')).not.toMatch(/0xff01/);
    isInSync = true;
    await realized();
    expect(await ovs.flows()).toHaveLength(FLOWS.length);
  });

  it('applies nothing of a change of which one flow is refused, names it, and recovers when it is right', async () => {
    tell(FLOWS.slice(0, 1));
    await connect();
    await realized();
    const before = await ovs.flows();
    // A group that does not exist is refused.
    const bad = testFlow(5, 5, { in_port: 3 }, apply({ kind: 'group', group: 0x48001234 }));
    const good = testFlow(5, 6, { in_port: 3 });
    tell([good, bad]);
    await until('the refusal', () => events('mod-refused').length > 0);
    expect(events('mod-refused')[0]).toMatchObject({
      node: NODE,
      table: 'SourceIdentity',
      mod: { priority: 5 },
      error: expect.stringContaining('OFPBAC_BAD_OUT_GROUP'),
    });
    expect(await ovs.flows()).toEqual(before);
    expect(manager.state(NODE)?.lastError).toContain('OFPBAC_BAD_OUT_GROUP');
    tell([], [bad]);
    await realized();
    expect(await ovs.flows('table=5')).toHaveLength(1);
    expect(manager.state(NODE)?.lastError).toBeNull();
  });

  it('gives a slow switch one fresh difference, not a queue', async () => {
    tell(FLOWS.slice(0, 1));
    await connect();
    await realized();
    const { bundlesSent = 0 } = manager.state(NODE) ?? {};
    ovs.freeze();
    for (let i = 0; i < 200; i++) tell([testFlow(1, 10, { in_port: 300 }, go(2 + (i % 3)), i)]);
    tell([], [testFlow(1, 10, { in_port: 300 })]);
    tell([testFlow(1, 11, { in_port: 301 }, go(4))]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    ovs.thaw();
    await realized();
    expect((manager.state(NODE)?.bundlesSent ?? 0) - bundlesSent).toBeLessThanOrEqual(2);
    expect(await ovs.flows('table=1')).toEqual([
      'cookie=0x4800000000000001, table=1, priority=11,in_port=301 actions=goto_table:4',
    ]);
  });

  it('lets a switch commit no bundle before the numbers in it are durable', async () => {
    let durable: () => void = () => undefined;
    let asked = 0;
    beforeCommit = () => {
      asked++;
      return new Promise((resolve) => {
        durable = resolve;
      });
    };
    tell([GROUP, ...FLOWS]);
    await connect();
    await until('the question', () => asked === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await ovs.flows()).toEqual([]);
    expect(await groups()).toEqual([]);
    durable();
    await realized();
    expect(await ovs.flows()).toHaveLength(FLOWS.length);
  });

  it('discards a bundle whose numbers could not be recorded, and brings it when they are', async () => {
    tell([GROUP, ...FLOWS]);
    await connect();
    await realized();
    beforeCommit = () => Promise.reject(new Error('the disk is full'));
    tell([testFlow(1, 10, { in_port: 300 }, go(2))]);
    await until('the failure', () => manager.state(NODE)?.lastError === 'the disk is full');
    // The bundle is discarded on the same connection before the driver tells of the failure, so this comes after it.
    expect(await ovs.flows('table=1')).toEqual([]);
    beforeCommit = async () => undefined;
    await realized();
    expect(await ovs.flows('table=1')).toHaveLength(1);
    expect(manager.state(NODE)).toMatchObject({ connected: true, lastError: null });
  });

  it('does not let a stalled switch delay another', async () => {
    const other = await startSwitch();
    ends.push(() => other.stop());
    const far = new HandMadeState(nodeName('node2'));
    const both = new SwitchManager({
      desired: {
        node: (n) => [state, far].find((s) => s.node === n),
        nodeOfDatapath: (d) => (d === ovs.datapathId ? NODE : d === other.datapathId ? far.node : undefined),
      },
      logger,
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap: 'vxlan',
    });
    ends.push(() => both.stop());
    await both.start({ listen: ['tcp:127.0.0.1:0'] });
    for (const one of [ovs, other]) await one.vsctl('set-controller', 'br-int', both.addresses[0] ?? '');
    await until('both', () => both.state(NODE)?.connected === true && both.state(far.node)?.connected === true);
    other.freeze();
    const took: number[] = [];
    for (let i = 1; i <= 20; i++) {
      const flow = testFlow(1, i, { in_port: 300 }, go(2));
      const startedAt = performance.now();
      far.generation = i;
      both.notify(i, new Map([...state.change([flow]), ...far.change([flow])]));
      await until('the good switch', () => both.state(NODE)?.realizedGeneration === i);
      took.push(performance.now() - startedAt);
    }
    expect(Math.max(...took)).toBeLessThan(500);
    expect(both.state(far.node)?.realizedGeneration).toBeLessThan(20);
    other.thaw();
    await until('the stalled switch', () => both.state(far.node)?.realizedGeneration === 20);
    expect(await other.flows('table=1')).toHaveLength(20);
  });

  it('leaves a switch that belongs to no node alone, until its node registers', async () => {
    const { node } = state;
    let isRegistered = false;
    const late = new SwitchManager({
      desired: {
        node: (n) => (n === node ? state : undefined),
        nodeOfDatapath: (d) => (isRegistered && d === ovs.datapathId ? node : undefined),
      },
      logger,
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap: 'geneve',
    });
    ends.push(() => late.stop());
    state.change([GROUP, ...FLOWS]);
    late.notify(1, new Map());
    await late.start({ listen: [path()] });
    await ovs.vsctl('set-controller', 'br-int', path());
    await until('the stranger', () => events('switch-unknown').length > 0);
    expect(await ovs.flows()).toEqual([]);
    isRegistered = true;
    await until('the node', () => late.state(node)?.realizedGeneration === 1);
    expect(await ovs.flows()).toHaveLength(FLOWS.length);
  });
});
