import { CT_STATE, IPPROTO } from '../pipeline/constants.js';
import { EvaluateError } from './errors.js';
import type { FieldValue, Slots } from './fields.js';
import { TCP_FLAGS } from './packet.js';

/**
 * Connection tracking as the userspace datapath of Open vSwitch 3.1 does it (behaviour of lib/conntrack.c), without time,
 * TCP sequence numbers and checksums. What it keeps is exactly what decides ct_state, ct_mark, ct_label and addresses.
 */

/** A connection's end points in one direction. Ports carry id and type for ICMP. */
export interface Tuple {
  readonly proto: number;
  readonly family: 4 | 6;
  readonly src: FieldValue;
  readonly dst: FieldValue;
  readonly srcPort: number;
  readonly dstPort: number;
}

type NatKind = 'src' | 'dst';

export interface Connection {
  readonly zone: number;
  /** As the first packet came. */
  readonly original: Tuple;
  /** As its answers come: the original turned round, after translation. */
  readonly reply: Tuple;
  readonly nat: NatKind | undefined;
  mark: number;
  label: bigint;
  phase: Phase;
}

/** TCP: how far each end is (as pf's peer states); others: whether the far end ever answered. */
type Phase = { readonly kind: 'tcp'; peers: [TcpPeer, TcpPeer] } | { readonly kind: 'other'; answered: boolean };
const TCP_PEER = { closed: 0, synSent: 2, established: 4, closing: 6, finWait2: 9, timeWait: 10 } as const;
type TcpPeer = (typeof TCP_PEER)[keyof typeof TCP_PEER];

export interface NatRequest {
  /** Absent: apply what the connection has. */
  readonly kind?: NatKind;
  readonly address?: FieldValue;
  readonly port?: { readonly min: number; readonly max: number };
}

export interface CtRequest {
  readonly zone: number;
  readonly commit: boolean;
  readonly force: boolean;
  readonly nat?: NatRequest;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly label?: { readonly value: bigint; readonly mask: bigint };
}

const textOf = (zone: number, t: Tuple): string =>
  `${zone}|${t.family}|${t.proto}|${t.src}|${t.srcPort}|${t.dst}|${t.dstPort}`;
const turned = (t: Tuple): Tuple => ({ ...t, src: t.dst, dst: t.src, srcPort: t.dstPort, dstPort: t.srcPort });

export interface TrackerOptions {
  /**
   * Whether SCTP connections have ports. The kernel's tracker knows them; that of the userspace datapath (measured with
   * Open vSwitch 3.1) knows the addresses only, and translates no SCTP port. Default false.
   */
  readonly sctpPorts?: boolean;
}

/** Connections of one switch, all zones. */
export class ConnectionTable {
  /** IP protocols whose ports are tracked and translated. */
  readonly #ported: ReadonlySet<FieldValue>;

  constructor({ sctpPorts = false }: TrackerOptions = {}) {
    this.#ported = new Set([IPPROTO.tcp, IPPROTO.udp, ...(sctpPorts ? [IPPROTO.sctp] : [])]);
  }

  readonly #byTuple = new Map<string, { readonly connection: Connection; readonly reply: boolean }>();

  /** Every connection once. */
  connections(): Connection[] {
    return [...this.#byTuple.values()].filter((e) => !e.reply).map((e) => e.connection);
  }

  #find(zone: number, tuple: Tuple) {
    return this.#byTuple.get(textOf(zone, tuple));
  }

