import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DomainView, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CONTROLLER } from '../../apps/lab/src/host/services.js';
import { TestLab } from '../support/lab.js';

// Names in cluster policies with real sockets: a pod asks a real name server on another node and connects at once to what it says,
// on a third node.

const lab = new TestLab();
const folder = mkdtempSync(join(tmpdir(), 'heddle-domains-'));
const yaml = (...objects: readonly object[]) => objects.map((o) => JSON.stringify(o)).join('\n---\n');
const SERVERS = 6;
/** How long to wait for what must not come: TCP has tried twice then. */
const DENIED_MS = 1_500;
const pod = (namespace: string, name: string, node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, labels: { app: name } },
  spec: { nodeName: node, containers: [{ name: 'c', image: 'heddle/echo', ports: [{ containerPort: 443 }] }] },
});
const OBJECTS = [
  pod('x', 'client', 'node1'),
  pod('kube-system', 'dns', 'node2'),
  ...Array.from({ length: SERVERS }, (_, i) => pod('x', `server-${i}`, i % 2 === 0 ? 'node3' : 'node2')),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'kube-system', name: 'kube-dns' },
    spec: {
      clusterIP: '10.96.0.10',
      selector: { app: 'dns' },
      ports: ['UDP', 'TCP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 53 })),
    },
  },
];
const policy = (...names: readonly string[]) =>
  yaml({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'names' },
    spec: {
      tier: 'Admin',
      priority: 1,
      subject: { pods: { podSelector: { matchLabels: { app: 'client' } } } },
      egress: [
        { action: 'Accept', to: [{ pods: { podSelector: { matchLabels: { app: 'dns' } } } }] },
        { action: 'Accept', to: [{ domainNames: names }], protocols: [{ tcp: { destinationPort: { number: 443 } } }] },
        { action: 'Deny', to: [{ networks: ['0.0.0.0/0', '::/0'] }] },
      ],
    },
  });

/**
 * A name server (RFC 1035): `10-244-0-2.v4.NAME` has the address 10.244.0.2, `fd00--2.v6.NAME` the address fd00::2. Names of
 * big.test are answered over TCP only, each answer in two segments (RFC 7766).
 */
const NAME_SERVER = `
const socket = require('dgram').createSocket('udp6');
const groups = (text) => (text === '' ? [] : text.split(':').map((g) => parseInt(g, 16)));
function bytesOf(address) {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head, tail = ''] = address.split('::');
  const [before, after] = [groups(head), groups(tail)];
  const all = [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(all.flatMap((g) => [g >> 8, g & 255]));
}
function answer(query, truncates) {
  const labels = [];
  let at = 12;
  for (; query[at] !== 0; at += query[at] + 1) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
  const question = query.subarray(12, at + 5);
  const v6 = labels[1] === 'v6';
  const data = bytesOf(labels[0].replaceAll('-', v6 ? ':' : '.'));
  const record = Buffer.from([0xc0, 12, 0, v6 ? 28 : 1, 0, 1, 0, 0, 0, 30, 0, data.length]);
  const truncated = truncates && labels[2] === 'big';
  const head = Buffer.from([query[0], query[1], truncated ? 0x83 : 0x81, 0x80, 0, 1, 0, truncated ? 0 : 1, 0, 0, 0, 0]);
  return Buffer.concat(truncated ? [head, question] : [head, question, record, data]);
}
socket.on('message', (query, from) => socket.send(answer(query, true), from.port, from.address));
const server = require('net').createServer({ noDelay: true }, (peer) => {
  let got = Buffer.alloc(0);
  peer.on('error', () => {});
  peer.on('data', (part) => {
    got = Buffer.concat([got, part]);
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const message = answer(got.subarray(2, 2 + got.readUInt16BE(0)), false);
      got = got.subarray(2 + got.readUInt16BE(0));
      peer.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message.subarray(0, 20)]));
      peer.write(message.subarray(20));
    }
  });
});
socket.bind(53, '::', () => server.listen(53, '::', () => console.log('ready')));
`;
/** Asks for each name, connects at once to the address that it encodes, and prints how long both took. */
const CLIENT = `
const [names, ask, timeout] = [process.argv[1].split(','), process.argv[2] === 'ask', Number(process.argv[3])];
function question(name, type) {
  const labels = name.split('.').flatMap((l) => [l.length, ...Buffer.from(l)]);
  return Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}
const lookUp = (name) => new Promise((resolve, reject) => {
  const socket = require('dgram').createSocket('udp4');
  const asked = question(name, name.includes('.v6.') ? 28 : 1);
  socket.once('message', (reply) => {
    clearInterval(again);
    socket.close();
    if ((reply[2] & 2) === 0) return resolve();
    let got = Buffer.alloc(0);
    const stream = require('net').connect({ host: '10.96.0.10', port: 53 });
    stream.once('error', reject);
    stream.on('data', (part) => {
      got = Buffer.concat([got, part]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      stream.destroy();
      resolve();
    });
    stream.write(Buffer.concat([Buffer.from([0, asked.length]), asked]));
  });
  const send = () => socket.send(asked, 53, '10.96.0.10');
  const again = setInterval(send, 1000);
  send();
  setTimeout(() => reject(new Error('no answer for ' + name)), 20000).unref();
});
const connect = (host) => new Promise((resolve) => {
  const start = performance.now();
  const socket = require('net').connect({ host, port: 443, timeout });
  const end = (ms) => { socket.destroy(); resolve(ms); };
  socket.once('connect', () => end(performance.now() - start));
  socket.once('timeout', () => end(null));
  socket.once('error', () => end(null));
});
(async () => {
  for (const name of names) {
    const [first, kind] = name.split('.');
    if (ask) await lookUp(name);
    console.log(await connect(first.replaceAll('-', kind === 'v6' ? ':' : '.')));
  }
})();
`;

