import { describe, expect, it } from 'vitest';
import { TCP, type TestSegment, tcpFrame } from '../testing/dns-messages.js';
import { segmentOf } from './segment.js';

const payload = Uint8Array.from([1, 2, 3]);
const v4 = (more: Partial<TestSegment> = {}) => frame('10.96.0.10', '10.244.1.2', more);
const v6 = (more: Partial<TestSegment> = {}) => frame('fd00:10:96::a', 'fd00:10:244:1::2', more);
function frame(source: string, destination: string, more: Partial<TestSegment>): Uint8Array {
  const ends = { source, destination, sourcePort: 53, destinationPort: 40_000 };
  return tcpFrame({ ...ends, sequence: 0xffff_fffe, flags: TCP.ack, payload, ...more });
}
const changed = (bytes: Uint8Array, at: number, value: number) => {
  bytes[at] = value;
  return bytes;
};
const NO_FLAGS = { syn: false, fin: false, rst: false };

it.each([
  ['IPv4', v4(), '10.96.0.10', '10.244.1.2'],
  ['IPv6', v6(), 'fd00:10:96::a', 'fd00:10:244:1::2'],
] as const)('a segment over %s is its ends, its place and its data', (_, bytes, source, destination) => {
  const ends = { source, sourcePort: 53, destination, destinationPort: 40_000 };
  expect(segmentOf(bytes)).toEqual({ ...ends, sequence: 0xffff_fffe, ...NO_FLAGS, payload });
});

it.each([
  ['SYN', TCP.syn | TCP.ack, { syn: true }],
  ['FIN', TCP.fin | TCP.psh | TCP.ack, { fin: true }],
  ['RST', TCP.rst, { rst: true }],
] as const)('%s is told', (_, flags, told) => {
  expect(segmentOf(v4({ flags }))).toMatchObject({ ...NO_FLAGS, ...told });
});

it('options are no data, and neither is the padding of a short frame', () => {
  const options = Uint8Array.from([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
  expect(segmentOf(Uint8Array.from([...v4({ options }), 0, 0, 0]))?.payload).toEqual(payload);
  expect(segmentOf(v4({ options, payload: new Uint8Array() }))?.payload).toHaveLength(0);
});

describe('is no segment', () => {
  it.each<[name: string, bytes: Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['ARP', changed(v4(), 13, 0x06)],
    ['UDP', changed(v4(), 23, 17)],
    ['the first fragment', changed(v4(), 20, 0x20)],
    ['a later fragment', changed(v4(), 21, 1)],
    ['a packet that breaks off', v4().slice(0, -1)],
    ['a packet that ends within the header', changed(v4(), 17, 39)],
    ['a header of 16 bytes', changed(v4(), 46, 0x40)],
    ['a header that is longer than its packet', changed(v4(), 46, 0xf0)],
    ['IPv6 that breaks off', v6().slice(0, 60)],
  ])('%s', (_, bytes) => {
    expect(segmentOf(bytes)).toBeUndefined();
  });
});
