import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const VSWITCH_SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Whether the daemons of Open vSwitch are installed here. */
export const hasOvs = existsSync('/usr/sbin/ovsdb-server') && existsSync(VSWITCH_SCHEMA);

// A process whose parent has not fetched its end yet is still listed, as a zombie.
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** A real ovsdb-server, and an ovs-vswitchd with dummy devices, in a folder of their own. */
export class OvsSandbox {
  readonly dir = mkdtempSync(join(tmpdir(), 'hdovsdb-'));
  readonly #env = {
    ...process.env,
    OVS_RUNDIR: this.dir,
    OVS_LOGDIR: this.dir,
    OVS_DBDIR: this.dir,
    OVS_SYSCONFDIR: this.dir,
  };

  get target(): string {
    return `unix:${this.dir}/db.sock`;
  }

  /** Creates the database and starts ovsdb-server; `extra` are more of its arguments. */
  startServer(schema = VSWITCH_SCHEMA, extra: readonly string[] = []): void {
    const db = join(this.dir, 'conf.db');
    if (!existsSync(db)) this.#run('ovsdb-tool', ['create', db, schema]);
    this.#run('ovsdb-server', [
      db,
      '--no-chdir',
      `--remote=punix:${this.dir}/db.sock`,
      `--unixctl=${this.dir}/ovsdb.ctl`,
      `--pidfile=${this.dir}/ovsdb.pid`,
      '--detach',
      '-vconsole:off',
      `--log-file=${this.dir}/ovsdb.log`,
      ...extra,
    ]);
  }

  startVswitchd(): void {
    this.vsctl('--no-wait', 'init');
    this.#run('ovs-vswitchd', [
      this.target,
      '--no-chdir',
      `--unixctl=${this.dir}/vs.ctl`,
      `--pidfile=${this.dir}/vs.pid`,
      '--detach',
      '--enable-dummy=override',
      '--disable-system',
      '-vconsole:off',
      `--log-file=${this.dir}/vs.log`,
    ]);
  }

  vsctl(...args: readonly string[]): string {
    return this.#run('ovs-vsctl', [`--db=${this.target}`, '--timeout=30', ...args]).trim();
  }

  /** Changes the database file while no server runs. */
  transactOffline(...operations: readonly object[]): void {
    this.#run('ovsdb-tool', ['transact', join(this.dir, 'conf.db'), JSON.stringify(['Open_vSwitch', ...operations])]);
  }

  /** Stops one daemon and waits until it is gone. */
  async stop(daemon: 'ovsdb' | 'vs', signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const file = join(this.dir, `${daemon}.pid`);
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, 'utf8'));
    process.kill(pid, signal);
    while (isRunning(pid)) await sleep(10);
    rmSync(file, { force: true });
  }

  async close(): Promise<void> {
    await this.stop('vs', 'SIGKILL');
    await this.stop('ovsdb', 'SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  #run(program: string, args: readonly string[]): string {
    return execFileSync(program, args, {
      env: this.#env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 40_000,
    });
  }
}
