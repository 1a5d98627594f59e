import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** A network namespace with a port on a switch, and the control socket of that switch. */
export interface End {
  readonly netns: string;
  readonly address: string;
  readonly control: string;
}

export interface Sample {
  readonly tcpMbitPerS: number;
  /** 64-byte datagrams that arrived, a second. */
  readonly udpPerS: number;
  /** For each packet that a switch received, both kinds of traffic apart; of the sender's switch, then of the receiver's if it is another. */
  readonly tcpPasses: readonly number[];
  readonly udpPasses: readonly number[];
  /** Flows in the sender's datapath while it ran. */
  readonly datapathFlows: number;
}

/** Runs a command in a network namespace. */
export const inNetns = async (netns: string, ...command: readonly string[]): Promise<string> =>
  (await exec('ip', ['netns', 'exec', netns, ...command], { maxBuffer: 1 << 26 })).stdout;
export const appctl = async (control: string, ...command: readonly string[]): Promise<string> =>
  (await exec('ovs-appctl', ['-t', control, ...command], { maxBuffer: 1 << 26 })).stdout;

/** Passes for each packet since the counters were cleared, of all threads together. */
async function passes(control: string): Promise<number> {
  const text = await appctl(control, 'dpif-netdev/pmd-stats-show');
  const sum = (what: string) =>
    [...text.matchAll(new RegExp(`${what}: (\\d+)`, 'g'))].reduce((total, [, n]) => total + Number(n), 0);
  return Math.round((1 + sum('packet recirculations') / sum('packets received')) * 100) / 100;
}

/** An iperf3 server that ends with the function that is given to it. */
async function withServer<T>(netns: string, port: number, use: () => Promise<T>): Promise<T> {
  const server = spawn('ip', ['netns', 'exec', netns, 'iperf3', '-s', '-p', String(port), '--forceflush'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const gone = new Promise((resolve) => server.once('exit', resolve));
  try {
    await new Promise<void>((resolve, reject) => {
      server.stdout.on('data', (text: Buffer) => text.includes('listening') && resolve());
      server.once('exit', () => reject(new Error('iperf3 did not start')));
    });
    return await use();
  } finally {
    server.kill('SIGTERM');
    await gone;
  }
}

export interface Run {
  readonly from: End;
  readonly to: End;
  /** What the client connects to. */
  readonly address: string;
  readonly port: number;
  /** Where the server listens, if elsewhere. */
  readonly serverPort?: number;
  readonly seconds: number;
}

/** One TCP run and one UDP run. */
export async function measure({ from, to, address, port, serverPort = port, seconds }: Run): Promise<Sample> {
  const controls = [...new Set([from.control, to.control])];
  const iperf = async (...more: readonly string[]) => {
    for (const control of controls) await appctl(control, 'dpif-netdev/pmd-stats-clear');
    const args = ['-J', '-c', address, '-p', String(port), '-t', String(seconds), ...more];
    const { end } = JSON.parse(await inNetns(from.netns, 'iperf3', ...args));
    return { end, passes: await Promise.all(controls.map(passes)) };
  };
  return withServer(to.netns, serverPort, async () => {
    const tcp = await iperf();
    const udp = await iperf('-u', '-b', '0', '-l', '64');
    const { packets, lost_percent: lost, seconds: took } = udp.end.sum;
    return {
      tcpMbitPerS: Math.round(tcp.end.sum_received.bits_per_second / 1e6),
      udpPerS: Math.round((packets * (1 - lost / 100)) / took),
      tcpPasses: tcp.passes,
      udpPasses: udp.passes,
      datapathFlows: (await appctl(from.control, 'dpctl/dump-flows')).trim().split('\n').length,
    };
  });
}
