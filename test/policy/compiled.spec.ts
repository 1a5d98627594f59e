import { expect, test } from 'vitest';
import { Fabric } from './fabric.js';
import { factsOf } from './facts.js';
import { clusterUnder } from './pods.js';
import { formatReach, parseReach } from './reach.js';
import { TRUTH_TABLE } from './truth-table.js';
import type { Case } from './types.js';

// The whole table through the compiled flows, each conversation from its first packet to its third.
const fabric = { geneve: new Fabric('geneve'), vxlan: new Fabric('vxlan') };

function check(setting: Case, encap: 'geneve' | 'vxlan'): void {
  const switches = fabric[encap];
  if (setting.before) switches.become(factsOf(clusterUnder(setting.before), encap));
  switches.become(factsOf(clusterUnder(setting), encap));
  for (const family of [4, 6] as const)
    for (const { protocol, port, viaService = false, reach } of setting.probes) {
      const got = formatReach((from, to) => {
        // A conversation the other way round would make this one its answer: the tracker knows no SCTP ports.
        if (protocol === 'SCTP') switches.forget();
        return switches.talks({ from, to, family, protocol, port, viaService });
      });
      const through = parseReach(reach);
      const want = formatReach((from, to) => through.has(`${from} > ${to}`));
      expect(got, `${protocol} ${port} over IPv${family}`).toBe(want);
    }
}

test.each(TRUTH_TABLE.map((c) => [c.name, c] as const))('compiled flows, Geneve: %s', (_, c) => check(c, 'geneve'));
test.each(TRUTH_TABLE.map((c) => [c.name, c] as const))('compiled flows, VXLAN: %s', (_, c) => check(c, 'vxlan'));
