import { type Entry, index, type Memo, memo, type Root, root } from '../engine/steps.js';
import type { ClusterPolicyFact } from '../model/facts.js';
import { compareText, compound, parts } from '../policy/canonical.js';
import { DIRECTIONS, type Direction } from '../policy/shape.js';

/**
 * The order of cluster policies as OpenFlow priorities. Each policy priority has a band of its own in its table, so that a new
 * policy moves rules of the same priority only; within the band, rules stand in the order of the names of their policies.
 */

/** OpenFlow priority of what no rule of the tables comes before. */
export const FIXED_PRIORITY = { observed: 65_510, established: 65_500, ownNode: 65_400 } as const;

const LOWEST = 64;
/** Rules of one policy priority, tier and direction that have a place of their own. */
export const BAND_SLOTS = 64;
const LAST_PRIORITY = 1000;
/** What people should know of a rule that has no place of its own, and what they can do. */
export const CROWDED =
  `more than ${BAND_SLOTS} rules of one direction have this tier and priority: those beyond share the last place, so where ` +
  'they contradict each other either may count; give some of these policies another priority';

/** @param rank place of the rule among all rules of its tier, direction and policy priority, from 0 */
export const bandPriority = (priority: number, rank: number): number =>
  LOWEST + (LAST_PRIORITY - priority) * (BAND_SLOTS + 1) + (BAND_SLOTS - Math.min(rank, BAND_SLOTS - 1));

/** Policies with rules, as `[name, number of rules]`, by tier, direction and priority. */
const bands = index('policyBands', 0);
const bandKey = ({ tier, priority }: ClusterPolicyFact, direction: Direction): string =>
  `${tier}/${direction}/${priority}`;

export interface PolicyOrder {
  readonly roots: readonly Root[];
  /** Rank of a policy's first rule of a direction; key: `firstRankKey`. */
  readonly firstRank: Memo<number>;
}
/** @param name of the cluster policy */
export const firstRankKey = (name: string, direction: Direction): string => compound(name, direction);

export function policyOrder(): PolicyOrder {
  const place = root('policyBand', 0, 'clusterPolicy', (key, cx) => {
    const policy = cx.fact('clusterPolicy', key);
    if (policy === undefined) return undefined;
    const entries = DIRECTIONS.filter((d) => policy[d].length > 0).map(
      (d): Entry => [bands, bandKey(policy, d), compound(key, String(policy[d].length))],
    );
    return entries.length === 0 ? undefined : { entries };
  });
  const firstRank = memo('firstRank', (key, cx) => {
    const [name = '', direction] = parts(key);
    const policy = cx.fact('clusterPolicy', name);
    if (policy === undefined) return 0;
    let rank = 0;
    for (const member of cx.members(bands, bandKey(policy, direction as Direction))) {
      const [other = '', count] = parts(member);
      if (compareText(other, name) < 0) rank += Number(count);
    }
    return rank;
  });
  return { roots: [place], firstRank };
}
