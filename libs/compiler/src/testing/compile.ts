import { flowMod, formatFlow } from 'openflow-ts/codec';
import { type Compiler, createCompiler } from '../compiler.js';
import { nodeName } from '../model/brands.js';
import type { FactChange } from '../model/facts.js';
import type { Flow } from '../model/output.js';
import { PIPELINE, TABLE_ID, type TableName } from '../pipeline/tables.js';
import { countingIds } from './facts.js';

/** What a compiler makes of facts, for tests. Not part of what the package exports. */

/** A compiler with numbers of its own that has taken these facts in. */
export function compile(...facts: readonly (FactChange | readonly FactChange[])[]): Compiler {
  const compiler = createCompiler(countingIds());
  compiler.apply(facts.flat() as FactChange[]);
  return compiler;
}

/** Flows of a node (`node1` is 1), of one table if it is named. */
export const flowsOf = (compiler: Compiler, n: number, table?: TableName): readonly Flow[] =>
  [...(compiler.node(nodeName(`node${n}`))?.flows.values() ?? [])].filter(
    (f) => table === undefined || f.tableId === TABLE_ID[table],
  );

const tableNames = new Map(PIPELINE.map((t) => [t.id, t.name]));
/** As ovs-ofctl writes it, with names of tables and without the cookie. */
export const flowText = (flow: Flow): string => formatFlow(flowMod({ ...flow, cookie: 0n }), { tableNames });
/** The same without the table, for lists of one table's flows. */
export const ruleText = (flow: Flow): string => flowText(flow).replace(/^table=\w+, /, '');
