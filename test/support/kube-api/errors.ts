import type { Cause } from './types.ts';

/** What a `Status` says of the object that it is about. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

/** An answer of the API that is an error; `toStatus` is its body (meta/v1 Status). */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** Where an expired list may go on, at the price of consistency. */
  readonly continueToken: string | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, continueToken?: string) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.continueToken = continueToken;
  }

  toStatus(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

/** The resource that an error is about. */
export interface Subject {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

export const qualified = (s: Subject): string => (s.group === '' ? s.plural : `${s.plural}.${s.group}`);
const about = (s: Subject, name: string) => ({ name, ...(s.group === '' ? {} : { group: s.group }), kind: s.plural });

export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message);
export const unauthorized = () => new StatusError(401, 'Unauthorized', 'Unauthorized');
export const forbidden = (s: Subject, name: string, why: string, causes?: readonly Cause[]) =>
  new StatusError(403, 'Forbidden', `${qualified(s)} "${name}" is forbidden: ${why}`, {
    ...about(s, name),
    ...(causes === undefined ? {} : { causes }),
  });
export const notFound = (s: Subject, name: string) =>
  new StatusError(404, 'NotFound', `${qualified(s)} "${name}" not found`, about(s, name));
/** No such path. */
export const noSuchPath = () => new StatusError(404, 'NotFound', 'the server could not find the requested resource');
export const methodNotAllowed = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
export const alreadyExists = (s: Subject, name: string) =>
  new StatusError(409, 'AlreadyExists', `${qualified(s)} "${name}" already exists`, about(s, name));
export const conflict = (s: Subject, name: string, why: string) =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(s)} "${name}": ${why}`,
    about(s, name),
  );
export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';
export const tooOld = (wanted: number, current: number) =>
  new StatusError(410, 'Expired', `too old resource version: ${wanted} (${current})`);
export const unsupportedMediaType = (accepted: readonly string[]) =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
/** 422 with one cause a field, as the real server words it. */
export function invalid(s: Subject, name: string, causes: readonly Cause[]): StatusError {
  const lines = causes.map((c) => `${c.field}: ${c.message}`);
  const list = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  const kind = s.group === '' ? s.kind : `${s.kind}.${s.group}`;
  const details = { name, ...(s.group === '' ? {} : { group: s.group }), kind: s.kind, causes };
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${list}`, details);
}

export const cause = {
  required: (field: string, message = ''): Cause => ({
    reason: 'FieldValueRequired',
    message: `Required value${message === '' ? '' : `: ${message}`}`,
    field,
  }),
  invalid: (field: string, value: unknown, message: string): Cause => ({
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
    field,
  }),
  type: (field: string, value: unknown, message: string): Cause => ({
    reason: 'FieldValueTypeInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
    field,
  }),
  forbidden: (field: string, message: string): Cause => ({
    reason: 'FieldValueForbidden',
    message: `Forbidden: ${message}`,
    field,
  }),
  unsupported: (field: string, value: unknown, allowed: readonly unknown[]): Cause => ({
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${allowed.map((v) => JSON.stringify(v)).join(', ')}`,
    field,
  }),
  duplicate: (field: string, value: unknown): Cause => ({
    reason: 'FieldValueDuplicate',
    message: `Duplicate value: ${JSON.stringify(value)}`,
    field,
  }),
};
