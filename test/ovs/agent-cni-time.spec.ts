import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const ROUNDS = 25;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

describe.skipIf(!canRunNodes())('the time of a CNI ADD', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
  });
  afterAll(() => node?.stop());

  it('is printed with its parts', async () => {
    const file = join(node.dir, 'timings');
    const wall: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const netns = await node.addPodNetns(`t${i}`);
      const call = { containerId: `c-t${i}`, netns, env: { HEDDLE_CNI_TIMINGS: file } };
      const added = await node.cni({ ...call, command: 'ADD', args: podArgs('shop', `t${i}`) });
      expect(added.status, added.stdout).toBe(0);
      wall.push(added.ms);
    }
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line): Record<string, number> => JSON.parse(line));
    expect(lines).toHaveLength(ROUNDS);
    const parts = ['startMs', 'attachMs', 'vethMs', 'ovsMs', 'configureMs', 'flowsMs', 'agentMs', 'totalMs'];
    const figures = parts.map((part) => `${part} ${median(lines.map((line) => line[part] ?? Number.NaN)).toFixed(1)}`);
    console.log(
      `CNI ADD, median of ${ROUNDS}: wall ${median(wall).toFixed(1)} ms (min ${Math.min(...wall).toFixed(1)}); ${figures.join(', ')}`,
    );
    for (const part of parts) expect(Number.isFinite(median(lines.map((line) => line[part] ?? Number.NaN)))).toBe(true);
  });
});
