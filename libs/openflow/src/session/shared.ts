import {
  ByteWriter,
  type FlowMod,
  type GroupMod,
  type Message,
  OpenFlowEncodeError,
  VERSIONS,
  type Version,
  writeMessage,
} from '../codec/index.js';

/** Bundle flags: atomic (1) and ordered (2). */
export const BUNDLE_FLAGS = 3;
const MAX_MESSAGE_BYTES = 65535;
/** One socket write carries about this much of a bundle. */
const CHUNK_BYTES = 64 * 1024;
const XID_OFFSET = 4;
const OFPT_EXPERIMENTER = 4;
const OFPT_BUNDLE_ADD_MESSAGE = 34;
const ONF_EXPERIMENTER = 0x4f4e4600;
const ONFT_BUNDLE_ADD_MESSAGE = 2301;

/** A message that the encoder could not say in the session's version. */
export interface EncodeFailure {
  /** Place in the list. */
  readonly index: number;
  readonly error: OpenFlowEncodeError;
}

/** Several messages of a list, one behind the other, each as the add message of a bundle with no ids in it yet. */
export interface AddChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each add message begins. */
  readonly starts: readonly number[];
  /** Place of the first message in the list. */
  readonly first: number;
}

/**
 * Bytes in front of a message in a bundle.
 * ```
 * struct ofp14_bundle_add_msg { struct ofp_header; ovs_be32 bundle_id; ovs_be16 pad; ovs_be16 flags; message }
 * ```
 * In 1.3 it is an experimenter message: `ovs_be32 experimenter (ONF); ovs_be32 exp_type` follow the header.
 */
const wrapperBytes = (version: Version): number => (version === 'OF1.3' ? 24 : 16);

function writeAdd(w: ByteWriter, message: Message, version: Version): void {
  const wrapper = wrapperBytes(version);
  const start = w.skip(wrapper);
  try {
    writeMessage(w, message, { version, xid: 0 });
    const size = w.length - start;
    if (size > MAX_MESSAGE_BYTES)
      throw new OpenFlowEncodeError(message.kind, `${size - wrapper} bytes do not fit into a bundle message`);
    w.setU8(start, VERSIONS[version]);
    w.setU8(start + 1, version === 'OF1.3' ? OFPT_EXPERIMENTER : OFPT_BUNDLE_ADD_MESSAGE);
    w.setU16(start + 2, size);
    if (version === 'OF1.3') {
      w.setU32(start + 8, ONF_EXPERIMENTER);
      w.setU32(start + 12, ONFT_BUNDLE_ADD_MESSAGE);
    }
    w.setU16(start + wrapper - 2, BUNDLE_FLAGS);
  } catch (error) {
    w.truncate(start);
    throw error;
  }
}

/** Empty between two chunks, so that all lists can have the same: one of this size costs more than most lists. */
const scratch = new ByteWriter(CHUNK_BYTES * 2);

/** Encodes a list piece by piece, so that a peer can work on one piece while the next is made. */
export function* encodeAdds(
  messages: readonly Message[],
  version: Version,
  failures: EncodeFailure[],
): Generator<AddChunk> {
  const w = scratch;
  for (let at = 0; at < messages.length; ) {
    w.truncate(0);
    const first = at;
    const starts: number[] = [];
    for (; at < messages.length && w.length < CHUNK_BYTES; at++) {
      const start = w.length;
      try {
        writeAdd(w, messages[at] as Message, version);
        starts.push(start);
      } catch (error) {
        if (!(error instanceof OpenFlowEncodeError)) throw error;
        failures.push({ index: at, error });
      }
    }
    const bytes = w.copy();
    w.truncate(0);
    yield { bytes, starts, first };
  }
}

/** Puts the ids in; the message at place i of the list gets the xid `firstXid + i`, inside and outside. */
export function patchIds(chunk: AddChunk, version: Version, bundleId: number, firstXid: number): void {
  const { bytes, starts, first } = chunk;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const wrapper = wrapperBytes(version);
  for (let i = 0; i < starts.length; i++) {
    const at = starts[i] as number;
    const xid = firstXid + first + i;
    view.setUint32(at + XID_OFFSET, xid);
    view.setUint32(at + wrapper - 8, bundleId);
    view.setUint32(at + wrapper + XID_OFFSET, xid);
  }
}

/** What has been encoded of a list in one version. */
interface EncodedList {
  readonly chunks: readonly AddChunk[];
  readonly failures: readonly EncodeFailure[];
}

/**
 * Messages that are encoded once for each version and go to any number of sessions: each session gets a copy of the bytes in which
 * only transaction ids and the bundle's id differ. Made by `encodeShared`.
 */
export class SharedMessages<M extends Message = Message> {
  readonly #encoded = new Map<Version, EncodedList>();

  constructor(readonly messages: readonly M[]) {}

  /** The chunks of a bundle, to be copied before ids are put in; made when a version is wanted first. */
  encoded(version: Version): EncodedList {
    let list = this.#encoded.get(version);
    if (list === undefined) {
      const failures: EncodeFailure[] = [];
      list = { chunks: [...encodeAdds(this.messages, version, failures)], failures };
      this.#encoded.set(version, list);
    }
    return list;
  }

  /** All messages without a bundle around them, under consecutive xids. @throws OpenFlowEncodeError for the first that cannot be said */
  plain(version: Version, firstXid: number): Uint8Array<ArrayBuffer> {
    const { chunks, failures } = this.encoded(version);
    if (failures[0] !== undefined) throw failures[0].error;
    const wrapper = wrapperBytes(version);
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const { bytes, starts } of chunks)
      starts.forEach((start, i) => {
        const part = bytes.subarray(start + wrapper, starts[i + 1] ?? bytes.length);
        parts.push(part);
        size += part.length;
      });
    const out = new Uint8Array(size);
    const view = new DataView(out.buffer);
    let at = 0;
    parts.forEach((part, i) => {
      out.set(part, at);
      view.setUint32(at + XID_OFFSET, firstXid + i);
      at += part.length;
    });
    return out;
  }
}

/**
 * Prepares a message, or the messages of a bundle, for many sessions: `session.apply(shared)`, `session.send(shared)`.
 * Encoding happens when a session of a version needs it first, or now for the versions that are named.
 */
export function encodeShared<M extends Message>(
  messages: M | readonly M[],
  versions: readonly Version[] = [],
): SharedMessages<M> {
  const shared = new SharedMessages<M>(Array.isArray(messages) ? (messages as readonly M[]) : [messages as M]);
  for (const version of versions) shared.encoded(version);
  return shared;
}

/** A modification that a bundle can hold. */
export type Mod = FlowMod | GroupMod;
