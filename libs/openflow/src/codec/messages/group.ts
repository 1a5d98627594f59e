import { ACTION_CODEC } from '../actions/codec.js';
import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO } from '../fields/info.js';
import { readOxms, writeOxms } from '../fields/oxm.js';
import type { FieldName } from '../fields/table.js';
import { GROUP, PORT } from '../ports.js';
import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { enumeration, type MessageRow, standard } from './row.js';
import { BUCKET, type Bucket, type GroupProperties, type GroupType } from './structures.js';
import { type GroupMod } from './types.js';

const COMMAND = enumeration({ add: 0, modify: 1, delete: 2, insert_bucket: 3, remove_bucket: 5, add_or_mod: 0x8000 });
export const GROUP_TYPE = enumeration({ all: 0, select: 1, indirect: 2, ff: 3 });

const PROP = { WEIGHT: 0, WATCH_PORT: 1, WATCH_GROUP: 2, EXPERIMENTER: 0xffff } as const;

/** Up to 1.4: struct ofp_bucket { u16 len, weight; u32 watch_port, watch_group; pad[4]; actions } */
function writeBucket13(w: ByteWriter, b: Bucket, type: GroupType, version: WireVersion): void {
  const start = w.skip(2);
  w.u16(b.weight ?? (type === 'select' ? 1 : 0));
  w.u32(b.watchPort ?? PORT.ANY);
  w.u32(b.watchGroup ?? GROUP.ANY);
  w.skip(4);
  ACTION_CODEC[version].writeActions(w, b.actions);
  w.closeLength(start, start, 'bucket');
}

/** 1.5: { u16 len, action_array_len; u32 bucket_id; actions; properties } */
function writeBucket15(w: ByteWriter, b: Bucket, index: number, type: GroupType, version: WireVersion): void {
  const start = w.skip(4);
  w.u32(b.bucketId ?? index);
  const actions = w.length;
  ACTION_CODEC[version].writeActions(w, b.actions);
  w.closeLength(start + 2, actions, 'bucket.actions');
  const weight = b.weight ?? (type === 'select' ? 1 : undefined);
  if (weight !== undefined)
    writeProperty(w, PROP.WEIGHT, () => {
      w.u16(weight);
      w.skip(2);
    });
  if (b.watchPort !== undefined) writeProperty(w, PROP.WATCH_PORT, () => w.u32(b.watchPort as number));
  if (b.watchGroup !== undefined) writeProperty(w, PROP.WATCH_GROUP, () => w.u32(b.watchGroup as number));
  writeKept(w, b.properties);
  w.closeLength(start, start, 'bucket');
}

function readBucket(r: ByteReader, type: GroupType, version: WireVersion): Bucket {
  const start = r.pos;
  const length = r.u16();
  if (length < (version === 6 ? 8 : 16) || length > r.end - start) r.fail(`bucket of ${length} bytes`, start);
  const outer = r.end;
  r.end = start + length;
  const b: { -readonly [K in keyof Bucket]: Bucket[K] } = { actions: [] };
  if (version === 6) {
    const actionBytes = r.u16();
    b.bucketId = r.u32();
    const inner = r.narrow(actionBytes);
    b.actions = ACTION_CODEC[version].readActions(r);
    r.end = inner;
    const properties = readProperties(r, (t) => {
      if (t === PROP.WEIGHT) b.weight = r.u16();
      else if (t === PROP.WATCH_PORT) b.watchPort = r.u32();
      else if (t === PROP.WATCH_GROUP) b.watchGroup = r.u32();
      else return false;
      return true;
    });
    if (properties !== undefined) b.properties = properties;
  } else {
    const weight = r.u16();
    const watchPort = r.u32();
    const watchGroup = r.u32();
    r.skip(4);
    if (type === 'select' || weight !== 0) b.weight = weight;
    if (watchPort !== PORT.ANY) b.watchPort = watchPort;
    if (watchGroup !== GROUP.ANY) b.watchGroup = watchGroup;
    b.actions = ACTION_CODEC[version].readActions(r);
  }
  r.pos = r.end;
  r.end = outer;
  return b;
}

export function writeBuckets(w: ByteWriter, buckets: readonly Bucket[], type: GroupType, version: WireVersion): void {
  buckets.forEach((b, i) => {
    if (version === 6) writeBucket15(w, b, i, type, version);
    else writeBucket13(w, b, type, version);
  });
}
export function readBuckets(r: ByteReader, type: GroupType, version: WireVersion): Bucket[] {
  const buckets: Bucket[] = [];
  r.enter('buckets');
  while (r.pos < r.end) {
    r.enter(buckets.length);
    buckets.push(readBucket(r, type, version));
    r.leave();
  }
  r.leave();
  return buckets;
}

