import { readFileSync } from 'node:fs';

/** Paths of PEM files. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** What every `ssl:` listener needs. @throws Error if a file cannot be read */
export const readTls = ({ key, cert, ca }: TlsFiles) => ({
  key: readFileSync(key),
  cert: readFileSync(cert),
  ca: readFileSync(ca),
});
