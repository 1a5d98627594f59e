import type { ActionId, FieldId, TableFeature, TableFeatures, TableStats } from '../messages/multipart-types.js';
import type { TableSettings } from '../messages/structures.js';
import type { TableStatus } from '../messages/types.js';
import type { WireVersion } from '../version.js';
import { actionNames } from './action-names.js';
import { bitNames, hex } from './values.js';

// Tables as `ovs-ofctl ofp-print` writes them.

const EVICTION_FLAGS = ['OTHER', 'IMPORTANCE', 'LIFETIME'];
const CONFIG = { EVICTION: 4, VACANCY: 8 } as const;

export function printTableMod(t: TableSettings, version: WireVersion): string {
  const text = ` table_id${t.tableId === 0xff ? ': ALL_TABLES' : `=${t.tableId}`}`;
  if (version === 4) return text;
  // Open vSwitch takes the flags of a table mod for the setting itself: 0 default, 1 on, 2 off.
  const setting = t.evictionFlags ?? (t.config & CONFIG.EVICTION ? 1 : 2);
  const eviction = setting === 0 ? '' : `, eviction=${['', 'on', 'off'][setting] ?? '***error***'}`;
  if ((t.config & CONFIG.VACANCY) === 0) return `${text}${eviction}, vacancy=off`;
  return `${text}${eviction}, vacancy=on vacancy:${t.vacancy?.down ?? 0},${t.vacancy?.up ?? 0}`;
}

export function printTableDesc(t: TableSettings): string {
  const flags = t.evictionFlags === undefined ? '(default)' : bitNames(t.evictionFlags, EVICTION_FLAGS, '|');
  const on = (t.config & CONFIG.VACANCY) !== 0;
  const { down = 0, up = 0, vacancy = 0 } = t.vacancy ?? {};
  return (
    `\n  table ${t.tableId}:\n   eviction=${t.config & CONFIG.EVICTION ? 'on' : 'off'} eviction_flags=${flags}\n` +
    `   vacancy=${on ? 'on' : 'off'}${on ? ` vacancy_down=${down}% vacancy_up=${up}% vacancy=${vacancy}%` : ''}\n`
  );
}

export const printTableStatus = (m: TableStatus): string =>
  `${typeof m.reason === 'number' ? '' : ` reason=${m.reason.toUpperCase()}`}\ntable_desc:-${printTableDesc(m.table)}`;

