import { type Flow, TABLE_ID, type TableName } from '@heddle/compiler';
import { isSameFlow } from './mods.js';
import type { Content, Difference } from './plan.js';

const ids = (...names: TableName[]): ReadonlySet<number> => new Set(names.map((name) => TABLE_ID[name]));

/** Tables that judge packets. */
const JUDGES = ids(
  'EgressStanding',
  'IngressStanding',
  'EgressAdmin',
  'EgressPolicy',
  'EgressBaseline',
  'IngressAdmin',
  'IngressPolicy',
  'IngressBaseline',
  'Denied',
);
/** Tables that say whose packets they are. A flow more or less is a pod that came or went; another identity is another judgement. */
const NAMES = ids('Classify', 'SourceIdentity', 'DestinationIdentity', 'Route');

function concerns(want: Flow | undefined, have: { readonly tableId: number } | undefined): boolean {
  const tableId = want?.tableId ?? have?.tableId ?? -1;
  return JUDGES.has(tableId) || (NAMES.has(tableId) && want !== undefined && have !== undefined);
}

/** Whether a compiled change brings another judgement of packets that the switch may have seen before. */
export function changesJudgement(
  wanted: Content,
  installed: Content,
  dirty: { readonly flows: ReadonlySet<string> },
): boolean {
  for (const key of dirty.flows) {
    const [want, have] = [wanted.flows.get(key), installed.flows.get(key)];
    if (want === have || !concerns(want, have)) continue;
    if (want === undefined || have === undefined || !isSameFlow(want, have)) return true;
  }
  return false;
}

/** The same of one difference that a read-back found. */
export function isJudging({ wanted, found }: Difference): boolean {
  const flow = (thing: typeof wanted) => (thing !== undefined && 'key' in thing ? thing : undefined);
  return concerns(flow(wanted), found !== undefined && 'tableId' in found ? found : undefined);
}
