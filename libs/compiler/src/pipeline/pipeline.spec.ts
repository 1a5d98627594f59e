import { PORT } from 'openflow-ts/codec';
import { describe, expect, it } from 'vitest';
import { hairpinZone } from './constants.js';
import { checkBuckets, checkFlow } from './contract.js';
import { cookie, parseCookie } from './cookie.js';
import { flowKey } from './flow.js';
import { defineRegisters, matchRegisters, setRegister, setRegisters } from './registers.js';
import { definePipeline, TABLE_ID } from './tables.js';

const table = (id: number, name: string, next: readonly string[] = []) =>
  ({ id, name, matches: [], writes: [], next, miss: 'drop', doc: '' }) as const;

describe('definePipeline', () => {
  it.each([
    ['ids that fall', [table(2, 'A'), table(1, 'B')], 'B: id 1 must be above 2'],
    ['a name twice', [table(1, 'A'), table(2, 'A')], 'A is defined twice'],
    ['an unknown next table', [table(1, 'A', ['Z'])], 'A: unknown next table Z'],
    ['going backwards', [table(1, 'A'), table(2, 'B', ['A'])], 'B: going to A goes backwards'],
    [
      'a miss to where flows may not go',
      [{ ...table(1, 'A'), miss: { next: 'B' } }, table(2, 'B')],
      'not among its next',
    ],
  ])('refuses %s', (_, tables, message) => {
    expect(() => definePipeline(tables)).toThrow(message);
  });
});

describe('defineRegisters', () => {
  const field = { field: 'reg1', lsb: 0, msb: 7, from: 'Classify', until: 'Route', doc: '' } as const;
  it.each([
    ['bits outside the register', { a: { ...field, msb: 32 } }, 'a: reg1[0..32] is not inside 0..31'],
    [
      'bits shared while both are alive',
      { a: field, b: { ...field, lsb: 7, msb: 9, from: 'Conntrack' } },
      'b overlaps a',
    ],
    [
      'a register inside of an xxreg that is alive',
      { a: { ...field, field: 'xxreg0', msb: 127 }, b: { ...field, from: 'Conntrack' } },
      'b overlaps a',
    ],
    ['an end before the beginning', { a: { ...field, from: 'Output' } }, 'a ends (Route) before it begins (Output)'],
  ] as const)('refuses %s', (_, registers, message) => {
    expect(() => defineRegisters(registers)).toThrow(message);
  });
  it('lets fields follow each other in the same bits', () => {
    expect(() => defineRegisters({ a: field, b: { ...field, from: 'IngressAdmin', until: 'Output' } })).not.toThrow();
  });
});

describe('register actions and matches', () => {
  it('write the bits of their field only', () => {
    expect(setRegister('vpc', 3)).toEqual({ kind: 'set_field', field: 'reg0', value: 0x300, mask: 0xffff00 });
    expect(setRegister('sourceIdentity', 0xffff_ffff)).toEqual({
      kind: 'set_field',
      field: 'reg1',
      value: 0xffff_ffff,
    });
    expect(setRegisters({ sourceKind: 1, vpc: 1 })).toEqual({
      kind: 'set_field',
      field: 'reg0',
      value: 0x101,
      mask: 0xffff0f,
    });
    expect(matchRegisters({ sourceKind: 2, vpc: 1, tunnelPeer: 9 })).toEqual({ reg0: [0x102, 0xffff0f], reg6: 9 });
  });
  it('refuse values that do not fit and fields of different registers', () => {
    expect(() => setRegister('sourceKind', 16)).toThrow('sourceKind 16 does not fit into 4 bits');
    expect(() => setRegisters({ vpc: 1, tunnelPeer: 1 })).toThrow(TypeError);
    expect(() => hairpinZone(0x8000 as never)).toThrow(RangeError);
  });
});

describe('the contract of a table', () => {
  const to = (table: keyof typeof TABLE_ID) => ({ kind: 'goto_table', table: TABLE_ID[table] }) as const;
  const act = (...actions: readonly object[]) => ({ kind: 'apply_actions', actions }) as never;
  it.each([
    ['a field that the table may not match', 'Output', { ip_dst: 1 }, [], 'Output: may not match ip_dst'],
    ['register bits that are not its own', 'IngressAdmin', { reg0: [1, 0xf] as const }, [], 'may not match reg0'],
    [
      'a field that it may not write',
      'Route',
      {},
      [act({ kind: 'set_field', field: 'tun_dst', value: 1 })],
      'may not write tun_dst',
    ],
    [
      'a whole register where it may write bits',
      'Classify',
      {},
      [act({ kind: 'set_field', field: 'reg0', value: 1 })],
      'may not write reg0',
    ],
    ['a table that is not next', 'AntiSpoof', {}, [to('Route')], 'AntiSpoof: may not go to Route'],
    ['an unknown table', 'AntiSpoof', {}, [{ kind: 'goto_table', table: 99 } as const], 'may not go to table 99'],
    ['output', 'Route', {}, [act({ kind: 'output', port: PORT.IN_PORT })], 'may not send packets out'],
    [
      'reading a register that is dead',
      'Output',
      {},
      [
        act({
          kind: 'move',
          source: { field: 'reg12', offset: 0, bits: 16 },
          target: { field: 'tun_id', offset: 0, bits: 16 },
        }),
      ],
      'reads reg12 where nothing is kept',
    ],
    ['conntrack zone 0', 'Conntrack', {}, [act({ kind: 'ct' })], 'uses zone 0'],
    [
      'a ct to a table that is not next',
      'Conntrack',
      {},
      [act({ kind: 'ct', zone: 1, table: 90 })],
      'may not go to Output',
    ],
    [
      'a nested action',
      'ConntrackCommit',
      {},
      [act({ kind: 'ct', zone: 1, exec: [{ kind: 'set_field', field: 'reg1', value: 1 }] })],
      'may not write reg1',
    ],
    ['an action without a place', 'Route', {}, [act({ kind: 'learn' })], 'action learn has no place here'],
    ['an instruction without a place', 'Route', {}, [{ kind: 'clear_actions' } as const], 'instruction clear_actions'],
  ] as const)('refuses %s', (_, name, match, instructions, message) => {
    expect(() => checkFlow(TABLE_ID[name], match, instructions)).toThrow(message);
  });
  it('holds for the buckets of a group too', () => {
    expect(() => checkBuckets('ServiceLB', [{ actions: [{ kind: 'resubmit', table: TABLE_ID.Route }] }])).toThrow(
      'may not go to Route',
    );
  });
});

describe('cookies and keys', () => {
  it('say whose, what for and which object', () => {
    expect(cookie('policy', 7)).toBe(0x4804_0002_0000_0007n);
    expect(parseCookie(cookie('isolation', 0xffff_ffff))).toEqual({
      feature: 'isolation',
      generation: 2,
      objectId: 0xffff_ffff,
    });
    expect(parseCookie(0x1234n)).toBeUndefined();
    expect(parseCookie(0x48ff_0002_0000_0001n)?.feature).toBeUndefined();
  });
  it('do not hang on the order in which fields are written', () => {
    expect(flowKey(1, 2, { eth_type: 0x800, ip_dst: [0x0a000000, 0xff000000] })).toBe(
      '1,2,eth_type=800,ip_dst=a000000/ff000000',
    );
    expect(flowKey(1, 2, { ip_dst: 1, eth_type: 0x800 })).toBe(flowKey(1, 2, { eth_type: 0x800, ip_dst: 1 }));
    expect(flowKey(1, 2, { ipv6_dst: 10n })).toBe('1,2,ipv6_dst=a');
  });
});
