import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Connection,
  createEvaluator,
  type Flow,
  IPPROTO,
  METERS,
  type NodeFlowSet,
  type Packet,
  type Tuple,
} from '@heddle/compiler';
import {
  connectOpenFlow,
  flowMod,
  formatIpv4,
  formatIpv6,
  GROUP,
  groupMod,
  type OpenFlowSession,
  parseMeter,
  readFlowCounts,
  TABLE_ALL,
} from 'openflow-ts';
import { ControlSocket } from '../../apps/node-agent/src/ovs/control-socket.js';
import { purge, receive, startSwitch, type TestSwitch } from '../support/ovs.js';
import { describe, framesOf, toBytes } from './evaluate-bytes.js';

/** One packet into one port. */
export interface Sent {
  readonly ofport: number;
  readonly packet: Packet;
}

/** What came of packets: for each, `OFPORT: FRAME` of what left; and how often each flow was hit, by its key. */
export interface Outcome {
  readonly left: readonly (readonly string[])[];
  readonly hits: Readonly<Record<string, number>>;
}

const ANSWER_TIMEOUT_MS = 30_000;

/**
 * Ports of a switch that tests send into, as dummy devices whose output goes to pcap files. It is asked over connections that stay:
 * a process for each question would be most of what thousands of packets cost.
 */
export class PacketSwitch {
  #flows: readonly Flow[] = [];

  private constructor(
    private readonly ovs: TestSwitch,
    private readonly ports: readonly number[],
    private readonly session: OpenFlowSession,
    private readonly control: ControlSocket,
  ) {}

  static async start(ports: readonly number[]): Promise<PacketSwitch> {
    const ovs = await startSwitch();
    const add = ports.flatMap((n) => [
      '--',
      ...['add-port', ovs.bridge, `p${n}`, '--', 'set', 'interface', `p${n}`, 'type=dummy', `ofport_request=${n}`],
      `options:tx_pcap=${join(ovs.dir, `p${n}.pcap`)}`,
    ]);
    await ovs.vsctl(...add.slice(1));
    // Once for all: while a flow that matched it is being forgotten, the map cannot be changed.
    await ovs.ofctl('add-tlv-map', ovs.bridge, '{class=0xff01,type=0x80,len=4}->tun_metadata0');
    try {
      const session = await connectOpenFlow({ target: ovs.openflow });
      const { control } = await ControlSocket.ofVswitchd(ovs.dir, ANSWER_TIMEOUT_MS);
      return new PacketSwitch(ovs, ports, session, control);
    } catch (e) {
      await ovs.stop();
      throw e;
    }
  }

  /** Puts exactly these flows and groups on a switch without connections. */
  async install(set: NodeFlowSet): Promise<void> {
    // What of the flows names a meter goes with it, and is put anew below.
    for (const { id, rate, burst } of Object.values(METERS)) {
      const bands = `bands=type=drop,rate=${rate},burst_size=${burst}`;
      await this.session.confirm(parseMeter(`meter=${id}`, { command: 'delete' }));
      await this.session.confirm(parseMeter(`meter=${id},pktps,burst,${bands}`));
    }
    await this.control.ask('dpctl/flush-conntrack');
    await this.replace(set);
  }

