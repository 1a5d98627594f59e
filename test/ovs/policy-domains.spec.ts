import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Attachment, DomainView, NodeView, ROUTES } from '@heddle/api';
import { l4Packet, TCP_FLAGS } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Clock, systemClock } from '../../apps/controller/src/clock.js';
import { deferred } from '../../apps/controller/src/deferred.js';
import { production } from '../../apps/controller/src/runtime/production.js';
import { dnsReply, type TestRecord, udpFrame } from '../../apps/controller/src/testing/dns-messages.js';
import { ControlledSwitch } from '../support/controlled-switch.js';
import { hasOvs } from '../support/ovs.js';
import { describe as describeFrame, framesOf, toBytes } from './evaluate-bytes.js';

// Names in cluster policies, with a real controller and a real switch: answers of a name server go through the switch, the
// controller gets a copy, and connections to the addresses in it pass.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const pod = (namespace: string, name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${name} } }\nspec: { containers: [{ name: c }] }\n`;
const DNS = `apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec: { clusterIP: 10.96.0.10, selector: { app: dns }, ports: [{ name: dns, protocol: UDP, port: 53 }] }
`;
const POLICY = `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: names }
spec:
  tier: Admin
  priority: 10
  subject: { pods: { podSelector: { matchLabels: { app: web } } } }
  egress:
  - { action: Accept, to: [{ pods: { podSelector: { matchLabels: { app: dns } } } }] }
  - action: Accept
    to: [{ domainNames: ["*.example.com"] }]
    protocols: [{ tcp: { destinationPort: { number: 443 } } }]
  - { action: Deny, to: [{ networks: [0.0.0.0/0, "::/0"] }] }
`;
const HOST = { ofport: 2, mac: '0a:59:00:00:00:01' };
const ROUTER = '0a:58:00:00:00:01';
const SERVER = '192.0.2.80';
const { syn, ack } = TCP_FLAGS;

/** Timers above this are fired by specs, not by time. */
const LONG_MS = 30_000;

