import type { FIELDS, FieldName, ValueOf } from './table.js';

/** An OXM that this library does not know: header (class, field, hasmask) and payload as they came. */
export interface UnknownOxm {
  readonly oxmClass: number;
  readonly field: number;
  readonly hasMask: boolean;
  /** Everything after the 4-byte header, an experimenter id included. */
  readonly body: Uint8Array;
}

type Matched<F extends FieldName> = (typeof FIELDS)[F]['mask'] extends 'bitwise'
  ? ValueOf<F> | readonly [value: ValueOf<F>, mask: ValueOf<F>]
  : ValueOf<F>;

/**
 * A match: values by field name, `[value, mask]` where the field can be masked. Prerequisites are stated by the caller
 * (`{ eth_type: 0x800, nw_proto: 6, tcp_dst: 80 }`). `vlan_vid` carries 0x1000 for "a tag is present".
 */
export type Match = { readonly [F in FieldName]?: Matched<F> } & {
  readonly unknown?: readonly UnknownOxm[];
  /** Wire length in bytes of tun_metadata fields, where it is not the shortest that holds value and mask. */
  readonly tlvBytes?: { readonly [F in FieldName]?: number };
};

/** A run of bits inside a field. */
export interface Subfield {
  readonly field: FieldName;
  readonly offset: number;
  readonly bits: number;
}
