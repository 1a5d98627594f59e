import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { askStatus } from '../cni/ask.js';
import { DEFAULT_SOCKET } from '../cni/request.js';
import { copyToHost } from './copy.js';

/** A command of `heddle-agent` beside its running as a daemon; gives the exit status. */
export type Command = (args: readonly string[], env: Readonly<Record<string, string | undefined>>) => Promise<number>;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Where Debian's containernetworking-plugins puts them. */
const STANDARD_PLUGINS = '/usr/lib/cni';
const BIN_DIR = '/opt/cni/bin';
/** The CNI executable of a container image starts the Node in here; `bundle.mjs` writes the path into it. */
const RUNTIME_DIR = '/opt/heddle';

export const COMMANDS: Readonly<Record<string, Command>> = {
  async health(args, env) {
    const { values } = parseArgs({ args: [...args], options: { live: { type: 'boolean', default: false } } });
    const socket = env.HEDDLE_AGENT_SOCKET || DEFAULT_SOCKET;
    try {
      const answer = await askStatus(socket);
      if (answer.exit === 0 || values.live) return 0;
      say(answer.stdout);
      return 1;
    } catch (e) {
      say(`the agent does not answer on ${socket}: ${(e as Error).message}`);
      return 1;
    }
  },

  async install(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'bin-dir': { type: 'string', default: BIN_DIR },
        'runtime-dir': { type: 'string', default: RUNTIME_DIR },
        plugin: { type: 'string', default: join(dirname(process.argv[1] ?? ''), 'heddle-cni') },
      },
    });
    const [bin, runtime] = [values['bin-dir'], values['runtime-dir']];
    // The runtime first: the executable must find it from the moment that it is there.
    const written = await copyToHost([
      { from: process.execPath, to: join(runtime, 'node'), when: 'different' },
      { from: values.plugin, to: join(bin, 'heddle-cni'), when: 'different' },
      ...['portmap', 'loopback'].map((name) => ({
        from: join(STANDARD_PLUGINS, name),
        to: join(bin, name),
        when: 'missing' as const,
      })),
    ]);
    say(written.length === 0 ? 'everything was there' : `wrote ${written.join(', ')}`);
    return 0;
  },

  async uninstall(args, env) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'bin-dir': { type: 'string', default: BIN_DIR },
        'runtime-dir': { type: 'string', default: RUNTIME_DIR },
        force: { type: 'boolean', default: false },
      },
    });
    // Loaded only here: the probe, which shares this file, should start fast.
    const { uninstall } = await import('./uninstall.js');
    await uninstall({
      ovsdb: env.HEDDLE_OVSDB || 'unix:/var/run/openvswitch/db.sock',
      stateDir: env.HEDDLE_STATE_DIR || '/var/lib/heddle',
      cniConfDir: env.HEDDLE_CNI_CONF_DIR || undefined,
      binDir: values['bin-dir'],
      runtimeDir: values['runtime-dir'],
      force: values.force,
      say,
    });
    return 0;
  },
};