describe.skipIf(!hasOvs())('names of cluster policies', () => {
  let real: ControlledSwitch;
  let web: Attachment;
  let dns: Attachment;
  /** Nothing is sent to the switch before. */
  let gate = Promise.resolve();
  /** Seconds by which the clock on the wall is ahead. */
  let ahead = 0;
  const timers = new Set<() => void>();
  const clock: Clock = {
    now: systemClock.now,
    after: (ms, callback) => {
      if (ms < LONG_MS) return systemClock.after(ms, callback);
      timers.add(callback);
      return () => timers.delete(callback);
    },
  };

  beforeEach(async () => {
    ahead = 0;
    gate = Promise.resolve();
    timers.clear();
    real = new ControlledSwitch({
      clock,
      wallNow: () => Date.now() + ahead * 1_000,
      createSouthbound: (needs) =>
        production.createSouthbound({ ...needs, beforeCommit: () => gate.then(needs.beforeCommit) }),
    });
    real.folder.write('pods.yaml', [pod('shop', 'web'), pod('kube-system', 'dns'), DNS].join('---\n'));
    real.folder.write('policy.yaml', POLICY);
    await real.start();
    await real.addSwitch();
    web = await real.attach('shop', 'web');
    dns = await real.attach('kube-system', 'dns');
    await real.addPorts(HOST.ofport, web.ofport, dns.ofport);
    await real.connect();
    await settled();
  });
  afterEach(() => real.end());

  const settled = async () => expect((await real.settled()).waitingFor).toEqual([]);
  /** As if so much time had passed. */
  const lapse = (seconds: number) => {
    ahead += seconds;
    for (const callback of [...timers]) {
      timers.delete(callback);
      callback();
    }
  };

  const ip = ({ ips }: Attachment) => ips.find((a) => a.includes('.')) ?? '';
  const tcp = (srcPort: number, flags: number, reply = false) => {
    const ends = { src: ip(web), dst: SERVER, srcPort, dstPort: 443 };
    const back = { src: SERVER, dst: ip(web), srcPort: 443, dstPort: srcPort };
    const [ethSrc, ethDst] = reply ? [HOST.mac, ROUTER] : [web.mac, ROUTER];
    return toBytes(l4Packet({ protocol: 'tcp', ethSrc, ethDst, ...(reply ? back : ends), tcpFlags: flags }));
  };
  /** Whether a packet of the pod to the server leaves through heddle0. */
  const leaves = async (srcPort: number, flags: number) =>
    (await real.through(web.ofport, tcp(srcPort, flags), HOST.ofport)).length === 1;
  const returns = async (srcPort: number, flags: number) =>
    (await real.through(HOST.ofport, tcp(srcPort, flags, true), web.ofport)).length === 1;

  let lastPort = 40_000;
  /** The pod asks through the service. Gives the frame of the name server's answer. */
  async function question(name: string, ...answers: readonly TestRecord[]): Promise<[hex: string, port: number]> {
    const clientPort = ++lastPort;
    const asked = udpFrame({
      ethernet: { source: web.mac, destination: ROUTER },
      ...{ source: ip(web), destination: '10.96.0.10', sourcePort: clientPort, destinationPort: 53 },
      payload: Uint8Array.from([0]),
    });
    expect(await real.through(web.ofport, asked, dns.ofport)).toHaveLength(1);
    const answer = udpFrame({
      ethernet: { source: dns.mac, destination: ROUTER },
      ...{ source: ip(dns), destination: ip(web), sourcePort: 53, destinationPort: clientPort },
      payload: dnsReply({ question: name, answers }),
    });
    return [Buffer.from(answer).toString('hex'), clientPort];
  }
  /** The same, and the answer is sent. Gives what the pod gets. */
  async function resolve(name: string, ...answers: readonly TestRecord[]): Promise<readonly string[]> {
    const [answer, clientPort] = await question(name, ...answers);
    const frames = await real.through(dns.ofport, Buffer.from(answer, 'hex'), web.ofport);
    return frames.map((f) => describeFrame(f).replace(/^.*? /, '').replace(String(clientPort), 'PORT'));
  }
  const domains = async () => {
    const views = await real.client.get(ROUTES.domains, z.array(DomainView));
    return views.map((d) => [d.name, ...d.addresses.map((a) => a.address)]);
  };
  const hex = (address: string) =>
    address
      .split('.')
      .map((n) => Number(n).toString(16).padStart(2, '0'))
      .join('');
  const record = (name: string, ttl: number, data: string): TestRecord => ({ name, ttl, data });
  const learned = async (...expected: readonly (readonly string[])[]) => {
    await expect.poll(domains).toEqual(expected);
    await settled();
  };

  it('let connections to an address pass once a name server has given it, and not before', async () => {
    expect(await leaves(1001, syn)).toBe(false);
    // The answer comes to the pod as it is, from the service that it asked, without waiting for anybody.
    const www = record('www.example.com', 60, SERVER);
    expect(await resolve('www.example.com', www)).toEqual([
      `${hex('10.96.0.10')}>${hex(ip(web))} proto 17 ttl 63 53>PORT`,
    ]);
    await learned(['www.example.com', SERVER]);
    expect(await leaves(1001, syn)).toBe(true);
    expect(await returns(1001, syn | ack)).toBe(true);
    const elsewhere = { src: ip(web), dst: '192.0.2.81', srcPort: 1002, dstPort: 443 };
    const other = toBytes(l4Packet({ protocol: 'tcp', ethSrc: web.mac, ethDst: ROUTER, ...elsewhere, tcpFlags: syn }));
    expect(await real.through(web.ofport, other, HOST.ofport)).toEqual([]);
  });

  it('let the first packet pass too that comes right behind the answer', async () => {
    const left = () => framesOf(readFileSync(join(real.ovs.dir, `p${HOST.ofport}.pcap`))).length;
    const before = left();
    const open = deferred<void>();
    gate = open.promise;
    await resolve('www.example.com', record('www.example.com', 60, SERVER));
    // The switch does not have the address yet, as it is between any answer and the packet right behind it.
    expect(await leaves(1001, syn)).toBe(false);
    open.resolve();
    await expect.poll(() => left() - before).toBe(1);
    // A connection that the policy denies is denied as ever, and nothing is sent round and round.
    await settled();
    const elsewhere = { src: ip(web), dst: SERVER, srcPort: 1003, dstPort: 80 };
    const other = toBytes(l4Packet({ protocol: 'tcp', ethSrc: web.mac, ethDst: ROUTER, ...elsewhere, tcpFlags: syn }));
    expect(await real.through(web.ofport, other, HOST.ofport)).toEqual([]);
    expect(await leaves(1001, syn)).toBe(true);
    expect(left() - before).toBe(2);
  });

  it('follow aliases, and leave names alone that no policy asks for', async () => {
    await resolve('evil.example.net', record('evil.example.net', 60, SERVER));
    const alias = record('www.example.com', 60, 'cdn.example.org');
    await resolve('www.example.com', alias, record('cdn.example.org', 60, '192.0.2.99'));
    await learned(['www.example.com', '192.0.2.99']);
    expect(await leaves(1001, syn)).toBe(false);
  });

  it('are read from answers to questions only: what another pod, or another port, says counts nothing', async () => {
    const payload = dnsReply({ question: 'www.example.com', answers: [record('www.example.com', 60, SERVER)] });
    const ends = { source: ip(dns), destination: ip(web), sourcePort: 53, destinationPort: 39_999, payload };
    // Nobody has asked: it is a packet of its own, of no connection.
    await real.through(
      dns.ofport,
      udpFrame({ ethernet: { source: dns.mac, destination: ROUTER }, ...ends }),
      web.ofport,
    );
    // Something that is known by its effect: it was sent later, and has been read.
    await resolve('a.example.com', record('a.example.com', 60, '192.0.2.7'));
    await learned(['a.example.com', '192.0.2.7']);
  });

  it('survive a restart of the controller: it finds every flow as it has to be', async () => {
    await resolve('www.example.com', record('www.example.com', 0, SERVER));
    await learned(['www.example.com', SERVER]);
    const before = await real.ovs.flows();
    await real.stop();
    // Longer than the answer counts.
    ahead += 3_600;
    await real.start();
    await settled();
    const [node] = await real.client.get(ROUTES.nodes, z.array(NodeView));
    expect(node).toMatchObject({ modsAtConnect: 0, modsSent: 0 });
    expect(await real.ovs.flows()).toEqual(before);
    expect(await leaves(1001, syn)).toBe(true);
  });

  it.each([
    ['recheck', false],
    ['cut', false],
    ['keep', true],
  ] as const)('end with their time, which cuts no connection (existing connections: %s)', async (existing, stays) => {
    const text = POLICY.replace('names }', `names, annotations: { heddle.dev/existing-connections: ${existing} } }`);
    real.folder.write('policy.yaml', text);
    await settled();
    await resolve('www.example.com', record('www.example.com', 60, SERVER));
    await learned(['www.example.com', SERVER]);
    const opened = [await leaves(1001, syn), await returns(1001, syn | ack), await leaves(1001, ack)];
    expect(opened).toEqual([true, true, true]);
    lapse(71);
    await learned();
    expect(await leaves(1002, syn)).toBe(false);
    expect([await leaves(1001, ack), await returns(1001, ack), await leaves(1001, ack)]).toEqual([true, true, true]);
    // The rule itself is what the connection lives by, unless its policy spares what was open before.
    real.folder.write('policy.yaml', text.replace('*.example.com', '*.example.org'));
    await settled();
    expect([await leaves(1001, ack), await returns(1001, ack)]).toEqual([stays, stays]);
  });
});
