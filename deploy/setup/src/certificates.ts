import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM texts of one certificate and its key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is for. */
export interface Wanted {
  readonly commonName: string;
  /** Addresses and DNS names that peers may know its holder by. */
  readonly names: readonly string[];
  /** serverAuth for who is dialled, clientAuth for who dials. */
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  readonly days: number;
}

/** Makes a self-signed authority (P-256). */
export function makeAuthority(commonName: string, days: number): KeyPair {
  return inFolder((openssl, read) => {
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-batch'],
      ...['-keyout', 'key', '-out', 'cert', '-days', String(days), '-subj', `/O=heddle/CN=${commonName}`],
      ...['-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    );
    return { cert: read('cert'), key: read('key') };
  });
}

/** Makes a key and a certificate that the authority signs. */
export function issue(authority: KeyPair, wanted: Wanted): KeyPair {
  return inFolder((openssl, read, write) => {
    write('ca.crt', authority.cert);
    write('ca.key', authority.key);
    const names = wanted.names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`);
    const extensions = [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      `extendedKeyUsage=${wanted.usages.join(',')}`,
      ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
    ];
    write('extensions', `${extensions.join('\n')}\n`);
    openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-batch'],
      ...['-keyout', 'key', '-out', 'request', '-subj', `/O=heddle/CN=${wanted.commonName}`],
    );
    openssl(
      ...['x509', '-req', '-in', 'request', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'cert'],
      ...['-days', String(wanted.days), '-extfile', 'extensions'],
    );
    return { cert: read('cert'), key: read('key') };
  });
}

/** Why a certificate has to be made anew; undefined if it can stay. */
export function unfitBecause(pair: KeyPair, authority: KeyPair, wanted: Wanted, now: Date): string | undefined {
  let [cert, ca]: (X509Certificate | undefined)[] = [];
  try {
    cert = new X509Certificate(pair.cert);
    ca = new X509Certificate(authority.cert);
  } catch (e) {
    return `it cannot be read: ${(e as Error).message}`;
  }
  if (!cert.verify(ca.publicKey)) return 'another authority signed it';
  const [from, to] = [new Date(cert.validFrom).getTime(), new Date(cert.validTo).getTime()];
  if (now.getTime() > to - (to - from) / 3) return `it ends ${cert.validTo}`;
  const missing = wanted.names.find((name) =>
    isIP(name) === 0 ? cert.checkHost(name) === undefined : cert.checkIP(name) === undefined,
  );
  return missing === undefined ? undefined : `it does not name ${missing}`;
}

type Openssl = (...args: readonly string[]) => void;
type Read = (name: string) => string;
type Write = (name: string, text: string) => void;

/** Keys never lie anywhere but in a folder of mode 0700 that goes at once. */
function inFolder<T>(work: (openssl: Openssl, read: Read, write: Write) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'heddle-setup-'));
  try {
    return work(
      (...args) => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' }),
      (name) => readFileSync(join(dir, name), 'utf8'),
      (name, text) => writeFileSync(join(dir, name), text, { mode: 0o600 }),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
