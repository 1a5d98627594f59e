import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Attachment, DomainView, ROUTES } from '@heddle/api';
import { createCompiler, type FactChange, METERS, nodeName, TCP_FLAGS } from '@heddle/compiler';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { segmentOf } from '../../apps/controller/src/packets/segment.js';
import { dnsReply, TCP, type TestEnds, tcpFrame, udpFrame } from '../../apps/controller/src/testing/dns-messages.js';
import { clusterPolicy, clusterRule, countingIds, endpoints, service } from '../../libs/compiler/src/testing/facts.js';
import { ControlledSwitch } from '../support/controlled-switch.js';
import { hasOvs } from '../support/ovs.js';
import { framesOf } from './evaluate-bytes.js';
import { evaluated, PacketSwitch, type Sent } from './evaluate-switch.js';
import { A, B, HEDDLE0, sent, TWO_PODS } from './node-packets.js';

// Answers of name servers over TCP, with a real controller and a real switch: segments go through the switch, the controller gets
// copies, and connections to the addresses in them pass.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const pod = (namespace: string, name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${name} } }\nspec: { containers: [{ name: c }] }\n`;
const DNS = `apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec: { clusterIP: 10.96.0.10, selector: { app: dns }, ports: [{ name: dns, protocol: UDP, port: 53 }, { name: dns-tcp, protocol: TCP, port: 53 }] }
`;
const POLICY = `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: names }
spec:
  tier: Admin
  priority: 10
  subject: { pods: { podSelector: { matchLabels: { app: web } } } }
  egress:
  - { action: Accept, to: [{ pods: { podSelector: {} } }] }
  - { action: Accept, to: [{ domainNames: ["*.example.com"] }] }
  - { action: Deny, to: [{ networks: [0.0.0.0/0, "::/0"] }] }
`;
const HOST = 2;
const ROUTER = '0a:58:00:00:00:01';
const VIP = '10.96.0.10';
const { syn, fin, psh, ack } = TCP;
const TRUNCATED = 0x8380;
/** Packets; far more than a meter lets through at once. */
const FLOOD = 3_000;
/** Where each end begins to count. */
const [CLIENT_FIRST, SERVER_FIRST] = [5_000, 0xffff_fff0];

/** A name, and the address that it has in these specs. */
type Given = readonly [name: string, address: string];
const reply = ([name, data]: Given): Uint8Array => dnsReply({ question: name, answers: [{ name, ttl: 600, data }] });
/** Messages as they stand in a stream. */
const framed = (...messages: readonly Uint8Array[]): Buffer =>
  Buffer.concat(messages.flatMap((m) => [Buffer.from([m.length >> 8, m.length & 0xff]), m]));

