import { PORT, portFrom16, portTo16 } from '../ports.js';
import { CONTROLLER_ACTIONS } from './nicira-controller.js';
import { NICIRA_FIELD_ACTIONS } from './nicira-fields.js';
import { SPREAD_ACTIONS } from './nicira-spread.js';
import { type ActionForm, type ActionRow, nx, variable } from './row.js';
import type { ActionOf } from './types.js';

// Open vSwitch's extensions: header { u16 0xffff; u16 len; u32 0x2320; u16 subtype }, then what each row says.
// Facts: ovs lib/ofp-actions.c, declarations of struct nx_action_*.

type Simple = 'pop_queue' | 'exit' | 'ct_clear' | 'dec_nsh_ttl' | 'debug_recirc' | 'debug_slow';
const bare = <K extends Simple>(type: number, kind: K): ActionRow<{ readonly kind: K }> => ({
  forms: [
    nx(
      type,
      16,
      (w) => void w.skip(6),
      () => ({ kind }),
    ),
  ],
});

const RESUBMIT_TABLE = 14;
/** { u16 in_port; u8 table; pad[3] }; without a table the oldest form, with the connection's tuple 44 */
const resubmitForm = (type: number): ActionForm<ActionOf<'resubmit'>> =>
  nx(
    type,
    16,
    (w, a) => {
      w.u16(portTo16(a.port ?? PORT.IN_PORT));
      w.u8(type === 1 ? 0 : (a.table ?? 0xff));
      w.skip(3);
    },
    (r) => {
      const port = portFrom16(r.u16());
      const table = r.u8();
      const a: { -readonly [K in keyof ActionOf<'resubmit'>]: ActionOf<'resubmit'>[K] } = { kind: 'resubmit' };
      if (port !== PORT.IN_PORT) a.port = port;
      if (type !== 1 && table !== 0xff) a.table = table;
      if (type === 44) a.ct = true;
      if (type === 1) a.via = 'resubmit';
      return a;
    },
  );

/** { u16 clause (0-based u8), n_clauses u8; u32 id } */
const conjunctionForm = nx<ActionOf<'conjunction'>>(
  34,
  16,
  (w, a) => {
    w.u8(a.clause - 1);
    w.u8(a.of);
    w.u32(a.id);
  },
  (r) => {
    const clause = r.u8() + 1;
    const of = r.u8();
    return { kind: 'conjunction', id: r.u32(), clause, of };
  },
);

/** { u16 hdr_size; u32 packet_type; properties { u16 class; u8 type, len; value; pad } } */
const encapForm = variable(
  nx<ActionOf<'encap'>>(
    46,
    16,
    (w, a) => {
      w.u16(a.headerSize);
      w.u32(a.packetType);
      for (const { propClass, type, body } of a.properties) {
        const start = w.length;
        w.u16(propClass);
        w.u8(type);
        w.u8(body.length + 4);
        w.raw(body);
        w.align8(start);
      }
    },
    (r) => {
      const headerSize = r.u16();
      const packetType = r.u32();
      const properties = [];
      while (r.left > 0) {
        const start = r.pos;
        const propClass = r.u16();
        const type = r.u8();
        const length = r.u8();
        if (length < 4 || length > r.end - start) r.fail(`property of ${length} bytes`, start);
        properties.push({ propClass, type, body: r.copy(length - 4) });
        r.pos = Math.min(start + ((length + 7) & ~7), r.end);
      }
      return { kind: 'encap', packetType, headerSize, properties };
    },
  ),
);

