import { GROUP } from '../ports.js';
import { readBands, writeBands } from './control.js';
import { GROUP_TYPE, readBuckets, readGroupProperties, writeBuckets, writeGroupProperties } from './group.js';
import { element, type MultipartRow, noRequest, oneNumber } from './multipart-row.js';
import { standard } from './row.js';

// Groups and meters.

export const GROUP_MULTIPART: {
  readonly [T in
    | 'group'
    | 'group_desc'
    | 'group_features'
    | 'meter'
    | 'meter_config'
    | 'meter_features']: MultipartRow<T>;
} = {
  // { u16 length; pad[2]; u32 group, ref_count; pad[4]; u64 packets, bytes; u32 sec, nsec; { u64 packets, bytes }[] }
  group: {
    id: standard(6),
    ...oneNumber<'group'>(
      (m) => m.groupId,
      (groupId) => ({ type: 'group', groupId }),
    ),
    write: (w, e) => {
      const start = w.skip(4);
      w.u32(e.groupId);
      w.u32(e.refCount);
      w.skip(4);
      w.u64(e.packetCount);
      w.u64(e.byteCount);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      for (const b of e.buckets) {
        w.u64(b.packetCount);
        w.u64(b.byteCount);
      }
      w.closeLength(start, start, 'group stats');
    },
    read: (r) => {
      const outer = element(r, 40);
      r.skip(4);
      const groupId = r.u32();
      const refCount = r.u32();
      r.skip(4);
      const packetCount = r.u64();
      const byteCount = r.u64();
      const durationSec = r.u32();
      const durationNsec = r.u32();
      const buckets = [];
      while (r.pos < r.end) buckets.push({ packetCount: r.u64(), byteCount: r.u64() });
      r.end = outer;
      return { groupId, refCount, packetCount, byteCount, durationSec, durationNsec, buckets };
    },
  },
  // { u16 length; u8 type; pad; u32 group; buckets }; 1.5: { ...; u16 bucket_list_len; pad[6]; buckets; properties }
  group_desc: {
    id: standard(7),
    writeRequest: (w, m, version) => {
      if (version !== 6) return;
      w.u32(m.groupId ?? GROUP.ALL);
      w.skip(4);
    },
    readRequest: (r, version) => {
      if (version !== 6 || r.left < 8) return { type: 'group_desc' };
      const groupId = r.u32();
      r.skip(4);
      return groupId === GROUP.ALL ? { type: 'group_desc' } : { type: 'group_desc', groupId };
    },
    write: (w, e, version) => {
      const start = w.skip(2);
      w.u8(GROUP_TYPE.numberOf(e.type));
      w.skip(1);
      w.u32(e.groupId);
      if (version !== 6) writeBuckets(w, e.buckets, e.type, version);
      else {
        const length = w.skip(8);
        writeBuckets(w, e.buckets, e.type, version);
        w.closeLength(length, length + 8, 'group buckets');
      }
      writeGroupProperties(w, e, version);
      w.closeLength(start, start, 'group desc');
    },
    read: (r, version) => {
      const outer = element(r, version === 6 ? 16 : 8);
      r.skip(2);
      const t = r.u8();
      const type = GROUP_TYPE.nameOf(t) ?? r.fail(`group type ${t}`, r.pos - 1);
      r.skip(1);
      const groupId = r.u32();
      if (version !== 6) {
        const buckets = readBuckets(r, type, version);
        r.end = outer;
        return { groupId, type, buckets };
      }
      const bucketBytes = r.u16();
      r.skip(6);
      const end = r.narrow(bucketBytes);
      const buckets = readBuckets(r, type, version);
      r.end = end;
      const properties = readGroupProperties(r);
      r.end = outer;
      return { groupId, type, buckets, ...properties };
    },
  },
  // { u32 types, capabilities, max_groups[4], actions[4] }
  group_features: {
    id: standard(8),
    ...noRequest('group_features'),
    write: (w, e) => {
      w.u32(e.types);
      w.u32(e.capabilities);
      for (let i = 0; i < 4; i++) w.u32(e.maxGroups[i] ?? 0);
      for (let i = 0; i < 4; i++) w.u32(e.actions[i] ?? 0);
    },
    read: (r) => ({
      types: r.u32(),
      capabilities: r.u32(),
      maxGroups: [r.u32(), r.u32(), r.u32(), r.u32()],
      actions: [r.u32(), r.u32(), r.u32(), r.u32()],
    }),
  },
  // { u32 meter; u16 len; pad[6]; u32 flows; u64 packets, bytes; u32 sec, nsec; { u64 packets, bytes }[] }
  meter: {
    id: standard(9),
    ...oneNumber<'meter'>(
      (m) => m.meterId,
      (meterId) => ({ type: 'meter', meterId }),
    ),
    write: (w, e) => {
      const start = w.length;
      w.u32(e.meterId);
      w.skip(8);
      w.u32(e.flowCount);
      w.u64(e.packetInCount);
      w.u64(e.byteInCount);
      w.u32(e.durationSec);
      w.u32(e.durationNsec);
      for (const b of e.bands) {
        w.u64(b.packetCount);
        w.u64(b.byteCount);
      }
      w.closeLength(start + 4, start, 'meter stats');
    },
    read: (r) => {
      const outer = element(r, 40, 4);
      const meterId = r.u32();
      r.skip(8);
      const flowCount = r.u32();
      const packetInCount = r.u64();
      const byteInCount = r.u64();
      const durationSec = r.u32();
      const durationNsec = r.u32();
      const bands = [];
      while (r.pos < r.end) bands.push({ packetCount: r.u64(), byteCount: r.u64() });
      r.end = outer;
      return { meterId, flowCount, packetInCount, byteInCount, durationSec, durationNsec, bands };
    },
  },
  // { u16 length, flags; u32 meter; bands }
  meter_config: {
    id: standard(10),
    ...oneNumber<'meter_config'>(
      (m) => m.meterId,
      (meterId) => ({ type: 'meter_config', meterId }),
    ),
    write: (w, e) => {
      const start = w.skip(2);
      w.u16(e.flags);
      w.u32(e.meterId);
      writeBands(w, e.bands);
      w.closeLength(start, start, 'meter config');
    },
    read: (r) => {
      const outer = element(r, 8);
      r.skip(2);
      const e = { flags: r.u16(), meterId: r.u32(), bands: readBands(r) };
      r.end = outer;
      return e;
    },
  },
  // { u32 max_meter, band_types, capabilities; u8 max_bands, max_color; pad[2] }
  meter_features: {
    id: standard(11),
    ...noRequest('meter_features'),
    write: (w, e) => {
      w.u32(e.maxMeters);
      w.u32(e.bandTypes);
      w.u32(e.capabilities);
      w.u8(e.maxBands);
      w.u8(e.maxColor);
      w.skip(2);
    },
    read: (r) => {
      const e = { maxMeters: r.u32(), bandTypes: r.u32(), capabilities: r.u32(), maxBands: r.u8(), maxColor: r.u8() };
      r.pos = r.end;
      return e;
    },
  },
};
