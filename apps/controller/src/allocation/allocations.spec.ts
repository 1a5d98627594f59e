import { statSync } from 'node:fs';
import { join } from 'node:path';
import { cidr, type Family } from '@heddle/compiler';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../persistence/database.js';
import { AddressRecord, AttachmentRecord } from '../persistence/records.js';
import { BreakableDatabase } from '../testing/fake-database.js';
import { TestFolder } from '../testing/folder.js';
import { Allocations, type AllocationsOptions } from './allocations.js';

const OPTIONS: AllocationsOptions = {
  clusterCidrs: [cidr('10.244.0.0/16'), cidr('fd00:10:244::/56')],
  serviceCidrs: [cidr('10.96.0.0/16'), cidr('fd00:10:96::/112')],
  families: [4, 6],
  networkSettings: 'x',
};
const v4 = (clusterCidr: string, serviceCidr = '10.96.0.0/24'): AllocationsOptions => ({
  clusterCidrs: [cidr(clusterCidr)],
  serviceCidrs: [cidr(serviceCidr)],
  families: [4],
  networkSettings: 'x',
});
const NODE = { underlayMtu: 1500, datapathType: 'netdev' } as const;
const said = (encapIp: string) => ({ ...NODE, encapIp, addresses: [encapIp] });
const call = (node: string, pod: string, containerId = `c-${pod}`) => ({
  node,
  containerId,
  ifname: 'eth0',
  namespace: 'x',
  pod,
});

let folder: TestFolder;
let url: string;
let open: Database[];

beforeEach(() => {
  folder = new TestFolder();
  url = `sqlite:${join(folder.path, 'db')}`;
  open = [];
});
afterEach(async () => {
  for (const database of open) await database.close();
  folder.remove();
});

/** Allocations over the database in the folder; what was open before is closed, as by a restart. */
async function start(options: AllocationsOptions = OPTIONS): Promise<Allocations> {
  for (const database of open.splice(0)) await database.close();
  const database = await Database.open(url);
  open.push(database);
  return Allocations.load(database, options);
}

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

