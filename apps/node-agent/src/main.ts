import { pino } from 'pino';
import { Agent } from './daemon/agent.js';
import { EnvironmentError, helpText, readEnvironment } from './daemon/environment.js';

async function main(): Promise<void> {
  if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(helpText());
    return;
  }
  if (process.argv.length > 2) {
    process.stderr.write(`heddle-agent: unknown argument "${process.argv[2]}"; see --help\n`);
    process.exitCode = 2;
    return;
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
}

main().catch((e: unknown) => {
  process.stderr.write(`heddle-agent: ${e instanceof EnvironmentError ? e.message : String(e)}\n`);
  process.exitCode = 1;
});
