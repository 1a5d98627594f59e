import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Family } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import { Database } from '../persistence/database.js';
import { call, OPTIONS, said, useAllocating, v4 } from '../testing/allocating.js';
import { BreakableDatabase } from '../testing/fake-database.js';
import { Allocations } from './allocations.js';

const here = useAllocating();
const { start } = here;

describe('nodes', () => {
  it('get a key, a datapath id and a first block of each family, whose first address is the gateway', async () => {
    const { nodes } = await start();
    const { node, changed } = await nodes.register('node1', said('172.31.99.1'));
    expect({ changed, ...node }).toMatchObject({
      changed: true,
      key: 1,
      datapathId: '4865646400000001',
      gatewayIps: ['10.244.0.1', 'fd00:10:244::1'],
      gatewayMac: '0a:59:00:00:00:01',
    });
    expect(nodes.blocksOf('node1').map((b) => b.cidr)).toEqual(['10.244.0.0/26', 'fd00:10:244::/122']);
  });

  it('that are removed give their blocks back, and never their numbers', async () => {
    // Room for four blocks.
    const options = v4('10.244.0.0/24');
    let { nodes, attachments } = await start(options);
    for (const n of [1, 2, 3]) await nodes.register(`node${n}`, said(`172.31.99.${n}`));
    await attachments.attach(call('node1', 'a'));
    await attachments.attach(call('node1', 'b'));
    expect((await attachments.detachNode('node1')).map((l) => l.record.pod)).toEqual(['a', 'b']);
    expect((await nodes.remove('node1'))?.blocks.map((b) => b.cidr)).toEqual(['10.244.0.0/26']);
    expect(await nodes.remove('node1')).toBeUndefined();
    ({ nodes, attachments } = await start(options));
    const fresh = await nodes.register('node1', said('172.31.99.1'));
    expect(fresh.node).toMatchObject({ key: 4, datapathId: '4865646400000004', gatewayIps: ['10.244.0.193'] });
    // The one that was given back comes last.
    const last = await nodes.register('node5', said('172.31.99.5'));
    expect(last.node).toMatchObject({ key: 5, gatewayIps: ['10.244.0.1'] });
    const { lease } = await attachments.attach(call('node5', 'c'));
    expect(lease).toMatchObject({ ips: ['10.244.0.2'], record: { portKey: 3, ofport: 256 } });
    await expect(nodes.register('node6', said('172.31.99.6'))).rejects.toMatchObject({ code: 'pool_exhausted' });
    ({ nodes, attachments } = await start(options));
    expect(attachments.ofPod('x', 'c')?.ips).toEqual(['10.244.0.2']);
    expect(nodes.byDatapathId(0x4865646400000001n)).toBeUndefined();
  });

  it('that say the same again change nothing, also after a restart', async () => {
    const before = await (await start()).nodes.register('node1', said('172.31.99.1'));
    const again = await start();
    expect(await again.nodes.register('node1', said('172.31.99.1'))).toEqual({
      node: before.node,
      changed: false,
      newBlocks: [],
    });
    expect(again.sequences.current('node-set')).toBe(2);
  });

  it('keep key and blocks when they move to another address', async () => {
    const { nodes } = await start();
    await nodes.register('node1', said('172.31.99.1'));
    const { node, changed, newBlocks } = await nodes.register('node1', said('172.31.99.9'));
    expect({ changed, newBlocks, key: node.key, encapIp: node.encapIp }).toEqual({
      changed: true,
      newBlocks: [],
      key: 1,
      encapIp: '172.31.99.9',
    });
  });

  it('get a block of a family that came later', async () => {
    const { nodes } = await start(v4('10.244.0.0/16'));
    await nodes.register('node1', said('172.31.99.1'));
    const dual = await start();
    const { node } = await dual.nodes.register('node1', said('172.31.99.1'));
    expect(node.gatewayIps).toEqual(['10.244.0.1', 'fd00:10:244::1']);
  });

  it.each([
    ['a name that is none', 'Node_1', said('172.31.99.1'), 'bad_request', /not a node name/],
    ['an address that is none', 'node1', said('172.31.99'), 'bad_request', /encapIp.*not an IP address/],
    ['the address of another node', 'node2', said('172.31.99.7'), 'conflict', /encapsulation address of node seven/],
  ])('are refused with %s', async (_, name, registration, code, message) => {
    const { nodes } = await start();
    await nodes.register('seven', said('172.31.99.7'));
    await expect(nodes.register(name, registration)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('are refused when no block is left, and the pool is named', async () => {
    const { nodes } = await start(v4('10.0.0.0/25'));
    await nodes.register('a', said('172.31.99.1'));
    await nodes.register('b', said('172.31.99.2'));
    await expect(nodes.register('c', said('172.31.99.3'))).rejects.toMatchObject({
      code: 'pool_exhausted',
      message: expect.stringContaining('10.0.0.0/25'),
    });
  });

  it('with blocks outside the cluster CIDR stop the start, with what to do', async () => {
    await (await start()).nodes.register('node1', said('172.31.99.1'));
    await expect(start(v4('10.99.0.0/16'))).rejects.toThrow(/10\.244\.0\.0\/26.*HEDDLE_CLUSTER_CIDR/);
  });
});

describe('service addresses', () => {
  const claim = (key: string, families: readonly Family[] = [4], fixed: readonly string[] = []) =>
    ({ key, families, fixed }) as Parameters<Allocations['serviceAddresses']['settle']>[0][number];
  const ips = (grants: Awaited<ReturnType<Allocations['serviceAddresses']['settle']>>) =>
    Object.fromEntries([...grants].map(([key, g]) => [key, g.ips]));

  it('are given above the lower band, one of each family, and kept over a restart', async () => {
    const before = await start();
    const grants = await before.serviceAddresses.settle([claim('x/a', [4, 6]), claim('x/b', [6])]);
    expect(ips(grants)).toEqual({ 'x/a': ['10.96.1.0', 'fd00:10:96::100'], 'x/b': ['fd00:10:96::101'] });
    const after = await start();
    expect(ips(await after.serviceAddresses.settle([claim('x/b', [6]), claim('x/a', [4, 6])]))).toEqual(ips(grants));
  });

  it('come back to a service that was away, while nobody else needed them', async () => {
    const { serviceAddresses } = await start();
    await serviceAddresses.settle([claim('x/a'), claim('x/b')]);
    await serviceAddresses.settle([claim('x/b')]);
    expect(ips(await serviceAddresses.settle([claim('x/b'), claim('x/c'), claim('x/a')]))).toEqual({
      'x/a': ['10.96.1.0'],
      'x/b': ['10.96.1.1'],
      'x/c': ['10.96.1.2'],
    });
  });

  it.each<[name: string, fixed: string[], ips: string[], problem: RegExp | undefined]>([
    ['one that is free', ['10.96.0.10'], ['10.96.0.10'], undefined],
    ['one in use', ['10.96.1.0'], [], /10\.96\.1\.0 is in use by service x\/first/],
    ['one outside the CIDR', ['10.97.0.1'], [], /10\.97\.0\.1 is not in the service CIDR/],
  ])('that a manifest names: %s', async (_, fixed, expected, problem) => {
    const { serviceAddresses } = await start();
    await serviceAddresses.settle([claim('x/first')]);
    const grants = await serviceAddresses.settle([claim('x/first'), claim('x/second', [4], fixed)]);
    expect(grants.get('x/second')?.ips).toEqual(expected);
    expect(grants.get('x/second')?.problems.join()).toMatch(problem ?? /^$/);
  });

  it('run dry with a problem that names the pool, and go on when one is free again', async () => {
    const { serviceAddresses } = await start(v4('10.244.0.0/16', '10.96.0.0/29'));
    const claims = Array.from({ length: 7 }, (_, i) => claim(`x/s${i}`));
    const grants = await serviceAddresses.settle(claims);
    expect(grants.get('x/s5')?.ips).toEqual(['10.96.0.6']);
    expect(grants.get('x/s6')).toEqual({
      ips: [],
      problems: ['no free IPv4 address in the service CIDR 10.96.0.0/29'],
    });
    expect((await serviceAddresses.settle(claims.slice(1))).get('x/s6')?.ips).toEqual(['10.96.0.1']);
  });
});

describe('the ledger', () => {
  it('gives the same number for the same key, also after a restart, and never one number to two keys', async () => {
    const { ledger } = await start();
    const long = 'k'.repeat(10_000);
    const before = [ledger.number('identity', 'a'), ledger.number('identity', long), ledger.number('object', 'a')];
    expect(before).toEqual([256, 257, 1]);
    await ledger.flush();
    const again = (await start()).ledger;
    expect([again.number('identity', long), again.number('identity', 'new'), again.number('object', 'a')]).toEqual([
      257, 258, 1,
    ]);
  });

  it('keeps numbers for the next flush when the database fails', async () => {
    const breakable = await BreakableDatabase.open(here.url);
    here.open.push(breakable.database);
    const { ledger } = await Allocations.load(breakable.database, OPTIONS);
    breakable.break();
    ledger.number('group', 'a');
    await expect(ledger.flush()).rejects.toThrow('power cut');
    breakable.repair();
    ledger.number('group', 'b');
    await ledger.flush();
    const again = (await start()).ledger;
    expect([again.number('group', 'b'), again.number('group', 'a')]).toEqual([2, 1]);
  });
});

describe('the database', () => {
  it('is a file that only its owner can read', async () => {
    await start();
    expect(statSync(join(here.folder.path, 'db')).mode & 0o777).toBe(0o600);
  });

  it('cannot be opened by a second controller, which is told why', async () => {
    await start();
    await expect(Database.open(here.url)).rejects.toThrow(/in use: stop the other heddle-controller/);
  });

  it('is refused when it is no database', async () => {
    here.folder.write('x', 'not a database, only text that is long enough to be looked at');
    await expect(Database.open(`sqlite:${join(here.folder.manifests, 'x')}`)).rejects.toThrow(/not a database/);
  });
});
