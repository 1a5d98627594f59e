/** RFC 7047 §3.1 error strings, and those that ovsdb-server adds. Any other string that a server sends is kept as it is. */
export type OvsdbErrorCode =
  | 'aborted'
  | 'bad request'
  | 'canceled'
  | 'constraint violation'
  | 'domain error'
  | 'duplicate uuid name'
  | 'I/O error'
  | 'not allowed'
  | 'not leader'
  | 'not owner'
  | 'not supported'
  | 'permission error'
  | 'range error'
  | 'referential integrity violation'
  | 'resources exhausted'
  | 'syntax error'
  | 'timed out'
  | 'unknown column'
  | 'unknown database'
  | 'unknown method'
  | 'unknown table'
  | (string & {});

/** The server answered, and the answer is an error. `code` is the server's error string (RFC 7047 §3.1). */
export class OvsdbError extends Error {
  override readonly name = 'OvsdbError';
  /** The server's error string, for example `constraint violation`. */
  readonly code: OvsdbErrorCode;
  /** The server's explanation, if it gave one. */
  readonly details: string | undefined;
  /** Index of the failed operation; equal to the number of operations when the commit itself failed. */
  readonly operation: number | undefined;

  constructor(code: OvsdbErrorCode, details?: string, operation?: number, options?: ErrorOptions) {
    const where = operation === undefined ? '' : `operation ${operation}: `;
    super(`${where}${code}${details === undefined ? '' : `: ${details}`}`, options);
    this.code = code;
    this.details = details;
    this.operation = operation;
  }
}

/**
 * What is known about a call that ended without an answer.
 * `not-sent`: the server never saw it. `unknown`: it may or may not have happened; read back before repeating it.
 * `committed`: the database has the change, but ovs-vswitchd was not seen to apply it.
 */
export type Outcome = 'not-sent' | 'unknown' | 'committed';

/** The connection could not be made, was lost, or is closed. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code = 'OVSDB_CONNECTION';
  readonly outcome: Outcome;

  constructor(message: string, outcome: Outcome = 'not-sent', options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** A call reached its deadline. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  readonly code = 'OVSDB_TIMEOUT';
  readonly outcome: Outcome;
  /** The deadline in milliseconds. */
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number, outcome: Outcome) {
    super(`${what}: no answer within ${timeoutMs} ms (outcome: ${outcome})`);
    this.timeoutMs = timeoutMs;
    this.outcome = outcome;
  }
}

/** A value, schema or message does not follow the notation of RFC 7047. `path` says where. */
export class NotationError extends Error {
  override readonly name = 'NotationError';
  readonly code = 'OVSDB_NOTATION';
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options);
    this.path = path;
  }
}

/** One interface that ovs-vswitchd did not realize. */
export interface FailedInterface {
  readonly uuid: string;
  readonly name: string;
  /** Text of the `error` column, or our own words where ovs-vswitchd left it empty. */
  readonly error: string;
}

/** The transaction is committed, but ovs-vswitchd could not realize an inserted Interface. The rows stay until deleted. */
export class InterfaceError extends Error {
  override readonly name = 'InterfaceError';
  readonly code = 'OVSDB_INTERFACE';
  readonly outcome: Outcome = 'committed';
  readonly interfaces: readonly FailedInterface[];

  constructor(interfaces: readonly FailedInterface[]) {
    super(interfaces.map((i) => `interface ${i.name}: ${i.error}`).join('; '));
    this.interfaces = interfaces;
  }
}
