import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KUBELET } from '../../apps/lab/src/host/services.js';
import { ROOT, TestLab, until } from '../support/lab.js';

// The first packets of a pod obey its policies. A program in the pod's namespace sends without pause from before there is an
// interface, and two other pods send to every address that the pod might get; what arrives is counted from the first packet on.

const lab = new TestLab();
const folder = mkdtempSync(join(tmpdir(), 'heddle-first-'));
const CNI_DIR = join(ROOT, 'apps/node-agent/dist');
const ROUNDS = 8;
const PORT = 7001;
/** Where the lab's pods answer. */
const ECHO_PORT = 8080;

const pod = (name: string, app: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'x', name, labels: { app } },
  spec: { nodeName: 'node1', containers: [{ name: 'c', image: 'none' }] },
});
const friends = [{ podSelector: { matchLabels: { app: 'friend' } } }];
const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'x', name: 'friends-only' },
  spec: {
    podSelector: { matchLabels: { app: 'guarded' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: friends }],
    egress: [{ to: friends }],
  },
};
const yaml = (objects: readonly object[]) => objects.map((o) => JSON.stringify(o)).join('\n---\n');

/** Sends datagrams to addresses, round and round; says from whom something came for the first time, and tells of all when its input ends. */
const TALKER = `
const to = process.argv.slice(1);
const from = {};
const socket = (type, address) => {
  const s = require('dgram').createSocket({ type, ipv6Only: true });
  s.on('error', () => {});
  s.on('message', (_, sender) => {
    if (from[sender.address] === undefined) console.log('heard ' + sender.address);
    from[sender.address] = (from[sender.address] ?? 0) + 1;
  });
  s.bind(${PORT}, address);
  return s;
};
const [v4, v6] = [socket('udp4', '0.0.0.0'), socket('udp6', '::')];
let sent = 0;
// Before there is a route the kernel refuses: all the same, the next packet is the first.
const go = () => {
  for (const address of to) (address.includes(':') ? v6 : v4).send('x', ${PORT}, address, (e) => { if (!e) sent++; });
  setImmediate(() => setTimeout(go, 1));
};
go();
console.log('ready');
process.stdin.on('end', () => { console.log(JSON.stringify({ from, sent })); process.exit(0); }).resume();`;

interface Told {
  readonly from: Readonly<Record<string, number>>;
  readonly sent: number;
}

