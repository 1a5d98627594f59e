import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestLab, until } from '../support/lab.js';

// Connections of real sockets while policies change under them: streams of numbered messages that come back, between pods of
// one node, where packets go unjudged before the first policy, and between nodes.

const lab = new TestLab();
const folder = mkdtempSync(join(tmpdir(), 'heddle-existing-'));
const PORT = 7000;
const yaml = (...objects: readonly object[]) => objects.map((o) => JSON.stringify(o)).join('\n---\n');
const pod = (name: string, node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'x', name, labels: { app: name } },
  spec: { nodeName: node, containers: [{ name: 'c', image: 'none' }] },
});
/** A policy for pods of an app, with its ingress rules and what it says of existing connections. */
const policy = (app: string, from: readonly string[], existing?: 'keep' | 'cut') =>
  yaml({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      namespace: 'x',
      name: `for-${app}`,
      ...(existing && { annotations: { 'heddle.dev/existing-connections': existing } }),
    },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ['Ingress'],
      ingress: from.map((peer) => ({ from: [{ podSelector: { matchLabels: { app: peer } } }] })),
    },
  });

/** Sends back what it gets, TCP and UDP. */
const ECHO = `
const tcp = require('net').createServer((s) => { s.on('error', () => {}); s.pipe(s); });
tcp.listen(${PORT}, '::', () => {
  const udp = require('dgram').createSocket('udp6');
  udp.on('message', (m, from) => udp.send(m, from.port, from.address));
  udp.bind(${PORT}, '::', () => console.log('ready'));
});`;
/** Sends the numbers from 1, one every few milliseconds, and prints what comes back. */
const CLIENT = `
const [protocol, address] = process.argv.slice(1);
let n = 0;
const every = (send) => setInterval(() => send(String(++n)), 4);
if (protocol === 'tcp') {
  const s = require('net').connect(${PORT}, address, () => every((t) => s.write(t + '\\n')));
  s.setNoDelay(true);
  s.on('error', () => {});
  s.pipe(process.stdout);
} else {
  const s = require('dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  s.on('error', () => {});
  s.on('message', (m) => process.stdout.write(m + '\\n'));
  s.connect(${PORT}, address, () => every((t) => s.send(t)));
}`;

const servers: ChildProcess[] = [];
const clients: ChildProcess[] = [];
/** Runs a piece of JavaScript in a pod. */
async function inPod(name: string, script: string, ...args: readonly string[]) {
  const { netns } = await lab.pod(`x/${name}`);
  const command = ['netns', 'exec', netns, 'setpriv', '--pdeathsig', 'KILL', process.execPath, '-e', script, ...args];
  const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  return child;
}
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

const addressOf = async (name: string, family: 4 | 6): Promise<string> =>
  (await lab.pod(`x/${name}`)).ips.find((ip) => ip.includes(':') === (family === 6)) ?? '';

/** A stream between two pods. */
class Stream {
  readonly came: number[] = [];
  #rest = '';
  private constructor(child: ChildProcess) {
    child.stdout?.on('data', (part: Buffer) => {
      const lines = `${this.#rest}${part}`.split('\n');
      this.#rest = lines.pop() ?? '';
      this.came.push(...lines.map(Number));
    });
  }
  static async open(protocol: 'tcp' | 'udp', from: string, to: string, family: 4 | 6): Promise<Stream> {
    const address = await addressOf(to, family);
    const client = await inPod(from, CLIENT, protocol, address);
    clients.push(client);
    const stream = new Stream(client);
    await stream.goesOn();
    return stream;
  }
  /** Waits for that many messages more. */
  goesOn(messages = 25): Promise<void> {
    const enough = this.came.length + messages;
    // TCP that was denied tries again after as long as it was denied.
    return until(
      'messages come back',
      async () => {
        if (this.came.length >= enough) return true;
        throw new Error(`${this.came.length} of ${enough}, at last ${this.came.at(-1)}`);
      },
      60_000,
    );
  }
  /** What came in another place than it was sent in: none, if nothing was lost, came twice or out of order. */
  get amiss(): readonly string[] {
    return this.came.flatMap((n, i) => (n === i + 1 ? [] : [`${n} as number ${i + 1}`])).slice(0, 5);
  }
}

