import { describe, expect, it } from 'vitest';
import { FLOWS, GROUP, go, IP, NODE, useDrivenSwitch } from '../support/driven-switch.js';
import { HandMadeState, testFlow, testGroup } from '../support/flow-set.js';
import { hasOvs } from '../support/ovs.js';

describe.skipIf(!hasOvs())('the driver of a switch', () => {
  const d = useDrivenSwitch();

  it.each(['OpenFlow13', 'OpenFlow14', 'OpenFlow15'])(
    'brings a switch of %s up in one bundle, and sends it nothing when it comes again',
    async (protocol) => {
      await d.ovs.vsctl('set', 'bridge', 'br-int', `protocols=${protocol}`);
      d.tell([GROUP, ...FLOWS]);
      await d.connect();
      await d.realized();
      expect(await d.ovs.flows()).toHaveLength(FLOWS.length);
      expect(await d.groups()).toHaveLength(1);
      expect(d.manager.state(NODE)).toMatchObject({
        connected: true,
        modsSent: 10,
        modsAtConnect: 10,
        bundlesSent: 1,
        version: protocol.replace('OpenFlow1', 'OF1.'),
      });

      await d.restart();
      await d.realized();
      expect(d.manager.state(NODE)).toMatchObject({ connected: true, modsSent: 0, modsAtConnect: 0, bundlesSent: 0 });
      expect(d.events('switch-read-back').at(-1)).toMatchObject({ found: FLOWS.length, differ: 0 });
    },
  );

  it('sends only what a change changes', async () => {
    d.tell([GROUP, ...FLOWS]);
    await d.connect();
    await d.realized();
    const changed = testFlow(0, 100, { in_port: 256 }, go(20));
    const [, , gone] = FLOWS;
    const more = testFlow(0, 100, { in_port: 257 }, go(10));
    d.tell([changed, more], gone ? [gone] : []);
    await d.realized();
    expect(d.manager.state(NODE)).toMatchObject({ modsSent: 13, bundlesSent: 2 });
    expect(await d.ovs.flows('table=0')).toEqual([
      'cookie=0x4800000000000001, priority=100,in_port=256 actions=goto_table:20',
      'cookie=0x4800000000000001, priority=100,in_port=257 actions=goto_table:10',
      'cookie=0x4800000000000001, priority=100,tun_id=0x1,tun_src=172.31.99.2,in_port=1 actions=move:NXM_NX_TUN_METADATA0[0..31]->NXM_NX_REG1[],goto_table:20',
    ]);
  });

  it('has another policy epoch when what packets are judged by has changed, and at no other time', async () => {
    const epoch = () => d.manager.state(NODE)?.policyEpoch ?? 0;
    const rises = async (change: () => Promise<void>) => {
      const before = epoch();
      await change();
      return epoch() > before;
    };
    const told = (...change: Parameters<HandMadeState['change']>) =>
      rises(() => {
        d.tell(...change);
        return d.realized();
      });
    const judge = (n: number, actions = go(42)) => testFlow(41, 100, { reg1: n, eth_type: IP }, actions);
    const pod = (n: number, table = 10) => testFlow(0, 100, { in_port: n }, go(table));
    d.tell([GROUP, ...FLOWS]);
    expect(await rises(async () => d.connect().then(() => d.realized()))).toBe(false);
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
        const count = d.manager.state(NODE)?.bundlesSent ?? 0;
        const calls = d.changed;
        await d.ovs.ofctl('del-flows', 'br-int', `table=${table}`);
        d.manager.checkDrift();
        await d.until('the repair', () => d.manager.state(NODE)?.bundlesSent === count + 1);
        await d.until('the word of it', () => table !== 41 || d.changed > calls);
      });
    expect(await repaired(50)).toBe(false);
    expect(await repaired(41)).toBe(true);

    // A switch that lost everything has judged nothing.
    const restarted = async () => {
      await d.ovs.killVswitchd();
      await d.until('the disconnection', () => d.manager.state(NODE)?.connected === false);
      await d.ovs.startVswitchd();
      await d.until('the reconnection', () => d.manager.state(NODE)?.connected === true);
      await d.realized();
    };
    expect(await rises(restarted)).toBe(false);
    // One that is found with other flows has judged by them.
    const last = epoch();
    await d.restart(() => d.ovs.ofctl('del-flows', 'br-int', 'table=41'));
    await d.realized();
    expect(epoch()).toBeGreaterThan(last);
  });

  it('makes the switch whole again right after the reconnection of a restarted ovs-vswitchd, TLV map included', async () => {
    d.tell([GROUP, ...FLOWS]);
    await d.connect();
    await d.realized();
    const before = await d.ovs.flows();
    expect(d.events('tlv-map-added')).toHaveLength(1);
    await d.ovs.killVswitchd();
    await d.until('the disconnection', () => d.manager.state(NODE)?.connected === false);
    expect(d.manager.state(NODE)?.realizedGeneration).toBe(0);
    await d.ovs.startVswitchd();
    await d.until('the reconnection', () => d.manager.state(NODE)?.connected === true);
    const reconnectedAt = performance.now();
    await d.realized();
    // Nothing of it waits for a time to pass; a machine may be as busy as it likes.
    expect(performance.now() - reconnectedAt).toBeLessThan(10_000);
    expect(await d.ovs.flows()).toEqual(before);
    expect(await d.groups()).toHaveLength(1);
    expect(d.events('tlv-map-added')).toHaveLength(2);
    expect(await d.ovs.ofctl('dump-tlv-map', 'br-int')).toMatch(/0xff01\s+0x80\s+4\s+tun_metadata0/);
  });

  it('never touches flows and groups of others', async () => {
    await d.connect();
    await d.ovs.ofctl('add-group', 'br-int', 'group_id=5,type=all,bucket=output:9');
    await d.ovs.ofctl('add-flow', 'br-int', 'cookie=0x99,table=0,priority=777,in_port=9,actions=group:5');
    await d.ovs.ofctl('add-flow', 'br-int', 'cookie=0,table=200,priority=1,actions=drop');
    const theirs = await d.ovs.flows();
    d.tell([GROUP, ...FLOWS]);
    await d.realized();
    d.tell([], [...FLOWS, GROUP]);
    await d.realized();
    d.manager.checkDrift();
    await d.until('the drift check', () => d.manager.state(NODE)?.readBacks === 2);
    expect(await d.ovs.flows()).toEqual(theirs);
    expect(await d.groups()).toHaveLength(1);
    expect(d.manager.state(NODE)?.driftFound).toBe(0);
  });

  it('reports and repairs flows and groups that others changed, removed or added in our name', async () => {
    d.tell([GROUP, ...FLOWS]);
    await d.connect();
    await d.realized();
    const before = await d.ovs.flows();
    const groupsBefore = await d.groups();
    await d.ovs.ofctl('--strict', 'mod-flows', 'br-int', 'table=0,priority=100,in_port=256,actions=drop');
    await d.ovs.ofctl('--strict', 'del-flows', 'br-int', 'table=0,priority=0');
    await d.ovs.ofctl('add-flow', 'br-int', 'cookie=0x4800000000000777,table=3,priority=3,actions=NORMAL');
    await d.ovs.ofctl('mod-group', 'br-int', `group_id=${GROUP.id},type=select,bucket=output:7`);
    expect(await d.ovs.flows()).not.toEqual(before);
    d.manager.checkDrift();
    await d.until('the report', () => d.events('drift-found').length > 0);
    expect(
      d
        .events('drift')
        .map((l) => l.kind)
        .sort(),
    ).toEqual(['changed', 'changed', 'extra', 'missing']);
    expect(d.events('drift-found')).toMatchObject([{ node: NODE, count: 4 }]);
    await d.until('the repair', () => d.manager.state(NODE)?.modsSent === 14);
    expect(await d.ovs.flows()).toEqual(before);
    expect(await d.groups()).toEqual(groupsBefore);
  });

  it('sends nothing before the desired state is whole', async () => {
    d.isInSync = false;
    await d.connect();
    await d.ovs.ofctl('add-flow', 'br-int', 'cookie=0x4800000000000777,table=3,priority=3,actions=drop');
    const before = await d.ovs.flows();
    d.tell([GROUP, ...FLOWS]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await d.ovs.flows()).toEqual(before);
    expect(await d.ovs.ofctl('dump-tlv-map', 'br-int')).not.toMatch(/0xff01/);
    d.isInSync = true;
    await d.realized();
    expect(await d.ovs.flows()).toHaveLength(FLOWS.length);
  });
});
