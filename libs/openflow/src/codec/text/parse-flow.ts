import { FIELD_INFO, fieldByName } from '../fields/info.js';
import { flowMod, groupMod } from '../messages/make.js';
import { type Bucket, type GroupProperties } from '../messages/structures.js';
import {
  FLOW_FLAG,
  type FlowMod,
  type FlowModCommand,
  type GroupMod,
  type GroupModCommand,
} from '../messages/types.js';
import type { Version } from '../version.js';
import { parseInstructionsPiece, parseList } from './parse-actions.js';
import { cutKey, MatchBuilder } from './parse-match.js';
import { type Numbers, parsePort, parseTable, parseValue } from './parse-values.js';
import { registersIn } from './registers.js';
import { Piece } from './scan.js';

const FLAGS: Readonly<Record<string, number>> = {
  send_flow_rem: FLOW_FLAG.SEND_FLOW_REM,
  check_overlap: FLOW_FLAG.CHECK_OVERLAP,
  reset_counts: FLOW_FLAG.RESET_COUNTS,
  no_packet_counts: FLOW_FLAG.NO_PKT_COUNTS,
  no_byte_counts: FLOW_FLAG.NO_BYT_COUNTS,
};
/** What dumps say beside the flow itself. */
const IGNORED = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age', 'reset_counts_ignored']);

/** How flows and groups are read. */
export interface ParseOptions extends Numbers {
  readonly command?: FlowModCommand;
  /** Where it will be encoded in 1.5, registers become the 64-bit ones that `ovs-ofctl` writes there. They mean the same. */
  readonly version?: Version;
}

type Draft = { -readonly [K in keyof FlowMod]?: FlowMod[K] };

/** Takes what is not about the match: `table=5`, `cookie=1/0xff`, `send_flow_rem`. */
function takeProperty(draft: Draft, part: Piece, options: ParseOptions): boolean {
  const flag = FLAGS[part.text];
  if (flag !== undefined) {
    draft.flags = (draft.flags ?? 0) | flag;
    return true;
  }
  const [key, value] = cutKey(part);
  if (value === undefined) return false;
  if (IGNORED.has(key.text)) return true;
  switch (key.text) {
    case 'table':
      draft.tableId = parseTable(value, options);
      return true;
    case 'priority':
      draft.priority = value.number(16);
      return true;
    case 'idle_timeout':
      draft.idleTimeout = value.number(16);
      return true;
    case 'hard_timeout':
      draft.hardTimeout = value.number(16);
      return true;
    case 'importance':
      draft.importance = value.number(16);
      return true;
    case 'out_port':
      draft.outPort = parsePort(value, options);
      return true;
    case 'out_group':
      draft.outGroup = value.number(32);
      return true;
    case 'cookie': {
      const [cookie, mask] = value.cut('/') ?? [value, undefined];
      draft.cookie = cookie.big(64);
      if (mask !== undefined) draft.cookieMask = mask.big(64);
      return true;
    }
    default:
      return false;
  }
}

/**
 * Reads a flow in the language of `ovs-ofctl add-flow` and `dump-flows`: `table=5,priority=100,ip,nw_dst=10.0.0.5,actions=output:1`.
 * Throws `OpenFlowTextError`, which says where.
 */
export function parseFlow(text: string, options: ParseOptions = {}): FlowMod {
  const whole = new Piece(text);
  const m = /(^|[\s,])actions?=/.exec(text);
  const head = m === null ? whole : whole.slice(0, m.index);
  const draft: Draft = {};
  const match = new MatchBuilder(options);
  for (const part of head.split())
    if (!takeProperty(draft, part, options) && !match.take(part))
      part.fail(`"${part.text}" is neither a field nor a property of flows`);
  draft.match = match.done();
  if (m !== null)
    draft.instructions = parseInstructionsPiece(whole.slice(m.index + m[0].length), { ...options, match: draft.match });
  else if (options.command === undefined || options.command === 'add') whole.fail('a flow needs actions');
  draft.match = registersIn(draft.match, options.version);
  return flowMod({ ...draft, ...(options.command && { command: options.command }) });
}

