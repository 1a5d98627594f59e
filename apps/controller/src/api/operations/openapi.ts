import { API_ERROR_CODES, ErrorBody } from '@heddle/api';
import { z } from 'zod';
import { VERSION } from '../../version.js';
import type { OperationSpec } from '../http/operation.js';

/** The OpenAPI 3.1 document of these operations. */
export function openApiDocument(operations: readonly OperationSpec[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = operation.route.replace(/:([a-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: operationObject(operation) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Heddle controller', version: VERSION, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: {
      schemas: { Error: jsonSchema(ErrorBody, 'output') },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationObject({ route, permission, summary, query, body, answer }: OperationSpec): unknown {
  const names = [...route.matchAll(/:([a-z]+)/g)].map((m) => m[1]);
  return {
    summary,
    'x-heddle-permission': permission,
    ...(permission === 'public' ? {} : { security: [{ bearer: [] }] }),
    parameters: [
      ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...queryParameters(query),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body, 'input') } } } }),
    responses: {
      200: {
        description: 'Done',
        content:
          typeof answer === 'string'
            ? { [answer]: {} }
            : { 'application/json': { schema: jsonSchema(answer, 'output') } },
      },
      default: {
        description: `Refused; \`code\` is one of ${API_ERROR_CODES.join(', ')}`,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function queryParameters(query: z.ZodType | undefined): unknown[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(query, 'input') as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  return rest;
}
