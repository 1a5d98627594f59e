import 'reflect-metadata';
import { systemClock } from './clock.js';
import { ConfigError, readConfig } from './config/config.js';
import { helpText } from './config/help.js';
import { VERSION } from './version.js';

/** A stop that takes longer than this is forced. */
const STOP_TIMEOUT_MS = 10_000;

/** Runs the controller until a signal; answers the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [argument] = args;
  if (argument === '--help' || argument === '-h') {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  if (argument === '--version') {
    process.stdout.write(`heddle-controller ${VERSION}\n`);
    return 0;
  }
  if (argument !== undefined) {
    process.stderr.write(`heddle-controller: unknown argument "${argument}"; see --help\n`);
    return 2;
  }
  const config = readConfig(process.env);
  // Loaded late: half a second that nobody should wait for to read the help or a mistake.
  const [{ Controller }, { createLogger }, { production }] = await Promise.all([
    import('./controller.js'),
    import('./logging/logger.js'),
    import('./runtime/production.js'),
  ]);
  const logger = createLogger(config.logLevel);
  // Before the start, so that a signal in the middle of it is not lost.
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
  });
  process.on('unhandledRejection', (error) => logger.error({ event: 'unhandled-rejection', error }));
  const starting = Controller.start({ config, logger, clock: systemClock, ...production });
  // The start waits for its source as long as it takes; until then no switch is served, so there is nothing to stop.
  const early = await Promise.race([stopped, starting.then(() => undefined)]);
  if (early !== undefined) {
    logger.info({ event: 'stopped', signal: early });
    return 0;
  }
  const controller = await starting;
  const signal = await stopped;
  logger.info({ event: 'stopping', signal });
  setTimeout(() => {
    logger.error({ event: 'stop-timed-out', afterMs: STOP_TIMEOUT_MS });
    process.exit(1);
  }, STOP_TIMEOUT_MS).unref();
  await controller.stop();
  logger.info({ event: 'stopped' });
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text = error instanceof ConfigError ? error.message : error instanceof Error ? error.message : String(error);
    process.stderr.write(`heddle-controller: ${text}\n`);
    if (process.env.HEDDLE_LOG_LEVEL === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
