import type { Compiler } from '../compiler.js';
import { type Family, familyOf, type Ip, ip } from '../model/brands.js';
import { type AttachmentFact, factKey, type NodeFact } from '../model/facts.js';
import type { IdentityInfo } from '../policy/identity.js';
import type { ExplainEnd, ExplainQuery } from './types.js';

/** An end of a question found among the facts. */
export type FoundEnd =
  | {
      readonly kind: 'pod';
      readonly name: string;
      readonly attachment: AttachmentFact;
      readonly identity: IdentityInfo;
    }
  | { readonly kind: 'service'; readonly name: string; readonly ips: readonly Ip[] }
  /** An address of the machine itself, heddle0's included. */
  | { readonly kind: 'node'; readonly name: string; readonly ip: Ip; readonly node: NodeFact }
  | { readonly kind: 'outside'; readonly name: string; readonly ip: Ip }
  /** There is nobody to ask about. */
  | { readonly kind: 'missing'; readonly name: string; readonly reason: string };

/**
 * Reads an end of a question: `NAMESPACE/POD`, `svc:NAMESPACE/NAME` or an address.
 * @throws RangeError for anything else
 */
export function parseExplainEnd(text: string): ExplainEnd {
  const service = text.startsWith('svc:');
  const [namespace = '', name = '', ...more] = (service ? text.slice('svc:'.length) : text).split('/');
  if (namespace !== '' && name !== '' && more.length === 0)
    return { kind: service ? 'service' : 'pod', namespace, name };
  if (service) throw new RangeError(`"${text}" is not svc:NAMESPACE/NAME`);
  return { kind: 'ip', ip: ip(text) };
}

export const formatExplainEnd = (end: ExplainEnd): string =>
  end.kind === 'ip' ? end.ip : `${end.kind === 'service' ? 'svc:' : ''}${end.namespace}/${end.name}`;

export function findEnd(compiler: Compiler, end: ExplainEnd): FoundEnd {
  if (end.kind === 'pod') return findPod(compiler, end.namespace, end.name);
  const name = formatExplainEnd(end);
  if (end.kind === 'service') {
    const service = compiler.fact('service', factKey(end.namespace, end.name));
    if (service === undefined)
      return { kind: 'missing', name, reason: `There is no service ${end.namespace}/${end.name}.` };
    if (service.clusterIps.length === 0)
      return { kind: 'missing', name, reason: `Service ${end.namespace}/${end.name} has no cluster IP.` };
    return { kind: 'service', name, ips: service.clusterIps };
  }
  for (const [, a] of compiler.facts('attachment'))
    if (a.ips.includes(end.ip)) return findPod(compiler, a.namespace, a.pod);
  for (const [key, s] of compiler.facts('service'))
    if (s.clusterIps.includes(end.ip)) return { kind: 'service', name: `svc:${key}`, ips: [end.ip] };
  for (const [, node] of compiler.facts('node'))
    if ([...node.gateway.ips, ...node.addresses, node.encapIp].includes(end.ip))
      return { kind: 'node', name, ip: end.ip, node };
  return { kind: 'outside', name, ip: end.ip };
}

function findPod(compiler: Compiler, namespace: string, pod: string): FoundEnd {
  const name = `${namespace}/${pod}`;
  const fact = compiler.fact('pod', name);
  if (fact === undefined) return { kind: 'missing', name, reason: `There is no pod ${name}.` };
  if (fact.hostNetwork)
    return { kind: 'missing', name, reason: `Pod ${name} uses its node's network; ask about the node's address.` };
  const attachment = compiler.fact('attachment', name);
  const identity = compiler.carriedIdentityOf(namespace, pod);
  if (attachment === undefined || identity === undefined)
    return { kind: 'missing', name, reason: `Pod ${name} is not attached to any node yet.` };
  return { kind: 'pod', name, attachment, identity };
}

/** The end's address of a family. */
export function addressOf(end: FoundEnd, family: Family): Ip | undefined {
  switch (end.kind) {
    case 'pod':
      return end.attachment.ips.find((a) => familyOf(a) === family);
    case 'service':
      return end.ips.find((a) => familyOf(a) === family);
    case 'node':
    case 'outside':
      return familyOf(end.ip) === family ? end.ip : undefined;
    case 'missing':
      return undefined;
  }
}

type Present = Exclude<FoundEnd, { readonly kind: 'missing' }>;

/** A question of one address family with both ends found. */
export interface Asked {
  readonly query: ExplainQuery;
  readonly from: Present;
  readonly to: Present;
  readonly family: Family;
  readonly source: Ip;
  readonly destination: Ip;
}
