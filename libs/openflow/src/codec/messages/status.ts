import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { ROLE } from './handshake.js';
import { element, type MultipartRow, noRequest } from './multipart-row.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { enumeration, type MessageRow, onf, standard } from './row.js';
import type { ControllerStatus } from './structures.js';
import type { MessageOf, RequestForward } from './types.js';

// What a switch says about other controllers.

// struct ofp_requestforward { header of the request; its body }, the whole message with its own xid
const requestForward: MessageRow<RequestForward> = {
  id: standard(32),
  id13: onf(2350),
  write: (w, m, ctx) => {
    const start = w.length;
    ctx.writeMessage(w, m.request);
    w.setU32(start + 4, m.requestXid);
  },
  read: (r, ctx) => {
    r.enter('request');
    r.need(8);
    const requestXid = r.peekU32(r.pos + 4);
    const request = ctx.readMessage(r);
    r.leave();
    if (r.left > 0) r.fail(`${r.left} bytes follow the request`);
    return { kind: 'request_forward', requestXid, request };
  },
};

const REASON = enumeration({
  request: 0,
  channel_status: 1,
  role: 2,
  controller_added: 3,
  controller_removed: 4,
  short_id: 5,
  experimenter: 6,
});
const CHANNEL = enumeration({ up: 0, down: 1 });
const URI = 0;

// struct ofp_controller_status { u16 length, short_id; u32 role; u8 reason, channel_status; pad[6]; properties }      OF1.5, 7.3.5.19
function writeStatus(w: ByteWriter, s: ControllerStatus): void {
  const start = w.skip(2);
  w.u16(s.shortId);
  w.u32(ROLE.numberOf(s.role));
  w.u8(REASON.numberOf(s.reason));
  w.u8(CHANNEL.numberOf(s.channelStatus));
  w.skip(6);
  const { uri } = s;
  if (uri !== undefined)
    writeProperty(w, URI, () => {
      for (let i = 0; i < uri.length; i++) w.u8(uri.charCodeAt(i));
    });
  writeKept(w, s.properties);
  w.closeLength(start, start, 'controller status');
}
function readStatus(r: ByteReader): ControllerStatus {
  const outer = element(r, 16);
  r.skip(2);
  const shortId = r.u16();
  const role = r.u32();
  const reason = r.u8();
  const channel = r.u8();
  r.skip(6);
  let uri: string | undefined;
  const properties = readProperties(r, (type) => {
    if (type !== URI) return false;
    uri = Array.from(r.rest(), (b) => String.fromCharCode(b)).join('');
    return true;
  });
  r.end = outer;
  return {
    shortId,
    role: ROLE.nameOf(role) ?? role,
    reason: REASON.nameOf(reason) ?? reason,
    channelStatus: CHANNEL.nameOf(channel) ?? channel,
    ...(uri !== undefined && { uri }),
    ...(properties && { properties }),
  };
}

export const STATUS_ROWS = {
  request_forward: requestForward,
  controller_status: {
    id: standard(35),
    versions: [6],
    write: writeStatus,
    read: (r) => ({ kind: 'controller_status', ...readStatus(r) }),
  } as MessageRow<MessageOf<'controller_status'>>,
};
export const STATUS_MULTIPART: { readonly [T in 'controller_status']: MultipartRow<T> } = {
  controller_status: {
    id: standard(18),
    versions: [6],
    ...noRequest('controller_status'),
    write: writeStatus,
    read: readStatus,
  },
};
