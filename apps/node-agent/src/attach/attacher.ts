import { ApiError, type Attachment, type NodeConfig } from '@heddle/api';
import type { Logger } from 'pino';
import type { Bandwidth } from '../cni/bandwidth.js';
import { CNI_CODE, CniError } from '../cni/errors.js';
import type { PodName } from '../cni/request.js';
import { type AttachedInterface, familyOf } from '../cni/result.js';
import type { Controller } from '../daemon/controller.js';
import { CommandError } from '../host/command.js';
import {
  configurePodLink,
  createPodLink,
  deleteHostLink,
  hostLinkExists,
  netnsState,
  type PodAddressing,
} from '../host/links.js';
import { hostInterfaceName, type PodLink } from '../host/pod-link.js';
import { limitHostLink } from '../host/rate-limit.js';
import { type PodPort, type PodPorts, PortError } from '../ovs/pod-ports.js';
import { toCniError } from './failure.js';
import { KeyedLock } from './keyed-lock.js';
import { Stopwatch } from './stopwatch.js';
import { UndoList } from './undo.js';

/** Which interface of which container. */
export interface AttachmentKey {
  readonly containerId: string;
  readonly ifname: string;
}

export interface AddRequest extends AttachmentKey {
  readonly netns: string;
  readonly pod: PodName;
  /** Name of the CNI network. */
  readonly network: string;
  readonly bandwidth: Bandwidth | undefined;
  /** Aborted when the caller has gone, so that nobody would hear of a success. */
  readonly abandoned: AbortSignal;
}

/** What attaching needs of the rest of the agent. */
export interface AttacherOptions {
  readonly controller: Controller;
  readonly ports: PodPorts;
  readonly datapathType: 'system' | 'netdev';
  /** The configuration now. */
  readonly config: () => NodeConfig;
  readonly logger: Logger;
  /** How long the switch may take to acknowledge a port's flows. */
  readonly flowsTimeoutMs: number;
}

/** How long the controller may wait for its source to know the pod. */
const POD_WAIT_MS = 2_000;

/** Attaches and detaches pods. Everything about one container happens one after another. */
export class Attacher {
  readonly #containers = new KeyedLock();
  /** Host interfaces that an operation is at work on, by name. */
  readonly #links = new KeyedLock();
  /** Set when something could not be taken back, for example a lease while the controller is away; reconcile clears it. */
  unsettled = false;

  constructor(private readonly options: AttacherOptions) {}

  /** Operations under way or waiting. */
  get active(): number {
    return this.#containers.size;
  }

