import { OpenFlowEncodeError } from '../errors.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { FLOW_MULTIPART } from './multipart-flow.js';
import { GROUP_MULTIPART } from './multipart-group.js';
import { IPFIX_MULTIPART } from './multipart-ipfix.js';
import { MONITOR_MULTIPART } from './multipart-monitor.js';
import { PORT_MULTIPART } from './multipart-port.js';
import type { KnownType, MultipartRow } from './multipart-row.js';
import type { FlowStats, MultipartReply, MultipartRequest } from './multipart-types.js';
import { QUEUE_MULTIPART } from './queues.js';
import { idIn, type MessageRow, RowIndex, standard } from './row.js';
import { STATUS_MULTIPART } from './status.js';
import { TABLE_MULTIPART } from './tables.js';

// struct ofp_multipart { u16 type, flags; pad[4]; body }      OF1.3+, 7.3.5
const MORE = 1;

/** A kind of multipart without a row does not compile. */
const ROWS: { readonly [T in KnownType]: MultipartRow<T> } = {
  ...FLOW_MULTIPART,
  ...PORT_MULTIPART,
  ...GROUP_MULTIPART,
  ...MONITOR_MULTIPART,
  ...TABLE_MULTIPART,
  ...QUEUE_MULTIPART,
  ...IPFIX_MULTIPART,
  ...STATUS_MULTIPART,
};

// What stands in the place of the number when an experimenter's number follows: { u32 experimenter, type }.
const EXPERIMENTER = 0xffff;

type AnyRow = MultipartRow<'flow'> & { readonly name: string };
const rows = Object.fromEntries(
  Object.entries(ROWS).map(([name, row]) => [name, { ...row, name }]),
) as unknown as Readonly<Record<string, AnyRow>>;
/** Every kind of multipart that is decoded, by name. */
export const MULTIPART_TABLE: Readonly<Record<string, AnyRow | undefined>> = rows;
export const MULTIPART_INDEX: RowIndex<AnyRow> = new RowIndex(Object.values(rows));

/** Writes everything in front of the body. */
function writeHead(
  w: ByteWriter,
  m: MultipartRequest | MultipartReply,
  unknown: number,
  version: WireVersion,
): AnyRow | undefined {
  const row = rows[m.type];
  const id = row && idIn(row, version);
  if (m.type !== 'unknown' && id === undefined)
    throw new OpenFlowEncodeError(m.kind, `no ${m.type} in wire version ${version}`);
  w.u16(id === undefined ? unknown : id.experimenter === 0 ? id.type : EXPERIMENTER);
  w.u16(m.more ? MORE : 0);
  w.skip(4);
  if (id !== undefined && id.experimenter !== 0) {
    w.u32(id.experimenter);
    w.u32(id.type);
  }
  return row;
}
/** Reads everything in front of the body; an unknown experimenter's numbers are left to be read again. */
function readHead(r: ByteReader, version: WireVersion): { type: number; more: boolean; row: AnyRow | undefined } {
  const type = r.u16();
  const more = (r.u16() & MORE) !== 0;
  r.skip(4);
  if (type !== EXPERIMENTER) return { type, more, row: MULTIPART_INDEX.get(version, 0, type) };
  const row = r.left < 8 ? undefined : MULTIPART_INDEX.get(version, r.peekU32(r.pos), r.peekU32(r.pos + 4));
  if (row !== undefined) r.skip(8);
  return { type, more, row };
}

const request: MessageRow<MultipartRequest> = {
  id: standard(18),
  write: (w, m, { version }) => {
    const row = writeHead(w, m, m.type === 'unknown' ? m.typeNumber : 0, version);
    if (m.type === 'unknown') w.raw(m.body);
    else row?.writeRequest(w, m as never, version);
  },
  read: (r, { version }) => {
    const { type, more, row } = readHead(r, version);
    const tail = more ? { more } : {};
    if (row === undefined)
      return { kind: 'multipart_request', type: 'unknown', typeNumber: type, body: r.rest(), ...tail };
    r.enter(row.name);
    const body = row.readRequest(r, version);
    r.leave();
    return { kind: 'multipart_request', ...body, ...tail } as MultipartRequest;
  },
};

const reply: MessageRow<MultipartReply> = {
  id: standard(19),
  write: (w, m, { version }) => {
    const row = writeHead(w, m, m.type === 'unknown' ? (m.elements[0]?.type ?? EXPERIMENTER) : 0, version);
    if (m.type === 'unknown') for (const e of m.elements) w.raw(e.body);
    else for (const e of m.elements) row?.write(w, e as never, version);
  },
  read: (r, { version }) => {
    const { type, more, row } = readHead(r, version);
    if (row === undefined)
      return { kind: 'multipart_reply', type: 'unknown', more, elements: [{ type, body: r.rest() }] };
    const elements: FlowStats[] = [];
    r.enter(row.name);
    while (r.pos < r.end) {
      r.enter(elements.length);
      const start = r.pos;
      elements.push(row.read(r, version));
      if (r.pos === start) r.fail('element of no bytes');
      r.leave();
    }
    r.leave();
    return { kind: 'multipart_reply', type: row.name, more, elements } as unknown as MultipartReply;
  },
};

export const MULTIPART_ROWS = { multipart_request: request, multipart_reply: reply };
