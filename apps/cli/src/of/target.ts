import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type ConnectOptions, connectOpenFlow, type OpenFlowSession, type TlsOptions, type Version } from 'openflow-ts';
import { versionOption } from './lines.js';

/** Options of every command that dials a switch. */
export interface TargetOptions {
  readonly version?: Version;
  readonly privateKey?: string;
  readonly certificate?: string;
  readonly caCert?: string;
  readonly timeout: string;
}

/** Adds them. */
export const withTarget = (command: Command): Command =>
  command
    .addOption(versionOption('only this version of the protocol (default: the highest that the switch speaks)'))
    .option('-p, --private-key <file>', 'for ssl: our key')
    .option('-c, --certificate <file>', 'for ssl: our certificate')
    .option('-C, --ca-cert <file>', "for ssl: the authority that signed the switch's certificate")
    .option('--timeout <seconds>', 'how long to wait for an answer', '30');

export const TARGETS =
  'TARGET is unix:PATH (for example unix:/run/openvswitch/br-int.mgmt), tcp:HOST:PORT or ssl:HOST:PORT.';

/** Whether an argument names a switch and not a file. */
export const isTarget = (text: string): boolean => /^(unix|tcp|ssl):/.test(text);

/** Key and certificates for ssl; undefined where none are given. @throws RangeError where some are missing */
export function tlsOf(o: TargetOptions): TlsOptions | undefined {
  const { privateKey, certificate, caCert } = o;
  if (privateKey === undefined && certificate === undefined && caCert === undefined) return undefined;
  if (privateKey === undefined || certificate === undefined || caCert === undefined)
    throw new RangeError('ssl needs all of --private-key, --certificate and --ca-cert');
  return { key: readFileSync(privateKey), cert: readFileSync(certificate), ca: readFileSync(caCert) };
}

/** Dials a switch. The caller closes the session. */
export function dial(target: string, o: TargetOptions, more: Partial<ConnectOptions> = {}): Promise<OpenFlowSession> {
  const timeoutMs = Number(o.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new RangeError(`--timeout ${o.timeout}: want seconds`);
  return connectOpenFlow({
    target,
    tls: tlsOf(o),
    requestTimeoutMs: timeoutMs,
    handshakeTimeoutMs: Math.min(timeoutMs, 10_000),
    ...(o.version && { versions: [o.version] }),
    ...more,
  });
}
