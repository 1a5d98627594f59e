import { type NodeName, tableById } from '@heddle/compiler';
import type { Mod, RejectedMod } from 'openflow-ts';
import type { SouthboundLogger } from './desired.js';
import type { Difference } from './plan.js';

/** Of a list that may be long, this many are logged one by one. */
const MAX_LINES = 20;

/** What somebody else had changed, added or removed on a switch. */
export function logDrift(logger: SouthboundLogger, node: NodeName, foreign: readonly Difference[]): void {
  for (const { kind, object, key, wanted } of foreign.slice(0, MAX_LINES))
    logger.warn({ event: 'drift', node, kind, [object]: key, owners: wanted?.provenance.owners });
  logger.warn({ event: 'drift-found', node, count: foreign.length });
}

/** What a switch refused of a bundle. */
export function logRefused(
  logger: SouthboundLogger,
  node: NodeName,
  mods: readonly Mod[],
  errors: readonly RejectedMod[],
): void {
  for (const { index, error } of errors.slice(0, MAX_LINES)) {
    const mod = index === undefined ? undefined : mods[index];
    const table = mod?.kind === 'flow_mod' ? (tableById(mod.tableId)?.name ?? mod.tableId) : undefined;
    logger.error({ event: 'mod-refused', node, table, mod: mod && describe(mod), error: error.message });
  }
}

/** A mod as a log line can hold it. */
function describe(mod: Mod): object {
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v)));
  if (mod.kind === 'group_mod')
    return { group: mod.groupId, command: mod.command, buckets: plain(mod.buckets) as object };
  const { command, tableId, priority, match, instructions } = mod;
  return { command, tableId, priority, match: plain(match), instructions: plain(instructions) };
}
