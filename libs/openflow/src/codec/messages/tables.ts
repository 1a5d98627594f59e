import { fieldOfHeader } from '../fields/info.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { element, type MultipartRow, noRequest } from './multipart-row.js';
import type { ActionId, FieldId, TableFeature, TableFeatures } from './multipart-types.js';
import { readProperties, writeKept, writeProperty } from './properties.js';
import { enumeration, type MessageRow, standard } from './row.js';
import type { TableSettings } from './structures.js';
import type { MessageOf, TableStatus } from './types.js';

// Tables: their settings, and what they can do.

const PROP = { EVICTION: 2, VACANCY: 3 } as const;

// { u8 down, up, vacancy; pad } behind a property's header
function writeSettings(w: ByteWriter, t: TableSettings): void {
  const { evictionFlags, vacancy } = t;
  if (evictionFlags !== undefined) writeProperty(w, PROP.EVICTION, () => w.u32(evictionFlags));
  if (vacancy !== undefined)
    writeProperty(w, PROP.VACANCY, () => {
      w.u8(vacancy.down);
      w.u8(vacancy.up);
      w.u8(vacancy.vacancy);
      w.skip(1);
    });
  writeKept(w, t.properties);
}
function readSettings(r: ByteReader, tableId: number, config: number): TableSettings {
  const t: { -readonly [K in keyof TableSettings]: TableSettings[K] } = { tableId, config };
  const properties = readProperties(r, (type) => {
    if (type === PROP.EVICTION && r.left === 4) t.evictionFlags = r.u32();
    else if (type === PROP.VACANCY && r.left === 4) t.vacancy = { down: r.u8(), up: r.u8(), vacancy: r.u8() };
    else return false;
    return true;
  });
  if (properties !== undefined) t.properties = properties;
  return t;
}

// struct ofp_table_mod { u8 table_id; pad[3]; u32 config; [1.4: properties] }
const tableMod: MessageRow<MessageOf<'table_mod'>> = {
  id: standard(17),
  write: (w, m) => {
    w.u8(m.tableId);
    w.skip(3);
    w.u32(m.config);
    writeSettings(w, m);
  },
  read: (r) => {
    const tableId = r.u8();
    r.skip(3);
    return { kind: 'table_mod', ...readSettings(r, tableId, r.u32()) };
  },
};

// struct ofp_table_desc { u16 length; u8 table; pad; u32 config; properties }
function writeDesc(w: ByteWriter, t: TableSettings): void {
  const start = w.skip(2);
  w.u8(t.tableId);
  w.skip(1);
  w.u32(t.config);
  writeSettings(w, t);
  w.closeLength(start, start, 'table desc');
}
function readDesc(r: ByteReader): TableSettings {
  const outer = element(r, 8);
  r.skip(2);
  const tableId = r.u8();
  r.skip(1);
  const desc = readSettings(r, tableId, r.u32());
  r.end = outer;
  return desc;
}

const STATUS_REASON = enumeration({ vacancy_down: 3, vacancy_up: 4 });
// struct ofp_table_status { u8 reason; pad[7]; table desc }
const tableStatus: MessageRow<TableStatus> = {
  id: standard(31),
  versions: [5, 6],
  write: (w, m) => {
    w.u8(STATUS_REASON.numberOf(m.reason));
    w.skip(7);
    writeDesc(w, m.table);
  },
  read: (r) => {
    const n = r.u8();
    r.skip(7);
    return { kind: 'table_status', reason: STATUS_REASON.nameOf(n) ?? n, table: readDesc(r) };
  },
};

export const TABLE_ROWS = { table_mod: tableMod, table_status: tableStatus };

/** Properties of table features by their number: what they list, and about which packets. */
const FEATURES: Readonly<Record<number, readonly [TableFeature['of'], miss: boolean]>> = {
  0: ['instructions', false],
  1: ['instructions', true],
  2: ['next_tables', false],
  3: ['next_tables', true],
  4: ['write_actions', false],
  5: ['write_actions', true],
  6: ['apply_actions', false],
  7: ['apply_actions', true],
  8: ['match', false],
  10: ['wildcards', false],
  12: ['write_set_field', false],
  13: ['write_set_field', true],
  14: ['apply_set_field', false],
  15: ['apply_set_field', true],
};
const numberOfFeature = new Map(Object.entries(FEATURES).map(([n, [of, miss]]) => [`${of} ${miss}`, Number(n)]));

