import { FEATURES, type Feature } from '../model/output.js';

// 63          56 55        48 47                     32 31            0
// [ 0x48 ours  ][ feature    ][ pipeline generation:16 ][ object id:32 ]
//
// The generation changes when a table or a register changes its meaning, not at a restart: a restart must leave correct
// flows untouched, and a cookie that changed would make every one of them differ from what is desired.

/** First byte of the cookie of every flow of ours ('H'). */
export const COOKIE_OWNER = 0x48n;
export const COOKIE_OWNER_MASK = 0xff00_0000_0000_0000n;
/** With COOKIE_OWNER_MASK: selects every flow of ours on a switch. */
export const COOKIE_OURS = COOKIE_OWNER << 56n;
/** Version of the pipeline's meaning. */
export const PIPELINE_GENERATION = 2;

const PREFIX = Object.fromEntries(
  Object.entries(FEATURES).map(([name, n]) => [
    name,
    COOKIE_OURS | (BigInt(n) << 48n) | (BigInt(PIPELINE_GENERATION) << 32n),
  ]),
) as Readonly<Record<Feature, bigint>>;

/** @param objectId the recorded number of what the flow is there for, 32 bits */
export const cookie = (feature: Feature, objectId: number): bigint => PREFIX[feature] | BigInt(objectId >>> 0);

/** Of a cookie that is known to be one of ours. */
export const objectIdOf = (value: bigint): number => Number(value & 0xffff_ffffn);

const FEATURE_BY_NUMBER = new Map<number, Feature>(
  (Object.entries(FEATURES) as [Feature, number][]).map(([name, n]) => [n, name]),
);

/** Takes a cookie apart; undefined if it is not one of ours. `feature` is undefined for a number that this release does not know. */
export function parseCookie(
  value: bigint,
): { readonly feature: Feature | undefined; readonly generation: number; readonly objectId: number } | undefined {
  if ((value & COOKIE_OWNER_MASK) !== COOKIE_OURS) return undefined;
  return {
    feature: FEATURE_BY_NUMBER.get(Number((value >> 48n) & 0xffn)),
    generation: Number((value >> 32n) & 0xffffn),
    objectId: objectIdOf(value),
  };
}
