import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIELD_LIST } from './fields/info.js';
import {
  type Action,
  decodeMessage,
  encodeMessage,
  type FieldName,
  flowMod,
  formatMessage,
  type Instruction,
  type Match,
  type Message,
  OpenFlowDecodeError,
  OpenFlowEncodeError,
  sameFlow,
  VERSIONS,
  type Version,
} from './index.js';

const VERSION_NAMES = Object.keys(VERSIONS) as Version[];
const versions = fc.constantFrom(...VERSION_NAMES);

/** A value, or a value and a mask, of any field. */
const entryOf = (name: FieldName): fc.Arbitrary<unknown> => {
  const info = FIELD_LIST.find((f) => f.name === name);
  if (info === undefined) throw new Error(name);
  const value: fc.Arbitrary<number | bigint> = info.wide
    ? fc.bigInt({ min: 0n, max: info.variable ? 2n ** 64n : (info.ones as bigint) })
    : fc.nat(info.ones as number);
  if (info.spec.mask === 'no') return value;
  const masked = fc
    .tuple(value, value)
    .map(([v, m]) => [typeof v === 'bigint' ? v & (m as bigint) : (v & (m as number)) >>> 0, m]);
  return fc.oneof(value, masked);
};
/** The fields that a field is held in. Names of one thing may contradict each other, and which of them counts is not said. */
function heldIn(name: FieldName): readonly string[] {
  const [, wide, n = 0] = /^(x?x)reg(\d+)$/.exec(name) ?? [];
  if (wide !== undefined) {
    const count = wide === 'x' ? 2 : 4;
    return Array.from({ length: count }, (_, i) => `reg${count * Number(n) + i}`);
  }
  if (name === 'in_port_nxm') return ['in_port'];
  if (name === 'nw_tos') return ['ip_dscp'];
  if (name === 'vlan_tci') return ['vlan_vid', 'vlan_pcp'];
  return [name];
}
function withoutContradiction(names: readonly FieldName[]): readonly FieldName[] {
  const held = new Set<string>();
  return names.filter((name) => {
    const free = heldIn(name).every((field) => !held.has(field));
    if (free) for (const field of heldIn(name)) held.add(field);
    return free;
  });
}
const matches: fc.Arbitrary<Match> = fc
  .uniqueArray(fc.constantFrom(...FIELD_LIST.map((f) => f.name)), { maxLength: 12 })
  .map(withoutContradiction)
  .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, entryOf(name)]))) as fc.Arbitrary<Match>);

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const subfield = fc
  .record({
    field: fc.constantFrom('reg0', 'reg7', 'xxreg1', 'ct_label', 'eth_src', 'tun_id'),
    offset: fc.nat(16),
    bits: fc.integer({ min: 1, max: 16 }),
  })
  .map((s) => s as { field: FieldName; offset: number; bits: number });
const leaf: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('output' as const), port: u32, maxLen: u16 }),
  fc.record({ kind: fc.constant('group' as const), group: u32 }),
  fc.record({ kind: fc.constant('set_field' as const), field: fc.constant('reg3' as const), value: u32 }),
  fc.record({
    kind: fc.constant('set_field' as const),
    field: fc.constant('ct_label' as const),
    value: fc.bigInt(0n, 2n ** 128n - 1n),
  }),
  subfield.chain((target) =>
    fc.record({ kind: fc.constant('load' as const), target: fc.constant(target), value: fc.nat(2 ** target.bits - 1) }),
  ),
  fc.record({ kind: fc.constant('resubmit' as const), table: fc.nat(254), port: fc.nat(0xfeff) }),
  fc.record({
    kind: fc.constant('conjunction' as const),
    id: u32,
    clause: fc.integer({ min: 1, max: 64 }),
    of: fc.integer({ min: 2, max: 64 }),
  }),
  fc.record({ kind: fc.constant('note' as const), data: fc.uint8Array({ minLength: 6, maxLength: 6 }) }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.constant(0x7777),
    body: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  }),
  fc.constant<Action>({ kind: 'ct_clear' }),
  fc.constant<Action>({ kind: 'dec_ttl' }),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  leaf,
  fc.record(
    {
      kind: fc.constant('ct' as const),
      commit: fc.constant(true),
      zone: fc.oneof(fc.integer({ min: 1, max: 0xffff }), subfield),
      table: fc.nat(254),
      exec: fc.array(leaf, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ['kind'] },
  ),
  fc.record({ kind: fc.constant('clone' as const), actions: fc.array(leaf, { maxLength: 3 }) }),
);
const instructions: fc.Arbitrary<Instruction[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('apply_actions' as const), actions: fc.array(action, { maxLength: 6 }) }),
    fc.record({ kind: fc.constant('write_actions' as const), actions: fc.array(leaf, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('goto_table' as const), table: fc.nat(254) }),
    fc.record({
      kind: fc.constant('unknown' as const),
      type: fc.constant(0xffff),
      body: fc.uint8Array({ minLength: 4, maxLength: 12 }),
    }),
  ),
  { maxLength: 3 },
);
const mods: fc.Arbitrary<Message> = fc
  .record({
    match: matches,
    instructions,
    cookie: fc.bigInt(0n, 2n ** 64n - 1n),
    priority: u16,
    tableId: fc.nat(255),
    idleTimeout: u16,
  })
  .map(flowMod);

