import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createCompiler } from '../compiler.js';
import { ip } from '../model/brands.js';
import { flowText } from '../testing/compile.js';
import { EXAMPLE, TIERS, TOLD } from '../testing/example.js';
import { config, countingIds } from '../testing/facts.js';
import { pipelineMaps, tableContract } from './document.js';
import { PIPELINE } from './tables.js';

// UPDATE_DOCS=1 writes the generated parts anew; without it the test compares.
const FILE = new URL('../../PIPELINE.md', import.meta.url);

function generated(text: string): string {
  const parts = {
    ...pipelineMaps(),
    ...Object.fromEntries(PIPELINE.map((t) => [`contract ${t.name}`, tableContract(t)])),
  };
  return text.replaceAll(
    /(<!-- generated: (.+?) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_, open: string, name: string, close: string) =>
      `${open}${parts[name as keyof typeof parts] ?? 'UNKNOWN'}${close}`,
  );
}

const compiled = (): ReadonlySet<string> => {
  return new Set(
    (['geneve', 'vxlan'] as const).flatMap((encap) => {
      const compiler = createCompiler(countingIds());
      const named = [config({ encap, dnsServers: [ip('10.96.0.10')] })];
      return [[...EXAMPLE, config({ encap })], TOLD, TIERS, named].flatMap((facts) => {
        compiler.apply(facts);
        return compiler
          .nodes()
          .flatMap((name) => [...(compiler.node(name)?.flows.values() ?? [])])
          .map(flowText);
      });
    }),
  );
};

describe('PIPELINE.md', () => {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(FILE, generated(readFileSync(FILE, 'utf8')));
  const text = readFileSync(FILE, 'utf8');

  it('has the maps of tables, registers, marks, zones and cookies as they are', () => {
    expect(text).toBe(generated(text));
    for (const name of Object.keys(pipelineMaps())) expect(text).toContain(`<!-- generated: ${name} -->`);
  });
  it.each(PIPELINE.map((t) => t.name))('has a section for %s with its contract and an example', (name) => {
    const section = text.split(/^### /m).find((s) => s.startsWith(`${name}\n`)) ?? '';
    expect(section).toContain(`<!-- generated: contract ${name} -->`);
    expect(section).toContain(`table=${name}, `);
  });
  it('shows flows that the compiler really makes', () => {
    const flows = compiled();
    const shown = text.split('\n').filter((line) => line.startsWith('table='));
    expect(shown.length).toBeGreaterThan(PIPELINE.length);
    expect(shown.filter((line) => !flows.has(line))).toEqual([]);
  });
});
