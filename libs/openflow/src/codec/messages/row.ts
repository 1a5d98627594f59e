import { VERSIONS, type WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import type { Message } from './types.js';

/** What a message's codec may need beside its own bytes. */
export interface MessageContext {
  readonly version: WireVersion;
  readonly xid: number;
  /** Whole messages, header included: what a bundle carries. */
  writeMessage(w: ByteWriter, message: Message): void;
  readMessage(r: ByteReader): Message;
}

/** Where a message stands on the wire: a type of the standard, or an experimenter's subtype in an experimenter message. */
export interface MessageId {
  readonly type: number;
  /** 0 for the standard's own. */
  readonly experimenter: number;
}

/** A row of the message table. Body means what follows the header (8 bytes, 16 for experimenters). */
export interface MessageRow<M> {
  readonly id: MessageId;
  /** Where 1.3 has it as an extension of ONF. */
  readonly id13?: MessageId;
  /** The versions that have it, where not all do. */
  readonly versions?: readonly WireVersion[];
  write(w: ByteWriter, message: M, ctx: MessageContext): void;
  read(r: ByteReader, ctx: MessageContext): M;
}

export const standard = (type: number): MessageId => ({ type, experimenter: 0 });
export const nicira = (type: number): MessageId => ({ type, experimenter: 0x2320 });
export const onf = (type: number): MessageId => ({ type, experimenter: 0x4f4e4600 });

/** An enumeration on the wire: names by number. Numbers without a name stay numbers. */
export interface Enumeration<T extends string> {
  nameOf(n: number): T | undefined;
  numberOf(value: T | number): number;
}
export function enumeration<const T extends string>(names: Readonly<Record<T, number>>): Enumeration<T> {
  const byNumber = new Map(Object.entries(names).map(([name, n]) => [n as number, name as T]));
  return { nameOf: (n) => byNumber.get(n), numberOf: (value) => (typeof value === 'number' ? value : names[value]) };
}

/** Where a row stands in a version; undefined in versions that do not have it. */
export function idIn(
  row: { readonly id: MessageId; readonly id13?: MessageId; readonly versions?: readonly WireVersion[] },
  version: WireVersion,
): MessageId | undefined {
  if (row.versions !== undefined && !row.versions.includes(version)) return undefined;
  return version === 4 && row.id13 !== undefined ? row.id13 : row.id;
}

/** Rows by where they stand on the wire, one index for each version. */
export class RowIndex<R extends { readonly id: MessageId; readonly id13?: MessageId }> {
  private readonly byVersion: Readonly<Record<WireVersion, Map<number, R>>> = {
    4: new Map(),
    5: new Map(),
    6: new Map(),
  };
  constructor(rows: Iterable<R & { readonly versions?: readonly WireVersion[] }>) {
    for (const row of rows)
      for (const version of Object.values(VERSIONS)) {
        const id = idIn(row, version);
        if (id !== undefined) this.byVersion[version].set(id.experimenter * 0x10000 + id.type, row);
      }
  }
  get(version: WireVersion, experimenter: number, type: number): R | undefined {
    return type > 0xffff ? undefined : this.byVersion[version].get(experimenter * 0x10000 + type);
  }
}
