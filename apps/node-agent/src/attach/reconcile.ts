import { ApiError, type Attachment } from '@heddle/api';
import type { Logger } from 'pino';
import type { Controller } from '../daemon/controller.js';
import { readLinks } from '../host/ip-json.js';
import { deleteHostLink, hostLinkExists, netnsState } from '../host/links.js';
import { hostInterfaceName, isHostInterface } from '../host/pod-link.js';
import type { PodPort, PodPorts } from '../ovs/pod-ports.js';
import type { Attacher, AttachmentKey } from './attacher.js';

/** What a reconciliation removed. */
export interface Reconciled {
  /** Ports (with link and lease) whose container is gone, or that the controller does not take back. */
  readonly ports: readonly string[];
  /** Leases without a port. */
  readonly leases: readonly string[];
  /** Links without a port. */
  readonly links: readonly string[];
}

export interface ReconcileOptions {
  readonly attacher: Attacher;
  readonly controller: Controller;
  readonly ports: PodPorts;
  readonly logger: Logger;
  /** GC: what the runtime knows; everything else of this network goes. */
  readonly valid?: { readonly network: string; readonly attachments: readonly AttachmentKey[] };
}

const nameOf = (key: AttachmentKey): string => hostInterfaceName(key.containerId, key.ifname);

/**
 * Compares four lists that a crash may have left at odds: attachments that the controller knows, ports of the switch,
 * links of the host, and network namespaces. What lives on is an attachment with a port, a link and a namespace; what
 * is left over of anything else is removed, lease last. Safe beside running operations: each removal holds the
 * container's lock and looks again.
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciled> {
  const { attacher, controller, ports, logger, valid } = options;
  const removed = { ports: [] as string[], leases: [] as string[], links: [] as string[] };
  // Ports first: ADD records the attachment before it adds the port, so a port of this list has one in the next.
  const present = ports.list();
  const attachments = new Map((await controller.attachments()).map((a) => [nameOf(a), a]));

  for (const port of present) {
    const why = goneBecause(port, valid) ?? (await unclaimedBecause(port, attachments, options));
    if (why === undefined) continue;
    await attacher.exclusively(port, async () => {
      if (ports.get(port.name)?.portKey !== port.portKey) return;
      logger.info({ port: port.name, pod: `${port.namespace}/${port.pod}`, why }, 'leftover_port_removed');
      await attacher.remove(port);
      removed.ports.push(port.name);
    });
  }
  for (const [name, attachment] of attachments)
    await attacher.exclusively(attachment, async () => {
      if (ports.get(name) !== undefined || removed.ports.includes(name)) return;
      logger.info({ pod: `${attachment.namespace}/${attachment.pod}`, ips: attachment.ips }, 'leftover_lease_removed');
      await attacher.remove(attachment);
      removed.leases.push(name);
    });
  for (const { name } of await readLinks())
    if (isHostInterface(name))
      await attacher.exclusivelyLink(name, async () => {
        if (ports.get(name) !== undefined || !hostLinkExists(name)) return;
        logger.info({ link: name }, 'leftover_link_removed');
        await deleteHostLink(name);
        removed.links.push(name);
      });
  return removed;
}

/** Why a port's container is gone, if it is. */
function goneBecause(port: PodPort, valid: ReconcileOptions['valid']): string | undefined {
  // The kernel removes a pair with either end's namespace, so a missing link is a missing container.
  if (!hostLinkExists(port.name)) return 'its link is gone';
  // Paths below /proc name a process, whose end does not end the namespace.
  if (!port.netns.startsWith('/proc/') && netnsState(port.netns) === 'absent') return `${port.netns} is gone`;
  if (valid !== undefined && valid.network === port.network && !valid.attachments.some((a) => nameOf(a) === port.name))
    return 'the container runtime does not know it';
  return undefined;
}

const sameLease = (port: PodPort, a: Attachment): boolean =>
  a.mac === port.mac && a.ofport === port.ofport && a.portKey === port.portKey && a.ips.join() === port.ips.join();

/**
 * Why a living port is not what the controller has, if so. A controller that lost its database is asked to take the
 * port back; only if it gives the pod something else has the port to go, since its address may become somebody else's.
 */
async function unclaimedBecause(
  port: PodPort,
  attachments: ReadonlyMap<string, Attachment>,
  { controller, logger }: ReconcileOptions,
): Promise<string | undefined> {
  const attachment = attachments.get(port.name);
  if (attachment !== undefined)
    return sameLease(port, attachment) ? undefined : 'the controller has another address or number for it';
  const { containerId, ifname, namespace, pod, podUid } = port;
  // Asking for it would take the lease of the sandbox that came after this one.
  if ([...attachments.values()].some((a) => a.namespace === namespace && a.pod === pod))
    return 'its pod has another sandbox';
  try {
    const uid = podUid === undefined ? {} : { podUid };
    const again = await controller.attach({ containerId, ifname, namespace, pod, ...uid, waitMs: 0 });
    if (sameLease(port, again)) {
      logger.warn({ pod: `${namespace}/${pod}`, ips: port.ips }, 'lease_renewed');
      return undefined;
    }
    logger.error({ pod: `${namespace}/${pod}`, ips: port.ips, now: again.ips }, 'lease_lost_restart_the_pod');
    return 'the controller had forgotten it and gave its pod another address';
  } catch (e) {
    if (e instanceof ApiError && e.code === 'unknown_pod') return 'the controller knows neither it nor its pod';
    throw e;
  }
}
