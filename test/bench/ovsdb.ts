import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectOvsdb, type Uuid } from 'ovsdb-client';
import { hasOvs, OvsSandbox } from '../ovs/ovsdb-sandbox.js';

// Loading 10,000 Interfaces and their Ports (all columns), and 10,000 small transactions pipelined, on a real ovsdb-server.
// Beside the load: the IDL of python3-openvswitch, and a bare Node reader of the same monitor (monitor_cond_since). Beside
// the transactions: a bare socket that sends the same bytes, encoded beforehand. Every measurement is a process of its own;
// rounds take turns, figures are medians, goals are ratios.

const ROWS = 10_000;
const TRANSACTIONS = 10_000;
const [mode, target = '', argument = ''] = process.argv.slice(2);
const ROUNDS = Number(mode === undefined || mode === '' ? 5 : mode);
const PYTHON = '/usr/bin/python3';
const VSWITCH = 'Open_vSwitch';
const TABLES = ['Interface', 'Port'] as const;

/** What a process of its own reports. */
interface Sample {
  readonly ms: number;
  /** Resident memory in bytes when the work is done, and at its highest. */
  readonly rss: number;
  readonly peakRss: number;
  /** Resident memory before the work, with the code loaded. */
  readonly startRss: number;
  /** Bytes that the socket brought. */
  readonly bytes?: number;
  /** Heap that the rows hold, garbage collected. */
  readonly heldBytes?: number;
  readonly rows?: number;
}

const PYTHON_LOAD = `
import sys, time, json
import ovs.db.idl, ovs.poller
def memory(name):
    return next(int(l.split()[1]) * 1024 for l in open('/proc/self/status') if l.startswith(name))
start_rss = memory('VmRSS:')
remote, schema = sys.argv[1:]
start = time.perf_counter()
helper = ovs.db.idl.SchemaHelper(location=schema)
helper.register_table('Interface')
helper.register_table('Port')
idl = ovs.db.idl.Idl(remote, helper)
while True:
    idl.run()
    if idl.has_ever_connected() and len(idl.tables['Interface'].rows) > 0:
        break
    poller = ovs.poller.Poller()
    idl.wait(poller)
    poller.block()
ms = (time.perf_counter() - start) * 1000
rows = len(idl.tables['Interface'].rows) + len(idl.tables['Port'].rows)
print(json.dumps({'ms': ms, 'rss': memory('VmRSS:'), 'peakRss': memory('VmHWM:'), 'startRss': start_rss, 'rows': rows}))
`;

const statusBytes = (name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
const pathOf = (unix: string): string => unix.slice('unix:'.length);

/** Calls back with each JSON text of a socket, brackets counted byte by byte. */
function readTexts(socket: Socket, onText: (text: Buffer) => void): void {
  let held: Buffer[] = [];
  let depth = 0;
  let inString = false;
  let escaped = false;
  socket.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (escaped) escaped = false;
      else if (inString) {
        if (byte === 0x5c) escaped = true;
        else if (byte === 0x22) inString = false;
      } else if (byte === 0x22) inString = true;
      else if (byte === 0x7b || byte === 0x5b) depth++;
      else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) {
        const part = chunk.subarray(start, i + 1);
        start = i + 1;
        const text = held.length === 0 ? part : Buffer.concat([...held, part]);
        held = [];
        onText(text);
      }
    }
    if (start < chunk.length) held.push(chunk.subarray(start));
  });
}

type Timing = Omit<Sample, 'rss' | 'peakRss' | 'startRss'>;

