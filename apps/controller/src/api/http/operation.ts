import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  HttpCode,
  RequestMapping,
  RequestMethod,
  SetMetadata,
} from '@nestjs/common';
import type { z } from 'zod';

/** Who may call a route. The API token grants all but `public`, which asks for none; an agent's own token grants `agent`, for its node. */
export const PERMISSIONS = ['public', 'read', 'agent', 'admin'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Where a request of an agent says for which node it is: `name` of the path, `node` of the body, or the node of the body's `portKey`. */
export type NodePlace = 'path' | 'body' | 'port';

type Access =
  | { readonly permission: Exclude<Permission, 'agent'> }
  | { readonly permission: 'agent'; readonly node: NodePlace };

/** One route: the single place from which access, validation and the OpenAPI document come. */
export type OperationSpec = Access & {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** A path of ROUTES, `:name` segments included. */
  readonly route: string;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Schema of the JSON answer, or the media type of another kind of answer. */
  readonly answer: z.ZodType | `${string}/${string}`;
};

export const OPERATION = 'heddle:operation';

/** Makes a method the handler of a route. */
export function Operation(spec: OperationSpec): MethodDecorator {
  return applyDecorators(
    RequestMapping({ path: spec.route, method: RequestMethod[spec.method] }),
    // A POST here creates no resource that has an address of its own.
    HttpCode(200),
    SetMetadata(OPERATION, spec),
  );
}

/** What express makes of a request, as far as it is used here. */
export interface HttpRequest extends IncomingMessage {
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  readonly body: unknown;
  /** Query and body when they have passed their schemas. */
  checked?: { readonly query: unknown; readonly body: unknown };
}
export interface HttpResponse extends ServerResponse {
  status(code: number): this;
  json(body: unknown): this;
}

/** The checked query or body. */
export const Input = createParamDecorator((part: 'query' | 'body', context: ExecutionContext): unknown => {
  const request = context.switchToHttp().getRequest<HttpRequest>();
  return request.checked?.[part];
});

/** Aborts when the caller goes away, so that nobody waits for an answer that nobody reads. */
export const Gone = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal => {
  const response = context.switchToHttp().getResponse<HttpResponse>();
  const controller = new AbortController();
  response.on('close', () => controller.abort());
  return controller.signal;
});
