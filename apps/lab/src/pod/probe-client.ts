import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { isIPv6, Socket } from 'node:net';
import { type EchoAnswer, PATTERN_PERIOD, type Probe, type ProbeResult, patternBlock } from './protocol.js';

/** Many at once, but not so many that the probes slow each other down on a small machine. */
const MAX_PARALLEL = 128;
/** A lost first datagram (the tunnel's next hop is being resolved) must not look like a denial. */
const UDP_RESEND_MS = 300;
/**
 * Ports that probes connect from, each in its turn: below those that kernels take. A kernel may give two connections one port when they go to a
 * service's address and to its backend; translated they would be one connection, and an ended one is remembered for minutes.
 */
const SOURCE_PORTS = { first: 10_000, count: 22_000 } as const;

/** Runs all probes, up to 128 at a time; results stand in the order of the probes. Never rejects. */
export async function runProbes(probes: readonly Probe[]): Promise<ProbeResult[]> {
  const results: ProbeResult[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < probes.length; i = next++) results[i] = await runProbe(probes[i] as Probe);
  };
  await Promise.all(Array.from({ length: Math.min(MAX_PARALLEL, probes.length) }, worker));
  return results;
}

type Partial = Omit<ProbeResult, 'ms'>;

const PROBES: { [K in Probe['protocol']]: (probe: Probe) => Promise<Partial> } = {
  tcp: probeTcp,
  udp: probeUdp,
  icmp: probeIcmp,
  // Node has no SCTP sockets; said as it is, so that nobody takes it for a denial.
  sctp: () =>
    Promise.resolve({ outcome: 'unsupported', pod: null, peer: null, detail: 'no SCTP sockets in this program' }),
};

// Not where a program that ran here before has begun.
let portsTaken = Math.floor(Math.random() * SOURCE_PORTS.count);
const takePort = () => SOURCE_PORTS.first + (portsTaken++ % SOURCE_PORTS.count);

async function runProbe(probe: Probe): Promise<ProbeResult> {
  const start = performance.now();
  let result = await PROBES[probe.protocol]({ sourcePort: takePort(), ...probe });
  // Somebody listens there.
  while (probe.sourcePort === undefined && result.outcome === 'error' && result.detail?.includes('EADDRINUSE'))
    result = await PROBES[probe.protocol]({ sourcePort: takePort(), ...probe });
  return { ...result, ms: Math.round((performance.now() - start) * 10) / 10 };
}

function probeTcp(probe: Probe): Promise<Partial> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const reader = probe.bytes === undefined ? new AnswerReader() : new TransferReader(probe.bytes);
    let connected = false;
    const finish = (result: Partial) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => finish(connected ? reader.result('no more came') : nobody('timeout')),
      probe.timeoutMs,
    );
    socket.on('error', (e: NodeJS.ErrnoException) => finish(connected ? reader.result(e.message) : failure(e)));
    socket.on('data', (part: Buffer) => {
      if (reader.add(part)) finish(reader.result());
    });
    socket.on('end', () => finish(reader.result('the other side closed')));
    socket.connect(
      {
        host: probe.address,
        port: probe.port,
        ...(probe.sourcePort === undefined ? {} : { localPort: probe.sourcePort }),
      },
      () => {
        connected = true;
        const path = probe.bytes === undefined ? '/' : `/bytes/${probe.bytes}`;
        socket.write(`GET ${path} HTTP/1.0\r\nHost: probe\r\n\r\n`);
      },
    );
  });
}

/** Reads the JSON that our echo program answers by HTTP; whoever answers otherwise was reached all the same. */
class AnswerReader {
  private text = '';
  add(part: Buffer): boolean {
    this.text += part.toString('utf8');
    return this.text.length > 65_536 || this.body()?.endsWith('}\n') === true;
  }
  result(_ending?: string): Partial {
    return { outcome: 'ok', ...echoed(this.body()) };
  }
  private body(): string | undefined {
    const at = this.text.indexOf('\r\n\r\n');
    return at < 0 ? undefined : this.text.slice(at + 4);
  }
}

/** Counts and checks the bytes of `/bytes/N`. */
class TransferReader {
  private head: string | undefined = '';
  private received = 0;
  private damagedAt: number | undefined;
  private readonly block = patternBlock();
  constructor(private readonly wanted: number) {}

