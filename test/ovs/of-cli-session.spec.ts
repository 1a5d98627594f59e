import {
  connectOpenFlow,
  encodeShared,
  type FlowUpdate,
  flowMod,
  type MessageOf,
  OpenFlowPeerError,
  type OpenFlowSession,
  onRoleLost,
  parseFlow,
  reconcileFlows,
  requestRole,
  resumePacket,
  usePacketIn2,
  type Version,
  watchFlows,
} from 'openflow-ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const VERSIONS: Version[] = ['OF1.3', 'OF1.4', 'OF1.5'];

describe.skipIf(!hasOvs())('a session with Open vSwitch', () => {
  let ovs: TestSwitch;
  const sessions: OpenFlowSession[] = [];

  beforeAll(async () => {
    ovs = await startSwitch();
    for (const n of [1, 2]) await ovs.addPort(`p${n}`, n);
  });
  beforeEach(() => ovs.ofctl('del-flows', 'br-int'));
  afterEach(() => {
    for (const session of sessions.splice(0)) session.close();
  });
  afterAll(() => ovs?.stop());

  async function open(version: Version): Promise<OpenFlowSession> {
    const session = await connectOpenFlow({ target: ovs.openflow, versions: [version] });
    sessions.push(session);
    return session;
  }

  it.each(VERSIONS)('%s: watches flows that are there, that come, change and go', async (version) => {
    await ovs.ofctl('add-flow', 'br-int', 'table=1,ip,actions=output:1');
    const session = await open(version);
    const seen: FlowUpdate[] = [];
    for await (const update of watchFlows(session)) {
      seen.push(update);
      if (seen.length === 1) await ovs.ofctl('add-flow', 'br-int', 'table=2,arp,actions=drop');
      if (seen.length === 2) await ovs.ofctl('mod-flows', 'br-int', 'table=2,arp,actions=output:2');
      if (seen.length === 3) await ovs.ofctl('del-flows', 'br-int', 'table=2');
      if (seen.length === 4) break;
    }
    expect(seen).toMatchObject([
      { event: version === 'OF1.3' ? 'added' : 'initial', tableId: 1, match: { eth_type: 0x800 } },
      { event: 'added', tableId: 2, match: { eth_type: 0x806 } },
      { event: 'modified', tableId: 2, instructions: [{ kind: 'apply_actions' }] },
      { event: 'removed', tableId: 2, reason: 'delete' },
    ]);
    // The monitor is gone with the loop: the same number can be used again, and nothing comes any more.
    let late = 0;
    session.on('multipart_reply', () => late++);
    await session.barrier();
    await ovs.ofctl('add-flow', 'br-int', 'table=3,actions=drop');
    await session.barrier();
    expect(late).toBeLessThanOrEqual(1);
  });

  it('ends a watch with the session, and by a signal', async () => {
    const session = await open('OF1.4');
    const loop = async (signal?: AbortSignal) => {
      for await (const _ of watchFlows(session, signal === undefined ? {} : { signal }));
      return 'ended';
    };
    const control = new AbortController();
    const first = loop(control.signal);
    await session.barrier();
    control.abort();
    expect(await first).toBe('ended');
    const second = loop();
    await session.barrier();
    session.close();
    await expect(second).rejects.toMatchObject({ code: 'OF_CLOSED' });
  });

  it.each(VERSIONS)('%s: fences a deposed primary, and tells it', async (version) => {
    const [old, next] = [await open(version), await open(version)];
    // Roles count from where the tests before have left them.
    const base = BigInt(Date.now()) * 1000n;
    expect(await requestRole(old, 'primary', base)).toMatchObject({ role: 'primary', generationId: base });
    const all = { primary: 7, secondary: 7 };
    if (version !== 'OF1.3') await old.confirm({ kind: 'set_async', roleStatus: all });
    await old.confirm({ kind: 'set_config', flags: 0, missSendLen: 128 });
    const lost = new Promise<MessageOf<'role_status'>>((resolve) => onRoleLost(old, resolve));
    await requestRole(next, 'primary', base + 1n);
    expect(await lost).toMatchObject({ role: 'secondary' });
    const result = await old.apply([flowMod({ tableId: 9 })]).catch((error: unknown) => error);
    expect(JSON.stringify(result, (_, v) => (typeof v === 'bigint' ? `${v}` : v))).toContain('IS_S');
    const stale = await requestRole(old, 'primary', base).catch((error: unknown) => error);
    expect(stale).toBeInstanceOf(OpenFlowPeerError);
    expect(stale).toMatchObject({ reason: 'OFPRRFC_STALE' });
    expect(await ovs.flows('table=9')).toEqual([]);
  });

  it.each(VERSIONS)('%s: lets a paused packet go on where it stopped', async (version) => {
    const session = await open(version);
    await usePacketIn2(session);
    await session.confirm({ kind: 'set_config', flags: 0, missSendLen: 0xffff });
    await session.confirm(parseFlow('in_port=1,actions=controller(userdata=01.02,pause),output:2'));
    const came = new Promise<MessageOf<'packet_in2'>>((resolve) => session.on('packet_in2', resolve));
    const count = async () => Number(/tx pkts=(\d+)/.exec(await ovs.ofctl('dump-ports', 'br-int', 'p2'))?.[1]);
    const before = await count();
    await ovs.receive('p1', 'in_port(1),eth(src=0a:00:00:00:00:01,dst=0a:00:00:00:00:02),eth_type(0x1234)');
    const packet = await came;
    expect(packet.userdata).toEqual(Uint8Array.of(1, 2));
    expect(packet.continuation?.length).toBeGreaterThan(0);
    expect(await count()).toBe(before);
    await resumePacket(session, packet);
    await expect.poll(count).toBe(before + 1);
  });

  it('encodes a bundle once for sessions of any version', async () => {
    const shared = encodeShared([1, 2, 3].map((n) => parseFlow(`table=4,priority=${n},ip,actions=output:${n}`)));
    for (const version of VERSIONS) {
      await ovs.ofctl('del-flows', 'br-int');
      const session = await open(version);
      // Twice: the bytes must not keep the ids of the first.
      for (let i = 0; i < 2; i++) expect(await session.apply(shared)).toEqual({ kind: 'committed' });
      expect((await ovs.flows('table=4')).length).toBe(3);
      await session.send(encodeShared(flowMod({ command: 'delete', tableId: 4 })));
      await session.barrier();
      expect(await ovs.flows('table=4')).toEqual([]);
    }
  });

  it.each(VERSIONS)('%s: reconciles: adds, changes, removes, and leaves alone what is the same', async (version) => {
    const session = await open(version);
    const text = (...lines: string[]) => lines.map((line) => parseFlow(line));
    const wanted = text(
      'table=1,priority=5,reg0=0x1/0xf,ct_state=+trk+est,tcp,nw_dst=10.0.0.1,tp_dst=80,actions=load:3->NXM_NX_REG1[0..3],resubmit(,5)',
      'table=1,priority=6,ip,nw_src=10.1.0.0/16,actions=ct(commit,zone=5,exec(load:7->NXM_NX_CT_MARK[]))',
      'table=2,arp,cookie=0x5,actions=NORMAL',
    );
    expect(await reconcileFlows(session, wanted)).toMatchObject({ added: 3, changed: 0, removed: 0, same: 0 });
    const again = await reconcileFlows(session, wanted);
    expect(again).toMatchObject({ result: { kind: 'committed' }, added: 0, changed: 0, removed: 0, same: 3, mods: [] });
    await ovs.ofctl('add-flow', 'br-int', 'table=2,arp,cookie=0x5,actions=drop');
    await ovs.ofctl('add-flow', 'br-int', 'table=3,actions=drop');
    await ovs.ofctl('--strict', 'del-flows', 'br-int', 'table=1,priority=6,ip,nw_src=10.1.0.0/16');
    expect(await reconcileFlows(session, wanted)).toMatchObject({ added: 1, changed: 1, removed: 1, same: 1 });
    expect(await reconcileFlows(session, wanted)).toMatchObject({ same: 3, mods: [] });
    // Only one table is ours.
    await ovs.ofctl('add-flow', 'br-int', 'table=3,actions=drop');
    expect(await reconcileFlows(session, [], { filter: { tableId: 2 } })).toMatchObject({ removed: 1 });
    expect((await ovs.flows()).length).toBe(3);
  });
});
