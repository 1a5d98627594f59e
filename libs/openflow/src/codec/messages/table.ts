import type { WireVersion } from '../version.js';
import { ASYNC_ROWS } from './async.js';
import { BUNDLE_ROWS } from './bundle.js';
import { CONTROL_ROWS } from './control.js';
import { CT_ROWS } from './ct-flush.js';
import { FLOW_ROWS } from './flow.js';
import { GROUP_ROWS } from './group.js';
import { HANDSHAKE_ROWS } from './handshake.js';
import { MULTIPART_INDEX, MULTIPART_ROWS, MULTIPART_TABLE } from './multipart.js';
import { NX_ROWS } from './nx.js';
import { PACKET_ROWS } from './packet.js';
import { PORT_ROWS } from './port.js';
import { QUEUE_ROWS } from './queues.js';
import { idIn, type MessageRow, RowIndex } from './row.js';
import { STATUS_ROWS } from './status.js';
import { TABLE_ROWS } from './tables.js';
import type { Message } from './types.js';

type KnownKind = Exclude<Message['kind'], 'unknown' | 'experimenter'>;

const ALL_ROWS = {
  ...HANDSHAKE_ROWS,
  ...PACKET_ROWS,
  ...FLOW_ROWS,
  ...GROUP_ROWS,
  ...PORT_ROWS,
  ...CONTROL_ROWS,
  ...BUNDLE_ROWS,
  ...MULTIPART_ROWS,
  ...ASYNC_ROWS,
  ...TABLE_ROWS,
  ...QUEUE_ROWS,
  ...STATUS_ROWS,
  ...CT_ROWS,
  ...NX_ROWS,
};
/** Every message that is decoded. A kind of message without a row does not compile. */
export const MESSAGE_ROWS = ALL_ROWS satisfies { readonly [K in KnownKind]: unknown } as unknown as Readonly<
  Record<string, MessageRow<Message>>
>;
export const MESSAGE_INDEX: RowIndex<MessageRow<Message>> = new RowIndex(Object.values(MESSAGE_ROWS));

/** Whose message it is in this version: 0 for the standard, otherwise an experimenter's number. */
export function experimenterOf(m: Message, version: WireVersion): number {
  if (m.kind === 'experimenter') return m.experimenter;
  const row =
    m.kind === 'multipart_request' || m.kind === 'multipart_reply' ? MULTIPART_TABLE[m.type] : MESSAGE_ROWS[m.kind];
  return (row && idIn(row, version))?.experimenter ?? 0;
}

/** What a message is by its first bytes, as far as they are there: its kind, or what a multipart is about. */
export function headOf(
  view: DataView,
  version: WireVersion,
): { readonly name: string; readonly experimenter: number; readonly multipart?: 'request' | 'reply' } | undefined {
  const type = view.getUint8(1);
  const has = (n: number): boolean => view.byteLength >= n;
  const named = <R>(rows: Readonly<Record<string, R>>, row: R | undefined): string | undefined =>
    row === undefined ? undefined : Object.keys(rows).find((name) => rows[name] === row);
  if (type === 18 || type === 19) {
    if (!has(16)) return undefined;
    const number = view.getUint16(8);
    if (number === 0xffff && !has(24)) return undefined;
    const experimenter = number === 0xffff ? view.getUint32(16) : 0;
    const row = MULTIPART_INDEX.get(version, experimenter, number === 0xffff ? view.getUint32(20) : number);
    return row && { name: row.name, experimenter, multipart: type === 18 ? 'request' : 'reply' };
  }
  if (type === 4 && !has(16)) return undefined;
  const experimenter = type === 4 ? view.getUint32(8) : 0;
  const name = named(MESSAGE_ROWS, MESSAGE_INDEX.get(version, experimenter, type === 4 ? view.getUint32(12) : type));
  return name === undefined ? undefined : { name, experimenter };
}
