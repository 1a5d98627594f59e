import { type Action, HASH_FIELDS, type IpValue, MULTIPATH_ALGORITHMS, type Nat } from '../actions/types.js';
import { parseIpv4, parseIpv6 } from '../addresses.js';
import { ENCAP_NAMES, USE_NEXT_PROTO } from './format-actions.js';
import { type Numbers, parsePort, parseSubfield } from './parse-values.js';
import { Piece } from './scan.js';

// Arguments of the larger extensions.

export const hexBytes = (p: Piece): Uint8Array => {
  const text = p.text.replaceAll('.', '');
  if (!/^([0-9a-f]{2})*$/i.test(text)) p.fail(`"${p.text}" is not a list of bytes`);
  return Uint8Array.from(text.match(/../g) ?? [], (h) => Number.parseInt(h, 16));
};
/** Keys and values of a list such as `commit,zone=5`. */
export const options = (p: Piece): Map<string, Piece | undefined> =>
  new Map(
    p.split().map((part) => {
      const { name, arg } = part.call();
      return [name, arg];
    }),
  );

const ip = (text: string, p: Piece): IpValue => {
  try {
    return text.includes(':') ? { family: 6, value: parseIpv6(text) } : { family: 4, value: parseIpv4(text) };
  } catch (error) {
    return p.fail(error instanceof Error ? error.message : String(error));
  }
};
export function parseNat(p: Piece): Nat {
  const nat: { -readonly [K in keyof Nat]: Nat[K] } = {};
  for (const part of p.split()) {
    const [key, range] = part.cut('=') ?? [part, undefined];
    if (key.text === 'src' || key.text === 'dst') nat.type = key.text;
    else if (key.text === 'persistent' || key.text === 'hash' || key.text === 'random') nat[key.text] = true;
    else key.fail(`nat has no "${key.text}"`);
    if (range === undefined) continue;
    // [addr]-[addr]:port-port; the brackets only where there are ports behind an IPv6 address
    const m =
      /^(?:\[([0-9a-f:.]+)\](?:-\[([0-9a-f:.]+)\])?|([0-9.]+)(?:-([0-9.]+))?|([0-9a-f:.]*::?[0-9a-f:.]*[0-9a-f:])(?:-([0-9a-f:.]+))?)?(?::(\d+)(?:-(\d+))?)?$/i.exec(
        range.text,
      );
    const plain6 = /^([0-9a-f]*:[0-9a-f:]*:[0-9a-f.:]*)(?:-([0-9a-f:.]+))?$/i.exec(range.text);
    const [min, max, portMin, portMax] = plain6
      ? [plain6[1], plain6[2], undefined, undefined]
      : m === null
        ? range.fail(`"${range.text}" is no range of addresses and ports`)
        : [m[1] ?? m[3], m[2] ?? m[4], m[7], m[8]];
    // An address of all zeros says "any" to Open vSwitch.
    if (min !== undefined && BigInt(ip(min, range).value) !== 0n)
      nat.ip = { min: ip(min, range), ...(max !== undefined && { max: ip(max, range) }) };
    if (portMin !== undefined)
      nat.port = { min: Number(portMin), ...(portMax !== undefined && { max: Number(portMax) }) };
  }
  return nat;
}

export function parseMultipath(p: Piece): Action {
  const parts = p.split();
  if (parts.length < 6) return p.fail('multipath takes fields, basis, algorithm, links, argument, target');
  const [fields, basis, algorithm, links, arg, target] = parts as [Piece, Piece, Piece, Piece, Piece, Piece];
  return {
    kind: 'multipath',
    fields: HASH_FIELDS.find((f) => f === fields.text) ?? fields.fail(`"${fields.text}" is no set of fields`),
    basis: basis.number(16),
    algorithm:
      MULTIPATH_ALGORITHMS.find((a) => a === algorithm.text) ?? algorithm.fail(`"${algorithm.text}" is no algorithm`),
    links: links.number(17),
    arg: arg.number(32),
    target: parseSubfield(target),
  };
}

export function parseBundle(p: Piece, ctx: Numbers, load: boolean): Action {
  const i = p.text.search(/(members|slaves):/);
  if (i < 0) return p.fail('bundle has no members');
  const [fields, basis, algorithm, type, target] = p.slice(0, i).split() as (Piece | undefined)[];
  if (!fields || !basis || !algorithm || type?.text !== 'ofport')
    return p.fail('bundle takes fields, basis, algorithm, ofport');
  const list = p.slice(p.text.indexOf(':', i) + 1);
  const members = (list.text.startsWith('[') ? list.slice(1, list.text.length - 1) : list).split();
  return {
    kind: 'bundle',
    fields: HASH_FIELDS.find((f) => f === fields.text) ?? fields.fail(`"${fields.text}" is no set of fields`),
    basis: basis.number(16),
    algorithm:
      algorithm.text === 'hrw' || algorithm.text === 'active_backup'
        ? algorithm.text
        : algorithm.fail(`"${algorithm.text}" is no algorithm`),
    members: members.map((m) => parsePort(m, ctx)),
    ...(load && { target: parseSubfield(target ?? p.fail('bundle_load has no target')) }),
  };
}

export function parseSample(p: Piece, ctx: Numbers): Action {
  const o = options(p);
  const source = (key: string): number | ReturnType<typeof parseSubfield> => {
    const v = o.get(key);
    return v === undefined ? 0 : /^[0-9]/.test(v.text) ? v.number(32) : parseSubfield(v);
  };
  const port = o.get('sampling_port');
  return {
    kind: 'sample',
    probability: (o.get('probability') ?? p.fail('sample has no probability')).number(16),
    collectorSetId: o.get('collector_set_id')?.number(32) ?? 0,
    obsDomainId: source('obs_domain_id'),
    obsPointId: source('obs_point_id'),
    ...(port && { samplingPort: parsePort(port, ctx) }),
    ...(o.has('ingress') ? { direction: 'ingress' as const } : o.has('egress') ? { direction: 'egress' as const } : {}),
  };
}

const ENCAP_TYPES = new Map(Object.entries(ENCAP_NAMES).map(([n, name]) => [name, Number(n)]));
export function parseEncap(p: Piece): Action {
  const { name, arg } = p.call();
  const packetType = ENCAP_TYPES.get(name) ?? p.fail(`"${name}" is no header`);
  const properties = (arg?.split() ?? []).map((part) => {
    const { name: key, arg: value } = part.call();
    if (key === 'md_type') return { propClass: 4, type: 1, body: Uint8Array.of((value ?? part).number(8)) };
    if (key !== 'tlv' || value === undefined) return part.fail(`encap has no "${key}"`);
    const [cls, type, data] = value.split() as (Piece | undefined)[];
    if (!cls || !type || !data) return value.fail('tlv takes class, type, value');
    const bytes = hexBytes(new Piece(data.text.replace(/^0x/, '')));
    const c = cls.number(16);
    return { propClass: 4, type: 2, body: Uint8Array.of(c >> 8, c & 255, type.number(8), bytes.length, ...bytes) };
  });
  return { kind: 'encap', packetType, headerSize: 0, properties };
}
export function parseDecap(p: Piece | undefined): Action {
  if (p === undefined || p.text === '') return { kind: 'decap', packetType: USE_NEXT_PROTO };
  const m = /^packet_type\(ns=(\w+),type=(\w+)\)$/.exec(p.text.replaceAll(' ', ''));
  if (m === null) return p.fail(`"${p.text}" is no packet type`);
  return { kind: 'decap', packetType: Number(m[1]) * 0x10000 + Number(m[2]) };
}
