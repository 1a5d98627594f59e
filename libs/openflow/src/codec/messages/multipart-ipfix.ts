import type { MultipartRow } from './multipart-row.js';
import { noRequest } from './multipart-row.js';
import type { IpfixStats } from './multipart-types.js';
import { nicira } from './row.js';

// struct nx_ipfix_stats_reply { u64 counters[10]; u32 collector_set_id; pad[4] }
const COUNTERS = [
  'flows',
  'currentFlows',
  'packets',
  'ipv4Packets',
  'ipv6Packets',
  'errorPackets',
  'ipv4ErrorPackets',
  'ipv6ErrorPackets',
  'txPackets',
  'txErrors',
] as const;

const row = <T extends 'ipfix_bridge' | 'ipfix_flow'>(type: T, number: number): MultipartRow<T> => ({
  id: nicira(number),
  ...noRequest(type),
  write: (w, e) => {
    for (const key of COUNTERS) w.u64(e[key]);
    w.u32(e.collectorSetId);
    w.skip(4);
  },
  read: (r) => {
    const counters = {} as { -readonly [K in (typeof COUNTERS)[number]]: bigint };
    for (const key of COUNTERS) counters[key] = r.u64();
    const stats: IpfixStats = { ...counters, collectorSetId: r.u32() };
    r.skip(4);
    return stats;
  },
});

export const IPFIX_MULTIPART = { ipfix_bridge: row('ipfix_bridge', 3), ipfix_flow: row('ipfix_flow', 4) };
