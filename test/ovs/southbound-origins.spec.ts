import { nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { OvsdbManager, SwitchManager } from '../../apps/controller/src/southbound/index.js';
import { HandMadeState, testFlow } from '../support/flow-set.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const NODE = nodeName('node1');

describe.skipIf(!hasOvs())('switch and database of a node', () => {
  let ovs: TestSwitch;
  let switches: SwitchManager;
  let databases: OvsdbManager;
  let permitted: boolean;
  let lines: Record<string, unknown>[];

  beforeEach(async () => {
    lines = [];
    permitted = true;
    ovs = await startSwitch();
    const log = (line: object) => void lines.push(line as Record<string, unknown>);
    const logger = { debug: log, info: log, warn: log, error: log };
    const state = new HandMadeState(NODE);
    state.change([testFlow(0, 0, {})]);
    const permits = (node: string, remote: string) => {
      expect([node, remote]).toEqual([NODE, expect.stringMatching(/^tcp:127\.0\.0\.1:\d+$/)]);
      return permitted;
    };
    switches = new SwitchManager({
      desired: { node: () => state, nodeOfDatapath: () => NODE },
      ...{ logger, clock: systemClock, beforeCommit: async () => {}, inSync: () => true, encap: 'geneve', permits },
    });
    databases = new OvsdbManager({ logger, permits });
    await switches.start({ listen: ['tcp:127.0.0.1:0'] });
    await databases.start({ listen: ['tcp:127.0.0.1:0'] });
  });
  afterEach(async () => {
    await switches?.stop();
    await databases?.stop();
    await ovs?.stop();
  });

  const dial = async () => {
    const [controller = '', manager = ''] = [switches.addresses[0], databases.addresses[0]];
    await ovs.vsctl('set', 'open', '.', `external_ids:system-id=${NODE}`);
    await ovs.vsctl('set-controller', 'br-int', controller, '--', 'set', 'controller', 'br-int', 'max_backoff=1000');
    await ovs.vsctl('set-manager', manager, '--', 'set', 'manager', '.', 'max_backoff=1000');
  };
  const connected = () => [switches.state(NODE)?.connected ?? false, databases.state(NODE)?.connected ?? false];
  const refused = () => ['switch-refused', 'ovsdb-refused'].map((name) => lines.some(({ event }) => event === name));

  it('are turned away when they come from where they may not, and taken when they may', async () => {
    permitted = false;
    await dial();
    await expect.poll(refused).toEqual([true, true]);
    expect(connected()).toEqual([false, false]);
    expect(await ovs.ofctl('dump-flows', 'br-int')).not.toContain('cookie=0x');
    permitted = true;
    await expect.poll(connected).toEqual([true, true]);
  });

  it('lose their connections when it turns out later', async () => {
    await dial();
    await expect.poll(connected).toEqual([true, true]);
    switches.checkOrigin(NODE);
    databases.checkOrigin(NODE);
    expect([connected(), refused()]).toEqual([
      [true, true],
      [false, false],
    ]);
    permitted = false;
    switches.checkOrigin(NODE);
    databases.checkOrigin(NODE);
    await expect.poll(connected).toEqual([false, false]);
    expect(refused()).toEqual([true, true]);
  });
});
