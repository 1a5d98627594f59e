import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO, fieldOfExactHeader } from '../fields/info.js';
import type { Subfield } from '../fields/match.js';
import { subfieldOf } from '../fields/oxm.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';

/** The 32-bit header of a subfield's field; fields of experimenters do not fit these actions. */
export function writeHeader32(w: ByteWriter, s: Subfield): void {
  const { first } = FIELD_INFO[s.field];
  if (first.experimenter !== 0)
    throw new OpenFlowEncodeError(s.field, 'this action cannot name a field of an experimenter');
  w.u32(first.header);
}
/** The reverse; undefined if the field is not known or has no such bits. */
export function readSubfield32(r: ByteReader, packed: number): Subfield | undefined {
  const header = r.u32();
  return subfieldOf(fieldOfExactHeader(header, 0), packed);
}
