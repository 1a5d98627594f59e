import { z } from 'zod';
import { readIfThere, writeAtomically } from './files.js';
import type { LabPaths } from './paths.js';

/** What a lab was started with; a second `up` must agree, or ask for `down` first. */
export const LabOptions = z.object({
  nodes: z.number().int().min(1).max(99),
  ipv6: z.boolean(),
  encap: z.enum(['geneve', 'vxlan']),
  /** Absolute path of the directory that the first manifests came from. */
  manifests: z.string(),
  /** Absolute path of the kubeconfig of the API server whose kubelets the lab plays; null: the manifests are the source. */
  kubeconfig: z.string().nullable().default(null),
  /** Whether the lab makes EndpointSlices; null: where no kube-controller-manager does. */
  endpointSlices: z.boolean().nullable().default(null),
});
export type LabOptions = z.infer<typeof LabOptions>;

export const LabNode = z.object({
  name: z.string(),
  netns: z.string(),
  ips: z.array(z.string()),
});
export type LabNode = z.infer<typeof LabNode>;

const LabState = z.object({ options: LabOptions, nodes: z.array(LabNode) });
export type LabState = z.infer<typeof LabState>;

const ContainerRecord = z.object({
  name: z.string(),
  pid: z.number().int(),
  startTime: z.string(),
  restarts: z.number().int(),
});

/** A hostPort, as the portmap plugin takes it. */
const PortMapping = z.object({
  hostPort: z.number().int(),
  containerPort: z.number().int(),
  protocol: z.enum(['tcp', 'udp', 'sctp']),
  hostIP: z.string().optional(),
});
export type PortMapping = z.infer<typeof PortMapping>;

/** Limits of a pod's traffic in bits a second, as runtimes hand them to CNI plugins. */
const Bandwidth = z.object({
  ingressRate: z.number().optional(),
  ingressBurst: z.number().optional(),
  egressRate: z.number().optional(),
  egressBurst: z.number().optional(),
});
export type Bandwidth = z.infer<typeof Bandwidth>;

/** A pod of the lab as the kubelet part sees it. */
export const PodRecord = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  /** What CNI plugins hear as the pod's UID, where that is another: the hash of a static pod's file. */
  cniUid: z.string().optional(),
  node: z.string(),
  netns: z.string(),
  hostNetwork: z.boolean(),
  /** 64 hex digits, as a container runtime gives them; a new one for each attempt. */
  containerId: z.string(),
  /** Hash of what is started in it; another hash means a restart of the programs. */
  spec: z.string(),
  phase: z.enum(['starting', 'running', 'failed', 'stopping']),
  /** Why it is not running. */
  reason: z.string().nullable(),
  ips: z.array(z.string()),
  /** How long the last CNI ADD took, from starting the executable to its end. */
  cniAddMs: z.number().nullable(),
  /** Unix socket of the pod program. */
  probeSocket: z.string(),
  containers: z.array(ContainerRecord),
  portMappings: z.array(PortMapping).default([]),
  bandwidth: Bandwidth.optional(),
});
export type PodRecord = z.infer<typeof PodRecord>;

/** A pod that could not even be begun, for example because its node does not exist. */
export interface RefusedPod {
  /** NAMESPACE/NAME */
  readonly pod: string;
  readonly reason: string;
}

const KubeletState = z.object({
  pods: z.array(PodRecord),
  refused: z.array(z.object({ pod: z.string(), reason: z.string() })),
});

function stateFile(paths: LabPaths): string {
  return `${paths.stateDir}/state.json`;
}
function kubeletFile(paths: LabPaths): string {
  return `${paths.stateDir}/kubelet.json`;
}

/** The lab's state, or undefined when it is not up. */
export async function readLabState(paths: LabPaths): Promise<LabState | undefined> {
  const text = await readIfThere(stateFile(paths));
  return text === undefined ? undefined : LabState.parse(JSON.parse(text));
}

export async function writeLabState(paths: LabPaths, state: LabState): Promise<void> {
  await writeAtomically(stateFile(paths), `${JSON.stringify(state, null, 2)}\n`);
}

/** @throws Error that says what to do */
export async function requireLabState(paths: LabPaths): Promise<LabState> {
  const state = await readLabState(paths);
  if (state === undefined)
    throw new Error(`the lab is not running (no ${stateFile(paths)}); start it with: heddle-lab up`);
  return state;
}

export async function readPods(paths: LabPaths): Promise<PodRecord[]> {
  return (await readKubelet(paths)).pods;
}

/** Everything that the kubelet part has written down. */
export async function readKubelet(paths: LabPaths): Promise<z.infer<typeof KubeletState>> {
  const text = await readIfThere(kubeletFile(paths));
  return text === undefined ? { pods: [], refused: [] } : KubeletState.parse(JSON.parse(text));
}

export async function writeKubelet(
  paths: LabPaths,
  pods: readonly PodRecord[],
  refused: readonly RefusedPod[],
): Promise<void> {
  await writeAtomically(kubeletFile(paths), `${JSON.stringify({ pods, refused }, null, 1)}\n`);
}
