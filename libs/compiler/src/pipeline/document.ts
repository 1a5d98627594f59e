import { FEATURES } from '../model/output.js';
import { CT_LABEL, CT_MARK, CT_ZONES } from './constants.js';
import { COOKIE_OWNER, PIPELINE_GENERATION } from './cookie.js';
import { METERS } from './meters.js';
import { REGISTERS } from './registers.js';
import { PIPELINE, type TableSpec } from './tables.js';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const miss = (t: TableSpec): string => (t.miss === 'drop' ? 'drop' : `to ${t.miss.next}`);
const bits = (r: { readonly lsb: number; readonly msb: number }): string =>
  r.lsb === r.msb ? `${r.lsb}` : `${r.lsb}..${r.msb}`;

/** The maps of PIPELINE.md as Markdown, by name. They are made from the tables that flows are checked against. */
export function pipelineMaps(): Readonly<Record<string, string>> {
  return {
    tables: table(
      ['Number', 'Table', 'Goes on to', 'Miss'],
      PIPELINE.map((t) => [String(t.id), t.name, t.next.join(', ') || '-', miss(t)]),
    ),
    registers: table(
      ['Name', 'Bits', 'From', 'Until', 'Meaning'],
      Object.entries(REGISTERS).map(([name, r]) => [name, `${r.field}[${bits(r)}]`, r.from, r.until, r.doc]),
    ),
    marks: table(
      ['Name', 'Bits', 'Meaning'],
      [
        ...Object.entries(CT_MARK).map(([name, m]) => [name, `ct_mark[${m.bit}]`, m.doc]),
        ...Object.entries(CT_LABEL).map(([name, l]) => [name, `ct_label[${bits(l)}]`, l.doc]),
      ],
    ),
    zones: table(
      ['Zones', 'Meaning'],
      Object.values(CT_ZONES).map((z) => [`${z.first}..${z.last}`, z.doc]),
    ),
    meters: table(
      ['Meter', 'Packets a second', 'At once', 'Meaning'],
      Object.values(METERS).map((m) => [String(m.id), String(m.rate), String(m.burst), m.doc]),
    ),
    cookies: table(
      ['Bits', 'Meaning'],
      [
        ['56..63', `owner, always 0x${COOKIE_OWNER.toString(16)}`],
        [
          '48..55',
          `feature: ${Object.entries(FEATURES)
            .map(([name, n]) => `${n} ${name}`)
            .join(', ')}`,
        ],
        ['32..47', `generation of the pipeline's meaning, now ${PIPELINE_GENERATION}`],
        ['0..31', 'object: the recorded number of what the flow is there for'],
      ],
    ),
  };
}

/** What a table may match and write, for its section. */
export const tableContract = (t: TableSpec): string =>
  `Matches ${t.matches.join(', ') || 'nothing'}. Writes ${t.writes.join(', ') || 'nothing'}.${t.outputs ? ' May send packets out.' : ''}${t.tells ? ' May send copies to the controller.' : ''}`;
