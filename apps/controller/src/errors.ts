import type { ApiErrorCode } from '@heddle/api';

/** A request that cannot be granted, in the words of the API's error codes; the HTTP edge adds the status. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly code: ApiErrorCode,
    message: string,
    readonly details: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What was thrown, as an Error. */
export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
