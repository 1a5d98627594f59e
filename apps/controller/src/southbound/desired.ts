import type { NodeFlowSet, NodeName } from '@heddle/compiler';

/** What every switch should have. The flow sets are live: they change with the compiler's next `apply`. */
export interface DesiredState {
  /** `undefined` while nothing is known about the node: its switch is left alone. */
  node(name: NodeName): NodeFlowSet | undefined;
  /** The node that registered this datapath id. */
  nodeOfDatapath(datapathId: bigint): NodeName | undefined;
}

/** What the drivers log to; pino's logger is one. */
export interface SouthboundLogger {
  debug(fields: object): void;
  info(fields: object): void;
  warn(fields: object): void;
  error(fields: object): void;
}

/** Time as the drivers need it; a timer does not keep the process alive. */
export interface SouthboundClock {
  now(): number;
  after(ms: number, callback: () => void): () => void;
}
