import { BlockList } from 'node:net';
import type { KindContext } from './resources.ts';

const NODE_PORTS = { first: 30000, last: 32767 };

const toBig = (address: string): bigint => {
  if (!address.includes(':')) return address.split('.').reduce((n, b) => n * 256n + BigInt(b), 0n);
  const [head = '', tail = ''] = address.split('::');
  const words = (part: string) => (part === '' ? [] : part.split(':'));
  const left = words(head);
  const right = address.includes('::') ? words(tail) : [];
  const middle = Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...middle, ...right].reduce((n, w) => n * 65536n + BigInt(`0x${w}`), 0n);
};

function fromBig(value: bigint, family: 'IPv4' | 'IPv6'): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((s) => (value >> s) & 255n).join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 65535n).toString(16)).join(':');
  // The longest run of zeros is written "::" (RFC 5952).
  const runs = [...words.matchAll(/(^|:)0(:0)+(:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  return runs[0] === undefined
    ? words
    : `${words.slice(0, runs[0].index)}::${words.slice(runs[0].index + runs[0][0].length)}`;
}

/** Addresses of services and node ports, as the API server gives them. Given in order, so that runs repeat. */
export class ServiceAddresses implements KindContext {
  readonly families: readonly ('IPv4' | 'IPv6')[];
  private readonly ranges: readonly {
    family: 'IPv4' | 'IPv6';
    base: bigint;
    size: bigint;
    contains: (ip: string) => boolean;
  }[];
  private readonly taken = new Set<string>();
  private readonly ports = new Set<number>();
  private readonly next = new Map<string, bigint>();

  constructor(cidrs: readonly string[]) {
    this.ranges = cidrs.map((cidr) => {
      const [address, length] = cidr.split('/') as [string, string];
      const family = address.includes(':') ? 'IPv6' : 'IPv4';
      const list = new BlockList();
      list.addSubnet(address, Number(length), family === 'IPv4' ? 'ipv4' : 'ipv6');
      const bits = (family === 'IPv4' ? 32 : 128) - Number(length);
      return {
        family,
        base: toBig(address),
        size: 1n << BigInt(bits),
        contains: (ip: string) => list.check(ip, family === 'IPv4' ? 'ipv4' : 'ipv6'),
      };
    });
    this.families = this.ranges.map((r) => r.family);
  }

  allocateClusterIp(family: 'IPv4' | 'IPv6', wanted?: string): string | undefined {
    const range = this.ranges.find((r) => r.family === family);
    if (range === undefined) return undefined;
    if (wanted !== undefined && wanted !== '') {
      if (this.taken.has(wanted) || !range.contains(wanted)) return undefined;
      this.taken.add(wanted);
      return wanted;
    }
    for (let i = this.next.get(family) ?? 1n; i < range.size - 1n; i++) {
      const address = fromBig(range.base + i, family);
      if (this.taken.has(address)) continue;
      this.taken.add(address);
      this.next.set(family, i + 1n);
      return address;
    }
    return undefined;
  }

  releaseClusterIp(address: string): void {
    this.taken.delete(address);
  }

  allocateNodePort(wanted?: number): number | undefined {
    if (wanted !== undefined) {
      if (this.ports.has(wanted) || wanted < NODE_PORTS.first || wanted > NODE_PORTS.last) return undefined;
      this.ports.add(wanted);
      return wanted;
    }
    for (let port = NODE_PORTS.first; port <= NODE_PORTS.last; port++)
      if (!this.ports.has(port)) {
        this.ports.add(port);
        return port;
      }
    return undefined;
  }

  releaseNodePort(port: number): void {
    this.ports.delete(port);
  }
}
