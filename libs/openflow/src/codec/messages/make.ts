import { GROUP, NO_BUFFER, PORT, TABLE_ALL } from '../ports.js';
import { FLOW_MONITOR_FLAG, type FlowMonitor, type FlowStatsFilter, type MultipartRequest } from './multipart-types.js';
import type { FlowMod, GroupMod } from './types.js';

type RequestOf<T extends MultipartRequest['type']> = Extract<MultipartRequest, { readonly type: T }>;

const FLOW_MOD_DEFAULTS: FlowMod = {
  kind: 'flow_mod',
  command: 'add',
  tableId: 0,
  priority: 0x8000,
  cookie: 0n,
  cookieMask: 0n,
  idleTimeout: 0,
  hardTimeout: 0,
  bufferId: NO_BUFFER,
  outPort: PORT.ANY,
  outGroup: GROUP.ANY,
  flags: 0,
  importance: 0,
  match: {},
  instructions: [],
};

/** A flow mod with the usual defaults: add, table 0, priority 32768, no timeouts, no buffer, any port and group. */
export const flowMod = (partial: Partial<Omit<FlowMod, 'kind'>>): FlowMod => ({ ...FLOW_MOD_DEFAULTS, ...partial });

/** A group mod with defaults: add, indirect without buckets. */
export const groupMod = (partial: Partial<Omit<GroupMod, 'kind'>> & { readonly groupId: number }): GroupMod => ({
  kind: 'group_mod',
  command: 'add',
  type: 'indirect',
  buckets: [],
  ...partial,
});

const EVERY_FLOW: FlowStatsFilter = {
  tableId: TABLE_ALL,
  outPort: PORT.ANY,
  outGroup: GROUP.ANY,
  cookie: 0n,
  cookieMask: 0n,
  match: {},
};

/** A request for the flows that match `filter`; all flows of all tables by default. */
export const flowStatsRequest = (filter: Partial<FlowStatsFilter> = {}): RequestOf<'flow'> => ({
  kind: 'multipart_request',
  type: 'flow',
  ...EVERY_FLOW,
  ...filter,
});

/** A request for the sum of the counters of the flows that match `filter`. */
export const aggregateStatsRequest = (filter: Partial<FlowStatsFilter> = {}): RequestOf<'aggregate'> => ({
  kind: 'multipart_request',
  type: 'aggregate',
  ...EVERY_FLOW,
  ...filter,
});

/** A request to be told of changes: everything about every flow by default, the flows that are there already included. */
export const flowMonitorRequest = (
  monitor: Partial<FlowMonitor> & { readonly id: number },
): RequestOf<'flow_monitor'> => ({
  kind: 'multipart_request',
  type: 'flow_monitor',
  monitors: [
    {
      command: 'add',
      flags:
        FLOW_MONITOR_FLAG.INITIAL |
        FLOW_MONITOR_FLAG.ADD |
        FLOW_MONITOR_FLAG.REMOVED |
        FLOW_MONITOR_FLAG.MODIFY |
        FLOW_MONITOR_FLAG.INSTRUCTIONS,
      outPort: PORT.ANY,
      outGroup: GROUP.ANY,
      tableId: TABLE_ALL,
      match: {},
      ...monitor,
    },
  ],
});
