import { FakeCompiler } from '../testing/fake-compiler.js';
import { FakeSwitches } from '../testing/fake-switches.js';
import type { RuntimeOptions } from './runtime.js';

export const production: Pick<RuntimeOptions, 'createCompiler' | 'createSouthbound'> = {
  createCompiler: (ids) => new FakeCompiler(ids),
  createSouthbound: ({ allocations }) => {
    const switches = new FakeSwitches();
    setInterval(() => {
      for (const n of allocations.nodes.all()) if (!switches.state(n.name as never)) switches.connect(n.name);
    }, 100).unref();
    return { switches, ovsdb: { state: () => undefined }, start: async () => {}, stop: async () => {} };
  },
};
