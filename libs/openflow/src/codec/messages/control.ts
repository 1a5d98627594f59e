import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import type { TlvMap, TlvTableMod, TlvTableReply } from './extension-types.js';
import { ROLE, ROLE_REASON } from './handshake.js';
import { readProperties, writeKept } from './properties.js';
import { enumeration, type MessageRow, nicira, onf, standard } from './row.js';
import type { MeterBand } from './structures.js';
import type { Message, MessageOf, MeterMod } from './types.js';

// Roles, asynchronous configuration, meters, and the small extensions of Open vSwitch.

// struct ofp_role_status { u32 role; u8 reason; pad[3]; u64 generation_id; properties }
const roleStatus: MessageRow<MessageOf<'role_status'>> = {
  id: standard(30),
  id13: onf(1911),
  write: (w, m) => {
    w.u32(ROLE.numberOf(m.role));
    w.u8(ROLE_REASON.numberOf(m.reason));
    w.skip(3);
    w.u64(m.generationId);
    writeKept(w, m.properties);
  },
  read: (r) => {
    const role = r.u32();
    const reason = r.u8();
    r.skip(3);
    const generationId = r.u64();
    const properties = readProperties(r, () => false);
    return {
      kind: 'role_status',
      role: ROLE.nameOf(role) ?? role,
      reason: ROLE_REASON.nameOf(reason) ?? reason,
      generationId,
      ...(properties && { properties }),
    };
  },
};

const METER_COMMAND = enumeration({ add: 0, modify: 1, delete: 2 });
const BAND = enumeration({ drop: 1, dscp_remark: 2 });

// struct ofp_meter_band { u16 type, len; u32 rate, burst_size; ... }
export function writeBands(w: ByteWriter, bands: readonly MeterBand[]): void {
  for (const band of bands) {
    const start = w.length;
    w.u16(BAND.numberOf(band.type));
    w.skip(2);
    w.u32(band.rate);
    w.u32(band.burstSize);
    if (band.body !== undefined) w.raw(band.body);
    else {
      w.u8(band.precLevel ?? 0);
      w.skip(3);
    }
    w.closeLength(start + 2, start, 'meter band');
  }
}
export function readBands(r: ByteReader): MeterBand[] {
  const bands: MeterBand[] = [];
  while (r.pos < r.end) {
    const start = r.pos;
    const n = r.u16();
    const length = r.u16();
    if (length < 12 || length > r.end - start) r.fail(`meter band of ${length} bytes`, start);
    const type = BAND.nameOf(n) ?? n;
    const rate = r.u32();
    const burstSize = r.u32();
    const body = r.copy(length - 12);
    if (type === 'drop' && length === 16) bands.push({ type, rate, burstSize });
    else if (type === 'dscp_remark' && length === 16)
      bands.push({ type, rate, burstSize, precLevel: body[0] as number });
    else bands.push({ type, rate, burstSize, body });
  }
  return bands;
}

// struct ofp_meter_mod { u16 command, flags; u32 meter_id; bands }
const meterMod: MessageRow<MeterMod> = {
  id: standard(29),
  write: (w, m) => {
    w.u16(METER_COMMAND.numberOf(m.command));
    w.u16(m.flags);
    w.u32(m.meterId);
    writeBands(w, m.bands);
  },
  read: (r) => {
    const n = r.u16();
    const command = METER_COMMAND.nameOf(n) ?? r.fail(`meter mod command ${n}`, r.pos - 2);
    return { kind: 'meter_mod', command, flags: r.u16(), meterId: r.u32(), bands: readBands(r) };
  },
};

const TLV_COMMAND = enumeration({ add: 0, delete: 1, clear: 2 });
// struct nx_tlv_map { u16 option_class; u8 option_type, option_len; u16 index; pad[2] }
const writeMaps = (w: ByteWriter, maps: readonly TlvMap[]): void => {
  for (const map of maps) {
    w.u16(map.optionClass);
    w.u8(map.optionType);
    w.u8(map.optionLength);
    w.u16(map.index);
    w.skip(2);
  }
};
const readMaps = (r: ByteReader): TlvMap[] => {
  const maps: TlvMap[] = [];
  while (r.pos < r.end) {
    maps.push({ optionClass: r.u16(), optionType: r.u8(), optionLength: r.u8(), index: r.u16() });
    r.skip(2);
  }
  return maps;
};

// struct nx_tlv_table_mod { u16 command; pad[6]; maps }
const tlvTableMod: MessageRow<TlvTableMod> = {
  id: nicira(24),
  write: (w, m) => {
    w.u16(TLV_COMMAND.numberOf(m.command));
    w.skip(6);
    writeMaps(w, m.maps);
  },
  read: (r) => {
    const n = r.u16();
    const command = TLV_COMMAND.nameOf(n) ?? r.fail(`TLV table command ${n}`, r.pos - 2);
    r.skip(6);
    return { kind: 'tlv_table_mod', command, maps: readMaps(r) };
  },
};
// struct nx_tlv_table_reply { u32 max_option_space; u16 max_fields; reserved[10]; maps }
const tlvTableReply: MessageRow<TlvTableReply> = {
  id: nicira(26),
  write: (w, m) => {
    w.u32(m.maxOptionSpace);
    w.u16(m.maxFields);
    w.skip(10);
    writeMaps(w, m.maps);
  },
  read: (r) => {
    const maxOptionSpace = r.u32();
    const maxFields = r.u16();
    r.skip(10);
    return { kind: 'tlv_table_reply', maxOptionSpace, maxFields, maps: readMaps(r) };
  },
};

/** { zero[6]; u16 } */
const tail16 = <M extends Message>(type: number, get: (m: M) => number, make: (n: number) => M): MessageRow<M> => ({
  id: nicira(type),
  write: (w, m) => {
    w.skip(6);
    w.u16(get(m));
  },
  read: (r) => {
    r.skip(6);
    return make(r.u16());
  },
});
const bare = <K extends 'flow_monitor_paused' | 'flow_monitor_resumed'>(
  kind: K,
  type: number,
): MessageRow<{ readonly kind: K }> => ({
  id: onf(type),
  write: () => {},
  read: () => ({ kind }),
});

export const CONTROL_ROWS = {
  role_status: roleStatus,
  meter_mod: meterMod,
  tlv_table_mod: tlvTableMod,
  tlv_table_reply: tlvTableReply,
  set_packet_in_format: {
    id: nicira(16),
    write: (w, m) => w.u32(m.format),
    read: (r) => ({ kind: 'set_packet_in_format', format: r.u32() }),
  } as MessageRow<MessageOf<'set_packet_in_format'>>,
  set_controller_id: tail16<MessageOf<'set_controller_id'>>(
    20,
    (m) => m.id,
    (id) => ({ kind: 'set_controller_id', id }),
  ),
  ct_flush_zone: tail16<MessageOf<'ct_flush_zone'>>(
    29,
    (m) => m.zone,
    (zone) => ({ kind: 'ct_flush_zone', zone }),
  ),
  flow_monitor_cancel: {
    id: onf(1870),
    write: (w, m) => w.u32(m.id),
    read: (r) => ({ kind: 'flow_monitor_cancel', id: r.u32() }),
  } as MessageRow<MessageOf<'flow_monitor_cancel'>>,
  flow_monitor_paused: bare('flow_monitor_paused', 1871),
  flow_monitor_resumed: bare('flow_monitor_resumed', 1872),
};
