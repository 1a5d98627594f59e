import { OpenFlowEncodeError } from '../errors.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { type MessageRow, standard } from './row.js';
import type { AsyncConfig, AsyncMasks } from './types.js';

// Which asynchronous messages a controller wants.

type AsyncKey = Exclude<keyof AsyncMasks, 'properties'>;
/** Property types come in pairs: 2i for secondary, 2i + 1 for primary. */
export const ASYNC_KEYS: readonly AsyncKey[] = [
  'packetIn',
  'portStatus',
  'flowRemoved',
  'roleStatus',
  'tableStatus',
  'requestForward',
];
const IN_PAIRS = 3;

/** struct ofp_async_config { u32 packet_in[2], port_status[2], flow_removed[2] }, primary first */
export function writeAsyncPairs(w: ByteWriter, m: AsyncMasks, path: string): void {
  for (const key of ASYNC_KEYS.slice(IN_PAIRS))
    if (m[key] !== undefined) throw new OpenFlowEncodeError(`${path}.${key}`, 'needs OF1.4');
  for (const key of ASYNC_KEYS.slice(0, IN_PAIRS)) {
    w.u32(m[key]?.primary ?? 0);
    w.u32(m[key]?.secondary ?? 0);
  }
}
export function readAsyncPairs(r: ByteReader): AsyncMasks {
  const masks: { -readonly [K in AsyncKey]?: { primary: number; secondary: number } } = {};
  for (const key of ASYNC_KEYS.slice(0, IN_PAIRS)) masks[key] = { primary: r.u32(), secondary: r.u32() };
  return masks;
}

/** 1.4: a property for each mask. */
export function writeAsyncProperties(w: ByteWriter, m: AsyncMasks): void {
  ASYNC_KEYS.forEach((key, i) => {
    const mask = m[key];
    if (mask === undefined) return;
    const { primary, secondary } = mask;
    if (secondary !== undefined) writeProperty(w, 2 * i, () => w.u32(secondary));
    if (primary !== undefined) writeProperty(w, 2 * i + 1, () => w.u32(primary));
  });
  writeKept(w, m.properties);
}
export function readAsyncProperties(r: ByteReader): AsyncMasks {
  const masks: { -readonly [K in AsyncKey]?: { primary?: number; secondary?: number } } = {};
  const properties = readProperties(r, (t) => {
    const key = ASYNC_KEYS[t >>> 1];
    if (key === undefined) return false;
    masks[key] ??= {};
    masks[key][t & 1 ? 'primary' : 'secondary'] = r.u32();
    return true;
  });
  return { ...masks, ...(properties && { properties }) };
}

const row = <K extends 'set_async' | 'get_async_reply'>(kind: K, type: number): MessageRow<AsyncConfig<K>> => ({
  id: standard(type),
  write: (w, m, { version }) => (version === 4 ? writeAsyncPairs(w, m, kind) : writeAsyncProperties(w, m)),
  read: (r, { version }) => ({ kind, ...(version === 4 ? readAsyncPairs(r) : readAsyncProperties(r)) }),
});

export const ASYNC_ROWS = { get_async_reply: row('get_async_reply', 27), set_async: row('set_async', 28) };
