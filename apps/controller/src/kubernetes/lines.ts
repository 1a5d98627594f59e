const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines. A line may come in any number of pieces. */
export class Lines {
  private pieces: Buffer[] = [];
  private length = 0;

  constructor(
    /** A longer line is an error of the peer's. */
    private readonly maxLength: number,
    private readonly line: (text: string) => void,
  ) {}

  /** @throws RangeError if a line is too long */
  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const piece = chunk.subarray(from, end);
      from = end + 1;
      const text = this.pieces.length === 0 ? piece.toString() : Buffer.concat([...this.pieces, piece]).toString();
      this.pieces = [];
      this.length = 0;
      if (text !== '') this.line(text);
    }
    if (from === chunk.length) return;
    this.length += chunk.length - from;
    if (this.length > this.maxLength) throw new RangeError(`a line of more than ${this.maxLength} bytes`);
    this.pieces.push(chunk.subarray(from));
  }
}
