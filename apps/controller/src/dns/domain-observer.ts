import { type DomainFact, type Ip, parseCookie, readRegister, TABLE_ID } from '@heddle/compiler';
import type { Clock } from '../clock.js';
import type { FactTable } from '../core/fact-table.js';
import type { PacketInEvent, SwitchesPort } from '../core/ports.js';
import { datagramOf } from '../packets/datagram.js';
import { segmentOf } from '../packets/segment.js';
import { Serial } from '../serial.js';
import { type DomainAddress, DomainBook, type DomainLimits } from './domain-book.js';
import type { DomainRecords } from './domain-records.js';
import { type DnsReply, parseDnsReply, resolvedNames } from './message.js';
import { MessageStreams } from './message-streams.js';
import type { WantedNames } from './wanted-names.js';

/** An answer counts for its TTL, or this long if that is shorter: clients rarely ask more often. */
export const MIN_TTL_SECONDS = 30;
/** What name servers themselves take at most (BIND: max-cache-ttl). */
export const MAX_TTL_SECONDS = 7 * 24 * 3600;
/** Beyond the TTL: for the client that begins to connect at the last moment. */
export const MARGIN_SECONDS = 10;
/** After a start everything that was known counts at least this long: answers of meanwhile have not been seen. */
export const RESTART_GRACE_SECONDS = 300;

/** Answers may come in bursts; what ends at nearly the same time ends together. */
const MIN_SWEEP_MS = 1_000;
/** How long a later end of a known address may wait to be written; far less than RESTART_GRACE_SECONDS. */
const LAZY_WRITE_MS = 60_000;
const DNS_PORT = 53;

export interface DomainObserverOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970: ends of addresses outlive the process. */
  readonly wallNow: () => number;
  readonly wanted: WantedNames;
  readonly records: DomainRecords;
  readonly switches: Pick<SwitchesPort, 'onPacketIn'>;
  /** Puts facts as one change, in its turn; resolves with the generation that has them. */
  readonly update: (put: (facts: FactTable) => void) => Promise<number>;
  /** Told at once of an address that a name has anew, and of the generation that will have it; undefined if none will. */
  readonly learned?: ((address: Ip, generation: Promise<number | undefined>) => void) | undefined;
  /** Told when the first address did not fit. */
  readonly full?: ((addresses: number) => void) | undefined;
  /** Told of what goes wrong in the background; the next answer or sweep tries again. */
  readonly failed: (what: string, error: unknown) => void;
  readonly limits?: DomainLimits | undefined;
}

export interface DomainStats {
  /** Answers that were read, and those that were not DNS as it is understood here. */
  readonly answers: number;
  readonly unreadable: number;
  /** TCP connections that are followed, and segments with data of others: answers that may have been missed. */
  readonly connections: number;
  readonly unreadSegments: number;
  /** Addresses that did not fit. */
  readonly refused: number;
  readonly addresses: number;
}

/** Learns from the answers of name servers, as switches copy them, which addresses the names of policies have. */
export class DomainObserver {
  private readonly book: DomainBook;
  private readonly streams: MessageStreams;
  private readonly writes = new Serial();
  /** Names whose addresses the facts do not say yet. */
  private readonly changed = new Set<string>();
  /** Names whose rows are behind, and whether a switch may be told of one of them. */
  private readonly unwritten = new Set<string>();
  private urgent = false;
  /** The change that is about to be made. */
  private updating: Promise<number> | undefined;
  private stopSweep: (() => void) | undefined;
  private stopWrite: (() => void) | undefined;
  private sweepAt = Number.POSITIVE_INFINITY;
  private running = false;
  private answers = 0;
  private unreadable = 0;
  private refused = 0;

  constructor(private readonly options: DomainObserverOptions) {
    this.book = new DomainBook(options.limits);
    this.streams = new MessageStreams(options.clock);
  }

  get stats(): DomainStats {
    const { answers, unreadable, refused } = this;
    const { size: connections, unreadSegments } = this.streams;
    return { answers, unreadable, connections, unreadSegments, refused, addresses: this.book.size };
  }
  /** What is known now, by name. */
  entries(): readonly (DomainAddress & { readonly secondsLeft: number })[] {
    const now = this.options.wallNow();
    const left = ({ expires }: DomainAddress) => Math.max(0, Math.round((expires - now) / 1_000));
    return this.book.allNames().flatMap((n) => this.book.entriesOf(n).map((e) => ({ ...e, secondsLeft: left(e) })));
  }

  /** Puts what was recorded, before anything is compiled: a restart takes no address away. */
  async load(facts: FactTable): Promise<void> {
    const atLeast = this.options.wallNow() + RESTART_GRACE_SECONDS * 1_000;
    for (const { name, address, expires } of await this.options.records.load())
      this.book.take({ name, address, expires: Math.max(expires, atLeast) });
    for (const name of this.book.allNames()) facts.put('domain', name, this.factOf(name));
  }

  /** From now on answers count, and addresses end. The policies must be known. */
  start(): void {
    this.running = true;
    this.options.switches.onPacketIn((event) => this.take(event));
    this.options.wanted.onFewer(() => this.forgetUnwanted());
    this.forgetUnwanted();
  }

