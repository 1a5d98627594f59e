import { type Ip, type NodeName, parseCookie, TABLE_ID } from '@heddle/compiler';
import type { Clock } from '../clock.js';
import type { PacketInEvent, SwitchesPort } from '../core/ports.js';
import { packetTuple } from '../packets/tuple.js';

/** How long after an answer a packet may come that was denied because its switch did not know the answer yet. */
const FRESH_MS = 2_000;
/** How long before the answer; switches tell of both as soon as they can. */
const EARLY_MS = 200;
const MAX_EARLY = 64;
/**
 * A switch judges packets of a kind that it has just denied as before for some milliseconds after it has acknowledged a change
 * (until its datapath's cache is revalidated), so one time may be too early again.
 */
const MAX_TRIES = 7;
/** Before the second time; then twice as long each time. */
const RETRY_MS = 5;
/** Packets that are sent again within that time; more are left to their senders, who try again by themselves. */
const MAX_SENT = 4_096;

export interface FirstPacketsOptions {
  readonly clock: Clock;
  readonly switches: Pick<SwitchesPort, 'onPacketIn' | 'packetOut'>;
  /** Resolves with true as soon as the node's switch has the generation, with false if that takes too long. */
  readonly realized: (node: NodeName, generation: number, timeoutMs: number) => Promise<boolean>;
}

interface Attempt {
  readonly node: NodeName;
  readonly inPort: number;
  readonly destination: Ip;
  readonly data: Uint8Array;
  /** By the clock. */
  readonly at: number;
}

/**
 * A pod gets the answer of its name server at once, and connects before the switch knows that it may: the first packet is
 * denied, and TCP sends the next after a whole second. Switches tell of such packets, and they are sent again, through every
 * table, as soon as the switch has the addresses of the answer. Nothing passes that would not pass a moment later by itself.
 */
export class FirstPackets {
  /** Addresses that were learned a moment ago, and the generation that has each. */
  private readonly fresh = new Map<Ip, Promise<number | undefined>>();
  /** How often a packet was sent again, so that one that is denied for another reason does not go round and round. */
  private readonly tries = new Map<string, number>();
  /** The last attempts to reach other addresses: a switch may tell of the packet before it tells of the answer. */
  private early: Attempt[] = [];
  private count = 0;

  constructor(private readonly options: FirstPacketsOptions) {
    options.switches.onPacketIn((event) => this.take(event));
  }

  /** Packets that were sent again. */
  get total(): number {
    return this.count;
  }

  learned(address: Ip, generation: Promise<number | undefined>): void {
    const { clock } = this.options;
    this.fresh.set(address, generation);
    clock.after(FRESH_MS, () => {
      if (this.fresh.get(address) === generation) this.fresh.delete(address);
    });
    const since = clock.now() - EARLY_MS;
    for (const attempt of this.early)
      if (attempt.destination === address && attempt.at >= since) this.sendAgain(attempt, generation);
  }

  private take({ node, tableId, cookie, fields, data }: PacketInEvent): void {
    // Where a policy asks to be told of what it denies, that flow tells instead of ours.
    if (tableId !== TABLE_ID.Denied || parseCookie(cookie) === undefined) return;
    const destination = packetTuple(data)?.destination as Ip | undefined;
    const inPort = fields.in_port;
    if (destination === undefined || typeof inPort !== 'number') return;
    const attempt = { node, inPort, destination, data, at: this.options.clock.now() };
    const generation = this.fresh.get(destination);
    if (generation !== undefined) this.sendAgain(attempt, generation);
    else this.early = [...this.early.slice(1 - MAX_EARLY), attempt];
  }

  private sendAgain({ node, inPort, data }: Attempt, generation: Promise<number | undefined>): void {
    const packet = `${node} ${inPort} ${Buffer.from(data).toString('latin1')}`;
    const tries = this.tries.get(packet) ?? 0;
    if (tries >= MAX_TRIES || (tries === 0 && this.tries.size >= MAX_SENT)) return;
    this.tries.set(packet, tries + 1);
    const { clock, realized, switches } = this.options;
    // One that comes later is another attempt to connect.
    if (tries === 0) clock.after(FRESH_MS, () => this.tries.delete(packet));
    const send = () => {
      this.count++;
      switches.packetOut(node, inPort, data);
    };
    void generation.then(async (wanted) => {
      if (wanted === undefined || !(await realized(node, wanted, FRESH_MS))) return;
      if (tries === 0) send();
      else clock.after(RETRY_MS * 2 ** (tries - 1), send);
    });
  }
}
