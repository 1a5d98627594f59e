import { ApiError, type ApiErrorCode } from '@heddle/api';
import { ConnectionError, TimeoutError } from 'ovsdb-client';
import { CNI_CODE, type CniCode, CniError } from '../cni/errors.js';
import { CommandError } from '../host/command.js';
import { PortError } from '../ovs/pod-ports.js';

/** What the controller's reasons mean to a container runtime. */
const CODE_OF: Readonly<Record<ApiErrorCode, CniCode>> = {
  bad_request: CNI_CODE.refused,
  unauthorized: CNI_CODE.refused,
  forbidden: CNI_CODE.refused,
  not_found: CNI_CODE.refused,
  // The pod's manifest may be on its way.
  unknown_pod: CNI_CODE.tryAgainLater,
  // The agent registers again by itself.
  unknown_node: CNI_CODE.tryAgainLater,
  conflict: CNI_CODE.conflict,
  pool_exhausted: CNI_CODE.poolExhausted,
  timeout: CNI_CODE.tryAgainLater,
  unavailable: CNI_CODE.tryAgainLater,
  internal: CNI_CODE.refused,
};

/** The one place where failures of the parts become what the container runtime sees. `doing` starts the sentence. */
export function toCniError(doing: string, error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof ApiError) {
    const why = error.code === 'pool_exhausted' ? `the address pool is exhausted: ${error.message}` : error.message;
    return new CniError(CODE_OF[error.code], `${doing}: ${why}`, error.details.join('; '), { cause: error });
  }
  if (error instanceof PortError)
    return new CniError(
      isTransient(error.cause) ? CNI_CODE.tryAgainLater : CNI_CODE.switchPort,
      `${doing}: ${error.message}`,
      '',
      { cause: error },
    );
  if (error instanceof CommandError)
    return new CniError(CNI_CODE.link, `${doing}: ${error.message}`, error.stderr, { cause: error });
  return new CniError(CNI_CODE.internal, `${doing}: ${String(error)}`, '', { cause: error });
}

/** A database or switch that does not answer, as against one that refuses. */
const isTransient = (cause: unknown): boolean => cause instanceof ConnectionError || cause instanceof TimeoutError;
