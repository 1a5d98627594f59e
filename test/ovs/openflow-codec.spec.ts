import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectOpenFlow, type OpenFlowSession } from 'openflow-ts';
import {
  aggregateStatsRequest,
  encodeMessage,
  type FlowMod,
  type FlowStats,
  flowKey,
  flowMod,
  flowStatsRequest,
  formatFlow,
  formatGroup,
  type GroupMod,
  groupMod,
  parseFlow,
  sameFlow,
  type Version,
} from 'openflow-ts/codec';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { FLOWS } from './openflow-flows.js';

const VERSIONS: readonly Version[] = ['OF1.3', 'OF1.4', 'OF1.5'];

describe.skipIf(!hasOvs())('the codec against Open vSwitch', () => {
  let ovs: TestSwitch;
  const sessions = {} as Record<Version, OpenFlowSession>;

  beforeAll(async () => {
    ovs = await startSwitch();
    for (const version of VERSIONS)
      sessions[version] = await connectOpenFlow({ target: ovs.openflow, versions: [version] });
  });
  afterEach(async () => {
    const session = sessions['OF1.4'];
    await session.send(flowMod({ command: 'delete', tableId: 0xff }));
    await session.send(groupMod({ command: 'delete', groupId: 0xfffffffc, type: 'all' }));
    await session.barrier();
  });
  afterAll(async () => {
    for (const session of Object.values(sessions)) session.close();
    await ovs?.stop();
  });

  const dump = (version: Version): Promise<readonly FlowStats[]> => sessions[version].multipart(flowStatsRequest());
  /** Installs one flow; a refusal names the flow. */
  async function install(version: Version, name: string, flow: FlowMod): Promise<void> {
    const result = await sessions[version].apply([flow]);
    if (result.kind === 'rejected') throw new Error(`${name}: ${result.errors.map((e) => e.error.message).join('; ')}`);
  }

  for (const sent of VERSIONS) {
    it(`reads every kind of flow back as it was sent in ${sent}, in any version`, async () => {
      for (const [name, flow] of FLOWS) await install(sent, name, flow);
      for (const read of VERSIONS) {
        const back = new Map((await dump(read)).map((flow) => [flowKey(flow), flow]));
        expect(back.size).toBe(FLOWS.length);
        for (const [name, flow] of FLOWS) {
          const found = back.get(flowKey(flow));
          if (found === undefined || !sameFlow(flow, found))
            expect.soft(found && formatFlow(found), `${name}, read in ${read}`).toBe(formatFlow(flow));
        }
      }
    });

    it(`prints flows read in ${sent} as ovs-ofctl does`, async () => {
      for (const [name, flow] of FLOWS) await install('OF1.4', name, flow);
      const text = await ovs.ofctl('-O', `OpenFlow1${sent.at(-1)}`, '--no-stats', '--no-names', 'dump-flows', 'br-int');
      const theirs = text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.includes('actions='));
      const ours = (await dump(sent)).map((flow) => formatFlow(flow));
      expect(ours.sort()).toEqual(theirs.sort());
      expect(ours.length).toBe(FLOWS.length);
    });
  }

  it('writes text that ovs-ofctl reads, and the flows are the same', async () => {
    const file = join(ovs.dir, 'flows.txt');
    writeFileSync(file, FLOWS.map(([, flow]) => `${formatFlow(flow)}\n`).join(''));
    await ovs.ofctl('-O', 'OpenFlow14', 'add-flows', 'br-int', file);
    const back = new Map((await dump('OF1.4')).map((flow) => [flowKey(flow), flow]));
    for (const [name, flow] of FLOWS) {
      const found = back.get(flowKey(flow));
      if (found === undefined || !sameFlow(flow, found))
        expect.soft(found && formatFlow(found), name).toBe(formatFlow(flow));
    }
    expect(back.size).toBe(FLOWS.length);
  });

  it('reads what ovs-ofctl prints, statistics and all', async () => {
    for (const [name, flow] of FLOWS) await install('OF1.4', name, flow);
    const text = await ovs.ofctl('-O', 'OpenFlow14', '--no-names', 'dump-flows', 'br-int');
    const lines = text.split('\n').filter((line) => line.includes('actions='));
    const back = new Map(lines.map((line) => [flowKey(parseFlow(line)), line]));
    for (const [name, flow] of FLOWS) {
      const line = back.get(flowKey(flow));
      if (line === undefined || !sameFlow(flow, parseFlow(line))) expect.soft(line, name).toBe(formatFlow(flow));
    }
    expect(back.size).toBe(FLOWS.length);
  });

  it('tells different flows apart', () => {
    const keys = new Set(FLOWS.map(([, flow]) => flowKey({ ...flow, tableId: 0, priority: 0 })));
    // Flows without a match of their own share one key; all other matches are different.
    const matches = new Set(
      FLOWS.map(([, flow]) => encodeMessage(flowMod({ match: flow.match }), { version: 'OF1.3', xid: 0 }).join()),
    );
    expect(keys.size).toBeGreaterThan(40);
    expect(keys.size).toBeLessThanOrEqual(matches.size);
  });

  const GROUPS: readonly (readonly [string, GroupMod])[] = [
    [
      'all',
      groupMod({
        groupId: 1,
        type: 'all',
        buckets: [{ actions: [{ kind: 'output', port: 1 }] }, { actions: [{ kind: 'output', port: 2 }] }],
      }),
    ],
    ['indirect', groupMod({ groupId: 2, type: 'indirect', buckets: [{ actions: [{ kind: 'output', port: 1 }] }] })],
    [
      'select',
      groupMod({
        groupId: 3,
        type: 'select',
        buckets: [
          {
            weight: 1,
            actions: [
              { kind: 'set_field', field: 'reg3', value: 5 },
              { kind: 'resubmit', table: 9 },
            ],
          },
          {
            weight: 5,
            actions: [
              {
                kind: 'ct',
                commit: true,
                table: 5,
                zone: 6,
                nat: { type: 'dst', ip: { min: { family: 4, value: 0x0af40005 } }, port: { min: 80 } },
              },
            ],
          },
        ],
      }),
    ],
    [
      'ff',
      groupMod({
        groupId: 4,
        type: 'ff',
        buckets: [
          { watchPort: 1, actions: [{ kind: 'output', port: 1 }] },
          { watchGroup: 1, actions: [] },
        ],
      }),
    ],
    [
      'dp_hash',
      groupMod({
        groupId: 5,
        type: 'select',
        selectionMethod: 'dp_hash',
        selectionMethodParam: 2n,
        buckets: [{ weight: 1, actions: [] }],
      }),
    ],
    [
      'hash',
      groupMod({
        groupId: 6,
        type: 'select',
        selectionMethod: 'hash',
        selectionFields: { ip_src: 0xffffff00, ip_dst: 0xffffffff, nw_proto: 0xff },
        buckets: [{ weight: 2, actions: [{ kind: 'output', port: 3 }] }],
      }),
    ],
  ];

  it.each(VERSIONS)('reads groups back as they were sent in %s, and prints them as ovs-ofctl does', async (version) => {
    const session = sessions[version];
    const mods = GROUPS.filter(([, mod]) => version === 'OF1.5' || mod.selectionMethod === undefined).map(
      ([, mod]) => mod,
    );
    expect(await session.apply(mods)).toEqual({ kind: 'committed' });
    const back = await session.multipart({ kind: 'multipart_request', type: 'group_desc' });
    const plain = back
      .map((g) => ({ ...g, buckets: g.buckets.map(({ bucketId: _, ...bucket }) => bucket) }))
      .sort((a, b) => a.groupId - b.groupId);
    const wanted = mods.map(({ kind: _, command: __, ...g }) => ({ ...g, buckets: g.buckets }));
    // 1.5 always says the method's parameter.
    expect(plain).toEqual(
      wanted.map((g) =>
        g.selectionMethod && g.selectionMethodParam === undefined ? { ...g, selectionMethodParam: 0n } : g,
      ),
    );
    const text = await ovs.ofctl('-O', `OpenFlow1${version.at(-1)}`, 'dump-groups', 'br-int');
    const theirs = text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('group_id='));
    expect(back.map((g) => formatGroup(g)).sort()).toEqual(theirs.sort());
  });

  it('refuses to say a selection method before 1.5', () => {
    expect(() =>
      encodeMessage(groupMod({ groupId: 5, type: 'select', selectionMethod: 'dp_hash' }), { version: 'OF1.4', xid: 1 }),
    ).toThrow(/OF1.5/);
  });

  it.each(VERSIONS)('reads description, ports, tables and features in %s', async (version) => {
    const session = sessions[version];
    const [description] = await session.multipart({ kind: 'multipart_request', type: 'desc' });
    expect(description).toMatchObject({ manufacturer: 'Nicira, Inc.', hardware: 'Open vSwitch' });
    const ports = await session.multipart({ kind: 'multipart_request', type: 'port_desc' });
    expect(ports.map((port) => [port.portNo, port.name])).toEqual([[0xfffffffe, 'br-int']]);
    const tables = await session.multipart({ kind: 'multipart_request', type: 'table' });
    expect(tables.length).toBe(254);
    const stats = await session.multipart({ kind: 'multipart_request', type: 'port', portNo: 0xffffffff });
    expect(stats.map((port) => port.portNo)).toEqual([0xfffffffe]);
    const aggregate = await session.multipart(aggregateStatsRequest());
    expect(aggregate).toEqual([{ packetCount: 0n, byteCount: 0n, flowCount: 0 }]);
    expect(await session.multipart({ kind: 'multipart_request', type: 'group_features' })).toMatchObject([
      { maxGroups: [0xffffff00, 0xffffff00, 0xffffff00, 0xffffff00] },
    ]);
  });

  it.each(VERSIONS)('maps Geneve options to tun_metadata fields in %s', async (version) => {
    const session = sessions[version];
    const maps = [
      { optionClass: 0x0123, optionType: 0x45, optionLength: 4, index: 0 },
      { optionClass: 0x0123, optionType: 0x46, optionLength: 8, index: 5 },
    ];
    await session.send({ kind: 'tlv_table_mod', command: 'add', maps });
    await session.barrier();
    const reply = await session.request({ kind: 'tlv_table_request' });
    expect(reply).toMatchObject({ kind: 'tlv_table_reply', maxFields: 64, maps });
    const flow = flowMod({
      match: { tun_metadata0: 0x0badcafen, tun_metadata5: [0x1200n, 0xff00n] },
      instructions: [
        { kind: 'apply_actions', actions: [{ kind: 'set_field', field: 'tun_metadata0', value: 5n, bytes: 4 }] },
      ],
    });
    expect(await session.apply([flow])).toEqual({ kind: 'committed' });
    const [back] = await dump(version);
    expect(back && sameFlow(flow, back)).toBe(true);
    await session.send(flowMod({ command: 'delete', tableId: 0xff }));
    await session.send({ kind: 'tlv_table_mod', command: 'clear', maps: [] });
    await session.barrier();
  });
});
