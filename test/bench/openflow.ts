import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  connectOpenFlow,
  decodeMessage,
  encodeMessage,
  type FlowMod,
  FrameReader,
  flowMod,
  flowStatsRequest,
  formatFlow,
  reconcileFlows,
  TABLE_ALL,
} from 'openflow-ts';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { benchFlows } from './openflow-flows.js';

// 100,000 flows of five shapes on a real ovs-vswitchd with a dummy datapath, over its unix socket, and the codec alone. Every
// measurement is a process of its own; rounds take turns, figures are medians, goals are ratios of the same round.
//   encode, decode: messages a second, beside os-ken on the same messages.
//   install:   one bundle from flow mods to the commit reply, beside a socket that sends the same bytes encoded beforehand, and ovs-ofctl --bundle add-flows.
//   dump:      all flows decoded, beside a socket that only walks the lengths, and ovs-ofctl dump-flows.
//   reconcile: read back, compare, apply 1%, beside ovs-ofctl --bundle replace-flows.

const [mode, target = '', argument = ''] = process.argv.slice(2);
const isRole = mode !== undefined && /^[a-z]/.test(mode);
const ROUNDS = isRole || mode === undefined || mode === '' ? 5 : Number(mode);
const FLOWS = 100_000;
const CODEC_MESSAGES = 20_000;
const VERSION = 'OF1.4' as const;
const PYTHON = '/usr/bin/python3';
const hasOsKen = existsSync('/usr/lib/python3/dist-packages/os_ken/ofproto/ofproto_parser.py');

/** What a process of its own reports. */
interface Sample {
  readonly ms: number;
  readonly count?: number;
  readonly heapBytes?: number;
  readonly decodeMs?: number;
  readonly failed?: number;
  readonly changed?: number;
}

// os-ken: parse each message, then serialise what was parsed; the second pass over all of them is timed.
const OS_KEN = `
import sys, time, json, logging
logging.disable(logging.CRITICAL)
from os_ken.ofproto import ofproto_parser, ofproto_protocol, ofproto_v1_4
from os_ken.ofproto import ofproto_v1_4_parser
class Datapath(ofproto_protocol.ProtocolDesc):
    pass
dp = Datapath(version=ofproto_v1_4.OFP_VERSION)
messages = [bytes.fromhex(line) for line in open(sys.argv[1]).read().split()]
failed = 0
def decode(buf):
    version, kind, length, xid = ofproto_parser.header(buf)
    return ofproto_parser.msg(dp, version, kind, length, xid, buf)
good = []
for buf in messages[:2000]:
    try:
        decode(buf)
    except Exception:
        pass
start = time.perf_counter()
decoded = []
for buf in messages:
    try:
        decoded.append(decode(buf))
    except Exception:
        failed += 1
decode_ms = (time.perf_counter() - start) * 1000
start = time.perf_counter()
for m in decoded:
    m.serialize()
ms = (time.perf_counter() - start) * 1000
print(json.dumps({'ms': ms, 'decodeMs': decode_ms, 'count': len(decoded), 'failed': failed}))
`;

const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const pathOf = (unix: string): string => unix.slice('unix:'.length);
const time = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

function codec(): Sample {
  const mods = benchFlows(CODEC_MESSAGES);
  const bytes = mods.map((mod) => encodeMessage(mod, { version: VERSION, xid: 1 }));
  // As many passes before the clock runs as a long-lived process makes in its first second.
  for (let i = 0; i < 3; i++)
    for (const one of bytes) encodeMessage(decodeMessage(one).message, { version: VERSION, xid: 1 });
  let start = performance.now();
  const decoded = bytes.map((one) => decodeMessage(one));
  const decodeMs = performance.now() - start;
  start = performance.now();
  for (const { message } of decoded) encodeMessage(message, { version: VERSION, xid: 1 });
  return { ms: performance.now() - start, decodeMs, count: decoded.length };
}

/** Connects, says hello, and calls back with each whole message from then on. */
function rawConnect(onMessage: (message: Uint8Array, socket: Socket) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(pathOf(target));
    const frames = new FrameReader();
    let greeted = false;
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) =>
      frames.push(chunk, (message) => {
        if (greeted) return onMessage(message, socket);
        greeted = true;
        resolve(socket);
      }),
    );
    socket.write(encodeMessage({ kind: 'hello', versions: [5] }, { version: VERSION, xid: 1 }));
  });
}

async function installRaw(): Promise<Sample> {
  const bundleId = 7;
  const control = (type: 'open_request' | 'commit_request', xid: number) =>
    encodeMessage({ kind: 'bundle_control', bundleId, type, flags: 3 }, { version: VERSION, xid });
  const adds = benchFlows(FLOWS).map((message, i) =>
    encodeMessage({ kind: 'bundle_add', bundleId, flags: 3, message }, { version: VERSION, xid: 100 + i }),
  );
  const barrier = encodeMessage({ kind: 'barrier_request' }, { version: VERSION, xid: 3 });
  const all = Buffer.concat([control('open_request', 2), ...adds, barrier]);
  let done: (() => void) | undefined;
  let failed = 0;
  const socket = await rawConnect((message, s) => {
    const type = message[1];
    if (type === 1) failed++;
    if (type === 21) s.write(control('commit_request', 4));
    if (type === 33 && message[7] === 4) done?.();
  });
  const ms = await time(
    () =>
      new Promise<void>((resolve) => {
        done = resolve;
        socket.write(all);
      }),
  );
  return { ms, failed };
}