/** True while nothing comes back from `cut` although `clock`, which shares its way, goes on. */
async function stands(cut: Stream, clock: Stream): Promise<boolean> {
  // The datapath's cache follows the acknowledged bundle within milliseconds, and a last answer may be on its way.
  await clock.goesOn();
  const before = cut.came.length;
  await clock.goesOn(100);
  return cut.came.length === before;
}

const applied = new Set<string>();
async function apply(file: string, text: string): Promise<void> {
  applied.add(file);
  await lab.apply(file, text);
}
async function remove(file: string): Promise<void> {
  applied.delete(file);
  await lab.delete(file);
}

beforeAll(async () => {
  writeFileSync(
    join(folder, 'pods.yaml'),
    yaml(...['a', 'b', 'c', 'd'].map((name) => pod(name, name === 'd' ? 'node2' : 'node1'))),
  );
  await lab.up(folder, '--nodes', '2');
  for (const name of ['b', 'c', 'd']) {
    const server = await inPod(name, ECHO);
    servers.push(server);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
  }
}, 180_000);
afterEach(async () => {
  for (const client of clients.splice(0)) await end(client);
  for (const file of applied) await remove(file);
});
afterAll(async () => {
  for (const server of servers) await end(server);
  await lab.down();
  rmSync(folder, { recursive: true, force: true });
});

const WAYS: readonly [name: string, protocol: 'tcp' | 'udp', to: string, family: 4 | 6][] = [
  ['TCP on one node', 'tcp', 'b', 4],
  ['TCP on one node over IPv6', 'tcp', 'b', 6],
  ['UDP on one node', 'udp', 'b', 4],
  ['TCP between nodes', 'tcp', 'd', 4],
  ['UDP between nodes over IPv6', 'udp', 'd', 6],
];

describe('a stream while policies change', () => {
  it.each(WAYS)(
    '%s: goes on under policies that allow it, stops under one that does not, and goes on',
    async (...row) => {
      const [, protocol, to, family] = row;
      const stream = await Stream.open(protocol, 'a', to, family);
      const clock = await Stream.open(protocol, 'a', 'c', family);
      const file = `${to}.yaml`;
      for (const peers of [['a'], ['a', 'c'], ['c', 'a']]) {
        await apply(file, policy(to, peers));
        await stream.goesOn();
      }
      await remove(file);
      await stream.goesOn();
      expect(stream.amiss).toEqual([]);

      await apply(file, policy(to, ['c']));
      expect(await stands(stream, clock)).toBe(true);
      await apply(file, policy(to, ['c', 'a']));
      await stream.goesOn();
      // The socket knew of nothing: TCP sends again what was dropped.
      if (protocol === 'tcp') expect(stream.amiss).toEqual([]);
      expect(clock.amiss).toEqual([]);
    },
  );

  it.each(WAYS.filter(([, , to]) => to === 'b'))(
    '%s: a policy that keeps stops new connections only',
    async (...row) => {
      const [, protocol, to, family] = row;
      const stream = await Stream.open(protocol, 'a', to, family);
      await apply(`${to}.yaml`, policy(to, [], 'keep'));
      await stream.goesOn(50);
      expect(stream.amiss).toEqual([]);
      const address = await addressOf(to, family);
      expect((await lab.probeOne('x/a', { protocol, address, port: PORT, timeoutMs: 1_500 })).outcome).toBe('timeout');
      await stream.goesOn();
    },
  );

  it.each(WAYS.filter(([, protocol]) => protocol === 'tcp'))(
    '%s: a policy that cuts ends it when it changes',
    async (...row) => {
      const [, protocol, to, family] = row;
      await apply(`${to}.yaml`, policy(to, ['a'], 'cut'));
      const stream = await Stream.open(protocol, 'a', to, family);
      const clock = await Stream.open(protocol, 'a', 'c', family);
      await apply(`${to}.yaml`, policy(to, ['a', 'c'], 'cut'));
      expect(await stands(stream, clock)).toBe(true);
      await Stream.open(protocol, 'a', to, family);
    },
  );
});
