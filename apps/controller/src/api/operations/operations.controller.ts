import { ROUTES } from '@heddle/api';
import { Controller, Header, Inject } from '@nestjs/common';
import { z } from 'zod';
import { Engine } from '../../core/engine.js';
import { Refusal } from '../../errors.js';
import { Metrics } from '../../metrics/metrics.js';
import { VERSION } from '../../version.js';
import { Operation } from '../http/operation.js';
import { OPENAPI_DOCUMENT } from './openapi.provider.js';

const Health = z.object({ status: z.literal('ok'), version: z.string() });

@Controller()
export class OperationsController {
  constructor(
    private readonly engine: Engine,
    private readonly metricsRegistry: Metrics,
    @Inject(OPENAPI_DOCUMENT) private readonly document: () => unknown,
  ) {}

  @Operation({
    method: 'GET',
    route: ROUTES.health,
    permission: 'public',
    summary: 'Whether the controller serves: 503 until its source has been read.',
    answer: Health,
  })
  health(): z.output<typeof Health> {
    return this.readyz();
  }

  @Operation({
    method: 'GET',
    route: ROUTES.readyz,
    permission: 'public',
    summary: 'For readiness probes: the same as /health.',
    answer: Health,
  })
  readyz(): z.output<typeof Health> {
    if (!this.engine.inSync) throw new Refusal('unavailable', 'the source has not been read yet');
    return { status: 'ok', version: VERSION };
  }

  @Operation({
    method: 'GET',
    route: ROUTES.livez,
    permission: 'public',
    summary:
      'For liveness probes: the process answers. Nothing else is looked at, since a restart would mend nothing else.',
    answer: Health,
  })
  livez(): z.output<typeof Health> {
    return { status: 'ok', version: VERSION };
  }

  @Operation({
    method: 'GET',
    route: ROUTES.metrics,
    permission: 'public',
    summary: 'Metrics in the Prometheus text format.',
    answer: 'text/plain',
  })
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  metrics(): Promise<string> {
    return this.metricsRegistry.registry.metrics();
  }

  @Operation({
    method: 'GET',
    route: ROUTES.openapi,
    permission: 'public',
    summary: 'This document.',
    answer: 'application/json',
  })
  openapi(): unknown {
    return this.document();
  }
}
