import { parseIpv4 } from 'openflow-ts/codec';
import { describe, expect, test } from 'vitest';
import { CT_STATE } from '../pipeline/constants.js';
import { ConnectionTable, type CtRequest } from './conntrack.js';
import type { Slots } from './fields.js';
import {
  echoPacket,
  ipPacket,
  l4Packet,
  neighbourSolicitation,
  type Packet,
  replyTo,
  TCP_FLAGS,
  unreachablePacket,
} from './packet.js';

const { new: fresh, est, rel, rpl, inv, trk, snat, dnat } = CT_STATE;
const MAC = { ethSrc: '02:00:00:00:00:01', ethDst: '02:00:00:00:00:02' };
const l4 = (
  protocol: 'tcp' | 'udp' | 'sctp',
  src: string,
  dst: string,
  tcpFlags?: number,
  srcPort = 1000,
  dstPort = 80,
) => l4Packet({ ...MAC, protocol, src, dst, srcPort, dstPort, ...(tcpFlags === undefined ? {} : { tcpFlags }) });
const { syn, ack, fin, rst } = TCP_FLAGS;
const commit: CtRequest = { zone: 1, commit: true, force: false };
const look: CtRequest = { zone: 1, commit: false, force: false, nat: {} };

function track(table: ConnectionTable, packet: Packet, request: CtRequest, before: Slots = {}): Slots {
  const slots: Slots = { ...packet.headers, ...before };
  const inner = packet.inner && { ...packet.inner };
  table.execute(slots, inner, request);
  return inner === undefined
    ? slots
    : { ...slots, inner_src: inner.nw_src ?? 0, inner_dst: inner.nw_dst ?? 0, inner_port: inner.tp_dst ?? 0 };
}

const C = '10.0.0.1';
const S = '10.0.0.2';
const out = (flags?: number) => l4('tcp', C, S, flags);
const back = (flags?: number) => l4('tcp', S, C, flags, 80, 1000);
const udp = l4('udp', C, S);
const udpBack = l4('udp', S, C, undefined, 80, 1000);
const ping = echoPacket({ ...MAC, src: C, dst: S, id: 5 });
const ping6 = echoPacket({ ...MAC, src: 'fd00::1', dst: 'fd00::2', id: 5 });

describe('ct_state, packet by packet, each committed', () => {
  const rows: [string, [Packet, number][]][] = [
    [
      'TCP handshake',
      [
        [out(syn), fresh],
        [back(syn | ack), est | rpl],
        [out(ack), est],
        [back(ack), est | rpl],
      ],
    ],
    [
      'a SYN sent again is still new',
      [
        [out(syn), fresh],
        [out(syn), fresh],
        [back(syn | ack), est | rpl],
      ],
    ],
    ['SYN|ACK begins nothing', [[back(syn | ack), inv]]],
    [
      'a bare ACK may begin',
      [
        [out(ack), fresh],
        [out(ack), est],
      ],
    ],
    ['SYN|FIN is invalid', [[out(syn | fin), inv]]],
    ['no flags at all are invalid', [[out(0), inv]]],
    [
      'FIN without ACK is invalid in a connection',
      [
        [out(syn), fresh],
        [back(syn | ack), est | rpl],
        [out(fin), inv],
      ],
    ],
    [
      'a SYN after RST begins anew',
      [
        [out(syn), fresh],
        [back(rst | ack), est | rpl],
        [out(syn), fresh],
      ],
    ],
    [
      'UDP: without an answer it stays new',
      [
        [udp, fresh],
        [udp, fresh],
        [udp, fresh],
      ],
    ],
    [
      'UDP: an answer establishes',
      [
        [udp, fresh],
        [udpBack, est | rpl],
        [udp, est],
      ],
    ],
    [
      'SCTP like UDP',
      [
        [l4('sctp', C, S), fresh],
        [l4('sctp', S, C, undefined, 80, 1000), est | rpl],
      ],
    ],
    [
      'an unanswered echo stays new',
      [
        [ping, fresh],
        [ping, fresh],
        [replyTo(ping), est | rpl],
        [ping, est],
      ],
    ],
    ['an echo reply begins nothing', [[replyTo(ping), inv]]],
    [
      'ICMPv6 echo',
      [
        [ping6, fresh],
        [replyTo(ping6), est | rpl],
      ],
    ],
    [
      'another echo id is another connection',
      [
        [ping, fresh],
        [echoPacket({ ...MAC, src: C, dst: S, id: 6 }), fresh],
      ],
    ],
    [
      'neighbour discovery cannot be tracked',
      [[neighbourSolicitation({ ...MAC, src: 'fd00::1', dst: 'ff02::1', target: 'fd00::2' }), inv]],
    ],
    [
      'other protocols are tracked by address',
      [
        [ipPacket({ ...MAC, src: C, dst: S, protocolNumber: 47 }), fresh],
        [ipPacket({ ...MAC, src: S, dst: C, protocolNumber: 47 }), est | rpl],
      ],
    ],
    ['an ICMP error about nothing known', [[unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: udp }), inv]]],
    [
      'an ICMP error about a known packet',
      [
        [udp, fresh],
        [unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: udp }), rel | rpl],
      ],
    ],
    [
      'an ICMP error about an answer',
      [
        [udp, fresh],
        [udpBack, est | rpl],
        [unreachablePacket({ ...MAC, src: C, dst: S, code: 3, about: udpBack }), rel],
      ],
    ],
  ];
  test.each(rows)('%s', (_, packets) => {
    const table = new ConnectionTable();
    expect(packets.map(([packet]) => track(table, packet, commit).ct_state)).toEqual(
      packets.map(([, state]) => state | trk),
    );
  });
});

