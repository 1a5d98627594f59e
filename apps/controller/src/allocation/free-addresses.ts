import type { Ip } from '@heddle/compiler';
import { addressAt, addressNumber, type Range } from './ranges.js';

/**
 * Which addresses of one range may be given next: first those that were never used, in ascending order, then the released
 * ones, oldest release first, so that caches elsewhere have the longest time to forget an address.
 */
export class FreeAddresses {
  private next: bigint;
  /** Taken or released addresses at or above `next`; they are skipped. */
  private readonly seen = new Set<bigint>();
  /** Released address -> position in the order of releases; iterates oldest first. */
  private readonly released = new Map<Ip, number>();

  /**
   * @param from offset of the first address that may be given
   * @param to offset behind the last one
   */
  constructor(
    private readonly range: Range,
    private readonly from: bigint,
    private readonly to: bigint,
  ) {
    this.next = from;
  }

  /** The address that should be given now, without taking it; undefined if the range is used up. */
  peek(): Ip | undefined {
    while (this.next < this.to && this.seen.has(this.next)) this.seen.delete(this.next++);
    if (this.next < this.to) return addressAt(this.range, this.next);
    return this.oldestReleased();
  }

  /** Says that an address was never used, and not only released. */
  hasUnused(): boolean {
    this.peek();
    return this.next < this.to;
  }

  /** Addresses outside from..to are nobody's to give and are ignored. */
  take(address: Ip): void {
    this.released.delete(address);
    this.see(address);
  }

  /** Releases come in the order of their positions, also when they are loaded. */
  release(address: Ip, position: number): void {
    if (!this.see(address)) return;
    this.released.delete(address);
    this.released.set(address, position);
  }

  /** Position of the oldest release, undefined if nothing is released. */
  oldestPosition(): number | undefined {
    const oldest = this.oldestReleased();
    return oldest === undefined ? undefined : this.released.get(oldest);
  }

  private see(address: Ip): boolean {
    const offset = addressNumber(address) - this.range.first;
    if (offset < this.from || offset >= this.to) return false;
    if (offset >= this.next) this.seen.add(offset);
    return true;
  }

  private oldestReleased(): Ip | undefined {
    const [oldest] = this.released.keys();
    return oldest;
  }
}
