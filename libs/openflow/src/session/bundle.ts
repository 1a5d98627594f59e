import {
  BUNDLE_FLAG,
  type BundleControlType,
  encodeMessage,
  type FlowMod,
  type GroupMod,
  type Message,
  OpenFlowEncodeError,
  VERSIONS,
  type Version,
} from '../codec/index.js';
import { OpenFlowPeerError, OpenFlowProtocolError } from './errors.js';
import type { Incoming } from './multipart.js';
import type { XidTable } from './xids.js';

export type Mod = FlowMod | GroupMod;

/** A message of a bundle that the switch refused, or that could not be said in the session's version. */
export interface RejectedMod {
  /** Place in the list given to `apply`; `undefined` if the switch refused the bundle and named no message. */
  readonly index: number | undefined;
  readonly error: OpenFlowPeerError | OpenFlowEncodeError;
}

/** Either all of the mods are in force, or none. */
export type ApplyResult =
  | { readonly kind: 'committed' }
  | { readonly kind: 'rejected'; readonly errors: readonly RejectedMod[] };

/** What applying a bundle needs of a session. */
export interface BundleChannel {
  readonly version: Version;
  readonly xids: XidTable<Incoming>;
  write(bytes: Uint8Array): Promise<void>;
  /** Sends under this xid; the answer, or a rejection with OpenFlowPeerError. */
  call(message: Message, xid: number): Promise<Message>;
}

const FLAGS = BUNDLE_FLAG.ATOMIC | BUNDLE_FLAG.ORDERED;
const MAX_MESSAGE_BYTES = 65535;
/** One socket write carries about this much of a bundle. */
const CHUNK_BYTES = 64 * 1024;
const XID_OFFSET = 4;
const ENCODED_PER_TURN = 1000;

const encodedOf = new WeakMap<Mod, Map<Version, Uint8Array>>();

/** The same object is encoded once a version, however many switches it goes to. The xid in it is zero. */
function encodeOnce(mod: Mod, version: Version): Uint8Array {
  const known = encodedOf.get(mod)?.get(version);
  if (known !== undefined) return known;
  const bytes = encodeMessage(mod, { version, xid: 0 });
  const versions = encodedOf.get(mod) ?? new Map<Version, Uint8Array>();
  encodedOf.set(mod, versions.set(version, bytes));
  return bytes;
}

/**
 * Bytes in front of a message in a bundle.
 * ```
 * struct ofp14_bundle_add_msg { struct ofp_header; ovs_be32 bundle_id; ovs_be16 pad; ovs_be16 flags; message }
 * ```
 * In 1.3 it is an experimenter message: `ovs_be32 experimenter (ONF); ovs_be32 exp_type` follow the header.
 */
function wrapperBytes(version: Version): number {
  return version === 'OF1.3' ? 24 : 16;
}
const OFPT_EXPERIMENTER = 4;
const OFPT_BUNDLE_ADD_MESSAGE = 34;
const ONF_EXPERIMENTER = 0x4f4e4600;
const ONFT_BUNDLE_ADD_MESSAGE = 2301;

function writeAdd(
  to: Uint8Array,
  at: number,
  version: Version,
  bundleId: number,
  xid: number,
  inner: Uint8Array,
): void {
  const view = new DataView(to.buffer, to.byteOffset + at);
  const wrapper = wrapperBytes(version);
  view.setUint8(0, VERSIONS[version]);
  view.setUint8(1, version === 'OF1.3' ? OFPT_EXPERIMENTER : OFPT_BUNDLE_ADD_MESSAGE);
  view.setUint16(2, wrapper + inner.length);
  view.setUint32(XID_OFFSET, xid);
  if (version === 'OF1.3') {
    view.setUint32(8, ONF_EXPERIMENTER);
    view.setUint32(12, ONFT_BUNDLE_ADD_MESSAGE);
  }
  view.setUint32(wrapper - 8, bundleId);
  view.setUint16(wrapper - 2, FLAGS);
  to.set(inner, at + wrapper);
  view.setUint32(wrapper + XID_OFFSET, xid);
}

/** All add messages, several to a chunk; the message at `index` has the xid `firstXid + index`. */
function* addChunks(version: Version, bundleId: number, firstXid: number, encoded: readonly Uint8Array[]) {
  const wrapper = wrapperBytes(version);
  for (let from = 0; from < encoded.length; ) {
    let to = from;
    let size = 0;
    for (
      let next = encoded[to];
      next !== undefined && (to === from || size + wrapper + next.length <= CHUNK_BYTES);
      next = encoded[to]
    ) {
      size += wrapper + next.length;
      to++;
    }
    const chunk = new Uint8Array(size);
    let at = 0;
    for (; from < to; from++) {
      const inner = encoded[from] as Uint8Array;
      writeAdd(chunk, at, version, bundleId, firstXid + from, inner);
      at += wrapper + inner.length;
    }
    yield chunk;
  }
}

