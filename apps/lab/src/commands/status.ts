import { NodeView, ROUTES, StatusView, table } from '@heddle/api';
import { z } from 'zod';
import { controllerClient } from '../host/controller.js';
import { underlayNetns } from '../host/netns.js';
import { ovsdbProcess, vswitchdProcess } from '../host/ovs.js';
import type { LabPaths } from '../host/paths.js';
import { isAlive, running } from '../host/processes.js';
import { agentProcess, CONTROLLER, KUBELET } from '../host/services.js';
import { type LabOptions, readKubelet, readLabState } from '../host/state.js';

/** What `heddle-lab status -o json` prints. */
export interface LabStatus {
  readonly running: boolean;
  /** Everything that should run does, and every change is acknowledged. */
  readonly healthy: boolean;
  readonly stateDir: string;
  readonly options: LabOptions | null;
  readonly underlayNetns: string;
  readonly controller: {
    readonly pid: number | null;
    readonly api: string;
    readonly realized: boolean | null;
    readonly waitingFor: readonly string[];
  };
  readonly kubelet: { readonly pid: number | null };
  readonly nodes: readonly {
    readonly name: string;
    readonly netns: string;
    readonly ips: readonly string[];
    readonly ovsdbPid: number | null;
    readonly vswitchdPid: number | null;
    readonly agentPid: number | null;
    readonly connected: boolean;
    /** OVS_RUNDIR of this node: db.sock, vswitchd.ctl, br-int.mgmt, logs. */
    readonly dir: string;
  }[];
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly node: string;
    readonly ips: readonly string[];
    readonly netns: string;
    readonly phase: string;
    readonly reason: string | null;
    readonly cniAddMs: number | null;
    readonly probeSocket: string;
    readonly containers: readonly {
      readonly name: string;
      readonly pid: number;
      readonly running: boolean;
      readonly restarts: number;
    }[];
  }[];
  /** Pods that could not even be begun. */
  readonly refused: readonly { readonly pod: string; readonly reason: string }[];
}

/** Looks at what runs; the controller may be down. */
export async function labStatus(paths: LabPaths): Promise<LabStatus> {
  const state = await readLabState(paths);
  const { pods: records, refused } = await readKubelet(paths);
  const pid = async (name: string) => (await running(paths, name))?.pid ?? null;
  const api = controllerClient(paths);
  const controllerPid = await pid(CONTROLLER);
  const ask = controllerPid !== null;
  // The controller may be starting or stuck: its part then stays empty, the rest is still true.
  const status = ask ? await api.get(ROUTES.status, StatusView, { timeoutMs: 3_000 }).catch(() => null) : null;
  const views = ask ? await api.get(ROUTES.nodes, z.array(NodeView), { timeoutMs: 3_000 }).catch(() => []) : [];
  const kubeletPid = await pid(KUBELET);
  const nodes = await Promise.all(
    (state?.nodes ?? []).map(async (n) => ({
      name: n.name,
      netns: n.netns,
      ips: n.ips,
      ovsdbPid: await pid(ovsdbProcess(n.name)),
      vswitchdPid: await pid(vswitchdProcess(n.name)),
      agentPid: await pid(agentProcess(n.name)),
      connected: views.some((v) => v.name === n.name && v.openflow.connected),
      dir: `${paths.stateDir}/nodes/${n.name}`,
    })),
  );
  const pods = await Promise.all(
    records.map(async (p) => ({
      namespace: p.namespace,
      name: p.name,
      node: p.node,
      ips: p.ips,
      netns: p.netns,
      phase: p.phase,
      reason: p.reason,
      cniAddMs: p.cniAddMs,
      probeSocket: p.probeSocket,
      containers: await Promise.all(
        p.containers.map(async (c) => ({ name: c.name, pid: c.pid, running: await isAlive(c), restarts: c.restarts })),
      ),
    })),
  );
  const healthy =
    state !== undefined &&
    kubeletPid !== null &&
    status?.realized === true &&
    nodes.every((n) => n.ovsdbPid !== null && n.vswitchdPid !== null && n.agentPid !== null && n.connected) &&
    refused.length === 0 &&
    pods.every((p) => p.phase === 'running' && p.containers.every((c) => c.running));
  return {
    running: state !== undefined,
    healthy,
    stateDir: paths.stateDir,
    options: state?.options ?? null,
    underlayNetns: underlayNetns(paths),
    controller: {
      pid: controllerPid,
      api: `unix:${paths.apiSocket}`,
      realized: status?.realized ?? null,
      waitingFor: status?.waitingFor ?? [],
    },
    kubelet: { pid: kubeletPid },
    nodes,
    refused,
    pods: pods.sort((a, b) => a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name)),
  };
}

/** The status as tables for people. */
export function formatStatus(s: LabStatus): string {
  if (!s.running) return 'the lab is not running; start it with: heddle-lab up';
  const shown = (pid: number | null) => (pid === null ? 'NOT RUNNING' : String(pid));
  const realized =
    s.controller.realized === null
      ? 'does not answer'
      : s.controller.realized
        ? 'every change is acknowledged'
        : `waiting for ${s.controller.waitingFor.join('; ')}`;
  return [
    `controller  process ${shown(s.controller.pid)}, ${realized}`,
    `kubelet     process ${shown(s.kubelet.pid)}${s.options?.kubeconfig == null ? '' : `, of the API server of ${s.options.kubeconfig}`}`,
    '',
    table(
      ['NODE', 'NETNS', 'UNDERLAY', 'OVSDB-SERVER', 'OVS-VSWITCHD', 'AGENT', 'CONNECTED'],
      s.nodes.map((n) => [
        n.name,
        n.netns,
        n.ips.join(' '),
        shown(n.ovsdbPid),
        shown(n.vswitchdPid),
        shown(n.agentPid),
        n.connected ? 'yes' : 'NO',
      ]),
    ),
    '',
    table(
      ['NAMESPACE', 'POD', 'NODE', 'PHASE', 'ADDRESSES', 'NETNS'],
      s.pods.map((p) => [
        p.namespace,
        p.name,
        p.node,
        p.reason === null ? p.phase : `${p.phase}: ${p.reason}`,
        p.ips.join(' ') || '-',
        p.netns,
      ]),
    ),
    ...s.refused.map((r) => `${r.pod}: ${r.reason}`),
  ].join('\n');
}
