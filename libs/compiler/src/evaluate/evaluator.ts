import type { Flow, Group, NodeFlowSet } from '../model/output.js';
import { runActions } from './actions.js';
import { lookup, Tables } from './classifier.js';
import { ConnectionTable, type TrackerOptions } from './conntrack.js';
import { EvaluateError } from './errors.js';
import { type Slots, writeMasked } from './fields.js';
import { headersOf, type Packet } from './packet.js';
import type { Runtime, Thread } from './runtime.js';
import type { Delivery, Drop, Journey, Lookup } from './trace.js';
import type { Wire } from './wire.js';

/** Buckets of a group are alternatives: gives the index of the one that this packet takes. */
export type ChooseBucket = (node: string, group: Group, packet: Packet) => number;

export interface EvaluatorOptions {
  /** Flow sets by node. Live views are fine: a set is read anew when `refresh` is called or a new object is given. */
  readonly nodes: (name: string) => NodeFlowSet | undefined;
  /** Default: every output leaves the fabric. */
  readonly wire?: Wire;
  /** Default: the first bucket. */
  readonly chooseBucket?: ChooseBucket;
  readonly tracker?: TrackerOptions;
}

/** Runs packets through the flows of one or more switches. Holds the connection tables; everything else is pure. */
export interface Evaluator {
  /** @throws EvaluateError for constructs that are not modelled, for undefined behaviour and for loops. */
  send(node: string, ofport: number, packet: Packet): Journey;
  /** Connections of a node, as conntrack has them. */
  connections(node: string): ConnectionTable;
  /** Takes the flow sets anew; connections stay, as they do on a switch. */
  refresh(): void;
}

/** Open vSwitch gives up at 64 nested resubmits and 4096 in all (ofproto-dpif-xlate). */
export const LIMITS = { depth: 64, lookups: 4096 } as const;

interface CompiledNode {
  readonly source: NodeFlowSet;
  readonly tables: Tables;
}

