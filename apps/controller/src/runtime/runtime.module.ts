import { tokenReader } from '@heddle/api';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Allocations } from '../allocation/allocations.js';
import { AgentAccess, ApiToken } from '../api/http/access.guard.js';
import { LEAST_TOKEN_LENGTH } from '../config/config.js';
import { AgentContacts } from '../core/agent-contacts.js';
import { Engine } from '../core/engine.js';
import { FactTable } from '../core/fact-table.js';
import { OwnProblems } from '../core/own-problems.js';
import { Refusals } from '../core/refusals.js';
import { Watchers } from '../core/watchers.js';
import { World } from '../core/world.js';
import { DomainObserver } from '../dns/domain-observer.js';
import { Metrics } from '../metrics/metrics.js';
import { PolicyCounters } from '../policy-counters/policy-counters.js';
import { PolicyLog } from '../policy-log/policy-log.js';
import type { Runtime } from './runtime.js';
import { SourceRefresher } from './source-refresher.js';
import { COMPILER, CONFIG, LOGGER, OVSDB, SOURCE, SWITCHES } from './tokens.js';

@Global()
@Module({})
class RuntimeModule {}

/** The token that operators show, as its file has it now. */
function apiToken({ config, logger }: Runtime): (() => string) | undefined {
  if (config.apiTokenFile === undefined) return undefined;
  const refused = (reason: string) => logger.error({ event: 'api-token-refused', reason, inUse: 'the one of before' });
  const read = tokenReader(config.apiTokenFile, refused, LEAST_TOKEN_LENGTH);
  read();
  return read;
}

/** Gives the parts of a running controller to the API. */
export function runtimeModule(runtime: Runtime): DynamicModule {
  const providers = [
    { provide: CONFIG, useValue: runtime.config },
    { provide: LOGGER, useValue: runtime.logger },
    { provide: SOURCE, useValue: runtime.source },
    { provide: COMPILER, useValue: runtime.compiler },
    { provide: SWITCHES, useValue: runtime.switches },
    { provide: OVSDB, useValue: runtime.ovsdb },
    { provide: AgentContacts, useValue: runtime.contacts },
    { provide: Allocations, useValue: runtime.allocations },
    { provide: DomainObserver, useValue: runtime.domains.observer },
    { provide: Engine, useValue: runtime.engine },
    { provide: FactTable, useValue: runtime.facts },
    { provide: Metrics, useValue: runtime.metrics },
    { provide: OwnProblems, useValue: runtime.problems },
    { provide: PolicyCounters, useValue: runtime.policyWatch.counters },
    { provide: PolicyLog, useValue: runtime.policyWatch.log },
    { provide: Refusals, useValue: runtime.refusals },
    { provide: SourceRefresher, useValue: new SourceRefresher(runtime.source, runtime.logger) },
    { provide: Watchers, useValue: runtime.watchers },
    { provide: World, useValue: runtime.world },
    { provide: AgentAccess, useValue: new AgentAccess(runtime.agentTokens, runtime.origins) },
    { provide: ApiToken, useValue: new ApiToken(apiToken(runtime)) },
  ];
  return { module: RuntimeModule, providers, exports: providers.map((p) => p.provide) };
}
