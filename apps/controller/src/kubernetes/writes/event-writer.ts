import type { ObjectRef } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { keepNewest } from '../../keep-newest.js';
import type { KubeClient } from '../kube-client.js';
import type { WriteQueue } from './write-queue.js';

/** The same about the same object is not told again before this time. */
const REPEAT_MS = 600_000;
/** Remembered at once; the oldest are forgotten. */
const MAX_REMEMBERED = 2_000;
/** events.k8s.io takes notes of at most 1 kB. */
const MAX_NOTE = 1_024;
const COMPONENT = 'heddle.dev/controller';

/** Something that a user must know about an object. */
export interface Notice {
  readonly regarding: ObjectRef & { readonly apiVersion: string; readonly uid: string };
  /** CamelCase. */
  readonly reason: string;
  readonly note: string;
}

export interface EventWriterNeeds {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly wallClock: () => Date;
  readonly queue: WriteQueue;
  /** 0 to 1. */
  readonly random: () => number;
  /** Name of this process, usually its host's. */
  readonly instance: string;
}

/** Events (events.k8s.io/v1) of type Warning. One that is equal to an earlier one is left out for ten minutes. */
export class EventWriter {
  private readonly told = new Map<string, number>();

  constructor(private readonly needs: EventWriterNeeds) {}

  tell(notice: Notice): void {
    const { clock, queue } = this.needs;
    const key = `${notice.reason} ${notice.regarding.uid} ${notice.note}`;
    const now = clock.now();
    if (now - (this.told.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    this.told.delete(key);
    this.told.set(key, now);
    keepNewest(this.told, MAX_REMEMBERED);
    const happened = this.needs.wallClock();
    // One key for an object and a reason: of several in a row the last one is told.
    const turn = `Event ${notice.reason} ${notice.regarding.uid}`;
    // Refused for good where the namespace has gone meanwhile. As long as there is a reason it is told again anyway.
    queue.put(turn, () => this.write(notice, happened), { urgent: true, once: true });
  }

  private async write({ regarding, reason, note }: Notice, happened: Date): Promise<void> {
    // Events about what is in no namespace stand in `default`, where kubectl looks for them.
    const namespace = regarding.namespace === '' ? 'default' : regarding.namespace;
    const unique = `${happened.getTime().toString(16)}${Math.floor(this.needs.random() * 0x10000).toString(16)}`;
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${regarding.name.slice(0, 230)}.${unique}`, namespace },
      eventTime: happened.toISOString().replace('Z', '000Z'),
      reportingController: COMPONENT,
      reportingInstance: this.needs.instance,
      action: 'Program',
      reason,
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        name: regarding.name,
        ...(regarding.namespace === '' ? {} : { namespace: regarding.namespace }),
        uid: regarding.uid,
      },
      note: note.slice(0, MAX_NOTE),
      type: 'Warning',
    };
    await this.needs.client.request('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { body });
  }
}