async function installOurs(): Promise<Sample> {
  const mods = benchFlows(FLOWS);
  const session = await connectOpenFlow({ target, versions: [VERSION] });
  let failed = 0;
  const ms = await time(async () => {
    const result = await session.apply(mods);
    if (result.kind !== 'committed') failed = result.errors.length;
  });
  return { ms, failed };
}

async function dumpRaw(): Promise<Sample> {
  let done: (() => void) | undefined;
  let count = 0;
  const socket = await rawConnect((message) => {
    if (message[1] !== 19) return;
    for (let at = 16; at < message.length; count++) at += ((message[at] as number) << 8) | (message[at + 1] as number);
    if (((message[11] as number) & 1) === 0) done?.();
  });
  const request = encodeMessage(flowStatsRequest(), { version: VERSION, xid: 9 });
  const ms = await time(
    () =>
      new Promise<void>((resolve) => {
        done = resolve;
        socket.write(request);
      }),
  );
  return { ms, count };
}

async function dumpOurs(): Promise<Sample> {
  const session = await connectOpenFlow({ target, versions: [VERSION] });
  const start = performance.now();
  const flows = await session.multipart(flowStatsRequest());
  return { ms: performance.now() - start, count: flows.length };
}

async function holdOurs(): Promise<Sample> {
  const session = await connectOpenFlow({ target, versions: [VERSION] });
  collect();
  const before = process.memoryUsage().heapUsed;
  const flows = await session.multipart(flowStatsRequest());
  await session.barrier();
  collect();
  return { ms: 0, count: flows.length, heapBytes: process.memoryUsage().heapUsed - before };
}

/** The wanted flows: every hundredth has another priority than when it was installed; `argument` is how much it differs. */
const changedFlows = (): FlowMod[] =>
  benchFlows(FLOWS).map((mod, n) => (n % 100 === 0 ? { ...mod, priority: 200 + Number(argument) } : mod));

async function reconcileOurs(): Promise<Sample> {
  const wanted = changedFlows();
  const session = await connectOpenFlow({ target, versions: [VERSION] });
  let changed = 0;
  const ms = await time(async () => {
    const { result, mods } = await reconcileFlows(session, wanted);
    if (result.kind !== 'committed') throw new Error('the differences were refused');
    changed = mods.length;
  });
  return { ms, changed };
}

const ROLES: { readonly [role: string]: () => Sample | Promise<Sample> } = {
  codec,
  'install-raw': installRaw,
  'install-ours': installOurs,
  'dump-raw': dumpRaw,
  'dump-ours': dumpOurs,
  'hold-ours': holdOurs,
  'reconcile-ours': reconcileOurs,
};

const exec = promisify(execFile);
const self = fileURLToPath(import.meta.url);
const ours = async (...args: readonly string[]): Promise<Sample> =>
  JSON.parse((await exec(process.execPath, ['--expose-gc', self, ...args], { timeout: 60_000 })).stdout) as Sample;

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
type Samples = readonly Sample[];
const seconds = (samples: Samples) => {
  const s = samples.map((sample) => sample.ms / 1000);
  return { median: round(median(s), 3), min: round(Math.min(...s), 3), max: round(Math.max(...s), 3) };
};
/** Ratio round by round, so that both sides of it met the same load of the machine. */
const ratio = (a: Samples, b: Samples): number => round(median(a.map((one, i) => one.ms / (b[i]?.ms ?? Number.NaN))));
const perSecond = (samples: Samples, key: 'ms' | 'decodeMs'): number =>
  round(median(samples.map((s) => ((s.count ?? 0) / (s[key] ?? Number.NaN)) * 1000)), 0);

async function clear(ovs: TestSwitch): Promise<void> {
  const session = await connectOpenFlow({ target: ovs.openflow, versions: [VERSION] });
  await session.confirm(flowMod({ command: 'delete', tableId: TABLE_ALL }));
  session.close();
}

