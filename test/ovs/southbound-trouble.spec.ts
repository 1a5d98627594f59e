import { nodeName } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import { apply, FLOWS, GROUP, go, NODE, useDrivenSwitch } from '../support/driven-switch.js';
import { HandMadeState, testFlow } from '../support/flow-set.js';
import { hasOvs, startSwitch } from '../support/ovs.js';

describe.skipIf(!hasOvs())('the driver of a switch in trouble', () => {
  const d = useDrivenSwitch();

  it('applies nothing of a change of which one flow is refused, names it, and recovers when it is right', async () => {
    d.tell(FLOWS.slice(0, 1));
    await d.connect();
    await d.realized();
    const before = await d.ovs.flows();
    // A group that does not exist is refused.
    const bad = testFlow(5, 5, { in_port: 3 }, apply({ kind: 'group', group: 0x48001234 }));
    const good = testFlow(5, 6, { in_port: 3 });
    d.tell([good, bad]);
    await d.until('the refusal', () => d.events('mod-refused').length > 0);
    expect(d.events('mod-refused')[0]).toMatchObject({
      node: NODE,
      table: 'SourceIdentity',
      mod: { priority: 5 },
      error: expect.stringContaining('OFPBAC_BAD_OUT_GROUP'),
    });
    expect(await d.ovs.flows()).toEqual(before);
    expect(d.manager.state(NODE)?.lastError).toContain('OFPBAC_BAD_OUT_GROUP');
    d.tell([], [bad]);
    await d.realized();
    expect(await d.ovs.flows('table=5')).toHaveLength(1);
    expect(d.manager.state(NODE)?.lastError).toBeNull();
  });

  it('gives a slow switch one fresh difference, not a queue', async () => {
    d.tell(FLOWS.slice(0, 1));
    await d.connect();
    await d.realized();
    const { bundlesSent = 0 } = d.manager.state(NODE) ?? {};
    d.ovs.freeze();
    for (let i = 0; i < 200; i++) d.tell([testFlow(1, 10, { in_port: 300 }, go(2 + (i % 3)), i)]);
    d.tell([], [testFlow(1, 10, { in_port: 300 })]);
    d.tell([testFlow(1, 11, { in_port: 301 }, go(4))]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    d.ovs.thaw();
    await d.realized();
    expect((d.manager.state(NODE)?.bundlesSent ?? 0) - bundlesSent).toBeLessThanOrEqual(2);
    expect(await d.ovs.flows('table=1')).toEqual([
      'cookie=0x4800000000000001, table=1, priority=11,in_port=301 actions=goto_table:4',
    ]);
  });

  it('lets a switch commit no bundle before the numbers in it are durable', async () => {
    let durable: () => void = () => undefined;
    let asked = 0;
    d.beforeCommit = () => {
      asked++;
      return new Promise((resolve) => {
        durable = resolve;
      });
    };
    d.tell([GROUP, ...FLOWS]);
    await d.connect();
    await d.until('the question', () => asked === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await d.ovs.flows()).toEqual([]);
    expect(await d.groups()).toEqual([]);
    durable();
    await d.realized();
    expect(await d.ovs.flows()).toHaveLength(FLOWS.length);
  });

  it('leaves nothing of a bundle on the switch if the controller ends before the numbers in it are durable', async () => {
    d.tell(FLOWS.slice(0, 1));
    await d.connect();
    await d.realized();
    const before = await d.ovs.flows();
    let asked = 0;
    d.beforeCommit = () => {
      asked++;
      return new Promise(() => undefined);
    };
    d.tell([GROUP, ...FLOWS]);
    await d.until('the question', () => asked === 1);
    // What has come over another connection meanwhile has given the switch time for the bundle.
    expect(await d.ovs.flows()).toEqual(before);
    await d.manager.stop();
    expect(await d.ovs.flows()).toEqual(before);
    expect(await d.groups()).toEqual([]);
  });

  it('discards a bundle whose numbers could not be recorded, and brings it when they are', async () => {
    d.tell([GROUP, ...FLOWS]);
    await d.connect();
    await d.realized();
    d.beforeCommit = () => Promise.reject(new Error('the disk is full'));
    d.tell([testFlow(1, 10, { in_port: 300 }, go(2))]);
    await d.until('the failure', () => d.manager.state(NODE)?.lastError === 'the disk is full');
    // The bundle is discarded on the same connection before the driver tells of the failure, so this comes after it.
    expect(await d.ovs.flows('table=1')).toEqual([]);
    d.beforeCommit = () => undefined;
    await d.realized();
    expect(await d.ovs.flows('table=1')).toHaveLength(1);
    expect(d.manager.state(NODE)).toMatchObject({ connected: true, lastError: null });
  });

  it('does not let a stalled switch delay another', async () => {
    const other = await startSwitch();
    d.ends.push(() => other.stop());
    const far = new HandMadeState(nodeName('node2'));
    const both = new SwitchManager({
      desired: {
        node: (n) => [d.state, far].find((s) => s.node === n),
        nodeOfDatapath: (id) => (id === d.ovs.datapathId ? NODE : id === other.datapathId ? far.node : undefined),
      },
      logger: d.logger,
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap: 'vxlan',
    });
    d.ends.push(() => both.stop());
    await both.start({ listen: ['tcp:127.0.0.1:0'] });
    for (const one of [d.ovs, other]) await one.vsctl('set-controller', 'br-int', both.addresses[0] ?? '');
    await d.until('both', () => both.state(NODE)?.connected === true && both.state(far.node)?.connected === true);
    other.freeze();
    const took: number[] = [];
    for (let i = 1; i <= 20; i++) {
      const flow = testFlow(1, i, { in_port: 300 }, go(2));
      const startedAt = performance.now();
      far.generation = i;
      both.notify(i, new Map([...d.state.change([flow]), ...far.change([flow])]));
      await d.until('the good switch', () => both.state(NODE)?.realizedGeneration === i);
      took.push(performance.now() - startedAt);
    }
    // The stalled one takes nothing before it is thawed.
    expect(Math.max(...took)).toBeLessThan(5_000);
    expect(both.state(far.node)?.realizedGeneration).toBeLessThan(20);
    other.thaw();
    await d.until('the stalled switch', () => both.state(far.node)?.realizedGeneration === 20);
    expect(await other.flows('table=1')).toHaveLength(20);
  });

  it('leaves a switch that belongs to no node alone, until its node registers', async () => {
    const { node } = d.state;
    let isRegistered = false;
    const late = new SwitchManager({
      desired: {
        node: (n) => (n === node ? d.state : undefined),
        nodeOfDatapath: (id) => (isRegistered && id === d.ovs.datapathId ? node : undefined),
      },
      logger: d.logger,
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap: 'geneve',
    });
    d.ends.push(() => late.stop());
    d.state.change([GROUP, ...FLOWS]);
    late.notify(1, new Map());
    await late.start({ listen: [d.path()] });
    await d.ovs.vsctl('set-controller', 'br-int', d.path());
    await d.until('the stranger', () => d.events('switch-unknown').length > 0);
    expect(await d.ovs.flows()).toEqual([]);
    isRegistered = true;
    await d.until('the node', () => late.state(node)?.realizedGeneration === 1);
    expect(await d.ovs.flows()).toHaveLength(FLOWS.length);
  });
});