test('without commit every packet is new', () => {
  const table = new ConnectionTable();
  expect([udp, udp, udpBack].map((p) => track(table, p, look).ct_state)).toEqual([
    fresh | trk,
    fresh | trk,
    fresh | trk,
  ]);
});

test('zones do not know of each other', () => {
  const table = new ConnectionTable();
  track(table, udp, commit);
  expect(track(table, udpBack, { ...look, zone: 2 }).ct_state).toBe(fresh | trk);
});

test('entering another zone begins with a clean state', () => {
  const table = new ConnectionTable();
  track(table, udp, { ...commit, zone: 1 });
  const one = track(table, udpBack, { ...look, zone: 1 });
  expect(one.ct_state).toBe(est | rpl | trk);
  const two: Slots = { ...one };
  table.execute(two, undefined, { ...look, zone: 2 });
  expect(two.ct_state).toBe(fresh | trk);
});

test('mark and label: masked bits are written, others stay, and packets of both directions carry them', () => {
  const table = new ConnectionTable();
  track(table, udp, {
    ...commit,
    mark: { value: 0x5, mask: 0xf },
    label: { value: 7n << 32n, mask: 0xffff_ffffn << 32n },
  });
  track(table, udp, { ...commit, mark: { value: 0x10, mask: 0x30 } });
  const answer = track(table, udpBack, look);
  expect([answer.ct_mark, answer.ct_label]).toEqual([0x15, 7n << 32n]);
});

test('a related packet carries the mark of its parent', () => {
  const table = new ConnectionTable();
  track(table, udp, { ...commit, mark: { value: 1, mask: 1 } });
  const error = track(table, unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about: udp }), look);
  expect([error.ct_state, error.ct_mark]).toEqual([rel | rpl | trk, 1]);
});

