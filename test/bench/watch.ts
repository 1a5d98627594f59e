// npm run bench:watch -- [--nodes 5000] [--pods 30000] [--seconds 20] [--updates 200] [--statuses 200] [--heartbeats 20]
// The real controller process watching a small API server in another process, without agents and switches: how long the first
// sync takes and how much memory, how old a change of a pod is when its fact has been compiled, what 10,000 pods cost.
// Prints one JSON object. Needs `npm run build`.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { Answer, Command, Population, Traffic } from './watch-api.js';

const ROOT = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '5000' },
    pods: { type: 'string', default: '30000' },
    services: { type: 'string', default: '1000' },
    policies: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    updates: { type: 'string', default: '200' },
    statuses: { type: 'string', default: '200' },
    heartbeats: { type: 'string', default: '20' },
  },
});
const number = (name: keyof typeof values) => Number(values[name]);
const TIMEOUT_MS = 300_000;
/** After the first sync, before memory is read. */
const SETTLE_MS = 5_000;

const round = (value: number, digits = 1) => Math.round(value * 10 ** digits) / 10 ** digits;
const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

interface LogLine {
  readonly event: string;
  readonly time: string;
  readonly changes?: number;
  readonly durationMs?: number;
}

/** An API server with its objects, and a controller that watches it. */
class Bench {
  readonly lines: LogLine[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'heddle-watch-'));
  private server: ChildProcess | undefined;
  private controller: ChildProcess | undefined;
  private kubeconfig = '';

  async serve(population: Population): Promise<Extract<Answer, { kind: 'started' }>> {
    // The file and not its bundle: the pinned Node strips types itself.
    this.server = fork(join(ROOT, 'test/bench/watch-api.ts'), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const started = await this.ask({ kind: 'start', folder: this.folder, population });
    if (started.kind !== 'started') throw new Error('the API server did not start');
    this.kubeconfig = started.kubeconfig;
    return started;
  }

  /** Seconds until the controller serves, and until everything is compiled, from the start of its process. */
  async watch(): Promise<{ readonly seconds: number; readonly rss: number; readonly peak: number }> {
    const startedAt = Date.now();
    const controller = spawn(join(ROOT, 'apps/controller/bin/heddle-controller'), [], {
      env: {
        PATH: process.env.PATH,
        KUBECONFIG: this.kubeconfig,
        HEDDLE_SOURCE: 'kubernetes',
        HEDDLE_DATABASE_URL: `sqlite:${join(this.folder, 'db')}`,
        HEDDLE_OPENFLOW_LISTEN: `unix:${join(this.folder, 'openflow.sock')}`,
        HEDDLE_OVSDB_LISTEN: `unix:${join(this.folder, 'ovsdb.sock')}`,
        HEDDLE_API_LISTEN: `unix:${join(this.folder, 'api.sock')}`,
        HEDDLE_CLUSTER_CIDR: '10.128.0.0/9',
        HEDDLE_SERVICE_CIDR: '10.96.0.0/12',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.controller = controller;
    if (controller.stderr !== null)
      createInterface(controller.stderr).on('line', (text) => {
        if (text.startsWith('{')) this.lines.push(JSON.parse(text));
        else process.stderr.write(`${text}\n`);
      });
    await this.until(() => this.lines.some((l) => l.event === 'ready'));
    const ready = this.lines.find((l) => l.event === 'ready');
    await pause(SETTLE_MS);
    return { seconds: (Date.parse(ready?.time ?? '') - startedAt) / 1_000, ...this.memory() };
  }

  async send(traffic: Traffic): Promise<Extract<Answer, { kind: 'done' }>> {
    const done = await this.ask({ kind: 'traffic', traffic });
    if (done.kind !== 'done') throw new Error('no traffic was sent');
    return done;
  }

  /** Megabytes of the controller: now, and at most. */
  memory(): { readonly rss: number; readonly peak: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const read = (name: string) => round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024);
    return { rss: read('VmRSS'), peak: read('VmHWM') };
  }

  /** Seconds of CPU time that the controller has used. */
  cpu(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async until(condition: () => boolean): Promise<void> {
    const end = performance.now() + TIMEOUT_MS;
    while (!condition()) {
      if (this.controller?.exitCode !== null && this.controller !== undefined)
        throw new Error('the controller has ended');
      if (performance.now() > end) throw new Error(`nothing for ${TIMEOUT_MS} ms`);
      await pause(20);
    }
  }

  async close(): Promise<void> {
    for (const child of [this.controller, this.server])
      if (child !== undefined && child.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get pid(): number {
    return this.controller?.pid ?? 0;
  }

  private async ask(command: Command): Promise<Answer> {
    this.server?.send(command);
    const [answer] = (await once(this.server as ChildProcess, 'message')) as [Answer];
    return answer;
  }
}

async function withBench<T>(work: (bench: Bench) => Promise<T>): Promise<T> {
  const bench = new Bench();
  try {
    return await work(bench);
  } finally {
    await bench.close();
  }
}

/** Memory of a controller with so many pods. */
const rssWith = (pods: number) =>
  withBench(async (bench) => {
    await bench.serve({ nodes: 100, pods, services: 0, policies: 0 });
    return (await bench.watch()).rss;
  });

const large = () =>
  withBench(async (bench) => {
    const population = {
      nodes: number('nodes'),
      pods: number('pods'),
      services: number('services'),
      policies: number('policies'),
    };
    const traffic = {
      seconds: number('seconds'),
      updates: number('updates'),
      statuses: number('statuses'),
      heartbeats: number('heartbeats'),
    };
    const { podBytes, nodeBytes } = await bench.serve(population);
    const sync = await bench.watch();
    const before = bench.lines.length;
    const cpuBefore = bench.cpu();
    const sent = await bench.send(traffic);
    const changes = () =>
      bench.lines.slice(before).reduce((sum, l) => sum + (l.event === 'compiled' ? (l.changes ?? 0) : 0), 0);
    await bench.until(() => changes() >= sent.updatedAt.length);
    const cpu = bench.cpu() - cpuBefore;
    // Every label change is one change of a fact, and they come in their order.
    const lags: number[] = [];
    for (const { event, changes = 0, time } of bench.lines.slice(before))
      if (event === 'compiled')
        for (let i = 0; i < changes; i++) lags.push(Date.parse(time) - (sent.updatedAt[lags.length] ?? Number.NaN));
    const generations = bench.lines.slice(before).filter((l) => l.event === 'compiled').length;
    lags.sort((a, b) => a - b);
    return {
      population,
      bytes: { pod: podBytes, node: nodeBytes },
      initialSync: { seconds: round(sync.seconds), cpuSeconds: round(cpuBefore) },
      rssMb: { synced: sync.rss, peak: sync.peak, afterTraffic: bench.memory().rss },
      traffic: {
        seconds: traffic.seconds,
        updates: sent.updatedAt.length,
        statuses: sent.statuses,
        heartbeats: sent.heartbeats,
      },
      generations,
      lagMs: { p50: quantile(lags, 0.5), p99: quantile(lags, 0.99), max: lags.at(-1) },
      /** What one event costs the controller, whoever else uses the machine. */
      cpuMsPerEvent: round((cpu * 1_000) / (sent.updatedAt.length + sent.statuses + sent.heartbeats), 3),
      /** Processes that wanted to run, and processors: lags are of a machine that is as busy as this. */
      machine: { load: round(loadavg()[0] ?? Number.NaN), processors: availableParallelism() },
    };
  });

const empty = await rssWith(0);
const withPods = await rssWith(10_000);
const result = {
  tenThousandPods: { rssMb: withPods, growthMb: round(withPods - empty), without: empty },
  ...(await large()),
};
console.log(JSON.stringify(result, null, 2));
