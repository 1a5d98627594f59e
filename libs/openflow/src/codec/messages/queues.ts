import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { element, type MultipartRow } from './multipart-row.js';
import { isU16, readProperties, writeKept, writeProperty, writeU16 } from './properties.js';
import { type MessageRow, standard } from './row.js';
import type { Queue } from './structures.js';
import type { MessageOf } from './types.js';

// Queues: messages in 1.3, a multipart from 1.4 on.

const RATE = { MIN: 1, MAX: 2 } as const;

// 1.3: struct ofp_packet_queue { u32 queue, port; u16 len; pad[6]; properties { u16 type, len; pad[4]; u16 rate; pad[6] } }
function writeQueue13(w: ByteWriter, q: Queue): void {
  const start = w.length;
  w.u32(q.queueId);
  w.u32(q.portNo);
  w.skip(8);
  for (const [type, rate] of [
    [RATE.MIN, q.minRate],
    [RATE.MAX, q.maxRate],
  ] as const) {
    if (rate === undefined) continue;
    w.u16(type);
    w.u16(16);
    w.skip(4);
    w.u16(rate);
    w.skip(6);
  }
  writeKept(w, q.properties);
  w.closeLength(start + 8, start, 'queue');
}
function readQueue13(r: ByteReader): Queue {
  const outer = element(r, 16, 8);
  const queueId = r.u32();
  const portNo = r.u32();
  r.skip(8);
  const rates: { minRate?: number; maxRate?: number } = {};
  const properties = readProperties(r, (type) => {
    if ((type !== RATE.MIN && type !== RATE.MAX) || r.left !== 12) return false;
    r.skip(4);
    rates[type === RATE.MIN ? 'minRate' : 'maxRate'] = r.u16();
    return true;
  });
  r.pos = r.end;
  r.end = outer;
  return { portNo, queueId, ...rates, ...(properties && { properties }) };
}

// struct ofp_queue_get_config_{request,reply} { u32 port; pad[4]; [queues] }
export const QUEUE_ROWS = {
  queue_get_config_request: {
    id: standard(22),
    versions: [4],
    write: (w, m) => {
      w.u32(m.portNo);
      w.skip(4);
    },
    read: (r) => {
      const portNo = r.u32();
      r.skip(4);
      return { kind: 'queue_get_config_request', portNo };
    },
  } as MessageRow<MessageOf<'queue_get_config_request'>>,
  queue_get_config_reply: {
    id: standard(23),
    versions: [4],
    write: (w, m) => {
      w.u32(m.portNo);
      w.skip(4);
      for (const queue of m.queues) writeQueue13(w, queue);
    },
    read: (r) => {
      const portNo = r.u32();
      r.skip(4);
      const queues: Queue[] = [];
      r.enter('queues');
      while (r.pos < r.end) {
        r.enter(queues.length);
        queues.push(readQueue13(r));
        r.leave();
      }
      r.leave();
      return { kind: 'queue_get_config_reply', portNo, queues };
    },
  } as MessageRow<MessageOf<'queue_get_config_reply'>>,
};

export const QUEUE_MULTIPART: { readonly [T in 'queue_desc']: MultipartRow<T> } = {
  // struct ofp_queue_desc { u32 port, queue; u16 len; pad[6]; properties { u16 type, len = 8, rate; pad[2] } }
  queue_desc: {
    id: standard(15),
    versions: [5, 6],
    writeRequest: (w, m) => {
      w.u32(m.portNo);
      w.u32(m.queueId);
    },
    readRequest: (r) => ({ type: 'queue_desc', portNo: r.u32(), queueId: r.u32() }),
    write: (w, q) => {
      const start = w.length;
      w.u32(q.portNo);
      w.u32(q.queueId);
      w.skip(8);
      const { minRate, maxRate } = q;
      if (minRate !== undefined) writeProperty(w, RATE.MIN, () => writeU16(w, minRate));
      if (maxRate !== undefined) writeProperty(w, RATE.MAX, () => writeU16(w, maxRate));
      writeKept(w, q.properties);
      w.closeLength(start + 8, start, 'queue');
    },
    read: (r) => {
      const outer = element(r, 16, 8);
      const portNo = r.u32();
      const queueId = r.u32();
      r.skip(8);
      const rates: { minRate?: number; maxRate?: number } = {};
      const properties = readProperties(r, (type) => {
        if ((type !== RATE.MIN && type !== RATE.MAX) || !isU16(r)) return false;
        rates[type === RATE.MIN ? 'minRate' : 'maxRate'] = r.u16();
        return true;
      });
      r.end = outer;
      return { portNo, queueId, ...rates, ...(properties && { properties }) };
    },
  },
};
