import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { z } from 'zod';
import { Refusal } from '../../errors.js';
import { type HttpRequest, OPERATION, type OperationSpec } from './operation.js';

/** Checks query and body of a request against the schemas of its route. */
@Injectable()
export class InputInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const spec = this.reflector.get<OperationSpec>(OPERATION, context.getHandler());
    const request = context.switchToHttp().getRequest<HttpRequest>();
    request.checked = {
      query: check(spec.query, request.query, 'the query'),
      body: check(spec.body, request.body, 'the body'),
    };
    return next.handle();
  }
}

function check(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.map((i) =>
    i.path.length === 0 ? i.message : `${i.path.join('.')}: ${i.message}`,
  );
  throw new Refusal('bad_request', `${what} is not as it should be: ${details[0] ?? ''}`, details);
}
