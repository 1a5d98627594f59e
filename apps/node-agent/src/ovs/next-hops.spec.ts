import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tellNextHops } from './next-hops.js';

/** As ovs-vswitchd 3.1.0 prints it. */
const SHOWN = `IP                                            MAC                 Bridge
==========================================================================
172.31.99.254                                 6a:ec:9c:4a:c3:df   br-phy
172.31.99.2                                   ea:97:a6:74:2c:20   br-phy
fe80::1c2e:19ff:fe6d:ef9e                     5e:ac:ab:68:82:53   br-phy
`;
let folder: string;
let server: Server;
let asked: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-next-hops-'));
  asked = [];
  server = createServer((socket) =>
    socket.on('data', (data) => {
      const { id, method, params } = JSON.parse(data.toString()) as { id: number; method: string; params: string[] };
      asked.push([method, ...params].join(' '));
      socket.write(JSON.stringify({ id, error: null, result: method === 'tnl/neigh/show' ? SHOWN : 'OK\n' }));
    }),
  );
  await new Promise<void>((resolve) => server.listen(join(folder, 'vswitchd.ctl'), resolve));
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

it('tells what the switch does not know or knows otherwise, and nothing else', async () => {
  const told = await tellNextHops(folder, 'br-phy', [
    { ip: '172.31.99.254', mac: '6a:ec:9c:4a:c3:df' },
    { ip: '172.31.99.2', mac: '02:00:00:00:00:02' },
    { ip: '172.31.99.3', mac: '02:00:00:00:00:03' },
    { ip: 'fe80::1c2e:19ff:fe6d:ef9e', mac: '5e:ac:ab:68:82:53' },
    { ip: 'fd00::7', mac: '02:00:00:00:00:07' },
  ]);
  expect(told).toBe(3);
  expect(asked).toEqual([
    'version',
    'tnl/neigh/show',
    'tnl/neigh/set br-phy 172.31.99.2 02:00:00:00:00:02',
    'tnl/neigh/set br-phy 172.31.99.3 02:00:00:00:00:03',
    'tnl/neigh/set br-phy fd00::7 02:00:00:00:00:07',
  ]);
});