describe('a message', () => {
  it('decodes to what encodes to the same bytes', () => {
    fc.assert(
      fc.property(mods, versions, u32, (message, version, xid) => {
        const bytes = encodeMessage(message, { version, xid });
        const decoded = decodeMessage(bytes);
        expect([decoded.version, decoded.xid]).toEqual([version, xid]);
        expect(encodeMessage(decoded.message, { version, xid })).toEqual(bytes);
        if (message.kind === 'flow_mod' && decoded.message.kind === 'flow_mod')
          expect(sameFlow(message, decoded.message)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('survives any change of its bytes: it decodes, or says where it cannot', () => {
    const change = fc.tuple(fc.nat(0xffff), fc.nat(255));
    fc.assert(
      fc.property(mods, versions, fc.array(change, { minLength: 1, maxLength: 8 }), (message, version, changes) => {
        const bytes = encodeMessage(message, { version, xid: 1 });
        for (const [at, value] of changes) bytes[4 + (at % (bytes.length - 4))] = value;
        try {
          const decoded = decodeMessage(bytes);
          formatMessage(decoded);
          encodeMessage(decoded.message, decoded);
        } catch (error) {
          if (error instanceof OpenFlowDecodeError) {
            expect(error.cause).toBeUndefined();
            expect(error.offset).toBeLessThanOrEqual(bytes.length);
          } else expect(error).toBeInstanceOf(OpenFlowEncodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('survives random bodies of every type', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 6 }),
        fc.nat(36),
        fc.uint8Array({ maxLength: 120 }),
        (version, type, body) => {
          const bytes = Uint8Array.of(version, type, 0, body.length + 8, 0, 0, 0, 1, ...body);
          try {
            decodeMessage(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(OpenFlowDecodeError);
            expect((error as OpenFlowDecodeError).cause).toBeUndefined();
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('errors', () => {
  it.each([
    ['an empty message', [], 'message', 0],
    ['a length that lies', [4, 0, 0, 9, 0, 0, 0, 1], 'message', 2],
    ['a version from the future', [9, 14, 0, 8, 0, 0, 0, 1], 'message', 0],
  ])('name the place in %s', (_, bytes, path, offset) => {
    expect(() => decodeMessage(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ path, offset }));
  });

  it('name the action at fault', () => {
    const bytes = encodeMessage(
      flowMod({
        instructions: [{ kind: 'apply_actions', actions: [{ kind: 'dec_ttl' }, { kind: 'output', port: 1 }] }],
      }),
      { version: 'OF1.3', xid: 1 },
    );
    bytes[75] = 4;
    expect(() => decodeMessage(bytes)).toThrow(
      expect.objectContaining({ path: 'instructions[0].actions[1]', offset: 72 }),
    );
  });

  it.each([
    ['a value that does not fit', { nw_proto: 256 }],
    ['a number for a wide field', { eth_src: 5 as unknown as bigint }],
    ['a mask of a field without masks', { in_port: [1, 1] as unknown as number }],
    ['a name that is no field', { no_such_field: 1 } as unknown as Match],
  ])('refuse %s', (_, match) => {
    expect(() => encodeMessage(flowMod({ match }), { version: 'OF1.4', xid: 1 })).toThrow(OpenFlowEncodeError);
  });

  it('refuse what no 16-bit length can hold', () => {
    const actions: Action[] = new Array(5000).fill({ kind: 'output', port: 1 });
    expect(() =>
      encodeMessage(flowMod({ instructions: [{ kind: 'apply_actions', actions }] }), { version: 'OF1.4', xid: 1 }),
    ).toThrow(/16-bit length/);
  });
});
