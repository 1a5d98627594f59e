import type { Provider } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { OPERATION, type OperationSpec } from '../http/operation.js';
import { openApiDocument } from './openapi.js';

/** A function that gives the document of every route of the application. */
export const OPENAPI_DOCUMENT = Symbol('OpenApiDocument');

export const openApiProvider: Provider = {
  provide: OPENAPI_DOCUMENT,
  inject: [DiscoveryService, MetadataScanner, Reflector],
  useFactory: (discovery: DiscoveryService, scanner: MetadataScanner, reflector: Reflector) => {
    let document: unknown;
    return () => {
      document ??= openApiDocument(operations(discovery, scanner, reflector));
      return document;
    };
  },
};

function operations(discovery: DiscoveryService, scanner: MetadataScanner, reflector: Reflector): OperationSpec[] {
  return discovery.getControllers().flatMap(({ instance }) => {
    const prototype = Object.getPrototypeOf(instance) as Record<string, () => unknown>;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const method = prototype[name];
      const spec = method && reflector.get<OperationSpec | undefined>(OPERATION, method);
      return spec === undefined ? [] : [spec];
    });
  });
}