describe('translation', () => {
  const VIP = '10.96.0.1';
  const request = l4('udp', C, VIP);
  const dst = { ...commit, nat: { kind: 'dst' as const, address: parseIpv4(S), port: { min: 8080, max: 8080 } } };
  const flat = (s: Slots) => [s.nw_src, s.tp_src, s.nw_dst, s.tp_dst];

  test('destination: request, answer, request again', () => {
    const table = new ConnectionTable();
    const one = track(table, request, dst);
    expect([flat(one), one.ct_state]).toEqual([[parseIpv4(C), 1000, parseIpv4(S), 8080], fresh | dnat | trk]);
    const two = track(table, l4('udp', S, C, undefined, 8080, 1000), look);
    expect([flat(two), two.ct_state]).toEqual([[parseIpv4(VIP), 80, parseIpv4(C), 1000], est | rpl | snat | trk]);
    const three = track(table, request, look);
    expect([flat(three), three.ct_state]).toEqual([[parseIpv4(C), 1000, parseIpv4(S), 8080], est | dnat | trk]);
  });
  test('source: the answer goes back to the hidden address', () => {
    const table = new ConnectionTable();
    const one = track(table, udp, { ...commit, nat: { kind: 'src', address: parseIpv4('169.254.1.2') } });
    expect([flat(one), one.ct_state]).toEqual([[parseIpv4('169.254.1.2'), 1000, parseIpv4(S), 80], fresh | snat | trk]);
    const two = track(table, l4('udp', S, '169.254.1.2', undefined, 80, 1000), look);
    expect([flat(two), two.ct_state]).toEqual([[parseIpv4(S), 80, parseIpv4(C), 1000], est | rpl | dnat | trk]);
  });
  test('source: two clients with one port get two', () => {
    const table = new ConnectionTable();
    const hide = { ...commit, nat: { kind: 'src' as const, address: parseIpv4('169.254.1.2') } };
    const ports = [C, '10.0.0.9'].map((src) => track(table, l4('udp', src, S), hide).tp_src);
    expect(new Set(ports).size).toBe(2);
  });
  test('no free tuple: the packet is invalid and nothing is kept', () => {
    const table = new ConnectionTable();
    const one = {
      ...commit,
      nat: { kind: 'src' as const, address: parseIpv4('169.254.1.2'), port: { min: 5000, max: 5000 } },
    };
    track(table, l4('udp', C, S), one);
    expect(track(table, l4('udp', '10.0.0.9', S), one).ct_state).toBe(inv | trk);
    expect(table.connections()).toHaveLength(1);
  });
  test('without nat an answer stays as it is', () => {
    const table = new ConnectionTable();
    track(table, request, dst);
    const two = track(table, l4('udp', S, C, undefined, 8080, 1000), { zone: 1, commit: false, force: false });
    expect([flat(two), two.ct_state]).toEqual([[parseIpv4(S), 8080, parseIpv4(C), 1000], est | rpl | trk]);
  });
  test('a packet that its zone translated is found again there', () => {
    const table = new ConnectionTable();
    const one = track(table, request, dst);
    const again: Slots = { ...one };
    table.execute(again, undefined, { ...commit, mark: { value: 1, mask: 1 } });
    expect([flat(again), again.ct_mark, table.connections().length]).toEqual([flat(one), 1, 1]);
  });
  test('an ICMP error is translated outside and inside', () => {
    const table = new ConnectionTable();
    track(table, request, dst);
    const about = l4('udp', C, S, undefined, 1000, 8080);
    const error = track(table, unreachablePacket({ ...MAC, src: S, dst: C, code: 3, about }), look);
    expect([error.nw_src, error.nw_dst, error.inner_src, error.inner_dst, error.inner_port]).toEqual([
      parseIpv4(VIP),
      parseIpv4(C),
      parseIpv4(C),
      parseIpv4(VIP),
      80,
    ]);
    expect(error.ct_state).toBe(rel | rpl | snat | trk);
  });
});

test('force in the wrong direction turns the connection round', () => {
  const table = new ConnectionTable();
  track(table, udp, commit);
  expect(track(table, udpBack, { ...commit, force: true }).ct_state).toBe(fresh | trk);
  expect(track(table, udp, look).ct_state).toBe(est | rpl | trk);
});

describe('SCTP', () => {
  const to = (port: number) => l4('sctp', C, S, undefined, 1000, port);
  test.each([
    [false, est | rpl, 1],
    [true, fresh, 2],
  ])('with ports tracked: %s', (sctpPorts, state, connections) => {
    const table = new ConnectionTable({ sctpPorts });
    track(table, to(80), commit);
    // An answer from a port that nobody asked.
    expect(track(table, l4('sctp', S, C, undefined, 81, 1000), commit).ct_state).toBe(state | trk);
    expect(table.connections()).toHaveLength(connections);
  });
  test.each([
    [false, 80],
    [true, 8080],
  ])('with ports tracked: %s, translation gives port %i', (sctpPorts, port) => {
    const table = new ConnectionTable({ sctpPorts });
    const nat = { kind: 'dst' as const, address: parseIpv4('10.0.0.3'), port: { min: 8080, max: 8080 } };
    expect(track(table, to(80), { ...commit, nat }).tp_dst).toBe(port);
  });
});
