import { ip } from '@heddle/compiler';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Segment } from '../packets/segment.js';
import { ManualClock } from '../testing/manual-clock.js';
import { MessageStreams } from './message-streams.js';

const IDLE_MS = 1_000;
let clock: ManualClock;
let streams: MessageStreams;

beforeEach(() => {
  clock = new ManualClock();
  streams = new MessageStreams(clock, { perPod: 2, total: 4, idleMs: IDLE_MS });
});

/** Of a server to a pod; the sequence numbers of connections begin at 100. */
const segment = (pod: number, port: number, more: Partial<Segment>): Segment => ({
  ...{ source: ip('10.96.0.10'), sourcePort: 53, destination: ip(`10.244.0.${pod}`), destinationPort: port },
  ...{ sequence: 101, syn: false, fin: false, rst: false, payload: new Uint8Array() },
  ...more,
});
const take = (pod: number, port: number, more: Partial<Segment>, place = 'node1 1') =>
  streams.take(place, segment(pod, port, more)).map((m) => m[0]);
const begin = (pod: number, port: number, more: Partial<Segment> = {}) =>
  take(pod, port, { syn: true, sequence: 100, ...more });
/** A message of 12 bytes with a length before, or a part of that. */
const message = (fill: number, from = 0, to = 14) =>
  Uint8Array.from([0, 12, ...Array<number>(12).fill(fill)]).slice(from, to);
const half = (pod: number, port: number) => take(pod, port, { payload: message(pod, 0, 7) });
/** Gives the message if the connection is still followed. */
const rest = (pod: number, port: number) => take(pod, port, { sequence: 108, payload: message(pod, 7) });

describe('a connection', () => {
  it('is read from its beginning on', () => {
    begin(1, 1000);
    half(1, 1000);
    expect(rest(1, 1000)).toEqual([1]);
    expect([streams.size, streams.unreadSegments]).toEqual([1, 0]);
  });

  it('may carry data with its beginning (RFC 7413)', () => {
    expect(begin(1, 1000, { payload: message(7) })).toEqual([7]);
  });

  it('is not read if its beginning was not seen, whatever comes', () => {
    expect(take(1, 1000, { payload: message(1) })).toEqual([]);
    expect(take(1, 1000, {})).toEqual([]);
    expect([streams.size, streams.unreadSegments]).toEqual([0, 1]);
  });

  it('is another one than those of other ends, and of the same address in another place', () => {
    begin(1, 1000);
    half(1, 1000);
    for (const [pod, port] of [
      [1, 1001],
      [2, 1000],
    ] as const)
      expect(rest(pod, port)).toEqual([]);
    expect(take(1, 1000, { sequence: 108, payload: message(1, 7) }, 'node2 1')).toEqual([]);
    expect(take(1, 1000, { sequence: 108, payload: message(1, 7), source: ip('10.96.0.11') })).toEqual([]);
    expect(rest(1, 1000)).toEqual([1]);
  });

  it('goes on when its beginning is sent again, and begins anew with another', () => {
    begin(1, 1000);
    half(1, 1000);
    begin(1, 1000);
    expect(rest(1, 1000)).toEqual([1]);
    begin(1, 1000, { sequence: 5_000 });
    expect(take(1, 1000, { sequence: 115, payload: message(2) })).toEqual([]);
    expect(take(1, 1000, { sequence: 5_001, payload: message(3) })).toEqual([3]);
  });

  it.each<[name: string, last: Partial<Segment>, messages: readonly number[]]>([
    ['FIN', { sequence: 108, payload: message(1, 7), fin: true }, [1]],
    ['RST', { sequence: 108, rst: true }, []],
    ['something that is no DNS', { sequence: 108, payload: Uint8Array.from([...message(1, 7), 0, 1]) }, [1]],
    ['a gap that is too long', { sequence: 1_000_000, payload: message(1) }, []],
  ])('ends with %s', (_, last, messages) => {
    begin(1, 1000);
    half(1, 1000);
    expect(take(1, 1000, last)).toEqual(messages);
    expect(streams.size).toBe(0);
    expect(take(1, 1000, { sequence: 115, payload: message(1) })).toEqual([]);
  });
});

describe('there are no more than so many', () => {
  it('of one pod: the one that was used least recently goes, and none of another pod', () => {
    begin(9, 1000);
    for (const port of [1000, 1001]) begin(1, port);
    half(1, 1000);
    begin(1, 1002);
    expect(take(1, 1001, { payload: message(1) })).toEqual([]);
    expect([rest(1, 1000), take(1, 1002, { payload: message(1) }), take(9, 1000, { payload: message(9) })]).toEqual([
      [1],
      [1],
      [9],
    ]);
    expect(streams.unreadSegments).toBe(1);
  });

  it('of all pods: those of the pod that had nothing for longest go', () => {
    begin(1, 1000);
    begin(2, 1000);
    begin(2, 1001);
    begin(3, 1000);
    half(1, 1000);
    begin(3, 1001);
    expect(streams.size).toBe(4);
    expect(take(2, 1000, { payload: message(2) })).toEqual([]);
    expect([rest(1, 1000), take(2, 1001, { payload: message(2) })]).toEqual([[1], [2]]);
  });

  it('whatever comes', () => {
    for (let n = 0; n < 10_000; n++) {
      begin(1 + (n % 7), n);
      half(1 + (n % 7), n);
    }
    expect(streams.size).toBe(4);
  });
});

it('nothing is kept of a connection that has been silent for long', () => {
  begin(1, 1000);
  half(1, 1000);
  begin(2, 1000);
  clock.advance(IDLE_MS - 1);
  expect(streams.size).toBe(2);
  half(2, 1000);
  clock.advance(IDLE_MS);
  expect(streams.size).toBe(1);
  expect([rest(1, 1000), rest(2, 1000)]).toEqual([[], [2]]);
  clock.advance(2 * IDLE_MS);
  expect(streams.size).toBe(0);
});
