import { OpenFlowDecodeError, OpenFlowEncodeError } from '../errors.js';
import { VERSIONS, type Version, versionOfWire, type WireVersion } from '../version.js';
import { ByteReader } from '../wire/reader.js';
import { ByteWriter } from '../wire/writer.js';
import { idIn, type MessageContext, type MessageRow } from './row.js';
import { MESSAGE_INDEX, MESSAGE_ROWS } from './table.js';
import type { Message, MessageHeader } from './types.js';

// struct ofp_header { u8 version, type; u16 length; u32 xid }; experimenter messages (type 4) go on with { u32 experimenter, exp_type }
const HEADER_BYTES = 8;
const EXPERIMENTER = 4;

/** A decoded message with what its header said. */
export interface Decoded extends MessageHeader {
  readonly message: Message;
}

/**
 * Appends one message to a buffer: many messages in one buffer are cheaper than a buffer each.
 * After an error the buffer has its old length.
 */
export function writeMessage(w: ByteWriter, message: Message, options: MessageHeader): void {
  const start = w.length;
  try {
    write(w, message, contextOf(VERSIONS[options.version], options.xid));
  } catch (error) {
    w.truncate(start);
    throw error;
  }
}

function write(w: ByteWriter, message: Message, ctx: MessageContext): void {
  const start = w.skip(HEADER_BYTES);
  w.setU8(start, ctx.version);
  w.setU32(start + 4, ctx.xid);
  if (message.kind === 'unknown') {
    w.setU8(start + 1, message.type);
    w.raw(message.body);
  } else if (message.kind === 'experimenter') {
    w.setU8(start + 1, EXPERIMENTER);
    w.u32(message.experimenter);
    w.u32(message.type);
    w.raw(message.body);
  } else {
    const row = MESSAGE_ROWS[message.kind];
    if (row === undefined) throw new OpenFlowEncodeError('message', `no message is called ${message.kind}`);
    const id = idIn(row, ctx.version);
    if (id === undefined) throw new OpenFlowEncodeError(message.kind, `no such message in wire version ${ctx.version}`);
    if (id.experimenter === 0) w.setU8(start + 1, id.type);
    else {
      w.setU8(start + 1, EXPERIMENTER);
      w.u32(id.experimenter);
      w.u32(id.type);
    }
    row.write(w, message, ctx);
  }
  w.closeLength(start + 2, start, message.kind);
}

/** Reads one message that begins at `pos`; the caller has checked that its length fits. */
function read(r: ByteReader, ctx: MessageContext, type: number): Message {
  let row: MessageRow<Message> | undefined;
  if (type === EXPERIMENTER) {
    if (r.left < 8) return { kind: 'unknown', type, body: r.rest() };
    const experimenter = r.u32();
    const subtype = r.u32();
    row = MESSAGE_INDEX.get(ctx.version, experimenter, subtype);
    if (row === undefined) return { kind: 'experimenter', experimenter, type: subtype, body: r.rest() };
  } else row = MESSAGE_INDEX.get(ctx.version, 0, type);
  if (row === undefined) return { kind: 'unknown', type, body: r.rest() };
  return row.read(r, ctx);
}

function contextOf(version: WireVersion, xid: number): MessageContext {
  return { version, xid, writeMessage: writeInner, readMessage: readInner };
}
function writeInner(this: MessageContext, w: ByteWriter, message: Message): void {
  write(w, message, this);
}
/** A bundled message: its header must agree with the outer one's version. */
function readInner(this: MessageContext, r: ByteReader): Message {
  const start = r.pos;
  const version = r.u8();
  const type = r.u8();
  const length = r.u16();
  r.skip(4);
  if (version !== this.version) r.fail(`version ${version} inside a message of version ${this.version}`, start);
  if (length < HEADER_BYTES || length > r.end - start)
    r.fail(`message of ${length} bytes, ${r.end - start} left`, start);
  // One level: nothing that holds messages may be held.
  if (type === 34 || type === 33) r.fail('a bundle message inside a bundle message', start);
  const outer = r.end;
  r.end = start + length;
  const message = read(r, this, type);
  if (message.kind === 'bundle_add') r.fail('a bundle message inside a bundle message', start);
  r.pos = r.end;
  r.end = outer;
  return message;
}

/** Encoding never waits and never calls back, so one buffer serves all. */
const scratch = new ByteWriter();

/** Encodes one message. Throws `OpenFlowEncodeError` when the version cannot say it or it exceeds 65535 bytes. */
export function encodeMessage(
  message: Message,
  options: { readonly version: Version; readonly xid: number },
): Uint8Array<ArrayBuffer> {
  try {
    writeMessage(scratch, message, options);
    return scratch.copy();
  } finally {
    scratch.truncate(0);
  }
}

/** Decodes exactly one message. Throws `OpenFlowDecodeError` and nothing else. */
export function decodeMessage(bytes: Uint8Array): Decoded {
  const r = new ByteReader(bytes);
  if (bytes.length < HEADER_BYTES) r.fail(`${bytes.length} bytes, a header has ${HEADER_BYTES}`);
  const wire = r.u8();
  const type = r.u8();
  const length = r.u16();
  const xid = r.u32();
  if (length !== bytes.length) r.fail(`the header says ${length} bytes, there are ${bytes.length}`, 2);
  // Any version may say hello or refuse one: that is how versions are negotiated.
  const version =
    versionOfWire(wire) ?? (type <= 1 && wire > 0 ? 'OF1.3' : r.fail(`version ${wire} is not spoken here`, 0));
  try {
    return { version, xid, message: read(r, contextOf(VERSIONS[version], xid), type) };
  } catch (error) {
    if (error instanceof OpenFlowDecodeError) throw error;
    throw new OpenFlowDecodeError('message', r.pos, 'the decoder failed', { cause: error });
  }
}
