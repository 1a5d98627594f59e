import type { L4Protocol, NamedPort, PolicyPort } from '../model/facts.js';
import { compareText } from './canonical.js';

/** Ports of one protocol as a value and a mask of 16 bits; no port means all of the protocol. */
export interface PortMatch {
  readonly protocol: L4Protocol;
  readonly port?: readonly [value: number, mask: number];
}

/**
 * Masked matches that together are exactly the ports from `first` to `last`: as few as possible.
 * @throws RangeError if the range is empty or leaves 0..65535
 */
export function portRange(first: number, last: number): readonly (readonly [number, number])[] {
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || last > 0xffff || first > last)
    throw new RangeError(`ports ${first} to ${last}`);
  const out: [number, number][] = [];
  for (let at = first; at <= last; ) {
    // The largest aligned block that begins here and does not go too far.
    let size = at === 0 ? 0x10000 : at & -at;
    while (at + size - 1 > last) size >>= 1;
    out.push([at, 0x10000 - size]);
    at += size;
  }
  return out;
}

const text = (m: PortMatch): string => `${m.protocol} ${m.port?.join('/') ?? ''}`;

/** Ports of a rule: those that are numbers, and the names that pods give a number. */
export interface RulePorts {
  /** Undefined: every protocol and port. */
  readonly fixed: readonly PortMatch[] | undefined;
  readonly named: readonly { readonly name: string; readonly protocol: L4Protocol }[];
}

/** A port that cannot be (65536, endPort below port, endPort beside a name) matches nothing; the API server refuses it. */
export function rulePorts(ports: readonly PolicyPort[]): RulePorts {
  if (ports.length === 0) return { fixed: undefined, named: [] };
  const fixed: PortMatch[] = [];
  const named: { name: string; protocol: L4Protocol }[] = [];
  for (const { protocol, port, endPort } of ports) {
    if (port === undefined) fixed.push({ protocol });
    else if (typeof port === 'string') {
      if (endPort === undefined) named.push({ name: port, protocol });
    } else {
      const last = endPort ?? port;
      if (port === last && Number.isInteger(port) && port >= 0 && port <= 0xffff)
        fixed.push({ protocol, port: [port, 0xffff] });
      else if (port >= 0 && last <= 0xffff && port <= last)
        for (const range of portRange(port, last)) fixed.push({ protocol, port: range });
    }
  }
  return { fixed: dedupe(fixed), named };
}

/** Numbers that the names stand for on a pod with these named ports. */
export function resolveNames(named: RulePorts['named'], ports: readonly NamedPort[]): readonly PortMatch[] {
  const out: PortMatch[] = [];
  for (const n of named)
    for (const p of ports)
      if (p.name === n.name && p.protocol === n.protocol) out.push({ protocol: p.protocol, port: [p.port, 0xffff] });
  return dedupe(out);
}

/** Each once, in a fixed order. */
export function dedupe(matches: readonly PortMatch[]): readonly PortMatch[] {
  // A copy is no longer than it must be; what was pushed to has room for many more.
  if (matches.length < 2) return matches.slice();
  return [...new Map(matches.map((m) => [text(m), m]))].sort((a, b) => compareText(a[0], b[0])).map(([, m]) => m);
}

/** Canonical text of a set of ports. */
export const portsText = (matches: readonly PortMatch[]): string => matches.map(text).join(',');

/** True if the protocol and port are among the matches. */
export const coversPort = (
  matches: readonly PortMatch[] | undefined,
  protocol: string,
  port: number | undefined,
): boolean =>
  matches === undefined ||
  matches.some(
    (m) =>
      m.protocol === protocol && (m.port === undefined || (port !== undefined && (port & m.port[1]) === m.port[0])),
  );
