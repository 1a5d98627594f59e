import type { Ip } from '@heddle/compiler';

/** An address that a name was seen to have, until a moment (milliseconds since 1970). */
export interface DomainAddress {
  readonly name: string;
  readonly address: Ip;
  readonly expires: number;
}

export interface DomainLimits {
  /** Addresses of one name; beyond that the one that ends first makes room. */
  readonly perName: number;
  /** Addresses of all names together; beyond that new ones are not taken. */
  readonly total: number;
}
export const DOMAIN_LIMITS: DomainLimits = { perName: 256, total: 16_384 };

/** What taking addresses has changed. */
export interface Taken {
  /** Addresses that came or went. */
  readonly changed: boolean;
  /** Did not fit. */
  readonly refused: number;
}

/** Which addresses names have, and how long that counts. Pure but for being mutable: the time is told. */
export class DomainBook {
  private readonly names = new Map<string, Map<Ip, number>>();
  private count = 0;

  constructor(private readonly limits: DomainLimits = DOMAIN_LIMITS) {}

  get size(): number {
    return this.count;
  }
  get full(): boolean {
    return this.count >= this.limits.total;
  }

  /** Takes an address; an end that is earlier than the one that is known changes nothing. */
  take({ name, address, expires }: DomainAddress): Taken {
    const known = this.names.get(name) ?? new Map<Ip, number>();
    const before = known.get(address);
    if (before !== undefined) {
      known.set(address, Math.max(before, expires));
      return { changed: false, refused: 0 };
    }
    if (known.size >= this.limits.perName) this.drop(name, firstToEnd(known));
    else if (this.full) return { changed: false, refused: 1 };
    known.set(address, expires);
    this.names.set(name, known);
    this.count++;
    return { changed: true, refused: 0 };
  }

  /** Takes away what has ended. Returns the names that have lost an address. */
  expire(now: number): readonly string[] {
    const lost = new Set<string>();
    for (const [name, addresses] of this.names)
      for (const [address, expires] of addresses)
        if (expires <= now) {
          this.drop(name, address);
          lost.add(name);
        }
    return [...lost];
  }

  /** Takes away the names that nobody wants. Returns them. */
  retain(wanted: (name: string) => boolean): readonly string[] {
    const gone = [...this.names.keys()].filter((name) => !wanted(name));
    for (const name of gone) for (const address of this.names.get(name)?.keys() ?? []) this.drop(name, address);
    return gone;
  }

  /** When the next address ends; undefined if there is none. */
  nextEnd(): number | undefined {
    let next: number | undefined;
    for (const addresses of this.names.values())
      for (const expires of addresses.values()) if (next === undefined || expires < next) next = expires;
    return next;
  }

  /** Sorted, so that equal sets are equal lists. */
  addressesOf(name: string): readonly Ip[] {
    return [...(this.names.get(name)?.keys() ?? [])].sort();
  }

  entriesOf(name: string): readonly DomainAddress[] {
    return [...(this.names.get(name) ?? [])].map(([address, expires]) => ({ name, address, expires }));
  }

  /** Sorted. */
  allNames(): readonly string[] {
    return [...this.names.keys()].sort();
  }

  private drop(name: string, address: Ip | undefined): void {
    const known = this.names.get(name);
    if (address === undefined || known?.delete(address) !== true) return;
    this.count--;
    if (known.size === 0) this.names.delete(name);
  }
}

function firstToEnd(addresses: ReadonlyMap<Ip, number>): Ip | undefined {
  let first: readonly [Ip, number] | undefined;
  for (const entry of addresses) if (first === undefined || entry[1] < first[1]) first = entry;
  return first?.[0];
}
