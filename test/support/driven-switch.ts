import { nodeName } from '@heddle/compiler';
import type { Instruction } from 'openflow-ts';
import { afterEach, beforeEach } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import { HandMadeState, testFlow, testGroup } from './flow-set.js';
import { startSwitch, type TestSwitch } from './ovs.js';

export const NODE = nodeName('node1');
export const IP = 0x0800;

export const go = (table: number): Instruction[] => [{ kind: 'goto_table', table }];
export const apply = (
  ...actions: Extract<Instruction, { kind: 'apply_actions' }>['actions'][number][]
): Instruction[] => [{ kind: 'apply_actions', actions }];

/** Flows of the kinds that the pipeline has, over group 0. */
export const GROUP = testGroup(0, [1, 2]);
export const FLOWS = [
  testFlow(0, 100, { in_port: 256 }, [...apply({ kind: 'set_field', field: 'reg0', value: 1, mask: 0xf }), ...go(10)]),
  testFlow(0, 100, { in_port: 1, tun_id: 1n, tun_src: 0xac1f6302 }, [
    ...apply({
      kind: 'move',
      source: { field: 'tun_metadata0', offset: 0, bits: 32 },
      target: { field: 'reg1', offset: 0, bits: 32 },
    }),
    ...go(20),
  ]),
  testFlow(0, 0, {}),
  testFlow(20, 100, { eth_type: IP }, apply({ kind: 'ct', zone: 1, nat: {}, table: 25 })),
  testFlow(
    31,
    100,
    { eth_type: IP, nw_proto: 6, ip_dst: 0x0a600001, tcp_dst: 80 },
    apply({ kind: 'group', group: GROUP.id }),
  ),
  testFlow(41, 100, { reg1: 300, eth_type: IP }, apply({ kind: 'conjunction', id: 7, clause: 1, of: 2 })),
  testFlow(50, 1024, { eth_type: IP, ip_dst: [0x0af40200, 0xffffff00] }, [...apply({ kind: 'dec_ttl' }), ...go(60)]),
  testFlow(
    90,
    100,
    { reg3: 1 },
    apply(
      { kind: 'set_field', field: 'tun_dst', value: 0xac1f6302 },
      { kind: 'set_field', field: 'tun_id', value: 1n },
      {
        kind: 'move',
        source: { field: 'reg1', offset: 0, bits: 32 },
        target: { field: 'tun_metadata0', offset: 0, bits: 32 },
      },
      { kind: 'output', port: 1 },
    ),
  ),
  testFlow(90, 50, {}, apply({ kind: 'output_reg', source: { field: 'reg3', offset: 0, bits: 32 } })),
];

type Line = Record<string, unknown> & { event?: string };

/** A switch, the drivers that it dials, and what they are to bring it to. */
export class DrivenSwitch {
  ovs!: TestSwitch;
  manager!: SwitchManager;
  state!: HandMadeState;
  lines: Line[] = [];
  isInSync = true;
  /** How often the manager has said that something changed. */
  changed = 0;
  beforeCommit: () => Promise<void> | undefined = () => undefined;
  restarts = 0;
  /** Run when the test is over, the last first. */
  readonly ends: (() => Promise<void>)[] = [];

  readonly log = (line: object): void => void this.lines.push(line as Line);
  readonly logger = { debug: this.log, info: this.log, warn: this.log, error: this.log };

  async begin(): Promise<void> {
    this.ovs = await startSwitch();
    this.ends.push(() => this.ovs.stop());
    this.state = new HandMadeState(NODE);
    this.lines = [];
    this.isInSync = true;
    this.beforeCommit = () => undefined;
    this.manager = this.newManager();
  }
  async end(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
  }

  newManager(): SwitchManager {
    const made = new SwitchManager({
      desired: {
        node: (n) => (n === this.state.node ? this.state : undefined),
        nodeOfDatapath: (d) => (d === this.ovs.datapathId ? this.state.node : undefined),
      },
      logger: this.logger,
      clock: systemClock,
      beforeCommit: () => this.beforeCommit(),
      inSync: () => this.isInSync,
      encap: 'geneve',
      changed: () => {
        this.changed++;
      },
    });
    this.ends.push(() => made.stop());
    return made;
  }
  async connect(): Promise<void> {
    await this.manager.start({ listen: [this.path()] });
    // Tests of reconnection should not wait for Open vSwitch's back-off.
    const fast = ['--', 'set', 'controller', 'br-int', 'max_backoff=1000'];
    await this.ovs.vsctl('set-controller', 'br-int', this.path(), ...fast);
    await this.until('the connection', () => this.manager.state(NODE)?.connected === true);
  }
  /** Ends the drivers, and has the switch dial others as after a restart of the controller: elsewhere, for there it need not wait a second. */
  async restart(meanwhile: () => Promise<unknown> = async () => undefined): Promise<void> {
    await this.manager.stop();
    await meanwhile();
    this.restarts++;
    this.manager = this.newManager();
    this.manager.notify(this.state.generation, new Map());
    await this.connect();
  }
  path(): string {
    return `unix:${this.ovs.dir}/controller${this.restarts}.sock`;
  }
  /** Changes what the switch is to have, and tells its driver. */
  tell(...change: Parameters<HandMadeState['change']>): void {
    this.manager.notify(this.state.generation + 1, this.state.change(...change));
  }
  async until(what: string, ready: () => boolean, timeoutMs = 30_000): Promise<void> {
    for (const end = Date.now() + timeoutMs; !ready(); ) {
      if (Date.now() > end)
        throw new Error(
          `waited for ${what}: ${JSON.stringify(this.manager.state(NODE))}\n${JSON.stringify(this.lines)}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  realized(): Promise<void> {
    return this.until('the generation', () => this.manager.state(NODE)?.realizedGeneration === this.state.generation);
  }
  /** Log lines of a name. */
  events(name: string): readonly Line[] {
    return this.lines.filter((l) => l.event === name);
  }
  async groups(): Promise<readonly string[]> {
    const text = await this.ovs.ofctl('dump-groups', 'br-int');
    return text
      .split('\n')
      .map((l) => l.trim())
      .filter((l) => l.startsWith('group_id='));
  }
}

/** A new one for each test. */
export function useDrivenSwitch(): DrivenSwitch {
  const driven = new DrivenSwitch();
  beforeEach(() => driven.begin());
  afterEach(() => driven.end());
  return driven;
}