/** What can be done with packets that some flow matches, or that none does. */
interface Abilities {
  readonly next: readonly boolean[];
  readonly instructions: number;
  readonly write: Actions;
  readonly apply: Actions;
}
interface Actions {
  readonly types: number;
  /** Numbers of fields, rising. */
  readonly fields: readonly number[];
}
/** A table as it is printed; `key`s compare parts of two tables. */
interface Shown {
  readonly table: number;
  readonly name: string;
  readonly lines: readonly string[];
  readonly stats: string;
  readonly hit: Abilities;
  readonly miss: Abilities;
  readonly match: readonly number[];
  readonly mask: ReadonlySet<number>;
  readonly wild: ReadonlySet<number>;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const NO_ACTIONS: Actions = { types: 0, fields: [] };
const NOTHING: Abilities = { next: [], instructions: 0, write: NO_ACTIONS, apply: NO_ACTIONS };

/** Fields in the order in which Open vSwitch lists them, which is not that of matches; those that it calls otherwise as ours=theirs. */
const FIELD_ORDER = [
  'dp_hash recirc_id packet_type conj_id tun_id tun_src tun_dst tun_ipv6_src tun_ipv6_dst tun_flags tun_gbp_id tun_gbp_flags',
  'tun_erspan_idx tun_erspan_ver tun_erspan_dir tun_erspan_hwid tun_gtpu_flags tun_gtpu_msgtype tun_metadata*64 metadata',
  'in_port_nxm=in_port in_port=in_port_oxm actset_output pkt_mark ct_state ct_zone ct_mark ct_label ct_nw_proto ct_nw_src ct_nw_dst',
  'ct_ipv6_src ct_ipv6_dst ct_tp_src ct_tp_dst reg*32 xreg*16 xxreg*8 eth_src eth_dst eth_type vlan_tci vlan_vid vlan_pcp',
  'mpls_label mpls_tc mpls_bos mpls_ttl ip_src ip_dst ipv6_src ipv6_dst ipv6_label nw_proto nw_tos ip_dscp nw_ecn nw_ttl ip_frag',
  'arp_op arp_spa arp_tpa arp_sha arp_tha tcp_src tcp_dst tcp_flags udp_src udp_dst sctp_src sctp_dst icmp_type icmp_code',
  'icmpv6_type icmpv6_code nd_target nd_sll nd_tll nd_reserved nd_options_type nsh_flags nsh_mdtype nsh_np nsh_spi nsh_si',
  'nsh_c1 nsh_c2 nsh_c3 nsh_c4 nsh_ttl',
]
  .join(' ')
  .split(' ')
  .flatMap((word) => {
    const [name = '', count] = word.split('*');
    return count === undefined ? [name] : Array.from({ length: Number(count) }, (_, i) => `${name}${i}`);
  })
  .map((word) => word.split('='));
const rankOf = new Map(FIELD_ORDER.map(([ours], i) => [ours as string, i]));
const numbersOf = (fields: readonly FieldId[] | undefined, masked: boolean): number[] =>
  [
    ...new Set(
      (fields ?? []).flatMap((f) =>
        f.field !== undefined && f.masked === masked ? [rankOf.get(f.field) as number] : [],
      ),
    ),
  ].sort((a, b) => a - b);
const bitsOf = (ids: readonly ActionId[] | undefined): number =>
  (ids ?? []).reduce((bits, id) => (id.type < 32 && id.body === undefined ? bits | (1 << id.type) : bits), 0) >>> 0;

function abilities(t: TableFeatures, miss: boolean, otherwise: Abilities | undefined): Abilities {
  const find = (of: TableFeature['of']): TableFeature | undefined =>
    t.properties.find((p) => p.of === of && p.of !== 'unknown' && p.miss === miss);
  const ids = (of: TableFeature['of']): readonly ActionId[] | undefined => {
    const found = find(of);
    return found && 'ids' in found ? found.ids : undefined;
  };
  const fields = (of: TableFeature['of']): readonly FieldId[] | undefined => {
    const found = find(of);
    return found && 'fields' in found ? found.fields : undefined;
  };
  const next = find('next_tables');
  const tables = next && 'tables' in next ? next.tables : undefined;
  const actions = (kind: 'write' | 'apply'): Actions => {
    const types = ids(`${kind}_actions`);
    const set = fields(`${kind}_set_field`);
    return {
      types: types === undefined && otherwise ? otherwise[kind].types : bitsOf(types),
      fields: set === undefined && otherwise ? otherwise[kind].fields : numbersOf(set, false),
    };
  };
  const instructions = ids('instructions');
  return {
    next:
      tables === undefined && otherwise
        ? otherwise.next
        : Array.from({ length: 255 }, (_, i) => (tables ?? []).includes(i)),
    instructions: instructions === undefined && otherwise ? otherwise.instructions : bitsOf(instructions),
    write: actions('write'),
    apply: actions('apply'),
  };
}

function shownFeatures(t: TableFeatures, version: WireVersion): Shown {
  const lines: string[] = [];
  if (t.metadataMatch !== 0n || t.metadataWrite !== 0n)
    lines.push(`    metadata: match=${hex(t.metadataMatch)} write=${hex(t.metadataWrite)}`);
  if (version !== 4) {
    lines.push(`    eviction: ${t.capabilities & CONFIG.EVICTION ? '' : 'not '}supported`);
    lines.push(`    vacancy events: ${t.capabilities & CONFIG.VACANCY ? '' : 'not '}supported`);
  }
  if (t.maxEntries !== 0) lines.push(`    max_entries=${t.maxEntries}`);
  const fields = (of: string): readonly FieldId[] =>
    t.properties.flatMap((p) => (p.of === of && 'fields' in p ? p.fields : []));
  const mask = numbersOf(fields('match'), true);
  const match = [...new Set([...numbersOf(fields('match'), false), ...mask])].sort((a, b) => a - b);
  const hit = abilities(t, false, undefined);
  const some = t.properties.length > 0;
  return {
    table: t.tableId,
    name: t.name,
    lines,
    stats: '',
    hit,
    miss: abilities(t, true, some ? hit : undefined),
    match,
    mask: new Set(mask),
    wild: new Set([...numbersOf(fields('wildcards'), false), ...mask]),
  };
}
const shownStats = (t: TableStats): Shown => ({
  table: t.tableId,
  name: '',
  lines: [],
  stats: `    active=${t.activeCount}, lookup=${t.lookupCount}, matched=${t.matchedCount}\n`,
  hit: NOTHING,
  miss: NOTHING,
  match: [],
  mask: new Set(),
  wild: new Set(),
});

/** Tables lead to later tables only, so neighbours differ by one of the two: that counts as the same. */
function sameNext(a: readonly boolean[], aTable: number, b: readonly boolean[], bTable: number): boolean {
  if (aTable === bTable + 1) return sameNext(b, bTable, a, aTable);
  if (bTable === aTable + 1 && a[bTable] && !b[bTable]) return a.every((bit, i) => i === bTable || bit === b[i]);
  return same(a, b);
}
const sameAbilities = (a: Abilities, aTable: number, b: Abilities, bTable: number): boolean =>
  sameNext(a.next, aTable, b.next, bTable) &&
  a.instructions === b.instructions &&
  same(a.write, b.write) &&
  same(a.apply, b.apply);
const isEmpty = (a: Abilities): boolean =>
  !a.next.includes(true) && a.instructions === 0 && same(a.write, NO_ACTIONS) && same(a.apply, NO_ACTIONS);
const sameFeatures = (a: Shown, b: Shown): boolean =>
  same(a.lines, b.lines) &&
  sameAbilities(a.hit, a.table, b.hit, b.table) &&
  sameAbilities(a.miss, a.table, b.miss, b.table) &&
  same(a.match, b.match);

/** Length of what two names have in common up to a `_`. */
function commonPrefix(a: string, b: string): number {
  let length = 0;
  for (let i = 0; i < a.length && a[i] === b[i]; i++) if (a[i] === '_') length = i + 1;
  return length;
}
/** How many names at the beginning are the first with its number counted up. */
function countedRun(names: readonly string[]): number {
  const m = /^(.*?)(\d+)$/.exec(names[0] ?? '');
  if (m === null) return 1;
  let run = 1;
  while (names[run] === `${m[1]}${Number(m[2]) + run}`) run++;
  return run;
}
/** `reg0...reg15`, `eth_{src,dst}`. */
function nameList(names: readonly string[], prefix: number): string {
  const out: string[] = [];
  for (let i = 0; i < names.length; ) {
    const rest = names.slice(i);
    const first = (rest[0] as string).slice(prefix);
    const extra = rest[1] === undefined ? 0 : commonPrefix(first, rest[1].slice(prefix));
    let prefixRun = 1;
    if (extra > 0)
      while (rest[prefixRun] !== undefined && commonPrefix(first, (rest[prefixRun] as string).slice(prefix)) > 0)
        prefixRun++;
    const counted = countedRun(rest);
    const run = Math.max(prefixRun, counted);
    if (counted >= prefixRun) out.push(first + (run > 1 ? `...${(rest[run - 1] as string).slice(prefix)}` : ''));
    else out.push(`${first.slice(0, extra)}{${nameList(rest.slice(0, run), prefix + extra)}}`);
    i += run;
  }
  return out.join(prefix > 0 ? ',' : ' ');
}
const fieldNames = (numbers: readonly number[]): string =>
  nameList(
    numbers.map((n) => FIELD_ORDER[n]?.at(-1) as string),
    0,
  );

// In the order in which Open vSwitch has them.
const INSTRUCTIONS: readonly (readonly [bit: number, name: string])[] = [
  [6, 'meter'],
  [4, 'apply_actions'],
  [5, 'clear_actions'],
  [3, 'write_actions'],
  [2, 'write_metadata'],
  [1, 'goto_table'],
];

function ranges(next: readonly boolean[]): string {
  const out: string[] = [];
  for (let i = 0; i < next.length; i++) {
    if (!next[i]) continue;
    let end = i;
    while (next[end + 1]) end++;
    out.push(end === i ? `${i}` : `${i}-${end}`);
    i = end;
  }
  return out.join();
}
function printActions(a: Actions): string {
  let text = a.types !== 0 ? `        actions: ${actionNames(a.types)}\n` : '';
  if (a.fields.length > 0) text += `        supported on Set-Field: ${fieldNames(a.fields)}\n`;
  return text;
}
function printAbilities(a: Abilities, before: Abilities | undefined): string {
  let text = a.next.includes(true) ? `      next tables: ${ranges(a.next)}\n` : '';
  if (a.instructions !== 0)
    text +=
      before?.instructions === a.instructions
        ? '      (same instructions)\n'
        : `      instructions: ${INSTRUCTIONS.filter(([bit]) => (a.instructions >>> bit) & 1)
            .map(([, name]) => name)
            .join(' ')}\n`;
  if (before && same(a.write, before.write) && same(a.apply, before.apply) && a.write.fields.length > 0)
    return `${text}      (same actions)\n`;
  if (!same(a.write, a.apply))
    return `${text}      Write-Actions features:\n${printActions(a.write)}      Apply-Actions features:\n${printActions(a.apply)}`;
  return same(a.write, NO_ACTIONS)
    ? text
    : `${text}      Write-Actions and Apply-Actions features:\n${printActions(a.write)}`;
}

function printTables(tables: readonly Shown[]): string {
  let text = '';
  let ditto: readonly [number, number] | undefined;
  const flush = (): void => {
    if (ditto !== undefined)
      text += `\n  ${ditto[0] === ditto[1] ? `table ${ditto[0]}` : `tables ${ditto[0]}...${ditto[1]}`}: ditto\n`;
    ditto = undefined;
  };
  tables.forEach((t, i) => {
    const before = tables[i - 1];
    const sameStats = t.stats === '' || t.stats === before?.stats;
    const features = before !== undefined && sameFeatures(t, before);
    if (sameStats && features && t.name === '') {
      ditto = [ditto?.[0] ?? t.table, t.table];
      return;
    }
    flush();
    text += `\n  table ${t.table}${t.name === '' ? '' : ` ("${t.name}")`}:`;
    if (sameStats && features) {
      text += ' ditto';
      return;
    }
    text += `\n${t.stats}`;
    const empty = t.lines.length === 0 && isEmpty(t.hit) && isEmpty(t.miss) && t.match.length === 0;
    if (features) {
      if (!empty) text += '    (same features)\n';
      return;
    }
    for (const line of t.lines) text += `${line}\n`;
    if (
      before &&
      sameAbilities(t.hit, t.table, before.hit, before.table) &&
      sameAbilities(t.miss, t.table, before.miss, before.table)
    ) {
      if (!isEmpty(t.hit)) text += '    (same instructions)\n';
    } else if (!sameAbilities(t.hit, t.table, t.miss, t.table))
      text += `    instructions (other than table miss):\n${printAbilities(t.hit, before?.hit)}    instructions (table miss):\n${printAbilities(t.miss, before?.miss)}`;
    else if (!isEmpty(t.hit))
      text += `    instructions (table miss and others):\n${printAbilities(t.hit, before?.hit)}`;
    if (t.match.length === 0) return;
    if (before && same(t.match, before.match)) {
      text += '    (same matching)\n';
      return;
    }
    text += '    matching:\n';
    for (const [title, wanted] of [
      ['arbitrary mask', (n: number) => t.mask.has(n)],
      ['exact match or wildcard', (n: number) => !t.mask.has(n) && t.wild.has(n)],
      ['must exact match', (n: number) => !t.mask.has(n) && !t.wild.has(n)],
    ] as const) {
      const fields = t.match.filter(wanted);
      if (fields.length > 0) text += `      ${title}: ${fieldNames(fields)}\n`;
    }
  });
  flush();
  return text;
}

const COMMANDS = ['replace', 'modify', 'enable', 'disable'];
export const printTableFeatures = (tables: readonly TableFeatures[], version: WireVersion): string => {
  const command = version === 6 ? (tables[0]?.command ?? 0) : 0;
  return `${command === 0 ? '' : `\n  command: ${COMMANDS[command] ?? command}`}${printTables(tables.map((t) => shownFeatures(t, version)))}`;
};
export const printTableStats = (tables: readonly TableStats[]): string => printTables(tables.map(shownStats));