// Netronome's property: { u16 0xffff; u16 len; u32 0x154d; u32 1; pad[4]; char method[16]; u64 param; OXMs whose values are masks; pad }
const NETRONOME = 0x0000154d;
const NETRONOME_COMPAT = 0x00001540;
const METHOD_BYTES = 16;

export function writeGroupProperties(w: ByteWriter, g: GroupProperties, version: WireVersion): void {
  const { selectionMethod } = g;
  if (version !== 6) {
    if (selectionMethod !== undefined)
      throw new OpenFlowEncodeError(
        'group_mod.selectionMethod',
        'only OF1.5 can say how a group selects; use that version',
      );
    return;
  }
  if (selectionMethod !== undefined) {
    if (selectionMethod.length >= METHOD_BYTES)
      throw new OpenFlowEncodeError('group_mod.selectionMethod', 'at most 15 characters');
    writeProperty(w, PROP.EXPERIMENTER, () => {
      w.u32(g.selectionVendor === 'compat' ? NETRONOME_COMPAT : NETRONOME);
      w.u32(1);
      w.skip(4);
      const name = w.skip(METHOD_BYTES);
      for (let i = 0; i < selectionMethod.length; i++) w.setU8(name + i, selectionMethod.charCodeAt(i));
      w.u64(g.selectionMethodParam ?? 0n);
      if (g.selectionFields !== undefined) writeOxms(w, g.selectionFields as never, version);
    });
  }
  writeKept(w, g.properties);
}

export function readGroupProperties(r: ByteReader): GroupProperties {
  const g: { -readonly [K in keyof GroupProperties]: GroupProperties[K] } = {};
  const kept = readProperties(r, (type) => {
    if (type !== PROP.EXPERIMENTER || r.left < 36) return false;
    const experimenter = r.u32();
    if ((experimenter !== NETRONOME && experimenter !== NETRONOME_COMPAT) || r.u32() !== 1) return false;
    r.skip(4);
    if (experimenter === NETRONOME_COMPAT) g.selectionVendor = 'compat';
    g.selectionMethod = r.text(METHOD_BYTES);
    g.selectionMethodParam = r.u64();
    const fields: Record<string, number | bigint> = {};
    for (const [name, value] of Object.entries(readOxms(r))) {
      if (FIELD_INFO[name as FieldName] === undefined || Array.isArray(value)) return false;
      fields[name] = value as number | bigint;
    }
    if (Object.keys(fields).length > 0) g.selectionFields = fields as NonNullable<GroupProperties['selectionFields']>;
    return true;
  });
  if (kept !== undefined) g.properties = kept;
  return g;
}

// 1.3: struct ofp_group_mod { u16 command; u8 type; pad; u32 group_id; buckets }
// 1.5: { ...; u16 bucket_array_len; pad[2]; u32 command_bucket_id; buckets; properties }
const groupMod: MessageRow<GroupMod> = {
  id: standard(15),
  write: (w, m, { version }) => {
    if (version !== 6 && (m.command === 'insert_bucket' || m.command === 'remove_bucket'))
      throw new OpenFlowEncodeError('group_mod.command', `${m.command} needs OF1.5`);
    w.u16(COMMAND.numberOf(m.command));
    w.u8(GROUP_TYPE.numberOf(m.type));
    w.skip(1);
    w.u32(m.groupId);
    if (version !== 6) {
      writeGroupProperties(w, m, version);
      writeBuckets(w, m.buckets, m.type, version);
      return;
    }
    const length = w.skip(4);
    w.u32(m.commandBucketId ?? BUCKET.ALL);
    const start = w.length;
    writeBuckets(w, m.buckets, m.type, version);
    w.closeLength(length, start, 'group_mod.buckets');
    writeGroupProperties(w, m, version);
  },
  read: (r, { version }) => {
    const c = r.u16();
    const command = COMMAND.nameOf(c) ?? r.fail(`group mod command ${c}`, r.pos - 2);
    const t = r.u8();
    const type = GROUP_TYPE.nameOf(t) ?? r.fail(`group type ${t}`, r.pos - 1);
    r.skip(1);
    const groupId = r.u32();
    if (version !== 6) return { kind: 'group_mod', command, type, groupId, buckets: readBuckets(r, type, version) };
    const bucketBytes = r.u16();
    r.skip(2);
    const commandBucketId = r.u32();
    const outer = r.narrow(bucketBytes);
    const buckets = readBuckets(r, type, version);
    r.end = outer;
    return {
      kind: 'group_mod',
      command,
      type,
      groupId,
      ...(commandBucketId === BUCKET.ALL ? {} : { commandBucketId }),
      buckets,
      ...readGroupProperties(r),
    };
  },
};

export const GROUP_ROWS = { group_mod: groupMod };
