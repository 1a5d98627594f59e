import { type Compiler, createCompiler } from '../compiler.js';
import type { NodeName } from '../model/brands.js';
import type { FactChange } from '../model/facts.js';
import type { Flow, Group, IdSource } from '../model/output.js';

/** A state: every fact there is, by kind and key. */
export type State = ReadonlyMap<string, FactChange>;

const idOf = (c: FactChange): string => `${c.kind} ${c.key}`;

/** The state after some changes, the later ones winning. */
export function stateOf(...changes: readonly (FactChange | readonly FactChange[])[]): State {
  const out = new Map<string, FactChange>();
  for (const c of changes.flat() as FactChange[])
    if (c.value === undefined) out.delete(idOf(c));
    else out.set(idOf(c), c);
  return out;
}

/** Changes that lead from one state to another; removals first. */
export function changesBetween(from: State, to: State): FactChange[] {
  const gone = [...from.values()]
    .filter((c) => !to.has(idOf(c)))
    .map((c) => ({ ...c, value: undefined }) as FactChange);
  return [...gone, ...[...to.values()].filter((c) => from.get(idOf(c)) !== c)];
}

/** One way through a list of states: batches of changes, and the state that should stand after each (undefined: not looked at). */
export type Walk = readonly { readonly changes: readonly FactChange[]; readonly state: State | undefined }[];

function straight(states: readonly State[]): Walk {
  let last: State = new Map();
  return states.map((state) => {
    const changes = changesBetween(last, state);
    last = state;
    return { changes, state };
  });
}

/** Ways to the same states. The result may not show which was taken. */
export const EXPANDERS: Readonly<Record<string, (states: readonly State[]) => Walk>> = {
  forward: straight,
  reverse: (states) => straight([...states].reverse()),
  split: (states) =>
    straight(states).flatMap(({ changes, state }) =>
      changes.map((c, i) => ({ changes: [c], state: i === changes.length - 1 ? state : undefined })),
    ),
  'split backwards': (states) =>
    straight(states).flatMap(({ changes, state }) =>
      [...changes].reverse().map((c, i) => ({ changes: [c], state: i === changes.length - 1 ? state : undefined })),
    ),
  squash: (states) => straight(states.slice(-1)),
  duplicates: (states) =>
    straight(states).flatMap(({ changes, state }) => [
      { changes: [...changes, ...changes], state },
      { changes: changes.map((c) => JSON.parse(JSON.stringify(c)) as FactChange), state },
    ]),
  empties: (states) => straight(states.flatMap((s) => [new Map(), s, new Map()])),
  'through everything': (states) => {
    const all = stateOf(...states.map((s) => [...s.values()]));
    return straight(states.flatMap((s) => [all, s]));
  },
};

const show = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v));
const showFlow = (f: Flow): string =>
  `${f.key} ${show([f.cookie, f.priority, f.tableId, f.instructions, f.provenance])}`;
const showGroup = (g: Group): string => `group ${g.id} ${show([g.buckets, g.provenance])}`;

/** All that a compiler holds, as sorted text. */
export function dump(compiler: Compiler): readonly string[] {
  return [...compiler.nodes()].sort().flatMap((name) => {
    const set = compiler.node(name);
    const lines = [...(set?.flows.values() ?? [])]
      .map(showFlow)
      .concat([...(set?.groups.values() ?? [])].map(showGroup));
    return lines.sort().map((line) => `${name} ${line}`);
  });
}

/** What a switch has that reads a node once and takes deltas from then on. Provenance is not on a switch. */
export class Mirror {
  private readonly nodes = new Map<string, Map<string, string>>();

  take(
    compiler: Compiler,
    deltas: ReadonlyMap<NodeName, { flows: ReadonlySet<string>; groups: ReadonlySet<number> }>,
  ): void {
    for (const [name, delta] of deltas) {
      const set = compiler.node(name);
      const have = this.nodes.get(name) ?? new Map<string, string>();
      for (const key of delta.flows) {
        const flow = set?.flows.get(key);
        if (flow === undefined) have.delete(key);
        else have.set(key, show([flow.cookie, flow.instructions]));
      }
      for (const id of delta.groups) {
        const group = set?.groups.get(id);
        if (group === undefined) have.delete(`group ${id}`);
        else have.set(`group ${id}`, show(group.buckets));
      }
      this.nodes.set(name, have);
    }
  }

  /** Reads a node as a whole, unless that was done before. */
  look(compiler: Compiler, name: NodeName): void {
    if (this.nodes.has(name)) return;
    const set = compiler.node(name);
    if (set === undefined) return;
    this.take(compiler, new Map([[name, { flows: new Set(set.flows.keys()), groups: new Set(set.groups.keys()) }]]));
  }

  dump(): readonly string[] {
    return [...this.nodes].flatMap(([name, have]) => [...have].map(([key, text]) => `${name} ${key} ${text}`)).sort();
  }

  static of(compiler: Compiler): readonly string[] {
    const mirror = new Mirror();
    for (const name of compiler.nodes()) mirror.look(compiler, name);
    return mirror.dump();
  }
}

export function fromScratch(ids: IdSource, state: State): Compiler {
  const compiler = createCompiler(ids);
  compiler.apply([...state.values()]);
  return compiler;
}
