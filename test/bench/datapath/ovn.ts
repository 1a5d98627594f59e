import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type End, inNetns } from './traffic.js';

const exec = promisify(execFile);
const SCHEMAS = {
  conf: '/usr/share/openvswitch/vswitch.ovsschema',
  nb: '/usr/share/ovn/ovn-nb.ovsschema',
  sb: '/usr/share/ovn/ovn-sb.ovsschema',
} as const;

export const canRunOvn = (): boolean =>
  Object.values(SCHEMAS).every((file) => existsSync(file)) && existsSync('/usr/bin/ovn-controller');

const ROUTER = { mac: '0a:00:00:00:01:01', address: '10.99.0.1' };
const PORTS = [
  { name: 'a', mac: '0a:00:00:00:01:0a', address: '10.99.0.10' },
  { name: 'b', mac: '0a:00:00:00:01:0b', address: '10.99.0.11' },
] as const;

/**
 * One node of OVN with two ports on a logical switch behind a logical router, as Kubernetes' OVN plugins have it: port
 * security, a load balancer, and an ACL that lets one address in to the second port.
 */
export class OvnNode {
  readonly vip = '172.31.200.1';
  readonly ends: readonly [End, End];
  readonly #daemons: ChildProcess[] = [];
  readonly #namespaces: string[];

  private constructor(
    private readonly dir: string,
    tag: string,
  ) {
    const control = join(dir, 'vswitchd.ctl');
    const end = (i: 0 | 1): End => ({ netns: `${tag}-${PORTS[i].name}`, address: PORTS[i].address, control });
    this.ends = [end(0), end(1)];
    this.#namespaces = [`${tag}-node`, ...this.ends.map((e) => e.netns)];
  }

  static async start(folder: string): Promise<OvnNode> {
    const dir = join(folder, 'ovn');
    mkdirSync(dir);
    const node = new OvnNode(dir, `hdbench${process.pid}`);
    try {
      await node.#start();
    } catch (e) {
      await node.stop();
      throw e;
    }
    return node;
  }

