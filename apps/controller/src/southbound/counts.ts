import { COOKIE_OURS, COOKIE_OWNER_MASK, FEATURES, type Flow } from '@heddle/compiler';
import { type FlowCount, type OpenFlowSession, readFlowCounts } from 'openflow-ts';

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
export const readAllCounts = (session: OpenFlowSession): Promise<readonly FlowCount[]> =>
  readFlowCounts(session, COUNTED);

/** Counters of these flows, and of others of the same objects. The requests are on their way when it returns. */
export async function readCountsOf(session: OpenFlowSession, flows: readonly Flow[]): Promise<readonly FlowCount[]> {
  const cookies = [...new Set(flows.map((f) => f.cookie))];
  if (cookies.length > MAX_SINGLE) return readAllCounts(session);
  const replies = cookies.map((cookie) => readFlowCounts(session, { cookie, cookieMask: EXACTLY }));
  return (await Promise.all(replies)).flat();
}