const OTHER_ACTIONS: {
  readonly [K in
    | 'output_trunc'
    | 'resubmit'
    | 'conjunction'
    | 'encap'
    | 'decap'
    | 'write_metadata'
    | 'note'
    | 'set_tunnel'
    | 'set_tunnel64'
    | 'fin_timeout'
    | 'dec_ttl'
    | 'pop_queue'
    | 'exit'
    | 'ct_clear'
    | 'dec_nsh_ttl'
    | 'debug_slow'
    | 'debug_recirc']: ActionRow<ActionOf<K>>;
} = {
  output_trunc: {
    forms: [
      nx(
        39,
        16,
        (w, a) => {
          w.u16(portTo16(a.port));
          w.u32(a.maxLen);
        },
        (r) => ({ kind: 'output_trunc', port: portFrom16(r.u16()), maxLen: r.u32() }),
      ),
    ],
  },
  resubmit: {
    forms: [resubmitForm(1), resubmitForm(RESUBMIT_TABLE), resubmitForm(44)],
    pick: (a) => (a.ct ? 2 : a.via !== undefined && a.table === undefined ? 0 : 1),
  },
  conjunction: { forms: [conjunctionForm] },
  encap: { forms: [encapForm] },
  decap: {
    forms: [
      nx(
        47,
        16,
        (w, a) => {
          w.skip(2);
          w.u32(a.packetType);
        },
        (r) => {
          r.skip(2);
          return { kind: 'decap', packetType: r.u32() };
        },
      ),
    ],
  },
  write_metadata: {
    forms: [
      nx(
        22,
        32,
        (w, a) => {
          w.skip(6);
          w.u64(a.value);
          w.u64(a.mask);
        },
        (r) => {
          r.skip(6);
          return { kind: 'write_metadata', value: r.u64(), mask: r.u64() };
        },
      ),
    ],
  },
  note: {
    forms: [
      variable(
        nx(
          8,
          16,
          (w, a) => w.raw(a.data),
          (r) => ({ kind: 'note', data: r.rest() }),
        ),
      ),
    ],
  },
  set_tunnel: {
    forms: [
      nx(
        2,
        16,
        (w, a) => {
          w.skip(2);
          w.u32(a.id);
        },
        (r) => {
          r.skip(2);
          return { kind: 'set_tunnel', id: r.u32() };
        },
      ),
    ],
  },
  set_tunnel64: {
    forms: [
      nx(
        9,
        24,
        (w, a) => {
          w.skip(6);
          w.u64(a.id);
        },
        (r) => {
          r.skip(6);
          return { kind: 'set_tunnel64', id: r.u64() };
        },
      ),
    ],
  },
  fin_timeout: {
    forms: [
      nx(
        19,
        16,
        (w, a) => {
          w.u16(a.idleTimeout);
          w.u16(a.hardTimeout);
          w.skip(2);
        },
        (r) => ({ kind: 'fin_timeout', idleTimeout: r.u16(), hardTimeout: r.u16() }),
      ),
    ],
  },
  dec_ttl: {
    forms: [
      {
        experimenter: 0,
        type: 24,
        size: 8,
        variable: false,
        write: (w) => void w.skip(4),
        read: () => ({ kind: 'dec_ttl' }),
      },
      variable(
        nx(
          21,
          16,
          (w, a) => {
            const ids = a.controllerIds ?? [];
            w.u16(ids.length);
            w.skip(4);
            for (const id of ids) w.u16(id);
          },
          (r) => {
            const n = r.u16();
            r.skip(4);
            if (n * 2 > r.left) r.fail(`${n} controller ids do not fit`);
            const controllerIds: number[] = [];
            for (let i = 0; i < n; i++) controllerIds.push(r.u16());
            return { kind: 'dec_ttl', controllerIds };
          },
        ),
      ),
    ],
    pick: (a) => (a.controllerIds === undefined ? 0 : 1),
  },
  pop_queue: bare(5, 'pop_queue'),
  exit: bare(17, 'exit'),
  ct_clear: bare(43, 'ct_clear'),
  dec_nsh_ttl: bare(48, 'dec_nsh_ttl'),
  debug_slow: bare(254, 'debug_slow'),
  debug_recirc: bare(255, 'debug_recirc'),
};

export const NICIRA_ACTIONS = { ...NICIRA_FIELD_ACTIONS, ...CONTROLLER_ACTIONS, ...SPREAD_ACTIONS, ...OTHER_ACTIONS };
