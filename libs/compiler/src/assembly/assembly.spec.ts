import { describe, expect, it } from 'vitest';
import { createCompiler } from '../compiler.js';
import { nodeName } from '../model/brands.js';
import { EVERYWHERE, later } from '../model/fragment.js';
import type { Flow } from '../model/output.js';
import { attach, cluster, countingIds, namespace, node, noNode, noPod, pod } from '../testing/facts.js';
import { Assembly } from './assembly.js';

const NODE1 = nodeName('node1');
const shop = [...cluster(), namespace('shop'), pod('shop/a', { app: 'a' }), attach('shop/a', 1, 2)];

describe('tables of nodes', () => {
  it('makes no flow before a node is asked for, and makes each once', () => {
    const assembly = new Assembly((flows) => flows[0] as Flow);
    let made = 0;
    const part = later(() => {
      made++;
      return { flows: [] };
    });
    assembly.addNode(NODE1);
    assembly.update(1, [{ part, placement: EVERYWHERE }]);
    expect([assembly.flush().size, made]).toEqual([0, 0]);
    assembly.node(NODE1);
    assembly.node(nodeName('node2'));
    assembly.addNode(nodeName('node2'));
    expect(made).toBe(1);
  });
  it('tells changes of a node from the first time that it was asked for', () => {
    const compiler = createCompiler(countingIds());
    expect(compiler.apply(shop).nodes.size).toBe(0);
    const before = compiler.node(NODE1)?.flows.size ?? 0;
    const { nodes } = compiler.apply([attach('shop/a', 2, 2)]);
    expect([...nodes.keys()]).toEqual(['node1']);
    expect(compiler.node(NODE1)?.flows.size).toBeLessThan(before);
  });
  it('tells everything of a node that was asked for before it was there, and that it is gone', () => {
    const compiler = createCompiler(countingIds());
    expect(compiler.node(NODE1)).toBeUndefined();
    const { nodes } = compiler.apply(shop);
    expect([...nodes.keys()]).toEqual(['node1']);
    expect(nodes.get(NODE1)?.flows).toEqual(new Set(compiler.node(NODE1)?.flows.keys()));
    const all = compiler.node(NODE1)?.flows.size;
    expect(compiler.apply([noNode(1)]).nodes.get(NODE1)?.flows.size).toBe(all);
    expect(compiler.node(NODE1)).toBeUndefined();
    expect(compiler.apply([noPod('shop/a'), node(1)]).nodes.get(NODE1)?.flows.size).toBeLessThan(all ?? 0);
  });
});
