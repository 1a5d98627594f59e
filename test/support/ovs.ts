import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectOpenFlow, type OpenFlowSession } from 'openflow-ts';
import { ControlSocket } from '../../apps/node-agent/src/ovs/control-socket.js';

const run = promisify(execFile);
const ANSWER_TIMEOUT_MS = 30_000;
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
/** As Debian's service starts ovsdb-server: managers and the certificate stand in the database. */
export const FROM_DATABASE = [
  '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
  '--private-key=db:Open_vSwitch,SSL,private_key',
  '--certificate=db:Open_vSwitch,SSL,certificate',
  '--ca-cert=db:Open_vSwitch,SSL,ca_cert',
] as const;

/** A dummy device holds so many packets that wait, and drops more (NETDEV_DUMMY_MAX_QUEUE). */
const WAITING = 100;

/** A private Open vSwitch: its own ovsdb-server and ovs-vswitchd with the dummy datapath, in its own folder. */
export interface TestSwitch {
  readonly dir: string;
  readonly bridge: string;
  readonly datapathId: bigint;
  /** OVSDB of this switch, `unix:PATH`. */
  readonly ovsdb: string;
  /** Management socket of the bridge (OpenFlow), `unix:PATH`. */
  readonly openflow: string;
  /** Process id of the running ovs-vswitchd. */
  readonly vswitchdPid: number;
  /** Runs `ovs-vsctl`; without `--no-wait` it returns when ovs-vswitchd has taken the change. */
  vsctl(...args: readonly string[]): Promise<string>;
  /** Runs `ovs-ofctl` with OpenFlow 1.3 to 1.5 allowed; `br-int` as an argument means this bridge. */
  ofctl(...args: readonly string[]): Promise<string>;
  /** Adds a port of type dummy to the bridge; more are settings of its interface, as `options:tx_pcap=FILE`. */
  addPort(name: string, ofport: number, ...more: readonly string[]): Promise<void>;
  /** Asks ovs-vswitchd what `ovs-appctl` would ask it, by its control socket. */
  appctl(command: string, ...args: readonly string[]): Promise<string>;
  /** Puts packets into a dummy port of the bridge, and resolves when each has been judged and has left, or not. */
  receive(port: string, ...packets: readonly string[]): Promise<void>;
  /** Empties the datapath's cache of decisions, which hand in their statistics. */
  purge(): Promise<void>;
  /** Flows as `ovs-ofctl --no-stats dump-flows` prints them, one a line, trimmed and sorted. */
  flows(...filter: readonly string[]): Promise<string[]>;
  /** Ends ovs-vswitchd (SIGKILL): flows and groups are gone, the database stays. */
  killVswitchd(): Promise<void>;
  startVswitchd(): Promise<void>;
  /** Stops and continues ovs-vswitchd (SIGSTOP, SIGCONT): a switch that takes nothing. */
  freeze(): void;
  thaw(): void;
  /** The end of both daemons' logs, for a message of a failed test. */
  log(): string;
  /** Ends both daemons and removes the folder. */
  stop(): Promise<void>;
}

export interface TestSwitchOptions {
  readonly bridge?: string;
  /** Column `protocols` of the bridge. */
  readonly protocols?: readonly ('OpenFlow10' | 'OpenFlow13' | 'OpenFlow14' | 'OpenFlow15')[];
  readonly datapathId?: bigint;
  /** Arguments of one more `ovs-vsctl` call before the bridge is made, e.g. set-ssl. */
  readonly setup?: readonly string[];
  /** False: the bridge is not made. */
  readonly createBridge?: boolean;
}

let lastDatapathId = 0;
const live = new Set<{ kill(): void }>();
let hooked = false;

/** Children must not outlive a test run that was interrupted. */
function hookExit(): void {
  if (hooked) return;
  hooked = true;
  const killAll = () => {
    for (const one of live) one.kill();
  };
  process.once('exit', killAll);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      killAll();
      process.kill(process.pid, signal);
    });
}

/** True if Open vSwitch is installed here. */
export const hasOvs = (): boolean => existsSync(SCHEMA) && existsSync('/usr/sbin/ovs-vswitchd');

