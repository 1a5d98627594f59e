import { COOKIE_OURS, COOKIE_OWNER_MASK, GROUP_IDS } from '@heddle/compiler';
import { GROUP, type OpenFlowSession, PORT, TABLE_ALL } from 'openflow-ts';
import type { Actual } from './plan.js';

/** Reads what is ours on the switch: flows with our cookie, groups in our range. Everything else is none of our business. */
export async function readBack(session: OpenFlowSession): Promise<Actual> {
  const [groups, flows] = await Promise.all([
    session.multipart({ kind: 'multipart_request', type: 'group_desc' }),
    session.multipart({
      kind: 'multipart_request',
      type: 'flow',
      tableId: TABLE_ALL,
      outPort: PORT.ANY,
      outGroup: GROUP.ANY,
      cookie: COOKIE_OURS,
      cookieMask: COOKIE_OWNER_MASK,
      match: {},
    }),
  ]);
  return { flows, groups: groups.filter((g) => g.groupId >= GROUP_IDS.min && g.groupId <= GROUP_IDS.max) };
}
