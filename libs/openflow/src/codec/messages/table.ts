import type { WireVersion } from '../version.js';
import { BUNDLE_ROWS } from './bundle.js';
import { CONTROL_ROWS } from './control.js';
import { FLOW_ROWS } from './flow.js';
import { GROUP_ROWS } from './group.js';
import { HANDSHAKE_ROWS } from './handshake.js';
import { MULTIPART_ROWS, MULTIPART_TABLE } from './multipart.js';
import { PACKET_ROWS } from './packet.js';
import { PORT_ROWS } from './port.js';
import { idIn, type MessageRow, RowIndex } from './row.js';
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
