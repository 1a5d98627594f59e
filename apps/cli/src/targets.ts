import { isIP } from 'node:net';
import { type ApiClient, DomainView, PodView, ROUTES, ServiceView } from '@heddle/api';
import { z } from 'zod';

const DOMAIN_NAME = /^[\w-]+(\.[\w-]+)+\.?$/;
const PROTOCOLS = ['tcp', 'udp', 'sctp', 'icmp'] as const;

/** `tcp/80`, `80/tcp` or `icmp`. @throws Error that shows the form */
export function parseProtocolPort(text: string): { protocol: string; port: number | undefined } {
  const parts = text.toLowerCase().split('/');
  const protocol = parts.find((p) => (PROTOCOLS as readonly string[]).includes(p));
  const rest = parts.filter((p) => p !== protocol);
  const port = rest.length === 0 ? undefined : Number(rest[0]);
  const wellFormed = rest.length <= 1 && (port === undefined || (Number.isInteger(port) && port >= 1 && port <= 65535));
  if (protocol === undefined || !wellFormed || (port === undefined) !== (protocol === 'icmp'))
    throw new Error(`"${text}": want PROTO/PORT, for example tcp/80, udp/53; or icmp`);
  return { protocol, port };
}

/**
 * What the API's explain wants for what a person wrote: NS/POD, svc:NS/NAME, an address, or a domain name, which stands for the
 * first address that it was seen to have. NS/NAME is a pod, else the first pod of a Deployment of that name, else a service.
 * @throws Error that lists what there is in the namespace
 */
export async function resolveTarget(api: ApiClient, text: string): Promise<string> {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) !== 0) return address;
  const service = /^svc[/:](.+\/.+)$/.exec(text)?.[1];
  if (service !== undefined) return `svc:${service}`;
  if (DOMAIN_NAME.test(text)) return await addressOf(api, text);
  if (!/^[^/]+\/[^/]+$/.test(text))
    throw new Error(`"${text}": want NAMESPACE/POD, svc/NAMESPACE/NAME, an IP address or a domain name`);
  const [pods, services] = await Promise.all([
    api.get(ROUTES.pods, z.array(PodView)),
    api.get(ROUTES.services, z.array(ServiceView)),
  ]);
  const podNames = pods.map((p) => `${p.namespace}/${p.name}`);
  const serviceNames = services.map((s) => `${s.namespace}/${s.name}`);
  if (podNames.includes(text)) return text;
  const replica = replicaOf(podNames, text);
  if (replica !== undefined && !serviceNames.includes(text)) return replica;
  if (serviceNames.includes(text)) return `svc:${text}`;
  const inNamespace = (names: readonly string[]) => names.filter((n) => n.startsWith(`${text.split('/')[0]}/`));
  const there = [...inNamespace(podNames), ...inNamespace(serviceNames).map((n) => `svc/${n}`)];
  throw new Error(`no pod or service "${text}"; this namespace has: ${there.join(', ') || 'nothing'}`);
}

/** The first address that a name was seen to have. @throws Error if there is none */
async function addressOf(api: ApiClient, text: string): Promise<string> {
  const name = text.toLowerCase().replace(/\.$/, '');
  const domains = await api.get(ROUTES.domains, z.array(DomainView));
  const address = domains.find((d) => d.name === name)?.addresses[0]?.address;
  if (address !== undefined) return address;
  throw new Error(
    `no address of ${name} is known: no policy asks for it by domainNames, or no pod of such a policy has looked it up lately; give an address`,
  );
}

/** The same for a sender, which cannot be a service. */
export async function resolveSource(api: ApiClient, text: string): Promise<string> {
  const pods = await api.get(ROUTES.pods, z.array(PodView));
  const names = pods.map((p) => `${p.namespace}/${p.name}`);
  if (names.includes(text)) return text;
  const replica = replicaOf(names, text);
  if (replica !== undefined) return replica;
  if (isIP(text) !== 0) return text;
  throw new Error(`no pod "${text}"; there are: ${names.join(', ') || 'none'}`);
}

/** The first pod that a Deployment or StatefulSet of this name made: its name plus a number, or plus two generated parts. */
function replicaOf(pods: readonly string[], owner: string): string | undefined {
  const generated = /^-(\d+|[a-z0-9]{5,10}-[a-z0-9]{5})$/;
  return pods.find((n) => n.startsWith(owner) && generated.test(n.slice(owner.length)));
}