/** Encodes everything before the bundle is opened: Open vSwitch drops a bundle that nothing is added to for 10 s. */
async function encodeAll(
  mods: readonly Mod[],
  version: Version,
): Promise<{ encoded: Uint8Array[]; errors: RejectedMod[] }> {
  const encoded: Uint8Array[] = [];
  const errors: RejectedMod[] = [];
  for (const [index, mod] of mods.entries()) {
    // A long list must not hold up the other sessions of this process.
    if (index % ENCODED_PER_TURN === ENCODED_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    try {
      const bytes = encodeOnce(mod, version);
      if (bytes.length + wrapperBytes(version) > MAX_MESSAGE_BYTES)
        throw new OpenFlowEncodeError(mod.kind, `${bytes.length} bytes do not fit into a bundle message`);
      encoded.push(bytes);
    } catch (error) {
      if (!(error instanceof OpenFlowEncodeError)) throw error;
      errors.push({ index, error });
    }
  }
  return { encoded, errors };
}

/**
 * Applies all mods in their order as one bundle, or none of them.
 *
 * Open vSwitch commits a bundle even if some of its messages were refused while they were being added. So a barrier
 * follows the adds, and the bundle is discarded if any error came for one of them.
 * @throws OpenFlowClosedError, OpenFlowProtocolError; whether the bundle is in force is unknown then
 */
export async function applyBundle(
  channel: BundleChannel,
  bundleId: number,
  mods: readonly Mod[],
  isAbandoned: () => boolean,
): Promise<ApplyResult> {
  if (mods.length === 0) return { kind: 'committed' };
  const { version, xids } = channel;
  const { encoded, errors } = await encodeAll(mods, version);
  if (errors.length > 0) return { kind: 'rejected', errors };

  const openXid = xids.allocateRange(mods.length + 1);
  // An error for the open after its reply says that the switch has dropped the bundle (OFPBFC_TIMEOUT).
  const unwatch = xids.watch(openXid, mods.length + 1, (offset, { message }) => {
    if (message.kind !== 'error') return;
    const index = offset === 0 ? undefined : offset - 1;
    const requestKind = index === undefined ? 'bundle' : (mods[index]?.kind ?? 'bundle_add');
    errors.push({ index, error: new OpenFlowPeerError(message, requestKind) });
  });
  const control = async (type: BundleControlType, answer: BundleControlType, xid: number): Promise<void> => {
    const reply = await channel.call({ kind: 'bundle_control', bundleId, type, flags: FLAGS }, xid);
    if (reply.kind !== 'bundle_control' || reply.type !== answer)
      throw new OpenFlowProtocolError(`a ${reply.kind} answers a bundle ${type}`);
  };
  try {
    // Not awaited one by one: the round trips of open, adds and barrier are one.
    const opened = control('open_request', 'open_reply', openXid).catch(asRejection(errors));
    // If a write fails below, nobody awaits it any more.
    opened.catch(() => undefined);
    for (const chunk of addChunks(version, bundleId, openXid + 1, encoded)) {
      await channel.write(chunk);
      if (isAbandoned()) return { kind: 'rejected', errors };
    }
    await Promise.all([opened, channel.call({ kind: 'barrier_request' }, xids.allocate())]);
    if (errors.length > 0) {
      await control('discard_request', 'discard_reply', xids.allocate()).catch(ignorePeerError);
      return { kind: 'rejected', errors };
    }
    const failed: RejectedMod[] = [];
    await control('commit_request', 'commit_reply', xids.allocate()).catch(asRejection(failed));
    // The error of the message at fault comes first, under its own xid; that of the commit says only that it failed.
    if (failed.length > 0) return { kind: 'rejected', errors: errors.length > 0 ? errors : failed };
    return { kind: 'committed' };
  } finally {
    unwatch();
  }
}

const asRejection = (errors: RejectedMod[]) => (error: unknown) => {
  if (!(error instanceof OpenFlowPeerError)) throw error;
  errors.push({ index: undefined, error });
};

/** A bundle that the switch has already forgotten needs no discarding. */
const ignorePeerError = (error: unknown) => {
  if (!(error instanceof OpenFlowPeerError)) throw error;
};
