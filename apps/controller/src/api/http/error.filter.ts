import { API_ERROR_CODES, type ApiErrorCode, type ErrorBody } from '@heddle/api';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { Logger } from 'pino';
import { Refusal } from '../../errors.js';
import type { HttpRequest, HttpResponse } from './operation.js';

const STATUS: Readonly<Record<ApiErrorCode, number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  unknown_pod: 404,
  unknown_node: 404,
  conflict: 409,
  pool_exhausted: 409,
  timeout: 504,
  unavailable: 503,
  internal: 500,
};

/** The one place where failures become HTTP answers. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const response = http.getResponse<HttpResponse>();
    const { status, body } = this.answer(error, request);
    if (response.headersSent) {
      response.end();
      return;
    }
    if (status === 401) response.setHeader('www-authenticate', 'Bearer');
    response.status(status).json(body);
  }

  private answer(error: unknown, request: HttpRequest): { status: number; body: ErrorBody } {
    if (error instanceof Refusal) {
      const { code, message, details } = error;
      return {
        status: STATUS[code],
        body: { code, message, ...(details.length > 0 ? { details: [...details] } : {}) },
      };
    }
    const status = statusOf(error);
    if (status === undefined || status >= 500) {
      this.logger.error({ event: 'request-failed', method: request.method, path: request.path, error });
      return { status: 500, body: { code: 'internal', message: 'the controller failed; its log says why' } };
    }
    const message = error instanceof Error ? error.message : String(error);
    return { status, body: { code: codeOf(status), message } };
  }
}

/** Nest's and express's own refusals (no such route, malformed JSON, body too large) carry their status. */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { status, statusCode } = error as { status?: unknown; statusCode?: unknown };
  const getStatus = (error as { getStatus?: unknown }).getStatus;
  if (typeof getStatus === 'function') return Number(getStatus.call(error));
  return typeof status === 'number' ? status : typeof statusCode === 'number' ? statusCode : undefined;
}

function codeOf(status: number): ApiErrorCode {
  return API_ERROR_CODES.find((code) => STATUS[code] === status) ?? 'bad_request';
}
