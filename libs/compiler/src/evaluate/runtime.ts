import type { ConnectionTable } from './conntrack.js';
import type { Slots } from './fields.js';
import type { Drop, Lookup } from './trace.js';

/** A packet inside a switch. */
export interface Thread {
  readonly node: string;
  slots: Slots;
  inner: Slots | undefined;
  /**
   * What a `ct` without a table has done to the packet: its addresses and ports, and the state that the next `ct` goes by.
   * Lookups still see those of before, as in Open vSwitch.
   */
  inPlace: { readonly slots: Slots; readonly inner: Slots } | undefined;
  depth: number;
  /** Things that came of it so far: outputs, copies that went on elsewhere. None at the end: it was dropped. */
  effects: number;
  last: Lookup | undefined;
  /** Why nothing came of it, where something other than the flow's silence did it. */
  cause: Drop['reason'] | undefined;
}

/** What actions may ask of the switch. */
export interface Runtime {
  table(thread: Thread, tableId: number): void;
  output(thread: Thread, ofport: number): void;
  group(thread: Thread, groupId: number): void;
  /** A copy goes on in `tableId` with its connection state. */
  recirculate(thread: Thread, tableId: number): void;
  connections(node: string): ConnectionTable;
}
