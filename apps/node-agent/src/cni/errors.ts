/** Error codes of the CNI specification (§5 "Error") and, from 100 on, ours. */
export const CNI_CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: ADD cannot be served. */
  unavailable: 50,
  /** STATUS: ADD cannot be served, and existing containers may have limited connectivity. */
  limitedConnectivity: 51,
  /** The controller has no address, block or port number left. */
  poolExhausted: 100,
  /** The interface exists already, or the attachment exists with other properties. */
  conflict: 101,
  /** A link, address or route could not be set up. */
  link: 102,
  /** Open vSwitch did not take the port. */
  switchPort: 103,
  /** CHECK found something else than what ADD had made. */
  checkFailed: 104,
  /** The controller refused the request. */
  refused: 105,
  internal: 199,
} as const;
export type CniCode = (typeof CNI_CODE)[keyof typeof CNI_CODE];

/** A failure as the runtime gets to see it: a code, a sentence, and more for a person who looks closer. */
export class CniError extends Error {
  override readonly name = 'CniError';
  constructor(
    readonly code: CniCode,
    message: string,
    readonly details = '',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The error object that a plugin prints (CNI specification §5 "Error"). */
export function formatError(cniVersion: string, error: CniError): string {
  return JSON.stringify({ cniVersion, code: error.code, msg: error.message, details: error.details });
}
