import type { Instruction } from '../actions/types.js';
import type { Match } from '../fields/match.js';
import { FLOW_FLAG } from '../messages/types.js';
import { normalizeInstructions } from './actions.js';
import { normalizeMatch } from './match.js';

/** What a flow mod and a flow's statistics have in common. */
export interface FlowLike {
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly match: Match;
  readonly instructions: readonly Instruction[];
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly flags: number;
  readonly importance?: number;
}

/** Values of any shape as text: equal values give equal text, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' ? JSON.stringify(value) : `${value}`;
  if (value instanceof Uint8Array) return `x${Array.from(value, (b) => b.toString(16).padStart(2, '0')).join('')}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const record = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(record).sort();
  return `{${keys
    .filter((k) => record[k] !== undefined)
    .map((k) => `${k}:${canonical(record[k])}`)
    .join()}}`;
}

/** What identifies a flow in a switch: table, priority and match, in normal form. */
export const flowKey = (flow: Pick<FlowLike, 'tableId' | 'priority' | 'match'>): string =>
  `${flow.tableId}/${flow.priority}/${canonical(normalizeMatch(flow.match))}`;

// check_overlap and reset_counts are orders to the switch, not properties of the flow.
const KEPT = FLOW_FLAG.SEND_FLOW_REM | FLOW_FLAG.NO_PKT_COUNTS | FLOW_FLAG.NO_BYT_COUNTS;

/** The rest of a flow, in normal form. Importance is left out: 1.3 cannot read it back. */
export const flowBody = (flow: FlowLike): string =>
  `${flow.cookie}/${flow.idleTimeout}/${flow.hardTimeout}/${flow.flags & KEPT}/${canonical(normalizeInstructions(flow.instructions))}`;

/**
 * Whether two flows are the same to a switch: one that was sent and one read back, in whatever versions.
 * Cookie, timeouts and flags count; counters, durations and importance do not.
 */
export const sameFlow = (a: FlowLike, b: FlowLike): boolean => flowKey(a) === flowKey(b) && flowBody(a) === flowBody(b);
