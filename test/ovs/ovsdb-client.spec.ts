import { connectOvsdb, InterfaceError, type OvsdbClient, OvsdbError, TimeoutError } from 'ovsdb-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

describe.skipIf(!hasOvs)('against ovsdb-server and ovs-vswitchd', () => {
  let sandbox: OvsSandbox;
  let client: OvsdbClient;

  beforeAll(async () => {
    sandbox = new OvsSandbox();
    sandbox.startServer();
    sandbox.startVswitchd();
    client = connectOvsdb({ target: sandbox.target });
    await client.ready;
  });
  afterAll(async () => {
    await client.close();
    await sandbox.close();
  });

  test('lists databases and reads a schema', async () => {
    expect(await client.listDbs()).toEqual(expect.arrayContaining(['Open_vSwitch', '_Server']));
    const schema = await client.getSchema('Open_vSwitch');
    expect(schema.tables.get('Bridge')?.indexes).toEqual([['name']]);
    await client.echo();
    expect(await client.getServerId()).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a replica has a change before the answer of its own commit, on the same connection', async () => {
    const replica = await client.monitor('Open_vSwitch', { Open_vSwitch: { columns: ['external_ids'] } });
    for (let i = 0; i < 20; i++) {
      const tx = client.transaction('Open_vSwitch');
      tx.update('Open_vSwitch', [], { external_ids: { turn: String(i) } });
      await tx.commit();
      expect([...replica.table('Open_vSwitch').rows.values()][0]?.external_ids.get('turn')).toBe(String(i));
    }
    replica.close();
  });

  test('gives the error string of a failed operation as a code', async () => {
    const failed = client.transact('Open_vSwitch', [
      { op: 'comment', comment: 'fine' },
      { op: 'insert', table: 'Nowhere', row: {} },
    ]);
    await expect(failed).rejects.toBeInstanceOf(OvsdbError);
    await expect(failed).rejects.toMatchObject({
      code: 'syntax error',
      operation: 1,
      details: expect.stringContaining('No table named Nowhere'),
    });
  });

  test('adds a bridge with ports in one transaction, and sees it applied by ovs-vswitchd', async () => {
    const replica = await client.monitor('Open_vSwitch', {
      Open_vSwitch: { columns: ['bridges', 'cur_cfg'] },
      Bridge: { columns: ['name', 'ports', 'fail_mode', 'external_ids'] },
      Port: { columns: ['name', 'interfaces'] },
      Interface: { columns: ['name', 'ofport', 'error', 'type'] },
    });
    const changes: string[] = [];
    replica.onChange(({ tables }) => changes.push(...(tables.Bridge?.added ?? []).map((row) => row.name)));
    const [root] = [...replica.table('Open_vSwitch').rows.keys()];
    if (root === undefined) throw new Error('no root row');

    const tx = client.transaction('Open_vSwitch');
    const local = tx.insert('Interface', { name: 'br-a', type: 'internal' });
    const other = tx.insert('Interface', { name: 'v1', type: 'dummy', ofport_request: 7 });
    const ports = [
      tx.insert('Port', { name: 'br-a', interfaces: [local] }),
      tx.insert('Port', { name: 'v1', interfaces: [other] }),
    ];
    const bridge = tx.insert('Bridge', {
      name: 'br-a',
      datapath_type: 'dummy',
      fail_mode: 'secure',
      external_ids: { owner: 'test' },
      ports,
    });
    tx.mutate('Open_vSwitch', root, [['bridges', 'insert', [bridge]]]);
    const result = await tx.commit({ waitForVswitchd: true });

    const uuid = result.uuid(bridge);
    const row = await replica.waitFor((r) => r.table('Bridge').get(uuid));
    expect(row).toMatchObject({ name: 'br-a', fail_mode: 'secure', external_ids: new Map([['owner', 'test']]) });
    expect(replica.table('Bridge').byName('br-a')?._uuid).toBe(uuid);
    const names = replica
      .table('Port')
      .resolve(row.ports)
      .map((port) => port.name);
    expect(names.sort()).toEqual(['br-a', 'v1']);
    const v1 = await replica.waitFor((r) => {
      const found = r.table('Interface').byName('v1');
      return found?.ofport === undefined ? undefined : found;
    });
    expect(v1.ofport).toBe(7);
    expect(result.cfg).toBeGreaterThan(0);
    expect(changes).toEqual(['br-a']);
    expect(sandbox.vsctl('list-ports', 'br-a')).toBe('v1');
    replica.close();
  });

  test('rejects with the error of an interface that could not be realized', async () => {
    const tx = client.transaction('Open_vSwitch');
    const bad = tx.insert('Interface', { name: 'bad0', type: 'nosuchtype' });
    const port = tx.insert('Port', { name: 'bad0', interfaces: [bad] });
    tx.mutate('Bridge', [['name', '==', 'br-a']], [['ports', 'insert', [port]]]);
    const failed = tx.commit({ waitForVswitchd: true });
    await expect(failed).rejects.toBeInstanceOf(InterfaceError);
    await expect(failed).rejects.toMatchObject({
      outcome: 'committed',
      interfaces: [{ name: 'bad0', error: expect.stringContaining('could not open network device bad0') }],
    });
    sandbox.vsctl('del-port', 'bad0');
  });

  test('rejects where ovs-vswitchd leaves an interface without ofport and without error', async () => {
    const tx = client.transaction('Open_vSwitch');
    const iface = tx.insert('Interface', { name: 'br-bad', type: 'internal' });
    const port = tx.insert('Port', { name: 'br-bad', interfaces: [iface] });
    const bridge = tx.insert('Bridge', { name: 'br-bad', datapath_type: 'nosuch', ports: [port] });
    tx.mutate('Open_vSwitch', [], [['bridges', 'insert', [bridge]]]);
    await expect(tx.commit({ waitForVswitchd: true })).rejects.toMatchObject({
      code: 'OVSDB_INTERFACE',
      interfaces: [{ name: 'br-bad' }],
    });
    sandbox.vsctl('del-br', 'br-bad');
  });

  test('waitForVswitchd ends by its deadline while ovs-vswitchd is away', async () => {
    await sandbox.stop('vs');
    const tx = client.transaction('Open_vSwitch');
    tx.update('Bridge', [['name', '==', 'br-a']], { external_ids: { owner: 'late' } });
    const late = tx.commit({ waitForVswitchd: true, timeoutMs: 300 });
    await expect(late).rejects.toBeInstanceOf(TimeoutError);
    await expect(late).rejects.toMatchObject({ outcome: 'committed' });
    expect(sandbox.vsctl('get', 'bridge', 'br-a', 'external_ids:owner')).toBe('late');
    sandbox.startVswitchd();
  });
});
