import type { NodeConfig } from '@heddle/api';
import type { Logger } from 'pino';
import { CNI_CODE, CniError } from '../cni/errors.js';
import type { PodName } from '../cni/request.js';
import { type AttachedInterface, familyOf } from '../cni/result.js';
import type { Controller } from '../daemon/controller.js';
import { CommandError } from '../host/command.js';
import { configurePodLink, createPodLink, deleteHostLink, hostLinkExists, netnsState } from '../host/links.js';
import { hostInterfaceName, type PodLink } from '../host/pod-link.js';
import type { PodPorts } from '../ovs/pod-ports.js';
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
   * left: no link, no port, no lease.
   * @throws CniError
   */
  add(request: AddRequest, watch: Stopwatch): Promise<AttachedInterface> {
    return this.exclusively(request, () => this.#add(request, watch));
  }

  async #add(request: AddRequest, watch: Stopwatch): Promise<AttachedInterface> {
    const { netns, ifname, containerId, pod } = request;
    const state = netnsState(netns);
    if (state === 'absent')
      throw new CniError(CNI_CODE.unknownContainer, `CNI_NETNS ${netns} does not exist; is the container gone?`);
    if (state === 'own')
      throw new CniError(CNI_CODE.invalidEnvironment, `CNI_NETNS ${netns} is the network namespace of the node itself`);
    const { controller, ports, logger } = this.options;
    const config = this.options.config();
    const link: PodLink = {
      hostInterface: hostInterfaceName(containerId, ifname),
      podInterface: ifname,
      netns,
      mtu: config.podMtu,
    };
    // Before anything is begun: taking back a failed repetition would take the living attachment with it.
    if (ports.get(link.hostInterface) !== undefined && hostLinkExists(link.hostInterface))
      throw new CniError(CNI_CODE.conflict, `the interface ${ifname} of this container is attached already`);
    const undo = new UndoList();
    const fail = async (error: CniError): Promise<never> => {
      for (const { what, error: cause } of await undo.rollback()) {
        this.unsettled = true;
        logger.warn({ err: cause, what, ...request.pod, containerId, ifname }, 'rollback_incomplete');
      }
      throw error;
    };
    try {
      const [attached, linked] = await Promise.allSettled([
        watch.time('attachMs', () => {
          undo.note('lease', () => this.#release(request));
          return controller.attach({
            containerId,
            ifname,
            namespace: pod.namespace,
            pod: pod.pod,
            waitMs: POD_WAIT_MS,
            ...uid(pod),
          });
        }),
        watch.time('vethMs', () => this.#makeLink(link, undo)),
      ]);
      if (attached.status === 'rejected')
        throw toCniError(`cannot attach pod ${pod.namespace}/${pod.pod}`, attached.reason);
      if (linked.status === 'rejected') throw toCniError(`cannot make the interface ${ifname}`, linked.reason);
      const lease = attached.value;
      const port = {
        ...lease,
        name: link.hostInterface,
        netns,
        network: request.network,
      };
      // When one part fails there is no point in waiting for the switch's acknowledgement.
      const giveUp = new AbortController();
      const orGiveUp = (e: unknown): never => {
        giveUp.abort();
        throw e;
      };
      const addressing = { ...lease, podInterface: ifname, routerIps: config.routerIps, routerMac: config.routerMac };
      const offload = this.options.datapathType === 'netdev' ? 'off' : 'keep';
      undo.note('port', () => ports.remove(port.name));
      const settled = await Promise.allSettled([
        watch.time('ovsMs', () => ports.add(port)).catch(orGiveUp),
        watch.time('configureMs', () => configurePodLink(netns, addressing, offload)).catch(orGiveUp),
        // The flows are for the port's number, which is known: they may be there before the port is.
        watch.time('flowsMs', () => controller.realized(lease.portKey, this.options.flowsTimeoutMs, giveUp.signal)),
      ]);
      const doing = [
        `cannot add the port of pod ${pod.namespace}/${pod.pod}`,
        `cannot configure the interface ${ifname}`,
        `the flows of pod ${pod.namespace}/${pod.pod} are not on the switch`,
      ];
      for (const [i, part] of settled.entries())
        if (part.status === 'rejected') throw toCniError(doing[i] ?? 'cannot attach', part.reason);
      return {
        hostInterface: link.hostInterface,
        podInterface: ifname,
        netns,
        mac: lease.mac,
        mtu: lease.mtu,
        ips: lease.ips,
        routerIps: config.routerIps.filter((router) => lease.ips.some((ip) => familyOf(ip) === familyOf(router))),
      };
    } catch (e) {
      return fail(toCniError('ADD failed', e));
    }
  }

  /** Makes the pair; removes first what a crash left of an ADD of the same interface. */
  async #makeLink(link: PodLink, undo: UndoList): Promise<void> {
    const name = link.hostInterface;
    if (hostLinkExists(name)) await deleteHostLink(name);
    // A port without its link: the container's namespace went away without a DEL.
    if (this.options.ports.get(name) !== undefined) await this.options.ports.remove(name);
    undo.note('link', () => deleteHostLink(name));
    try {
      await createPodLink(link);
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

const uid = (pod: PodName): { podUid?: string } => (pod.podUid === undefined ? {} : { podUid: pod.podUid });
