import type { Flow } from '../model/output.js';
import type { Slots } from './fields.js';
import type { Packet } from './packet.js';

/** One table lookup. */
export interface Lookup {
  readonly node: string;
  readonly tableId: number;
  /** The flow that was hit; undefined on a table miss. */
  readonly flow: Flow | undefined;
  /** The flows whose clauses were met, where `flow` matches their conj_id. */
  readonly conjunction: readonly Flow[];
  /** Headers and metadata as the lookup saw them; read them with `readField`. */
  readonly seen: Readonly<Slots>;
}

/** A packet that left a bridge through a port that is no tunnel. */
export interface Delivery {
  readonly node: string;
  readonly ofport: number;
  readonly packet: Packet;
}

/** An end of a packet, or of a copy of it, without a port. */
export interface Drop {
  readonly node: string;
  readonly reason: 'table miss' | 'no action' | 'ttl' | 'output to in_port' | 'no bucket' | 'no peer';
  /** The last lookup before the end. */
  readonly lookup: Lookup;
}

/** All that happened to one packet, in order. */
export interface Journey {
  readonly lookups: readonly Lookup[];
  readonly deliveries: readonly Delivery[];
  readonly drops: readonly Drop[];
}
