import { type FlowsView, type FlowView, formatObjectRef, type ObjectRef } from '@heddle/api';
import { type Compiler, type Flow, nodeName, tableById } from '@heddle/compiler';
import { Inject, Injectable } from '@nestjs/common';
import { formatActions, formatFlow, formatGroup, formatMatch } from 'openflow-ts/codec';
import { Allocations } from '../../allocation/allocations.js';
import { Engine } from '../../core/engine.js';
import { Refusal } from '../../errors.js';
import { COMPILER } from '../../runtime/tokens.js';

export interface FlowFilter {
  /** Name of a table. */
  readonly table?: string | undefined;
  /** An owner, as `formatObjectRef` writes it. */
  readonly object?: string | undefined;
}

/** The flows that a node should have, with who is responsible for them. */
@Injectable()
export class FlowsService {
  constructor(
    private readonly allocations: Allocations,
    private readonly engine: Engine,
    @Inject(COMPILER) private readonly compiler: Compiler,
  ) {}

  /** @throws Refusal not_found */
  of(node: string, filter: FlowFilter): FlowsView {
    const set = this.compiler.node(nodeName(node));
    if (this.allocations.nodes.get(node) === undefined || set === undefined)
      throw new Refusal('not_found', `there is no node ${node}`);
    const wanted = (owners: readonly ObjectRef[]) =>
      filter.object === undefined || owners.some((o) => formatObjectRef(o) === filter.object);
    // A switch acknowledges a change as a whole, so what is not acknowledged yet is told for the node, not for a flow.
    const realized = this.engine.isRealized(node, this.engine.generation);
    const flows = [...set.flows.values()]
      .filter((f) => wanted(f.provenance.owners))
      .filter((f) => filter.table === undefined || tableById(f.tableId)?.name === filter.table)
      .sort(inPipelineOrder)
      .map((f) => view(f, realized));
    const groups = [...set.groups.values()]
      .filter((g) => wanted(g.provenance.owners) && filter.table === undefined)
      .sort((a, b) => a.id - b.id)
      .map((g) => formatGroup({ groupId: g.id, type: 'select', buckets: g.buckets }));
    return { node, flows, groups };
  }
}

function inPipelineOrder(a: Flow, b: Flow): number {
  return a.tableId - b.tableId || b.priority - a.priority || (a.key < b.key ? -1 : 1);
}

function view(flow: Flow, realized: boolean): FlowView {
  const { feature, owners, why } = flow.provenance;
  return {
    table: tableById(flow.tableId)?.name ?? String(flow.tableId),
    tableId: flow.tableId,
    priority: flow.priority,
    cookie: `0x${flow.cookie.toString(16)}`,
    match: formatMatch(flow.match),
    actions: formatActions(flow.instructions),
    text: formatFlow({ ...flow, idleTimeout: 0, hardTimeout: 0, flags: 0 }),
    feature,
    owners: [...owners],
    why,
    realized,
  };
}
