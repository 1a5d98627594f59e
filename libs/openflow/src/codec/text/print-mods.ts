import { type MeterBand } from '../messages/structures.js';
import { type FlowMod, type GroupMod, METER_FLAG, type MeterMod, type NxFlowMod } from '../messages/types.js';
import { METER, NO_BUFFER, PORT } from '../ports.js';
import { formatActions } from './format-actions.js';
import { formatBucket, formatFlowFlags, formatGroupProperties } from './format-flow.js';
import { matchParts } from './format-match.js';
import { formatPort, hex } from './values.js';

// Modifications as `ovs-ofctl ofp-print` writes them.

const COMMANDS: { readonly [C in FlowMod['command']]: string } = {
  add: 'ADD',
  modify: 'MOD',
  modify_strict: 'MOD_STRICT',
  delete: 'DEL',
  delete_strict: 'DEL_STRICT',
};

export function printFlowMod(m: FlowMod, newCookie = m.command === 'add' ? m.cookie : 0n): string {
  const match = matchParts(m.match);
  if (m.priority !== 0x8000) match.unshift(`priority=${m.priority}`);
  const parts = [COMMANDS[m.command]];
  if (m.tableId !== 0) parts.push(`table:${m.tableId}`);
  if (match.length > 0) parts.push(match.join());
  // An add sets a cookie; anything else is about flows that have one.
  if (newCookie !== 0n && newCookie !== 0xffff_ffff_ffff_ffffn) parts.push(`cookie:${hex(newCookie)}`);
  if (m.command !== 'add' && m.cookieMask !== 0n)
    parts.push(`cookie:0x${m.cookie.toString(16)}/0x${m.cookieMask.toString(16)}`);
  if (m.idleTimeout !== 0) parts.push(`idle:${m.idleTimeout}`);
  if (m.hardTimeout !== 0) parts.push(`hard:${m.hardTimeout}`);
  if (m.importance !== 0) parts.push(`importance:${m.importance}`);
  if (m.bufferId !== NO_BUFFER) parts.push(`buf:0x${m.bufferId.toString(16)}`);
  if (m.outPort !== PORT.ANY) parts.push(`out_port:${formatPort(m.outPort)}`);
  parts.push(...formatFlowFlags(m.flags));
  parts.push(`actions=${formatActions(m.instructions)}`);
  return parts.join(' ');
}

/** As a flow mod of today. The cookie is the new one; the old one to look for stands in the match. */
export function printNxFlowMod(m: NxFlowMod): string {
  const [cookie, cookieMask] = m.cookieMatch ?? [0n, 0n];
  const { cookieMatch: _, ...rest } = m;
  return printFlowMod(
    {
      ...rest,
      kind: 'flow_mod',
      ...(m.command === 'add' ? { cookieMask: 0n } : { cookie, cookieMask }),
      outGroup: 0xffffffff,
      importance: 0,
    },
    m.cookie,
  );
}

const GROUP_COMMANDS: { readonly [C in GroupMod['command']]: string } = {
  add: 'ADD',
  modify: 'MOD',
  delete: 'DEL',
  insert_bucket: 'INSERT_BUCKET',
  remove_bucket: 'REMOVE_BUCKET',
  add_or_mod: 'ADD_OR_MOD',
};
const BUCKET_IDS: Readonly<Record<number, string>> = { 4294967293: 'first', 4294967294: 'last', 4294967295: 'all' };

export function printGroupMod(m: GroupMod): string {
  const parts: string[] = [];
  if (m.command === 'insert_bucket' || m.command === 'remove_bucket') {
    const id = m.commandBucketId ?? 0xffffffff;
    parts.push(`command_bucket_id:${BUCKET_IDS[id] ?? id}`);
  }
  parts.push(`group_id=${m.groupId}`);
  if (m.command !== 'insert_bucket' && m.command !== 'remove_bucket') parts.push(`type=${m.type}`);
  parts.push(...formatGroupProperties(m));
  for (const bucket of m.buckets) parts.push(formatBucket(bucket, m.type));
  return `\n ${GROUP_COMMANDS[m.command]} ${parts.join()}`;
}

const METER_COMMANDS = { add: 'ADD', modify: 'MOD', delete: 'DEL' } as const;
const METER_FLAGS: readonly (readonly [number, string])[] = [
  [1, 'kbps'],
  [2, 'pktps'],
  [4, 'burst'],
  [8, 'stats'],
];
export const METER_NAMES: Readonly<Record<number, string>> = {
  [METER.SLOWPATH]: 'slowpath',
  [METER.CONTROLLER]: 'controller',
  [METER.ALL]: 'all',
};
/** ` meter=1 kbps bands=` and a line for each band. */
export function printMeterConfig(m: Pick<MeterMod, 'meterId' | 'flags' | 'bands'>): string {
  const known = METER_FLAGS.filter(([f]) => m.flags & f).map(([, name]) => `${name} `);
  const rest = m.flags & ~METER_FLAGS.reduce((all, [f]) => all | f, 0);
  const flags = known.join('') + (rest === 0 ? '' : `flags:0x${rest.toString(16)} `);
  const bands = m.bands.map((b: MeterBand) => {
    const parts = [`\ntype=${b.type}`, `rate=${b.rate}`];
    if (m.flags & METER_FLAG.BURST) parts.push(`burst_size=${b.burstSize}`);
    if (b.precLevel !== undefined) parts.push(`prec_level=${b.precLevel}`);
    return parts.join(' ');
  });
  return `meter=${meterName(m.meterId)} ${flags}bands=${bands.join('')}\n`;
}
const meterName = (id: number): string => METER_NAMES[id] ?? (id <= METER.MAX ? `${id}` : 'unknown');

/** What a delete says beside the meter means nothing. */
export const printMeterMod = (m: MeterMod): string =>
  `${METER_COMMANDS[m.command]} ${printMeterConfig(m.command === 'delete' ? { meterId: m.meterId, flags: 0, bands: [] } : m)}`;
