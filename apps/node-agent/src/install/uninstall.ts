import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../host/command.js';
import { deleteHostLink } from '../host/links.js';
import { isHostInterface } from '../host/pod-link.js';
import { restoreUplink } from '../host/underlay.js';
import { openSwitchDatabase, type SwitchDatabase } from '../ovs/database.js';
import { INTEGRATION_BRIDGE, UNDERLAY_BRIDGE } from '../ovs/plan.js';
import { removeConflist } from './conflist.js';

export interface UninstallOptions {
  readonly ovsdb: string;
  readonly stateDir: string;
  /** Where the container runtime looks for network configurations, if we wrote one. */
  readonly cniConfDir: string | undefined;
  /** Folder of CNI executables. */
  readonly binDir: string;
  /** Folder with the Node runtime of the CNI executable. */
  readonly runtimeDir: string;
  /** Also when pods are attached: they lose their network. */
  readonly force: boolean;
  readonly say: (line: string) => void;
}

const SWITCH_TIMEOUT_MS = 10_000;

/** Pods are attached, and nobody said that they may lose their network. */
export class PodsAttachedError extends Error {
  override readonly name = 'PodsAttachedError';
  constructor(readonly pods: readonly string[]) {
    super(
      `${pods.length === 1 ? '1 pod is' : `${pods.length} pods are`} attached to this node (${pods.slice(0, 5).join(', ')}${pods.length > 5 ? ', ...' : ''}): ` +
        'drain it first, or take their network away with --force',
    );
  }
}

/**
 * Takes away what the agent made of this machine; repeating it changes nothing. The agent must not run, it would make
 * everything anew. The network configuration goes first, so that no pod comes while the rest goes.
 * @throws PodsAttachedError before anything was changed
 */
export async function uninstall(options: UninstallOptions): Promise<void> {
  const { stateDir, cniConfDir, binDir, runtimeDir, say } = options;
  const database = await reach(options);
  try {
    if (database !== undefined) refuseIfInUse(database, options);
    if (cniConfDir !== undefined && removeConflist(cniConfDir))
      say(`removed the network configuration of ${cniConfDir}`);
    if (database !== undefined) await clearSwitch(database, say);
    if (database !== undefined) await clearUnderlay(database, options);
  } finally {
    await database?.client.close();
  }
  if ((await run('nft', ['list', 'tables'])).includes('table inet heddle\n')) {
    await run('nft', ['delete', 'table', 'inet', 'heddle']);
    say('removed the nft table inet heddle');
  }
  for (const path of [join(binDir, 'heddle-cni'), ...contents(runtimeDir), ...contents(stateDir)])
    if (existsSync(path)) {
      rmSync(path, { recursive: true });
      say(`removed ${path}`);
    }
}

/** What we put there, and not the folders themselves: in a container they are mounts. */
const OURS = ['node', 'node-config.json', 'uplink.json'];
const contents = (dir: string): string[] => OURS.map((name) => join(dir, name));

async function reach({ ovsdb, say }: UninstallOptions): Promise<SwitchDatabase | undefined> {
  try {
    return await openSwitchDatabase(ovsdb, AbortSignal.timeout(SWITCH_TIMEOUT_MS));
  } catch (e) {
    // A machine whose switch is gone has no bridge of ours that could be in use.
    say(`cannot reach ${ovsdb} (${(e as Error).message}); bridges are left as they are`);
    return undefined;
  }
}

function refuseIfInUse({ replica }: SwitchDatabase, { force }: UninstallOptions): void {
  const pods = [...replica.table('Interface').rows.values()]
    .filter((row) => isHostInterface(row.name))
    .map((row) => row.external_ids.get('iface-id') ?? row.name)
    .sort();
  if (pods.length > 0 && !force) throw new PodsAttachedError(pods);
}

async function clearSwitch({ client, replica }: SwitchDatabase, say: (line: string) => void): Promise<void> {
  const bridge = replica.table('Bridge').byName(INTEGRATION_BRIDGE);
  const links = [...replica.table('Interface').rows.values()].map((row) => row.name).filter(isHostInterface);
  const root = [...replica.table('Open_vSwitch').rows.values()][0];
  if (root !== undefined && (bridge !== undefined || root.manager_options.length > 0)) {
    const draft = client.transaction('Open_vSwitch');
    if (bridge !== undefined) draft.mutate('Open_vSwitch', root._uuid, [['bridges', 'delete', [bridge._uuid]]]);
    draft.update('Open_vSwitch', root._uuid, { manager_options: [] });
    await draft.commit({ waitForVswitchd: true, timeoutMs: SWITCH_TIMEOUT_MS });
    say(`removed ${INTEGRATION_BRIDGE} and the managers of the switch`);
  }
  for (const link of links) {
    await deleteHostLink(link);
    say(`removed the link ${link}`);
  }
}

/** Its device has the machine's own addresses, which end with the switch. */
async function clearUnderlay(database: SwitchDatabase, { stateDir, say }: UninstallOptions): Promise<void> {
  const { client, replica } = database;
  const there = () => replica.table('Bridge').byName(UNDERLAY_BRIDGE);
  const uplink = await restoreUplink(stateDir, async () => {
    const root = [...replica.table('Open_vSwitch').rows.values()][0];
    const bridge = there();
    if (root === undefined || bridge === undefined) return;
    const draft = client.transaction('Open_vSwitch');
    draft.mutate('Open_vSwitch', root._uuid, [['bridges', 'delete', [bridge._uuid]]]);
    await draft.commit({ waitForVswitchd: true, timeoutMs: SWITCH_TIMEOUT_MS });
  });
  if (uplink !== undefined) say(`gave ${uplink} its addresses back and removed ${UNDERLAY_BRIDGE}`);
  else if (there() !== undefined)
    say(
      `${UNDERLAY_BRIDGE} stays: it holds this machine's own addresses, and those of its uplink are not known; give them back by hand`,
    );
}