export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { wire = () => 'delivered', chooseBucket = () => 0 } = options;
  const compiled = new Map<string, CompiledNode>();
  const tracked = new Map<string, ConnectionTable>();

  const nodeOf = (name: string): CompiledNode => {
    const source = options.nodes(name);
    if (source === undefined) throw new EvaluateError(name, 'no such node');
    const known = compiled.get(name);
    if (known?.source === source) return known;
    const made = { source, tables: new Tables(source.flows.values()) };
    compiled.set(name, made);
    return made;
  };
  const connections = (node: string): ConnectionTable => {
    const known = tracked.get(node);
    if (known !== undefined) return known;
    const made = new ConnectionTable(options.tracker);
    tracked.set(node, made);
    return made;
  };

  const send = (firstNode: string, firstPort: number, packet: Packet): Journey => {
    const lookups: Lookup[] = [];
    const deliveries: Delivery[] = [];
    const drops: Drop[] = [];

    const inject = (node: string, ofport: number, p: Packet, tunnel: Readonly<Slots>) => {
      const slots: Slots = { ...p.headers, ...tunnel, in_port: ofport };
      run(
        {
          node,
          slots,
          inner: p.inner && { ...p.inner },
          inPlace: undefined,
          depth: 0,
          effects: 0,
          last: undefined,
          cause: undefined,
        },
        0,
      );
    };
    /** Runs a thread from a table to its end, and notes the drop if nothing came of it. */
    const run = (thread: Thread, tableId: number) => {
      runtime.table(thread, tableId);
      if (thread.effects === 0 && thread.last !== undefined)
        drops.push({
          node: thread.node,
          reason: thread.cause ?? (thread.last.flow === undefined ? 'table miss' : 'no action'),
          lookup: thread.last,
        });
    };
    const fork = (thread: Thread): Thread => ({
      ...thread,
      slots: { ...thread.slots },
      inner: thread.inner && { ...thread.inner },
      effects: 0,
      cause: undefined,
    });
    const packetOf = ({ slots, inner, inPlace }: Thread): Packet => {
      const headers = headersOf({ ...slots, ...inPlace?.slots });
      return inner === undefined ? { headers } : { headers, inner: headersOf({ ...inner, ...inPlace?.inner }) };
    };

    const runtime: Runtime = {
      connections,
      table(thread, firstTable) {
        for (let tableId: number | undefined = firstTable; tableId !== undefined; ) {
          const step = look(thread, tableId);
          if (step.flow === undefined) return;
          tableId = runInstructions(runtime, thread, step.flow, tableId);
        }
      },
      output(thread, ofport) {
        // OpenFlow 1.5.1, 5.2: never back through the in_port unless IN_PORT says so; the caller resolves that.
        const hop = wire(thread.node, ofport, thread.slots);
        if (hop === 'lost') {
          thread.cause = 'no peer';
          return;
        }
        thread.effects++;
        if (hop === 'delivered') deliveries.push({ node: thread.node, ofport, packet: packetOf(thread) });
        else inject(hop.node, hop.ofport, packetOf(thread), hop.tunnel);
      },
      group(thread, groupId) {
        const group = nodeOf(thread.node).source.groups.get(groupId);
        if (group === undefined) throw new EvaluateError(thread.node, `group ${groupId} does not exist`);
        if (group.buckets.length === 0) {
          thread.cause = 'no bucket';
          return;
        }
        const index = chooseBucket(thread.node, group, packetOf(thread));
        const bucket = group.buckets[index];
        if (bucket === undefined) throw new EvaluateError(thread.node, `group ${groupId} has no bucket ${index}`);
        // Changes made in a bucket are undone behind it.
        const branch = fork(thread);
        thread.effects++;
        runActions(runtime, branch, bucket.actions, branch.last?.tableId ?? 0);
        if (branch.effects === 0 && branch.last !== undefined)
          drops.push({ node: branch.node, reason: branch.cause ?? 'no action', lookup: branch.last });
      },
      recirculate(thread, tableId) {
        thread.effects++;
        const branch = fork(thread);
        branch.depth = 0;
        run(branch, tableId);
      },
    };
    const look = (thread: Thread, tableId: number): Lookup => {
      if (lookups.length >= LIMITS.lookups) throw new EvaluateError(thread.node, `more than ${LIMITS.lookups} lookups`);
      if (thread.depth > LIMITS.depth)
        throw new EvaluateError(thread.node, `resubmit nests deeper than ${LIMITS.depth}`);
      const found = lookup(nodeOf(thread.node).tables.get(tableId), thread.slots);
      const done: Lookup = {
        node: thread.node,
        tableId,
        flow: found?.flow,
        conjunction: found?.conjunction ?? [],
        seen: { ...thread.slots },
      };
      lookups.push(done);
      thread.last = done;
      return done;
    };

    inject(firstNode, firstPort, packet, {});
    return { lookups, deliveries, drops };
  };

  return { send, connections, refresh: () => compiled.clear() };
}

/** Runs a flow's instructions in the order in which OpenFlow executes them; gives the next table, if any. */
function runInstructions(runtime: Runtime, thread: Thread, flow: Flow, tableId: number): number | undefined {
  let next: number | undefined;
  let stopped = false;
  for (const instruction of flow.instructions)
    switch (instruction.kind) {
      case 'apply_actions':
        stopped = runActions(runtime, thread, instruction.actions, tableId) === 'stop';
        break;
      case 'goto_table':
        if (instruction.table <= tableId)
          throw new EvaluateError(`${thread.node} table ${tableId}`, `goto_table ${instruction.table} goes backwards`);
        next = instruction.table;
        break;
      // The action set is always empty here, so there is nothing to clear.
      case 'clear_actions':
        break;
      case 'write_metadata':
        writeMasked(thread.slots, 'metadata', instruction.value, instruction.mask);
        break;
      case 'write_actions':
      case 'meter':
      case 'unknown':
        throw new EvaluateError(`${thread.node} table ${tableId}`, `instruction ${instruction.kind} is not modelled`);
    }
  return stopped ? undefined : next;
}
