import { z } from 'zod';

/** Machine-readable reasons of a refused API request; the HTTP status says the class, the code says which. */
export const API_ERROR_CODES = [
  'bad_request', // 400: the request does not fit its schema
  'unauthorized', // 401: no or wrong bearer token
  'forbidden', // 403: the caller is known, and may not do this
  'not_found', // 404: no such node, pod, service ...
  'unknown_pod', // 404: attach for a pod that the source does not have (yet)
  'unknown_node', // 404: attach from a node that has not registered
  'conflict', // 409: the thing exists with other properties
  'pool_exhausted', // 409: no free address, block, ofport ... the message says which pool
  'timeout', // 504: not acknowledged by the switch in the time given
  'unavailable', // 503: starting, or the source is not in sync
  'internal', // 500
] as const;
export type ApiErrorCode = (typeof API_ERROR_CODES)[number];

/** Body of every response with status >= 400. */
export const ErrorBody = z.object({
  code: z.enum(API_ERROR_CODES),
  message: z.string(),
  details: z.array(z.string()).optional(),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

/** A request that the controller refused (`status` >= 400) or that did not reach it (`status` 0, code 'unavailable'). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly code: ApiErrorCode,
    readonly status: number,
    message: string,
    readonly details: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
