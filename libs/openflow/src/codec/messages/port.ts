import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { enumeration, type MessageRow, standard } from './row.js';
import type { Port } from './structures.js';
import type { PortMod, PortStatus } from './types.js';

const NAME_BYTES = 16;
const ETHERNET = 0;

function writeName(w: ByteWriter, name: string): void {
  const at = w.skip(NAME_BYTES);
  const bytes = utf8(name);
  for (let i = 0; i < Math.min(bytes.length, NAME_BYTES - 1); i++) w.setU8(at + i, bytes[i] as number);
}
// TextEncoder is no part of the language, and interface names are bytes: one character, one byte.
const utf8 = (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0) & 0xff);

function writeLinks(w: ByteWriter, p: Port): void {
  for (const n of [p.curr, p.advertised, p.supported, p.peer, p.currSpeed, p.maxSpeed]) w.u32(n);
}
const readLinks = (r: ByteReader) => ({
  curr: r.u32(),
  advertised: r.u32(),
  supported: r.u32(),
  peer: r.u32(),
  currSpeed: r.u32(),
  maxSpeed: r.u32(),
});

// 1.3: struct ofp_port { u32 port_no; pad[4]; hw_addr[6]; pad[2]; name[16]; u32 config, state, curr, advertised, supported, peer, curr_speed, max_speed }
// 1.4: { u32 port_no; u16 length; pad[2]; hw_addr[6]; pad[2]; name[16]; u32 config, state; properties }
export function writePort(w: ByteWriter, p: Port, version: WireVersion): void {
  const start = w.length;
  w.u32(p.portNo);
  w.skip(4);
  w.big(p.hwAddr, 6);
  w.skip(2);
  writeName(w, p.name);
  w.u32(p.config);
  w.u32(p.state);
  if (version === 4) {
    writeLinks(w, p);
    return;
  }
  writeProperty(w, ETHERNET, () => {
    w.skip(4);
    writeLinks(w, p);
  });
  writeKept(w, p.properties);
  w.closeLength(start + 4, start, 'port');
}

export function readPort(r: ByteReader, version: WireVersion): Port {
  const start = r.pos;
  const portNo = r.u32();
  const length = r.u16();
  r.skip(2);
  if (version !== 4 && (length < 40 || length > r.end - start)) r.fail(`port of ${length} bytes`, start);
  const hwAddr = r.big(6);
  r.skip(2);
  const name = r.text(NAME_BYTES);
  const config = r.u32();
  const state = r.u32();
  if (version === 4) return { portNo, hwAddr, name, config, state, ...readLinks(r) };
  let links = { curr: 0, advertised: 0, supported: 0, peer: 0, currSpeed: 0, maxSpeed: 0 };
  const outer = r.end;
  r.end = start + length;
  const properties = readProperties(r, (type) => {
    if (type !== ETHERNET) return false;
    r.skip(4);
    links = readLinks(r);
    return true;
  });
  r.end = outer;
  return { portNo, hwAddr, name, config, state, ...links, ...(properties && { properties }) };
}

const REASON = enumeration({ add: 0, delete: 1, modify: 2 });
// struct ofp_port_status { u8 reason; pad[7]; port }
const portStatus: MessageRow<PortStatus> = {
  id: standard(12),
  write: (w, m, { version }) => {
    w.u8(REASON.numberOf(m.reason));
    w.skip(7);
    writePort(w, m.port, version);
  },
  read: (r, { version }) => {
    const n = r.u8();
    r.skip(7);
    return { kind: 'port_status', reason: REASON.nameOf(n) ?? n, port: readPort(r, version) };
  },
};

// 1.3: struct ofp_port_mod { u32 port_no; pad[4]; hw_addr[6]; pad[2]; u32 config, mask, advertise; pad[4] }; 1.4: advertise is a property
const portMod: MessageRow<PortMod> = {
  id: standard(16),
  write: (w, m, { version }) => {
    w.u32(m.portNo);
    w.skip(4);
    w.big(m.hwAddr, 6);
    w.skip(2);
    w.u32(m.config);
    w.u32(m.mask);
    if (version === 4) {
      w.u32(m.advertise);
      w.skip(4);
    } else writeProperty(w, ETHERNET, () => w.u32(m.advertise));
  },
  read: (r, { version }) => {
    const portNo = r.u32();
    r.skip(4);
    const hwAddr = r.big(6);
    r.skip(2);
    const config = r.u32();
    const mask = r.u32();
    let advertise = 0;
    if (version === 4) advertise = r.u32();
    else
      readProperties(r, (type) => {
        if (type === ETHERNET) advertise = r.u32();
        return type === ETHERNET;
      });
    return { kind: 'port_mod', portNo, hwAddr, config, mask, advertise };
  },
};

export const PORT_ROWS = { port_status: portStatus, port_mod: portMod };
