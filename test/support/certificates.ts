import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder.ts';

/** Files of one key pair and of the authority that signed it. */
export interface TestIdentity {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** Makes a certificate authority and key pairs signed by it in a new folder, which goes at the end of the run or of this process. */
export function makeCertificates(names: readonly string[]): {
  readonly dir: string;
  identity(name: string): TestIdentity;
} {
  const dir = mkdtempSync(join(temporaryFolder(), 'tls-'));
  // Where no run of specs has an end: benchmarks.
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-batch'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=test-ca');
  for (const name of names) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(dir, `${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'],
      ...['-extfile', `${name}.ext`, '-out', `${name}.crt`],
    );
  }
  return {
    dir,
    identity: (name) => ({ key: join(dir, `${name}.key`), cert: join(dir, `${name}.crt`), ca: join(dir, 'ca.crt') }),
  };
}
