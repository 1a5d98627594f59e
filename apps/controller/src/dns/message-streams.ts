import type { Clock } from '../clock.js';
import type { Segment } from '../packets/segment.js';
import { MessageStream, STREAM_LIMITS, type StreamLimits } from './message-stream.js';

/** How many connections are followed, and how long. */
export interface StreamsLimits extends StreamLimits {
  /** Of one pod; beyond that the one that was used least recently is read no further. */
  readonly perPod: number;
  /** Of all pods; beyond that those of the pod that has had no segment for longest go first. */
  readonly total: number;
  /** Name servers end idle connections far sooner (RFC 7766, 6.2.3: some seconds). */
  readonly idleMs: number;
}
export const STREAMS_LIMITS: StreamsLimits = { ...STREAM_LIMITS, perPod: 16, total: 1_024, idleMs: 120_000 };

interface Followed {
  readonly stream: MessageStream;
  /** By the clock. */
  usedAt: number;
}

/**
 * What name servers send to pods by TCP, as messages. A connection is followed from the server's SYN on, which says where the
 * first message begins; one whose beginning was not seen, or of which a segment is missing, is read no further: its pod has the
 * answers all the same, and what they say is learned from the next connection.
 */
export class MessageStreams {
  /** By pod, and then by the other end; the least recently used first on both levels. */
  private readonly pods = new Map<string, Map<string, Followed>>();
  private readonly limits: StreamsLimits;
  private count = 0;
  private unread = 0;
  private stopSweep: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    limits: Partial<StreamsLimits> = {},
  ) {
    this.limits = { ...STREAMS_LIMITS, ...limits };
  }

  /** Connections that are followed. */
  get size(): number {
    return this.count;
  }
  /** Segments with data of connections that are not, or not any more. */
  get unreadSegments(): number {
    return this.unread;
  }

  /**
   * Gives the messages that are whole with this segment; they may be parts of it.
   * @param place where the pod's address means one pod
   */
  take(place: string, segment: Segment): readonly Uint8Array[] {
    const { source, sourcePort, destination, destinationPort, syn, fin, rst, payload } = segment;
    const pod = `${place} ${destination}`;
    const end = `${source} ${sourcePort} ${destinationPort}`;
    if (rst) {
      this.drop(pod, end);
      return [];
    }
    // A SYN takes one sequence number (RFC 9293, 3.4).
    const sequence = syn ? (segment.sequence + 1) >>> 0 : segment.sequence;
    let followed = this.pods.get(pod)?.get(end);
    if (syn && followed?.stream.first !== sequence) {
      followed = { stream: new MessageStream(sequence, this.limits), usedAt: 0 };
      this.drop(pod, end);
    }
    if (followed === undefined) {
      if (payload.length > 0) this.unread++;
      return [];
    }
    this.use(pod, end, followed);
    const messages = followed.stream.take({ sequence, bytes: payload, last: fin });
    if (followed.stream.state !== 'open') this.drop(pod, end);
    if (followed.stream.state === 'lost') this.unread++;
    return messages;
  }

  stop(): void {
    this.stopSweep?.();
    this.stopSweep = undefined;
  }

  /** Puts it last on both levels, and makes room for it. */
  private use(pod: string, end: string, followed: Followed): void {
    followed.usedAt = this.clock.now();
    const own = this.pods.get(pod) ?? new Map<string, Followed>();
    if (!own.delete(end)) this.count++;
    own.set(end, followed);
    this.pods.delete(pod);
    this.pods.set(pod, own);
    if (own.size > this.limits.perPod) this.dropFirst(pod, own);
    const [first] = this.pods;
    if (this.count > this.limits.total && first !== undefined) this.dropFirst(...first);
    this.stopSweep ??= this.clock.after(this.limits.idleMs, () => this.sweep());
  }

  private dropFirst(pod: string, own: ReadonlyMap<string, Followed>): void {
    const [end] = own.keys();
    if (end !== undefined) this.drop(pod, end);
  }

  private drop(pod: string, end: string): void {
    const own = this.pods.get(pod);
    if (own?.delete(end) !== true) return;
    this.count--;
    if (own.size === 0) this.pods.delete(pod);
  }

  private sweep(): void {
    this.stopSweep = undefined;
    const before = this.clock.now() - this.limits.idleMs;
    for (const [pod, own] of this.pods) for (const [end, { usedAt }] of own) if (usedAt <= before) this.drop(pod, end);
    if (this.count > 0) this.stopSweep = this.clock.after(this.limits.idleMs, () => this.sweep());
  }
}
