import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hasOvs, startSwitch } from '../support/ovs.js';

describe.skipIf(!hasOvs())('the private switch of the tests', () => {
  it('takes flows, loses them when ovs-vswitchd is killed, and leaves nothing behind', async () => {
    const one = await startSwitch({ protocols: ['OpenFlow14'] });
    try {
      await one.ofctl('add-flow', 'br-int', 'table=3,priority=7,in_port=1,actions=drop');
      expect(await one.flows()).toEqual(['table=3, priority=7,in_port=1 actions=drop']);
      await one.killVswitchd();
      await one.startVswitchd();
      await one.vsctl('get', 'bridge', 'br-int', 'name');
      expect(await one.flows()).toEqual([]);
    } finally {
      await one.stop();
    }
    expect(existsSync(one.dir)).toBe(false);
  });
});