  /** Puts other flows and groups in the place of those there are, in one bundle; connections stay. */
  async replace(set: NodeFlowSet): Promise<void> {
    this.#flows = [...set.flows.values()];
    const groups = [
      flowMod({ command: 'delete', tableId: TABLE_ALL }),
      groupMod({ command: 'delete', groupId: GROUP.ALL, type: 'select' }),
      ...[...set.groups.values()].map((g) => groupMod({ groupId: g.id, type: 'select', buckets: g.buckets })),
    ];
    // The cookie says which flow a line of statistics is about.
    const flows = this.#flows.map(({ tableId, priority, match, instructions }, i) =>
      flowMod({ tableId, priority, match, instructions, cookie: BigInt(i + 1) }),
    );
    const result = await this.session.apply([...groups, ...flows]);
    if (result.kind !== 'committed')
      throw new Error(
        result.errors
          .map((e) => `${this.#flows[(e.index ?? -1) - groups.length]?.key ?? 'group'}: ${e.error.message}`)
          .join('\n'),
      );
  }

  /** Sends packets one after the other through the real datapath. */
  async run(packets: readonly Sent[]): Promise<Outcome> {
    const before = await this.#counters();
    const left: string[][] = [];
    let seen = this.#frames();
    for (const { ofport, packet } of packets) {
      await receive(this.control, this.session, `p${ofport}`, [toBytes(packet).toString('hex')]);
      // The datapath flows that the packet made go, and hand in their statistics.
      await purge(this.control);
      const now = this.#frames();
      const fresh = (i: number) => now[i]?.slice(seen[i]?.length) ?? [];
      left.push(this.ports.flatMap((n, i) => fresh(i).map((f) => `${n}: ${describe(f)}`)));
      seen = now;
    }
    const after = await this.#counters();
    const hits: Record<string, number> = {};
    this.#flows.forEach((flow, i) => {
      const count = (after.get(i + 1) ?? 0) - (before.get(i + 1) ?? 0);
      if (count > 0) hits[flow.key] = count;
    });
    return { left, hits };
  }

  /** Entries of the tracker, each as `connectionText` writes it, sorted. */
  async connections(): Promise<readonly string[]> {
    const text = await this.control.ask('dpctl/dump-conntrack');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => line.replace(/,protoinfo=.*$/, '')).sort();
  }

  /** Passes of the datapath for each packet while `send` runs: 1 and how often packets came back from the tracker. */
  async passesDuring(send: () => Promise<unknown>): Promise<number> {
    await this.control.ask('dpif-netdev/pmd-stats-clear');
    await send();
    const text = await this.control.ask('dpif-netdev/pmd-stats-show');
    const sum = (what: string) =>
      [...text.matchAll(new RegExp(`${what}: (\\d+)`, 'g'))].reduce((total, [, n]) => total + Number(n), 0);
    return 1 + sum('packet recirculations') / sum('packets received');
  }

  #frames(): Buffer[][] {
    return this.ports.map((n) => framesOf(readFileSync(join(this.ovs.dir, `p${n}.pcap`))));
  }

  async #counters(): Promise<Map<number, number>> {
    const counts = await readFlowCounts(this.session);
    return new Map(counts.map((c) => [Number(c.cookie), c.packets]));
  }

  /** Keys of the flows that `ofproto/trace` meets, in order; conntrack is taken to call everything new. */
  async trace({ ofport, packet }: Sent): Promise<readonly string[]> {
    const text = await this.control.ask(
      'ofproto/trace',
      this.ovs.bridge,
      `in_port=${ofport}`,
      toBytes(packet).toString('hex'),
    );
    return [...text.matchAll(/^ *\d+\. .*?(?:priority \d+|No match).*$/gm)].map(([line]) => {
      const cookie = /cookie 0x([0-9a-f]+)/.exec(line)?.[1];
      return cookie === undefined ? 'miss' : (this.#flows[Number.parseInt(cookie, 16) - 1]?.key ?? `unknown ${line}`);
    });
  }

  stop(): Promise<void> {
    this.session.close();
    this.control.close();
    return this.ovs.stop();
  }
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [IPPROTO.tcp]: 'tcp',
  [IPPROTO.udp]: 'udp',
  [IPPROTO.sctp]: 'sctp',
};

/** A connection of the evaluator's tracker as `dpctl/dump-conntrack` prints it: TCP and UDP. */
export function connectionText({ original, reply, zone, mark, label }: Connection): string {
  const address = (t: Tuple, value: Tuple['src']) =>
    t.family === 4 ? formatIpv4(Number(value)) : formatIpv6(BigInt(value));
  const end = (t: Tuple) => `(src=${address(t, t.src)},dst=${address(t, t.dst)},sport=${t.srcPort},dport=${t.dstPort})`;
  return [
    PROTOCOL_NAMES[original.proto] ?? original.proto,
    `orig=${end(original)}`,
    `reply=${end(reply)}`,
    ...(zone === 0 ? [] : [`zone=${zone}`]),
    ...(mark === 0 ? [] : [`mark=${mark}`]),
    ...(label === 0n ? [] : [`labels=0x${label.toString(16)}`]),
  ].join(',');
}

/** The same by the evaluator. */
export function evaluated(set: NodeFlowSet, packets: readonly Sent[]): Outcome {
  const evaluator = createEvaluator({ nodes: () => set });
  const hits: Record<string, number> = {};
  const left = packets.map(({ ofport, packet }) => {
    const journey = evaluator.send('n1', ofport, packet);
    for (const { flow } of journey.lookups) if (flow !== undefined) hits[flow.key] = (hits[flow.key] ?? 0) + 1;
    return journey.deliveries
      .toSorted((a, b) => a.ofport - b.ofport)
      .map((d) => `${d.ofport}: ${describe(toBytes(d.packet))}`);
  });
  return { left, hits };
}

/** What `PacketSwitch.trace` should say: the flows that a first packet meets. */
export function traced(set: NodeFlowSet, { ofport, packet }: Sent): readonly string[] {
  const journey = createEvaluator({ nodes: () => set }).send('n1', ofport, packet);
  return journey.lookups.map((l) => l.flow?.key ?? 'miss');
}
