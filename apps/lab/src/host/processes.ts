import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { open, readdir, readFile, rm } from 'node:fs/promises';
import { readIfThere, writeAtomically } from './files.js';
import { type LabPaths, MARKER, netnsPath } from './paths.js';
import { sleep } from './run.js';

/** A process of the lab. The pid alone may be somebody else's by now; pid and start time together are not. */
export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly startTime: string;
}

/** What `<stateDir>/processes/NAME.json` holds. */
export interface ProcessRecord extends ProcessId {
  readonly name: string;
  readonly argv: readonly string[];
  readonly netns: string | null;
}

export interface StartOptions {
  /** Unique in the lab; a record of the same name is replaced. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly netns: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}

interface Stat extends ProcessId {
  readonly comm: string;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
}

async function stat(pid: number | string): Promise<Stat | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // it has ended, which is an ordinary answer here
  }
  // The name stands in parentheses and may hold anything, parentheses and spaces too.
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  return {
    pid: Number(pid),
    comm: text.slice(text.indexOf('(') + 1, close),
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTime: fields[19] ?? '',
  };
}

/** The identity of a running process, or undefined if there is none (a zombie counts as none). */
export async function processId(pid: number): Promise<ProcessId | undefined> {
  const s = await stat(pid);
  return s === undefined || s.state === 'Z' || s.state === 'X' ? undefined : { pid, startTime: s.startTime };
}

export async function isAlive(id: ProcessId): Promise<boolean> {
  return (await processId(id.pid))?.startTime === id.startTime;
}

function recordFile(paths: LabPaths, name: string): string {
  return `${paths.stateDir}/processes/${name}.json`;
}

export async function readRecord(paths: LabPaths, name: string): Promise<ProcessRecord | undefined> {
  const text = await readIfThere(recordFile(paths, name));
  return text === undefined ? undefined : (JSON.parse(text) as ProcessRecord);
}

/** The record of a process that still runs. */
export async function running(paths: LabPaths, name: string): Promise<ProcessRecord | undefined> {
  const record = await readRecord(paths, name);
  return record !== undefined && (await isAlive(record)) ? record : undefined;
}

export async function forget(paths: LabPaths, name: string): Promise<void> {
  await rm(recordFile(paths, name), { force: true });
}

export async function allRecords(paths: LabPaths): Promise<ProcessRecord[]> {
  const names = await readdir(`${paths.stateDir}/processes`).catch(() => [] as string[]);
  const records = await Promise.all(
    names.filter((n) => n.endsWith('.json')).map((n) => readRecord(paths, n.slice(0, -'.json'.length))),
  );
  return records.filter((r) => r !== undefined);
}

/**
 * Starts a program in a network namespace, in a session of its own, that outlives us; output goes to `logFile`.
 * nsenter, not `ip netns exec`: the latter gives the process a mount namespace of its own.
 */
export async function start(paths: LabPaths, options: StartOptions): Promise<ProcessRecord> {
  const argv =
    options.netns === null ? options.argv : ['nsenter', `--net=${netnsPath(options.netns)}`, '--', ...options.argv];
  const [file, ...args] = argv;
  if (file === undefined) throw new RangeError(`${options.name}: an empty command`);
  const log = await open(options.logFile, 'a');
  try {
    const child = spawn(file, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { PATH: searchPath(), HOME: '/root', LANG: 'C.UTF-8', ...options.env, [MARKER]: paths.stateDir },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid ?? 0;
    const id = (await processId(pid)) ?? { pid, startTime: 'ended' };
    const record: ProcessRecord = { name: options.name, ...id, argv: options.argv, netns: options.netns };
    await writeAtomically(recordFile(paths, options.name), `${JSON.stringify(record)}\n`);
    return record;
  } finally {
    await log.close();
  }
}

/** PATH with the folders of Debian's system tools, which an ordinary login shell may not have. */
export function searchPath(): string {
  return [process.env.PATH ?? '/usr/bin:/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(':');
}

/** Ends processes: SIGTERM, then SIGKILL for those that still run after `graceMs`. Returns those that survived even that. */
export async function end(ids: readonly ProcessId[], graceMs = 3_000): Promise<ProcessId[]> {
  let left = await signalLiving(ids, 'SIGTERM');
  for (const start = performance.now(); left.length > 0 && performance.now() - start < graceMs; ) {
    await sleep(20);
    left = await living(left);
  }
  left = await signalLiving(left, 'SIGKILL');
  for (let i = 0; i < 100 && left.length > 0; i++) {
    await sleep(20);
    left = await living(left);
  }
  return left;
}

async function living(ids: readonly ProcessId[]): Promise<ProcessId[]> {
  const alive = await Promise.all(ids.map(isAlive));
  return ids.filter((_, i) => alive[i]);
}

async function signalLiving(ids: readonly ProcessId[], signal: NodeJS.Signals): Promise<ProcessId[]> {
  const alive = await living(ids);
  for (const { pid } of alive) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
  }
  return alive;
}

export interface FoundProcess extends ProcessId {
  readonly command: string;
  /** False: it sits in a network namespace of the lab but the lab did not start it. */
  readonly ours: boolean;
}

/**
 * Every process of the lab, found without trusting the records alone: recorded ones, those that carry the lab's marker, and members of
 * the given network namespaces (by path). A member counts as ours if it carries the marker or belongs to the session of a recorded
 * process (a pod's command may have cleared its environment). We and our ancestors are never in the list. With 'members', only
 * processes inside the given namespaces.
 */
export async function findProcesses(
  paths: LabPaths,
  netns: readonly string[],
  which: 'all' | 'members' = 'all',
): Promise<FoundProcess[]> {
  const records = await allRecords(paths);
  const recorded = new Map(records.map((r) => [r.pid, r.startTime]));
  const inodes = new Set((await Promise.all(netns.map(netnsInode))).filter((i) => i !== undefined));
  const family = await ancestors();
  const all = (await readdir('/proc')).filter((n) => /^\d+$/.test(n)).map(Number);
  // One look at a link tells members; whole environments are read of few then.
  const pids = which === 'members' ? all.filter((pid) => inodes.has(netnsOf(pid))) : all;
  const found: FoundProcess[] = [];
  for (const pid of pids) {
    if (family.has(pid)) continue;
    const s = await stat(pid);
    if (s === undefined || s.state === 'Z') continue;
    const isRecorded = recorded.get(pid) === s.startTime;
    const marked = isRecorded || (await hasMarker(pid, paths.stateDir));
    const member = which === 'members' || (!marked && inodes.has(netnsOf(pid)));
    if (!member && !marked) continue;
    found.push({
      pid,
      startTime: s.startTime,
      command: await commandLine(pid, s.comm),
      ours: marked || recorded.has(s.session),
    });
  }
  return found;
}

async function ancestors(): Promise<Set<number>> {
  const set = new Set<number>();
  for (let pid = process.pid; pid > 0; ) {
    set.add(pid);
    pid = (await stat(pid))?.parent ?? 0;
  }
  return set;
}

async function hasMarker(pid: number, stateDir: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  return environment.split('\0').includes(`${MARKER}=${stateDir}`);
}

/** The network namespace of a process, as /proc names it; empty if it has ended. */
function netnsOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return ''; // it ended between the list and the look
  }
}

async function netnsInode(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    return `net:[${(await handle.stat()).ino}]`;
  } finally {
    await handle.close();
  }
}

async function commandLine(pid: number, comm: string): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.replaceAll('\0', ' ').trim().slice(0, 120) || comm;
}
