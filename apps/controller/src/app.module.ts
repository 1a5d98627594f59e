import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { AgentModule } from './api/agent/agent.module.js';
import { ClusterModule } from './api/cluster/cluster.module.js';
import { ExplainModule } from './api/explain/explain.module.js';
import { AccessGuard } from './api/http/access.guard.js';
import { ErrorFilter } from './api/http/error.filter.js';
import { InputInterceptor } from './api/http/input.interceptor.js';
import { OperationsModule } from './api/operations/operations.module.js';
import { PoliciesModule } from './api/policies/policies.module.js';
import type { Logger } from './logging/logger.js';
import type { Runtime } from './runtime/runtime.js';
import { runtimeModule } from './runtime/runtime.module.js';
import { LOGGER } from './runtime/tokens.js';

@Module({})
class AppModule {}

/** The REST API over a running controller. */
export function appModule(runtime: Runtime): DynamicModule {
  return {
    module: AppModule,
    imports: [runtimeModule(runtime), AgentModule, ClusterModule, ExplainModule, OperationsModule, PoliciesModule],
    providers: [
      { provide: APP_GUARD, useClass: AccessGuard },
      { provide: APP_INTERCEPTOR, useClass: InputInterceptor },
      { provide: APP_FILTER, inject: [LOGGER], useFactory: (logger: Logger) => new ErrorFilter(logger) },
    ],
  };
}