/** { u16 type, length; experimenters: more } */
function writeIds(w: ByteWriter, ids: readonly ActionId[]): void {
  for (const { type, body } of ids) {
    w.u16(type);
    w.u16(4 + (body?.length ?? 0));
    if (body !== undefined) w.raw(body);
  }
}
function readIds(r: ByteReader): ActionId[] {
  const ids: ActionId[] = [];
  while (r.pos < r.end) {
    const start = r.pos;
    const type = r.u16();
    const length = r.u16();
    if (length < 4 || length > r.end - start) r.fail(`id of ${length} bytes`, start);
    ids.push(length === 4 ? { type } : { type, body: r.copy(length - 4) });
  }
  return ids;
}
function readFields(r: ByteReader): FieldId[] {
  const fields: FieldId[] = [];
  while (r.pos < r.end) {
    const header = r.u32();
    const experimenter = header >>> 16 === 0xffff ? r.u32() : undefined;
    const field = fieldOfHeader(header, experimenter ?? 0)?.name;
    fields.push({
      ...(field && { field }),
      masked: (header & 0x100) !== 0,
      header,
      ...(experimenter !== undefined && { experimenter }),
    });
  }
  return fields;
}

function readFeature(r: ByteReader, type: number, length: number): TableFeature {
  const [of, miss] = FEATURES[type] ?? [undefined, false];
  switch (of) {
    case undefined:
    case 'unknown':
      return { of: 'unknown', type, body: r.copy(length) };
    case 'instructions':
    case 'write_actions':
    case 'apply_actions':
      return { of, miss, ids: readIds(r) };
    case 'next_tables':
      return { of, miss, tables: [...r.rest()] };
    default:
      return { of, miss, fields: readFields(r) };
  }
}
function writeFeature(w: ByteWriter, f: TableFeature): void {
  const type = f.of === 'unknown' ? f.type : (numberOfFeature.get(`${f.of} ${f.miss}`) ?? 0xffff);
  writeProperty(w, type, () => {
    if (f.of === 'unknown') w.raw(f.body);
    else if ('tables' in f) for (const table of f.tables) w.u8(table);
    else if ('ids' in f) writeIds(w, f.ids);
    else
      for (const { header, experimenter } of f.fields) {
        w.u32(header);
        if (experimenter !== undefined) w.u32(experimenter);
      }
  });
}

// struct ofp_table_features { u16 length; u8 table, command (1.5); u32 features (1.5); char name[32]; u64 metadata_match, metadata_write;
//   u32 capabilities, max_entries; properties }
function writeFeatures(w: ByteWriter, t: TableFeatures): void {
  const start = w.skip(2);
  w.u8(t.tableId);
  w.u8(t.command);
  w.u32(t.features);
  const name = w.skip(32);
  for (let i = 0; i < Math.min(t.name.length, 32); i++) w.setU8(name + i, t.name.charCodeAt(i));
  w.u64(t.metadataMatch);
  w.u64(t.metadataWrite);
  w.u32(t.capabilities);
  w.u32(t.maxEntries);
  for (const property of t.properties) writeFeature(w, property);
  w.closeLength(start, start, 'table features');
}
function readFeatures(r: ByteReader): TableFeatures {
  const outer = element(r, 64);
  r.skip(2);
  const head = {
    tableId: r.u8(),
    command: r.u8(),
    features: r.u32(),
    name: r.text(32),
    metadataMatch: r.u64(),
    metadataWrite: r.u64(),
    capabilities: r.u32(),
    maxEntries: r.u32(),
  };
  const properties: TableFeature[] = [];
  readProperties(r, (type) => {
    r.enter(properties.length);
    properties.push(readFeature(r, type, r.left));
    r.leave();
    return true;
  });
  r.end = outer;
  return { ...head, properties };
}

export const TABLE_MULTIPART: { readonly [T in 'table_desc' | 'table_features']: MultipartRow<T> } = {
  table_desc: {
    id: standard(14),
    versions: [5, 6],
    ...noRequest('table_desc'),
    write: writeDesc,
    read: readDesc,
  },
  table_features: {
    id: standard(12),
    writeRequest: (w, m) => {
      for (const table of m.tables) writeFeatures(w, table);
    },
    readRequest: (r) => {
      const tables: TableFeatures[] = [];
      while (r.pos < r.end) {
        r.enter(tables.length);
        tables.push(readFeatures(r));
        r.leave();
      }
      return { type: 'table_features', tables };
    },
    write: writeFeatures,
    read: readFeatures,
  },
};
