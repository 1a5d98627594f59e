import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fieldOfHeader } from './fields/info.js';
import { decodeActions, OpenFlowDecodeError, VERSIONS, type Version, type WireVersion } from './index.js';
import { MULTIPART_INDEX } from './messages/multipart.js';
import { MESSAGE_INDEX } from './messages/table.js';

// Numbers that Open vSwitch gives to fields, actions and messages; they stand beside the repository where they are present.
const DIR = join(import.meta.dirname, '../../../../../shared/openflow/facts');
const present = existsSync(DIR);
if (!present) console.log('skipped: the facts of Open vSwitch are not present');

const read = <T>(file: string, key: string): T[] => JSON.parse(readFileSync(join(DIR, file), 'utf8'))[key];

interface CodePoint {
  readonly name: string;
  readonly header: string;
}
interface Field {
  readonly name: string;
  readonly n_bytes: number;
  readonly maskable: boolean;
  readonly writable: boolean;
  readonly variable_length: boolean;
  readonly nxm: readonly CodePoint[];
  readonly oxm: readonly CodePoint[];
}
interface RawAction {
  readonly name: string;
  readonly code_points: readonly { vendor: string; experimenter: string; versions: readonly string[]; type: number }[];
}
interface RawMessage {
  readonly raw: string;
  readonly kind: 'OFPT' | 'NXT' | 'ONFT' | 'OFPST' | 'NXST' | 'ONFST';
  readonly versions: readonly string[];
  readonly number: number;
}

const SET_FIELD = 25;
/** Whether an action is known: a list of it decodes to something, or is refused for what is in it. */
function isKnown(version: Version, experimenter: number, type: number): boolean {
  for (let length = 8; length <= 64; length += 8) {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, experimenter === 0 ? type : 0xffff);
    view.setUint16(2, length);
    if (experimenter !== 0) {
      view.setUint32(4, experimenter);
      if (length >= 16) view.setUint16(8, type);
    }
    // A set_field needs a field: OXM_OF_ETH_TYPE.
    if (experimenter === 0 && type === SET_FIELD) view.setUint32(4, 0x80000a02);
    try {
      if (decodeActions(bytes, version).every((a) => a.kind !== 'unknown')) return true;
    } catch (error) {
      if (error instanceof OpenFlowDecodeError && /want \d+/.test(error.reason)) return true;
    }
  }
  return false;
}

const ours = (versions: readonly string[]): Version[] =>
  (Object.keys(VERSIONS) as Version[]).filter((v) => versions.includes('all') || versions.includes(v.slice(2)));

const VENDORS: Readonly<Record<string, number>> = { OF: 0, NX: 0x2320, ONF: 0x4f4e4600 };
const FAMILIES = { OFPT: 0, OFPST: 0, NXT: 0x2320, NXST: 0x2320, ONFT: 0x4f4e4600, ONFST: 0x4f4e4600 } as const;

describe.skipIf(!present)('facts of Open vSwitch', () => {
  it('has every code point of every field, of the same size and as maskable', () => {
    const fields = read<Field>('fields.json', 'fields');
    expect(fields.length).toBeGreaterThan(200);
    const missing: string[] = [];
    for (const field of fields)
      for (const point of [...field.nxm, ...field.oxm]) {
        // Eight bytes where an experimenter's number follows the header.
        const whole = BigInt(point.header);
        const wide = whole > 0xffff_ffffn;
        const info = fieldOfHeader(Number(wide ? whole >> 32n : whole), wide ? Number(whole & 0xffff_ffffn) : 0);
        if (info === undefined) missing.push(`${point.name}: absent`);
        else if (info.bytes !== field.n_bytes) missing.push(`${point.name}: ${info.bytes} bytes, not ${field.n_bytes}`);
        else if ((info.spec.mask !== 'no') !== field.maskable) missing.push(`${point.name}: mask ${info.spec.mask}`);
        else if ((info.spec.access === 'rw') !== field.writable) missing.push(`${point.name}: ${info.spec.access}`);
      }
    expect(missing).toEqual([]);
  });

  it('has every action of 1.3, 1.4 and 1.5 and every extension', () => {
    const actions = read<RawAction>('actions.json', 'raw_actions');
    expect(actions.length).toBeGreaterThan(70);
    const missing = actions.flatMap((action) =>
      action.code_points.flatMap((point) =>
        ours(point.versions)
          .filter((version) => !isKnown(version, VENDORS[point.vendor] ?? Number(point.experimenter), point.type))
          .map((version) => `${action.name} in ${version}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('has every message of 1.3, 1.4 and 1.5', () => {
    const messages = read<RawMessage>('messages.json', 'messages');
    expect(messages.length).toBeGreaterThan(150);
    const missing = messages.flatMap((m) =>
      ours(m.versions)
        .filter((version) => {
          const wire: WireVersion = VERSIONS[version];
          const index = m.kind.endsWith('ST') ? MULTIPART_INDEX : MESSAGE_INDEX;
          return index.get(wire, FAMILIES[m.kind], m.number) === undefined;
        })
        .map((version) => `${m.raw} in ${version}`),
    );
    expect(missing).toEqual([]);
  });
});
