import { OpenFlowDecodeError } from '../errors.js';
import type { Property } from '../messages/structures.js';
import { ByteReader } from '../wire/reader.js';

// Counters of ports that an extension of Intel adds, which Open vSwitch sends and prints. They stay properties in the message.

const EXPERIMENTER_TYPE = 0xffff;
const INTEL = 0xaa01;
const RFC2819 = 1;
const CUSTOM = 2;
const NONE = 0xffff_ffff_ffff_ffffn;
const SIZES = [
  '1_to_64_packets',
  '65_to_127_packets',
  '128_to_255_packets',
  '256_to_511_packets',
  '512_to_1023_packets',
  '1024_to_1522_packets',
  '1523_to_max_packets',
];
/** On the wire: sizes received, sizes sent, and these, each in the line in which it is printed. */
const OTHERS: readonly (readonly [line: 'rx' | 'tx', name: string])[] = [
  ['tx', 'multicast_packets'],
  ['rx', 'broadcast_packets'],
  ['tx', 'broadcast_packets'],
  ['rx', 'undersized_errors'],
  ['rx', 'oversize_errors'],
  ['rx', 'rx_fragmented_errors'],
  ['rx', 'rx_jabber_errors'],
];

// { u32 experimenter, type; pad[4]; u64 counters }
function rfc2819(r: ByteReader): string {
  r.skip(4);
  const lines = { rx: '', tx: '' };
  const add = (line: 'rx' | 'tx', name: string): void => {
    const value = r.u64();
    if (value !== NONE) lines[line] += `${name}=${value}, `;
  };
  for (const line of ['rx', 'tx'] as const) for (const name of SIZES) add(line, name);
  for (const [line, name] of OTHERS) add(line, name);
  return (['rx', 'tx'] as const)
    .map((line) => (lines[line] === '' ? '' : `\n           ${line} rfc2819 ${lines[line]}`))
    .join('');
}

// { u32 experimenter, type; pad[2]; u16 count; { u8 length; name; u64 value }[] }
function custom(r: ByteReader): string {
  r.skip(2);
  const count = r.u16();
  let text = '';
  for (let i = 0; i < count; i++) {
    const name = r.text(r.u8());
    const value = r.u64();
    if (name !== '') text += `${i % 3 === 0 ? `\n${' '.repeat(22)}` : ' '}${name}=${value},`;
  }
  return count === 0 ? '' : `\n           CUSTOM Statistics${text}`;
}

/** Lines below those of a port; empty where there are no such properties. */
export function printIntelCounters(properties: readonly Property[] | undefined): string {
  const found = new Map<number, string>();
  for (const { type, body } of properties ?? []) {
    const r = new ByteReader(body);
    if (type !== EXPERIMENTER_TYPE || r.left < 8 || r.u32() !== INTEL) continue;
    const kind = r.u32();
    try {
      if (kind === RFC2819) found.set(kind, rfc2819(r));
      else if (kind === CUSTOM) found.set(kind, custom(r));
    } catch (error) {
      // Not as Open vSwitch has it: not ours to print.
      if (!(error instanceof OpenFlowDecodeError)) throw error;
    }
  }
  return (found.get(RFC2819) ?? '') + (found.get(CUSTOM) ?? '');
}
