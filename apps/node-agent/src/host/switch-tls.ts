import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsFiles, TlsSet } from '@heddle/api';
import { replaceFile } from './replace-file.js';

/** The paths that the switch is told, if it cannot read the files where we do. */
export const switchTlsFiles = (folder: string): TlsFiles => ({
  key: join(folder, 'tls.key'),
  cert: join(folder, 'tls.crt'),
  ca: join(folder, 'ca.crt'),
});

/**
 * Puts copies there. The key comes last: Open vSwitch looks at the files whenever it wakes up, and reads a pair again when it finds
 * both changed; a new key that it sees before the new certificate counts as seen, and the pair would never be read (update_ssl_config).
 */
export function copyForSwitch({ key, cert, ca }: TlsSet, folder: string): void {
  const files = switchTlsFiles(folder);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  replaceFile(files.ca, ca, 0o600);
  replaceFile(files.cert, cert, 0o600);
  replaceFile(files.key, key, 0o600);
}
