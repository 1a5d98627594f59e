import { type FlowMonitor, type FlowUpdate, flowMonitorRequest } from '../codec/index.js';
import { deferred } from './deferred.js';
import { OpenFlowClosedError, OpenFlowLimitError } from './errors.js';
import type { OpenFlowSession } from './session.js';

/** Which changes are wanted, and how many may wait. */
export interface WatchOptions extends Partial<Omit<FlowMonitor, 'id' | 'command'>> {
  /** Updates that may wait for the caller before the iteration fails. Default 100000. */
  readonly maxWaiting?: number;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

const lastId = new WeakMap<OpenFlowSession, number>();

/**
 * The changes of a switch's flows, beginning with the flows that are there (OpenFlow 1.4 §7.3.5.17; in 1.3 the extension of ONF).
 * Leaving the loop ends the monitor. `paused` says that the switch has dropped updates because we read too slowly, and until
 * `resumed` nothing is known; what changed meanwhile comes before `resumed`. Own changes come as `abbrev`.
 *
 * Updates do not say which monitor they are for: with several monitors in a session each loop sees the updates of all.
 * @throws OpenFlowPeerError if the switch refuses the monitor; OpenFlowLimitError when more than `maxWaiting` updates wait;
 * OpenFlowClosedError when the session ends
 */
export async function* watchFlows(
  session: OpenFlowSession,
  options: WatchOptions = {},
): AsyncGenerator<FlowUpdate, void, void> {
  const { maxWaiting = 100_000, signal, ...monitor } = options;
  const id = (lastId.get(session) ?? 0) + 1;
  lastId.set(session, id);
  let waiting: FlowUpdate[] = [];
  let failure: Error | undefined;
  let wake = deferred<void>();
  const push = (updates: readonly FlowUpdate[]): void => {
    if (waiting.length + updates.length > maxWaiting) {
      failure ??= new OpenFlowLimitError(`more than ${maxWaiting} flow updates wait to be read`);
      waiting = [];
    } else for (const update of updates) waiting.push(update);
    wake.resolve();
  };
  const stop = (): void => wake.resolve();
  const ends = [
    session.on('multipart_reply', (m) => {
      if (m.type === 'flow_monitor') push(m.elements);
    }),
    session.on('flow_monitor_paused', () => push([{ event: 'paused' }])),
    session.on('flow_monitor_resumed', () => push([{ event: 'resumed' }])),
  ];
  void session.closed.then((reason) => {
    failure ??= new OpenFlowClosedError(reason);
    wake.resolve();
  });
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const request = flowMonitorRequest({ id, ...monitor });
    // Updates that come behind the reply wait until the flows of the reply are given out.
    for (const update of await session.multipart(request, signal === undefined ? {} : { signal })) yield update;
    const aborted = (): boolean => signal?.aborted === true;
    while (!aborted()) {
      const batch = waiting;
      waiting = [];
      yield* batch;
      if (failure !== undefined && waiting.length === 0) throw failure;
      if (waiting.length === 0 && !aborted()) await wake.promise;
      wake = deferred<void>();
    }
  } finally {
    for (const end of ends) end();
    signal?.removeEventListener('abort', stop);
    if (!(failure instanceof OpenFlowClosedError)) await cancel(session, id).catch(ignoreClosed);
  }
}

function cancel(session: OpenFlowSession, id: number): Promise<void> {
  if (session.version === 'OF1.3') return session.send({ kind: 'flow_monitor_cancel', id });
  return session.send(flowMonitorRequest({ id, command: 'delete', flags: 0 }));
}

/** With the session the monitor is gone, too. */
const ignoreClosed = (error: unknown): void => {
  if (!(error instanceof OpenFlowClosedError)) throw error;
};