describe('attachments', () => {
  it('are recorded with a MAC of their port key and the next ofport', async () => {
    const { nodes, attachments } = await start();
    await nodes.register('node1', said('172.31.99.1'));
    const one = await attachments.attach(call('node1', 'a'));
    const two = await attachments.attach(call('node1', 'b'));
    expect(
      [one, two].map(({ lease }) => [lease.record.portKey, lease.record.ofport, lease.record.mac, lease.ips]),
    ).toEqual([
      [1, 256, '0a:5a:00:00:00:01', ['10.244.0.2', 'fd00:10:244::2']],
      [2, 257, '0a:5a:00:00:00:02', ['10.244.0.3', 'fd00:10:244::3']],
    ]);
  });

  it('are the same for the same call, also after a restart', async () => {
    const before = await start();
    await before.nodes.register('node1', said('172.31.99.1'));
    const { lease } = await before.attachments.attach(call('node1', 'a'));
    expect(await before.attachments.attach(call('node1', 'a'))).toMatchObject({ lease, created: false });
    const after = await start();
    expect(await after.attachments.attach(call('node1', 'a'))).toMatchObject({ lease, created: false });
    expect((await after.attachments.attach(call('node1', 'b'))).lease).toMatchObject({
      record: { portKey: 2, ofport: 257 },
      ips: ['10.244.0.3', 'fd00:10:244::3'],
    });
  });

  it("take the place of the pod's earlier container on the same node, and leak nothing", async () => {
    const { nodes, attachments } = await start();
    await nodes.register('node1', said('172.31.99.1'));
    const earlier = (await attachments.attach(call('node1', 'a', 'c1'))).lease;
    const { lease, replaced } = await attachments.attach(call('node1', 'a', 'c2'));
    expect(replaced).toEqual(earlier);
    expect(attachments.size).toBe(1);
    expect(lease.record.ofport).not.toBe(earlier.record.ofport);
    // The DEL of the earlier sandbox comes late and must not take the new one's port.
    expect(await attachments.detach({ node: 'node1', containerId: 'c1', ifname: 'eth0' })).toBeUndefined();
    expect(attachments.ofPod('x', 'a')).toEqual(lease);
  });

  it.each<[name: string, request: object, outcome: string]>([
    ['another node', { ...call('node2', 'a', 'c2') }, 'conflict'],
    ['another node and the same UID', { ...call('node2', 'a', 'c2'), podUid: 'u1' }, 'conflict'],
    ['another node and another UID', { ...call('node2', 'a', 'c2'), podUid: 'u2' }, 'replaced'],
    ['another interface of the same container', { ...call('node1', 'a', 'c1'), ifname: 'net1' }, 'conflict'],
    ['the same container under another pod', { ...call('node1', 'b', 'c1') }, 'conflict'],
    ['a node that is not registered', { ...call('node9', 'a', 'c2') }, 'unknown_node'],
  ])('of an attached pod with %s end as told', async (_, request, outcome) => {
    const { nodes, attachments } = await start();
    await nodes.register('node1', said('172.31.99.1'));
    await nodes.register('node2', said('172.31.99.2'));
    await attachments.attach({ ...call('node1', 'a', 'c1'), podUid: 'u1' });
    const result = await attachments
      .attach(request as ReturnType<typeof call>)
      .then((o) => (o.replaced === undefined ? 'created' : 'replaced'))
      .catch((e: { code: string }) => e.code);
    expect(result).toBe(outcome);
  });

  it('use released addresses last, the one released longest ago first', async () => {
    const { nodes, attachments } = await start(v4('10.0.0.0/26'));
    await nodes.register('n', said('172.31.99.1'));
    const pods = Array.from({ length: 62 }, (_, i) => `p${i}`);
    for (const pod of pods) await attachments.attach(call('n', pod));
    for (const pod of ['p5', 'p3']) await attachments.detach(call('n', pod));
    const restarted = (await start(v4('10.0.0.0/26'))).attachments;
    expect((await restarted.attach(call('n', 'q1'))).lease.ips).toEqual(['10.0.0.7']);
    await restarted.detach(call('n', 'q1'));
    expect((await restarted.attach(call('n', 'q2'))).lease.ips).toEqual(['10.0.0.5']);
    expect((await restarted.attach(call('n', 'q3'))).lease.ips).toEqual(['10.0.0.7']);
  });

  it("get another block when the node's are full, then are refused with the pool's name", async () => {
    const { nodes, attachments } = await start(v4('10.0.0.0/25'));
    await nodes.register('n', said('172.31.99.1'));
    const outcomes = [];
    for (let i = 0; i < 62 + 63; i++) outcomes.push(await attachments.attach(call('n', `p${i}`)));
    expect(outcomes[61]?.newBlocks).toEqual([]);
    expect(outcomes[62]).toMatchObject({ newBlocks: [{ cidr: '10.0.0.64/26' }], lease: { ips: ['10.0.0.65'] } });
    await expect(attachments.attach(call('n', 'more'))).rejects.toMatchObject({
      code: 'pool_exhausted',
      message: expect.stringContaining('cluster CIDR 10.0.0.0/25'),
    });
    expect(attachments.size).toBe(125);
    await attachments.detach(call('n', 'p0'));
    expect((await attachments.attach(call('n', 'more'))).lease.ips).toEqual(['10.0.0.2']);
  });

  it('are made together as far as they do not hang on each other, each with its own answer', async () => {
    // Room for a second block of one node.
    const { nodes, attachments } = await start(v4('10.0.0.0/24'));
    for (const n of [1, 2, 3]) await nodes.register(`n${n}`, said(`172.31.99.${n}`));
    for (const n of [1, 2]) for (let i = 0; i < 62; i++) await attachments.attach(call(`n${n}`, `p${n}-${i}`));
    const known = attachments.ofPod('x', 'p1-0');
    const outcomes = await attachments.attachMany([
      call('n1', 'a'), // needs a block
      call('n2', 'b'), // so does this: it waits
      call('n3', 'c'),
      call('n3', 'd'), // the same node: it waits
      call('n9', 'e'), // no such node
      call('n1', 'p1-0'), // known already, but n1 is being changed: it waits
      call('n2', 'p2-0'),
    ]);
    expect(outcomes).toMatchObject([
      { created: true, newBlocks: [{ cidr: '10.0.0.192/26' }], lease: { ips: ['10.0.0.193'] } },
      undefined,
      { created: true, newBlocks: [], lease: { ips: ['10.0.0.130'] } },
      undefined,
      { code: 'unknown_node' },
      undefined,
      { created: false },
    ]);
    // A pod of another UID under a known name may need a block of its own: it waits while others are planned.
    const moved = { ...call('n3', 'p2-1', 'c-new'), podUid: 'u2' };
    expect(await attachments.attachMany([call('n1', 'f'), moved])).toMatchObject([{ created: true }, undefined]);
    const rest = await attachments.attachMany([call('n2', 'b'), call('n3', 'd'), call('n1', 'p1-0')]);
    expect(rest).toMatchObject([{ code: 'pool_exhausted' }, { created: true }, { lease: known }]);
    const after = (await start(v4('10.0.0.0/24'))).attachments;
    expect([...after.all()]).toEqual([...attachments.all()]);
    expect(new Set([...after.all()].flatMap((l) => l.ips)).size).toBe(after.size);
  });

  it('are not there after a crash before the commit, and nothing is given twice', async () => {
    const breakable = await BreakableDatabase.open(url);
    open.push(breakable.database);
    const { nodes, attachments } = await Allocations.load(breakable.database, OPTIONS);
    await nodes.register('n', said('172.31.99.1'));
    const one = (await attachments.attach(call('n', 'a'))).lease;
    breakable.break();
    await expect(attachments.attach(call('n', 'b'))).rejects.toThrow('power cut');
    expect(await attachments.attachMany([call('n', 'b')])).toMatchObject([{ message: 'power cut' }]);
    await expect(attachments.detach(call('n', 'a'))).rejects.toThrow('power cut');
    expect([attachments.size, attachments.ofPod('x', 'a')]).toEqual([1, one]);
    breakable.repair();
    const two = (await attachments.attach(call('n', 'b'))).lease;
    expect(two.ips).toEqual(['10.244.0.3', 'fd00:10:244::3']);
    const after = (await start()).attachments;
    expect([after.ofPod('x', 'a'), after.ofPod('x', 'b')]).toEqual([one, two]);
  });

  it('never share an address, a port key or an ofport, whatever is attached, detached and restarted', async () => {
    const pod = fc.integer({ min: 0, max: 90 });
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('attach' as const), pod }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('detach' as const), pod }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), pod }) },
    );
    const options = v4('10.0.0.0/25');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
        const own = new TestFolder();
        const database = `sqlite:${join(own.path, 'db')}`;
        let breakable = await BreakableDatabase.open(database);
        let all = await Allocations.load(breakable.database, options);
        for (const name of ['a', 'b']) await all.nodes.register(name, said(`172.31.99.${name.charCodeAt(0)}`));
        const keys = new Set<number>();
        try {
          for (const s of steps) {
            if (s.kind === 'restart') {
              await breakable.database.close();
              breakable = await BreakableDatabase.open(database);
              all = await Allocations.load(breakable.database, options);
              continue;
            }
            const request = call(s.pod % 2 === 0 ? 'a' : 'b', `p${s.pod}`);
            if (s.kind === 'crash') breakable.break();
            if (s.kind === 'detach') await all.attachments.detach(request);
            else {
              const known = all.attachments.ofPod('x', request.pod);
              const outcome = await all.attachments.attach(request).catch(() => undefined);
              if (outcome?.created) {
                expect(keys.has(outcome.lease.record.portKey)).toBe(false);
                keys.add(outcome.lease.record.portKey);
              } else if (outcome !== undefined) expect(outcome.lease).toEqual(known);
            }
            breakable.repair();
            const leases = [...all.attachments.all()];
            const gateways = all.nodes.all().flatMap((n) => n.gatewayIps);
            const addresses = [...leases.flatMap((l) => l.ips as readonly string[]), ...gateways];
            expect(new Set(addresses).size).toBe(addresses.length);
            const ofports = leases.map((l) => `${l.record.node} ${l.record.ofport}`);
            expect(new Set(ofports).size).toBe(ofports.length);
          }
          const rows = await breakable.database.read(async (tx) => [
            await tx.count(AttachmentRecord),
            (await tx.find(AddressRecord)).filter((r) => r.portKey !== null).length,
          ]);
          expect(rows).toEqual([all.attachments.size, all.attachments.size]);
        } finally {
          await breakable.database.close();
          own.remove();
        }
      }),
      { numRuns: 12 },
    );
  }, 60_000);
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
    const breakable = await BreakableDatabase.open(url);
    open.push(breakable.database);
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
    expect(statSync(join(folder.path, 'db')).mode & 0o777).toBe(0o600);
  });

  it('cannot be opened by a second controller, which is told why', async () => {
    await start();
    await expect(Database.open(url)).rejects.toThrow(/in use: stop the other heddle-controller/);
  });

  it('is refused when it is no database', async () => {
    folder.write('x', 'not a database, only text that is long enough to be looked at');
    await expect(Database.open(`sqlite:${join(folder.manifests, 'x')}`)).rejects.toThrow(/not a database/);
  });
});
