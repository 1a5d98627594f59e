import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACTION_CODEC } from './actions/codec.js';
import { readInstructions, writeInstructions } from './actions/instructions.js';
import {
  type Action,
  decodeMessage,
  encodeMessage,
  formatActions,
  formatFlow,
  formatMessage,
  type Instruction,
  OpenFlowDecodeError,
  parseFlow,
  parseGroup,
  sameFlow,
  VERSIONS,
  type Version,
  type WireVersion,
} from './index.js';
import { ByteReader } from './wire/reader.js';
import { ByteWriter } from './wire/writer.js';

// Vectors taken from Open vSwitch's own tests; they stand beside the repository where they are present.
const DIR = join(import.meta.dirname, '../../../../../shared/openflow/vectors');
const FAILURES = join(import.meta.dirname, '../../known-failures.txt');

interface Vector {
  readonly hex: string;
  readonly canonical_hex?: string;
  readonly text?: string;
  readonly error?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly input?: string;
  readonly verified_ovs_3_1_0?: boolean;
}

const present = existsSync(DIR);
const known = new Map(
  readFileSync(FAILURES, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.split(' ')[0] as string, line]),
);
const load = (pattern: RegExp): Vector[] =>
  readdirSync(DIR)
    .filter((file) => pattern.test(file))
    .sort()
    .flatMap(
      (file) => Object.values(JSON.parse(readFileSync(join(DIR, file), 'utf8'))).find(Array.isArray) as Vector[],
    );

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ours = (v: Vector): boolean => /^0[456]([0-9a-f]{2})+$/.test(v.hex ?? '') && v.hex.length >= 16;

/** Each vector that fails and is not listed, and each that is listed and does not fail: both lists must be empty. */
function unexpected(kind: string, vectors: readonly Vector[], outcome: (v: Vector) => string | undefined): string[] {
  const out: string[] = [];
  for (const v of vectors) {
    const id = `${kind}:${v.hex}`;
    const failure = outcome(v);
    if (failure !== undefined && !known.has(id)) out.push(`${id} ${failure}`);
    if (failure === undefined && known.has(id)) out.push(`${id} is listed in known-failures.txt but does not fail`);
  }
  return out;
}

if (!present) console.log('skipped: the vectors of Open vSwitch are not present');

describe.skipIf(!present)('vectors of Open vSwitch', () => {
  it('decodes and encodes messages to the same bytes', () => {
    const vectors = load(/^(generated|ofp-print|ofp-errors|ryu)/).filter(ours);
    expect(vectors.length).toBeGreaterThan(2000);
    const bad = unexpected('bytes', vectors, (v) => {
      try {
        const decoded = decodeMessage(bytesOf(v.hex));
        const again = hexOf(encodeMessage(decoded.message, decoded));
        return again === v.hex || again === v.canonical_hex ? undefined : `became ${again}`;
      } catch (error) {
        if (!(error instanceof OpenFlowDecodeError)) return `threw ${error}`;
        // What Open vSwitch refuses, we may refuse.
        return v.error !== undefined || v.text?.includes('decode error') ? undefined : error.message;
      }
    });
    expect(bad).toEqual([]);
  });

  it('prints modifications as ofp-print does', () => {
    const vectors = load(/^generated/).filter(
      (v) => ours(v) && v.error === undefined && v.verified_ovs_3_1_0 !== false,
    );
    expect(vectors.length).toBeGreaterThan(2000);
    const bad = unexpected('print', vectors, (v) => {
      const text = formatMessage(decodeMessage(bytesOf(v.hex))).trimEnd();
      return text === v.text?.trimEnd() ? undefined : `printed ${text}`;
    });
    expect(bad).toEqual([]);
  });

  it('prints other messages as ofp-print does', () => {
    const vectors = load(/^ofp-(print|errors)/).filter(
      (v) =>
        ours(v) &&
        v.error === undefined &&
        v.text !== undefined &&
        !v.text.includes('decode error') &&
        // Some say no more than the name of an error.
        v.text.includes('(xid='),
    );
    expect(vectors.length).toBeGreaterThan(40);
    const bad = unexpected('ofp-print', vectors, (v) => {
      const text = formatMessage(decodeMessage(bytesOf(v.hex))).trimEnd();
      return text === v.text?.trimEnd() ? undefined : `printed ${text}`;
    });
    expect(bad).toEqual([]);
  });

  it('reads the texts that ovs-ofctl reads, and means the same', () => {
    const vectors = load(/^generated/).filter((v) => v.kind === 'flow_mod' && v.error === undefined);
    expect(vectors.length).toBeGreaterThan(2000);
    const bad = unexpected('parse', vectors, (v) => {
      const theirs = decodeMessage(bytesOf(v.hex)).message;
      try {
        const flow = parseFlow(v.input as string);
        if (theirs.kind !== 'flow_mod' || !sameFlow(flow, theirs)) return `read as ${formatFlow(flow)}`;
        // What we print of it, we read again.
        return sameFlow(parseFlow(formatFlow(flow)), flow) ? undefined : `printed as ${formatFlow(flow)}`;
      } catch (error) {
        return String(error);
      }
    });
    expect(bad).toEqual([]);
  });

  it('reads the texts of groups that ovs-ofctl reads', () => {
    const vectors = load(/^generated-mods-of15/).filter((v) => v.kind === 'group_mod' && v.error === undefined);
    expect(vectors.length).toBeGreaterThan(15);
    const bad = unexpected('parse', vectors, (v) => {
      const again = hexOf(encodeMessage(parseGroup(v.input as string), { version: 'OF1.5', xid: 0 }));
      return again === v.hex ? undefined : `became ${again}`;
    });
    expect(bad).toEqual([]);
  });

  it.each([
    ['action', (r: ByteReader, version: WireVersion) => ACTION_CODEC[version].readActions(r)],
    ['instruction', readInstructions],
  ] as const)('decodes, encodes and prints single %ss', (kind, read) => {
    const vectors = load(/^(derived-)?ofp-actions-of1[345]/).filter((v) => v.kind === kind);
    expect(vectors.length).toBeGreaterThan(kind === 'action' ? 100 : 20);
    const bad = unexpected(kind, vectors, (v) => {
      const version = VERSIONS[v.version as Version];
      let list: (Action | Instruction)[];
      try {
        list = read(new ByteReader(bytesOf(v.hex)), version);
      } catch (error) {
        return error instanceof OpenFlowDecodeError && v.error !== undefined ? undefined : String(error);
      }
      if (v.error !== undefined) return undefined;
      const w = new ByteWriter();
      if (kind === 'action') ACTION_CODEC[version].writeActions(w, list as Action[]);
      else writeInstructions(w, list as Instruction[], version);
      const again = hexOf(w.copy());
      if (again !== v.hex && again !== v.canonical_hex) return `became ${again}`;
      const text = `actions=${formatActions(list)}`;
      return text === v.text || v.error !== undefined ? undefined : `printed ${text}, not ${v.text}`;
    });
    expect(bad).toEqual([]);
  });
});
