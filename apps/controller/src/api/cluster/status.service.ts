import type { NodeView, ProblemView, StatusView } from '@heddle/api';
import { type Compiler, clusterPolicyObject, DNS_SERVICE, nodeName } from '@heddle/compiler';
import { Inject, Injectable } from '@nestjs/common';
import { Allocations } from '../../allocation/allocations.js';
import { crowdedPolicies } from '../../core/crowded-policies.js';
import { Engine } from '../../core/engine.js';
import { OwnProblems } from '../../core/own-problems.js';
import type { OvsdbPort, SwitchesPort, SwitchState } from '../../core/ports.js';
import { World } from '../../core/world.js';
import { COMPILER, OVSDB, SOURCE, SWITCHES } from '../../runtime/tokens.js';
import type { Source, SourceClusterPolicy } from '../../source/model.js';
import { VERSION } from '../../version.js';

const AWAY: SwitchState = {
  connected: false,
  version: null,
  remote: null,
  lastError: null,
  realizedGeneration: 0,
  modsSent: 0,
  modsAtConnect: 0,
};

/** How far the nodes are. */
@Injectable()
export class StatusService {
  constructor(
    private readonly engine: Engine,
    private readonly allocations: Allocations,
    @Inject(COMPILER) private readonly compiler: Compiler,
    @Inject(SWITCHES) private readonly switches: SwitchesPort,
    @Inject(OVSDB) private readonly ovsdb: OvsdbPort,
  ) {}

  nodes(): NodeView[] {
    return this.allocations.nodes.all().map((node): NodeView => {
      const name = nodeName(node.name);
      const { realizedGeneration, modsSent, modsAtConnect, ...openflow } = this.switches.state(name) ?? AWAY;
      const wanted = this.compiler.node(name);
      const { connected, version, remote, lastError } = openflow;
      const ovsdb = this.ovsdb.state(name);
      return {
        name: node.name,
        key: node.key,
        encapIp: node.encapIp,
        datapathId: node.datapathId,
        blocks: this.allocations.nodes.blocksOf(node.name).map((b) => b.cidr),
        gatewayIps: [...node.gatewayIps],
        openflow: { connected, version, remote, lastError },
        ovsdb: { connected: ovsdb?.connected ?? false, ovsVersion: ovsdb?.ovsVersion ?? null },
        realizedGeneration,
        desiredGeneration: this.engine.generation,
        flows: wanted?.flows.size ?? 0,
        groups: wanted?.groups.size ?? 0,
        modsSent,
        modsAtConnect,
        pods: this.allocations.attachments.ofNode(node.name).length,
      };
    });
  }

  /** Why not everything is acknowledged, a sentence each; empty if it is. */
  waitingFor(): string[] {
    const { generation, heldPods } = this.engine;
    const reasons = this.engine.inSync ? [] : ['the source has not been read yet'];
    for (const { name, openflow, realizedGeneration } of this.nodes()) {
      if (!openflow.connected) reasons.push(`${name}: its switch is not connected`);
      else if (realizedGeneration < generation)
        reasons.push(
          `${name}: its switch has acknowledged generation ${realizedGeneration} of ${generation}` +
            (openflow.lastError === null ? '' : ` (${openflow.lastError})`),
        );
    }
    if (heldPods > 0) reasons.push(`${heldPods} pods keep their earlier identity until every switch knows the new one`);
    return reasons;
  }

  /** Waits until everything up to now is acknowledged, at most `waitMs`. */
  async settled(waitMs: number, signal: AbortSignal): Promise<void> {
    if (waitMs > 0) await this.engine.settled(waitMs, signal);
  }
}

/** The status as a whole. */
@Injectable()
export class StatusViews {
  constructor(
    private readonly status: StatusService,
    private readonly engine: Engine,
    private readonly world: World,
    private readonly ownProblems: OwnProblems,
    @Inject(COMPILER) private readonly compiler: Compiler,
    @Inject(SOURCE) private readonly source: Source,
  ) {}

  view(): StatusView {
    const nodes = this.status.nodes();
    const waitingFor = this.status.waitingFor();
    const { pods, services, policies, clusterPolicies } = this.world.objects;
    const identities = new Set([...pods.values()].map((p) => this.compiler.identityOf(p.namespace, p.name)?.number));
    identities.delete(undefined);
    return {
      version: VERSION,
      realized: waitingFor.length === 0,
      generation: this.engine.generation,
      source: {
        kind: this.source.kind,
        location: this.source.location,
        inSync: this.engine.inSync,
        problems: this.problems().length,
      },
      nodes: {
        total: nodes.length,
        connected: nodes.filter((n) => n.openflow.connected).length,
        realized: nodes.filter((n) => this.engine.isRealized(n.name, this.engine.generation)).length,
      },
      counts: {
        pods: pods.size,
        attached: nodes.reduce((sum, n) => sum + n.pods, 0),
        services: services.size,
        policies: policies.size + clusterPolicies.size,
        identities: identities.size,
        flows: nodes.reduce((sum, n) => sum + n.flows, 0),
      },
      waitingFor,
    };
  }

  /** Of the source, of what it asks for and cannot have, and of the controller itself. */
  problems(): ProblemView[] {
    const own = this.world.problems.map(({ kind, namespace, name, reason }): ProblemView => {
      const object = { kind, namespace, name };
      const place = this.source.placeOf(object);
      return { severity: 'error', file: place?.file ?? '', line: place?.line ?? null, object, reason };
    });
    return [
      ...this.ownProblems.all(),
      ...this.source.problems(),
      ...own,
      ...this.crowdedPolicies(),
      ...this.namesWithoutServer(),
    ];
  }

  /** Nobody is asked for addresses whose answers count: rules for names can never match. */
  private namesWithoutServer(): ProblemView[] {
    const { compiler } = this;
    if (compiler.fact('config', 'config')?.dnsServers !== undefined) return [];
    if (compiler.fact('service', DNS_SERVICE) !== undefined) return [];
    const reason = `there is no service ${DNS_SERVICE}, and HEDDLE_DNS_SERVERS is not set: domainNames never match`;
    return [...this.world.objects.clusterPolicies.values()].filter(asksForNames).map(({ name }): ProblemView => {
      const object = { ...clusterPolicyObject(name), namespace: '' };
      const place = this.source.placeOf(object);
      return { severity: 'warning', file: place?.file ?? '', line: place?.line ?? null, object, reason };
    });
  }

  private crowdedPolicies(): ProblemView[] {
    return crowdedPolicies(this.compiler, this.world.objects.clusterPolicies.values()).map((crowded): ProblemView => {
      const place = this.source.placeOf(crowded.object);
      return { severity: 'warning', file: place?.file ?? '', line: place?.line ?? null, ...crowded };
    });
  }
}

const asksForNames = ({ egress }: SourceClusterPolicy): boolean =>
  egress.some((r) => r.peers.some((p) => p.kind === 'domains'));
