import { COMMANDS } from './install/commands.js';

const [name, ...args] = process.argv.slice(2);
const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;

// The daemon is loaded late: probes run a command every few seconds.
const work =
  command === undefined
    ? import('./daemon/run.js').then(({ runDaemon }) => runDaemon(process.argv.slice(2)))
    : command(args, process.env);

work.then(
  (status) => {
    // A daemon goes on; a command has nothing left to do.
    if (status !== undefined) process.exitCode = status;
  },
  (e: unknown) => {
    process.stderr.write(`heddle-agent: ${e instanceof Error ? e.message : String(e)}\n`);
    process.exitCode = 1;
  },
);
