import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressRecord, AttachmentRecord } from '../persistence/records.js';
import { call, OPTIONS, said, useAllocating, v4 } from '../testing/allocating.js';
import { BreakableDatabase } from '../testing/fake-database.js';
import { TestFolder } from '../testing/folder.js';
import { Allocations } from './allocations.js';

const here = useAllocating();
const { start } = here;

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
    const breakable = await BreakableDatabase.open(here.url);
    here.open.push(breakable.database);
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
