import type { ApplyResult, FactChange, IdSource, NodeDelta, NodeFlowSet, NodeName, PodFact } from '@heddle/compiler';
import type { CompilerPort } from '../core/ports.js';

/** Remembers facts and says that every node changed; gives no flows. For specs of what stands around the compiler. */
export class FakeCompiler implements CompilerPort {
  readonly facts = new Map<string, unknown>();
  readonly applied: (readonly FactChange[])[] = [];

  constructor(private readonly ids: IdSource) {}

  apply(changes: readonly FactChange[]): ApplyResult {
    this.applied.push(changes);
    for (const { kind, key, value } of changes)
      if (value === undefined) this.facts.delete(`${kind} ${key}`);
      else this.facts.set(`${kind} ${key}`, value);
    const delta: NodeDelta = { flows: new Set(), groups: new Set() };
    const nodes = [...this.facts.keys()].filter((k) => k.startsWith('node ')).map((k) => k.slice(5) as NodeName);
    return { nodes: new Map(nodes.map((n) => [n, delta])), steps: { fake: 1 } };
  }

  node(): NodeFlowSet {
    return { flows: new Map(), groups: new Map() };
  }

  identityOf(namespace: string, pod: string) {
    const fact = this.facts.get(`pod ${namespace}/${pod}`) as PodFact | undefined;
    if (fact === undefined) return undefined;
    const key = JSON.stringify([namespace, Object.entries(fact.labels).sort()]);
    return { key, number: this.ids.number('identity', key) };
  }

  subjectsOf(): Iterable<string> {
    return [];
  }
}
