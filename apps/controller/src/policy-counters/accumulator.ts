import { hash } from 'node:crypto';
import { objectIdOf } from '@heddle/compiler';
import type { CountsEvent } from '../core/ports.js';
import type { Decider, Deciders } from '../policy-log/deciders.js';

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/** What has been counted under one text. */
export interface Total extends Count {
  /** When counting began, milliseconds since 1970. */
  readonly since: number;
}

/** Counters of one switch's flows as they were read last: what came since is what is more now. */
export interface Baseline {
  /** Flows are told apart within one OpenFlow version. */
  readonly version: string;
  /** By a digest of the flow's place. */
  readonly flows: ReadonlyMap<string, Count>;
}

/** What was counted together with whom it belongs to. */
export interface Counted extends Count {
  readonly node: string;
  readonly decider: Decider;
}

/** Flows of a switch have keys of some 60 bytes; a digest is shorter to keep. */
const digestOf = (key: string): string => hash('sha1', Buffer.from(key, 'latin1'), 'base64').slice(0, 16);

/**
 * Adds up what switches count, by rule. A flow that is replaced keeps its counters (OpenFlow 1.5.1, 6.4), one that counts less
 * than before is a new one: it counts from nothing, as all do after a restart of ovs-vswitchd.
 */
export class Accumulator {
  readonly totals = new Map<string, { packets: number; bytes: number; since: number }>();
  readonly baselines = new Map<string, { version: string; flows: Map<string, Count> }>();
  /** What differs from what was recorded last. */
  readonly changed = { totals: new Set<string>(), nodes: new Set<string>() };

  constructor(
    private readonly deciders: Deciders,
    private readonly wallClock: () => number,
    private readonly counted: (counted: Counted) => void,
  ) {}

  take({ node, kind, counts, leaving, version }: CountsEvent): void {
    for (const flow of leaving) this.deciders.remember(flow);
    const before = this.baselines.get(node);
    const comparable = before === undefined || before.version === version;
    const flows = kind === 'all' || !comparable ? new Map<string, Count>() : (before?.flows ?? new Map());
    let moved = before === undefined || !comparable || (kind === 'all' && before.flows.size !== counts.length);
    for (const { key, cookie, packets, bytes, leaves } of counts) {
      const digest = digestOf(key);
      const last = before?.flows.get(digest);
      // One that comes again in its place counts from nothing.
      if (leaves) flows.delete(digest);
      else flows.set(digest, { packets, bytes });
      if (leaves) moved = true;
      if (last?.packets === packets && last.bytes === bytes) continue;
      moved = true;
      // Whose counters these were cannot be told: what came since the last look is lost, but nothing is counted twice.
      if (!comparable) continue;
      const goesOn = last !== undefined && last.packets <= packets && last.bytes <= bytes;
      const more = goesOn ? { packets: packets - last.packets, bytes: bytes - last.bytes } : { packets, bytes };
      this.#add(node, objectIdOf(cookie), more);
    }
    this.baselines.set(node, { version, flows });
    if (moved) this.changed.nodes.add(node);
  }

  /** A node is gone for good; what it counted stays. */
  forget(node: string): void {
    if (this.baselines.delete(node)) this.changed.nodes.add(node);
  }

  #add(node: CountsEvent['node'], object: number, more: Count): void {
    for (const decider of this.deciders.of(node, object)) {
      const total = this.totals.get(decider.object);
      if (total === undefined) this.totals.set(decider.object, { ...more, since: this.wallClock() });
      else {
        total.packets += more.packets;
        total.bytes += more.bytes;
      }
      this.changed.totals.add(decider.object);
      this.counted({ node, decider, ...more });
    }
  }
}
