import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import type { MultipartElements, MultipartRequest, MultipartType } from './multipart-types.js';
import type { MessageId } from './row.js';

export type RequestOf<T> = Extract<MultipartRequest, { type: T }>;
export type KnownType = Exclude<MultipartType, 'unknown'>;

/** A kind of multipart: the request's body, and one element of the reply. */
export interface MultipartRow<T extends KnownType> {
  readonly id: MessageId;
  /** Where 1.3 has it as an extension of ONF. */
  readonly id13?: MessageId;
  /** The versions that have it, where not all do. */
  readonly versions?: readonly WireVersion[];
  writeRequest(w: ByteWriter, m: RequestOf<T>, version: WireVersion): void;
  readRequest(r: ByteReader, version: WireVersion): Omit<RequestOf<T>, 'kind' | 'more'>;
  write(w: ByteWriter, e: MultipartElements[T], version: WireVersion): void;
  read(r: ByteReader, version: WireVersion): MultipartElements[T];
}

/** A request without a body. */
export const noRequest = <
  T extends
    | 'desc'
    | 'table'
    | 'group_features'
    | 'meter_features'
    | 'table_desc'
    | 'ipfix_bridge'
    | 'ipfix_flow'
    | 'controller_status',
>(
  type: T,
) => ({
  writeRequest: () => {},
  readRequest: () => ({ type }) as Omit<RequestOf<T>, 'kind' | 'more'>,
});
/** A u32 and four bytes of padding. */
export const oneNumber = <T extends KnownType>(
  get: (m: RequestOf<T>) => number,
  make: (n: number) => Omit<RequestOf<T>, 'kind' | 'more'>,
) => ({
  writeRequest: (w: ByteWriter, m: RequestOf<T>) => {
    w.u32(get(m));
    w.skip(4);
  },
  readRequest: (r: ByteReader) => {
    const n = r.u32();
    r.skip(4);
    return make(n);
  },
});

/** Reads the length of an element at its beginning and narrows to it. Returns the outer end. */
export function element(r: ByteReader, least: number, lengthAt = 0): number {
  const start = r.pos;
  r.need(lengthAt + 2);
  const length = r.peekU16(start + lengthAt);
  if (length < least || length > r.end - start) r.fail(`element of ${length} bytes, ${r.end - start} left`, start);
  const outer = r.end;
  r.end = start + length;
  return outer;
}
