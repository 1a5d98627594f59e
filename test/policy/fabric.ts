import {
  type Compiler,
  createCompiler,
  createEvaluator,
  type Evaluator,
  echoPacket,
  ID_KINDS,
  type IdSource,
  type Journey,
  l4Packet,
  nodeName,
  type Packet,
  replyTo,
  TCP_FLAGS,
  tunnelWire,
} from '@heddle/compiler';
import { PODS, type PodName } from './cluster.js';
import { changesBetween, type FactMap, NODES, placeOf, ROUTER_MAC, serviceIps } from './facts.js';
import { podIps } from './pods.js';

/** One number for each bit that is set in an identity of a pod only, then the next of each: "any pod" is known by these bits. */
const identity = (n: number): number => 2 ** (8 + (n % 24)) + Math.floor(n / 24);

/** Numbers that are given in the order of asking; identities behind the reserved ones, from all over their range. */
export function countingIds(): IdSource {
  const known = new Map(ID_KINDS.map((kind) => [kind, new Map<string, number>()]));
  return {
    number(kind, key) {
      const ids = known.get(kind) as Map<string, number>;
      const number = ids.get(key) ?? (kind === 'identity' ? identity(ids.size) : ids.size + 1);
      ids.set(key, number);
      return number;
    },
  };
}

/** A conversation: who, where to, how. */
export interface Attempt {
  readonly from: PodName;
  readonly to: PodName;
  readonly family: 4 | 6;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
  readonly port: number;
  readonly viaService?: boolean;
}

/** The compiled cluster with packets going through it. */
export class Fabric {
  readonly compiler: Compiler = createCompiler(countingIds());
  readonly #encap: 'geneve' | 'vxlan';
  #facts: FactMap = new Map();
  #evaluator: Evaluator;

  constructor(encap: 'geneve' | 'vxlan' = 'geneve') {
    this.#encap = encap;
    this.#evaluator = this.#fresh();
  }

  /** Goes to another state of facts by the difference alone, and forgets every connection. */
  become(facts: FactMap): void {
    this.compiler.apply(changesBetween(this.#facts, facts));
    this.#facts = facts;
    this.#evaluator = this.#fresh();
  }

  #fresh(): Evaluator {
    return createEvaluator({
      nodes: (name) => this.compiler.node(nodeName(name)),
      wire: tunnelWire(NODES as never, this.#encap),
    });
  }

  /** Forgets every connection. */
  forget(): void {
    this.#evaluator = this.#fresh();
  }

  /** A packet that comes in at a port of a node. */
  sendAt(node: string, ofport: number, packet: Packet): Journey {
    return this.#evaluator.send(node, ofport, packet);
  }

  send(pod: PodName, packet: Packet): Journey {
    const { node, ofport } = placeOf(pod);
    return this.#evaluator.send(node, ofport, packet);
  }

  /**
   * Plays a conversation: request, answer, and the third packet of a handshake. True if all of it arrives; false if the
   * request does not arrive anywhere, twice. Whatever lies between is a fault. @throws Error
   */
  talks(attempt: Attempt): boolean {
    const { from, to } = attempt;
    const index = attempt.family === 4 ? 0 : 1;
    const target = attempt.viaService ? serviceIps(to)[index] : podIps(to)[index];
    const request = requestPacket(attempt, podIps(from)[index], target);
    const first = this.send(from, request);
    if (first.deliveries.length === 0) {
      if (this.send(from, request).deliveries.length > 0)
        throw new Error(`${text(attempt)}: only the second packet arrives`);
      return false;
    }
    const asked = this.#arrived(first, to, attempt);
    const answer = this.send(to, replyTo(asked));
    const answered = this.#arrived(answer, from, attempt);
    const back = replyTo(request).headers;
    for (const field of ['nw_src', 'nw_dst', 'ipv6_src', 'ipv6_dst', 'tp_src', 'tp_dst'])
      if (answered.headers[field] !== back[field])
        throw new Error(
          `${text(attempt)}: the answer comes with ${field} ${answered.headers[field]}, not ${back[field]}`,
        );
    const third = attempt.protocol === 'TCP' ? withFlags(request, TCP_FLAGS.ack) : request;
    this.#arrived(this.send(from, third), to, attempt);
    return true;
  }

  /** The packet at the pod. @throws Error if it did not come there, or not only there */
  #arrived(journey: Journey, pod: PodName, attempt: Attempt): Packet {
    const place = placeOf(pod);
    const [delivery, ...more] = journey.deliveries;
    if (delivery === undefined || more.length > 0 || delivery.node !== place.node || delivery.ofport !== place.ofport)
      throw new Error(
        `${text(attempt)}: wanted at ${pod}, came to ${journey.deliveries.map((d) => `${d.node}/${d.ofport}`).join(', ') || 'nobody'}; ${journey.drops
          .map((d) => `dropped on ${d.node} by ${d.lookup.flow?.provenance.why ?? d.reason}`)
          .join('; ')}`,
      );
    return delivery.packet;
  }
}

const text = (a: Attempt): string =>
  `${a.from} > ${a.to} IPv${a.family} ${a.protocol} ${a.port}${a.viaService ? ' (service)' : ''}`;

const withFlags = (packet: Packet, flags: number): Packet => ({ headers: { ...packet.headers, tcp_flags: flags } });

let lastPort = 32768;
function requestPacket(attempt: Attempt, src: string, dst: string): Packet {
  const l3 = { ethSrc: placeOf(attempt.from).mac, ethDst: ROUTER_MAC, src, dst };
  lastPort = lastPort === 65535 ? 32768 : lastPort + 1;
  if (attempt.protocol === 'ICMP') return echoPacket({ ...l3, id: lastPort });
  const protocol = attempt.protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp';
  return l4Packet({ ...l3, protocol, srcPort: lastPort, dstPort: attempt.port });
}

/** Every pod of the table, by its addresses. */
export const podByAddress = new Map<string, PodName>(
  PODS.flatMap((pod) => podIps(pod).map((ip) => [ip, pod] as const)),
);