class Talker {
  #text = '';
  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (part: Buffer) => {
      this.#text += part;
    });
  }
  static async start(netns: string, to: readonly string[]): Promise<Talker> {
    const command = ['netns', 'exec', netns, 'setpriv', '--pdeathsig', 'KILL', process.execPath, '-e', TALKER, ...to];
    const talker = new Talker(spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await until('the talker runs', async () => talker.#text.includes('ready'));
    return talker;
  }
  /** Waits until something has come from one of the addresses. */
  hears(who: string, addresses: readonly string[]): Promise<void> {
    return until(`something comes from ${who}`, async () => {
      const said = this.#text.split('\n');
      if (addresses.some((address) => said.includes(`heard ${address}`))) return true;
      throw new Error(this.#text);
    });
  }
  async stop(): Promise<Told> {
    const gone = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin?.end();
    await gone;
    return JSON.parse(this.#text.trimEnd().split('\n').at(-1) ?? '');
  }
}

/** CNI ADD or DEL of a pod as a runtime calls it; gives the addresses. */
function cni(command: 'ADD' | 'DEL', name: string, netns: string): readonly string[] {
  const config = {
    cniVersion: '1.0.0',
    name: 'heddle',
    type: 'heddle-cni',
    socket: join(lab.nodeDir('node1'), 'agent.sock'),
  };
  const result = execFileSync(join(CNI_DIR, 'heddle-cni'), {
    input: JSON.stringify(config),
    env: {
      PATH: process.env.PATH ?? '',
      CNI_COMMAND: command,
      CNI_IFNAME: 'eth0',
      CNI_PATH: CNI_DIR,
      CNI_CONTAINERID: `first-${name}`,
      CNI_NETNS: `/run/netns/${netns}`,
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=x;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=first-${name}`,
    },
    encoding: 'utf8',
  });
  if (command === 'DEL') return [];
  return (JSON.parse(result) as { ips: { address: string }[] }).ips.map(({ address }) => address.replace(/\/.*/, ''));
}

/** All addresses of the block of an address: 64 of each family. */
function blockOf(address: string): readonly string[] {
  const [, start = '', last = ''] = /^(.*[.:])([0-9a-f]+)$/.exec(address) ?? [];
  const radix = address.includes(':') ? 16 : 10;
  const first = Number.parseInt(last, radix) & ~63;
  return Array.from({ length: 64 }, (_, i) => `${start}${(first + i).toString(radix)}`);
}

beforeAll(async () => {
  writeFileSync(join(folder, 'pods.yaml'), yaml([pod('friend', 'friend'), pod('stranger', 'stranger')]));
  await lab.up(folder, '--nodes', '1');
  // The pods to come are ours to attach, not the lab's kubelet's.
  await lab.kill(KUBELET, 'SIGTERM');
  const names = ['guarded', 'free'].flatMap((app) => Array.from({ length: ROUNDS }, (_, i) => pod(`${app}-${i}`, app)));
  lab.writeManifest('more.yaml', yaml([policy, ...names]));
  await until('the pods are known', async () => (await lab.podViews()).length === 2 + names.length);
  await lab.realized();
}, 180_000);
afterAll(async () => {
  await lab.down();
  rmSync(folder, { recursive: true, force: true });
});

describe('the first packets of a pod', () => {
  it.each([
    ['obey its policies, in both directions', 'guarded', ['friend']],
    ['reach everybody where no policy is', 'free', ['friend', 'stranger']],
  ])('%s', async (_, app, allowed) => {
    for (let i = 0; i < ROUNDS; i++) {
      const others = await Promise.all(['friend', 'stranger'].map((name) => lab.pod(`x/${name}`)));
      const talkers = await Promise.all(
        others.map(({ netns, ips }) =>
          Talker.start(
            netns,
            ips.flatMap(blockOf).filter((ip) => !ips.includes(ip)),
          ),
        ),
      );
      const name = `${app}-${i}`;
      const netns = `${lab.paths.prefix}first${i}`;
      execFileSync('ip', ['netns', 'add', netns]);
      try {
        const newcomer = await Talker.start(
          netns,
          others.flatMap((p) => p.ips),
        );
        const own = cni('ADD', name, netns);
        for (const [k, { name: other, ips }] of others.entries())
          if (allowed.includes(other)) {
            await newcomer.hears(other, ips);
            await talkers[k]?.hears(name, own);
          }
        // One exchange with the friend after ADD has returned: all that came before it has arrived.
        const friend = (await lab.pod('x/friend')).ips[0] ?? '';
        expect((await askFrom(netns, friend)).trim()).toBe('connected');
        const heard = await newcomer.stop();
        const told = await Promise.all(talkers.map((t) => t.stop()));
        const byPod = new Map(others.flatMap((p) => p.ips.map((ip) => [ip, p.name] as const)));
        expect(heard.sent).toBeGreaterThan(0);
        expect(new Set(Object.keys(heard.from).map((ip) => byPod.get(ip) ?? ip))).toEqual(new Set(allowed));
        const reached = others.filter((_o, k) => own.some((ip) => (told[k]?.from[ip] ?? 0) > 0)).map((p) => p.name);
        expect(reached.sort()).toEqual([...allowed].sort());
        cni('DEL', name, netns);
      } finally {
        execFileSync('ip', ['netns', 'del', netns]);
      }
    }
  });
});

/** Connects to a pod's echo program and tells how it went. */
async function askFrom(netns: string, address: string): Promise<string> {
  const script = `const s=require('net').connect({host:'${address}',port:${ECHO_PORT}},()=>{console.log('connected');process.exit(0)});s.on('error',(e)=>{console.log(e.code);process.exit(0)});s.setTimeout(10000,()=>{console.log('timeout');process.exit(0)})`;
  return (await lab.must('ip', ['netns', 'exec', netns, process.execPath, '-e', script])).stdout;
}
