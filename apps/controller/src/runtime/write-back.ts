import { hostname } from 'node:os';
import type { ObjectRef } from '@heddle/api';
import { type Compiler, nodeName } from '@heddle/compiler';
import type { Allocations } from '../allocation/allocations.js';
import type { Clock } from '../clock.js';
import { crowdedPolicies } from '../core/crowded-policies.js';
import type { Engine } from '../core/engine.js';
import type { SwitchesPort } from '../core/ports.js';
import type { Refusals } from '../core/refusals.js';
import type { World, WorldProblem } from '../core/world.js';
import type { KubeClient } from '../kubernetes/kube-client.js';
import type { ClusterState, NodeState } from '../kubernetes/writes/cluster-state.js';
import { KubernetesWriter } from '../kubernetes/writes/kubernetes-writer.js';
import type { Logger } from '../logging/logger.js';
import type { KubernetesSource } from '../source/kubernetes/kubernetes-source.js';
import type { Problem } from '../source/model.js';

/** A cluster that is watched and told how far things are. */
export interface ClusterConnection {
  readonly client: KubeClient;
  readonly source: KubernetesSource;
  /** See `KubernetesWriterNeeds`. */
  readonly lease: { readonly namespace: string; readonly name: string } | undefined;
}

/** The parts of a running controller that are read. */
export interface WriterParts {
  readonly logger: Logger;
  readonly allocations: Allocations;
  readonly compiler: Compiler;
  readonly world: World;
  readonly engine: Engine;
  readonly switches: SwitchesPort;
  readonly refusals: Refusals;
}

/** Lets the writer read the running controller, and hear of what it has to tell. */
export function createWriter(
  parts: WriterParts,
  { client, source, lease }: ClusterConnection,
  clock: Clock,
): KubernetesWriter {
  const { logger, world, refusals } = parts;
  const writer = new KubernetesWriter({
    client,
    clock,
    state: clusterState(parts, source),
    instance: hostname(),
    lease,
    onError: (what, error) => logger.warn({ event: 'kubernetes-write-failed', what, error }),
  });
  source.onTouched((objects) => writer.touched(objects));
  refusals.onRefused(({ namespace, pod }, { code, message }) => {
    const uid = world.objects.pods.get(`${namespace}/${pod}`)?.uid;
    if (code === 'pool_exhausted' && uid !== undefined) writer.poolExhausted({ namespace, name: pod, uid }, message);
  });
  return writer;
}

function clusterState(parts: WriterParts, source: KubernetesSource): ClusterState {
  const { engine, allocations, compiler, switches, world } = parts;
  const told = ({ kind, namespace, name, reason }: WorldProblem): Problem => {
    const object = { kind, namespace, name };
    return { severity: 'error', file: source.placeOf(object)?.file ?? '', line: null, object, reason };
  };
  return {
    inSync: () => engine.inSync,
    generation: () => engine.generation,
    nodes: () =>
      allocations.nodes.all().map(({ name }): NodeState => {
        const state = switches.state(nodeName(name));
        return {
          name,
          connected: state?.connected ?? false,
          realizedGeneration: state?.realizedGeneration ?? 0,
          lastError: state?.lastError ?? null,
        };
      }),
    nodesOf: (object) => nodesOf(parts, object),
    problems: () => [...source.problems(), ...world.problems.map(told)],
    problemsOf: (object) => [
      ...source.problemsOf(object),
      ...(object.kind === 'Service' ? world.problemsOf(object.namespace, object.name).map(told) : []),
    ],
    crowded: () => crowdedPolicies(compiler, world.objects.clusterPolicies.values()),
    tracked: (kind) => source.about(kind),
  };
}

/** A NetworkPolicy concerns the nodes of the pods that it selects; everything else concerns all. */
function nodesOf(
  { allocations, compiler }: WriterParts,
  { kind, namespace, name }: ObjectRef,
): Set<string> | undefined {
  if (kind !== 'NetworkPolicy') return undefined;
  const nodes = new Set<string>();
  for (const key of compiler.subjectsOf(`${namespace}/${name}`)) {
    const [ns = '', pod = ''] = key.split('/');
    const lease = allocations.attachments.ofPod(ns, pod);
    if (lease !== undefined) nodes.add(lease.record.node);
  }
  return nodes;
}