  #remove(c: Connection): void {
    this.#byTuple.delete(textOf(c.zone, c.original));
    this.#byTuple.delete(textOf(c.zone, c.reply));
  }

  /** Runs one `ct` on a packet: `slots` gets its ct_* fields and, with nat, its new addresses. */
  execute(slots: Slots, inner: Slots | undefined, request: CtRequest): void {
    const state = Number(slots.ct_state ?? 0);
    const fresh = state !== 0 && slots.ct_zone !== request.zone ? 0 : state;
    const extracted = tupleOf(slots, inner, this.#ported);
    if (extracted === undefined) {
      write(slots, request.zone, undefined, undefined, CT_STATE.inv);
      return;
    }

    const { tuple, related } = extracted;
    // A packet that this zone translated already is known by its translated addresses: it is found the other way round.
    const translated = (fresh & (CT_STATE.snat | CT_STATE.dnat)) !== 0;
    const found = this.#find(request.zone, translated ? turned(tuple) : tuple);
    let connection = found?.connection;
    const reply = found !== undefined && found.reply !== translated;
    if (connection !== undefined && request.force && reply) {
      this.#remove(connection);
      connection = undefined;
    }

    let next = fresh;
    let create = false;
    if (connection === undefined) {
      if (related) next = CT_STATE.inv;
      else create = true;
    } else if (related) next |= CT_STATE.rel | (reply ? CT_STATE.rpl : 0);
    else {
      const update = advance(connection, reply, Number(slots.tcp_flags ?? 0));
      if (update === 'restart') {
        this.#remove(connection);
        connection = undefined;
        create = true;
      } else if (update === 'invalid') next = CT_STATE.inv;
      else if (update === 'still new') next |= CT_STATE.new;
      else next = (next | CT_STATE.est | (reply ? CT_STATE.rpl : 0)) & ~CT_STATE.new;
    }
    if (create) {
      const phase = firstPhase(slots);
      if (phase === undefined) next = CT_STATE.inv;
      else {
        next = CT_STATE.new;
        if (request.commit) {
          connection = this.#create(request, tuple, phase);
          if (connection?.nat !== undefined)
            next |= translate(slots, undefined, connection, false, false, this.#ported);
          // The datapath found no free port for the translation.
          if (connection === undefined) next = CT_STATE.inv;
        }
      }
    } else if (connection !== undefined && request.nat !== undefined && connection.nat !== undefined && !translated)
      next |= translate(slots, inner, connection, reply, related, this.#ported);

    write(slots, request.zone, connection, tuple, next);
    if (connection !== undefined && request.mark !== undefined) {
      connection.mark = (request.mark.value | (connection.mark & ~request.mark.mask)) >>> 0;
      slots.ct_mark = connection.mark;
    }
    if (connection !== undefined && request.label !== undefined) {
      connection.label = request.label.value | (connection.label & ~request.label.mask);
      slots.ct_label = connection.label;
    }
  }

  #free(zone: number, candidates: Iterable<Tuple>): Tuple | undefined {
    for (const tuple of candidates) if (this.#find(zone, tuple) === undefined) return tuple;
    return undefined;
  }

  #create({ zone, nat }: CtRequest, original: Tuple, phase: Phase): Connection | undefined {
    const reply =
      nat?.kind === undefined ? turned(original) : this.#free(zone, replyTuples(original, nat.kind, nat, this.#ported));
    if (reply === undefined) return undefined;
    const connection: Connection = { zone, original, reply, nat: nat?.kind, mark: 0, label: 0n, phase };
    // The original last: where both are one (an address with itself, without ports) a packet counts as original.
    this.#byTuple.set(textOf(zone, reply), { connection, reply: true });
    this.#byTuple.set(textOf(zone, original), { connection, reply: false });
    return connection;
  }
}

/** Ports that a taken source port may be exchanged for where the action gives no range: those of its own kind. */
const portClass = (port: number): { readonly min: number; readonly max: number } =>
  port < 512 ? { min: 1, max: 511 } : port < 1024 ? { min: 600, max: 1023 } : { min: 1024, max: 65535 };

/** Candidates for the reply direction of a translated connection, best first. */
function* replyTuples(
  original: Tuple,
  kind: NatKind,
  nat: NatRequest,
  ported: ReadonlySet<FieldValue>,
): Generator<Tuple> {
  const back = turned(original);
  const hasPorts = ported.has(original.proto);
  if (kind === 'dst') {
    const address = nat.address ?? back.src;
    const { min, max } = nat.port ?? { min: back.srcPort, max: back.srcPort };
    for (let p = min; p <= max; p++) yield { ...back, src: address, srcPort: hasPorts ? p : back.srcPort };
  } else {
    const address = nat.address ?? back.dst;
    const own = back.dstPort;
    // In a given range Open vSwitch begins at random; here it is the lowest.
    const { min, max } = nat.port ?? portClass(own);
    const first = nat.port === undefined ? own : min;
    if (!hasPorts) yield { ...back, dst: address };
    else
      for (let i = 0; i <= max - min; i++)
        yield { ...back, dst: address, dstPort: min + ((first - min + i) % (max - min + 1)) };
  }
}

const ECHO_ANSWER: Readonly<Record<number, number>> = {
  8: 0,
  0: 8,
  13: 14,
  14: 13,
  15: 16,
  16: 15,
  128: 129,
  129: 128,
};
const ICMP_ERRORS: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const ICMPV6_ERRORS: ReadonlySet<number> = new Set([1, 2, 3, 4]);

const NO_PORTS = { srcPort: 0, dstPort: 0 } as const;

/** Undefined for packets that cannot be tracked: they are +inv. */
function tupleOf(
  slots: Slots,
  inner: Slots | undefined,
  ported: ReadonlySet<FieldValue>,
): { tuple: Tuple; related: boolean } | undefined {
  const v6 = slots.eth_type === 0x86dd;
  if (!v6 && slots.eth_type !== 0x0800) return undefined;
  const proto = Number(slots.nw_proto ?? 0);
  const base = v6
    ? { family: 6 as const, src: slots.ipv6_src ?? 0n, dst: slots.ipv6_dst ?? 0n }
    : { family: 4 as const, src: slots.nw_src ?? 0, dst: slots.nw_dst ?? 0 };
  const type = Number(slots.tp_src ?? 0);
  if (proto === (v6 ? IPPROTO.icmpv6 : IPPROTO.icmp)) {
    if ((v6 ? ICMPV6_ERRORS : ICMP_ERRORS).has(type)) {
      const about = inner === undefined ? undefined : tupleOf(inner, undefined, ported);
      return about === undefined || about.related ? undefined : { tuple: turned(about.tuple), related: true };
    }
    const answer = ECHO_ANSWER[type];
    if (answer === undefined || v6 !== type >= 128) return undefined;
    // Identifier and type together stand for a port.
    const port = (t: number) => Number(slots.icmp_id ?? 0) * 256 + t;
    return { tuple: { ...base, proto, srcPort: port(type), dstPort: port(answer) }, related: false };
  }
  const ports = ported.has(proto)
    ? { srcPort: Number(slots.tp_src ?? 0), dstPort: Number(slots.tp_dst ?? 0) }
    : NO_PORTS;
  return { tuple: { ...base, proto, ...ports }, related: false };
}

/** Flags that no TCP sends (as pf checks them). */
function tcpFlagsInvalid(f: number): boolean {
  if (f & TCP_FLAGS.syn ? (f & (TCP_FLAGS.rst | TCP_FLAGS.fin)) !== 0 : (f & (TCP_FLAGS.ack | TCP_FLAGS.rst)) === 0)
    return true;
  return (f & TCP_FLAGS.ack) === 0 && (f & (TCP_FLAGS.fin | TCP_FLAGS.psh | TCP_FLAGS.urg)) !== 0;
}

/** State of a connection after its first packet; undefined if that packet may not begin one. */
function firstPhase(slots: Slots): Phase | undefined {
  const proto = Number(slots.nw_proto ?? 0);
  if (proto === IPPROTO.tcp) {
    const flags = Number(slots.tcp_flags ?? 0);
    // A SYN|ACK cannot be first; a bare ACK may be the middle of an old connection.
    if (tcpFlagsInvalid(flags) || (flags & (TCP_FLAGS.syn | TCP_FLAGS.ack)) === (TCP_FLAGS.syn | TCP_FLAGS.ack))
      return undefined;
    return { kind: 'tcp', peers: [TCP_PEER.synSent, TCP_PEER.closed] };
  }
  if (proto === IPPROTO.icmp && slots.eth_type === 0x0800)
    return [8, 13, 15].includes(Number(slots.tp_src)) ? { kind: 'other', answered: false } : undefined;
  if (proto === IPPROTO.icmpv6) return slots.tp_src === 128 ? { kind: 'other', answered: false } : undefined;
  return { kind: 'other', answered: false };
}

type Update = 'valid' | 'still new' | 'invalid' | 'restart';

function advance(connection: Connection, reply: boolean, flags: number): Update {
  const { phase } = connection;
  if (phase.kind !== 'tcp') {
    // Without an answer it stays new, however many packets there were.
    if (reply) phase.answered = true;
    return phase.answered ? 'valid' : 'still new';
  }
  if (tcpFlagsInvalid(flags)) return 'invalid';
  const [from, to] = reply ? ([1, 0] as const) : ([0, 1] as const);
  const peers = phase.peers;
  if ((flags & (TCP_FLAGS.syn | TCP_FLAGS.ack)) === TCP_FLAGS.syn) {
    if (peers[0] >= TCP_PEER.finWait2 && peers[1] >= TCP_PEER.finWait2) return 'restart';
    if (peers[from] <= TCP_PEER.synSent) {
      peers[from] = TCP_PEER.synSent;
      return 'still new';
    }
  }
  if (peers[from] < TCP_PEER.synSent) peers[from] = TCP_PEER.synSent;
  if (flags & TCP_FLAGS.fin && peers[from] < TCP_PEER.closing) peers[from] = TCP_PEER.closing;
  if (flags & TCP_FLAGS.ack) {
    if (peers[to] === TCP_PEER.synSent) peers[to] = TCP_PEER.established;
    else if (peers[to] === TCP_PEER.closing) peers[to] = TCP_PEER.finWait2;
  }
  if (flags & TCP_FLAGS.rst) phase.peers = [TCP_PEER.timeWait, TCP_PEER.timeWait];
  return 'valid';
}

/** Writes the translated addresses; returns the ct_state bit that says so. */
function translate(
  slots: Slots,
  inner: Slots | undefined,
  c: Connection,
  reply: boolean,
  related: boolean,
  ported: ReadonlySet<FieldValue>,
): number {
  // A packet of the original direction becomes the reply tuple turned round, and the other way about.
  const target = turned(reply ? c.original : c.reply);
  // Answers to a packet whose destination was translated get their source translated.
  const kind: NatKind = reply === (c.nat === 'src') ? 'dst' : 'src';
  setSide(slots, target, kind, !related && ported.has(slots.nw_proto ?? 0));
  if (related) {
    if (inner === undefined) throw new EvaluateError('', 'an ICMP error without an inner packet was found related');
    const other = turned(target);
    setSide(inner, other, kind === 'src' ? 'dst' : 'src', ported.has(inner.nw_proto ?? 0));
  }
  return kind === 'src' ? CT_STATE.snat : CT_STATE.dnat;
}

function setSide(slots: Slots, to: Tuple, kind: NatKind, ports: boolean): void {
  const address = to.family === 4 ? `nw_${kind}` : `ipv6_${kind}`;
  slots[address] = kind === 'src' ? to.src : to.dst;
  if (ports) slots[`tp_${kind}`] = kind === 'src' ? to.srcPort : to.dstPort;
}

function write(slots: Slots, zone: number, c: Connection | undefined, packet: Tuple | undefined, state: number): void {
  slots.ct_state = state | CT_STATE.trk;
  slots.ct_zone = zone;
  slots.ct_mark = c?.mark ?? 0;
  slots.ct_label = c?.label ?? 0n;
  const tuple = c?.original ?? packet;
  slots.ct_nw_proto = tuple?.proto ?? 0;
  slots.ct_nw_src = tuple?.family === 4 ? tuple.src : 0;
  slots.ct_nw_dst = tuple?.family === 4 ? tuple.dst : 0;
  slots.ct_ipv6_src = tuple?.family === 6 ? tuple.src : 0n;
  slots.ct_ipv6_dst = tuple?.family === 6 ? tuple.dst : 0n;
  const icmp = tuple?.proto === IPPROTO.icmp || tuple?.proto === IPPROTO.icmpv6;
  slots.ct_tp_src = icmp ? (tuple?.srcPort ?? 0) % 256 : (tuple?.srcPort ?? 0);
  slots.ct_tp_dst = icmp ? 0 : (tuple?.dstPort ?? 0);
}
