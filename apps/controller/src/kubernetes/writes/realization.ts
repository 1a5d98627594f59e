import { createHash } from 'node:crypto';
import type { ObjectRef } from '@heddle/api';
import { isRecord } from '../../source/objects/issues.js';

/** The CustomResourceDefinitions of ours stand in deploy/base/crds. */
export const REALIZATIONS_API = '/apis/heddle.dev/v1alpha1';
const API_VERSION = 'heddle.dev/v1alpha1';
const MAX_NAME = 253;
const MAX_ERROR = 1_024;

/** An object whose state is told. */
export interface Target extends ObjectRef {
  readonly apiVersion: string;
  readonly uid: string;
}

/** How far a target has come. */
export interface RealizationState {
  readonly observedGeneration: number;
  readonly generation: number;
  readonly wanted: number;
  readonly acknowledged: number;
  readonly slowestNode: string | undefined;
  readonly lastError: string | undefined;
  readonly programmed: boolean;
  readonly reason: string;
  readonly message: string;
}

/** What stands in the cluster. */
export interface Written {
  readonly uid: string;
  /** Undefined: there is no status, or none that we understand. */
  readonly state: RealizationState | undefined;
  /** lastTransitionTime of the condition. */
  readonly since: string;
}

/** A target without a namespace has a ClusterRealization. */
export const collectionOf = ({ namespace }: ObjectRef): string =>
  namespace === ''
    ? `${REALIZATIONS_API}/clusterrealizations`
    : `${REALIZATIONS_API}/namespaces/${namespace}/realizations`;

/** KIND-NAME in lower case, so that a Service and a policy of one name do not meet. */
export function realizationName({ kind, name }: ObjectRef): string {
  const full = `${kind.toLowerCase()}-${name}`;
  if (full.length <= MAX_NAME) return full;
  const hash = createHash('sha256').update(full).digest('hex').slice(0, 16);
  return `${full.slice(0, MAX_NAME - 17).replace(/[^a-z0-9]+$/, '')}-${hash}`;
}

export function realizationBody(target: Target): object {
  const { apiVersion, kind, namespace, name, uid } = target;
  return {
    apiVersion: API_VERSION,
    kind: namespace === '' ? 'ClusterRealization' : 'Realization',
    metadata: {
      name: realizationName(target),
      ...(namespace === '' ? {} : { namespace }),
      // Both are in one scope, so the cluster's garbage collector takes ours away with the target, also without us.
      ownerReferences: [{ apiVersion, kind, name, uid }],
    },
    spec: { target: { apiVersion, kind, name, uid } },
  };
}

/** A merge patch of the whole status. */
export function statusBody(state: RealizationState, since: string): object {
  const { observedGeneration, generation, wanted, acknowledged } = state;
  return {
    status: {
      observedGeneration,
      generation,
      nodes: { wanted, acknowledged },
      slowestNode: state.slowestNode ?? null,
      lastError: state.lastError?.slice(0, MAX_ERROR) ?? null,
      conditions: [
        {
          type: 'Programmed',
          status: state.programmed ? 'True' : 'False',
          observedGeneration,
          lastTransitionTime: since,
          reason: state.reason,
          message: state.message,
        },
      ],
    },
  };
}

/** Understands what an earlier run of ours has written; undefined if it is not of this form. */
export function readRealization(
  object: unknown,
): { readonly target: ObjectRef; readonly name: string; readonly written: Written } | undefined {
  const { metadata, spec, status } = isRecord(object) ? object : {};
  const target = isRecord(spec) && isRecord(spec.target) ? spec.target : {};
  if (!isRecord(metadata) || typeof metadata.name !== 'string') return undefined;
  const { kind, name, uid } = target;
  if (typeof kind !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined;
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : '';
  return { target: { kind, namespace, name }, name: metadata.name, written: writtenOf(uid, status) };
}

function writtenOf(uid: string, status: unknown): Written {
  const { conditions, nodes } = isRecord(status) ? status : {};
  const condition = (Array.isArray(conditions) ? conditions : []).filter(isRecord).find((c) => c.type === 'Programmed');
  if (!isRecord(status) || !isRecord(nodes) || condition === undefined) return { uid, state: undefined, since: '' };
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const state: RealizationState = {
    observedGeneration: Number(status.observedGeneration ?? 0),
    generation: Number(status.generation ?? 0),
    wanted: Number(nodes.wanted ?? 0),
    acknowledged: Number(nodes.acknowledged ?? 0),
    slowestNode: text(status.slowestNode),
    lastError: text(status.lastError),
    programmed: condition.status === 'True',
    reason: text(condition.reason) ?? '',
    message: text(condition.message) ?? '',
  };
  return { uid, state, since: text(condition.lastTransitionTime) ?? '' };
}
