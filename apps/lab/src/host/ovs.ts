import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type LabPaths, nodeDir } from './paths.js';
import { type ProcessRecord, running, start } from './processes.js';
import { run, waitFor } from './run.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const START_TIMEOUT_MS = 15_000;

/** Names of a node's processes in the lab's records. */
export const ovsdbProcess = (node: string) => `ovsdb-${node}`;
export const vswitchdProcess = (node: string) => `vswitchd-${node}`;

function environment(dir: string): Record<string, string> {
  return { OVS_RUNDIR: dir, OVS_LOGDIR: dir, OVS_DBDIR: dir, OVS_SYSCONFDIR: dir };
}

/** The node's own ovsdb-server and ovs-vswitchd, started where they do not run. Bridges are the agent's business. */
export async function ensureOvs(paths: LabPaths, node: string, netns: string): Promise<void> {
  const dir = nodeDir(paths, node);
  await mkdir(dir, { recursive: true });
  if (!existsSync(`${dir}/conf.db`)) await run(['ovsdb-tool', 'create', `${dir}/conf.db`, SCHEMA]);
  await ensureProcess(paths, ovsdbProcess(node), netns, dir, [
    'ovsdb-server',
    `${dir}/conf.db`,
    `--remote=punix:${dir}/db.sock`,
    // Managers that the agent configures: the controller's OVSDB side is dialled from here.
    '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
    `--unixctl=${dir}/ovsdb.ctl`,
    `--log-file=${dir}/ovsdb.log`,
    '-vconsole:off',
  ]);
  await waitFor(
    `ovsdb-server of ${node} does not answer; see: heddle-lab logs ovs ${node}`,
    START_TIMEOUT_MS,
    () =>
      run([
        'ovs-vsctl',
        '--timeout=5',
        `--db=unix:${dir}/db.sock`,
        '--no-wait',
        '--',
        'init',
        '--',
        'set',
        'Open_vSwitch',
        '.',
        `external_ids:system-id=${node}`,
        `external_ids:hostname=${node}`,
      ]).catch(() => undefined), // not listening yet
  );
  await ensureProcess(paths, vswitchdProcess(node), netns, dir, [
    'ovs-vswitchd',
    `unix:${dir}/db.sock`,
    `--unixctl=${dir}/vswitchd.ctl`,
    `--log-file=${dir}/vswitchd.log`,
    '-vconsole:off',
  ]);
  await waitFor(
    `ovs-vswitchd of ${node} does not answer; see: heddle-lab logs ovs ${node}`,
    START_TIMEOUT_MS,
    () => run(['ovs-appctl', '--timeout=5', '-t', `${dir}/vswitchd.ctl`, 'version']).catch(() => undefined), // not listening yet
  );
}

async function ensureProcess(
  paths: LabPaths,
  name: string,
  netns: string,
  dir: string,
  argv: readonly string[],
): Promise<ProcessRecord> {
  const old = await running(paths, name);
  if (old !== undefined) return old;
  return start(paths, { name, argv, netns, env: environment(dir), logFile: `${dir}/${name}.out` });
}
