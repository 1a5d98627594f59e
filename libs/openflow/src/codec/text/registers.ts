import type { Match } from '../fields/match.js';
import type { FieldName } from '../fields/table.js';
import type { Version } from '../version.js';

type Entry = number | readonly [value: number, mask: number];
const PAIRS = 16;
const HALF = 32n;

const valueIn = (e: Entry | undefined): number => (e === undefined ? 0 : typeof e === 'object' ? e[0] : e);
const maskIn = (e: Entry | undefined): number => (e === undefined ? 0 : typeof e === 'object' ? e[1] : 0xffffffff);

/**
 * A match as Open vSwitch writes it in a version: 1.5 has registers of 64 bits (OXM_OF_PKT_REGn), and each holds two of 32,
 * the first of which is its upper half. In older versions nothing changes.
 */
export function registersIn(match: Match, version: Version | undefined): Match {
  if (version !== 'OF1.5') return match;
  const out: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(match)) {
    const n = /^reg(\d+)$/.exec(name)?.[1];
    const pair = n === undefined ? PAIRS : Number(n) >> 1;
    if (pair >= PAIRS) {
      out[name] = entry;
      continue;
    }
    const wide = `xreg${pair}`;
    if (wide in out) continue;
    const high = match[`reg${2 * pair}` as FieldName] as Entry | undefined;
    const low = match[`reg${2 * pair + 1}` as FieldName] as Entry | undefined;
    const value = (BigInt(valueIn(high)) << HALF) | BigInt(valueIn(low));
    const mask = (BigInt(maskIn(high)) << HALF) | BigInt(maskIn(low));
    out[wide] = mask === 0xffff_ffff_ffff_ffffn ? value : [value, mask];
  }
  return out as Match;
}
