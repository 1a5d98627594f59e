import type { RequestListener } from 'node:http';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { appModule } from '../../app.module.js';
import { NestLogger } from '../../logging/logger.js';
import type { Runtime } from '../../runtime/runtime.js';

/** Nothing that an agent says is larger. */
const MAX_BODY = '256kb';

/** The API as a request handler, for any number of listeners. */
export interface Application {
  readonly handler: RequestListener;
  close(): Promise<void>;
}

export async function createApplication(runtime: Runtime): Promise<Application> {
  const app = await NestFactory.create<NestExpressApplication>(appModule(runtime), {
    bodyParser: false,
    logger: new NestLogger(runtime.logger),
    // A failing start must reach our own error handling, not end the process from inside Nest.
    abortOnError: false,
  });
  app.useBodyParser('json', { limit: MAX_BODY });
  app.disable('x-powered-by');
  app.disable('etag');
  await app.init();
  return { handler: app.getHttpAdapter().getInstance() as RequestListener, close: () => app.close() };
}
