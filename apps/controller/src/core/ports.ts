import type { NodeDelta, NodeName } from '@heddle/compiler';

/** One switch as its driver sees it. */
export interface SwitchState {
  readonly connected: boolean;
  /** OpenFlow version in use. */
  readonly version: string | null;
  readonly remote: string | null;
  readonly lastError: string | null;
  /** The newest generation all of whose changes for the node are acknowledged on this connection; 0 if none. */
  readonly realizedGeneration: number;
  /** Flow and group mods acknowledged so far, over all connections. */
  readonly modsSent: number;
  /** Mods that the read-back of the present connection called for. */
  readonly modsAtConnect: number;
}

/** What the core needs of the OpenFlow drivers. */
export interface SwitchesPort {
  notify(generation: number, deltas: ReadonlyMap<NodeName, NodeDelta>): void;
  state(node: NodeName): SwitchState | undefined;
  /** The node is gone: its connection ends, and what was known of its switch is forgotten. */
  forget(node: NodeName): void;
  onRealized(listener: (node: NodeName, generation: number) => void): void;
}

/** What the API shows of the OVSDB side. */
export interface OvsdbPort {
  state(node: NodeName): { readonly connected: boolean; readonly ovsVersion: string | null } | undefined;
}
