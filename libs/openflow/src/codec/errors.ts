/** Thrown by every decoder, and nothing else is: `path` names the place in the peer's terms, `offset` counts bytes from the start of the message. */
export class OpenFlowDecodeError extends Error {
  override readonly name = 'OpenFlowDecodeError';
  readonly code = 'OF_DECODE';
  constructor(
    readonly path: string,
    readonly offset: number,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${path} at byte ${offset}: ${reason}`, options);
  }
}

/** Thrown when a value cannot be said in the chosen version, or does not fit its field or a 16-bit length. */
export class OpenFlowEncodeError extends Error {
  override readonly name = 'OpenFlowEncodeError';
  readonly code = 'OF_ENCODE';
  constructor(
    readonly path: string,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${reason}`, options);
  }
}

/** Thrown by the text parsers: `text` is what was being read and `at` the index of the offending character. */
export class OpenFlowTextError extends Error {
  override readonly name = 'OpenFlowTextError';
  readonly code = 'OF_TEXT';
  constructor(
    readonly text: string,
    readonly at: number,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${reason} (at ${at} in "${text}")`, options);
  }
}
