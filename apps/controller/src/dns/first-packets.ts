import { type Ip, type NodeName, parseCookie, TABLE_ID } from '@heddle/compiler';
import type { Clock } from '../clock.js';
import type { PacketInEvent, SwitchesPort } from '../core/ports.js';
import { packetTuple } from '../policy-log/packet.js';

/** How long after an answer a packet may come that was denied because its switch did not know the answer yet. */
const FRESH_MS = 2_000;
/** Packets that are sent again within that time; more are left to their senders, who try again by themselves. */
const MAX_SENT = 4_096;

export interface FirstPacketsOptions {
  readonly clock: Clock;
  readonly switches: Pick<SwitchesPort, 'onPacketIn' | 'packetOut'>;
  /** Resolves with true as soon as the node's switch has the generation, with false if that takes too long. */
  readonly realized: (node: NodeName, generation: number, timeoutMs: number) => Promise<boolean>;
}

/**
 * A pod gets the answer of its name server at once, and connects before the switch knows that it may: the first packet is
 * denied, and TCP sends the next after a whole second. Switches tell of such packets, and they are sent again, through every
 * table, as soon as the switch has the addresses of the answer. Nothing passes that would not pass a moment later by itself.
 */
export class FirstPackets {
  /** Addresses that were learned a moment ago, and the generation that has each. */
  private readonly fresh = new Map<Ip, Promise<number>>();
  /** So that a packet that is denied for another reason does not go round and round. */
  private readonly sent = new Set<string>();
  private count = 0;

  constructor(private readonly options: FirstPacketsOptions) {
    options.switches.onPacketIn((event) => this.take(event));
  }

  /** Packets that were sent again. */
  get total(): number {
    return this.count;
  }

  learned(addresses: readonly Ip[], generation: Promise<number>): void {
    for (const address of addresses) this.fresh.set(address, generation);
    this.options.clock.after(FRESH_MS, () => {
      for (const address of addresses) if (this.fresh.get(address) === generation) this.fresh.delete(address);
      if (this.fresh.size === 0) this.sent.clear();
    });
  }

  private take({ node, tableId, cookie, fields, data }: PacketInEvent): void {
    // Where a policy asks to be told of what it denies, that flow tells instead of ours.
    if (this.fresh.size === 0 || tableId !== TABLE_ID.Denied || parseCookie(cookie) === undefined) return;
    const generation = this.fresh.get(packetTuple(data)?.destination as Ip);
    const inPort = fields.in_port;
    if (generation === undefined || typeof inPort !== 'number' || this.sent.size >= MAX_SENT) return;
    const packet = `${node} ${inPort} ${Buffer.from(data).toString('latin1')}`;
    if (this.sent.has(packet)) return;
    this.sent.add(packet);
    const again = async () => {
      if (!(await this.options.realized(node, await generation, FRESH_MS))) return;
      this.count++;
      this.options.switches.packetOut(node, inPort, data);
    };
    // Whoever learned the address reports what goes wrong with its generation.
    again().catch(() => undefined);
  }
}