  async stop(): Promise<void> {
    this.running = false;
    this.stopSweep?.();
    this.stopWrite?.();
    this.streams.stop();
    await this.write().catch((error: unknown) => this.options.failed('addresses of names', error));
  }

  /** Every address that a switch may be told of is recorded. */
  get isFlushed(): boolean {
    return !this.urgent && this.writes.isIdle;
  }

  /** Resolves when it is so. */
  flush(): Promise<void> {
    return this.urgent ? this.write() : this.writes.idle();
  }

  private take(event: PacketInEvent): void {
    const { cookie, tableId } = event;
    if (!this.running || tableId !== TABLE_ID.IngressAdmin || parseCookie(cookie)?.feature !== 'dns') return;
    for (const message of this.messagesOf(event)) {
      const reply = message && parseDnsReply(message);
      if (reply === undefined) this.unreadable++;
      else this.learn(reply);
    }
  }

  /** What a copied packet makes whole, be it DNS or not; undefined for one that nothing can be read from. */
  private messagesOf({ node, fields, data }: PacketInEvent): readonly (Uint8Array | undefined)[] {
    const segment = segmentOf(data);
    if (segment?.sourcePort === DNS_PORT) return this.streams.take(`${node} ${readRegister(fields, 'vpc')}`, segment);
    const datagram = datagramOf(data);
    return [datagram?.sourcePort === DNS_PORT ? datagram.payload : undefined];
  }

  private learn(reply: DnsReply): void {
    this.answers++;
    const now = this.options.wallNow();
    for (const { name, addresses } of resolvedNames(reply)) {
      if (!this.options.wanted.has(name)) continue;
      for (const { address, ttl } of addresses) {
        const seconds = Math.min(Math.max(ttl, MIN_TTL_SECONDS), MAX_TTL_SECONDS) + MARGIN_SECONDS;
        const { changed, refused } = this.book.take({ name, address, expires: now + seconds * 1_000 });
        if (refused > 0 && this.refused === 0) this.options.full?.(this.book.size);
        this.refused += refused;
        if (refused === 0) this.unwritten.add(name);
        if (!changed) continue;
        // Known ones end later than before, and the sweep that is due looks again.
        this.sweepBy(now + seconds * 1_000);
        const generation = told(this.tell(name));
        this.options.learned?.(address, generation);
      }
    }
    if (this.unwritten.size > 0) this.writeLater();
  }

  private forgetUnwanted(): void {
    for (const name of this.book.retain((n) => this.options.wanted.has(n))) void told(this.tell(name));
    this.sweepBy(this.book.nextEnd());
  }

  private sweep(): void {
    this.sweepAt = Number.POSITIVE_INFINITY;
    for (const name of this.book.expire(this.options.wallNow())) void told(this.tell(name));
    this.sweepBy(this.book.nextEnd());
  }

  /** @param end of an address; undefined: there is none */
  private sweepBy(end: number | undefined): void {
    if (!this.running || end === undefined || end >= this.sweepAt) return;
    this.stopSweep?.();
    this.sweepAt = end;
    const ms = Math.max(MIN_SWEEP_MS, end - this.options.wallNow());
    this.stopSweep = this.options.clock.after(Math.min(ms, MAX_TIMER_MS), () => this.sweep());
  }

  /** The addresses of a name are others now. Resolves with the generation that will have them. */
  private tell(name: string): Promise<number> {
    this.changed.add(name);
    this.unwritten.add(name);
    this.urgent = true;
    this.writeLater();
    // In a moment: what came in the same burst belongs to the same change.
    this.updating ??= new Promise((done) => setImmediate(done)).then(() => this.update());
    return this.updating;
  }

  private async update(): Promise<number> {
    this.updating = undefined;
    const names = [...this.changed];
    this.changed.clear();
    try {
      return await this.options.update((facts) => {
        for (const name of names) facts.put('domain', name, this.factOf(name));
      });
    } catch (error) {
      this.options.failed('addresses of names', error);
      throw error;
    }
  }

  private factOf(name: string): DomainFact | undefined {
    const addresses = this.book.addressesOf(name);
    return addresses.length === 0 ? undefined : { name, addresses };
  }

  private writeLater(): void {
    if (!this.running || this.stopWrite !== undefined) return;
    this.stopWrite = this.options.clock.after(LAZY_WRITE_MS, () => {
      this.stopWrite = undefined;
      this.write().catch((error: unknown) => this.options.failed('addresses of names', error));
    });
  }

  private write(): Promise<void> {
    return this.writes.run(async () => {
      const names = [...this.unwritten];
      this.unwritten.clear();
      this.urgent = false;
      try {
        await this.options.records.replace(new Map(names.map((n) => [n, this.book.entriesOf(n)])));
      } catch (error) {
        for (const name of names) this.unwritten.add(name);
        this.urgent = true;
        throw error;
      }
    });
  }
}

/** Without the failure, which has been told. */
const told = (generation: Promise<number>): Promise<number | undefined> => generation.catch(() => undefined);

/** Timers take 31 bits of milliseconds. */
const MAX_TIMER_MS = 0x7fff_ffff;
