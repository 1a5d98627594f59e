import { readFileSync, rmSync } from 'node:fs';
import { nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OvsdbManager } from '../../apps/controller/src/southbound/index.js';
import { makeCertificates } from '../support/certificates.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const NODE = nodeName('node1');
type Line = Record<string, unknown> & { event?: string };

describe.skipIf(!hasOvs())("the driver of a node's database", () => {
  let ovs: TestSwitch;
  let manager: OvsdbManager;
  let lines: Line[];
  const ends: (() => unknown)[] = [];

  const log = (line: object) => void lines.push(line as Line);
  async function until(what: string, ready: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
    for (const end = Date.now() + timeoutMs; !(await ready()); ) {
      if (Date.now() > end)
        throw new Error(`waited for ${what}: ${JSON.stringify(manager.state(NODE))}\n${JSON.stringify(lines)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  beforeEach(async () => {
    lines = [];
    ovs = await startSwitch();
    ends.push(() => ovs.stop());
    manager = new OvsdbManager({ logger: { debug: log, info: log, warn: log, error: log } });
    ends.push(() => manager.stop());
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function connect(): Promise<void> {
    await manager.start({ listen: ['tcp:127.0.0.1:0'] });
    await ovs.vsctl('set', 'open', '.', `external_ids:system-id=${NODE}`);
    await ovs.vsctl('set-manager', manager.addresses[0] ?? '');
    await until('the connection', () => manager.state(NODE)?.connected === true);
  }

  it('knows the node by its system-id, its version, and interfaces that failed', async () => {
    await connect();
    const version = (await ovs.vsctl('--version')).match(/\d+\.\d+\.\d+/)?.[0];
    await until('the version', async () => {
      await ovs.vsctl('set', 'open', '.', `ovs_version=${version}`);
      return manager.state(NODE)?.ovsVersion === version;
    });
    expect(manager.state(NODE)?.interfaceErrors).toEqual([]);
    await ovs.vsctl('--no-wait', 'add-port', 'br-int', 'bad0', '--', 'set', 'interface', 'bad0', 'type=patch');
    await until('the error', () => (manager.state(NODE)?.interfaceErrors.length ?? 0) > 0);
    expect(manager.state(NODE)?.interfaceErrors).toMatchObject([{ name: 'bad0' }]);
  });

  it('puts the settings of the integration bridge right, and leaves right ones alone', async () => {
    await connect();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(manager.state(NODE)?.repairs).toBe(0);
    await ovs.vsctl('set', 'bridge', 'br-int', 'fail_mode=standalone', 'protocols=OpenFlow10');
    await until('the repair', () => manager.state(NODE)?.repairs === 1);
    expect((await ovs.vsctl('get', 'bridge', 'br-int', 'fail_mode', 'protocols')).split('\n').slice(0, 2)).toEqual([
      'secure',
      '[OpenFlow13, OpenFlow14, OpenFlow15]',
    ]);
    expect(lines.filter((l) => l.event === 'bridge-repaired')).toMatchObject([
      { node: NODE, found: { fail_mode: 'standalone', protocols: ['OpenFlow10'] } },
    ]);
  });

  it('says that a database is gone, and takes it when it comes again', async () => {
    await connect();
    await ovs.vsctl('del-manager');
    await until('the loss', () => manager.state(NODE)?.connected === false);
    await ovs.vsctl('set-manager', manager.addresses[0] ?? '');
    await until('the return', () => manager.state(NODE)?.connected === true);
  });

  it('turns away a database that does not say whose it is', async () => {
    await manager.start({ listen: ['tcp:127.0.0.1:0'] });
    await ovs.vsctl('set-manager', manager.addresses[0] ?? '');
    await until('the refusal', () => lines.some((l) => l.event === 'ovsdb-unknown'));
    expect(manager.state(NODE)).toBeUndefined();
  });

  it('listens with TLS and client certificates', async () => {
    const certificates = makeCertificates(['switch', 'controller']);
    ends.push(() => rmSync(certificates.dir, { recursive: true, force: true }));
    const own = certificates.identity('controller');
    const tls = { key: readFileSync(own.key), cert: readFileSync(own.cert), ca: readFileSync(own.ca) };
    await manager.start({ listen: ['ssl:127.0.0.1:0'], tls });
    const { key, cert, ca } = certificates.identity('switch');
    await ovs.vsctl('set', 'open', '.', `external_ids:system-id=${NODE}`);
    await ovs.vsctl('set-ssl', key, cert, ca);
    await ovs.vsctl('set-manager', manager.addresses[0] ?? '');
    await until('the connection', () => manager.state(NODE)?.connected === true);
  });
});
