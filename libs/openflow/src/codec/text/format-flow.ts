import { FIELD_INFO } from '../fields/info.js';
import type { FieldName } from '../fields/table.js';
import type { GroupDesc } from '../messages/multipart-types.js';
import { type Bucket, type GroupProperties } from '../messages/structures.js';
import { FLOW_FLAG, type GroupMod } from '../messages/types.js';
import type { FlowLike } from '../normal/flow.js';
import { formatActions } from './format-actions.js';
import { matchParts } from './format-match.js';
import { formatPort, formatTable, formatValue, hex, type Names } from './values.js';

const DEFAULT_PRIORITY = 0x8000;
const FLAG_NAMES: readonly (readonly [flag: number, name: string])[] = [
  [FLOW_FLAG.SEND_FLOW_REM, 'send_flow_rem'],
  [FLOW_FLAG.CHECK_OVERLAP, 'check_overlap'],
  [FLOW_FLAG.RESET_COUNTS, 'reset_counts'],
  [FLOW_FLAG.NO_PKT_COUNTS, 'no_packet_counts'],
  [FLOW_FLAG.NO_BYT_COUNTS, 'no_byte_counts'],
];
export const formatFlowFlags = (flags: number): string[] =>
  FLAG_NAMES.filter(([f]) => flags & f).map(([, name]) => name);

/** How flows are written. */
export interface FlowTextOptions {
  readonly tableNames?: ReadonlyMap<number, string> | Readonly<Record<number, string>>;
  readonly portNames?: ReadonlyMap<number, string>;
}

const toMap = (names: ReadonlyMap<number, string> | Readonly<Record<number, string>>): ReadonlyMap<number, string> =>
  names instanceof Map ? names : new Map(Object.entries(names).map(([id, name]) => [Number(id), name as string]));

export const namesOf = (options: FlowTextOptions): Names => ({
  ...(options.tableNames && { tables: toMap(options.tableNames) }),
  ...(options.portNames && { ports: options.portNames }),
});

/**
 * A flow in the language of `ovs-ofctl add-flow`, as `ovs-ofctl dump-flows --no-stats` prints it:
 * `cookie=0x1, table=5, priority=100,ip,nw_dst=10.0.0.5 actions=output:1`.
 */
export function formatFlow(flow: FlowLike, options: FlowTextOptions = {}): string {
  const names = namesOf(options);
  const head: string[] = [];
  if (flow.cookie !== 0n) head.push(`cookie=${hex(flow.cookie)}`);
  if (flow.tableId !== 0 || names.tables !== undefined) head.push(`table=${formatTable(flow.tableId, names)}`);
  if (flow.idleTimeout !== 0) head.push(`idle_timeout=${flow.idleTimeout}`);
  if (flow.hardTimeout !== 0) head.push(`hard_timeout=${flow.hardTimeout}`);
  const flags = formatFlowFlags(flow.flags);
  let text = head.map((part) => `${part}, `).join('');
  if (flags.length > 0) text += `${flags.join(' ')} `;
  if (flow.importance) text += `importance=${flow.importance}, `;
  const match = matchParts(flow.match, names);
  if (flow.priority !== DEFAULT_PRIORITY) match.unshift(`priority=${flow.priority}`);
  if (match.length > 0) text += `${match.join()} `;
  return `${text}actions=${formatActions(flow.instructions, names)}`;
}

/** `bucket=weight:1,watch_port:2,actions=...` */
export function formatBucket(bucket: Bucket, type: GroupMod['type'], names: Names = {}): string {
  const parts: string[] = [];
  if (bucket.bucketId !== undefined) parts.push(`bucket_id:${bucket.bucketId}`);
  if (bucket.weight !== undefined && bucket.weight !== (type === 'select' ? 1 : 0))
    parts.push(`weight:${bucket.weight}`);
  if (bucket.watchPort !== undefined) parts.push(`watch_port:${formatPort(bucket.watchPort, names)}`);
  if (bucket.watchGroup !== undefined) parts.push(`watch_group:${bucket.watchGroup}`);
  parts.push(`actions=${formatActions(bucket.actions, names)}`);
  return `bucket=${parts.join()}`;
}

export function formatGroupProperties(g: GroupProperties): string[] {
  if (g.selectionMethod === undefined) return [];
  const parts = [`selection_method=${g.selectionMethod}`];
  if (g.selectionMethodParam) parts.push(`selection_method_param=${g.selectionMethodParam}`);
  const fields = Object.entries(g.selectionFields ?? {});
  if (fields.length > 0) {
    const shown = fields.map(([name, mask]) => {
      const info = FIELD_INFO[name as FieldName];
      return mask === info.ones ? name : `${name}=${formatValue(info, mask as number | bigint, undefined)}`;
    });
    parts.push(fields.length === 1 ? `fields=${shown[0]}` : `fields(${shown.join()})`);
  }
  return parts;
}

/** A group in the language of `ovs-ofctl add-group`: `group_id=1,type=select,bucket=...`. */
export function formatGroup(group: GroupDesc | GroupMod, options: FlowTextOptions = {}): string {
  const names = namesOf(options);
  return [
    `group_id=${group.groupId}`,
    `type=${group.type}`,
    ...formatGroupProperties(group),
    ...group.buckets.map((bucket) => formatBucket(bucket, group.type, names)),
  ].join();
}