describe.skipIf(!hasOvs())('names of cluster policies, answered over TCP', () => {
  const real = new ControlledSwitch();
  let web: Attachment;
  let dns: Attachment;
  let other: Attachment;

  beforeAll(async () => {
    const pods = [pod('shop', 'web'), pod('shop', 'other'), pod('kube-system', 'dns')];
    real.folder.write('pods.yaml', [...pods, DNS].join('---\n'));
    real.folder.write('policy.yaml', POLICY);
    await real.start();
    await real.addSwitch();
    web = await real.attach('shop', 'web');
    other = await real.attach('shop', 'other');
    dns = await real.attach('kube-system', 'dns');
    await real.addPorts(HOST, web.ofport, other.ofport, dns.ofport);
    await real.connect();
    await settled();
  });
  afterAll(() => real.end());

  const settled = async () => expect((await real.settled()).waitingFor).toEqual([]);
  const ip = ({ ips }: Attachment) => ips.find((a) => a.includes('.')) ?? '';

  /** Ends of a packet that a pod sends. */
  const ends = (from: Attachment, sourcePort: number, destination: string, destinationPort: number): TestEnds => ({
    ...{ source: ip(from), sourcePort, destination, destinationPort },
    ethernet: { source: from.mac, destination: ROUTER },
  });

  let lastPort = 30_000;
  /** A TCP connection between two pods; segments of either end are sent when the spec says so. */
  class Connection {
    private readonly opener: Attachment;
    private readonly server: Attachment;
    private readonly asks: TestEnds;
    private readonly answers: TestEnds;
    private asked = 1;
    private answered = 1;

    /** @param to the server's address as the opener knows it */
    constructor(opener = web, server = dns, to = VIP, clientPort = ++lastPort, serverPort = 53) {
      this.opener = opener;
      this.server = server;
      this.asks = ends(opener, clientPort, to, serverPort);
      this.answers = ends(server, serverPort, ip(opener), clientPort);
    }

    async open(): Promise<this> {
      expect(await this.ask(0, syn)).toHaveLength(1);
      expect(await this.say(0, syn | ack)).toHaveLength(1);
      expect(await this.ask(1, ack)).toHaveLength(1);
      return this;
    }

    /** The opener sends bytes that stand at a place in its stream, counted from its SYN. Gives what the server gets. */
    ask(offset: number, flags: number, payload: Uint8Array = new Uint8Array()): Promise<readonly Buffer[]> {
      const acknowledged = flags === syn ? 0 : SERVER_FIRST + this.answered;
      const frame = tcpFrame({ ...this.asks, flags, sequence: CLIENT_FIRST + offset, acknowledged, payload });
      this.asked = Math.max(this.asked, offset + payload.length);
      return real.through(this.opener.ofport, frame, this.server.ofport);
    }

    /** The same the other way. */
    say(offset: number, flags: number, payload: Uint8Array = new Uint8Array()): Promise<readonly Buffer[]> {
      this.answered = Math.max(this.answered, offset + payload.length);
      return real.through(this.server.ofport, this.segment(offset, flags, payload), this.opener.ofport);
    }

    /** What the server sends then. */
    segment(offset: number, flags: number, payload: Uint8Array = new Uint8Array()): Uint8Array {
      const acknowledged = CLIENT_FIRST + this.asked;
      return tcpFrame({ ...this.answers, flags, sequence: SERVER_FIRST + offset, acknowledged, payload });
    }

    /** The server sends what follows; each part is a segment. Gives the data that the opener gets. */
    async answer(...parts: readonly Uint8Array[]): Promise<Buffer> {
      const got: Uint8Array[] = [];
      for (const part of parts)
        for (const frame of await this.say(this.answered, psh | ack, part))
          got.push(segmentOf(frame)?.payload ?? frame);
      return Buffer.concat(got);
    }
  }

  const domains = async () => {
    const views = await real.client.get(ROUTES.domains, z.array(DomainView));
    return Object.fromEntries(views.map((d) => [d.name, d.addresses.map((a) => a.address).join(' ')]));
  };
  const learned = async (...given: readonly Given[]) => {
    await expect.poll(domains).toMatchObject(Object.fromEntries(given));
    await settled();
  };
  /** Whether the pod may open a connection to an address out there. */
  const reaches = async (address: string) =>
    (
      await real.through(
        web.ofport,
        tcpFrame({ ...ends(web, ++lastPort, address, 443), flags: syn, sequence: 1 }),
        HOST,
      )
    ).length === 1;

  it('are known once the answer has come, which does not wait for anybody', async () => {
    const given: Given = ['one.example.com', '192.0.2.1'];
    const answer = framed(reply(given));
    const connection = await new Connection().open();
    expect(await reaches(given[1])).toBe(false);
    expect(await connection.answer(answer)).toEqual(answer);
    await learned(given);
    expect(await reaches(given[1])).toBe(true);
  });

  it('are known from all messages, however they are cut into segments', async () => {
    const given: readonly Given[] = [
      ['two.example.com', '192.0.2.2'],
      ['three.example.com', '192.0.2.3'],
      ['four.example.com', '192.0.2.4'],
      ['five.example.com', '192.0.2.5'],
    ];
    const together = framed(...given.slice(0, 2).map(reply));
    const parted = framed(...given.slice(2).map(reply));
    const connection = await new Connection().open();
    const parts = [together, parted.subarray(0, 1), parted.subarray(1, 40), parted.subarray(40)];
    expect(await connection.answer(...parts)).toEqual(Buffer.concat([together, parted]));
    await learned(...given);
  });

  it('are known from segments that overtake each other or come twice, and from the last one', async () => {
    const given: Given = ['six.example.com', '192.0.2.6'];
    const answer = framed(reply(given));
    const connection = await new Connection().open();
    for (const [from, to] of [
      [30, 50],
      [0, 30],
      [10, 40],
    ] as const)
      expect(await connection.say(1 + from, ack, answer.subarray(from, to))).toHaveLength(1);
    expect(await connection.say(51, fin | psh | ack, answer.subarray(50))).toHaveLength(1);
    await learned(given);
  });

  it('are known when the answer over UDP was truncated', async () => {
    const given: Given = ['seven.example.com', '192.0.2.7'];
    const asked = { ...ends(web, ++lastPort, VIP, 53), payload: Uint8Array.from([0]) };
    expect(await real.through(web.ofport, udpFrame(asked), dns.ofport)).toHaveLength(1);
    const payload = dnsReply({ question: given[0], answers: [], flags: TRUNCATED });
    const answered = udpFrame({ ...ends(dns, 53, ip(web), lastPort), payload });
    expect(await real.through(dns.ofport, answered, web.ofport)).toHaveLength(1);
    await (await new Connection().open()).answer(framed(reply(given)));
    await learned(given);
    expect(await reaches(given[1])).toBe(true);
  });

  it('are not known from what only looks like an answer', async () => {
    const evil: Given = ['evil.example.com', '192.0.2.66'];
    const looksSo = framed(reply(evil));
    // Another pod, asked at port 53; the name server as the one who asks; and the middle of a message, in a segment of its own.
    await (await new Connection(web, other, ip(other)).open()).answer(looksSo);
    const asks = await new Connection(dns, web, ip(web), 53, ++lastPort).open();
    expect(await asks.ask(1, psh | ack, looksSo)).toHaveLength(1);
    const outer = framed(Buffer.concat([Buffer.alloc(100), looksSo, Buffer.alloc(20)]));
    const connection = await new Connection().open();
    await connection.answer(outer.subarray(0, 102), looksSo, outer.subarray(102 + looksSo.length));
    // It was sent later, and has been read.
    const given: Given = ['eight.example.com', '192.0.2.8'];
    await connection.answer(framed(reply(given)));
    await learned(given);
    expect(await domains()).not.toHaveProperty(['evil.example.com']);
    expect(await reaches(evil[1])).toBe(false);
  });

  it('are known from UDP while a pod makes the name server acknowledge a flood', async () => {
    const given: Given = ['flood.example.com', '192.0.2.20'];
    const connection = await new Connection().open();
    const acknowledgement = Buffer.from(connection.segment(1, ack)).toString('hex');
    // Copies that the datapath has made, or not.
    const copies = async () => {
      const text = await real.ovs.ofctl('meter-stats', real.ovs.bridge, `meter=${METERS.dnsStream.id}`);
      const [, asked, dropped] = /packet_in_count:(\d+)[\s\S]*\n0: packet_count:(\d+)/.exec(text) ?? [];
      return { asked: Number(asked), made: Number(asked) - Number(dropped) };
    };
    const delivered = () => framesOf(readFileSync(join(real.ovs.dir, `p${web.ofport}.pcap`))).length;
    const before = { ...(await copies()), delivered: delivered() };
    const startedAt = performance.now();
    await real.ovs.receive(`p${dns.ofport}`, ...Array<string>(FLOOD).fill(acknowledgement));
    const asked = { ...ends(web, ++lastPort, VIP, 53), payload: Uint8Array.from([0]) };
    expect(await real.through(web.ofport, udpFrame(asked), dns.ofport)).toHaveLength(1);
    const answer = { ...ends(dns, 53, ip(web), lastPort), payload: reply(given) };
    expect(await real.through(dns.ofport, udpFrame(answer), web.ofport)).toHaveLength(1);
    await learned(given);
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(delivered() - before.delivered).toBe(FLOOD + 1);
    const after = await copies();
    expect(after.asked - before.asked).toBe(FLOOD);
    expect(after.made - before.made).toBeLessThanOrEqual(
      METERS.dnsStream.burst + METERS.dnsStream.rate * (seconds + 1),
    );
  });

  it('come to the pod without a controller, and are known to the next one from connections that it sees begin', async () => {
    const [before, given]: readonly [Given, Given] = [
      ['nine.example.com', '192.0.2.9'],
      ['ten.example.com', '192.0.2.10'],
    ];
    const old = await new Connection().open();
    const known = await domains();
    const flows = await real.ovs.flows();
    await real.stop();
    const answer = framed(reply(before));
    expect(await old.answer(answer)).toEqual(answer);
    expect(await old.answer(answer)).toEqual(answer);
    expect(await reaches('192.0.2.1')).toBe(true);
    await real.start();
    await settled();
    expect(await real.ovs.flows()).toEqual(flows);
    expect(await old.answer(answer)).toEqual(answer);
    await (await new Connection().open()).answer(framed(reply(given)));
    await learned(given);
    expect(await domains()).toEqual({ ...known, [given[0]]: given[1] });
  });
});