const children = new Set<ChildProcess>();
async function inPod(name: string, script: string, ...args: readonly string[]): Promise<ChildProcess> {
  const { netns } = await lab.pod(name);
  const command = ['netns', 'exec', netns, 'setpriv', '--pdeathsig', 'KILL', process.execPath, '-e', script, ...args];
  const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  return child;
}
/** Milliseconds until each name's address was connected to; null where it was not. */
async function client(
  names: readonly string[],
  how: 'ask' | 'do not ask',
  timeoutMs = 10_000,
): Promise<readonly (number | null)[]> {
  const child = await inPod('x/client', CLIENT, names.join(','), how, String(timeoutMs));
  let text = '';
  child.stdout?.on('data', (part: Buffer) => {
    text += part;
  });
  const [code] = await once(child, 'close');
  children.delete(child);
  if (code !== 0) throw new Error(`the client ended with ${code}: ${text}`);
  return text
    .trim()
    .split('\n')
    .map((line): number | null => JSON.parse(line));
}
/** Names of a domain for all servers, by family. */
async function namesOf(domain: string, family: 4 | 6): Promise<readonly string[]> {
  const pods = (await lab.pods()).filter((p) => p.name.startsWith('server-'));
  const addresses = pods.map((p) => p.ips.find((ip) => ip.includes(':') === (family === 6)) ?? '');
  return addresses.map((a) => `${a.replaceAll(/[.:]/g, '-')}.v${family}.${domain}`);
}
const domains = async () => (await lab.api.get(ROUTES.domains, z.array(DomainView))).map((d) => d.name).sort();

beforeAll(async () => {
  writeFileSync(join(folder, 'pods.yaml'), yaml(...OBJECTS));
  await lab.up(folder);
  const server = await inPod('kube-system/dns', NAME_SERVER);
  await once(server.stdout ?? server, 'data');
}, 180_000);
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await lab.down();
  rmSync(folder, { recursive: true, force: true });
});

describe('names that a policy asks for', () => {
  it('have the addresses that the name server says, from the first connection on', async () => {
    await lab.apply('policy.yaml', policy('*.good.test'));
    const names = [...(await namesOf('good.test', 4)), ...(await namesOf('good.test', 6))];
    const before = await client(names.slice(0, 1), 'do not ask', DENIED_MS);
    expect(before).toEqual([null]);
    const times = await client(names, 'ask');
    console.log(`ms until connected, right behind the answer: ${times.map((t) => t?.toFixed(0)).join(' ')}`);
    expect(times.filter((t) => t === null)).toEqual([]);
    expect(await domains()).toEqual([...names].sort());
  });

  it('have the addresses that it says over TCP, from the first connection on', async () => {
    await lab.apply('policy.yaml', policy('*.big.test'));
    const names = await namesOf('big.test', 4);
    const times = await client(names, 'ask');
    console.log(`ms until connected, right behind the answer over TCP: ${times.map((t) => t?.toFixed(0)).join(' ')}`);
    expect(times.filter((t) => t === null)).toEqual([]);
    expect(await domains()).toEqual([...names].sort());
  });

  it('of another domain stay closed', async () => {
    const [bad = ''] = await namesOf('bad.test', 4);
    await lab.apply('policy.yaml', policy('*.other.test'));
    expect(await domains()).toEqual([]);
    expect(await client([bad], 'ask', DENIED_MS)).toEqual([null]);
  });

  it('need no controller once they are known, and are known to a new one after a crash', async () => {
    await lab.apply('policy.yaml', policy('*.kept.test'));
    const names = await namesOf('kept.test', 4);
    expect((await client(names, 'ask')).filter((t) => t === null)).toEqual([]);
    await lab.realized();
    await lab.kill(CONTROLLER, 'SIGKILL');
    expect((await client(names, 'ask')).filter((t) => t === null)).toEqual([]);
    await lab.startController();
    await lab.realized();
    expect((await lab.nodes()).map((n) => n.modsSent)).toEqual([0, 0, 0]);
    expect((await client(names, 'do not ask')).filter((t) => t === null)).toEqual([]);
  });
});
