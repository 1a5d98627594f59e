import { describe, expect, it } from 'vitest';
import { udpFrame } from '../testing/dns-messages.js';
import { datagramOf } from './datagram.js';

const payload = Uint8Array.from([1, 2, 3]);
const frame = (source: string, destination: string) =>
  udpFrame({ source, destination, sourcePort: 53, destinationPort: 40_000, payload });
const v4 = () => frame('10.96.0.10', '10.244.1.2');
const v6 = () => frame('fd00:10:96::a', 'fd00:10:244:1::2');
const changed = (bytes: Uint8Array, at: number, value: number) => {
  bytes[at] = value;
  return bytes;
};

it.each([
  ['IPv4', v4(), '10.96.0.10'],
  ['IPv6', v6(), 'fd00:10:96::a'],
] as const)('a datagram over %s is its source and payload', (_, bytes, source) => {
  expect(datagramOf(bytes)).toEqual({ source, sourcePort: 53, payload });
});

it('padding of a short frame is no payload', () => {
  expect(datagramOf(Uint8Array.from([...v4(), 0, 0, 0]))?.payload).toEqual(payload);
});

describe('is no datagram', () => {
  it.each<[name: string, bytes: Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['ARP', changed(v4(), 13, 0x06)],
    ['TCP', changed(v4(), 23, 6)],
    ['the first fragment', changed(v4(), 20, 0x20)],
    ['a later fragment', changed(v4(), 21, 1)],
    ['a header of 16 bytes', changed(v4(), 14, 0x44)],
    ['a packet that breaks off', v4().slice(0, -1)],
    ['a datagram that is longer than its packet', changed(v4(), 39, 0xff)],
    ['a datagram of 7 bytes', changed(v4(), 39, 7)],
    ['IPv6 with another header', changed(v6(), 20, 0)],
    ['IPv6 that breaks off', v6().slice(0, 50)],
  ])('%s', (_, bytes) => {
    expect(datagramOf(bytes)).toBeUndefined();
  });
});
