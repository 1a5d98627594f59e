import type { Cidr } from '../model/brands.js';
import { type Prefix, prefixOf, widthOf } from '../pipeline/address.js';

/** True if `inner` lies within `outer`. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const shift = BigInt(widthOf(outer.family) - outer.length);
  return outer.value >> shift === inner.value >> shift;
}

/**
 * The smallest set of prefixes that covers `cidr` without any address of `excepts`. Ranges of `excepts` outside of `cidr`
 * or of another family take nothing away.
 */
export function subtract(cidr: Cidr, excepts: readonly Cidr[]): readonly Prefix[] {
  const out: Prefix[] = [];
  const split = (range: Prefix, holes: readonly Prefix[]): void => {
    if (holes.some((hole) => contains(hole, range))) return;
    const inside = holes.filter((hole) => contains(range, hole));
    if (inside.length === 0) {
      out.push(range);
      return;
    }
    const length = range.length + 1;
    const half = 1n << BigInt(widthOf(range.family) - length);
    split({ family: range.family, value: range.value, length }, inside);
    split({ family: range.family, value: range.value + half, length }, inside);
  };
  split(prefixOf(cidr), excepts.map(prefixOf));
  return out;
}
