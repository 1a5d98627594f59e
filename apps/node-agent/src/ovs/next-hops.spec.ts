import { afterEach, expect, it } from 'vitest';
import { FakeControl } from '../testing/fake-control.js';
import { tellNextHops } from './next-hops.js';

/** As ovs-vswitchd 3.1.0 prints it. */
const SHOWN = `IP                                            MAC                 Bridge
==========================================================================
172.31.99.254                                 6a:ec:9c:4a:c3:df   br-phy
172.31.99.2                                   ea:97:a6:74:2c:20   br-phy
fe80::1c2e:19ff:fe6d:ef9e                     5e:ac:ab:68:82:53   br-phy
`;
let control: FakeControl | undefined;
afterEach(() => control?.stop());

it('tells what the switch does not know or knows otherwise, and nothing else', async () => {
  control = await FakeControl.start((question) => (question === 'tnl/neigh/show' ? SHOWN : 'OK\n'));
  const told = await tellNextHops(control.folder, 'br-phy', [
    { ip: '172.31.99.254', mac: '6a:ec:9c:4a:c3:df' },
    { ip: '172.31.99.2', mac: '02:00:00:00:00:02' },
    { ip: '172.31.99.3', mac: '02:00:00:00:00:03' },
    { ip: 'fe80::1c2e:19ff:fe6d:ef9e', mac: '5e:ac:ab:68:82:53' },
    { ip: 'fd00::7', mac: '02:00:00:00:00:07' },
  ]);
  expect(told).toBe(3);
  expect(control.asked).toEqual([
    'version',
    'tnl/neigh/show',
    'tnl/neigh/set br-phy 172.31.99.2 02:00:00:00:00:02',
    'tnl/neigh/set br-phy 172.31.99.3 02:00:00:00:00:03',
    'tnl/neigh/set br-phy fd00::7 02:00:00:00:00:07',
  ]);
});
