import type {
  Attachment,
  AttachRequest,
  DetachRequest,
  NodeConfig,
  NodeRealizedAnswer,
  RealizedAnswer,
  RegisterNode,
} from '@heddle/api';
import { factKey } from '@heddle/compiler';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { Allocations } from '../../allocation/allocations.js';
import type { Lease } from '../../allocation/attachments.js';
import type { Config } from '../../config/config.js';
import { AgentContacts } from '../../core/agent-contacts.js';
import { Engine } from '../../core/engine.js';
import { Watchers } from '../../core/watchers.js';
import { World } from '../../core/world.js';
import { Refusal } from '../../errors.js';
import { SourceRefresher } from '../../runtime/source-refresher.js';
import { CONFIG } from '../../runtime/tokens.js';
import { NodeConfigs } from './node-configs.service.js';

/** What node agents ask for. */
@Injectable()
export class AgentService {
  /** A node is given no pod that the cluster has not given to it: whoever is not believed for other nodes may not choose either. */
  private readonly onlyOwnPods: boolean;

  constructor(
    private readonly engine: Engine,
    private readonly allocations: Allocations,
    private readonly world: World,
    private readonly watchers: Watchers,
    private readonly configs: NodeConfigs,
    private readonly source: SourceRefresher,
    private readonly contacts: AgentContacts,
    @Inject(CONFIG) config: Config,
  ) {
    this.onlyOwnPods = config.source.kind === 'kubernetes' && config.source.agentAccount !== undefined;
  }

  async register(name: string, said: RegisterNode): Promise<NodeConfig> {
    await this.engine.register(name, said);
    this.contacts.heard(name);
    return this.configs.of(name);
  }

  /** The configuration as soon as its generation is another than `after`, or its policy epoch than the one given. */
  async config(
    name: string,
    { after, policyEpoch, waitMs }: { after?: number | undefined; policyEpoch?: number | undefined; waitMs: number },
    signal: AbortSignal,
  ): Promise<NodeConfig> {
    this.configs.of(name);
    const answered = this.contacts.asks(name);
    // "Another" and not "above": an agent may remember the generation of a database that is gone.
    const isNews = () => this.configs.generation !== after || this.configs.isOtherEpoch(name, policyEpoch);
    try {
      if (after !== undefined) await this.watchers.until(isNews, waitMs, signal);
    } finally {
      answered();
    }
    return this.configs.of(name);
  }

  attachments(name: string): Attachment[] {
    if (this.allocations.nodes.get(name) === undefined)
      throw new Refusal('unknown_node', `node ${name} has not registered`);
    return this.allocations.attachments.ofNode(name).map((lease) => this.view(lease));
  }

  /** @throws Refusal unavailable, unknown_pod, unknown_node, conflict, pool_exhausted, bad_request */
  async attach(request: z.output<typeof AttachRequest>, signal: AbortSignal): Promise<Attachment> {
    if (!/^[\w.:-]+$/.test(request.ifname) || !/^[\w.:-]+$/.test(request.containerId))
      throw new Refusal('bad_request', 'containerId and ifname may have letters, digits, "_", ".", ":" and "-"');
    if (this.allocations.nodes.get(request.node) === undefined)
      throw new Refusal('unknown_node', `node ${request.node} has not registered`);
    await this.knownPod(request, signal);
    const { lease } = await this.engine.attach(request);
    return this.view(lease);
  }

  async detach(request: DetachRequest): Promise<void> {
    await this.engine.detach(request);
  }

  /** @throws Refusal not_found, timeout */
  async realized(portKey: number, timeoutMs: number, signal: AbortSignal): Promise<RealizedAnswer> {
    const lease = this.allocations.attachments.get(portKey);
    if (lease === undefined) throw new Refusal('not_found', `there is no port ${portKey}`);
    const startedAt = performance.now();
    const { node } = lease.record;
    const generation = this.engine.portGeneration(portKey);
    const there = () => this.allocations.attachments.get(portKey) !== undefined;
    await this.watchers.until(() => !there() || this.engine.isRealized(node, generation), timeoutMs, signal);
    if (!there()) throw new Refusal('not_found', `port ${portKey} was detached meanwhile`);
    if (!this.engine.isRealized(node, generation))
      throw new Refusal(
        'timeout',
        `the switch of ${node} did not acknowledge the flows of port ${portKey} in ${timeoutMs} ms`,
      );
    return { portKey, realized: true, waitedMs: Math.round((performance.now() - startedAt) * 100) / 100 };
  }

  /** @throws Refusal unknown_node, timeout */
  async nodeRealized(name: string, timeoutMs: number, signal: AbortSignal): Promise<NodeRealizedAnswer> {
    const registered = () => this.allocations.nodes.get(name) !== undefined;
    // Before the source is in sync nothing is compiled, so a switch without flows would count as done.
    let generation: number | undefined;
    const realized = () => {
      if (this.engine.inSync) generation ??= this.engine.generation;
      return generation !== undefined && this.engine.isRealized(name, generation);
    };
    await this.watchers.until(() => !registered() || realized(), timeoutMs, signal);
    if (!registered()) throw new Refusal('unknown_node', `node ${name} has not registered`);
    if (generation === undefined) throw new Refusal('unavailable', 'the controller has not read its source yet');
    if (!realized())
      throw new Refusal(
        'timeout',
        `the switch of ${name} did not acknowledge generation ${generation} in ${timeoutMs} ms`,
      );
    return { node: name, generation };
  }

  /** The kubelet may be faster than the source. */
  private async knownPod(request: z.output<typeof AttachRequest>, signal: AbortSignal): Promise<void> {
    const key = factKey(request.namespace, request.pod);
    const ofThatName = () => {
      const known = this.engine.inSync ? this.world.objects.pods.get(key) : undefined;
      // The kubelet knows of the binding before we do.
      return this.onlyOwnPods && known?.nodeName === '' ? undefined : known;
    };
    // After a pod was made anew under its name, either of the two may be the older one here. Labels of the other one are
    // never given to it.
    const pod = () => {
      const uid = ofThatName()?.uid;
      return uid === undefined || request.podUid === undefined || uid === request.podUid ? ofThatName() : undefined;
    };
    if (pod() === undefined && request.waitMs > 0) {
      this.source.refreshInBackground();
      await this.watchers.until(() => pod() !== undefined, request.waitMs, signal);
    }
    const found = pod();
    if (!this.engine.inSync) throw new Refusal('unavailable', 'the controller has not read its source yet, try again');
    if (found === undefined)
      throw new Refusal(
        'unknown_pod',
        `the source has no pod ${key}${ofThatName() === undefined ? '' : ` with the UID ${request.podUid}, but another one`}`,
      );
    if (found.hostNetwork)
      throw new Refusal('bad_request', `pod ${key} uses the host's network: there is nothing to attach`);
    if (found.nodeName !== '' && found.nodeName !== request.node)
      throw new Refusal('conflict', `pod ${key} belongs on node ${found.nodeName}, not on ${request.node}`);
  }

  private view({ record, ips }: Lease): Attachment {
    const { node, containerId, ifname, namespace, pod, portKey, ofport, mac } = record;
    const mtu = this.configs.podMtu(node);
    return { node, containerId, ifname, namespace, pod, portKey, ofport, mac, ips: [...ips], mtu };
  }
}