  add(part: Buffer): boolean {
    let rest = part;
    if (this.head !== undefined) {
      this.head += part.toString('latin1');
      const at = this.head.indexOf('\r\n\r\n');
      if (at < 0) return false;
      rest = part.subarray(part.length - (this.head.length - at - 4));
      this.head = undefined;
    }
    for (let i = 0; i < rest.length; ) {
      const phase = this.received % PATTERN_PERIOD;
      const length = Math.min(rest.length - i, this.block.length - phase);
      if (!rest.subarray(i, i + length).equals(this.block.subarray(phase, phase + length)))
        this.damagedAt ??= this.received;
      this.received += length;
      i += length;
    }
    return this.received >= this.wanted;
  }
  result(ending = ''): Partial {
    const base = { pod: null, peer: null, bytes: this.received };
    if (this.damagedAt !== undefined)
      return { outcome: 'error', ...base, detail: `wrong bytes after ${this.damagedAt}` };
    if (this.received === this.wanted) return { outcome: 'ok', ...base };
    return { outcome: 'error', ...base, detail: `${this.received} of ${this.wanted} bytes came: ${ending}` };
  }
}

function probeUdp(probe: Probe): Promise<Partial> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(probe.address) ? 'udp6' : 'udp4');
    let resend: NodeJS.Timeout | undefined;
    const finish = (result: Partial) => {
      clearTimeout(timer);
      clearInterval(resend);
      try {
        socket.close();
      } catch {
        // An error had closed it already.
      }
      resolve(result);
    };
    const timer = setTimeout(() => finish(nobody('timeout')), probe.timeoutMs);
    socket.on('error', (e: NodeJS.ErrnoException) => finish(failure(e)));
    socket.on('message', (data) => finish({ outcome: 'ok', ...echoed(data.toString('utf8')) }));
    const send = () =>
      socket.send('probe', (e) => {
        if (e !== null && e !== undefined) finish(failure(e));
      });
    socket.bind({ port: probe.sourcePort ?? 0 }, () =>
      // Connected, so that the kernel hands us ICMP errors.
      socket.connect(probe.port, probe.address, (e?: Error) => {
        if (e !== undefined && e !== null) return finish(failure(e));
        send();
        resend = setInterval(send, UDP_RESEND_MS);
      }),
    );
  });
}

function probeIcmp(probe: Probe): Promise<Partial> {
  const seconds = Math.max(1, Math.ceil(probe.timeoutMs / 1000));
  // A second packet for the same reason as UDP's resending; `-w` ends it after the first answer or in time.
  const args = ['-n', '-c', '1', '-i', '0.3', '-w', String(seconds), probe.address];
  return new Promise((resolve) => {
    execFile('ping', args, { timeout: probe.timeoutMs + 2_000 }, (error, stdout, stderr) => {
      if (error === null) return resolve({ outcome: 'ok', pod: null, peer: null });
      if (/[Uu]nreachable|prohibited|filtered/.test(stdout + stderr)) return resolve(nobody('unreachable'));
      if (stdout.includes('packet loss')) return resolve(nobody('timeout'));
      resolve({ outcome: 'error', pod: null, peer: null, detail: (stderr || error.message).trim() });
    });
  });
}

function echoed(text: string | undefined): { pod: string | null; peer: string | null } {
  try {
    const answer = JSON.parse(text ?? '') as EchoAnswer;
    return { pod: answer.pod ?? null, peer: answer.peer ?? null };
  } catch {
    return { pod: null, peer: null }; // another program answered
  }
}

function nobody(outcome: ProbeResult['outcome']): Partial {
  return { outcome, pod: null, peer: null };
}

function failure(e: NodeJS.ErrnoException): Partial {
  if (e.code === 'ECONNREFUSED' || e.code === 'ECONNRESET') return nobody('refused');
  if (e.code === 'ETIMEDOUT') return nobody('timeout');
  if (e.code === 'EHOSTUNREACH' || e.code === 'ENETUNREACH' || e.code === 'EACCES')
    return { ...nobody('unreachable'), detail: e.code };
  return { ...nobody('error'), detail: e.message };
}
