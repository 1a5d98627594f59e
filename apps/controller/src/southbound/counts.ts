import { COOKIE_OURS, COOKIE_OWNER_MASK, FEATURES, type Flow } from '@heddle/compiler';
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

/** Whether it is told how often the flow matched: flows that decide for a policy. Conditions of a rule match nothing themselves. */
export function isCounted({ cookie, instructions: [first] }: Flow): boolean {
  if ((cookie & COUNTED.cookieMask) !== COUNTED.cookie) return false;
  return first?.kind !== 'apply_actions' || first.actions[0]?.kind !== 'conjunction';
}

/** Counters of all flows of policies that have matched. @throws as `readFlowCounts` */
export async function readAllCounts(session: OpenFlowSession): Promise<readonly CountedFlow[]> {
  return (await readFlowCounts(session, COUNTED)).map((count) => counted(count, false));
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
  return replies.flat().map((count) => counted(count, places.has(flowKey(count.flow()))));
}

const counted = ({ cookie, tableId, key, packets, bytes }: FlowCount, leaves: boolean): CountedFlow => ({
  ...{ cookie, tableId, key, packets, bytes, leaves },
});
