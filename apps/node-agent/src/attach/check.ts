import type { NodeConfig } from '@heddle/api';
import { CNI_CODE, CniError } from '../cni/errors.js';
import { type ExpectedInterface, hostPrefix } from '../cni/result.js';
import { readLinks, readRoutes } from '../host/ip-json.js';
import { netnsState } from '../host/links.js';
import { hostInterfaceName } from '../host/pod-link.js';
import type { PodPorts } from '../ovs/pod-ports.js';
import type { AttachmentKey } from './attacher.js';

/** Compares what is there with what ADD said. @throws CniError code 3 or 104 whose details list every difference */
export async function checkAttachment(
  key: AttachmentKey & { readonly netns: string },
  expected: ExpectedInterface,
  ports: PodPorts,
  config: NodeConfig,
): Promise<void> {
  if (netnsState(key.netns) !== 'present')
    throw new CniError(CNI_CODE.unknownContainer, `CNI_NETNS ${key.netns} is not the network namespace of a container`);
  const wrong: string[] = [];
  const name = hostInterfaceName(key.containerId, key.ifname);
  const port = ports.get(name);
  const state = ports.state(name);
  if (port === undefined) wrong.push('the switch has no port for it');
  else if (state?.error !== undefined) wrong.push(`its port has the error "${state.error}"`);
  else if (state?.ofport !== port.ofport) wrong.push(`its port has the ofport ${state?.ofport}, not ${port.ofport}`);
  const link = (await readLinks(key.netns)).find((l) => l.name === key.ifname);
  if (link === undefined) wrong.push(`there is no interface ${key.ifname} in the container`);
  else {
    if (!link.up) wrong.push(`${key.ifname} is down`);
    for (const [whose, mac] of [
      ['prevResult', expected.mac],
      ['the lease', port?.mac],
    ] as const)
      if (mac !== undefined && link.mac !== mac)
        wrong.push(`${key.ifname} has the MAC ${link.mac}, not ${mac} of ${whose}`);
    const routes = await readRoutes(key.ifname, key.netns);
    const present = new Set(link.addresses.map((a) => `${a.ip}/${a.prefixLength}`));
    for (const address of new Set([...expected.addresses, ...(port?.ips ?? []).map(hostPrefix)]))
      if (!present.has(address)) wrong.push(`${key.ifname} has not the address ${address}`);
    for (const address of expected.addresses)
      for (const router of config.routerIps)
        if (
          address.includes(':') === router.includes(':') &&
          !routes.some((r) => r.destination === 'default' && r.gateway === router)
        )
          wrong.push(`there is no default route by ${router}`);
  }
  if (wrong.length > 0)
    throw new CniError(CNI_CODE.checkFailed, `interface ${key.ifname} is not as ADD made it`, wrong.join('; '));
}
