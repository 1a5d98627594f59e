import type { ObjectRef } from '@heddle/api';
import type { Problem } from '../../source/model.js';

/** A registered node as its switch stands. */
export interface NodeState {
  readonly name: string;
  readonly connected: boolean;
  /** The newest generation that its switch has acknowledged on this connection; 0 if none. */
  readonly realizedGeneration: number;
  readonly lastError: string | null;
}

/** What is kept about an object of the cluster, as the source has seen it. */
export interface TrackedObject {
  readonly uid: string;
  /** metadata.generation; 0 for kinds that do not count. */
  readonly generation: number;
  /** Of a Node: status and reason of its condition NetworkUnavailable. */
  readonly networkUnavailable?: string | undefined;
}

/** What is written back is read from here. */
export interface ClusterState {
  /** False until everything that was there at the start is compiled. */
  readonly inSync: () => boolean;
  readonly generation: () => number;
  readonly nodes: () => readonly NodeState[];
  /** Names of the nodes whose switches an object concerns; undefined: all. */
  readonly nodesOf: (object: ObjectRef) => ReadonlySet<string> | undefined;
  /** What is wrong with objects, in the source and in what they ask for. */
  readonly problems: () => readonly Problem[];
  /** Those of one object; asked for each object that is written about. */
  readonly problemsOf: (object: ObjectRef) => readonly Problem[];
  /** Policies with rules whose order among others is open; asked every second. */
  readonly crowded: () => readonly { readonly object: ObjectRef; readonly reason: string }[];
  /** Objects of a kind that the source knows, by their key. */
  readonly tracked: (kind: string) => ReadonlyMap<string, TrackedObject>;
}
