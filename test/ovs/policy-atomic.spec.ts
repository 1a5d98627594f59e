import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { type Compiler, createCompiler, type FactChange, l4Packet, nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import {
  attach,
  cluster,
  countingIds,
  namespace,
  noPolicy,
  pod,
  policy,
} from '../../libs/compiler/src/testing/facts.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { toBytes } from './evaluate-bytes.js';

// Policies change under traffic: no packet may be judged by half a set. The pair a -> b is denied by one policy, then by the
// other, which stand in different tables. The device is polled by a thread of its own, so packets are judged while a
// bundle is being committed, and every packet is a flow of its own, so that each is judged by the tables and not by a cache.

const NODE = nodeName('node1');
const [A, B, C] = [258, 259, 260];
const FACTS: FactChange[] = [
  ...cluster(),
  namespace('x'),
  ...['a', 'b', 'c'].flatMap((name, i) => [pod(`x/${name}`, { app: name }), attach(`x/${name}`, 1, i + 2)]),
];
/** Lets nobody but c in to b. */
const closesB = policy('x/closes-b', {
  podSelector: { matchLabels: { app: 'b' } },
  ingress: [{ peers: [{ podSelector: { matchLabels: { app: 'c' } } }], ports: [] }],
});
/** Lets a send to nobody but c. */
const closesA = policy('x/closes-a', {
  podSelector: { matchLabels: { app: 'a' } },
  egress: [{ peers: [{ podSelector: { matchLabels: { app: 'c' } } }], ports: [] }],
});
/** From one policy to the other, and back. */
const SWAPS = [
  [noPolicy('x/closes-b'), closesA],
  [noPolicy('x/closes-a'), closesB],
] as const;
const ROUNDS = 1_000;
/** Packets of one call, and different ones in all. */
const [BATCH, VARIETY] = [16, 20_000];

/** Sends packets into a device without pause, over the control socket of ovs-vswitchd. */
class Stream {
  sent = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  private constructor(
    private readonly socket: Socket,
    device: string,
    frames: readonly string[],
  ) {
    this.#done = this.#run(device, frames);
  }

  static async start(ovs: TestSwitch, device: string, frames: readonly string[]): Promise<Stream> {
    const socket = createConnection(`${ovs.dir}/vswitchd.ctl`);
    await once(socket, 'connect');
    return new Stream(socket, device, frames);
  }

  async #run(device: string, frames: readonly string[]): Promise<void> {
    for (let id = 0; !this.#stopped; id++) {
      const batch = Array.from({ length: BATCH }, (_, i) => frames[(id * BATCH + i) % frames.length]);
      this.socket.write(JSON.stringify({ id, method: 'netdev-dummy/receive', params: [device, ...batch] }));
      const [answer] = (await once(this.socket, 'data')) as [Buffer];
      if (!answer.toString().includes('"error":null')) throw new Error(answer.toString());
      this.sent += BATCH;
    }
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#done;
    this.socket.destroy();
    return this.sent;
  }
}

const frames = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const host = from - 256;
    const packet = l4Packet({
      ethSrc: `0a:58:0a:f4:01:0${host}`,
      ethDst: '0a:58:00:00:00:01',
      src: `10.244.1.${host}`,
      dst: '10.244.1.3',
      protocol: 'udp',
      srcPort: 10_000 + i,
      dstPort: 53,
    });
    return toBytes(packet).toString('hex');
  });

describe.skipIf(!hasOvs())('a set of policies under traffic', () => {
  let ovs: TestSwitch;
  let compiler: Compiler;
  let manager: SwitchManager;
  let generation = 0;
  let wake: () => void = () => undefined;

  beforeEach(async () => {
    ovs = await startSwitch();
    const ports = [A, B, C].flatMap((n) => [
      ...['--', 'add-port', 'br-int', `p${n}`, '--', 'set', 'interface', `p${n}`, 'type=dummy-pmd'],
      `ofport_request=${n}`,
    ]);
    // Polling without rest would take a whole processor.
    await ovs.vsctl('set', 'Open_vSwitch', '.', 'other_config:pmd-maxsleep=50', ...ports);
    await ovs.appctl('upcall/disable-megaflows');
    compiler = createCompiler(countingIds());
    compiler.apply([...FACTS, closesB]);
    generation = 1;
    manager = new SwitchManager({
      desired: { node: (name) => compiler.node(name), nodeOfDatapath: () => NODE },
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: (line) => console.error(line) },
      clock: systemClock,
      beforeCommit: async () => undefined,
      inSync: () => true,
      encap: 'geneve',
    });
    manager.onRealized(() => wake());
    manager.notify(generation, new Map());
    await manager.start({ listen: [`unix:${ovs.dir}/controller.sock`] });
    await ovs.vsctl('set-controller', 'br-int', `unix:${ovs.dir}/controller.sock`);
    await realized();
  });
  afterEach(async () => {
    await manager.stop();
    await ovs.stop();
  });

  async function realized(): Promise<void> {
    for (const end = performance.now() + 30_000; manager.state(NODE)?.realizedGeneration !== generation; ) {
      if (performance.now() > end) throw new Error(`not realized: ${JSON.stringify(manager.state(NODE))}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, 1_000);
      });
    }
  }
  /** One change as one generation, in force when this resolves. */
  async function commit(changes: readonly FactChange[]): Promise<void> {
    const { nodes } = compiler.apply(changes);
    manager.notify(++generation, nodes);
    await realized();
  }
  async function packets(ofport: number, way: 'rx' | 'tx'): Promise<number> {
    const text = await ovs.ofctl('dump-ports', 'br-int', `p${ofport}`);
    return Number(new RegExp(`${way} pkts=(\\d+)`).exec(text)?.[1]);
  }
  /** Packets that pod b has got. */
  const arrived = () => packets(B, 'tx');

  it(`replaces one policy by another ${ROUNDS} times, and no packet that both deny passes`, async () => {
    const stream = await Stream.start(ovs, `p${A}`, frames(A, VARIETY));
    for (let i = 0; i < ROUNDS; i++) await commit(SWAPS[i % 2] as readonly FactChange[]);
    const sent = await stream.stop();
    console.log(`${ROUNDS} replacements, ${sent} packets`);
    expect(sent).toBeGreaterThan(ROUNDS);
    expect(manager.state(NODE)?.bundlesSent).toBeGreaterThanOrEqual(ROUNDS);
    expect(await arrived()).toBe(0);
  }, 120_000);

  it('sees the packets that pass when the same is done in two steps', async () => {
    const stream = await Stream.start(ovs, `p${A}`, frames(A, VARIETY));
    for (let i = 0; i < 50; i++) for (const change of SWAPS[i % 2] as readonly FactChange[]) await commit([change]);
    await stream.stop();
    expect(await arrived()).toBeGreaterThan(0);
  }, 60_000);

  it('lets the pair through that both allow, all the time', async () => {
    const stream = await Stream.start(ovs, `p${C}`, frames(C, 200));
    for (let i = 0; i < 50; i++) await commit(SWAPS[i % 2] as readonly FactChange[]);
    await stream.stop();
    await expect.poll(async () => (await arrived()) - (await packets(C, 'rx'))).toBe(0);
    expect(await arrived()).toBeGreaterThan(50);
  }, 60_000);
});
