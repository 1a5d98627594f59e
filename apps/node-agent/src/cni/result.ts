import { CNI_CODE, CniError } from './errors.js';
import { atLeast, type CniVersion } from './version.js';

type Json = { readonly [key: string]: unknown };

/** What ADD made, in our own terms. */
export interface AttachedInterface {
  readonly hostInterface: string;
  readonly podInterface: string;
  readonly netns: string;
  readonly mac: string;
  readonly mtu: number;
  /** Without prefix length. */
  readonly ips: readonly string[];
  /** Next hop of the default route, one for each family. */
  readonly routerIps: readonly string[];
}

/** 4 or 6. */
export const familyOf = (ip: string): 4 | 6 => (ip.includes(':') ? 6 : 4);

/** `ADDRESS/32` or `ADDRESS/128`. */
export const hostPrefix = (ip: string): string => `${ip}/${familyOf(ip) === 6 ? 128 : 32}`;

const objects = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter((v): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v)) : [];

/** `version` ("4" or "6") stood in each entry of `ips` before 1.0.0, and is gone since. */
function ipOfVersion(version: CniVersion, ip: Json): Json {
  const { version: _, ...rest } = ip;
  return atLeast(version, '1.0.0') ? rest : { version: String(familyOf(String(ip.address))), ...rest };
}

/**
 * The success object of ADD (CNI specification §5 "Add Success") in the version of the configuration. What the plugins
 * before us made (`prevResult`) comes first and is passed on, as the specification asks.
 */
export function formatResult(version: CniVersion, made: AttachedInterface, dns: Json, prevResult?: Json): string {
  const before = objects(prevResult?.interfaces);
  // mtu stands in interfaces since 1.1.0.
  const mtu = atLeast(version, '1.1.0') ? { mtu: made.mtu } : {};
  const interfaces = [
    ...before,
    { name: made.hostInterface, ...mtu },
    { name: made.podInterface, mac: made.mac, sandbox: made.netns, ...mtu },
  ];
  const routerOf = (ip: string) => made.routerIps.find((router) => familyOf(router) === familyOf(ip));
  const ips = [
    ...objects(prevResult?.ips),
    ...made.ips.map((ip) => ({ address: hostPrefix(ip), gateway: routerOf(ip), interface: interfaces.length - 1 })),
  ].map((ip) => ipOfVersion(version, ip));
  const families = new Set(made.ips.map(familyOf));
  const routes = [
    ...objects(prevResult?.routes),
    ...made.routerIps
      .filter((router) => families.has(familyOf(router)))
      .map((router) => ({ dst: familyOf(router) === 6 ? '::/0' : '0.0.0.0/0', gw: router })),
  ];
  return JSON.stringify({
    ...prevResult,
    cniVersion: version,
    interfaces,
    ips,
    routes,
    dns: mergeDns(dns, prevResult),
  });
}

function mergeDns(ours: Json, prevResult: Json | undefined): Json {
  const before = prevResult?.dns;
  return typeof before === 'object' && before !== null ? { ...ours, ...before } : ours;
}

/** Whether a plugin before us made an interface of this name in the container. */
export function hasInterface(prevResult: Json, ifname: string, netns: string): boolean {
  return objects(prevResult.interfaces).some((i) => i.name === ifname && i.sandbox === netns);
}

/** What `prevResult` says about our interface, for CHECK. */
export interface ExpectedInterface {
  readonly mac: string | undefined;
  /** `ADDRESS/PREFIXLENGTH`, as written. */
  readonly addresses: readonly string[];
}

/** Finds our interface in `prevResult`. @throws CniError with code 7 if it is not there */
export function expectedInterface(prevResult: Json, ifname: string, netns: string): ExpectedInterface {
  const interfaces = objects(prevResult.interfaces);
  const index = interfaces.findIndex((i) => i.name === ifname && i.sandbox === netns);
  if (index < 0)
    throw new CniError(CNI_CODE.invalidConfig, `prevResult has no interface ${ifname} in the container ${netns}`);
  const mac = interfaces[index]?.mac;
  return {
    mac: typeof mac === 'string' && mac !== '' ? mac.toLowerCase() : undefined,
    addresses: objects(prevResult.ips)
      .filter((ip) => ip.interface === index)
      .map((ip) => String(ip.address)),
  };
}