  async #start(): Promise<void> {
    const { dir } = this;
    for (const name of this.#namespaces) await exec('ip', ['netns', 'add', name]);
    for (const [name, schema] of Object.entries(SCHEMAS)) {
      await exec('ovsdb-tool', ['create', `${dir}/${name}.db`, schema]);
      const server = [`${dir}/${name}.db`, `--remote=punix:${dir}/${name}.sock`, `--unixctl=${dir}/${name}.ctl`];
      await this.#daemon('ovsdb-server', server, `${dir}/${name}.sock`);
    }
    await this.#vsctl('--no-wait', 'init');
    await this.#daemon(
      'ovs-vswitchd',
      [`unix:${dir}/conf.sock`, `--unixctl=${dir}/vswitchd.ctl`],
      `${dir}/vswitchd.ctl`,
    );
    await this.#nbctl('init');
    const dbs = [`--ovnnb-db=unix:${dir}/nb.sock`, `--ovnsb-db=unix:${dir}/sb.sock`];
    await this.#daemon('ovn-northd', [...dbs, `--unixctl=${dir}/northd.ctl`], `${dir}/northd.ctl`);
    const bridge = ['add-br', 'br-int', '--', 'set', 'bridge', 'br-int', 'datapath_type=netdev', 'fail_mode=secure'];
    await this.#vsctl(...bridge);
    const ids = {
      'system-id': 'bench',
      'ovn-remote': `unix:${dir}/sb.sock`,
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': '127.0.0.1',
      'ovn-bridge-datapath-type': 'netdev',
    };
    await this.#vsctl('set', 'Open_vSwitch', '.', ...Object.entries(ids).map(([k, v]) => `external_ids:${k}=${v}`));
    // It has no option for its control socket everywhere; the pid file tells as well that it runs.
    const pidfile = `${dir}/controller.pid`;
    await this.#daemon('ovn-controller', [`unix:${dir}/conf.sock`, `--pidfile=${pidfile}`], pidfile);
  }

  /** The two ports, which then reach each other. */
  async connect(): Promise<void> {
    const [home] = this.#namespaces as [string];
    for (const [i, port] of PORTS.entries()) {
      const netns = (this.ends[i] as End).netns;
      const veth = `v${port.name}`;
      await exec('ip', ['-n', home, 'link', 'add', veth, 'up', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns]);
      await exec('ip', ['-n', netns, 'link', 'set', 'eth0', 'address', port.mac, 'up']);
      await exec('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
      await exec('ip', ['-n', netns, 'addr', 'add', `${port.address}/24`, 'dev', 'eth0']);
      await exec('ip', ['-n', netns, 'route', 'add', 'default', 'via', ROUTER.address]);
      // The userspace datapath makes no checksums.
      await inNetns(netns, 'ethtool', '-K', 'eth0', 'tx', 'off');
      const iface = ['set', 'interface', veth, `external_ids:iface-id=${port.name}`];
      await this.#vsctl('add-port', 'br-int', veth, '--', ...iface);
    }
    await this.#nbctl(
      ...['ls-add', 'net', '--', 'lr-add', 'router', '--'],
      ...['lrp-add', 'router', 'to-net', ROUTER.mac, `${ROUTER.address}/24`, '--'],
      ...['lsp-add', 'net', 'to-router', '--', 'lsp-set-type', 'to-router', 'router', '--'],
      ...['lsp-set-addresses', 'to-router', 'router', '--', 'lsp-set-options', 'to-router', 'router-port=to-net'],
      ...PORTS.flatMap(({ name, mac, address }) => [
        ...['--', 'lsp-add', 'net', name],
        ...['--', 'lsp-set-addresses', name, `${mac} ${address}`],
        ...['--', 'lsp-set-port-security', name, `${mac} ${address}`],
      ]),
    );
    await this.#settled();
  }

  /** Lets the first port in to the second, and nobody else. */
  async protect(): Promise<void> {
    const port = (await this.#nbctl('--bare', '--columns=_uuid', 'find', 'Logical_Switch_Port', 'name=b')).trim();
    await this.#nbctl('create', 'Port_Group', 'name=guarded', `ports=${port}`);
    await this.#nbctl('create', 'Address_Set', 'name=friends', `addresses="${PORTS[0].address}"`);
    await this.#nbctl('acl-add', 'guarded', 'to-lport', '1000', 'outport == @guarded && ip', 'drop');
    const friends = 'outport == @guarded && ip4.src == $friends';
    await this.#nbctl('acl-add', 'guarded', 'to-lport', '1001', friends, 'allow-related');
    await this.#settled();
  }

  /** The second port behind `vip`, TCP and UDP. */
  async balance(port: number): Promise<void> {
    for (const protocol of ['tcp', 'udp']) {
      await this.#nbctl('lb-add', `lb-${protocol}`, `${this.vip}:${port}`, `${PORTS[1].address}:${port}`, protocol);
      await this.#nbctl('ls-lb-add', 'net', `lb-${protocol}`);
    }
    await this.#settled();
  }

  async stop(): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const gone = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGKILL');
      await gone;
    }
    for (const name of this.#namespaces)
      try {
        execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
      } catch {
        // It was not made.
      }
  }

  /** Everything that the northbound database says is on the switch. */
  #settled = (): Promise<string> => this.#nbctl('--wait=hv', 'sync');
  #nbctl = async (...args: readonly string[]): Promise<string> =>
    (await exec('ovn-nbctl', [`--db=unix:${this.dir}/nb.sock`, '--timeout=30', ...args])).stdout;
  #vsctl = async (...args: readonly string[]): Promise<string> =>
    (await exec('ovs-vsctl', [`--db=unix:${this.dir}/conf.sock`, '--timeout=30', ...args])).stdout;

  /** Starts a daemon in the node's namespace and waits for its socket. */
  async #daemon(program: string, args: readonly string[], socket: string): Promise<void> {
    const { dir } = this;
    const log = openSync(join(dir, `${program}.log`), 'a');
    const folders = ['OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR', 'OVS_SYSCONFDIR', 'OVN_RUNDIR', 'OVN_LOGDIR'];
    const env = { ...process.env, ...Object.fromEntries(folders.map((name) => [name, dir])) };
    const command = [
      'netns',
      'exec',
      this.#namespaces[0] as string,
      'setpriv',
      '--pdeathsig',
      'KILL',
      program,
      ...args,
    ];
    const child = spawn('ip', command, { env, stdio: ['ignore', log, log] });
    this.#daemons.push(child);
    for (const end = Date.now() + 20_000; !existsSync(socket); ) {
      if (child.exitCode !== null || Date.now() > end) throw new Error(`${program} did not start, see ${dir}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