describe.skipIf(!hasOvs())('flows that copy answers: evaluator = userspace datapath', () => {
  const SERVER = { service: '10.96.0.53', pod: '10.244.1.3' };
  const ports = [
    { name: 'udp', protocol: 'UDP', port: 53 },
    { name: 'tcp', protocol: 'TCP', port: 53 },
  ] as const;
  const facts: readonly FactChange[] = [
    ...TWO_PODS,
    service('kube-system/kube-dns', [SERVER.service], ports),
    endpoints('kube-system/kube-dns', { udp: [`${SERVER.pod} 53`], tcp: [`${SERVER.pod} 53`] }),
    clusterPolicy('names', {
      subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'a' } } },
      egress: [clusterRule('Accept', [{ kind: 'domains', names: ['example.com'] }])],
    }),
  ];
  let real: PacketSwitch;
  beforeAll(async () => {
    real = await PacketSwitch.start([HEDDLE0, A, B]);
  });
  afterAll(() => real?.stop());

  it.each([
    ['tcp', [TCP_FLAGS.syn, TCP_FLAGS.syn | TCP_FLAGS.ack, TCP_FLAGS.ack, TCP_FLAGS.ack]],
    ['udp', [0, 0, 0, 0]],
  ] as const)('%s', async (protocol, flags) => {
    const compiler = createCompiler(countingIds());
    compiler.apply([...facts]);
    const set = compiler.node(nodeName('node1'));
    if (set === undefined) throw new Error('no flows');
    const talk = (server: string, port: number): readonly Sent[] =>
      flags.map((f, i) =>
        i % 2 === 0
          ? sent(protocol, A, `10.244.1.2 ${port} > ${server} 53`, f)
          : sent(protocol, B, `${SERVER.pod} 53 > 10.244.1.2 ${port}`, f),
      );
    const packets = [...talk(SERVER.service, 1000), ...talk(SERVER.pod, 1001)];
    await real.install(set);
    const outcome = await real.run(packets);
    expect(outcome).toEqual(evaluated(set, packets));
    expect(outcome.left.map((left) => left.length)).toEqual(packets.map(() => 1));
    // Two answers of each talk, by the flow for whom the pod asked.
    const copied = [...set.flows.values()].filter((f) => f.provenance.feature === 'dns' && f.key in outcome.hits);
    expect(copied.map((f) => outcome.hits[f.key])).toEqual([2, 2]);
  });
});
