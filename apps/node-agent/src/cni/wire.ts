import type { CniEnvironment } from './request.js';

/**
 * What the executable and the daemon say to each other over the unix socket: one line of JSON each way, then the end.
 * Simple on purpose, so that a small C program could take the executable's place. A caller that ends its side before the answer has given up: its ADD is
 * taken back, everything else is done all the same.
 */
export interface WireRequest {
  readonly env: CniEnvironment;
  /** The network configuration as it stood on stdin. */
  readonly stdin: string;
  /** Milliseconds from the start of the executable's process to the sending of this. */
  readonly startMs: number;
}

/** Milliseconds of the parts of one operation. Parts overlap; `agent` is from the request's arrival to the answer. */
export type Timings = Readonly<Record<string, number>>;

export interface WireAnswer {
  /** Exit status of the executable. */
  readonly exit: 0 | 1;
  /** What the executable prints; empty for operations without a result. */
  readonly stdout: string;
  readonly timings: Timings;
}

/** Bound of a network configuration; real ones have some hundred bytes, GC's list some hundred kilobytes at most. */
export const MAX_STDIN_BYTES = 4 * 1024 * 1024;
/** Bound of a line on the socket: every byte of stdin may need six in JSON. */
export const MAX_LINE_BYTES = 6 * MAX_STDIN_BYTES + 64 * 1024;
