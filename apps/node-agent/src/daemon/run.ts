import { pino } from 'pino';
import { Agent } from './agent.js';
import { helpText, readEnvironment } from './environment.js';

/** Runs the daemon until a signal; a status is given only if it does not even start. @throws EnvironmentError */
export async function runDaemon(args: readonly string[]): Promise<number | undefined> {
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(helpText());
    return 0;
  }
  if (args.length > 0) {
    process.stderr.write(`heddle-agent: unknown argument "${args[0]}"; see --help\n`);
    return 2;
  }
  const env = readEnvironment(process.env);
  const logger = pino({ level: env.logLevel, base: { node: env.nodeName } });
  const agent = new Agent(env, logger);
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    void agent.stop().then(
      () => process.exit(0),
      (err: unknown) => {
        logger.fatal({ err }, 'stop_failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));
  await agent.start().catch((err: unknown) => {
    if (stopping) return;
    logger.fatal({ err }, 'start_failed');
    process.exit(1);
  });
  return undefined;
}
