import { type Compiler, createCompiler, type FactChange, nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import {
  attach,
  cluster,
  config,
  countingIds,
  endpoints,
  namespace,
  pod,
  policy,
  service,
} from '../../libs/compiler/src/testing/facts.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const NODE = nodeName('node1');
const FACTS: FactChange[] = [
  ...cluster(),
  namespace('x', { team: 'shop' }),
  pod('x/a', { app: 'a' }, { namedPorts: [{ name: 'web', protocol: 'TCP', port: 8080 }] }),
  pod('x/b', { app: 'b' }),
  pod('y/c', { app: 'c' }),
  attach('x/a', 1, 2),
  attach('x/b', 1, 3),
  attach('y/c', 2, 2),
  service('x/web', ['10.96.0.10', 'fd00:10:96::10'], [{ name: '', protocol: 'TCP', port: 80 }]),
  endpoints('x/web', { '': ['10.244.1.2 8080', '10.244.2.2 9090', 'fd00:10:244:1::2 8080'] }),
  service('x/empty', ['10.96.0.12'], [{ name: '', protocol: 'UDP', port: 53 }]),
  policy('x/guard', {
    podSelector: { matchLabels: { app: 'a' } },
    ingress: [{ peers: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [{ protocol: 'TCP', port: 'web' }] }],
    egress: [{ peers: [{ namespaceSelector: {} }], ports: [{ protocol: 'UDP', port: 1000, endPort: 2000 }] }],
  }),
];

describe.skipIf(!hasOvs())('the driver with what the compiler really gives', () => {
  let ovs: TestSwitch;
  let compiler: Compiler;
  let generation: number;
  const ends: (() => Promise<void>)[] = [];
  const errors: object[] = [];
  const quiet = () => undefined;
  const logger = { debug: quiet, info: quiet, warn: quiet, error: (line: object) => void errors.push(line) };

  beforeEach(async () => {
    ovs = await startSwitch();
    ends.push(() => ovs.stop());
    errors.length = 0;
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** Drivers that the switch dials; another time elsewhere, for there it need not wait a second. */
  async function serve(encap: 'geneve' | 'vxlan', name: string): Promise<SwitchManager> {
    const manager = new SwitchManager({
      desired: { node: (name) => compiler.node(name), nodeOfDatapath: () => NODE },
      logger,
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap,
    });
    ends.push(() => manager.stop());
    manager.notify(generation, new Map());
    const path = `unix:${ovs.dir}/${name}.sock`;
    await manager.start({ listen: [path] });
    await ovs.vsctl('set-controller', 'br-int', path);
    return manager;
  }
  async function realized(manager: SwitchManager): Promise<void> {
    for (const end = Date.now() + 30_000; manager.state(NODE)?.realizedGeneration !== generation; ) {
      if (Date.now() > end) throw new Error(`not realized: ${JSON.stringify([manager.state(NODE), errors])}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const cases = (['OpenFlow13', 'OpenFlow14', 'OpenFlow15'] as const).flatMap((protocol) =>
    (['geneve', 'vxlan'] as const).map((encap) => [protocol, encap] as const),
  );
  it.each(cases)('%s, %s: all is taken, and a controller that comes again sends nothing', async (protocol, encap) => {
    compiler = createCompiler(countingIds());
    compiler.apply([...FACTS, config({ encap })]);
    generation = 1;
    await ovs.vsctl('set', 'bridge', 'br-int', `protocols=${protocol}`);
    const first = await serve(encap, 'first');
    await realized(first);
    const wanted = compiler.node(NODE);
    expect(wanted?.groups.size).toBeGreaterThan(0);
    expect(first.state(NODE)?.modsSent).toBe((wanted?.flows.size ?? 0) + (wanted?.groups.size ?? 0));
    expect(await ovs.flows()).toHaveLength(wanted?.flows.size ?? 0);

    // A pod goes and another comes: only what that changes is sent, and a full look finds nothing to do after it.
    generation = 2;
    const changes = [attach('x/b', 2, 3), pod('x/e', { app: 'b' }), attach('x/e', 1, 4)];
    first.notify(generation, compiler.apply(changes).nodes);
    await realized(first);
    expect(await ovs.flows()).toHaveLength(wanted?.flows.size ?? 0);

    await first.stop();
    const again = await serve(encap, 'again');
    await realized(again);
    expect(again.state(NODE)).toMatchObject({ modsAtConnect: 0, modsSent: 0, readBacks: 1, lastError: null });
    expect(errors).toEqual([]);
  });
});
