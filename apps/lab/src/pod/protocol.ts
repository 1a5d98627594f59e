/** What the pod program and those who ask it say to each other: one JSON line each way over its unix socket. No dependencies: it starts in every pod. */

export type Transport = 'TCP' | 'UDP' | 'SCTP';

/** HEDDLE_LAB_POD, JSON: what one pod program is and listens to. */
export interface PodProgramConfig {
  /** NAMESPACE/NAME, given in every answer. */
  readonly pod: string;
  /** Unix socket for probe requests; it lies outside the pod, path sockets cross network namespaces. */
  readonly socket: string;
  readonly ports: readonly { readonly port: number; readonly protocol: Transport }[];
}

/** One connection to try from inside a pod. */
export interface Probe {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'sctp';
  /** IPv4 or IPv6 address, no name. */
  readonly address: string;
  /** 0 for icmp. */
  readonly port: number;
  readonly timeoutMs: number;
  /** tcp: fetch this many bytes by HTTP from `/bytes/N` of our echo program and check them. */
  readonly bytes?: number;
  /** tcp, udp: use this source port; without it one that no probe of this program has used for long. */
  readonly sourcePort?: number;
}

export interface ProbeResult {
  /**
   * `ok`: connected (tcp), answered (udp, icmp). `refused`: a reset or "port unreachable". `unreachable`: another ICMP error or no route.
   * `unsupported`: the kernel has no such protocol.
   */
  readonly outcome: 'ok' | 'timeout' | 'refused' | 'unreachable' | 'unsupported' | 'error';
  /** Who answered, if it was our echo program. */
  readonly pod: string | null;
  /** Our address as the other side saw it, if it was our echo program. */
  readonly peer: string | null;
  readonly ms: number;
  /** Only with Probe.bytes. */
  readonly bytes?: number;
  readonly detail?: string;
}

export interface ProbeRequest {
  readonly probes: readonly Probe[];
}
export interface ProbeAnswer {
  readonly results: readonly ProbeResult[];
}

/** What our echo program says to whoever connects. */
export interface EchoAnswer {
  readonly pod: string;
  /** ADDRESS:PORT of the client, IPv6 in brackets. */
  readonly peer: string;
  readonly local: string;
}

/** `ADDRESS:PORT` with IPv4-mapped addresses as IPv4 and IPv6 in brackets. */
export function endpointText(address: string, port: number): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** Byte `i` of what `/bytes/N` sends: not periodic in any power of two, so that lost, doubled or reordered segments show. */
export const PATTERN_PERIOD = 251;
export function patternBlock(): Buffer {
  return Buffer.from(Uint8Array.from({ length: PATTERN_PERIOD * 256 }, (_, i) => i % PATTERN_PERIOD));
}