/** The least a Node program must do: ask, cut the answer out of the stream, parse it. */
function loadRaw(): Promise<Timing> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = connect(pathOf(target));
    const ask = (id: number, method: string, params: unknown[]) => socket.write(JSON.stringify({ method, params, id }));
    socket.on('error', reject);
    ask(0, 'get_schema', [VSWITCH]);
    readTexts(socket, (text) => {
      const { id, result } = JSON.parse(text.toString()) as { id: number; result: unknown };
      if (id === 0) {
        const { tables } = result as { tables: { [name: string]: { columns: object } } };
        const requests = TABLES.map((table) => [table, [{ columns: Object.keys(tables[table]?.columns ?? {}) }]]);
        const since = '00000000-0000-0000-0000-000000000000';
        ask(1, 'monitor_cond_since', [VSWITCH, 'bench', Object.fromEntries(requests), since]);
        return;
      }
      const updates = (result as [boolean, string, { [table: string]: object }])[2];
      const rows = TABLES.reduce((sum, table) => sum + Object.keys(updates[table] ?? {}).length, 0);
      resolve({ ms: performance.now() - start, rows, bytes: text.length });
      socket.destroy();
    });
  });
}

async function loadOurs(): Promise<Timing> {
  const start = performance.now();
  const client = connectOvsdb({ target, reconnect: false });
  const replica = await client.monitor(VSWITCH, { Interface: {}, Port: {} });
  const ms = performance.now() - start;
  const rows = TABLES.reduce((sum, table) => sum + replica.table(table).rows.size, 0);
  return Object.assign({ ms, rows }, { keep: [client, replica] });
}

/** The same, and how much heap is held by the rows once the garbage is gone. */
async function holdOurs(): Promise<Timing> {
  const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
  const client = connectOvsdb({ target, reconnect: false });
  await client.getSchema(VSWITCH);
  collect();
  const before = process.memoryUsage().heapUsed;
  const start = performance.now();
  const replica = await client.monitor(VSWITCH, { Interface: {}, Port: {} });
  const ms = performance.now() - start;
  await client.echo();
  // The first collection finalizes what the second one frees.
  collect();
  collect();
  const heldBytes = process.memoryUsage().heapUsed - before;
  const rows = TABLES.reduce((sum, table) => sum + replica.table(table).rows.size, 0);
  return Object.assign({ ms, rows, heldBytes }, { keep: [client, replica] });
}

const operation = (uuid: string, i: number) =>
  ({
    op: 'update',
    table: 'Interface',
    where: [['_uuid', '==', ['uuid', uuid]]],
    row: { external_ids: ['map', [['n', String(i)]]] },
  }) as const;
const uuids = (): string[] => JSON.parse(readFileSync(argument, 'utf8')) as string[];
const indexes = Array.from({ length: TRANSACTIONS }, (_, i) => i);

function transactRaw(): Promise<Timing> {
  const rows = uuids();
  const params = (i: number) => [VSWITCH, operation(rows[i % rows.length] ?? '', i)];
  const texts = indexes.map((i) => Buffer.from(JSON.stringify({ method: 'transact', params: params(i), id: i })));
  return new Promise((resolve, reject) => {
    const socket = connect(pathOf(target));
    socket.on('error', reject);
    socket.once('connect', () => {
      const start = performance.now();
      let left = TRANSACTIONS;
      readTexts(socket, () => {
        if (--left > 0) return;
        resolve({ ms: performance.now() - start });
        socket.destroy();
      });
      socket.write(Buffer.concat(texts));
    });
  });
}

async function transactOurs(): Promise<Timing> {
  const rows = uuids();
  const operations = indexes.map((i) => operation(rows[i % rows.length] ?? '', i));
  const client = connectOvsdb({ target, reconnect: false });
  await client.ready;
  const start = performance.now();
  const results = await Promise.all(operations.map((each) => client.transact(VSWITCH, [each])));
  const ms = performance.now() - start;
  if (results.some(([result]) => result?.count !== 1)) throw new Error('a transaction has changed nothing');
  await client.close();
  return { ms };
}

