import { versionOfWire } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import { ERROR_TYPES, EXPERIMENTER_ERRORS } from './error-table.js';
import { writeKept } from './properties.js';
import { enumeration, type MessageRow, nicira, standard } from './row.js';
import type { Property } from './structures.js';
import type { ErrorMessage, Hello, Message, MessageOf, RoleMessage, SwitchConfig } from './types.js';

// Messages that set up and keep up a connection (OF1.3+, 7.3.1, 7.3.8, 7.3.9, 7.4.4, 7.5).

type Empty = Extract<
  Message['kind'],
  | 'features_request'
  | 'get_config_request'
  | 'barrier_request'
  | 'barrier_reply'
  | 'get_async_request'
  | 'tlv_table_request'
>;
const empty = <K extends Empty>(kind: K, id = standard(0)): MessageRow<{ readonly kind: K }> => ({
  id,
  write: () => {},
  read: () => ({ kind }),
});

const HEADER_BYTES = 8;
/** Before the versions are negotiated, a header may have any. */
function otherVersion(r: ByteReader): { wireVersion?: number } {
  const wire = r.bytes[r.pos - HEADER_BYTES] ?? 0;
  return versionOfWire(wire) === undefined ? { wireVersion: wire } : {};
}

// elements { u16 type; u16 length; body; pad to 8 }; type 1 is the version bitmap, 32 versions a word
const hello: MessageRow<Hello> = {
  id: standard(0),
  write: (w, m) => {
    if (m.wireVersion !== undefined) w.setU8(w.length - HEADER_BYTES, m.wireVersion);
    writeKept(w, m.elements);
    if (m.versions === undefined) return;
    const words = [0];
    for (const v of m.versions) {
      const i = v >>> 5;
      while (words.length <= i) words.push(0);
      words[i] = ((words[i] as number) | (1 << (v & 31))) >>> 0;
    }
    const start = w.skip(4);
    w.setU16(start, 1);
    w.setU16(start + 2, 4 + 4 * words.length);
    for (const word of words) w.u32(word);
    w.align8(start);
  },
  read: (r) => {
    const other = otherVersion(r);
    let versions: number[] | undefined;
    let elements: Property[] | undefined;
    // Whatever follows a hello's header must be tolerated (OF1.3, 7.5.1), a broken element included.
    while (r.left >= 4) {
      const start = r.pos;
      const type = r.u16();
      const length = r.u16();
      if (length < 4 || length > r.end - start) break;
      if (type === 1) {
        versions = [];
        for (let i = 0; 4 + 4 * i + 4 <= length; i++) {
          const word = r.u32();
          for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) versions.push(i * 32 + bit);
        }
      } else {
        elements ??= [];
        elements.push({ type, body: r.copy(length - 4) });
      }
      r.pos = Math.min(start + ((length + 7) & ~7), r.end);
    }
    r.pos = r.end;
    return { kind: 'hello', ...other, ...(versions && { versions }), ...(elements && { elements }) };
  },
};

// { u16 type, code; data } and, type 0xffff, { u16 type, exp_type; u32 experimenter; data }
const error: MessageRow<ErrorMessage> = {
  id: standard(1),
  write: (w, m) => {
    if (m.wireVersion !== undefined) w.setU8(w.length - HEADER_BYTES, m.wireVersion);
    w.u16(m.typeNumber);
    w.u16(m.codeNumber);
    if (m.experimenter !== undefined) w.u32(m.experimenter);
    w.raw(m.data);
  },
  read: (r) => {
    const other = otherVersion(r);
    const typeNumber = r.u16();
    const codeNumber = r.u16();
    if (typeNumber === 0xffff) {
      const experimenter = r.u32();
      const code = EXPERIMENTER_ERRORS[experimenter]?.[codeNumber] ?? `code ${codeNumber}`;
      return {
        kind: 'error',
        ...other,
        type: 'experimenter',
        code,
        typeNumber,
        codeNumber,
        experimenter,
        data: r.rest(),
      };
    }
    const [type, codes] = ERROR_TYPES[typeNumber] ?? [`type ${typeNumber}`, {}];
    return {
      kind: 'error',
      ...other,
      type,
      code: codes[codeNumber] ?? `code ${codeNumber}`,
      typeNumber,
      codeNumber,
      data: r.rest(),
    };
  },
};

const echo = <K extends 'echo_request' | 'echo_reply'>(
  kind: K,
  type: number,
): MessageRow<{ readonly kind: K; readonly data: Uint8Array }> => ({
  id: standard(type),
  write: (w, m) => w.raw(m.data),
  read: (r) => ({ kind, data: r.rest() }),
});

// struct ofp_switch_config { u16 flags, miss_send_len }
const config = <K extends 'get_config_reply' | 'set_config'>(kind: K, type: number): MessageRow<SwitchConfig<K>> => ({
  id: standard(type),
  write: (w, m) => {
    w.u16(m.flags);
    w.u16(m.missSendLen);
  },
  read: (r) => ({ kind, flags: r.u16(), missSendLen: r.u16() }),
});

export const ROLE = enumeration({ nochange: 0, equal: 1, primary: 2, secondary: 3 });
const ROLE_REASON = enumeration({ master_request: 0, config: 1, experimenter: 2 });

// struct ofp_role_request { u32 role; u16 short_id (1.5); pad; u64 generation_id }
const role = <K extends 'role_request' | 'role_reply'>(kind: K, type: number): MessageRow<RoleMessage<K>> => ({
  id: standard(type),
  write: (w, m) => {
    w.u32(ROLE.numberOf(m.role));
    w.u16(m.shortId ?? 0);
    w.skip(2);
    w.u64(m.generationId);
  },
  read: (r, { version }) => {
    const n = r.u32();
    const shortId = version === 6 ? r.u16() : 0;
    r.skip(version === 6 ? 2 : 4);
    return { kind, role: ROLE.nameOf(n) ?? n, generationId: r.u64(), ...(shortId !== 0 && { shortId }) };
  },
});

export { ROLE_REASON };

export const HANDSHAKE_ROWS = {
  hello,
  error,
  echo_request: echo('echo_request', 2),
  echo_reply: echo('echo_reply', 3),
  features_request: empty('features_request', standard(5)),
  // struct ofp_switch_features { u64 dpid; u32 buffers; u8 tables, aux; pad[2]; u32 capabilities, reserved }
  features_reply: {
    id: standard(6),
    write: (w, m) => {
      w.u64(m.datapathId);
      w.u32(m.buffers);
      w.u8(m.tables);
      w.u8(m.auxiliaryId);
      w.skip(2);
      w.u32(m.capabilities);
      w.u32(m.reserved);
    },
    read: (r) => {
      const datapathId = r.u64();
      const buffers = r.u32();
      const tables = r.u8();
      const auxiliaryId = r.u8();
      r.skip(2);
      return {
        kind: 'features_reply',
        datapathId,
        buffers,
        tables,
        auxiliaryId,
        capabilities: r.u32(),
        reserved: r.u32(),
      };
    },
  } as MessageRow<MessageOf<'features_reply'>>,
  get_config_request: empty('get_config_request', standard(7)),
  get_config_reply: config('get_config_reply', 8),
  set_config: config('set_config', 9),
  barrier_request: empty('barrier_request', standard(20)),
  barrier_reply: empty('barrier_reply', standard(21)),
  get_async_request: empty('get_async_request', standard(26)),
  tlv_table_request: empty('tlv_table_request', nicira(25)),
  role_request: role('role_request', 24),
  role_reply: role('role_reply', 25),
};
