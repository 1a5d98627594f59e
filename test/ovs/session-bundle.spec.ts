import { connectOpenFlow, flowMod, groupMod, type Mod, type OpenFlowSession, type Version } from 'openflow-ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const VERSIONS: Version[] = ['OF1.3', 'OF1.4', 'OF1.5'];
const drop = (priority: number, port = 1) => flowMod({ tableId: 1, priority, match: { in_port: port } });
const toGroup = (priority: number, group: number) =>
  flowMod({ tableId: 1, priority, instructions: [{ kind: 'apply_actions', actions: [{ kind: 'group', group }] }] });
/** Refused when it is added: no switch knows this action. */
const nonsense = flowMod({
  priority: 9,
  instructions: [{ kind: 'apply_actions', actions: [{ kind: 'unknown', type: 0xeee, body: new Uint8Array(4) }] }],
});
const group = groupMod({
  groupId: 7,
  type: 'select',
  buckets: [{ bucketId: 1, weight: 1, actions: [{ kind: 'output', port: 1 }] }],
});

describe.skipIf(!hasOvs())('bundles on Open vSwitch', () => {
  let ovs: TestSwitch;
  let session: OpenFlowSession | undefined;

  beforeAll(async () => {
    ovs = await startSwitch();
  });
  beforeEach(async () => {
    await ovs.ofctl('del-flows', 'br-int');
    await ovs.ofctl('del-groups', 'br-int');
  });
  afterEach(() => session?.close());
  afterAll(() => ovs?.stop());

  async function open(version: Version, more: object = {}): Promise<OpenFlowSession> {
    session = await connectOpenFlow({ target: ovs.openflow, versions: [version], ...more });
    return session;
  }

  it.each(VERSIONS)('%s: a group and the flow that needs it go together', async (version) => {
    const one = await open(version);
    expect(await one.apply([group, toGroup(5, 7), drop(6)])).toEqual({ kind: 'committed' });
    expect(await ovs.flows()).toEqual([
      'table=1, priority=5 actions=group:7',
      'table=1, priority=6,in_port=1 actions=drop',
    ]);
  });

  it.each(VERSIONS)('%s: a bundle of one message is applied in one round trip, or not at all', async (version) => {
    const one = await open(version);
    expect(await one.apply([group])).toEqual({ kind: 'committed' });
    expect(await one.apply([drop(6)])).toEqual({ kind: 'committed' });
    for (const [bad, reason] of [
      [nonsense, 'OFPBAC_BAD_TYPE'],
      [toGroup(9, 999), 'OFPBAC_BAD_OUT_GROUP'],
    ] as const)
      expect(await one.apply([bad])).toMatchObject({
        kind: 'rejected',
        errors: [{ index: 0, error: { reason, requestKind: 'flow_mod' } }],
      });
    expect(await ovs.flows()).toEqual(['table=1, priority=6,in_port=1 actions=drop']);
    expect(await ovs.ofctl('dump-groups', 'br-int')).toContain('group_id=7');
  });

  const refused: [string, Mod, string][] = [
    ['while it is added', nonsense, 'OFPBAC_BAD_TYPE'],
    ['at the commit', toGroup(9, 999), 'OFPBAC_BAD_OUT_GROUP'],
  ];
  it.each(VERSIONS.flatMap((v) => refused.map((r) => [v, ...r] as const)))(
    '%s: a message refused %s leaves nothing applied and is named',
    async (version, _, bad, reason) => {
      const one = await open(version);
      const result = await one.apply([drop(1), group, bad, drop(2)]);
      expect(result).toMatchObject({
        kind: 'rejected',
        errors: [{ index: 2, error: { reason, requestKind: 'flow_mod' } }],
      });
      expect(await ovs.flows()).toEqual([]);
      expect(await ovs.ofctl('dump-groups', 'br-int')).not.toContain('group_id');
      expect(await one.apply([drop(3)])).toEqual({ kind: 'committed' });
    },
  );

  it.each(VERSIONS)('%s: commits what is filled when it may, and discards it when it may not', async (version) => {
    const one = await open(version);
    let allow: () => void = () => undefined;
    const allowed = new Promise<void>((resolve) => {
      allow = resolve;
    });
    const applied = one.apply([group, toGroup(5, 7)], { commitAfter: allowed });
    // Answers come in their order: the bundle is filled now.
    await one.barrier();
    expect(await ovs.flows()).toEqual([]);
    allow();
    expect(await applied).toEqual({ kind: 'committed' });
    expect(await ovs.flows()).toHaveLength(1);
    const refusal = new Error('not today');
    await expect(one.apply([drop(6)], { commitAfter: Promise.reject(refusal) })).rejects.toBe(refusal);
    expect(await ovs.flows()).toHaveLength(1);
    expect(await one.apply([drop(6)])).toEqual({ kind: 'committed' });
  });

  it('commits nothing that nobody waits for any more', async () => {
    const one = await open('OF1.5');
    let allow: () => void = () => undefined;
    const allowed = new Promise<void>((resolve) => {
      allow = resolve;
    });
    await expect(one.apply([drop(1)], { commitAfter: allowed, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'OF_TIMEOUT',
    });
    allow();
    await one.barrier();
    expect(await ovs.flows()).toEqual([]);
  });

  it('names one bad message among 20000, and applies 20000 good ones', async () => {
    const one = await open('OF1.5');
    const mods: Mod[] = Array.from({ length: 20_000 }, (_, i) => drop(1 + (i % 60_000), 1 + i));
    const result = await one.apply(mods.with(12_345, nonsense));
    expect(result).toMatchObject({ kind: 'rejected', errors: [{ index: 12_345 }] });
    expect(await ovs.flows()).toEqual([]);
    expect(await one.apply(mods)).toEqual({ kind: 'committed' });
    const all = { kind: 'multipart_request', type: 'flow', ...FILTER } as const;
    expect(await one.multipart(all)).toHaveLength(20_000);
  });

  it('gives up a reply above its bound, and goes on', async () => {
    const one = await open('OF1.5');
    await one.apply(Array.from({ length: 3000 }, (_, i) => drop(1, 1 + i)));
    const all = { kind: 'multipart_request', type: 'flow', ...FILTER } as const;
    await expect(one.multipart(all, { maxBytes: 70_000 })).rejects.toMatchObject({ code: 'OF_LIMIT' });
    expect(await one.multipart(all)).toHaveLength(3000);
  });

  it('sends nothing of a bundle that cannot be encoded', async () => {
    const one = await open('OF1.3');
    const bad = groupMod({ groupId: 8, type: 'select', selectionMethod: 'dp_hash', buckets: [] });
    const result = await one.apply([drop(1), bad]);
    expect(result).toMatchObject({ kind: 'rejected', errors: [{ index: 1, error: { code: 'OF_ENCODE' } }] });
    expect(await ovs.flows()).toEqual([]);
  });

  it('matches errors to requests by xid', async () => {
    const one = await open('OF1.5');
    const outcomes = await Promise.allSettled([
      one.confirm(drop(1)),
      one.confirm(nonsense),
      one.request({ kind: 'features_request' }),
      one.confirm(toGroup(1, 999)),
      one.request({ kind: 'experimenter', experimenter: 0x123456, type: 1, body: new Uint8Array() }),
      one.barrier(),
    ]);
    expect(
      outcomes.map((o) => (o.status === 'fulfilled' ? 'ok' : `${o.reason.requestKind} ${o.reason.reason}`)),
    ).toEqual([
      'ok',
      'flow_mod OFPBAC_BAD_TYPE',
      'ok',
      'flow_mod OFPBAC_BAD_OUT_GROUP',
      'experimenter OFPBRC_BAD_VENDOR',
      'ok',
    ]);
  });

  it('waits for a stalled switch without filling memory, and ends what waits too long', async () => {
    const one = await open('OF1.5', { maxUnsentBytes: 1_000_000, echoIntervalMs: 60_000 });
    ovs.freeze();
    try {
      const big = Array.from({ length: 60_000 }, (_, i) => drop(1, 1 + i));
      // 60000 flows are about 5 MB: five times the bound, which is not reached because the writer waits.
      const applied = one.apply(big, { timeoutMs: 30_000 });
      await expect(one.barrier({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'OF_TIMEOUT' });
      ovs.thaw();
      expect(await applied).toEqual({ kind: 'committed' });
    } finally {
      ovs.thaw();
    }
  });

  it('refuses to hold more than its bound for a caller that does not wait', async () => {
    const one = await open('OF1.5', { maxUnsentBytes: 200_000, echoIntervalMs: 60_000 });
    ovs.freeze();
    try {
      const data = new Uint8Array(60_000);
      const sent = Array.from({ length: 100 }, () => one.send({ kind: 'echo_request', data }));
      const outcomes = Promise.allSettled(sent);
      await new Promise((resolve) => setTimeout(resolve, 100));
      ovs.thaw();
      const codes = (await outcomes).map((o) => (o.status === 'fulfilled' ? 'sent' : o.reason.code));
      expect(new Set(codes)).toEqual(new Set(['sent', 'OF_LIMIT']));
      await one.barrier();
    } finally {
      ovs.thaw();
    }
  });

  it('ends the session of a switch that has gone silent', async () => {
    const one = await open('OF1.5', { echoIntervalMs: 300 });
    // Longer than a switch that is silent is waited for.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await one.barrier();
    ovs.freeze();
    try {
      const waiting = one.barrier();
      await expect(waiting).rejects.toMatchObject({ code: 'OF_CLOSED', reason: { kind: 'silent' } });
      expect(await one.closed).toEqual({ kind: 'silent' });
    } finally {
      ovs.thaw();
    }
  });
});

const FILTER = {
  tableId: 0xff,
  outPort: 0xffffffff,
  outGroup: 0xffffffff,
  cookie: 0n,
  cookieMask: 0n,
  match: {},
} as const;
