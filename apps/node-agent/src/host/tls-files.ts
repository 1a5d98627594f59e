import { readFileSync } from 'node:fs';
import type { ApiTls } from '@heddle/api';

/** Absolute paths of PEM files. The switch reads them too, so they are named to it and not copied. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** Reads the files anew at each call: certificates are renewed while the agent runs. */
export const readerOf = (files: TlsFiles) => (): ApiTls => ({
  key: readFileSync(files.key, 'utf8'),
  cert: readFileSync(files.cert, 'utf8'),
  ca: readFileSync(files.ca, 'utf8'),
});