const GROUP_TYPES: Readonly<Record<string, GroupMod['type']>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'ff',
  fast_failover: 'ff',
};

function parseBucket(p: Piece, options: Numbers): Bucket {
  const b: { -readonly [K in keyof Bucket]: Bucket[K] } = { actions: [] };
  const m = /(^|[\s,])actions=/.exec(p.text);
  const rest: Piece[] = [];
  for (const part of (m === null ? p : p.slice(0, m.index)).split()) {
    const { name, arg } = part.call();
    if (name === 'bucket_id' && arg) b.bucketId = arg.number(32);
    else if (name === 'weight' && arg) b.weight = arg.number(16);
    else if (name === 'watch_port' && arg) b.watchPort = parsePort(arg, options);
    else if (name === 'watch_group' && arg) b.watchGroup = arg.number(32);
    else rest.push(part);
  }
  const state = { ...options, tagged: false };
  const list = [...rest, ...(m === null ? [] : [p.slice(m.index + m[0].length)])].filter(
    (part) => part.text !== 'drop',
  );
  b.actions = list.flatMap((part) => parseList(part, state));
  return b;
}

const COMMAND_BUCKETS: Readonly<Record<string, number>> = { first: 0xfffffffd, last: 0xfffffffe, all: 0xffffffff };

function parseFields(p: Piece): NonNullable<GroupProperties['selectionFields']> {
  const fields: Record<string, number | bigint> = {};
  for (const part of p.split()) {
    const [name, mask] = part.cut('=') ?? [part, undefined];
    const info = fieldByName(name.text) ?? name.fail(`"${name.text}" is no field`);
    fields[info.name] = mask === undefined ? FIELD_INFO[info.name].ones : parseValue(info, mask, {})[0];
  }
  return fields as NonNullable<GroupProperties['selectionFields']>;
}

/** Reads a group in the language of `ovs-ofctl add-group`. Throws `OpenFlowTextError`. */
export function parseGroup(text: string, options: Numbers & { readonly command?: GroupModCommand } = {}): GroupMod {
  const [head = '', ...bodies] = text.split(/(?:^|[\s,])buckets?=/);
  const g: { -readonly [K in keyof GroupMod]?: GroupMod[K] } = {};
  for (const part of new Piece(head, text).split()) {
    const { name, arg } = part.call();
    const value = arg ?? part.fail(`${name} has no value`);
    if (name === 'group_id') g.groupId = value.text === 'all' ? 0xfffffffc : value.number(32);
    else if (name === 'type') g.type = GROUP_TYPES[value.text] ?? value.fail(`"${value.text}" is no type of groups`);
    else if (name === 'command_bucket_id') g.commandBucketId = COMMAND_BUCKETS[value.text] ?? value.number(32);
    else if (name === 'selection_method') g.selectionMethod = value.text;
    else if (name === 'selection_method_param') g.selectionMethodParam = value.big(64);
    else if (name === 'fields') g.selectionFields = parseFields(value);
    else part.fail(`a group has no "${name}"`);
  }
  if (g.groupId === undefined) return new Piece(text).fail('a group needs group_id');
  let at = head.length;
  const buckets: Bucket[] = bodies.map((body) => {
    at = text.indexOf(body, at);
    return parseBucket(new Piece(body, text, at), options);
  });
  if (g.type === undefined && (options.command === undefined || options.command === 'add'))
    new Piece(text).fail('a group needs a type');
  return groupMod({
    ...g,
    groupId: g.groupId,
    type: g.type ?? 'all',
    buckets: g.type === 'select' ? buckets.map((b) => ({ weight: 1, ...b })) : buckets,
    ...(options.command && { command: options.command }),
  });
}