async function main(): Promise<void> {
  const samples: { [role: string]: Sample[] } = {};
  const add = (role: string, sample: Sample): Sample => {
    samples[role] = [...(samples[role] ?? []), sample];
    return sample;
  };
  const ovs = await startSwitch();
  try {
    const files = {
      all: join(ovs.dir, 'all.flows'),
      hex: join(ovs.dir, 'mods.hex'),
      changed: join(ovs.dir, 'changed.flows'),
    };
    writeFileSync(
      files.all,
      benchFlows(FLOWS)
        .map((flow) => `${formatFlow(flow)}\n`)
        .join(''),
    );
    const hex = benchFlows(CODEC_MESSAGES).map((mod) =>
      Buffer.from(encodeMessage(mod, { version: VERSION, xid: 1 })).toString('hex'),
    );
    writeFileSync(files.hex, hex.join('\n'));
    const ofctl = async (...args: readonly string[]): Promise<Sample> => ({
      ms: await time(() => ovs.ofctl('-O', 'OpenFlow14', ...args)),
    });
    const count = async (): Promise<number> =>
      Number(/flow_count=(\d+)/.exec(await ovs.ofctl('dump-aggregate', 'br-int'))?.[1]);
    const expectFlows = async (what: string): Promise<void> => {
      const found = await count();
      if (found !== FLOWS) throw new Error(`${what}: ${found} flows, not ${FLOWS}`);
    };

    for (let i = 0; i < ROUNDS; i++) {
      add('codec', await ours('codec'));
      if (hasOsKen) add('os-ken', JSON.parse((await exec(PYTHON, ['-c', OS_KEN, files.hex])).stdout) as Sample);
      for (const role of ['install-raw', 'install-ours']) {
        await clear(ovs);
        if (add(role, await ours(role, ovs.openflow)).failed) throw new Error(`${role}: refused`);
        await expectFlows(role);
      }
      for (const role of ['dump-raw', 'dump-ours', 'hold-ours'])
        if (add(role, await ours(role, ovs.openflow)).count !== FLOWS) throw new Error(`${role}: not all flows`);
      add('dump-ofctl', await ofctl('--no-names', 'dump-flows', 'br-int'));
      // What is there is the plain set; each step changes one in a hundred.
      const step = add('reconcile-ours', await ours('reconcile-ours', ovs.openflow, `${2 * i}`));
      if (step.changed !== FLOWS / 50) throw new Error(`reconcile: ${step.changed} changes`);
      await expectFlows('reconcile');
      writeFileSync(
        files.changed,
        benchFlows(FLOWS)
          .map((mod, n) => `${formatFlow(n % 100 === 0 ? { ...mod, priority: 201 + 2 * i } : mod)}\n`)
          .join(''),
      );
      add('replace-ofctl', await ofctl('--bundle', 'replace-flows', 'br-int', files.changed));
      await expectFlows('replace-flows');
      await clear(ovs);
      add('install-ofctl', await ofctl('--bundle', 'add-flows', 'br-int', files.all));
      await expectFlows('add-flows');
    }
  } finally {
    await ovs.stop();
  }
  const get = (role: string): Samples => samples[role] ?? [];
  const osKen = hasOsKen
    ? {
        encodePerSecond: perSecond(get('os-ken'), 'ms'),
        decodePerSecond: perSecond(get('os-ken'), 'decodeMs'),
        failed: get('os-ken')[0]?.failed,
      }
    : 'not installed: python3-os-ken';
  const codecFigures = {
    encodePerSecond: perSecond(get('codec'), 'ms'),
    decodePerSecond: perSecond(get('codec'), 'decodeMs'),
  };
  const result = {
    benchmark:
      'openflow-ts on a real ovs-vswitchd (dummy datapath, unix socket, OF1.4), each measurement a process of its own',
    rounds: ROUNDS,
    flows: FLOWS,
    codec: { messages: CODEC_MESSAGES, ours: codecFigures, osKen },
    installSeconds: {
      ours: seconds(get('install-ours')),
      preEncoded: seconds(get('install-raw')),
      ovsOfctlBundle: seconds(get('install-ofctl')),
      ratioToPreEncoded: ratio(get('install-ours'), get('install-raw')),
      ratioToOvsOfctl: ratio(get('install-ours'), get('install-ofctl')),
    },
    dumpSeconds: {
      ours: seconds(get('dump-ours')),
      raw: seconds(get('dump-raw')),
      ovsOfctl: seconds(get('dump-ofctl')),
      ratioToRaw: ratio(get('dump-ours'), get('dump-raw')),
    },
    reconcileSeconds: {
      changedFlows: FLOWS / 100,
      ours: seconds(get('reconcile-ours')),
      ovsOfctlReplace: seconds(get('replace-ofctl')),
      ratioToOvsOfctl: ratio(get('reconcile-ours'), get('replace-ofctl')),
    },
    heapBytesPerDecodedFlow: round(median(get('hold-ours').map((s) => (s.heapBytes ?? 0) / FLOWS)), 0),
    goals: {
      'installSeconds.ratioToPreEncoded': '<= 1.25',
      'dumpSeconds.ratioToRaw': '<= 2.5',
      'reconcileSeconds.ratioToOvsOfctl': '<= 0.5',
    },
  };
  console.log(JSON.stringify(result, null, 2));
}

const role = isRole ? ROLES[mode] : undefined;
if (role !== undefined) process.stdout.write(JSON.stringify(await role()), () => process.exit(0));
else if (isRole) throw new RangeError(`no measurement is called ${mode}`);
else if (!hasOvs()) console.log(JSON.stringify({ benchmark: 'openflow-ts', skipped: 'Open vSwitch is not installed' }));
else await main();
