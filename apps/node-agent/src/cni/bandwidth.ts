type Json = { readonly [key: string]: unknown };

/** One direction of a pod's traffic. */
export interface RateLimit {
  /** Bits a second. */
  readonly rate: number;
  /** Bits that may pass at once after a pause; undefined: whatever suits the rate. */
  readonly burst: number | undefined;
}

/** Limits of a pod's traffic as the pod sees it: ingress is what it receives. */
export interface Bandwidth {
  readonly ingress: RateLimit | undefined;
  readonly egress: RateLimit | undefined;
}

/** containerd and CRI-O say 2^31-1 or 2^32-1 bits where the annotations name no burst: taken literally no short transfer would ever be limited. */
const NO_MATTER = 2 ** 31 - 1;

/**
 * Reads `runtimeConfig.bandwidth` (CNI conventions, "bandwidth": rates in bits a second, bursts in bits), which a runtime makes of the annotations
 * kubernetes.io/ingress-bandwidth and kubernetes.io/egress-bandwidth. A rate of 0 is no limit.
 * @returns undefined without any limit
 * @throws what `bad` gives, for anything that is not a number of bits
 */
export function parseBandwidth(value: unknown, bad: (what: string) => Error): Bandwidth | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw bad('runtimeConfig.bandwidth is not an object');
  const bits = (key: string): number => {
    const n = (value as Json)[key] ?? 0;
    // Up to 2^53 without loss; more than any link has.
    if (typeof n !== 'number' || !Number.isInteger(n) || n < 0)
      throw bad(`runtimeConfig.bandwidth.${key}=${JSON.stringify(n)} is not a number of bits`);
    return n;
  };
  const limit = (direction: 'ingress' | 'egress'): RateLimit | undefined => {
    const [rate, burst] = [bits(`${direction}Rate`), bits(`${direction}Burst`)];
    return rate === 0 ? undefined : { rate, burst: burst === 0 || burst >= NO_MATTER ? undefined : burst };
  };
  const [ingress, egress] = [limit('ingress'), limit('egress')];
  return ingress === undefined && egress === undefined ? undefined : { ingress, egress };
}
