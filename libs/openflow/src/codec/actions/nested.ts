import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO, fieldOfExactHeader } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { ofsNbits, subfieldOf } from '../fields/oxm.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { type ActionContext, type ActionForm, type ActionRow, nx, variable } from './row.js';
import type { Action, ActionOf, IpValue, Nat } from './types.js';

// ct, its nat, and clone: actions that hold actions.

// struct nx_action_conntrack { u16 flags; u32 zone_src; u16 zone_imm | ofs_nbits; u8 recirc_table; pad[3]; u16 alg; actions[] }
const CT = { COMMIT: 1, FORCE: 2, NO_TABLE: 0xff } as const;

const ctForm: ActionForm<ActionOf<'ct'>> = variable(
  nx(
    35,
    24,
    (w: ByteWriter, a: ActionOf<'ct'>, ctx: ActionContext) => {
      w.u16((a.commit ? CT.COMMIT : 0) | (a.force ? CT.FORCE : 0));
      const zone = a.zone ?? 0;
      if (typeof zone === 'number') {
        w.u32(0);
        w.u16(zone);
      } else {
        const { first } = FIELD_INFO[zone.field];
        if (first.experimenter !== 0)
          throw new OpenFlowEncodeError('ct.zone', `${zone.field} is a field of an experimenter`);
        w.u32(first.header);
        w.u16(ofsNbits(zone));
      }
      w.u8(a.table ?? CT.NO_TABLE);
      w.skip(3);
      w.u16(a.alg ?? 0);
      if (a.nat !== undefined) ctx.writeActions(w, [{ kind: 'nat', nat: a.nat }]);
      if (a.exec !== undefined) ctx.writeActions(w, a.exec);
    },
    (r: ByteReader, ctx: ActionContext) => {
      const flags = r.u16();
      const source = r.u32();
      const packed = r.u16();
      const table = r.u8();
      r.skip(3);
      const alg = r.u16();
      let zone: number | Subfield | undefined = packed;
      if (source !== 0) zone = subfieldOf(fieldOfExactHeader(source, 0), packed);
      if (zone === undefined || flags > 3) return undefined;
      const nested = ctx.readActions(r);
      const nat = nested[0]?.kind === 'nat' ? nested[0].nat : undefined;
      const exec: Action[] = nat === undefined ? nested : nested.slice(1);
      const ct: { -readonly [K in keyof ActionOf<'ct'>]: ActionOf<'ct'>[K] } = { kind: 'ct' };
      if (flags & CT.COMMIT) ct.commit = true;
      if (flags & CT.FORCE) ct.force = true;
      if (zone !== 0) ct.zone = zone;
      if (table !== CT.NO_TABLE) ct.table = table;
      if (alg !== 0) ct.alg = alg;
      if (nat !== undefined) ct.nat = nat;
      if (exec.length > 0) ct.exec = exec;
      return ct;
    },
  ),
);

// struct nx_action_nat { pad[2]; u16 flags; u16 range_present; [ipv4 min][ipv4 max][ipv6 min][ipv6 max][port min][port max]; pad }
const NAT = { SRC: 1, DST: 2, PERSISTENT: 4, HASH: 8, RANDOM: 16 } as const;
const RANGE = { IPV4_MIN: 1, IPV4_MAX: 2, IPV6_MIN: 4, IPV6_MAX: 8, PORT_MIN: 16, PORT_MAX: 32 } as const;

function writeNat(w: ByteWriter, nat: Nat): void {
  w.skip(2);
  w.u16(
    (nat.type === 'src' ? NAT.SRC : nat.type === 'dst' ? NAT.DST : 0) |
      (nat.persistent ? NAT.PERSISTENT : 0) |
      (nat.hash ? NAT.HASH : 0) |
      (nat.random ? NAT.RANDOM : 0),
  );
  const { ip, port } = nat;
  if (ip?.max !== undefined && ip.max.family !== ip.min.family)
    throw new OpenFlowEncodeError('nat', 'range of two families');
  let present = 0;
  if (ip !== undefined) {
    const v4 = ip.min.family === 4;
    present |= v4 ? RANGE.IPV4_MIN : RANGE.IPV6_MIN;
    if (ip.max !== undefined) present |= v4 ? RANGE.IPV4_MAX : RANGE.IPV6_MAX;
  }
  if (port !== undefined) present |= RANGE.PORT_MIN | (port.max === undefined ? 0 : RANGE.PORT_MAX);
  w.u16(present);
  if (ip !== undefined) {
    writeIp(w, ip.min);
    if (ip.max !== undefined) writeIp(w, ip.max);
  }
  if (port !== undefined) {
    w.u16(port.min);
    if (port.max !== undefined) w.u16(port.max);
  }
}
const writeIp = (w: ByteWriter, ip: IpValue): void => (ip.family === 4 ? w.u32(ip.value) : w.big(ip.value, 16));

function readNat(r: ByteReader): Nat | undefined {
  r.skip(2);
  const flags = r.u16();
  const present = r.u16();
  const v4 = (present & 3) !== 0;
  const v6 = (present & 12) !== 0;
  // A range of both families, a maximum without its minimum, or flags from the future: not ours to interpret.
  if ((v4 && v6) || flags > 31 || present > 63 || (flags & 3) === 3) return undefined;
  if ((present & 3) === 2 || (present & 12) === 8 || (present & 48) === 32) return undefined;
  let ip: Nat['ip'];
  if (v4) {
    const min = { family: 4, value: r.u32() } as const;
    ip = present & RANGE.IPV4_MAX ? { min, max: { family: 4, value: r.u32() } } : { min };
  } else if (v6) {
    const min = { family: 6, value: r.big(16) } as const;
    ip = present & RANGE.IPV6_MAX ? { min, max: { family: 6, value: r.big(16) } } : { min };
  }
  let port: Nat['port'];
  if (present & RANGE.PORT_MIN) {
    const min = r.u16();
    port = present & RANGE.PORT_MAX ? { min, max: r.u16() } : { min };
  }
  const nat: { -readonly [K in keyof Nat]: Nat[K] } = {};
  if (flags & NAT.SRC) nat.type = 'src';
  else if (flags & NAT.DST) nat.type = 'dst';
  if (ip !== undefined) nat.ip = ip;
  if (port !== undefined) nat.port = port;
  if (flags & NAT.PERSISTENT) nat.persistent = true;
  if (flags & NAT.HASH) nat.hash = true;
  if (flags & NAT.RANDOM) nat.random = true;
  return nat;
}

const natForm: ActionForm<ActionOf<'nat'>> = variable(
  nx(
    36,
    16,
    (w: ByteWriter, a: ActionOf<'nat'>) => writeNat(w, a.nat),
    (r: ByteReader) => {
      const nat = readNat(r);
      return nat && { kind: 'nat', nat };
    },
  ),
);

/** { pad[6]; actions[] } */
const cloneForm: ActionForm<ActionOf<'clone'>> = variable(
  nx(
    42,
    16,
    (w: ByteWriter, a: ActionOf<'clone'>, ctx: ActionContext) => {
      w.skip(6);
      ctx.writeActions(w, a.actions);
    },
    (r: ByteReader, ctx: ActionContext) => {
      r.skip(6);
      return { kind: 'clone', actions: ctx.readActions(r) };
    },
  ),
);

export const NESTING_ACTIONS: { readonly [K in 'ct' | 'nat' | 'clone']: ActionRow<ActionOf<K>> } = {
  ct: { forms: [ctForm] },
  nat: { forms: [natForm] },
  clone: { forms: [cloneForm] },
};