async function transactTyped(): Promise<Timing> {
  const rows = uuids() as Uuid<'Interface'>[];
  const client = connectOvsdb({ target, reconnect: false });
  await client.getSchema(VSWITCH);
  const start = performance.now();
  await Promise.all(
    indexes.map((i) => {
      const transaction = client.transaction(VSWITCH);
      transaction.update('Interface', rows[i % rows.length] as Uuid<'Interface'>, { external_ids: { n: String(i) } });
      return transaction.commit();
    }),
  );
  const ms = performance.now() - start;
  await client.close();
  return { ms };
}

const ROLES: { readonly [role: string]: () => Promise<Timing> } = {
  'load-raw': loadRaw,
  'load-ours': loadOurs,
  'hold-ours': holdOurs,
  'transact-raw': transactRaw,
  'transact-ours': transactOurs,
  'transact-typed': transactTyped,
};

const exec = promisify(execFile);
const sampleOf = async (program: string, args: readonly string[]): Promise<Sample> =>
  JSON.parse((await exec(program, [...args], { timeout: 60_000 })).stdout) as Sample;
const self = fileURLToPath(import.meta.url);
const ours = (...args: readonly string[]) => sampleOf(process.execPath, ['--expose-gc', self, ...args]);
// V8 lets its young generation grow to 48 MB while rows arrive; a program that wants less memory says so.
const SMALL_HEAP = '--max-semi-space-size=2';
const oursSmall = (...args: readonly string[]) => sampleOf(process.execPath, [SMALL_HEAP, self, ...args]);

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const medianOf = (samples: readonly Sample[], key: keyof Sample): number =>
  median(samples.map((sample) => sample[key] ?? Number.NaN));
const mb = (bytes: number): number => round(bytes / 1e6, 1);
/** Ratio round by round, so that both sides of it met the same load of the machine. */
const ratio = (a: readonly Sample[], b: readonly Sample[], key: keyof Sample = 'ms'): number =>
  round(median(a.map((sample, i) => (sample[key] ?? Number.NaN) / (b[i]?.[key] ?? Number.NaN))));
const times = (samples: readonly Sample[]) => ({
  ms: round(medianOf(samples, 'ms'), 0),
  minMs: round(Math.min(...samples.map((s) => s.ms)), 0),
  maxMs: round(Math.max(...samples.map((s) => s.ms)), 0),
});
const memory = (samples: readonly Sample[]) => ({
  rssMb: mb(medianOf(samples, 'rss')),
  peakRssMb: mb(medianOf(samples, 'peakRss')),
  startRssMb: mb(medianOf(samples, 'startRss')),
});