async function until(what: string, ready: () => boolean, timeoutMs = 30_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !ready(); ) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Puts packets into a dummy port over connections that are open, and resolves when ovs-vswitchd is through with them. Its answer to the
 * command only says that they wait in the device: a turn of its loop takes one of them, judges it, and reads from controllers after that.
 */
export async function receive(
  control: ControlSocket,
  session: OpenFlowSession,
  port: string,
  packets: readonly string[],
): Promise<void> {
  if (packets.length === 1) {
    await control.ask('netdev-dummy/receive', port, ...packets);
    return session.barrier();
  }
  const ports = await session.multipart({ kind: 'multipart_request', type: 'port_desc' });
  const portNo = ports.find((p) => p.name === port)?.portNo;
  if (portNo === undefined) throw new Error(`the bridge has no port ${port}`);
  const taken = async () => {
    const [stats] = await session.multipart({ kind: 'multipart_request', type: 'port', portNo });
    return Number(stats?.rxPackets);
  };
  for (let at = 0; at < packets.length; at += WAITING) {
    const some = packets.slice(at, at + WAITING);
    const all = (await taken()) + some.length;
    await control.ask('netdev-dummy/receive', port, ...some);
    for (const end = performance.now() + ANSWER_TIMEOUT_MS; (await taken()) < all; )
      if (performance.now() > end)
        throw new Error(`${port} has not taken ${some.length} packets in ${ANSWER_TIMEOUT_MS} ms`);
  }
}

/**
 * Empties the datapath's cache of decisions, which hand in their statistics. A decision that a revalidator is looking at is passed over by
 * `revalidator/purge`, and would still be there when the next packet comes; so it is asked for until nothing is left.
 */
export async function purge(control: ControlSocket): Promise<void> {
  for (const end = performance.now() + ANSWER_TIMEOUT_MS; ; ) {
    await control.ask('revalidator/purge');
    const left = await control.ask('dpctl/dump-flows');
    if (!left.includes('actions:')) return;
    if (performance.now() > end) throw new Error(`these are not purged in ${ANSWER_TIMEOUT_MS} ms:\n${left}`);
  }
}

