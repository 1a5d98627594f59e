import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeConfig } from '@heddle/api';
import type { Logger } from 'pino';
import type { Attacher } from '../attach/attacher.js';
import { checkAttachment } from '../attach/check.js';
import { toCniError } from '../attach/failure.js';
import type { Reconciled } from '../attach/reconcile.js';
import { Stopwatch } from '../attach/stopwatch.js';
import { CNI_CODE, CniError, formatError } from '../cni/errors.js';
import { type AttachmentId, type CniCommand, type CniRequest, parseRequest } from '../cni/request.js';
import { expectedInterface, formatResult, hasInterface } from '../cni/result.js';
import { NEWEST_VERSION } from '../cni/version.js';
import type { WireAnswer, WireRequest } from '../cni/wire.js';
import type { PodPorts } from '../ovs/pod-ports.js';

/** What serves CNI operations once the node is set up. */
export interface ReadyNode {
  readonly attacher: Attacher;
  readonly ports: PodPorts;
  readonly config: () => NodeConfig;
  /** Removes everything of a network that is not in the list. */
  readonly collect: (network: string, valid: readonly AttachmentId[]) => Promise<Reconciled>;
  /** Undefined when ADD can be served. */
  readonly trouble: () => Promise<CniError | undefined>;
}

/** What an operation prints; nothing for those without a result. */
type Handler = (request: CniRequest, node: ReadyNode, watch: Stopwatch, gone: AbortSignal) => Promise<string>;

const HANDLERS: Readonly<Record<CniCommand, Handler>> = {
  async ADD({ containerId, ifname, netns, pod, config }, { attacher }, watch, abandoned) {
    if (pod === undefined) throw new CniError(CNI_CODE.invalidEnvironment, 'CNI_ARGS does not name the pod');
    // Looked at before anything is made, so that there is nothing to take back.
    if (config.prevResult !== undefined && hasInterface(config.prevResult, ifname, netns))
      throw new CniError(CNI_CODE.invalidConfig, `prevResult has an interface ${ifname} in this container already`);
    const { name: network, bandwidth } = config;
    const made = await attacher.add({ containerId, ifname, netns, pod, network, bandwidth, abandoned }, watch);
    return formatResult(config.cniVersion, made, config.dns, config.prevResult);
  },
  async DEL({ containerId, ifname }, { attacher }, watch) {
    await attacher.del({ containerId, ifname }, watch);
    return '';
  },
  async CHECK({ containerId, ifname, netns, config }, { attacher, ports, config: nodeConfig }) {
    const key = { containerId, ifname, netns };
    const expected = expectedInterface(config.prevResult ?? {}, ifname, netns);
    await attacher.exclusively(key, () => checkAttachment(key, expected, ports, nodeConfig()));
    return '';
  },
  async STATUS(_request, node) {
    const trouble = await node.trouble();
    if (trouble !== undefined) throw trouble;
    return '';
  },
  async GC({ config }, { collect }) {
    await collect(config.name, config.validAttachments);
    return '';
  },
};

export interface CniServiceOptions {
  /** The node, or why it does not serve yet. */
  readonly node: () => ReadyNode | CniError;
  /** Resolves when `node` gives one. */
  readonly ready: Promise<void>;
  /** How long a call that comes too early waits for that; a container runtime's own pause would be longer. */
  readonly patienceMs: number;
  readonly logger: Logger;
}

/** Serves operations of the CNI executable. Never rejects: failures are answers too. */
export class CniService {
  #active = 0;

  constructor(private readonly options: CniServiceOptions) {}

  /** Operations under way. */
  get active(): number {
    return this.#active;
  }

  async handle(wire: WireRequest, gone: AbortSignal = NEVER): Promise<WireAnswer> {
    const watch = new Stopwatch();
    this.#active++;
    const about = { command: wire.env.CNI_COMMAND, containerId: wire.env.CNI_CONTAINERID, ifname: wire.env.CNI_IFNAME };
    let version: string = NEWEST_VERSION;
    try {
      const request = parseRequest(wire.env, wire.stdin);
      version = request.config.cniVersion;
      const node =
        request.command === 'STATUS' ? this.options.node() : await watch.time('readyMs', () => this.#ready());
      if (node instanceof CniError) throw node;
      const stdout = await HANDLERS[request.command](request, node, watch, gone);
      const timings = watch.parts();
      // The DaemonSet's probes ask for the status, every few seconds.
      const level = request.command === 'STATUS' ? 'debug' : 'info';
      this.options.logger[level]({ ...about, ...podOf(request), startMs: wire.startMs, ...timings }, 'cni_done');
      return { exit: 0, stdout, timings };
    } catch (e) {
      const error = toCniError('the operation failed', e);
      const timings = watch.parts();
      const level = error.code === CNI_CODE.internal ? 'error' : 'warn';
      this.options.logger[level](
        {
          ...about,
          code: error.code,
          reason: error.message,
          details: error.details,
          err: error.cause,
          startMs: wire.startMs,
          ...timings,
        },
        'cni_failed',
      );
      return { exit: 1, stdout: formatError(version, error), timings };
    } finally {
      this.#active--;
    }
  }

  async #ready(): Promise<ReadyNode | CniError> {
    const { node, ready, patienceMs } = this.options;
    if (node() instanceof CniError) await Promise.race([ready, sleep(patienceMs, undefined, { ref: false })]);
    const now = node();
    return now instanceof CniError ? asRetry(now) : now;
  }
}

/** A caller that stays. */
const NEVER = new AbortController().signal;

/** 50 and 51 are STATUS's codes; other operations say "try again later". */
const asRetry = (error: CniError): CniError =>
  new CniError(CNI_CODE.tryAgainLater, error.message, error.details, { cause: error });

const podOf = ({ pod }: CniRequest) => (pod === undefined ? {} : { pod: `${pod.namespace}/${pod.pod}` });
