import { PORT } from '../ports.js';
import { element, type MultipartRow, noRequest, oneNumber } from './multipart-row.js';
import { readPort, writePort } from './port.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { standard } from './row.js';

// The switch itself, its ports and their queues.

const DESC = [
  ['manufacturer', 256],
  ['hardware', 256],
  ['software', 256],
  ['serial', 32],
  ['datapath', 256],
] as const;

const PORT_COUNTERS = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxDropped',
  'txDropped',
  'rxErrors',
  'txErrors',
] as const;
const PORT_ETHERNET = ['rxFrameErrors', 'rxOverErrors', 'rxCrcErrors', 'collisions'] as const;
type Counter = (typeof PORT_COUNTERS)[number] | (typeof PORT_ETHERNET)[number];

export const PORT_MULTIPART: { readonly [T in 'desc' | 'port' | 'port_desc' | 'queue']: MultipartRow<T> } = {
  desc: {
    id: standard(0),
    ...noRequest('desc'),
    write: (w, e) => {
      for (const [key, size] of DESC) {
        const at = w.skip(size);
        for (let i = 0; i < Math.min(e[key].length, size - 1); i++) w.setU8(at + i, e[key].charCodeAt(i));
      }
    },
    read: (r) => {
      const e = { manufacturer: '', hardware: '', software: '', serial: '', datapath: '' };
      for (const [key, size] of DESC) e[key] = r.text(size);
      return e;
    },
  },
  // 1.3: { u32 port; pad[4]; u64 counters[12]; u32 sec, nsec }; 1.4: { u16 length; pad[2]; u32 port, sec, nsec; u64 counters[8]; properties }
  port: {
    id: standard(4),
    ...oneNumber<'port'>(
      (m) => m.portNo,
      (portNo) => ({ type: 'port', portNo }),
    ),
    write: (w, e, version) => {
      const start = w.length;
      if (version === 4) {
        w.u32(e.portNo);
        w.skip(4);
        for (const key of [...PORT_COUNTERS, ...PORT_ETHERNET]) w.u64(e[key]);
        w.u32(e.durationSec);
        w.u32(e.durationNsec);
        return;
      }
      w.skip(4);
      w.u32(e.portNo);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      for (const key of PORT_COUNTERS) w.u64(e[key]);
      writeProperty(w, 0, () => {
        w.skip(4);
        for (const key of PORT_ETHERNET) w.u64(e[key]);
      });
      writeKept(w, e.properties);
      w.closeLength(start, start, 'port stats');
    },
    read: (r, version) => {
      const c = {} as { [K in Counter]: bigint };
      if (version === 4) {
        const portNo = r.u32();
        r.skip(4);
        for (const key of PORT_COUNTERS) c[key] = r.u64();
        for (const key of PORT_ETHERNET) c[key] = r.u64();
        return { portNo, ...c, durationSec: r.u32(), durationNsec: r.u32() };
      }
      const outer = element(r, 80);
      r.skip(4);
      const portNo = r.u32();
      const durationSec = r.u32();
      const durationNsec = r.u32();
      for (const key of PORT_COUNTERS) c[key] = r.u64();
      for (const key of PORT_ETHERNET) c[key] = 0xffff_ffff_ffff_ffffn;
      const properties = readProperties(r, (type) => {
        if (type !== 0) return false;
        r.skip(4);
        for (const key of PORT_ETHERNET) c[key] = r.u64();
        return true;
      });
      r.end = outer;
      return { portNo, ...c, durationSec, durationNsec, ...(properties && { properties }) };
    },
  },
  port_desc: {
    id: standard(13),
    writeRequest: (w, m, version) => {
      if (version !== 6) return;
      w.u32(m.portNo ?? PORT.ANY);
      w.skip(4);
    },
    readRequest: (r, version) => {
      if (version !== 6 || r.left < 8) return { type: 'port_desc' };
      const portNo = r.u32();
      r.skip(4);
      return portNo === PORT.ANY ? { type: 'port_desc' } : { type: 'port_desc', portNo };
    },
    write: writePort,
    read: readPort,
  },
  // 1.3: { u32 port, queue; u64 tx_bytes, tx_packets, tx_errors; u32 sec, nsec }; 1.4: { u16 length; pad[6]; the same; properties }
  queue: {
    id: standard(5),
    writeRequest: (w, m) => {
      w.u32(m.portNo);
      w.u32(m.queueId);
    },
    readRequest: (r) => ({ type: 'queue', portNo: r.u32(), queueId: r.u32() }),
    write: (w, e, version) => {
      const start = w.length;
      if (version !== 4) w.skip(8);
      w.u32(e.portNo);
      w.u32(e.queueId);
      w.u64(e.txBytes);
      w.u64(e.txPackets);
      w.u64(e.txErrors);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      writeKept(w, e.properties);
      if (version !== 4) w.closeLength(start, start, 'queue stats');
    },
    read: (r, version) => {
      const outer = version === 4 ? r.end : element(r, 48);
      if (version !== 4) r.skip(8);
      const e = {
        portNo: r.u32(),
        queueId: r.u32(),
        txBytes: r.u64(),
        txPackets: r.u64(),
        txErrors: r.u64(),
        durationSec: r.u32(),
        durationNsec: r.u32(),
      };
      const properties = version === 4 ? undefined : readProperties(r, () => false);
      r.end = outer;
      return { ...e, ...(properties && { properties }) };
    },
  },
};