  /** Runs a task while nobody else works on this container. */
  exclusively<T>(key: AttachmentKey, task: () => Promise<T>): Promise<T> {
    return this.#containers.run(key.containerId, () =>
      this.#links.run(hostInterfaceName(key.containerId, key.ifname), task),
    );
  }

  /** Runs a task while nobody works on the host interface of this name. */
  exclusivelyLink<T>(name: string, task: () => Promise<T>): Promise<T> {
    return this.#links.run(name, task);
  }

  /**
   * Attaches a pod: when it resolves, the port's flows are acknowledged by the switch. When it rejects, nothing is
   * left: no link, no port, no lease. It rejects too when the caller goes away meanwhile, so that a repetition (the
   * runtime's time-out was shorter than ours) finds nothing in its way.
   * @throws CniError
   */
  async add(request: AddRequest, watch: Stopwatch): Promise<AttachedInterface> {
    const { made, portKey } = await this.exclusively(request, () => this.#add(request, watch));
    await this.#removeEarlier(request, portKey);
    return made;
  }

  /**
   * The controller gives a pod one attachment, so this ADD took the lease of the pod's earlier sandbox (or of the pod that had its name before). Its port
   * goes with it: it has no flows any more, and its DEL may never come.
   */
  async #removeEarlier({ pod }: AddRequest, portKey: number): Promise<void> {
    const { ports, logger } = this.options;
    // Port keys only rise: of two ADDs for one pod at the same time the later one stays.
    const isEarlier = (port: PodPort) =>
      port.namespace === pod.namespace && port.pod === pod.pod && port.portKey < portKey;
    for (const port of ports.list().filter(isEarlier))
      await this.exclusively(port, async () => {
        if (ports.get(port.name)?.portKey !== port.portKey) return;
        logger.info({ port: port.name, pod: nameOf(pod), containerId: port.containerId }, 'earlier_sandbox_removed');
        await this.remove(port);
      }).catch((err: unknown) => {
        this.unsettled = true;
        logger.warn({ err, port: port.name }, 'earlier_sandbox_not_removed');
      });
  }

  async #add(request: AddRequest, watch: Stopwatch): Promise<{ made: AttachedInterface; portKey: number }> {
    const link = this.#checkAdd(request);
    const undo = new UndoList();
    const addressing = deferred<PodAddressing>();
    // Started now, told what to do later.
    const offload = this.options.datapathType === 'netdev' ? 'off' : 'keep';
    const podEnd = { offload, egress: request.bandwidth?.egress } as const;
    const configured = configurePodLink(link.netns, link.podInterface, podEnd, addressing.promise);
    // Looked at in #connect; until then a failure must not count as unhandled.
    configured.catch(() => undefined);
    try {
      const lease = await this.#leaseAndLink(request, link, undo, watch);
      const { routerIps, routerMac } = this.options.config();
      addressing.resolve({ ...lease, routerIps, routerMac });
      await this.#connect(lease, { name: link.hostInterface, ...request }, configured, undo, watch);
      const { mac, mtu, ips } = lease;
      const families = new Set(ips.map(familyOf));
      const routers = routerIps.filter((router) => families.has(familyOf(router)));
      refuseAbandoned(request);
      return { made: { ...link, mac, mtu, ips, routerIps: routers }, portKey: lease.portKey };
    } catch (e) {
      addressing.reject(e);
      const error = toCniError('ADD failed', e);
      if (isOutcomeUnknown(error.cause)) this.unsettled = true;
      for (const { what, error: cause } of await undo.rollback()) {
        this.unsettled = true;
        this.options.logger.warn({ err: cause, what, ...request }, 'rollback_incomplete');
      }
      throw error;
    }
  }

  /** Refuses what must not be begun: taking back a failed repetition would take the living attachment with it. */
  #checkAdd(request: AddRequest): PodLink {
    refuseAbandoned(request);
    const { netns, containerId, ifname } = request;
    const state = netnsState(netns);
    if (state === 'absent')
      throw new CniError(CNI_CODE.unknownContainer, `CNI_NETNS ${netns} does not exist; is the container gone?`);
    if (state === 'own')
      throw new CniError(CNI_CODE.invalidEnvironment, `CNI_NETNS ${netns} is the network namespace of the node itself`);
    const hostInterface = hostInterfaceName(containerId, ifname);
    if (this.options.ports.get(hostInterface) !== undefined && hostLinkExists(hostInterface))
      throw new CniError(CNI_CODE.conflict, `the interface ${ifname} of this container is attached already`);
    return { hostInterface, podInterface: ifname, netns, mtu: this.options.config().podMtu };
  }

  /** Gets the lease and makes the pair, side by side. */
  async #leaseAndLink(request: AddRequest, link: PodLink, undo: UndoList, watch: Stopwatch): Promise<Attachment> {
    const { containerId, ifname, pod } = request;
    undo.note('lease', () => this.#release(request));
    const [lease, made] = await Promise.allSettled([
      watch.time('attachMs', () =>
        this.options.controller.attach({ containerId, ifname, ...defined(pod), waitMs: POD_WAIT_MS }),
      ),
      watch.time('vethMs', () => this.#makeLink(link, request.bandwidth, undo)),
    ]);
    if (lease.status === 'rejected') throw toCniError(`cannot attach pod ${nameOf(pod)}`, lease.reason);
    if (made.status === 'rejected') throw toCniError(`cannot make the interface ${ifname}`, made.reason);
    return lease.value;
  }

  /** Adds the port, configures the pod's end and waits for the flows, side by side. */
  async #connect(
    lease: Attachment,
    request: AddRequest & { readonly name: string },
    configured: Promise<void>,
    undo: UndoList,
    watch: Stopwatch,
  ): Promise<void> {
    const { ports, controller, flowsTimeoutMs } = this.options;
    const { name, netns, network, pod, ifname, bandwidth } = request;
    const port = { ...lease, name, netns, network, podUid: pod.podUid, ownQdisc: bandwidth?.ingress !== undefined };
    // When one part fails there is no point in waiting for the switch's acknowledgement.
    const giveUp = new AbortController();
    const part = (timing: string, doing: string, task: () => Promise<void>) =>
      watch.time(timing, task).catch((e: unknown) => {
        giveUp.abort();
        throw toCniError(doing, e);
      });
    undo.note('port', () => ports.remove(name));
    const settled = await Promise.allSettled([
      part('ovsMs', `cannot add the port of pod ${nameOf(pod)}`, () => ports.add(port)),
      part('configureMs', `cannot configure the interface ${ifname}`, () => configured),
      // The flows are for the port's number, which is known: they may be there before the port is.
      part('flowsMs', `the flows of pod ${nameOf(pod)} are not on the switch`, () =>
        controller.realized(lease.portKey, flowsTimeoutMs, AbortSignal.any([giveUp.signal, request.abandoned])),
      ),
    ]);
    // In the order above: the wait for the flows also fails where it was given up.
    for (const one of settled) if (one.status === 'rejected') throw one.reason;
  }

  /** Makes the pair; removes first what a crash left of an ADD of the same interface. */
  async #makeLink(link: PodLink, bandwidth: Bandwidth | undefined, undo: UndoList): Promise<void> {
    const name = link.hostInterface;
    if (hostLinkExists(name)) await deleteHostLink(name);
    // A port without its link: the container's namespace went away without a DEL.
    if (this.options.ports.get(name) !== undefined) await this.options.ports.remove(name);
    undo.note('link', () => deleteHostLink(name));
    try {
      await createPodLink(link);
      if (bandwidth?.ingress !== undefined) await limitHostLink(name, bandwidth.ingress);
    } catch (e) {
      if (e instanceof CommandError && /File exists/.test(e.stderr))
        throw new CniError(
          CNI_CODE.conflict,
          `an interface ${link.podInterface} exists in the container already`,
          e.stderr,
          { cause: e },
        );
      throw e;
    }
  }

  /** Detaches; succeeds when nothing is there. @throws CniError */
  del(key: AttachmentKey, watch: Stopwatch): Promise<void> {
    return this.exclusively(key, () => this.remove(key, watch));
  }

  /** The body of `del`, for who holds the lock already. */
  async remove(key: AttachmentKey, watch = new Stopwatch()): Promise<void> {
    const name = hostInterfaceName(key.containerId, key.ifname);
    try {
      if (this.options.ports.get(name) !== undefined) await watch.time('ovsMs', () => this.options.ports.remove(name));
      if (hostLinkExists(name)) await watch.time('vethMs', () => deleteHostLink(name));
    } catch (e) {
      throw toCniError('cannot detach', e);
    }
    // The lease goes last: as long as a port with the address may exist, nobody else must get the address.
    await watch
      .time('detachMs', () => this.#release(key))
      .catch((e: unknown) => {
        // A pod can be deleted while the controller is away: what remains is a lease without a port, and that is
        // given back by the next reconciliation.
        this.options.logger.warn({ err: e, ...key }, 'detach_postponed');
      });
  }

  async #release(key: AttachmentKey): Promise<void> {
    await this.options.controller.detach(key.containerId, key.ifname).catch((e: unknown) => {
      this.unsettled = true;
      throw e;
    });
  }
}

/** @throws CniError if the caller has gone */
function refuseAbandoned({ abandoned, pod }: AddRequest): void {
  if (abandoned.aborted)
    throw new CniError(CNI_CODE.tryAgainLater, `the caller of ADD for pod ${nameOf(pod)} went away before the answer`);
}

const nameOf = (pod: PodName): string => `${pod.namespace}/${pod.pod}`;

/** The pod without members that are undefined: the request has none of these. */
const defined = ({ namespace, pod, podUid }: PodName) => ({
  namespace,
  pod,
  ...(podUid === undefined ? {} : { podUid }),
});

/** Whether what was asked for may still happen after it was taken back, so that somebody has to look again later. */
const isOutcomeUnknown = (cause: unknown): boolean =>
  cause instanceof PortError ||
  (cause instanceof ApiError && (cause.code === 'timeout' || cause.code === 'unavailable'));

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}
