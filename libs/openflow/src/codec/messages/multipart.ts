import { FLOW_MULTIPART } from './multipart-flow.js';
import { GROUP_MULTIPART } from './multipart-group.js';
import { PORT_MULTIPART } from './multipart-port.js';
import type { KnownType, MultipartRow } from './multipart-row.js';
import type { FlowStats, MultipartReply, MultipartRequest } from './multipart-types.js';
import { type MessageRow, standard } from './row.js';

// struct ofp_multipart { u16 type, flags; pad[4]; body }      OF1.3+, 7.3.5
const MORE = 1;

/** A kind of multipart without a row does not compile. */
const ROWS: { readonly [T in KnownType]: MultipartRow<T> } = {
  ...FLOW_MULTIPART,
  ...PORT_MULTIPART,
  ...GROUP_MULTIPART,
};

type AnyRow = MultipartRow<'flow'>;
const rows = ROWS as unknown as Readonly<Record<string, AnyRow>>;
const byType = new Map(Object.entries(rows).map(([name, row]) => [row.type, [name, row] as const]));

const request: MessageRow<MultipartRequest> = {
  id: standard(18),
  write: (w, m, { version }) => {
    const row = rows[m.type];
    w.u16(m.type === 'unknown' ? m.typeNumber : (row as AnyRow).type);
    w.u16(m.more ? MORE : 0);
    w.skip(4);
    if (m.type === 'unknown') w.raw(m.body);
    else (row as AnyRow).writeRequest(w, m as never, version);
  },
  read: (r, { version }) => {
    const type = r.u16();
    const more = (r.u16() & MORE) !== 0 ? { more: true } : {};
    r.skip(4);
    const row = byType.get(type)?.[1];
    if (row === undefined)
      return { kind: 'multipart_request', type: 'unknown', typeNumber: type, body: r.rest(), ...more };
    return { kind: 'multipart_request', ...row.readRequest(r, version), ...more } as MultipartRequest;
  },
};

const reply: MessageRow<MultipartReply> = {
  id: standard(19),
  write: (w, m, { version }) => {
    if (m.type === 'unknown') {
      w.u16(m.elements[0]?.type ?? 0xffff);
      w.u16(m.more ? MORE : 0);
      w.skip(4);
      for (const e of m.elements) w.raw(e.body);
      return;
    }
    const row = rows[m.type] as AnyRow;
    w.u16(row.type);
    w.u16(m.more ? MORE : 0);
    w.skip(4);
    for (const e of m.elements) row.write(w, e as never, version);
  },
  read: (r, { version }) => {
    const type = r.u16();
    const more = (r.u16() & MORE) !== 0;
    r.skip(4);
    const [name, row] = byType.get(type) ?? [];
    if (row === undefined || name === undefined)
      return { kind: 'multipart_reply', type: 'unknown', more, elements: [{ type, body: r.rest() }] };
    const elements: FlowStats[] = [];
    r.enter(name);
    while (r.pos < r.end) {
      r.enter(elements.length);
      const start = r.pos;
      elements.push(row.read(r, version));
      if (r.pos === start) r.fail('element of no bytes');
      r.leave();
    }
    r.leave();
    return { kind: 'multipart_reply', type: name, more, elements } as unknown as MultipartReply;
  },
};

export const MULTIPART_ROWS = { multipart_request: request, multipart_reply: reply };
