import type { RateLimit } from '../cni/bandwidth.js';
import { run } from './command.js';

/** What may pass at once where the caller does not say: this much time at the rate ... */
const BURST_SECONDS = 0.1;
/** ... but some packets in any case, and not more than the kernel's 32-bit clock ticks (64 ns) can count. */
const MIN_BURST_BYTES = 16 * 1024;
const MAX_BURST_SECONDS = 60;
/** How long a packet may wait in the queue before the kernel drops it instead. */
const QUEUE_MS = 50;

/**
 * Arguments of `tc` that limit what a link sends. A token bucket (tbf) at the sending end, since a policer at the receiving end (what Open vSwitch's
 * ingress_policing_rate sets) does nothing for a userspace datapath: it reads packets before the kernel's policer sees them.
 */
export function tbfArguments(link: string, { rate, burst }: RateLimit): string[] {
  const wanted = Math.ceil(burst === undefined ? (rate / 8) * BURST_SECONDS : burst / 8);
  const bytes = Math.max(MIN_BURST_BYTES, Math.min(wanted, Math.floor((rate / 8) * MAX_BURST_SECONDS)));
  return [
    ...['qdisc', 'replace', 'dev', link, 'root', 'tbf'],
    ...['rate', `${rate}bit`, 'burst', `${bytes}b`, 'latency', `${QUEUE_MS}ms`],
  ];
}

/** Limits what the host's end of a pair sends, which is what the pod receives. @throws CommandError */
export async function limitHostLink(link: string, limit: RateLimit): Promise<void> {
  await run('tc', tbfArguments(link, limit));
}
