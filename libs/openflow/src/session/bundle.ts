import type { BundleControlType, Message, OpenFlowEncodeError, Version } from '../codec/index.js';
import { OpenFlowPeerError, OpenFlowProtocolError } from './errors.js';
import type { Incoming } from './multipart.js';
import { BUNDLE_FLAGS, type EncodeFailure, encodeAdds, type Mod, patchIds, SharedMessages } from './shared.js';
import type { XidTable } from './xids.js';

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
  /** Messages written during the call leave together. */
  together(write: () => void): void;
  /** Sends under this xid; the answer, or a rejection with OpenFlowPeerError. */
  call(message: Message, xid: number): Promise<Message>;
}

/** What decides whether a bundle that is filled is committed. */
export interface BundleGate {
  /** Nobody waits for the outcome any more: nothing is committed from then on. */
  readonly isAbandoned: () => boolean;
  /** As `ApplyOptions.commitAfter`. */
  readonly commitAfter?: Promise<unknown> | undefined;
}

/** Chunks that are sent before the other sessions of this process get a turn: encoding one takes a millisecond or two. */
const CHUNKS_PER_TURN = 4;

/** The chunks of a bundle with all ids in them, made one by one. */
function* chunksOf(
  mods: readonly Mod[] | SharedMessages<Mod>,
  version: Version,
  bundleId: number,
  firstXid: number,
  failures: RejectedMod[],
): Generator<Uint8Array> {
  if (!(mods instanceof SharedMessages)) {
    for (const chunk of encodeAdds(mods, version, failures as EncodeFailure[])) {
      patchIds(chunk, version, bundleId, firstXid);
      yield chunk.bytes;
    }
    return;
  }
  const { chunks, failures: known } = mods.encoded(version);
  failures.push(...known);
  for (const { bytes, ...rest } of chunks) {
    const chunk = { ...rest, bytes: bytes.slice() };
    patchIds(chunk, version, bundleId, firstXid);
    yield chunk.bytes;
  }
}

/**
 * Applies all mods in their order as one bundle, or none of them.
 *
 * Open vSwitch commits a bundle even if some of its messages were refused while they were being added. So a barrier
 * follows the adds, and the bundle is discarded if any error came for one of them. Of a single message nothing is left then,
 * so its commit need not wait.
 * @throws OpenFlowClosedError, OpenFlowProtocolError; whether the bundle is in force is unknown then
 * @throws what `commitAfter` rejects with; the bundle is not in force then
 */
export async function applyBundle(
  channel: BundleChannel,
  bundleId: number,
  given: readonly Mod[] | SharedMessages<Mod>,
  { isAbandoned, commitAfter }: BundleGate,
): Promise<ApplyResult> {
  // It may reject before it is awaited.
  commitAfter?.catch(() => undefined);
  const mods = given instanceof SharedMessages ? given.messages : given;
  if (mods.length === 0) return { kind: 'committed' };
  const { version, xids } = channel;
  const errors: RejectedMod[] = [];
  // One more than there are messages: the first is that of the open.
  const openXid = xids.allocateRange(mods.length + 1);
  // An error for the open after its reply says that the switch has dropped the bundle (OFPBFC_TIMEOUT).
  const unwatch = xids.watch(openXid, mods.length + 1, (offset, { message }) => {
    if (message.kind !== 'error') return;
    const index = offset === 0 ? undefined : offset - 1;
    const requestKind = index === undefined ? 'bundle' : (mods[index]?.kind ?? 'bundle_add');
    errors.push({ index, error: new OpenFlowPeerError(message, requestKind) });
  });
  const control = async (type: BundleControlType, answer: BundleControlType, xid: number): Promise<void> => {
    const reply = await channel.call({ kind: 'bundle_control', bundleId, type, flags: BUNDLE_FLAGS }, xid);
    if (reply.kind !== 'bundle_control' || reply.type !== answer)
      throw new OpenFlowProtocolError(`a ${reply.kind} answers a bundle ${type}`);
  };
  try {
    const chunks = chunksOf(given, version, bundleId, openXid + 1, errors);
    // The switch works on one chunk while the next is encoded. What cannot be said at the very beginning opens no bundle.
    let chunk = chunks.next();
    if (errors.length > 0) {
      while (!chunk.done) chunk = chunks.next();
      return { kind: 'rejected', errors };
    }
    // Not awaited one by one: the round trips of open, adds and barrier are one. If a write fails, nobody awaits the rest.
    const pending: Promise<unknown>[] = [];
    const post = (promise: Promise<unknown>) => {
      promise.catch(() => undefined);
      pending.push(promise);
    };
    const barrier = () => post(channel.call({ kind: 'barrier_request' }, xids.allocate()));
    const failed: RejectedMod[] = [];
    const commit = () => control('commit_request', 'commit_reply', xids.allocate()).catch(asRejection(failed));
    const isAtOnce = mods.length === 1 && commitAfter === undefined;
    channel.together(() => {
      post(control('open_request', 'open_reply', openXid).catch(asRejection(errors)));
      if (!chunk.done) post(channel.write(chunk.value));
      chunk = chunks.next();
      if (isAtOnce) post(commit());
      else if (chunk.done) barrier();
    });
    if (!chunk.done) {
      for (let sent = 2; !chunk.done; sent++) {
        // After an error the rest is only encoded, to name all that cannot be said.
        if (errors.length === 0) await channel.write(chunk.value);
        if (isAbandoned()) return { kind: 'rejected', errors };
        if (sent % CHUNKS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
        chunk = chunks.next();
      }
      barrier();
    }
    await Promise.all(pending);
    if (isAtOnce) return outcome(errors, failed);
    const discard = () => control('discard_request', 'discard_reply', xids.allocate()).catch(ignorePeerError);
    if (errors.length > 0) {
      await discard();
      return { kind: 'rejected', errors };
    }
    if (commitAfter !== undefined) {
      try {
        await commitAfter;
      } catch (reason) {
        await discard();
        throw reason;
      }
      if (isAbandoned()) return { kind: 'rejected', errors };
    }
    await commit();
    return outcome(failed.length > 0 ? errors : [], failed);
  } finally {
    unwatch();
  }
}

/** The error of the message at fault comes first, under its own xid; that of the commit says only that it failed. */
function outcome(errors: readonly RejectedMod[], failed: readonly RejectedMod[]): ApplyResult {
  if (errors.length > 0) return { kind: 'rejected', errors };
  return failed.length > 0 ? { kind: 'rejected', errors: failed } : { kind: 'committed' };
}

const asRejection = (errors: RejectedMod[]) => (error: unknown) => {
  if (!(error instanceof OpenFlowPeerError)) throw error;
  errors.push({ index: undefined, error });
};

/** A bundle that the switch has already forgotten needs no discarding. */
const ignorePeerError = (error: unknown) => {
  if (!(error instanceof OpenFlowPeerError)) throw error;
};
