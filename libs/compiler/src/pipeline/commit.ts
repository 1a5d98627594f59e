import type { Action, Nat } from 'openflow-ts/codec';
import { CT_LABEL, CT_MARK } from './constants.js';
import { subfield } from './registers.js';
import { TABLE_ID, type TableName } from './tables.js';

const ALLOWED = 1 << CT_MARK.allowed.bit;
const ENDED = 1 << CT_MARK.ended.bit;
const label = (at: { readonly lsb: number; readonly msb: number }) =>
  ({ field: 'ct_label', offset: at.lsb, bits: at.msb - at.lsb + 1 }) as const;

const markBit = (bit: number) => ({ field: 'ct_mark', offset: bit, bits: 1 }) as const;

const EXEC: readonly Action[] = [
  { kind: 'set_field', field: 'ct_mark', value: ALLOWED, mask: ALLOWED | ENDED },
  { kind: 'move', source: subfield('egressStrict'), target: markBit(CT_MARK.egressStrict.bit) },
  { kind: 'move', source: subfield('ingressStrict'), target: markBit(CT_MARK.ingressStrict.bit) },
  { kind: 'move', source: subfield('egressRule'), target: label(CT_LABEL.egressRule) },
  { kind: 'move', source: subfield('ingressRule'), target: label(CT_LABEL.ingressRule) },
];

/** Takes "allowed" away from a connection that policy denies by now, so that its answers are dropped too. */
export const cut: Action = {
  kind: 'ct',
  commit: true,
  zone: subfield('vpc'),
  exec: [{ kind: 'set_field', field: 'ct_mark', value: 0, mask: ALLOWED }],
};

/** The same for good: it is not taken up again where policy would allow it anew. */
export const end: Action = {
  kind: 'ct',
  commit: true,
  zone: subfield('vpc'),
  exec: [{ kind: 'set_field', field: 'ct_mark', value: ENDED, mask: ALLOWED | ENDED }],
};

/**
 * Remembers a connection that nothing concerns while the packet goes on in the same pass. Before that it is translated as the
 * connection has it: one that was opened through a service lasts longer than its backend need be an endpoint. In two actions:
 * the userspace datapath (Open vSwitch 3.1) translates new connections to the address 0 when `nat` says nothing in a commit.
 */
export const commitInPlace: readonly Action[] = [
  { kind: 'ct', zone: subfield('vpc'), nat: {} },
  { kind: 'ct', commit: true, zone: subfield('vpc'), exec: EXEC },
];

/** Remembers an allowed connection and the rules that allowed it; with `nat`, its translation too. */
export const commit = (next: TableName, nat?: Nat): Action => ({
  kind: 'ct',
  commit: true,
  zone: subfield('vpc'),
  table: TABLE_ID[next],
  ...(nat === undefined ? {} : { nat }),
  exec: EXEC,
});