async function fill(sandbox: OvsSandbox): Promise<string> {
  const client = connectOvsdb({ target: sandbox.target });
  const transaction = client.transaction(VSWITCH);
  const names = Array.from({ length: ROWS }, (_, i) => `veth${i}`);
  const refs = names.map((name, i) =>
    transaction.insert('Interface', {
      name,
      type: 'internal',
      mac_in_use: `0a:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
      ofport: (i % 65_000) + 1,
      admin_state: 'up',
      link_state: 'up',
      mtu: 1500,
      external_ids: { 'attached-mac': `02:00:00:00:00:${i % 90}`, 'iface-id': `pod-${i}`, namespace: 'default' },
      statistics: { rx_bytes: i, tx_bytes: i, rx_packets: i, tx_packets: i, rx_errors: 0, tx_errors: 0 },
      status: { driver_name: 'veth', driver_version: '1.0' },
    }),
  );
  const ports = refs.map((ref, i) => transaction.insert('Port', { name: names[i] ?? '', interfaces: [ref] }));
  const bridge = transaction.insert('Bridge', { name: 'br-int', ports });
  transaction.insert('Open_vSwitch', { bridges: [bridge] });
  const result = await transaction.commit({ timeoutMs: 60_000 });
  await client.close();
  const file = join(sandbox.dir, 'uuids.json');
  writeFileSync(file, JSON.stringify(refs.map((ref) => result.uuid(ref))));
  return file;
}

const hasPython = existsSync('/usr/lib/python3/dist-packages/ovs/db/idl.py');

async function main(): Promise<void> {
  const sandbox = new OvsSandbox();
  try {
    sandbox.startServer();
    const file = await fill(sandbox);
    const samples: { [role: string]: Sample[] } = {};
    const add = (role: string, sample: Sample): void => {
      samples[role] = [...(samples[role] ?? []), sample];
    };
    for (let i = 0; i < ROUNDS; i++) {
      for (const role of Object.keys(ROLES)) add(role, await ours(role, sandbox.target, file));
      add('load-small', await oursSmall('load-ours', sandbox.target));
      if (hasPython) {
        const schema = '/usr/share/openvswitch/vswitch.ovsschema';
        add('load-python', await sampleOf(PYTHON, ['-c', PYTHON_LOAD, sandbox.target, schema]));
      }
    }
    const get = (role: string): readonly Sample[] => samples[role] ?? [];
    const [raw, own, python] = [get('load-raw'), get('load-ours'), get('load-python')];
    const expected = 2 * ROWS;
    const small = get('load-small');
    for (const sample of [...raw, ...own, ...small, ...python]) {
      if (sample.rows !== expected) throw new Error(`${sample.rows} rows were loaded, not ${expected}`);
    }
    const rows = ROWS * 2;
    const perSecond = (role: string): number => round((TRANSACTIONS / medianOf(get(role), 'ms')) * 1000, 0);
    const result = {
      benchmark: 'ovsdb-client on a real ovsdb-server, unix socket, each measurement a process of its own',
      rounds: ROUNDS,
      load: {
        rows,
        ours: { ...times(own), ...memory(own) },
        oursSmallHeap: { flag: SMALL_HEAP, ...times(small), ...memory(small) },
        raw: { ...times(raw), ...memory(raw) },
        python: hasPython ? { ...times(python), ...memory(python) } : 'not installed: python3-openvswitch',
        ratioToRaw: ratio(own, raw),
        ratioToPython: hasPython ? ratio(own, python) : null,
        smallHeapRatioToRaw: ratio(small, raw),
        rssRatioToPython: hasPython ? ratio(own, python, 'rss') : null,
        smallHeapRssRatioToPython: hasPython ? ratio(small, python, 'rss') : null,
        peakRssRatioToPython: hasPython ? ratio(own, python, 'peakRss') : null,
      },
      row: {
        wireBytes: round(medianOf(raw, 'bytes') / rows, 0),
        heapBytes: round(medianOf(get('hold-ours'), 'heldBytes') / rows, 0),
      },
      pipelined: {
        transactions: TRANSACTIONS,
        rawPerSecond: perSecond('transact-raw'),
        oursPerSecond: perSecond('transact-ours'),
        typedPerSecond: perSecond('transact-typed'),
        // Of throughput: 1 is what the server takes.
        ratioToRaw: ratio(get('transact-raw'), get('transact-ours')),
        typedRatioToRaw: ratio(get('transact-raw'), get('transact-typed')),
      },
      goals: { 'load.ratioToRaw': '<= 2', 'load.rssRatioToPython': '<= 0.5', 'pipelined.ratioToRaw': '>= 0.9' },
    };
    console.log(JSON.stringify(result, null, 2));
  } finally {
    await sandbox.close();
  }
}

const role = mode === undefined ? undefined : ROLES[mode];
if (role !== undefined) {
  const startRss = statusBytes('VmRSS');
  const timing = await role();
  const sample: Sample = { ...timing, startRss, rss: statusBytes('VmRSS'), peakRss: statusBytes('VmHWM') };
  process.stdout.write(JSON.stringify({ ...sample, keep: undefined }), () => process.exit(0));
} else if (!hasOvs) {
  console.log(JSON.stringify({ benchmark: 'ovsdb-client', skipped: 'Open vSwitch is not installed' }));
} else {
  await main();
}
