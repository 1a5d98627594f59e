import {
  COOKIE_OURS,
  COOKIE_OWNER_MASK,
  FEATURES,
  type Flow,
  isClause,
  POLICY_PRIORITY,
  TABLE_ID,
} from '@heddle/compiler';
import { type FlowCount, flowKey, type OpenFlowSession, readFlowCounts } from 'openflow-ts';
import type { CountedFlow } from '../core/ports.js';
import { placeOf } from './mods.js';

/** Selects the flows of policies and isolations on a switch: their features' numbers differ in the lowest bit alone. */
const COUNTED = {
  cookie: COOKIE_OURS | (BigInt(FEATURES.policy & FEATURES.isolation) << 48n),
  cookieMask: COOKIE_OWNER_MASK | (BigInt(0xff & ~(FEATURES.policy ^ FEATURES.isolation)) << 48n),
} as const;
const EXACTLY = 0xffff_ffff_ffff_ffffn;
/** Open vSwitch finds the flows of one cookie at once, and goes through all of them for a mask. */
const MAX_SINGLE = 16;

/** Tables in which policies judge. What their flows do elsewhere prepares for it. */
const JUDGING: ReadonlySet<number> = new Set(
  (['EgressAdmin', 'EgressPolicy', 'EgressBaseline', 'IngressAdmin', 'IngressPolicy', 'IngressBaseline'] as const).map(
    (name) => TABLE_ID[name],
  ),
);
const ISOLATION = COOKIE_OURS | (BigInt(FEATURES.isolation) << 48n);
const FEATURE_MASK = COOKIE_OWNER_MASK | (0xffn << 48n);

/** Whether a flow decides for a policy, if it matches: a verdict of a rule, or a drop by isolation, which has exceptions. */
export function isVerdict({ cookie, tableId, priority }: Pick<Flow, 'cookie' | 'tableId' | 'priority'>): boolean {
  if ((cookie & COUNTED.cookieMask) !== COUNTED.cookie || !JUDGING.has(tableId)) return false;
  return (cookie & FEATURE_MASK) !== ISOLATION || priority === POLICY_PRIORITY.isolation;
}

/** Whether somebody wants to know how often the flow has matched. A condition of a rule matches nothing by itself. */
export const isCounted = (flow: Flow): boolean => isVerdict(flow) && !isClause(flow);

/** Counters of all flows of policies that have matched. @throws as `readFlowCounts` */
export async function readAllCounts(session: OpenFlowSession): Promise<readonly CountedFlow[]> {
  return (await readFlowCounts(session, COUNTED)).filter(isVerdict).map((count) => counted(count, false));
}

/** Counters of flows that leave, and of others of the same objects. The requests are on their way when it returns. */
export async function readCountsOf(
  session: OpenFlowSession,
  leaving: readonly Flow[],
): Promise<readonly CountedFlow[]> {
  const cookies = [...new Set(leaving.map((f) => f.cookie))];
  const filters = cookies.length > MAX_SINGLE ? [COUNTED] : cookies.map((cookie) => ({ cookie, cookieMask: EXACTLY }));
  const replies = await Promise.all(filters.map((filter) => readFlowCounts(session, filter)));
  const places = new Set(leaving.map(placeOf));
  return replies
    .flat()
    .filter(isVerdict)
    .map((count) => counted(count, places.has(flowKey(count.flow()))));
}

const counted = ({ cookie, tableId, priority, key, packets, bytes }: FlowCount, leaves: boolean): CountedFlow => ({
  ...{ cookie, tableId, priority, key, packets, bytes, leaves },
});