/** Starts a private switch; the caller must `stop()` it. Whatever fails on the way is cleaned up. */
export async function startSwitch(options: TestSwitchOptions = {}): Promise<TestSwitch> {
  hookExit();
  const dir = await mkdtemp(join(tmpdir(), 'hdof-'));
  const bridge = options.bridge ?? 'br-int';
  // Distinct for each switch of this process, never zero.
  const datapathId = options.datapathId ?? BigInt(process.pid) * 65536n + BigInt(++lastDatapathId);
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir, OVS_DBDIR: dir, OVS_SYSCONFDIR: dir, TZ: 'UTC' };
  const ovsdb = `unix:${dir}/db.sock`;
  const children = new Map<string, ChildProcess>();
  const handle = {
    kill: () => {
      for (const child of children.values()) child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
  live.add(handle);

  const daemon = (name: string, args: readonly string[]): void => {
    const log = openSync(join(dir, `${name}.log`), 'a');
    // The parent-death signal ends the daemon even if this process is killed outright.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', name, ...args, `--pidfile=${dir}/${name}.pid`], {
      env,
      cwd: dir,
      stdio: ['ignore', log, log],
    });
    children.set(name, child);
  };
  const end = async (name: string): Promise<void> => {
    const child = children.get(name);
    if (child === undefined) return;
    children.delete(name);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const log = (): string =>
    ['ovsdb-server', 'ovs-vswitchd']
      .map((name) => join(dir, `${name}.log`))
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file, 'utf8').split('\n').slice(-40).join('\n'))
      .join('\n--\n');
  const tool = async (name: string, args: readonly string[]): Promise<string> => {
    const { stdout } = await run(name, [...args], { env, cwd: dir, maxBuffer: 256 * 1024 * 1024 });
    return stdout;
  };
  const vsctl = (...args: readonly string[]) => tool('ovs-vsctl', [`--db=${ovsdb}`, '--timeout=30', ...args]);
  const ofctl = (...args: readonly string[]) =>
    tool('ovs-ofctl', [
      '-O',
      'OpenFlow13,OpenFlow14,OpenFlow15',
      ...args.map((arg) => (arg === bridge ? `unix:${dir}/${bridge}.mgmt` : arg)),
    ]);
  const vswitchdPid = (): number => children.get('ovs-vswitchd')?.pid ?? Number.NaN;
  const startVswitchd = async (): Promise<void> => {
    rmSync(join(dir, 'ovs-vswitchd.pid'), { force: true });
    rmSync(join(dir, `${bridge}.mgmt`), { force: true });
    daemon('ovs-vswitchd', [
      ovsdb,
      '--enable-dummy=override',
      '--disable-system',
      `--unixctl=${dir}/vswitchd.ctl`,
      '-vconsole:info',
    ]);
    await until('ovs-vswitchd', () => existsSync(join(dir, 'ovs-vswitchd.pid')));
  };
  const bridgeIsThere = () => until('the bridge', () => existsSync(join(dir, `${bridge}.mgmt`)));
  const openflow = `unix:${dir}/${bridge}.mgmt`;
  const withControl = <T>(task: (control: ControlSocket) => Promise<T>): Promise<T> =>
    ControlSocket.withVswitchd(dir, ANSWER_TIMEOUT_MS, task);
  const stop = async (): Promise<void> => {
    await end('ovs-vswitchd');
    await end('ovsdb-server');
    live.delete(handle);
    rmSync(dir, { recursive: true, force: true });
  };

  try {
    await tool('ovsdb-tool', ['create', `${dir}/conf.db`, SCHEMA]);
    daemon('ovsdb-server', [`${dir}/conf.db`, `--remote=p${ovsdb}`, ...FROM_DATABASE, `--unixctl=${dir}/ovsdb.ctl`]);
    await until('ovsdb-server', () => existsSync(`${dir}/db.sock`));
    await vsctl('--no-wait', 'init');
    if (options.setup) await vsctl('--no-wait', ...options.setup);
    await startVswitchd();
    if (options.createBridge !== false) {
      await vsctl(
        'add-br',
        bridge,
        '--',
        ...['set', 'bridge', bridge, 'fail_mode=secure', 'datapath_type=netdev'],
        `other_config:datapath-id=${datapathId.toString(16).padStart(16, '0')}`,
        `protocols=${(options.protocols ?? ['OpenFlow13', 'OpenFlow14', 'OpenFlow15']).join(',')}`,
      );
      await bridgeIsThere();
    }
  } catch (cause) {
    const text = log();
    await stop();
    throw new Error(`the test switch did not start\n${text}`, { cause });
  }

  return {
    dir,
    bridge,
    datapathId,
    ovsdb,
    openflow,
    get vswitchdPid() {
      return vswitchdPid();
    },
    vsctl,
    ofctl,
    async addPort(name, ofport, ...more) {
      await vsctl(
        ...['add-port', bridge, name, '--', 'set', 'interface', name, 'type=dummy', `ofport_request=${ofport}`],
        ...more,
      );
    },
    appctl: (command, ...args) => withControl((control) => control.ask(command, ...args)),
    purge: () => withControl(purge),
    receive: (port, ...packets) =>
      withControl(async (control) => {
        const session = await connectOpenFlow({ target: openflow });
        try {
          await receive(control, session, port, packets);
        } finally {
          session.close();
        }
      }),
    async flows(...filter) {
      const text = await ofctl('--no-stats', '--no-names', 'dump-flows', bridge, ...filter);
      return text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '' && !line.startsWith('OFPST_FLOW') && !line.startsWith('NXST_FLOW'))
        .sort();
    },
    killVswitchd: () => end('ovs-vswitchd'),
    async startVswitchd() {
      await startVswitchd();
      if (options.createBridge !== false) await bridgeIsThere();
    },
    freeze: () => process.kill(vswitchdPid(), 'SIGSTOP'),
    thaw: () => process.kill(vswitchdPid(), 'SIGCONT'),
    log,
    stop,
  };
}
