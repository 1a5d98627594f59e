/** What one connection may keep waiting. */
export interface StreamLimits {
  /** Longer messages are counted through and not read. */
  readonly messageBytes: number;
  /** Data behind a gap, from the gap on; beyond that the connection is lost. */
  readonly aheadBytes: number;
  /** Segments behind a gap. */
  readonly aheadSegments: number;
}
export const STREAM_LIMITS: StreamLimits = { messageBytes: 16_384, aheadBytes: 16_384, aheadSegments: 32 };

/** A shorter message has no header (RFC 1035, 4.1.1). */
const MIN_MESSAGE_BYTES = 12;

/** Data of one direction of a TCP connection, as one segment carries it. */
export interface StreamPiece {
  /** Sequence number of its first byte. */
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** Nothing comes behind. */
  readonly last?: boolean;
}

/**
 * DNS messages of one direction of a TCP connection (RFC 7766, 8: each behind its length in two bytes), however they are cut
 * into segments and in whatever order these come, as long as every byte is counted from the very first: whoever asks for it
 * may choose what stands inside of a message and where segments break, so a message may only begin where the one before ends.
 */
export class MessageStream {
  private next: number;
  private end: number | undefined;
  /** First byte of a length whose second has not come. */
  private high: number | undefined;
  /** A message that has not come whole. */
  private partial: { readonly bytes: Uint8Array; filled: number } | undefined;
  /** Bytes left of a message that is too long. */
  private skip = 0;
  /** Pieces behind a gap. */
  private ahead: StreamPiece[] = [];
  private broken = false;

  /** @param first sequence number of the first byte */
  constructor(
    readonly first: number,
    private readonly limits: StreamLimits = STREAM_LIMITS,
  ) {
    this.next = first;
  }

  /** `lost`: too much is missing, or it is no DNS. Nothing is read any more after `ended` and `lost`. */
  get state(): 'open' | 'ended' | 'lost' {
    if (this.broken) return 'lost';
    return this.next === this.end ? 'ended' : 'open';
  }

  /** Gives the messages that are whole now; they may be parts of the given bytes. */
  take({ sequence, bytes, last = false }: StreamPiece): readonly Uint8Array[] {
    if (this.state !== 'open') return [];
    const offset = distance(this.next, sequence);
    if (last && this.end === undefined && offset + bytes.length >= 0) this.end = (sequence + bytes.length) >>> 0;
    if (offset > 0) {
      this.keep(offset, { sequence, bytes });
      return [];
    }
    const messages: Uint8Array[] = [];
    this.read(bytes.subarray(-offset), messages);
    // What was behind the gap may follow now; there are few.
    for (;;) {
      const at = this.ahead.findIndex((p) => distance(this.next, p.sequence) <= 0);
      const [piece] = at < 0 ? [] : this.ahead.splice(at, 1);
      if (piece === undefined || this.broken) break;
      this.read(piece.bytes.subarray(-distance(this.next, piece.sequence)), messages);
    }
    if (this.broken) this.forget();
    return messages;
  }

  private keep(offset: number, { sequence, bytes }: StreamPiece): void {
    if (bytes.length === 0 || this.ahead.some((p) => p.sequence === sequence && p.bytes.length >= bytes.length)) return;
    const { aheadBytes, aheadSegments } = this.limits;
    if (offset + bytes.length > aheadBytes || this.ahead.length >= aheadSegments) this.forget();
    // A copy: the bytes are part of something larger that is read over soon.
    else this.ahead.push({ sequence, bytes: bytes.slice() });
  }

  private forget(): void {
    this.broken = true;
    this.ahead = [];
    this.partial = undefined;
  }

  private read(bytes: Uint8Array, messages: Uint8Array[]): void {
    this.next = (this.next + bytes.length) >>> 0;
    for (let at = 0; at < bytes.length; ) {
      const left = bytes.length - at;
      if (this.skip > 0) {
        const taken = Math.min(this.skip, left);
        this.skip -= taken;
        at += taken;
      } else if (this.partial !== undefined) {
        const { bytes: message, filled } = this.partial;
        const taken = Math.min(message.length - filled, left);
        message.set(bytes.subarray(at, at + taken), filled);
        this.partial.filled += taken;
        at += taken;
        if (filled + taken < message.length) return;
        messages.push(message);
        this.partial = undefined;
      } else if (this.high === undefined) {
        this.high = bytes[at++] ?? 0;
      } else {
        const length = this.high * 256 + (bytes[at++] ?? 0);
        this.high = undefined;
        if (length < MIN_MESSAGE_BYTES) {
          this.broken = true;
          return;
        }
        if (length > this.limits.messageBytes) this.skip = length;
        else if (length > bytes.length - at) this.partial = { bytes: new Uint8Array(length), filled: 0 };
        else {
          messages.push(bytes.subarray(at, at + length));
          at += length;
        }
      }
    }
  }
}

/** From one sequence number to another, on the shorter way round (RFC 9293, 3.4); negative: back. */
const distance = (from: number, to: number): number => (to - from) | 0;
